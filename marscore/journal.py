r"""The resume record of one partial file: which version of the resource it is, and which pieces were written, each with its hash.

    Header, Piece, ... --encode_*--> one line each --append--> journal file --decode--> Journal

A line is `crc32 SP json LF`. Lines are only ever appended, each with one write, so a crash tears at most the last one; decoding stops
at the first line that does not hold. A piece is a claim about bytes that were written, never about bytes that a disk kept: on resume
every piece is read back and hashed again, and what does not match is fetched anew.

That the pieces are of one version is proven by what the header names. A journal of format 1 is none: it neither had the Date that tells
what a Last-Modified is worth nor said whether a checksum was to prove the whole, so its pieces may be of two versions.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal, TypeAlias, get_args

import xxhash

from marscore.frozen import dataclass
from marscore.validator import Validator
from marscore.values import ANNOUNCED_BYTES, Announced, ByteRange, Checksum

FORMAT = 2
#: No file is larger on any system that Python runs on.
_MOST = 2**63 - 1
#: Bytes after which a connection records what it wrote: the most that a kill -9 costs for each open connection.
PIECE_SIZE = 4 * 1024 * 1024


#: What proves that the pieces are of one version: the header's own validator, or the checksum of the whole that the manifest had.
Proof: TypeAlias = Literal["validator", "checksum"]


@dataclass(frozen=True, slots=True)
class Header:
    """What a partial file is a part of. `url_key` is `state.key_of` the source; `size` is None where the server told none.

    Pieces that wait for the proof of a checksum may be of several versions or sources: they are of no use without it, or for another one.
    `checksums` names those that all of them wait for, each by `state.key_of`. Which source each piece came from decides nothing then.
    `announced` are digests that answers gave of the whole of this version.
    """

    url_key: str
    size: int | None
    validator: Validator
    encoding: str | None = None
    proof: Proof = "validator"
    checksums: tuple[str, ...] = ()
    resource: str | None = None
    announced: tuple[Announced, ...] = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes that were written: their place and their hash."""

    range: ByteRange
    hash: str


@dataclass(frozen=True, slots=True)
class Journal:
    """All that a journal says. `finished` is the file's sha256 once it was whole and verified, just before it got its name.

    The first `sound` bytes hold. What follows in a `torn` one has to be cut off before more is appended, or it would be lost with it.
    """

    header: Header
    pieces: tuple[Piece, ...]
    finished: str | None = None
    torn: bool = False
    sound: int = 0


class PieceHasher:
    """Hashes the bytes of one piece as they are written, from `start` on."""

    __slots__ = ("_hash", "length", "start")

    def __init__(self, start: int) -> None:
        self.start = start
        self.length = 0
        self._hash = xxhash.xxh3_128()

    def update(self, data: bytes | memoryview) -> None:
        """Take in the next bytes."""
        self._hash.update(data)
        self.length += len(data)

    @property
    def end(self) -> int:
        """Where the bytes that were taken in end."""
        return self.start + self.length

    @property
    def room(self) -> int:
        """Bytes until the piece is full."""
        return PIECE_SIZE - self.length

    def piece(self) -> Piece:
        """The piece so far."""
        return Piece(ByteRange(self.start, self.start + self.length), self._hash.hexdigest())


def described(begun: Header, told: Header) -> Header:
    """What a journal that is begun says from now on, where this is told of its file.

    Its pieces may wait for a checksum from now on. A size that no answer had told yet is taken where it is told of the same version.
    """
    if told.proof == "checksum":
        begun = replace(begun, proof=told.proof, checksums=told.checksums)
    if begun.size is None and (told.url_key, told.validator) == (begun.url_key, begun.validator):
        begun = replace(begun, size=told.size)
    return begun


def encode_header(header: Header) -> bytes:
    """The first line of a journal; a later one tells what has become known since (`described`)."""
    record: dict[str, Any] = {
        "marscore_journal": FORMAT,
        "url": header.url_key,
        "size": header.size,
        "etag": header.validator.etag,
        "last_modified": header.validator.last_modified,
        "date": header.validator.date,
        "encoding": header.encoding,
        "proof": header.proof,
        "checksums": header.checksums,
        "resource": header.resource,
    }
    if header.announced:
        record["announced"] = [(each.field, each.checksum.algorithm, each.checksum.hex) for each in header.announced]
    return _line(record)


def encode_piece(piece: Piece) -> bytes:
    """The line for a piece."""
    return _line([piece.range.start, piece.range.end, piece.hash])


def encode_finished(sha256: str) -> bytes:
    """The line that says: the file is whole and verified, and is about to get its name."""
    return _line({"finished": sha256})


def decode(data: bytes) -> Journal | None:
    """Read a journal as far as it holds; None where not even the header does. Never raises, whatever the bytes are.

    A piece that goes beyond the size that the header tells is one that does not hold.
    """
    header: Header | None = None
    pieces: list[Piece] = []
    finished: str | None = None
    sound = 0
    for line in _lines(data):
        record = _record(line)
        if header is None:
            header = _header(record)
            if header is None:
                return None
        elif (piece := _piece(record)) and _fits(piece, header):
            pieces.append(piece)
        elif isinstance(record, dict) and isinstance(record.get("finished"), str):
            finished = record["finished"]
        elif later := _header(record):
            header = described(header, later)
        else:
            break
        sound += len(line)
    if header is None:
        return None
    # The size may have become known after the first pieces.
    held = tuple(piece for piece in pieces if _fits(piece, header))
    return Journal(header, held, finished, sound < len(data), sound)


def _fits(piece: Piece, header: Header) -> bool:
    return header.size is None or piece.range.end <= header.size


def _line(record: Any) -> bytes:
    body = json.dumps(record, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def _lines(data: bytes) -> Iterator[bytes]:
    # Not splitlines(), which takes a lone carriage return for an end of line too.
    start = 0
    while start < len(data):
        end = data.find(b"\n", start) + 1 or len(data)
        yield data[start:end]
        start = end


def _record(line: bytes) -> Any:
    """What a line says; None where it does not hold."""
    body = line[9:-1]
    if line[-1:] != b"\n" or line[:9] != b"%08x " % zlib.crc32(body):
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _header(record: Any) -> Header | None:
    if not isinstance(record, dict) or record.get("marscore_journal") != FORMAT:
        return None
    values: tuple[Any, ...] = tuple(map(record.get, ("url", "size", "encoding", "proof")))
    url, size, encoding, proof = values
    told = [record.get(name) for name in ("etag", "last_modified", "date")]
    checksums = record.get("checksums", [])
    resource = record.get("resource")
    sound = (size is None or _is_count(size)) and isinstance(url, str) and proof in get_args(Proof)
    if not sound or not all(text is None or isinstance(text, str) for text in (*told, encoding, resource)):
        return None
    if not isinstance(checksums, list) or not all(isinstance(text, str) for text in checksums):
        return None
    return Header(url, size, Validator(*told), encoding, proof, tuple(checksums), resource, _announced(record.get("announced")))


def _announced(told: object) -> tuple[Announced, ...]:
    """The digests that a header names, as far as they can be computed."""
    return tuple(each for entry in told if (each := _one_announced(entry))) if isinstance(told, list) else ()


def _one_announced(entry: object) -> Announced | None:
    match entry:
        case [str(field), str(algorithm), str(digest)] if algorithm in ANNOUNCED_BYTES:
            return Announced(field, Checksum(algorithm, digest))
        case _:
            return None


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST


def _piece(record: Any) -> Piece | None:
    match record:
        case [start, end, str(digest)] if _is_count(start) and _is_count(end) and start < end:
            return Piece(ByteRange(start, end), digest)
        case _:
            return None
