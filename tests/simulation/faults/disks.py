"""What a disk does: fail, fill, take less than it is given, take its time; and a database that is locked."""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from marscore.errors import StorageError
from marscore.values import Failure
from tests.simulation.faults import Fault
from tests.simulation.world import Process

if TYPE_CHECKING:
    from tests.simulation.play import Play
    from tests.simulation.scenario import File

_CALLS = (
    "open",
    "pwritev",
    "write",
    "fstat",
    "lstat",
    "replace",
    "unlink",
    "truncate",
    "fsync",
    "mkdir",
    "pread",
    "read",
    "listdir",
    "rmdir",
)
_OFTEN = ("open", "pwritev", "write", "replace", "unlink")
_ERRORS = (errno.EIO, errno.ENOSPC, errno.EACCES, errno.EDQUOT, errno.EMFILE, errno.ENOENT)


@dataclass(frozen=True)
class CallFails(Fault):
    """One call of the system fails, `count` times from the one with number `first` on."""

    weight = 5
    call: str
    error: int
    first: int
    count: int

    @classmethod
    def draw(cls, chance: random.Random, files: Sequence[File]) -> Fault:
        return cls(
            chance.choice((*_CALLS, *_OFTEN)), chance.choice(_ERRORS), chance.choice((0, 1, 2, 5, 12, 30)), chance.choice((1, 1, 3, 1000))
        )

    @property
    def is_of_looking(self) -> bool:
        """Whether it may keep a run from seeing what an earlier one left."""
        return self.call == "listdir" or (
            self.call in ("open", "read", "fstat", "lstat", "truncate", "pread") and self.error != errno.EMFILE
        )

    def begin(self, play: Play) -> None:
        play.disk.meddlers.append(_Failing(self))


class _Failing:
    def __init__(self, fault: CallFails, of: str = "") -> None:
        self._fault = fault
        self._of = of
        self._met = 0

    def before(self, process: Process, call: str, path: str) -> None:
        if call != self._fault.call or not path.endswith(self._of):
            return
        self._met += 1
        if self._fault.first < self._met <= self._fault.first + self._fault.count:
            process.world.tell(process.name, "%s of %s fails: %s", call, path, errno.errorcode[self._fault.error])
            raise OSError(self._fault.error, os.strerror(self._fault.error))

    def room(self, count: int) -> int:
        return count


@dataclass(frozen=True)
class TooFewFiles(Fault):
    """No file of those on their way can be opened for want of descriptors, for the first few times."""

    weight = 3
    of: str
    count: int

    @classmethod
    def draw(cls, chance: random.Random, files: Sequence[File]) -> Fault:
        return cls(chance.choice((".part", ".journal")), chance.choice((1, 2, 5, 1000)))

    def begin(self, play: Play) -> None:
        play.disk.meddlers += [_Failing(CallFails(call, errno.EMFILE, 0, self.count), self.of) for call in ("open", "read")]


@dataclass(frozen=True)
class NothingGoes(Fault):
    """No file can be removed."""

    weight = 2

    @classmethod
    def draw(cls, chance: random.Random, files: Sequence[File]) -> Fault:
        return cls()

    def begin(self, play: Play) -> None:
        play.disk.meddlers.append(_Failing(CallFails("unlink", errno.EACCES, 0, 1 << 30)))


@dataclass(frozen=True)
class Fills(Fault):
    """There is room for so many bytes more."""

    weight = 2
    room: int

    @classmethod
    def draw(cls, chance: random.Random, files: Sequence[File]) -> Fault:
        return cls(chance.choice((0, 1, 4096, 70_000, 1_000_000, 3_000_000)))

    def begin(self, play: Play) -> None:
        play.disk.capacity = play.disk.used + self.room


@dataclass(frozen=True)
class TakesLess(Fault):
    """Every write takes a part of what it is given."""

    weight = 2
    most: int

    @classmethod
    def draw(cls, chance: random.Random, files: Sequence[File]) -> Fault:
        return cls(chance.choice((30_000, 70_000, 100_000)))

    def begin(self, play: Play) -> None:
        play.disk.meddlers.append(self)

    def before(self, process: Process, call: str, path: str) -> None:
        """Nothing."""

    def room(self, count: int) -> int:
        # What is appended to a journal is taken at once or not at all.
        return count if count < 900 else min(count, self.most)


@dataclass(frozen=True)
class TakesItsTime(Fault):
    """Calls take long: the loop leaves bodies, and small files, to helpers."""

    weight = 3
    seconds: float
    calls: tuple[str, ...]

    @classmethod
    def draw(cls, chance: random.Random, files: Sequence[File]) -> Fault:
        return cls(chance.choice((0.002, 0.01, 0.05)), chance.choice((("pwritev",), ("replace",), ("open", "replace"), ("pread",))))

    def begin(self, play: Play) -> None:
        play.disk.meddlers.append(self)

    def before(self, process: Process, call: str, path: str) -> None:
        if call in self.calls:
            process.world.take(self.seconds)

    def room(self, count: int) -> int:
        return count


@dataclass(frozen=True)
class Locked(Fault):
    """The state database takes no commit, `count` times from the one with number `first` on."""

    weight = 2
    first: int
    count: int

    @classmethod
    def draw(cls, chance: random.Random, files: Sequence[File]) -> Fault:
        return cls(chance.choice((0, 0, 1, 2)), chance.choice((1, 2, 1000)))

    def begin(self, play: Play) -> None:
        met = [0]

        def meddle() -> None:
            met[0] += 1
            if self.first < met[0] <= self.first + self.count:
                raise StorageError(Failure("path", "cannot write the state database: database is locked"))

        play.database.meddlers.append(meddle)


@dataclass(frozen=True)
class Damaged(Fault):
    """Between two runs, something of what is left of files on their way is changed, cut or gone, and nothing tells so."""

    weight = 4
    of: str
    how: str
    at: float

    @classmethod
    def draw(cls, chance: random.Random, files: Sequence[File]) -> Fault:
        return cls(chance.choice((".part", ".part", ".journal")), chance.choice(("flip", "flip", "cut", "zero", "gone")), chance.random())

    def begin(self, play: Play) -> None:
        for path in [path for path in play.disk.own_files() if path.endswith(self.of)]:
            inode = play.disk.names[path]
            at = int(self.at * len(inode.data))
            if self.how == "gone":
                play.disk.change(((path, None),))
            elif self.how == "cut":
                play.disk.cut(inode, at)
            elif at < len(inode.data):
                inode.data[at : at + 1] = bytes([0 if self.how == "zero" else inode.data[at] ^ 1])
            play.world.tell("world", "%s: %s at %d", path, self.how, at)
        play.damaged = True
        play.look()


@dataclass(frozen=True)
class Touched(Fault):
    """Between two runs, somebody touches the files in place, or copies the folder: other times, other inodes, the same content."""

    weight = 3
    copied: bool

    @classmethod
    def draw(cls, chance: random.Random, files: Sequence[File]) -> Fault:
        return cls(chance.random() < 0.5)

    def begin(self, play: Play) -> None:
        for path, inode in play.disk.files().items():
            inode.mtime_ns += 1_000_000_000
            if self.copied:
                inode.number += 1_000_000
            play.world.tell("world", "%s is %s", path, "copied" if self.copied else "touched")
        play.look()


@dataclass(frozen=True)
class Edited(Fault):
    """Between two runs, somebody changes a file in place: its content, or its length."""

    weight = 3
    number: int
    how: str

    @classmethod
    def draw(cls, chance: random.Random, files: Sequence[File]) -> Fault:
        return cls(chance.choice(files).number, chance.choice(("flip", "cut", "grow", "gone")))

    def begin(self, play: Play) -> None:
        path = next((file.path for file in play.scenario.files if file.number == self.number), "")
        inode = play.disk.files().get(path)
        if inode is None:
            return
        play.world.tell("world", "%s is changed: %s", path, self.how)
        if self.how == "gone":
            play.disk.change(((play.disk.root + "/" + path, None),))
            play.before.discard(path)
        elif self.how == "flip" and inode.data:
            play.disk.write(inode, 0, bytes([inode.data[0] ^ 1]))
        elif self.how == "grow":
            play.disk.write(inode, len(inode.data), b"more")
        else:
            play.disk.cut(inode, len(inode.data) // 2)
        play.edited[path] = inode
        play.look()


@dataclass(frozen=True)
class StateIsOlder(Fault):
    """Between two runs, the state database goes, or an older one takes its place, as from a backup."""

    weight = 2
    gone: bool

    @classmethod
    def draw(cls, chance: random.Random, files: Sequence[File]) -> Fault:
        return cls(chance.random() < 0.5)

    def begin(self, play: Play) -> None:
        play.database.commits = [{} if self.gone else play.database.commits[0]]
        play.look()
