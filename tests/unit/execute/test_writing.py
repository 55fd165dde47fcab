"""What a worker writes where: bytes stay within their segment, pieces are recorded, and a file is let go of whatever happens."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marscore.errors import StorageError
from marscore.execute.transfer.protocol import Moment
from marscore.execute.worker.writing import OpenFile, Writer, reopen
from marscore.journal import PIECE_SIZE, Header, PieceHasher, decode
from marscore.state import AS_MADE, Attributes, Content, FileIdentity
from marscore.validator import Validator
from marscore.values import Announced, ByteRange, Failure, Timeouts, merge_ranges, parse_checksum
from tests.fakes.files import MemoryFolder, MemoryPartial
from tests.fakes.transport import FakeTransport
from tests.long import examples
from tests.unit.execute.working import outcomes, wanted

SMALL = "http://origin.example/small.bin"


class Noting(MemoryFolder):
    """Notes what is stored at once."""

    def __init__(self) -> None:
        super().__init__()
        self.stored: list[str] = []

    def store(self, path: str, content: Content, attributes: Attributes = AS_MADE) -> FileIdentity:
        self.stored.append(path)
        return super().store(path, content, attributes)


@pytest.mark.parametrize(
    ("body", "max_rate", "timeouts", "at_once"),
    [
        (b"small", None, Timeouts(), True),
        (b"s" * 65_536, None, Timeouts(), True),
        (b"s" * 65_537, None, Timeouts(), False),
        (b"s" * 100_000, None, Timeouts(), False),
        (b"small", 1_000_000, Timeouts(), False),
        (b"small", None, Timeouts(total=60.0), False),
    ],
    ids=["small", "as large as that", "larger", "of more digits", "a rate limit", "a total time"],
)
def test_a_small_file_is_taken_at_once_where_nothing_has_to_be_minded(
    body: bytes, max_rate: int | None, timeouts: Timeouts, at_once: bool
) -> None:
    folder = Noting()
    outcomes([wanted(0, SMALL, "small.bin", timeouts=timeouts)], FakeTransport({SMALL: body}), folder, max_rate=max_rate)
    assert folder.files["small.bin"].content == body
    assert folder.stored == (["small.bin"] if at_once else [])


@given(st.integers(0, 3 * PIECE_SIZE), st.lists(st.integers(0, 3 * PIECE_SIZE // 2), max_size=8))
@settings(deadline=None, max_examples=examples(60))
def test_chunks_of_any_size_are_written_where_they_belong_and_recorded_by_the_piece(start: int, sizes: list[int]) -> None:
    folder = MemoryFolder()
    partial = folder.create("file")
    chunks = [bytes([number + 1]) * size for number, size in enumerate(sizes)]
    writer = Writer(partial, start)
    writer.header = Header("source", None, Validator('"v1"'))
    written = 0
    for chunk in chunks:
        written += writer.write([chunk[: len(chunk) // 3], b"", chunk[len(chunk) // 3 :]])
    writer.record()
    body = b"".join(chunks)
    assert written == len(body)
    assert folder.parts["file"][start:] == body
    journal = decode(bytes(folder.journals.get("file", b"")))
    pieces = journal.pieces if journal else ()
    assert merge_ranges(piece.range for piece in pieces) == ((ByteRange(start, start + len(body)),) if body else ())
    assert {len(piece.range) for piece in pieces[:-1]} <= {PIECE_SIZE}
    for piece in pieces:
        hasher = PieceHasher(piece.range.start)
        hasher.update(body[piece.range.start - start : piece.range.end - start])
        assert hasher.piece() == piece


@pytest.mark.parametrize(("keep", "recorded"), [(True, True), (True, False), (False, True)])
def test_a_file_that_is_let_go_of_is_closed_and_not_opened_again(keep: bool, recorded: bool) -> None:
    folder = MemoryFolder()
    file = OpenFile(folder, "file")
    partial = file.of(0)
    assert partial is file.of(0)
    assert partial is not None
    if recorded:
        partial.describe(Header("source", None, Validator('"v1"')))
        partial.record(PieceHasher(0).piece())
    assert file.release(keep) is None
    assert ("file" in folder.parts) is (keep and recorded), "without a record nobody goes on with it"
    partial.write(0, b"too late")
    assert folder.parts.get("file", b"") == b""
    assert file.of(0) is None
    assert file.of(1) is None
    assert file.release(keep) is None


def test_a_new_epoch_begins_an_empty_file_and_the_old_one_gets_none() -> None:
    folder = MemoryFolder()
    file = OpenFile(folder, "file")
    old = file.of(0)
    assert old is not None
    old.write(0, b"old")
    new = file.of(1)
    assert new is not None
    assert file.of(0) is None
    assert file.of(1) is new
    old.write(0, b"later")
    assert folder.parts["file"] == b""


def test_what_stands_in_the_way_of_letting_go_is_told_and_no_more() -> None:
    for error, failure in (
        (StorageError(Failure("permission", "cannot remove a partial file")), Failure("permission", "cannot remove a partial file")),
        (RuntimeError("a defect"), Failure("internal", "RuntimeError: a defect")),
    ):

        class Stuck(MemoryPartial):
            def discard(self) -> None:
                raise error  # noqa: B023 - called here

        class Folder(MemoryFolder):
            def create(self, path: str) -> MemoryPartial:
                super().create(path)
                return Stuck(self, path, self.parts[path])

        file = OpenFile(Folder(), "file")
        assert file.of(0) is not None
        assert file.release(keep=False) == failure


def test_all_that_a_journal_says_of_the_file_is_told_on_reopening() -> None:
    folder = MemoryFolder()
    partial = folder.create("file")
    announced = (Announced("Repr-Digest", parse_checksum(f"sha256:{'0' * 64}")),)
    header = Header("source", 9, Validator('"v1"'), "gzip", "checksum", ("sum",), "resource", announced)
    writer = Writer(partial, 0)
    writer.header = header
    writer.write([b"123"])
    writer.record()
    partial.close()
    _, opened = reopen(folder, "file", lambda: Moment(0.0, 0.0, 0.0))
    assert opened.proven == (ByteRange(0, 3),)
    told = (opened.size, opened.validator, opened.encoding, opened.url_key, opened.proof, opened.checksums, opened.resource)
    assert told == (9, Validator('"v1"'), "gzip", "source", "checksum", ("sum",), "resource")
    assert opened.announced == announced


def test_a_journal_is_described_with_the_first_piece_and_no_other() -> None:
    described: list[Header] = []

    class Counting(MemoryPartial):
        def describe(self, header: Header) -> None:
            described.append(header)
            super().describe(header)

    writer = Writer(Counting(MemoryFolder(), "file", bytearray()), 0)
    writer.header = Header("source", None, Validator('"v1"'))
    for count in (1, 0, 2):
        writer.write([bytes(count)])
        writer.record()
    assert described == [writer.header]
    assert writer.recorded
