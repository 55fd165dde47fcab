"""The digest of a file that is hashed while it is written is that of the file, in whatever order its bytes come; or there is none."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from marscore.adapters.files.folder import Folder
from marscore.adapters.files.hashing import STEP, FrontDigest
from tests.long import examples

PIECES = 6
CONTENT = b"".join(bytes([n]) * STEP for n in range(1, PIECES + 1)) + b"the end"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
ORDERS = {
    "in order": range(PIECES + 1),
    "backwards": range(PIECES, -1, -1),
    "two ends": (0, 3, 1, 4, 2, 5, 6),
}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
@pytest.mark.parametrize("portable", [False, True])
def test_chunks_are_hashed_as_they_were_written_in_whatever_order(tmp_path: Path, order: range, portable: bool) -> None:
    partial = Folder(tmp_path, portable).create("file")
    partial.follow(["sha256"], ())
    for number in order:
        data = memoryview(CONTENT[number * STEP : (number + 1) * STEP])
        # More chunks than the system takes in one call.
        partial.write(number * STEP, *(data[at : at + 500] for at in range(0, len(data), 500)))
    assert partial.digests(len(CONTENT), ["sha256"]) == {"sha256": SHA256}
    assert partial.read(0, len(CONTENT)) == CONTENT
    partial.discard()


def test_what_is_written_after_the_end_goes_nowhere(tmp_path: Path) -> None:
    partial = Folder(tmp_path).create("file")
    partial.follow(["sha256"], ())
    partial.close()
    partial.write(0, bytes(STEP))
    assert partial.digests(0, ["sha256"])


class Bytes:
    """A file in memory that is followed."""

    def __init__(self, size: int) -> None:
        self.content = bytearray(size)
        self.was_read = threading.Event()
        self.follower = FrontDigest(self._read_into, ["sha256"])

    def _read_into(self, buffer: memoryview, offset: int) -> int:
        count = len(self.content[offset : offset + len(buffer)])
        buffer[:count] = self.content[offset : offset + count]
        self.was_read.set()
        return count

    def write(self, start: int, end: int, value: int) -> None:
        self.content[start:end] = bytes([value]) * (end - start)
        self.follower.wrote(start, end - start)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


# In the place of all that was hashed, of its first byte and of its last.
@pytest.mark.parametrize("again", [(0, STEP), (0, 1), (STEP - 1, STEP)])
def test_bytes_that_are_written_again_after_they_were_hashed_spoil_the_digest(again: tuple[int, int]) -> None:
    followed = Bytes(2 * STEP)
    followed.write(0, STEP, 1)
    assert followed.was_read.wait(20), "a step is hashed as soon as it is there"
    followed.write(*again, 2)
    followed.write(STEP, 2 * STEP, 1)
    assert followed.follower.digests(2 * STEP) is None


def test_a_file_that_is_written_over_is_hashed_as_it_is(tmp_path: Path) -> None:
    partial = Folder(tmp_path).create("file")
    partial.follow(["sha256"], ())
    partial.write(0, CONTENT[:STEP])
    partial.write(0, b"other")
    assert partial.digests(STEP, ["sha256"]) == {"sha256": hashlib.sha256(b"other" + CONTENT[5:STEP]).hexdigest()}
    partial.discard()


SIZE = 8
SPANS = st.tuples(st.integers(0, SIZE), st.integers(0, SIZE)).map(lambda ends: (min(ends), max(ends)))


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(SPANS, max_size=12))
# Two ranges that end at one place; the bytes behind them come, then those before them.
@example([(4, 8), (6, 8), (0, 4)])
@example([(2, 4), (3, 4), (4, 6), (0, 2), (6, 8)])
@example([(2, 4), (2, 6), (0, 2), (6, 8)])
def test_whatever_is_written_over_what_the_digest_is_that_of_the_file_or_none(spans: list[tuple[int, int]]) -> None:
    followed = Bytes(SIZE)
    for value, span in enumerate(spans, 1):
        followed.write(*span, value)
    found = followed.follower.digests(SIZE)
    followed.follower.stop()
    covered = {place for span in spans for place in range(*span)}
    if sum(end - start for start, end in spans) == len(covered) == SIZE:
        assert found == {"sha256": followed.sha256}, "what came once, in whatever order, need not be read again"
    else:
        assert found in (None, {"sha256": followed.sha256})
