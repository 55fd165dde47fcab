"""The state beside the objects: what one machine has put, another takes over, and a run that was killed owes its copy to the next."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from marscore.adapters.state import store
from marscore.adapters.state.store import SqliteState, claims_at
from marscore.adapters.stores.objects import Objects
from marscore.adapters.stores.state import StoreState, seen_by
from marscore.destination import Destination
from marscore.policy.retry import Patience
from marscore.state import Claim, FileIdentity, Row, row_of
from marscore.validator import Validator


@pytest.fixture
def objects() -> Objects:
    return Objects(Destination("memory", f"bucket-{secrets.token_hex(8)}", "p"), Patience())


@contextlib.contextmanager
def machine(objects: Objects, own: Path) -> Iterator[StoreState]:
    own.mkdir(exist_ok=True)
    state = StoreState(SqliteState(own / "state.db"), objects, own)
    with contextlib.closing(state):
        yield state


def row(path: str, size: int = 1) -> Row:
    return row_of(Claim(path, "url", FileIdentity(size, 5, 7), ("sha256:ab",), Validator(), durable=False))


def known(state: StoreState) -> dict[str, int]:
    return {key: claim.identity.size for key, claim in state.claims().items()}


def test_what_a_store_has_taken_lasts_and_another_machine_knows_it(objects: Objects, tmp_path: Path) -> None:
    with machine(objects, tmp_path / "one") as one:
        assert known(one) == {}
        one.record([row("a"), row("b")])
        one.copy()
    with machine(objects, tmp_path / "two") as two:
        assert known(two) == {"a": 1, "b": 1}
        assert all(claim.durable for claim in two.claims().values())
        two.record([row("a", 2)])
        two.copy()
    with machine(objects, tmp_path / "one") as one:
        assert known(one) == {"a": 2, "b": 1}


def test_who_asks_for_some_takes_the_copy_over_once(objects: Objects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_GIVEN", 2)
    with machine(objects, tmp_path / "one") as one:
        one.record([row(name) for name in "abcde"])
        one.copy()
    with machine(objects, tmp_path / "two") as two:
        assert set(two.claims_of(["b", "e", "none"])) == {"b", "e"}
        objects.delete_own("state.db")
        assert set(two.claims_of(["a", "c", "d"])) == {"a", "c", "d"}
        assert all(claim.durable for claim in two.claims().values())


def test_a_copy_that_is_known_is_neither_fetched_nor_put_again(objects: Objects, tmp_path: Path) -> None:
    with machine(objects, tmp_path / "one") as one:
        known(one)
        one.record([row("a")])
        one.copy()
        etag = objects.etag_of(".marscore/state.db")
        one.copy()
    with machine(objects, tmp_path / "one") as one:
        known(one)
        one.copy()
    assert objects.etag_of(".marscore/state.db") == etag


def test_a_run_that_was_killed_owes_its_copy_to_the_next(objects: Objects, tmp_path: Path) -> None:
    with machine(objects, tmp_path / "one") as one:
        known(one)
        one.copy()
        one.record([row("a")])
    with machine(objects, tmp_path / "one") as one:
        assert known(one) == {"a": 1}
        one.copy()
    with machine(objects, tmp_path / "two") as two:
        assert known(two) == {"a": 1}


def test_what_is_due_is_put_now_and_then(objects: Objects, tmp_path: Path) -> None:
    with machine(objects, tmp_path / "one") as one:
        known(one)
        one.record([row("a")])
        one.copy_if_due()
        assert objects.etag_of(".marscore/state.db") is None
        one.due = 0.0
        one.copy_if_due()
        assert objects.etag_of(".marscore/state.db") is not None


def test_who_only_looks_changes_nothing(objects: Objects, tmp_path: Path) -> None:
    with machine(objects, tmp_path / "one") as one:
        one.record([row("a")])
        one.copy()
    assert set(seen_by(objects, tmp_path / "two").claims) == {"a"}
    assert not (tmp_path / "two").exists()


def test_a_copy_that_is_no_database_is_told_of_and_counts_as_none(objects: Objects, tmp_path: Path) -> None:
    objects.put_own("state.db", b"nonsense" * 200)
    with machine(objects, tmp_path / "one") as one:
        assert known(one) == {}
        assert len(one.warnings) == 1
        one.record([row("a")])
        one.copy()
    assert claims_at(tmp_path / "one" / "state.db").warnings == ()
    with machine(objects, tmp_path / "two") as two:
        assert known(two) == {"a": 1}
