"""What every StateStore does: the SQLite database and the fake in memory."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marscore.adapters.state.store import SqliteState, claims_at
from marscore.ports import StateStore
from marscore.state import Claim, FileIdentity, key_of, row_of
from marscore.validator import Validator
from tests.fakes.state import MemoryState

SHA = "sha256:" + "a" * 64


@pytest.fixture(params=["sqlite", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StateStore]:
    if request.param == "memory":
        yield MemoryState()
        return
    with contextlib.closing(SqliteState(tmp_path / ".marscore" / "state.db")) as state:
        yield state


def claim(path: str, size: int = 7, etag: str | None = '"v1"', durable: bool = False) -> Claim:
    return Claim(
        key_of(path), key_of("url"), FileIdentity(size, 1_700_000_000_123_456_789, 42), (SHA, "md5:" + "b" * 32), Validator(etag), durable
    )


def test_a_new_store_knows_nothing(store: StateStore) -> None:
    assert store.claims() == {}


def test_claims_are_read_back_by_the_key_of_their_path(store: StateStore) -> None:
    store.record(map(row_of, [claim("a"), claim("b", etag=None)]))
    store.record(map(row_of, [claim("c", durable=True)]))
    assert store.claims() == {key_of("a"): claim("a"), key_of("b"): claim("b", etag=None), key_of("c"): claim("c", durable=True)}


def test_a_later_claim_replaces_an_earlier_one(store: StateStore) -> None:
    store.record(map(row_of, [claim("a", size=1), claim("b")]))
    store.record(map(row_of, [claim("a", size=2), claim("a", size=3, durable=True)]))
    assert store.claims() == {key_of("a"): claim("a", size=3, durable=True), key_of("b"): claim("b")}


def test_claims_of_flushed_files_are_durable_and_others_stay_as_they_are(store: StateStore) -> None:
    store.record(map(row_of, [claim("a"), claim("b"), claim("c", durable=True)]))
    store.flushed([key_of("a"), key_of("unknown")])
    store.flushed([])
    assert store.claims() == {key_of("a"): claim("a", durable=True), key_of("b"): claim("b"), key_of("c"): claim("c", durable=True)}


def test_nothing_may_be_recorded_and_an_iterator_may(store: StateStore) -> None:
    store.record(map(row_of, []))
    store.record(row_of(claim(path)) for path in "ab")
    assert len(store.claims()) == 2


def test_what_is_read_does_not_change_with_the_store(store: StateStore) -> None:
    store.record(map(row_of, [claim("a")]))
    before = store.claims()
    store.record(map(row_of, [claim("b")]))
    assert set(before) == {key_of("a")}


numbers = st.integers(0, 2**63 - 1)
field_values = st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
# What `key_of` makes, and what a damaged row or a hand may put there.
any_key = st.text(alphabet="0123456789abcdef", min_size=32, max_size=32)
odd_key = any_key | st.text(alphabet="0aA \xe9", max_size=33) | st.sampled_from(["", "ab" * 15, "AB" * 16, "ab " * 16])
any_claim = st.builds(
    Claim,
    path_key=odd_key,
    url_key=odd_key,
    # An inode number has up to 64 bits without a sign (128 on ReFS), an mtime may lie before 1970.
    identity=st.builds(FileIdentity, numbers, st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**128 - 1)),
    digests=st.lists(st.sampled_from([SHA, "md5:" + "b" * 32, "sha256:00", "sha512:" + "c" * 64]), max_size=2).map(tuple),
    validator=st.builds(Validator, field_values, field_values),
    durable=st.booleans(),
    validator_of=st.none() | odd_key,
)


@settings(max_examples=50, deadline=None)
@given(claims=st.lists(any_claim, max_size=5, unique_by=lambda c: c.path_key))
def test_any_claim_survives(claims: list[Claim]) -> None:
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(SqliteState(Path(folder, "state.db"))) as sqlite:
        for store in (sqlite, MemoryState()):
            store.record(map(row_of, claims))
            assert store.claims() == {c.path_key: c for c in claims}


@settings(max_examples=100, deadline=None)
@given(claims=st.lists(any_claim, max_size=5, unique_by=lambda c: c.path_key))
def test_any_row_comes_back_as_it_was_whoever_asks_for_it(claims: list[Claim]) -> None:
    rows = {c.path_key: row_of(c) for c in claims}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "state.db")
        with contextlib.closing(SqliteState(path)) as state:
            state.record(rows.values())
            for found in (state.claims(), state.claims_of([*rows]), claims_at(path).claims, claims_at(path, [*rows]).claims):
                assert {key: found.row(key) for key in rows} == rows
                assert found == {c.path_key: c for c in claims}
            state.flushed(rows)
            assert {row[0]: (*row[:-1], 1) for row in rows.values()} == {key: state.claims().row(key) for key in rows}
