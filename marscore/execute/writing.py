"""What a file on its way is written through: its partial file, opened when it is needed, and one writer for each connection.

Opened <--reopen-- OpenFile --of(epoch)--> Partial <--write, record-- Writer <--read-- Response
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from marscore.errors import StorageError
from marscore.execute.protocol import Moment, Opened, Segment
from marscore.frozen import dataclass
from marscore.journal import Header, PieceHasher
from marscore.ports import FileStore, Partial, Response
from marscore.values import ByteRange, Failure, internal


@dataclass(frozen=True, slots=True)
class Reads:
    """How bodies are read: at most `chunk` bytes at once, and at most `buffer` held for one file over all its connections."""

    chunk: int
    buffer: int

    def limit(self, connections: int) -> int:
        """The bytes that one read of one of a file's connections may bring."""
        return max(1024, min(self.chunk, self.buffer // max(1, connections)))

    def spare(self, connections: int) -> int:
        """How many pieces of so many bytes may be held besides those that the connections read into."""
        return max(0, self.buffer // self.limit(connections) - max(1, connections))


class OpenFile:
    """The partial file of a transfer, made anew when a new epoch begins; threads of an older epoch get none."""

    def __init__(self, files: FileStore, path: str) -> None:
        self._files = files
        self._path = path
        self._lock = threading.Lock()
        self._partial: Partial | None = None
        self._epoch = 0
        self._closed = False

    def reopen(self, at: Callable[[], Moment]) -> Opened:
        """Look for what an earlier run left and prove it piece by piece."""
        found = self._files.reopen(self._path)
        if found is None:
            return Opened(at())
        self._partial, journal = found
        proven: list[ByteRange] = []
        damaged = 0
        for piece in journal.pieces:
            if _holds(self._partial, piece.range, piece.hash):
                proven.append(piece.range)
            else:
                damaged += len(piece.range)
        header = journal.header
        told = (header.size, header.validator, header.encoding, header.url_key, header.proof, header.checksums, header.resource)
        return Opened(at(), tuple(proven), len(proven), damaged, *told)

    def of(self, epoch: int) -> Partial | None:
        """The partial file of an epoch; None if a newer one has begun or the transfer is over."""
        with self._lock:
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
        with self._lock:
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


def _holds(partial: Partial, span: ByteRange, digest: str) -> bool:
    hasher = PieceHasher(span.start)
    while hasher.length < len(span):
        data = partial.read(span.start + hasher.length, min(1024 * 1024, len(span) - hasher.length))
        if not data:
            return False
        hasher.update(data)
    return hasher.piece().hash == digest


class Begun:
    """A response of whose body some was read already, as a response that is still to be read from its beginning."""

    def __init__(self, response: Response, came: bytes) -> None:
        self.answer = response.answer
        self.close = response.close
        self.abort = response.abort
        self._response = response
        self._came = memoryview(came)

    def read(self, limit: int) -> bytes | memoryview:
        """Return what has arrived of the body, up to `limit` bytes."""
        if not self._came:
            return self._response.read(limit)
        data, self._came = self._came[:limit], self._came[limit:]
        return data

    def read_into(self, buffer: memoryview) -> int:
        """Fill `buffer` with what has arrived of the body."""
        if not self._came:
            return self._response.read_into(buffer)
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class Writer:
    """Writes a segment's bytes at their place and records them piece by piece."""

    def __init__(self, partial: Partial, segment: Segment, limit: int, header: Callable[[], Header]) -> None:
        self._partial = partial
        self._segment = segment
        self._limit = limit
        self._header = header
        self._hasher = PieceHasher(segment.position)
        self.recorded = False

    def read(self, response: Response, most: int | None) -> bytes | memoryview:
        """Receive the next bytes: at most as many as the piece still needs."""
        return response.read(self._most(most))

    @property
    def room(self) -> int:
        """The most bytes that the next write may have: what the piece still needs."""
        return self._hasher.room

    def write(self, data: bytes | memoryview) -> None:
        """Write the next bytes; a piece that is full is recorded."""
        self._take(data)
        self._segment.written += len(data)
        if not self._hasher.room:
            self.record()

    def record(self) -> None:
        """Record what was written since the last piece."""
        if self._hasher.length:
            if not self.recorded:
                self._partial.describe(self._header())
            self._partial.record(self._hasher.piece())
            self._hasher = PieceHasher(self._segment.written)
            self.recorded = True

    def _most(self, most: int | None) -> int:
        return min(self._limit, self._hasher.room, most or self._limit)

    def _take(self, data: bytes | memoryview) -> None:
        self._partial.write(self._segment.written, data)
        self._hasher.update(data)


class LargeWriter(Writer):
    """The same for a file that is hashed while it is written: its bytes stay in memory of the file's own until they are."""

    def read(self, response: Response, most: int | None) -> bytes | memoryview:
        """Receive the next bytes: at most as many as the piece still needs."""
        memory = self._partial.lend(self._limit)
        return memory[: response.read_into(memory[: self._most(most)])]

    def _take(self, data: bytes | memoryview) -> None:
        assert isinstance(data, memoryview)
        # Hashed first, since what was written is no longer ours.
        before = self._hasher.copy()
        self._hasher.update(data)
        try:
            self._partial.write_lent(self._segment.written, data)
        except StorageError:
            self._hasher = before
            raise
