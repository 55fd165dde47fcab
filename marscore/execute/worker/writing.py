"""What a file on its way is written through: its partial file, opened when it is needed, and one writer for each connection.

Opened <--reopen--  OpenFile --of(epoch)--> Partial <--write, record-- Writer <-- chunks of a body
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from marscore.errors import StorageError
from marscore.execute.transfer.protocol import Moment, Opened
from marscore.journal import PIECE_SIZE, Header, PieceHasher
from marscore.ports import FileStore, Partial
from marscore.values import ByteRange, Failure, internal

#: Files from this size on are hashed while they are written.
LARGE = 4 * 1024 * 1024


class OpenFile:
    """The partial file of a transfer, made anew when a new epoch begins; a segment of an older epoch gets none."""

    def __init__(self, files: FileStore, path: str, partial: Partial | None = None) -> None:
        """Nothing is on the disk yet, unless `partial` was reopened."""
        self._files = files
        self._path = path
        self._partial = partial
        self._epoch = 0
        self._closed = False

    def of(self, epoch: int) -> Partial | None:
        """The partial file of an epoch; None if a newer one has begun or the transfer is over."""
        if self._closed or epoch < self._epoch:
            return None
        if self._partial is None or epoch > self._epoch:
            if self._partial is not None:
                self._partial.discard()
            self._partial = self._files.create(self._path)
            self._epoch = epoch
        return self._partial

    def release(self, keep: bool) -> Failure | None:
        """Let go of it, kept for another run or removed. Never raises: what stood in the way of that is returned."""
        self._closed = True
        partial, self._partial = self._partial, None
        if partial is None:
            return None
        try:
            # Where the disk had no room for its journal, nobody will find anything in it.
            (partial.close if keep and partial.is_recorded else partial.discard)()
        except StorageError as error:
            return error.failure
        except Exception as error:  # noqa: BLE001 - an outcome is told whatever happens to the cleaning
            return internal(error)
        return None


def reopen(files: FileStore, path: str, at: Callable[[], Moment]) -> tuple[Partial | None, Opened]:
    """Look for what an earlier run left and prove it piece by piece."""
    found = files.reopen(path)
    if found is None:
        return None, Opened(at())
    partial, journal = found
    try:
        proven = [piece.range for piece in journal.pieces if _holds(partial, piece.range, piece.hash)]
        damaged = sum(len(piece.range) for piece in journal.pieces) - sum(map(len, proven))
        header = journal.header
        told = (header.size, header.validator, header.encoding, header.url_key, header.proof, header.checksums, header.resource)
        return partial, Opened(at(), tuple(proven), len(proven), damaged, *told)
    except BaseException:
        partial.close()
        raise


def _holds(partial: Partial, span: ByteRange, digest: str) -> bool:
    return fingerprint(partial, span) == digest


def fingerprint(partial: Partial, span: ByteRange) -> str | None:
    """The hash that a range of a partial file has as a piece; None where the file ends before, or is closed."""
    hasher = PieceHasher(span.start)
    while hasher.length < len(span):
        data = partial.read(span.start + hasher.length, min(1024 * 1024, len(span) - hasher.length))
        if not data:
            return None
        hasher.update(data)
    return hasher.piece().hash


class Writer:
    """Writes a segment's bytes at their place, from `at` on, and records them piece by piece.

    One thread uses it at a time. `header` is what the journal is to say of the file where it begins with this writer's first piece.
    """

    def __init__(self, partial: Partial, at: int) -> None:
        self._partial = partial
        self._at = at
        self._hasher = PieceHasher(at)
        self.header: Header | None = None
        self.recorded = False

    def write(self, chunks: Sequence[bytes | memoryview]) -> int:
        """Write the next bytes; a piece that is full is recorded. Returns how many were written."""
        count = 0
        for piece in _cut(chunks, self._hasher.room):
            self._partial.write(self._at, *piece)
            for chunk in piece:
                self._hasher.update(chunk)
            written = self._hasher.end - self._at
            self._at, count = self._at + written, count + written
            if not self._hasher.room:
                self.record()
        return count

    def record(self) -> None:
        """Record what was written since the last piece."""
        if self._hasher.length:
            if not self.recorded and self.header is not None:
                self._partial.describe(self.header)
            self._partial.record(self._hasher.piece())
            self._hasher = PieceHasher(self._at)
            self.recorded = True


def _cut(chunks: Sequence[bytes | memoryview], room: int) -> Iterator[Sequence[bytes | memoryview]]:
    """The chunks as they belong to one piece after the other; the first has so much room left."""
    if sum(map(len, chunks)) <= room:
        yield chunks
        return
    piece: list[bytes | memoryview] = []
    for chunk in chunks:
        rest = memoryview(chunk)
        while len(rest) >= room:
            yield [*piece, rest[:room]]
            rest, room, piece = rest[room:], PIECE_SIZE, []
        if rest:
            piece.append(rest)
            room -= len(rest)
    if piece:
        yield piece
