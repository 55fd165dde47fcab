"""One entry of the cache: where its files are, and whether its bytes are still those that the cache recorded."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from marscore.frozen import dataclass

#: Nothing is followed and nobody waited for: what stands there may be another's.
READ = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry, by the folder that it is."""

    place: Path

    @property
    def sha256(self) -> str:
        """The digest that is its name."""
        return self.place.name

    @property
    def data(self) -> Path:
        """Where its bytes are."""
        return self.place / "data"

    @property
    def recorded(self) -> Path:
        """Where it stands how the cache found them when it wrote them; its own time is when the entry was used last."""
        return self.place / "recorded"

    def put(self, made: Path) -> None:
        """Give a folder that was made elsewhere its name; where another has made the same meanwhile, that is it."""
        self.place.parent.mkdir(parents=True, exist_ok=True)
        try:
            made.rename(self.place)
        except OSError as error:
            # An entry is no empty folder, so rename(2) replaces none.
            if not (error.errno in (errno.ENOTEMPTY, errno.EEXIST) or (error.errno == errno.EACCES and self.place.exists())):
                raise

    def is_as_recorded(self, boot: str | None, status: os.stat_result) -> bool:
        """Whether the bytes are those that were hashed: nobody else may have written here, and no power cut can have taken them."""
        if boot is None or not hasattr(os, "getuid"):
            return False
        try:
            owners = [(found.st_uid, found.st_mode) for found in (os.lstat(self.place), os.lstat(self.recorded), status)]
            text = _text(self.recorded)
        except (OSError, ValueError):
            return False
        is_ours = all(uid == os.getuid() and not mode & (stat.S_IWGRP | stat.S_IWOTH) for uid, mode in owners)
        return is_ours and text == record_of(boot, status)


def record_of(boot: str | None, status: os.stat_result) -> str:
    """What is recorded of bytes when they are written; `boot` is this start of the machine."""
    return f"{boot} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}\n"


def boot_id() -> str | None:
    """What tells this start of the machine from others; None where nothing does."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip() or None
    except (OSError, ValueError):
        return None


def _text(place: Path) -> str:
    """The few bytes of a file of ours; what is no regular file is not waited for."""
    fd = os.open(place, READ)
    try:
        return os.read(fd, 512).decode("ascii") if stat.S_ISREG(os.fstat(fd).st_mode) else ""
    finally:
        os.close(fd)
