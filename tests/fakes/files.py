"""An output folder in memory: files, partial files and journals as bytes, and a way to die in the middle of it all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from marscore.errors import StorageError
from marscore.journal import Header, Journal, Piece, decode, described, encode_finished, encode_header, encode_piece
from marscore.state import AS_MADE, Attributes, Content, FileIdentity, Measured
from marscore.values import ByteRange, Failure


@dataclass
class Stored:
    """A finished file."""

    content: bytes
    identity: FileIdentity
    mode: int | None = None


@dataclass
class MemoryFolder:
    """Implements `ports.FileStore`. Everything that a disk would hold is in plain dictionaries, for tests to read and to damage."""

    files: dict[str, Stored] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    parts: dict[str, bytearray] = field(default_factory=dict)
    journals: dict[str, bytearray] = field(default_factory=dict)
    capacity: int | None = None
    _handles: list[MemoryPartial] = field(default_factory=list)
    _made: Iterator[int] = field(default_factory=lambda: count(1))

    def create(self, path: str) -> MemoryPartial:
        """Begin a partial file, in place of any there was."""
        self.check_place(path)
        self.journals.pop(path, None)
        content = self.parts[path] = bytearray()
        return self._handle(MemoryPartial(self, path, content))

    def reopen(self, path: str) -> tuple[MemoryPartial, Journal] | None:
        """Open what an earlier run left, or None."""
        lines = self.journals.get(path)
        journal = decode(bytes(lines)) if lines is not None else None
        if lines is None or journal is None:
            return None
        del lines[journal.sound :]
        if path not in self.parts:
            return None
        partial = MemoryPartial(self, path, self.parts[path], lines)
        partial.header = journal.header
        return self._handle(partial), journal

    def identify(self, path: str) -> FileIdentity | None:
        """What identifies the finished file."""
        if path in self.folders:
            return FileIdentity(0, 0, 0, "folder")
        return self.files[path].identity if path in self.files else None

    def measure(self, path: str, algorithms: Sequence[str]) -> Measured:
        """Hash a finished file."""
        if path not in self.files:
            raise StorageError(Failure("path", "cannot read the file in place: there is none"))
        return Measured(self.files[path].identity, _digests(self.files[path].content, algorithms))

    @property
    def handles_open(self) -> int:
        """How many partial files nobody has let go of."""
        return sum(handle.is_open for handle in self._handles)

    def crash(self) -> None:
        """Die: no handle can do anything any more, and every byte that was written stays."""
        for handle in self._handles:
            handle.close()
        self._handles.clear()

    def put(self, path: str, content: bytes, attributes: Attributes = AS_MADE) -> FileIdentity:
        """Store a finished file."""
        number = next(self._made)
        mtime_ns = 1_700_000_000_000_000_000 + number if attributes.mtime_ns is None else attributes.mtime_ns
        self.files[path] = Stored(content, FileIdentity(len(content), mtime_ns, number), attributes.mode)
        return self.files[path].identity

    def prepare(self, path: str) -> None:
        """Refuse a path where no file can be."""
        self.check_place(path)

    def store(self, path: str, content: Content, attributes: Attributes = AS_MADE) -> FileIdentity:
        """Put a whole file in place."""
        self.check_place(path)
        self.parts.pop(path, None)
        self.journals.pop(path, None)
        self.room(len(content.data))
        return self.put(path, content.data, attributes)

    def check_place(self, path: str) -> None:
        """Refuse a path where no file can be."""
        parents = [path[:i] for i, letter in enumerate(path) if letter == "/"]
        if path in self.folders:
            raise StorageError(Failure("path", "a folder stands where the file should be"))
        if any(parent in self.files for parent in parents):
            raise StorageError(Failure("path", "a file stands where a folder should be"))

    def room(self, more: int) -> None:
        """Refuse bytes that the disk has no room for."""
        # Copies, since helper threads make and place files meanwhile.
        used = sum(map(len, list(self.parts.values()))) + sum(len(file.content) for file in list(self.files.values()))
        if self.capacity is not None and used + more > self.capacity:
            raise StorageError(Failure("disk_full", "cannot write: No space left on device"))

    def _handle(self, handle: MemoryPartial) -> MemoryPartial:
        self._handles.append(handle)
        return handle


class MemoryPartial:
    """Implements `ports.Partial`."""

    def __init__(self, folder: MemoryFolder, path: str, content: bytearray, lines: bytearray | None = None) -> None:
        self._folder = folder
        self._path = path
        self._content = content
        self._lines = lines
        self.header: Header | None = None
        self._open = True
        self._placed = False

    @property
    def is_open(self) -> bool:
        """Whether it may be written."""
        return self._open

    @property
    def is_recorded(self) -> bool:
        """Whether the journal has a piece."""
        return self._lines is not None and self._lines.count(b"\n") > 1

    def write(self, offset: int, *chunks: bytes | memoryview) -> None:
        """Write the chunks, one behind the other; nothing once the file is closed."""
        data = b"".join(chunks)
        if self._open:
            hole = max(0, offset - len(self._content))
            self._folder.room(max(0, offset + len(data) - len(self._content)))
            self._content.extend(bytes(hole))
            self._content[offset : offset + len(data)] = data

    def read(self, offset: int, length: int) -> bytes:
        """Read up to `length` bytes."""
        return bytes(self._content[offset : offset + length]) if self._open else b""

    def reserve(self, size: int) -> None:
        """Say so at once where there is no room."""
        if self._open:
            self._folder.room(size - len(self._content))

    def describe(self, header: Header) -> None:
        """Set what the journal will say."""
        if self._lines is None:
            self.header = header
        elif self.header is not None and (later := described(self.header, header)) != self.header:
            self.header = later
            self._append(encode_header(later))

    def record(self, piece: Piece) -> None:
        """Append a piece to the journal, which begins with the first."""
        if self._open and self._lines is None and self.header is not None:
            self._lines = self._folder.journals[self._path] = bytearray(encode_header(self.header))
        self._append(encode_piece(piece))

    def follow(self, algorithms: Sequence[str], proven: Sequence[ByteRange]) -> None:
        """Hash it later."""

    def digests(self, size: int, algorithms: Sequence[str]) -> dict[str, str]:
        """Hash the first `size` bytes."""
        if not self._open or len(self._content) < size:
            raise StorageError(Failure("path", "cannot read the partial file: it is not so long"))
        return _digests(bytes(self._content[:size]), algorithms)

    def finish(self, path: str, size: int, digests: Mapping[str, str], attributes: Attributes = AS_MADE) -> FileIdentity:
        """Give the file its name."""
        if not self._open:
            raise StorageError(Failure("path", "cannot put the file in place: it is closed"))
        if len(self._content) < size:
            raise StorageError(Failure("internal", f"the partial file has {len(self._content)} bytes, and {size} were verified"))
        self._append(encode_finished(digests["sha256"]))
        self.close()
        self._folder.check_place(path)
        del self._folder.parts[self._path]
        self._placed = True
        return self._folder.put(path, bytes(self._content[:size]), attributes)

    def close(self) -> None:
        """Let go of the file."""
        self._open = False

    def discard(self) -> None:
        """Let go of the file and remove it, unless it has got its name."""
        self.close()
        if not self._placed:
            self._folder.parts.pop(self._path, None)
            self._folder.journals.pop(self._path, None)

    def _append(self, line: bytes) -> None:
        if self._open and self._lines is not None:
            self._lines += line


def _digests(content: bytes, algorithms: Sequence[str]) -> dict[str, str]:
    return {name: hashlib.new(name, content, usedforsecurity=False).hexdigest() for name in algorithms}
