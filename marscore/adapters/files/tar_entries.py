"""The entries of a tar, plain or compressed.

What an archive promises of its sizes is not believed: no header is read into memory that is larger than any honest one, and no archive
counts as whole that ends before its end is marked. What stands behind that, and is not compressed as the archive is, is nobody's: as for
bsdtar, it is not looked at, whatever the compression. Compressed data is read to its end in any case, since its check stands there.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import os
import re
import tarfile
from collections.abc import Callable, Iterator
from typing import IO, Any

from marscore.adapters.files.archive_entry import AT_ONCE, ArchiveError, Entry, Kind, TooLargeError, naming_damage
from marscore.extras import installing

#: The most that one header of a tar may take: pax headers hold names and a few numbers.
_LARGEST_HEADER = 16 * 1024 * 1024
#: What decompressing xz may take: what `xz -9` asks for is 65 MiB.
_MEMORY = 512 * 1024 * 1024
_BLOCK = 512
_XZ = b"\xfd7zXZ\x00"
#: A frame, or one that is to be skipped, as pzstd writes in front (RFC 8878 section 3.1).
_ZSTD = re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")


def tar_entries(file: IO[bytes], beginning: bytes, most: int, watch: Callable[[int], None]) -> Iterator[Entry]:
    """The entries of a tar that begins so; see `archives.read_archive`."""
    if not beginning:
        raise ArchiveError("is empty: the file has no bytes")
    source = _decompressed(file, beginning)
    if source is file:
        _refuse_too_many(file, most, watch)
    return _entries(_Forward(source, watch))


def _refuse_too_many(file: IO[bytes], most: int, watch: Callable[[int], None]) -> None:
    """Count the entries of a plain tar, where it is so large that it may hold too many, before any is written."""
    if file.seek(0, os.SEEK_END) > _BLOCK * most:
        file.seek(0)
        count = 0
        with contextlib.suppress(ArchiveError, EOFError, tarfile.TarError):
            # What is wrong with it is told when it is unpacked.
            for count, _ in enumerate(_members(_Skipping(file, watch)), 1):
                if count > most:
                    break
        if count > most:
            raise TooLargeError(f"has more than {most:,} entries")
    file.seek(0)


def _decompressed(file: IO[bytes], beginning: bytes) -> Any:
    """What reads the tar inside, by how the file begins and not by its name."""
    if beginning.startswith(b"\x1f\x8b"):
        return _Gzip(gzip.GzipFile(fileobj=file))
    if beginning.startswith(b"BZh"):
        return bz2.BZ2File(file)
    if beginning.startswith(_XZ):
        return _Xz(file)
    if _ZSTD.match(beginning):
        return _zstd(file)
    return file


def _zstd(file: IO[bytes]) -> Any:
    try:
        import zstandard  # noqa: PLC0415 - an extra
    except ImportError:
        raise ArchiveError(f"is compressed by zstd, which takes a package: {installing('zstd')}") from None
    return _Zstd(zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True), zstandard.ZstdError)


class _BehindError(ArchiveError):
    """What follows the last stream is none. Raised by a read that has brought nothing else: what came before it is not lost."""

    def __init__(self) -> None:
        super().__init__("is damaged: something else follows before its end")


class _Gzip:
    """Tells what is no further stream from one that is damaged."""

    def __init__(self, source: gzip.GzipFile) -> None:
        self._source = source

    def read(self, count: int) -> bytes:
        try:
            # `read` would go on to the next stream before it gives what it has.
            return self._source.read1(count)
        except gzip.BadGzipFile as error:
            if str(error).startswith("Not a gzipped file"):
                raise _BehindError from error
            raise


class _Zstd:
    """Names a zstd stream's errors."""

    def __init__(self, source: Any, error: type[Exception]) -> None:
        self._source, self._error = source, error

    def read(self, count: int) -> bytes:
        try:
            # See `_Gzip`.
            data: bytes = self._source.read1(count)
        except self._error as error:
            if "nknown frame descriptor" in str(error):
                raise _BehindError from error
            raise ArchiveError(f"is damaged: {error}") from error
        return data


class _Xz:
    """Decompresses xz streams one behind the other; `lzma.LZMAFile` has no limit for the memory that one may ask for."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._stream: lzma.LZMADecompressor | None = None
        self._left = b""

    def read(self, count: int) -> bytes:
        """Up to so many bytes; none at the end.

        Raises:
            EOFError: the last stream has no end.
        """
        while (stream := self._stream or self._next()) is not None:
            more = b""
            if self._left or stream.needs_input:
                more, self._left = self._left or self._file.read(AT_ONCE), b""
                if not more:
                    raise EOFError("it ends within a stream of xz")
            data = stream.decompress(more, count)
            if stream.eof:
                self._left, self._stream = stream.unused_data, None
            if data:
                return data
        return b""

    def _next(self) -> lzma.LZMADecompressor | None:
        """Begin the next stream; None where there is none."""
        # Streams may be padded with zeros, four at a time (The .xz File Format, section 2.2).
        left = self._left.lstrip(b"\0")
        while not left:
            data = self._file.read(AT_ONCE)
            if not data:
                return None
            left = data.lstrip(b"\0")
        left += self._file.read(len(_XZ)) if len(left) < len(_XZ) else b""
        if not left.startswith(_XZ):
            raise _BehindError
        self._left = left
        self._stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY)
        return self._stream


class _Forward:
    """What tarfile reads from: it goes forward only, tells of every step, and reads no header that is too large."""

    def __init__(self, source: Any, watch: Callable[[int], None]) -> None:
        self._source = source
        self._watch = watch
        self._position = 0
        self.last = b""

    def tell(self) -> int:
        return self._position

    def seek(self, position: int) -> None:
        """Go on to a position.

        Raises:
            ArchiveError: it lies behind.
        """
        if position < self._position:
            raise ArchiveError("is damaged: an entry lies before the one that it follows")
        while self._position < position:
            if not self._take(min(AT_ONCE, position - self._position)):
                raise EOFError("it ends within an entry")

    def read(self, count: int) -> bytes:
        if not 0 <= count <= _LARGEST_HEADER:
            raise TooLargeError(f"has a header of {count} bytes")
        parts = []
        while count and (data := self._take(min(count, AT_ONCE))):
            parts.append(data)
            count -= len(data)
        self.last = b"".join(parts)
        return self.last

    def _take(self, count: int) -> bytes:
        data: bytes = self._source.read(count)
        self._position += len(data)
        self._watch(len(data))
        return data

    def end(self) -> None:
        """Read to the end of the file, where checks of what was decompressed stand."""
        with contextlib.suppress(_BehindError):
            while self._take(AT_ONCE):
                pass


class _Skipping(_Forward):
    """The same of a plain tar whose contents are of no interest."""

    def seek(self, position: int) -> None:
        if position > self._position:
            self._position = self._source.seek(position)
        self._watch(0)


def _entries(source: _Forward) -> Iterator[Entry]:
    for archive, member in _members(source):
        yield _entry(archive, member)
    # It takes a broken header, and the end of the file, for the end of the archive.
    if len(source.last) != _BLOCK or source.last.strip(b"\0"):
        raise ArchiveError("is damaged: it has no end, so that entries may be missing")
    source.end()


def _members(source: _Forward) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    # Names that are not UTF-8 keep their bytes.
    with tarfile.open(fileobj=source, mode="r:", encoding="utf-8", errors="surrogateescape") as archive:  # type: ignore[call-overload]
        if not archive.members:
            # The first is read when it is opened. Where there is none, Python 3.10 would go back to read it again.
            return
        while (member := archive.next()) is not None:
            # tarfile keeps all that it has seen.
            archive.members = []
            yield archive, member


def _entry(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Entry:
    kind: Kind = "other"
    if member.isreg():
        kind = "file"
    elif member.isdir():
        kind = "folder"
    elif member.issym():
        kind = "symlink"
    elif member.islnk():
        kind = "hardlink"

    def chunks() -> Iterator[bytes]:
        with naming_damage():
            content = archive.extractfile(member)
            assert content is not None, "it is a file"
            left = member.size
            while left:
                data = content.read(min(AT_ONCE, left))
                if not data:
                    raise EOFError(f"it ends within {member.name}")
                left -= len(data)
                yield data

    return Entry(member.name, kind, member.mode, member.mtime, member.linkname, chunks, member)
