"""Of millions of paths no more is kept than a hash, and what is taken is told as it is where they all are known by name."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from marscore.resolve.paths import Outputs
from marscore.resolve.taken import HashedOutputs, HashSet

_PARTS = st.sampled_from(["a", "A", "b", "ä", "a\u0308", "c.bin"])
_PATHS = st.lists(_PARTS, min_size=1, max_size=4).map("/".join)


@given(st.lists(_PATHS, max_size=40))
def test_what_is_taken_by_name_is_taken_by_hash(paths: list[str]) -> None:
    by_name, by_hash = Outputs(), HashedOutputs({})
    for number, path in enumerate(paths):
        wanted, found = by_name.claim(path, f"downloads[{number}]"), by_hash.claim(path, f"downloads[{number}]")
        assert (wanted is None) == (found is None), path
        if wanted and found:
            assert found.message == wanted.message.replace(wanted.owner, "another download")


def test_a_path_that_something_else_is_written_to_is_taken() -> None:
    taken = HashedOutputs({"logs/Run.log": "what --log-file names"}).claim("logs/run.LOG", "downloads[0][1]")
    assert taken is not None
    assert taken.message == "the same file as what --log-file names"


def test_a_set_of_numbers_holds_what_was_added_however_large_it_grows() -> None:
    numbers = HashSet()
    mixed = [(number * 0x9E3779B97F4A7C15) % (1 << 64) - (1 << 63) or 1 for number in range(1, 60_000)]
    assert len({number | 1 for number in mixed}) == len(mixed), "none is another's pair"
    assert not any(map(numbers.add, mixed))
    assert list(map(numbers.add, mixed[::7])) == mixed[::7]
    assert list(map(numbers.find, mixed)) == mixed
    assert [numbers.add(number ^ 1) for number in mixed] == mixed, "of a pair it holds one"
    others = {number ^ (1 << 40) | 1 for number in mixed} - {number | 1 for number in mixed}
    assert others, "numbers that were not added"
    assert not any(map(numbers.find, others))
