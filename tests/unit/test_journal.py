"""The resume record: what is read back is what was written, and nothing that a crash or a bad disk did is ever taken for it."""

from __future__ import annotations

import zlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marscore.journal import (
    PIECE_SIZE,
    Header,
    Journal,
    Piece,
    PieceHasher,
    decode,
    encode_finished,
    encode_header,
    encode_piece,
)
from marscore.validator import Validator
from marscore.values import ByteRange
from tests.long import examples

often = settings(max_examples=examples(100), deadline=None)

words = st.none() | st.text(st.characters(codec="utf-8"), max_size=20)
counts = st.integers(0, 2**63 - 1)
headers = st.builds(
    Header,
    url_key=st.text(alphabet="0123456789abcdef", min_size=1, max_size=32),
    size=st.none() | counts,
    validator=st.builds(Validator, words, words, words),
    encoding=words,
    proof=st.sampled_from(["validator", "checksum"]),
    checksums=st.lists(st.text(alphabet="0123456789abcdef", min_size=1), max_size=3).map(tuple),
)
ranges = st.tuples(counts, counts).filter(lambda p: p[0] != p[1]).map(lambda p: ByteRange(*sorted(p)))
pieces = st.lists(st.builds(Piece, ranges, st.text(alphabet="0123456789abcdef", min_size=32, max_size=32)), max_size=6)

HEADER = Header("ab" * 16, 300, Validator('"v1"', "Mon, 01 Jan 2024 00:00:00 GMT"))
PIECES = tuple(Piece(ByteRange(100 * i, 100 * (i + 1)), f"{i:032x}") for i in range(3))
LINES = [encode_header(HEADER), *map(encode_piece, PIECES), encode_finished("f" * 64)]
WHOLE = b"".join(LINES)


def line(body: bytes) -> bytes:
    return b"%08x %s\n" % (zlib.crc32(body), body)


@often
@given(header=headers, written=pieces, finished=st.none() | st.text(alphabet="0123456789abcdef", min_size=64, max_size=64))
def test_what_was_written_is_read_back(header: Header, written: list[Piece], finished: str | None) -> None:
    written = [piece for piece in written if header.size is None or piece.range.end <= header.size]
    data = encode_header(header) + b"".join(map(encode_piece, written)) + (encode_finished(finished) if finished else b"")
    assert decode(data) == Journal(header, tuple(written), finished, torn=False, sound=len(data))


def test_a_journal_torn_at_any_byte_holds_exactly_its_whole_lines() -> None:
    ends = [sum(map(len, LINES[: i + 1])) for i in range(len(LINES))]
    for length in range(len(WHOLE) + 1):
        whole_lines = sum(end <= length for end in ends)
        finished = "f" * 64 if whole_lines == len(LINES) else None
        left = Journal(HEADER, PIECES[: whole_lines - 1], finished, torn=length not in ends, sound=ends[whole_lines - 1])
        assert decode(WHOLE[:length]) == (left if whole_lines else None), f"torn behind {length} bytes"


@often
@given(position=st.integers(0, len(WHOLE) - 1), bit=st.integers(0, 7))
def test_a_flipped_bit_ends_the_journal_before_its_line(position: int, bit: int) -> None:
    damaged = bytearray(WHOLE)
    damaged[position] ^= 1 << bit
    journal = decode(bytes(damaged))
    before = next(i for i in range(len(LINES)) if position < sum(map(len, LINES[: i + 1])))
    if before == 0:
        assert journal is None
    else:
        assert journal is not None
        assert journal.torn
        assert journal.pieces == PIECES[: before - 1]
        assert journal.finished is None


@often
@given(data=st.binary(max_size=300))
def test_garbage_is_no_journal(data: bytes) -> None:
    assert decode(data) is None


@often
@given(data=st.binary(max_size=60))
def test_garbage_behind_a_journal_changes_nothing_of_it(data: bytes) -> None:
    journal = decode(WHOLE + data)
    assert journal is not None
    assert (journal.header, journal.pieces, journal.finished, journal.torn) == (HEADER, PIECES, "f" * 64, bool(data))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"[1]",
        b"[5,5,'x']",
        b'[5,5,"x"]',
        b'[9,5,"x"]',
        b'[-1,5,"x"]',
        b"[0,5,7]",
        b'[0.5,5,"x"]',
        b'["0","5","x"]',
        b'[false,true,"x"]',
        b'[0,1000000000000000000000000000000,"x"]',
        b'[0,5,"x","y"]',
        b'{"finished":7}',
        b'{"finished":null}',
        b"[" * 100_000,
        b"9" * 5_000,
        b"\xff\xfe\x00",
        b"NaN",
    ],
    ids=lambda body: repr(body[:30]).replace("\\", "/").replace("\\", "/"),
)
def test_a_line_that_makes_no_sense_ends_the_journal_though_its_sum_is_right(body: bytes) -> None:
    journal = decode(LINES[0] + LINES[1] + line(body) + LINES[2])
    assert journal is not None
    assert journal.torn
    assert journal.pieces == PIECES[:1]
    assert journal.sound == len(LINES[0] + LINES[1])


@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b'[0,5,"x"]',
        b'{"marscore_journal":3,"url":"a","size":1,"proof":"validator"}',
        # Of the format before, which told neither what its date was worth nor what was to prove it.
        b'{"marscore_journal":1,"url":"a","size":1,"etag":"\\"v1\\"","last_modified":null,"encoding":null}',
        b'{"marscore_journal":2,"url":"a","size":1}',
        b'{"marscore_journal":2,"url":"a","size":1,"proof":"hope"}',
        b'{"marscore_journal":2,"url":"a","size":1,"proof":["checksum"]}',
        b'{"marscore_journal":2,"size":1,"proof":"validator"}',
        b'{"marscore_journal":2,"url":7,"size":1,"proof":"validator"}',
        b'{"marscore_journal":2,"url":"a","size":-1,"proof":"validator"}',
        b'{"marscore_journal":2,"url":"a","size":true,"proof":"validator"}',
        b'{"marscore_journal":2,"url":"a","size":"1","proof":"validator"}',
        b'{"marscore_journal":2,"url":"a","size":1e3,"proof":"validator"}',
        b'{"marscore_journal":2,"url":"a","size":1,"etag":5,"proof":"validator"}',
        b'{"marscore_journal":2,"url":"a","size":1,"date":5,"proof":"validator"}',
        b'{"marscore_journal":2,"url":"a","size":1000000000000000000000,"proof":"validator"}',
    ],
)
def test_a_header_that_makes_no_sense_is_no_journal(body: bytes) -> None:
    assert decode(line(body) + LINES[1]) is None


def test_a_header_needs_no_more_than_that() -> None:
    body = b'{"marscore_journal":2,"url":"a","size":1,"proof":"validator"}'
    assert decode(line(body)) == Journal(Header("a", 1, Validator()), (), sound=len(line(body)))


def test_pieces_behind_a_damaged_line_are_not_used() -> None:
    journal = decode(LINES[0] + LINES[1] + b'00000000 [100,200,"x"]\n' + LINES[3])
    assert journal is not None
    assert journal.pieces == PIECES[:1]
    assert journal.torn


@often
@given(parts=st.lists(st.binary(max_size=40), max_size=6), start=counts.filter(lambda n: n < 2**62))
def test_a_piece_is_the_same_however_its_bytes_came(parts: list[bytes], start: int) -> None:
    dripping, at_once = PieceHasher(start), PieceHasher(start)
    for part in parts:
        dripping.update(part)
    at_once.update(memoryview(b"".join(parts)))
    assert dripping.piece() == at_once.piece()
    assert dripping.piece().range == ByteRange(start, start + sum(map(len, parts)))
    assert dripping.room == PIECE_SIZE - sum(map(len, parts))


def test_the_hash_of_a_piece_tells_one_content_from_another() -> None:
    one, other = PieceHasher(0), PieceHasher(0)
    one.update(b"content")
    other.update(b"c0ntent")
    assert one.piece().hash != other.piece().hash


def test_a_piece_beyond_the_size_ends_the_journal_before_its_line() -> None:
    for size, held in ((300, 3), (299, 2), (100, 1), (0, 0), (None, 3)):
        data = encode_header(replace(HEADER, size=size)) + b"".join(map(encode_piece, PIECES))
        journal = decode(data)
        assert journal is not None
        assert (len(journal.pieces), journal.torn) == (held, held < 3), size
