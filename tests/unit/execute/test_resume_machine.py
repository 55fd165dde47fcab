"""Writes, deaths, and damage in any order: what a later run believes is true, and what was not damaged is believed."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from marscore.adapters.files.folder import Folder
from marscore.execute.transfer.protocol import Moment, Opened
from marscore.execute.worker.writing import OpenFile, reopen
from marscore.journal import Header, Piece, PieceHasher
from marscore.ports import Partial
from marscore.state import key_of
from marscore.validator import Validator
from marscore.values import OWN_FOLDER, ByteRange
from tests.long import examples

PATH = "file.bin"
SOURCE = bytes((i * 37 + i // 7) % 251 + 1 for i in range(60))
SHA = hashlib.sha256(SOURCE).hexdigest()
HEADER = Header("source", len(SOURCE), Validator('"v1"'))
places = st.integers(0, len(SOURCE) - 1)
spans = st.tuples(places, st.integers(1, 20)).map(lambda p: ByteRange(p[0], min(p[0] + p[1], len(SOURCE))))


def piece_of(span: ByteRange) -> Piece:
    hasher = PieceHasher(span.start)
    hasher.update(SOURCE[span.start : span.end])
    return hasher.piece()


class ResumedFile(RuleBasedStateMachine):
    """One file over many runs.

    `lines` is what the journal holds, each piece with the byte at which its line ends; `finished` is where each line
    ends that says so. `placed` is what the file holds that has its name.
    """

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        root = Path(self.folder.name)
        self.part = root / OWN_FOLDER / "partial" / f"{key_of(PATH)}.part"
        self.journal = self.part.with_suffix(".journal")
        self.target = root / PATH
        self.lines: list[tuple[ByteRange, int]] = []
        self.finished: list[int] = []
        self.flipped: set[tuple[int, int]] = set()
        self.placed: bytes | None = None
        self.dead: list[Partial] = []
        self.stale: list[Partial] = []
        self.partial: Partial | None = None
        self.file = OpenFile(Folder(root), PATH)
        self.epoch = 0

    def teardown(self) -> None:
        for partial in [*self.dead, *([self.partial] if self.partial else [])]:
            partial.close()
        self.folder.cleanup()

    @initialize()
    def first_run(self) -> None:
        assert reopen(Folder(self.target.parent), PATH, lambda: Moment(0, 0)) == (None, Opened(Moment(0, 0)))
        self.begin()

    # A run at work

    @precondition(lambda self: self.partial)
    @rule(span=spans)
    def write(self, span: ByteRange) -> None:
        assert self.partial
        self.partial.write(span.start, SOURCE[span.start : span.end])

    @precondition(lambda self: self.partial)
    @rule(span=spans)
    def write_and_record(self, span: ByteRange) -> None:
        assert self.partial
        self.write(span)
        self.partial.describe(HEADER)
        self.partial.record(piece_of(span))
        self.lines.append((span, self.journal.stat().st_size))

    @precondition(lambda self: self.partial)
    @rule()
    def begin_a_new_epoch(self) -> None:
        assert self.partial
        self.stale.append(self.partial)
        self.epoch += 1
        self.begin()

    @precondition(lambda self: self.stale)
    @rule(span=spans)
    def a_thread_of_an_older_epoch_goes_on(self, span: ByteRange) -> None:
        self.stale[-1].write(span.start, bytes(len(span)))
        self.stale[-1].record(piece_of(span))

    # Its end

    @precondition(lambda self: self.partial)
    @rule()
    def kill(self) -> None:
        assert self.partial
        self.dead.append(self.partial)
        self.partial = None
        self.stale.clear()

    @precondition(lambda self: self.partial)
    @rule()
    def stop(self) -> None:
        self.file.release(keep=True)
        self.kill()

    @precondition(lambda self: self.partial)
    @rule()
    def finish_and_die_before_the_claim(self) -> None:
        assert self.partial
        self.write_and_record(ByteRange(0, len(SOURCE)))
        self.partial.finish(PATH, len(SOURCE), {"sha256": SHA})
        self.finished.append(self.journal.stat().st_size)
        self.placed = SOURCE
        self.kill()

    # What may befall a file that nobody has open

    @precondition(lambda self: self.partial is None and self.content())
    @rule(place=places, value=st.integers(0, 255))
    def flip_a_byte_of_the_file(self, place: int, value: int) -> None:
        content = self.content()
        self.store(content[: place % len(content)] + bytes([value]) + content[place % len(content) + 1 :])

    @precondition(lambda self: self.partial is None and self.content())
    @rule(span=spans)
    def lose_pages_of_the_file(self, span: ByteRange) -> None:
        content = self.content()
        self.store((content[: span.start] + bytes(len(span)) + content[span.end :])[: len(content)])

    @precondition(lambda self: self.partial is None and self.content())
    @rule(place=places)
    def cut_the_file(self, place: int) -> None:
        self.store(self.content()[:place])

    @precondition(lambda self: self.partial is None and self.journal.exists())
    @rule(data=st.data())
    def cut_the_journal(self, data: st.DataObject) -> None:
        before = self.journal.read_bytes()
        length = data.draw(st.integers(0, len(before)), "length")
        self.journal.write_bytes(before[:length])
        self.believe_the_journal_up_to(length)

    @precondition(lambda self: self.partial is None and self.journal.exists() and self.journal.stat().st_size)
    @rule(data=st.data(), bit=st.integers(0, 7))
    def flip_a_bit_of_the_journal(self, data: st.DataObject, bit: int) -> None:
        content = bytearray(self.journal.read_bytes())
        place = data.draw(st.integers(0, len(content) - 1), "place")
        if (place, bit) in self.flipped:
            # That would mend what was damaged.
            return
        self.flipped.add((place, bit))
        content[place] ^= 1 << bit
        self.journal.write_bytes(content)
        self.believe_the_journal_up_to(place)

    @precondition(lambda self: self.partial is None and self.journal.exists())
    @rule(garbage=st.binary(min_size=1, max_size=20))
    def append_garbage_to_the_journal(self, garbage: bytes) -> None:
        with self.journal.open("ab") as stream:
            stream.write(garbage)

    @precondition(lambda self: self.partial is None and self.part.exists())
    @rule()
    def remove_the_part(self) -> None:
        self.part.unlink()

    # The next run

    @precondition(lambda self: self.partial is None)
    @rule()
    def run_again(self) -> None:
        folder = Folder(self.target.parent)
        self.epoch = 0
        if self.finished and self.placed is not None and not self.part.exists():
            journal = folder.finished(PATH)
            assert journal is not None, "of a file in place that nobody claimed, its journal says what it was"
            assert journal.finished == SHA
        partial, opened = reopen(folder, PATH, lambda: Moment(0, 0))
        self.file = OpenFile(folder, PATH, partial)
        content = self.part.read_bytes() if self.part.exists() else b""
        believed = {i for span in opened.proven for i in range(span.start, span.end)}
        assert all(content[i : i + 1] == SOURCE[i : i + 1] for i in believed), "a resumed byte is a proven byte"
        if self.part.exists():
            sound = [span for span, _ in self.lines if content[span.start : span.end] == SOURCE[span.start : span.end]]
            assert believed == {i for span in sound for i in range(span.start, span.end)}, "what is not damaged is believed"
            damaged = [span for span, _ in self.lines if span not in sound]
            assert (opened.pieces, opened.damaged) == (len(sound), sum(map(len, damaged)))
        if opened.url_key is None:
            self.begin()
        else:
            assert Header(opened.url_key, opened.size, opened.validator, opened.encoding) == HEADER
            self.partial = self.file.of(0)

    @invariant()
    def the_file_that_has_its_name_is_touched_by_nobody(self) -> None:
        assert (self.target.read_bytes() if self.target.exists() else None) == self.placed

    def begin(self) -> None:
        """Take the partial file of the epoch, which is new."""
        self.partial = self.file.of(self.epoch)
        self.lines = []
        self.finished = []

    def believe_the_journal_up_to(self, place: int) -> None:
        self.lines = [(span, end) for span, end in self.lines if end <= place]
        self.finished = [end for end in self.finished if end <= place]

    def content(self) -> bytes:
        return next((path.read_bytes() for path in (self.part, self.target) if path.exists()), b"")

    def store(self, content: bytes) -> None:
        if self.part.exists():
            self.part.write_bytes(content)
        else:
            self.target.write_bytes(content)
            self.placed = content


ResumedFile.TestCase.settings = settings(max_examples=examples(100), stateful_step_count=20, deadline=None)
TestResumedFile = ResumedFile.TestCase
