"""What the user names to be written, reports, log file and metrics: written through, as a shell does, and never replaced by a file.

    -                                       standard output
    /dev/stdout /dev/fd/N /proc/self/fd/N   that descriptor, from where it stands
    a pipe, a device, a terminal            opened and written
    a regular file, or nothing yet          behind any symbolic links: a report or metrics replace it whole, a log is appended to it

Descriptors are taken before a run opens anything: later, a number that the caller did not open might be one of the run's own files.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Literal

from marscore.adapters.files.atomic import encoded, replace
from marscore.adapters.files.failures import naming
from marscore.adapters.terminal.worker_logs import folder_for
from marscore.adapters.terminal.writer import Descriptor, Stream, Target, write_all
from marscore.errors import StorageError
from marscore.settings import STANDARD_OUTPUT, RunSettings, beside
from marscore.values import Failure

_WRITE = os.O_WRONLY | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
#: Where a folder lets no file be made or renamed (its permissions, a sticky bit, a file that is mounted), the file itself may be writable.
_NO_NEW_NAME = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.EXDEV})
#: Seconds that the reader of a report may take nothing when the run is told to stop.
_PATIENCE = 1.0
#: As many links as Linux follows.
_MOST_LINKS = 40


class Output:
    """One place that the user named. `shown` is what to call it, `what` what goes there; `is_stream`: it is no regular file of its own.
    `doing` says what fails where it cannot be written."""

    def __init__(self, path: Path | str, what: str) -> None:
        """Take what can be taken now; `what` is its name in messages.

        Raises:
            StorageError: it is a folder, or a descriptor that is not open.
        """
        self._path = str(path)
        self.what = what
        self._descriptor: int | None = None
        self._standard = self._path == str(STANDARD_OUTPUT)
        self.shown = "standard output" if self._standard else shown(Path(self._path))
        self.doing = f"cannot write {what} {'to ' if self._standard else ''}{self.shown if self._standard else self._path}"
        with naming(self.doing):
            if self._standard:
                self._descriptor = _standard_output()
            elif (number := _number_of(self._path)) is not None:
                self._descriptor = os.dup(number)
            elif Path(self._path).is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))

    @property
    def is_stream(self) -> bool:
        """Whether what is written may appear on a terminal."""
        return self._standard or self._descriptor is not None or not is_file_or_nothing(self._path)

    @property
    def name(self) -> str:
        """Its last part."""
        return Path(self._path).name

    @property
    def file(self) -> Path | None:
        """The regular file that it is, in full; None where it is a stream."""
        return None if self.is_stream else Path(self._path).absolute()

    def write_whole(self, text: Callable[[], Iterable[str]], reader: Literal["awaited", "there"] = "awaited") -> None:
        """Write a document: a regular file is replaced in one step, keeping its mode, or written in place where its folder allows no other.

        Args:
            text: yields the document, each time anew.
            reader: of a pipe: whether to wait until there is one that reads.

        Raises:
            StorageError: it cannot be written, or has no reader.
        """
        patience = None if reader == "awaited" else _PATIENCE
        with naming(self.doing):
            if self._standard or self._descriptor is not None:
                for data in encoded(text()):
                    self._write(data, patience)
                return
            descriptor = _opened(self._path, 0 if reader == "awaited" else getattr(os, "O_NONBLOCK", 0))
            if descriptor is None:
                replace(_made_ready(self._path), text(), None)
                return
            try:
                self._write_over(descriptor, text, patience)
            finally:
                os.close(descriptor)

    def open(self) -> Target:
        """Open it to append lines to it. What is returned is its caller's to close.

        Raises:
            StorageError: it cannot be opened.
        """
        with naming(self.doing):
            if self._standard or self._descriptor is not None:
                return Stream(sys.stdout) if self._descriptor is None else Descriptor(os.dup(self._descriptor))
            descriptor = _opened(self._path, os.O_APPEND)
            if descriptor is None:
                descriptor = os.open(_made_ready(self._path), _WRITE | os.O_APPEND | os.O_CREAT, 0o666)
            return Descriptor(descriptor)

    def close(self) -> None:
        """Let go of it. Standard output stays open: it is the process's own."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = None

    def _write(self, data: bytes, patience: float | None) -> None:
        if self._descriptor is not None:
            write_all(self._descriptor, data, patience)
        elif sys.stdout is not None:
            # A program has put something of its own there.
            sys.stdout.write(data.decode())
            sys.stdout.flush()

    def _write_over(self, descriptor: int, text: Callable[[], Iterable[str]], patience: float | None) -> None:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            for data in encoded(text()):
                write_all(descriptor, data, patience)
            return
        place = Path(os.path.realpath(self._path))
        if _is_at(place, status) and not _by_proc(self._path):
            try:
                replace(place, text(), status)
            except OSError as error:
                if error.errno not in _NO_NEW_NAME:
                    raise
            else:
                return
        os.ftruncate(descriptor, 0)
        for data in encoded(text()):
            write_all(descriptor, data)
        os.fsync(descriptor)


class Outputs:
    """A run's settings, and what they name to be written, as a context; None where nothing is named."""

    def __init__(self, settings: RunSettings) -> None:
        self.settings = settings
        self.log_target: Target | None = None
        #: The folder of the logs of single workers.
        self.worker_logs: Path | None = None
        self._open = contextlib.ExitStack()
        with contextlib.ExitStack() as until_all_are_there:
            self.report = self._take(settings.report, "the report", until_all_are_there)
            self.entries = None if settings.report_format == "json" else self._beside(settings, until_all_are_there)
            self.log_file = self._take(settings.log_file, "the log file", until_all_are_there)
            self.junit = self._take(settings.report_junit, "the JUnit report", until_all_are_there)
            self.metrics = self._take(settings.metrics, "the metrics", until_all_are_there)
            self._open = until_all_are_there.pop_all()

    def _beside(self, settings: RunSettings, until: contextlib.ExitStack) -> Output | None:
        """Where the entries of a report go whose summary the user named."""
        if settings.report is None or self.report is None:
            return None
        if self.report.is_stream:
            raise StorageError(Failure("path", f"the report cannot be jsonl: {self.report.shown} is no file"))
        return self._take(beside(settings.report), "the report's entries", until)

    def open_log(self) -> None:
        """Open the log file, which waits for the reader of a pipe. It is its writer's to close.

        Raises:
            StorageError: it cannot be opened.
        """
        if self.settings.worker_logs is not None:
            self.worker_logs = folder_for(self.settings.worker_logs)
        if self.log_file is not None:
            self.log_target = self.log_file.open()

    def __enter__(self) -> Outputs:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._open.close()

    @staticmethod
    def _take(path: Path | str | None, what: str, stack: contextlib.ExitStack) -> Output | None:
        if path is None:
            return None
        output = Output(path, what)
        stack.callback(output.close)
        return output


def shown(path: Path) -> str:
    """A path as a person in the current folder calls it; as it is, where that folder is gone."""
    try:
        return os.path.relpath(path)
    except (OSError, ValueError):
        # ValueError: on another drive of Windows.
        return str(path)


def _standard_output() -> int | None:
    """A descriptor of our own for standard output; None where a program has put another stream there.

    Raises:
        OSError: it is closed.
    """
    if sys.stdout is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    try:
        sys.stdout.flush()
        return os.dup(sys.stdout.fileno())
    except (AttributeError, ValueError):
        return None


def _opened(path: str, how: int) -> int | None:
    """Open what is there, through any links; None where nothing is. Not with O_CREAT, which some systems refuse on others' pipes."""
    try:
        return os.open(path, _WRITE | how)
    except FileNotFoundError:
        return None


def _made_ready(path: str) -> Path:
    """Where a new file goes, at the end of any links, with its folder made."""
    place = Path(os.path.realpath(path))
    place.parent.mkdir(parents=True, exist_ok=True)
    return place


def is_file_or_nothing(path: str) -> bool:
    """Whether a path names a regular file, or nothing that is known to be anything else."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116 - names nothing that needs a Path
    except OSError:
        return True


def _is_at(place: Path, status: os.stat_result) -> bool:
    try:
        return os.path.samestat(place.stat(), status)
    except OSError:
        return False


def _links(path: str) -> Iterator[tuple[str, str]]:
    """The name itself and every link that it leads over: the folder in full, and the name in it."""
    for _ in range(_MOST_LINKS):
        folder, name = os.path.split(path)
        folder = os.path.realpath(folder)
        yield folder, name
        here = Path(folder, name)
        if not here.is_symlink():
            return
        path = os.path.join(folder, here.readlink())  # noqa: PTH118 - as the system joins them, `..` left for it to follow


def _number_of(path: str) -> int | None:
    """The number of our own descriptor that this path is a name of, if it is one."""
    if os.name != "posix":
        return None
    own = f"/proc/{os.getpid()}/"
    folders = {"/dev/fd", os.path.realpath("/dev/fd"), os.path.realpath("/proc/self/fd"), "/proc/self/fd"}
    for folder, name in _links(path):
        if name.isascii() and name.isdigit() and (folder in folders or (folder.startswith(own) and folder.endswith("/fd"))):
            return int(name)
    return None


def _by_proc(path: str) -> bool:
    """Whether it is another process's open file, which must stay the one that is open there."""
    return any(folder.startswith("/proc/") for folder, _ in _links(path))
