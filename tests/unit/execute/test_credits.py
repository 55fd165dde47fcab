"""Who brought which bytes: every byte of a whole file is somebody's, or nobody's, and never two's."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from marscore.execute.transfer.credits import UNKNOWN, Credits, bytes_in, without
from marscore.values import ByteRange, merge_ranges

SIZE = 40
RANGES = st.tuples(st.integers(0, SIZE), st.integers(0, SIZE)).map(lambda ends: ByteRange(*sorted(ends)))
SETS = st.lists(RANGES, max_size=6).map(merge_ranges)


def numbers(ranges: tuple[ByteRange, ...]) -> set[int]:
    return {at for piece in ranges for at in range(piece.start, piece.end)}


@given(SETS, SETS)
def test_what_is_taken_out_is_gone_and_the_rest_stays_in_order(had: tuple[ByteRange, ...], taken: tuple[ByteRange, ...]) -> None:
    left = without(had, taken)
    assert numbers(left) == numbers(had) - numbers(taken)
    assert left == tuple(sorted(left))
    assert bytes_in(left) == len(numbers(left))


@given(st.lists(st.tuples(st.sampled_from(["a", "b", UNKNOWN]), SETS), max_size=12), SETS)
def test_each_byte_is_of_whoever_wrote_it_last(given_: list[tuple[str, tuple[ByteRange, ...]]], doubtful: tuple[ByteRange, ...]) -> None:
    credits, owners = Credits(), dict.fromkeys(range(SIZE), UNKNOWN)
    for who, ranges in given_:
        credits.give(who, ranges)
        owners.update(dict.fromkeys(numbers(ranges), who))
    for piece in doubtful:
        credits.doubt(piece)
    owners.update(dict.fromkeys(numbers(doubtful), UNKNOWN))
    shares = credits.shares(SIZE)
    assert {at: who for who, ranges in shares.items() for at in numbers(ranges)} == owners
    assert all(shares.values())
