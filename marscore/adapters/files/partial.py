"""One file on its way: its bytes at their final offsets, the journal of its pieces, and what hashes it meanwhile.

KEY.part      bytes, in space that is reserved where that is cheap
KEY.journal   which pieces of them were written; begins with the first
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType

from marscore.adapters.files import positioned
from marscore.adapters.files.appended import Appended
from marscore.adapters.files.attributes import Give
from marscore.adapters.files.failures import naming
from marscore.adapters.files.hashing import FrontDigest, digests_of_file
from marscore.adapters.files.leftovers import allocated
from marscore.adapters.files.rename import Verified, rename
from marscore.adapters.files.system import NEW, System
from marscore.errors import StorageError
from marscore.journal import Header, Piece, described, encode_finished, encode_header, encode_piece
from marscore.state import AS_MADE, Attributes, FileIdentity
from marscore.values import ByteRange, Failure

#: Chunks of one call: Linux takes no more (IOV_MAX), others as many or more.
_MOST_CHUNKS = 1024
#: A file of up to this size is not worth a look at the free space before it is written.
_SMALL = 1024 * 1024


class _InUse:
    """Keeps a partial file open inside; says whether it still is."""

    __slots__ = ("_partial", "_usable")

    def __init__(self, partial: PartialFile) -> None:
        self._partial = partial

    def __enter__(self) -> bool:
        self._usable = self._partial.enter()
        return self._usable

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._usable:
            self._partial.leave()


class PartialFile:
    """Implements `ports.Partial`. `place` makes the final path of a download, with its folder; `io` is the system, what reads and writes
    at offsets, and what gives attributes.

    A descriptor is closed when the last call in another thread has ended, so that none writes to one that was given away.
    """

    def __init__(
        self,
        base: str,
        place: Callable[[str], str],
        io: tuple[System, Callable[[int], positioned.Positioned], Give],
        fd: int,
        journal: int | None = None,
    ) -> None:
        self._place = place
        self._os, at_offsets, self._give = io
        self._base = base
        self._fd = fd
        self._io = at_offsets(fd)
        self.header: Header | None = None
        self._journal = None if journal is None else Appended(self._os, journal)
        #: Whether the journal has a piece. One that was there before may.
        self.is_recorded = journal is not None
        self._follower: FrontDigest | None = None
        self._lock = threading.Lock()
        self._users = 0
        self._closing = False
        self._placed = False
        #: Whether its owner has let go of it, who then wants it in place no more.
        self._given_up = False
        self._reserved = False
        self._allocated = 0
        #: The end of the last byte that was written here; the file is never shorter than that.
        self._end = 0

    def write(self, offset: int, *chunks: bytes | memoryview) -> None:
        """Write the chunks, one behind the other; nothing once the file is closed."""
        with _InUse(self) as usable, naming("cannot write"):
            if usable:
                self._check_length()
                end = self._write_all(offset, chunks)
                with self._lock:
                    self._end = max(self._end, end)
                if self._follower is not None:
                    self._follower.wrote(offset, end - offset)

    def _write_all(self, offset: int, chunks: Sequence[bytes | memoryview]) -> int:
        """Write all of them; returns where they end."""
        at = 0
        while at < len(chunks):
            some = chunks[at : at + _MOST_CHUNKS]
            at += len(some)
            size = sum(map(len, some))
            count = self._io.write(some, offset)
            while count < size:
                # A disk takes less than all where it is nearly full, or a signal came.
                rest = memoryview(b"".join(some))[count:]
                count += self._io.write([rest], offset + count)
            offset += size
        return offset

    def _check_length(self) -> os.stat_result:
        """Refuse a file that somebody cut: what was hashed as it came may not be on the disk any more."""
        end = self._end
        status = self._os.fstat(self._fd)
        if status.st_size < end:
            raise StorageError(Failure("path", "another program cut the partial file while it was written"))
        return status

    def read(self, offset: int, length: int) -> bytes:
        """Read up to `length` bytes."""
        with _InUse(self) as usable, naming("cannot read the partial file"):
            return self._io.read(length, offset) if usable else b""

    def reserve(self, size: int) -> None:
        """Make room for `size` bytes, or say at once that the disk has none for the rest of them."""
        if size <= _SMALL or self._reserved:
            return
        self._reserved = True
        with _InUse(self) as usable, naming("cannot reserve space"):
            if not usable:
                return
            # First of all, so that a file which cannot fit does not take what is left of the disk before it fails.
            missing = size - allocated(self._os.fstat(self._fd))
            if missing > self._os.free(os.path.dirname(self._base)):
                raise OSError(errno.ENOSPC, "")
            if self._io.allocate(size):
                self._allocated = size

    def follow(self, algorithms: Sequence[str], proven: Sequence[ByteRange]) -> None:
        """Hash the file while it is written; `proven` ranges of it are there already."""
        with self._lock:
            if self._follower is not None or self._closing:
                return
            follower = self._follower = FrontDigest(self._read_into, algorithms, self._os.start)
        for span in proven:
            follower.wrote(span.start, len(span))

    def _read_into(self, buffer: memoryview, offset: int) -> int:
        with _InUse(self) as usable:
            try:
                return self._io.read_into(buffer, offset) if usable else 0
            except OSError:
                # Whoever hashes the file anew is told.
                return 0

    def describe(self, header: Header) -> None:
        """Set what the journal will say; one that is begun takes what `journal.described` says."""
        with self._lock, naming("cannot write the journal"):
            if self._journal is None:
                self.header = header
            elif self.header is not None and (later := described(self.header, header)) != self.header:
                self.header = later
                if not self._closing:
                    self._journal.append(encode_header(later))

    def record(self, piece: Piece) -> None:
        """Append a piece to the journal, which begins with the first."""
        self._append(encode_piece(piece), begin=True)
        self.is_recorded = True

    def digests(self, size: int, algorithms: Sequence[str]) -> dict[str, str]:
        """Hash the first `size` bytes."""
        if self._follower is not None and set(algorithms) <= set(self._follower.algorithms):
            followed = self._follower.digests(size)
            if followed is not None:
                return followed
        with _InUse(self) as usable, naming("cannot read the partial file"):
            return digests_of_file(self._io, size if usable else 0, algorithms)

    def finish(self, path: str, size: int, digests: Mapping[str, str], attributes: Attributes = AS_MADE) -> FileIdentity:
        """Cut the file to `size`, give it its attributes and its name, and let go of it."""
        with naming("cannot put the file in place"):
            with _InUse(self) as usable:
                if not usable:
                    raise OSError(errno.EBADF, "")
                status = self._cut(size)
                self._look_for_holes(status, digests)
                if self._journal is not None:
                    self._append(encode_finished(digests["sha256"]), begin=False)
                target = self._place(path)
                self._give(self._fd, part_of(self._base), attributes)
                self._let_go()
            identity = self._named(target, Verified(status, digests["sha256"], attributes))
            self._placed = True
        return identity

    def _named(self, target: str, verified: Verified) -> FileIdentity:
        """Give the file, which is closed, its name."""
        return rename(part_of(self._base), target, verified, lambda: not self._given_up, self._os)

    def close(self) -> None:
        """Let go of the file once no thread uses it any more."""
        self._given_up = True
        self._let_go()

    def _let_go(self) -> None:
        with self._lock:
            self._closing = True
            self._close_if_unused()
        if self._follower is not None:
            self._follower.stop()

    def discard(self) -> None:
        """Let go of the file and remove it, unless it has got its name."""
        self.close()
        if self._placed:
            # The journal says "finished" until the state database has the claim; who records that removes it.
            return
        with naming("cannot remove a partial file"):
            for old in (part_of(self._base), journal_of(self._base)):
                with contextlib.suppress(FileNotFoundError):
                    self._os.unlink(old)

    def _cut(self, size: int) -> os.stat_result:
        status = self._check_length()
        if status.st_size < size:
            raise StorageError(Failure("internal", f"the partial file has {status.st_size} bytes, and {size} were verified"))
        if status.st_size == size and self._allocated <= size:
            return status
        # This frees what was reserved beyond the end as well.
        self._os.ftruncate(self._fd, size)
        return self._os.fstat(self._fd)

    def _look_for_holes(self, status: os.stat_result, digests: Mapping[str, str]) -> None:
        """Hash a file from the disk that takes less room there than it has bytes: another program may have taken some out of it.

        Every byte was written, and may have been hashed before it was taken out. A file system that compresses costs a second look.
        """
        if allocated(status) < status.st_size and digests_of_file(self._io, status.st_size, list(digests)) != dict(digests):
            raise StorageError(Failure("path", "another program changed the partial file while it was written"))

    def _append(self, line: bytes, begin: bool) -> None:
        with _InUse(self) as usable, naming("cannot write the journal"):
            if not usable:
                return
            with self._lock:
                if self._journal is None and begin and self.header is not None:
                    new = self._os.open(journal_of(self._base), NEW | os.O_APPEND, 0o666)
                    self._journal = Appended(self._os, new, encode_header(self.header))
                journal = self._journal
            if journal is not None:
                journal.append(line)

    def enter(self) -> bool:
        """Keep the file open until `leave`; False if it is being closed."""
        with self._lock:
            if self._closing:
                return False
            self._users += 1
            return True

    def leave(self) -> None:
        """End what `enter` began; the last one closes a file that is to be closed."""
        with self._lock:
            self._users -= 1
            self._close_if_unused()

    def _close_if_unused(self) -> None:
        if self._closing and not self._users and self._fd >= 0:
            self._os.close(self._fd)
            if self._journal is not None:
                self._journal.close()
            self._fd = -1


def part_of(base: str) -> str:
    """Where the bytes of a partial file are."""
    return base + ".part"


def journal_of(base: str) -> str:
    """Where its journal is."""
    return base + ".journal"
