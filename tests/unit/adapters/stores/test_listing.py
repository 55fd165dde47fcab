"""What is below a prefix, for who asks for some paths after the other: by their names at first, from one list once that is at its end."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import obstore
import pytest

from marscore.adapters.stores import listing
from marscore.adapters.stores.listing import Listing
from marscore.adapters.stores.objects import Objects
from marscore.destination import Destination
from marscore.errors import StorageError
from marscore.policy.retry import Patience
from marscore.state import FileIdentity
from marscore.values import Failure

NAMES = [f"{number:04}" for number in range(60)]


class Counted(Objects):
    """Objects that are asked for by their names are counted."""

    asked = 0

    def identify(self, path: str) -> FileIdentity | None:
        self.asked += 1
        return super().identify(path)


@pytest.fixture
def objects(monkeypatch: pytest.MonkeyPatch) -> Counted:
    monkeypatch.setattr(listing, "_FIRST", 0)
    monkeypatch.setattr(listing, "_PAGE", 10)
    found = Counted(Destination("memory", f"bucket-{secrets.token_hex(8)}", "p"), Patience())
    for name in NAMES:
        found.put(name, name.encode(), hashlib.sha256(name.encode()).hexdigest())
    return found


@contextlib.contextmanager
def opened(objects: Objects, folder: Path) -> Iterator[Listing]:
    with contextlib.closing(Listing(objects, folder, lambda: None)) as found:
        yield found
        assert list(folder.iterdir()) == []


def test_few_are_asked_for_by_their_names_until_the_list_is_at_its_end(objects: Counted, tmp_path: Path) -> None:
    with opened(objects, tmp_path) as found:
        assert found.identities([NAMES[3], "none"]) == {NAMES[3]: Objects.identify(objects, NAMES[3])}
        assert objects.asked == 2
        all_of_them = {name: Objects.identify(objects, name) for name in NAMES}
        assert found.identities([*NAMES, "none"]) == all_of_them
        assert found.identities(["none", NAMES[-1]]) == {NAMES[-1]: all_of_them[NAMES[-1]]}
        assert objects.asked == 2


def test_an_empty_prefix_is_known_at_once(tmp_path: Path) -> None:
    objects = Counted(Destination("memory", f"bucket-{secrets.token_hex(8)}", "p"), Patience())
    with opened(objects, tmp_path) as found:
        assert found.identities(NAMES) == {}
        assert objects.asked == 0


def test_who_waits_for_it_no_longer_may_go(objects: Counted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held, given_up = threading.Event(), threading.Event()

    def slowly() -> Iterator[tuple[str, FileIdentity]]:
        held.wait(10)
        yield from Objects.all(objects)
        given_up.set()

    def enough() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(objects, "all", slowly)
    found = Listing(objects, tmp_path, enough)
    with pytest.raises(KeyboardInterrupt):
        found.identities(NAMES)
    found.close()
    held.set()
    assert not given_up.wait(0.2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [StorageError(Failure("store", "broke")), sqlite3.OperationalError("database or disk is full")])
@pytest.mark.parametrize("pages", [0, 2, 6], ids=["at once", "in the middle", "at its end"])
def test_a_list_that_broke_is_not_believed_and_not_asked_again(
    objects: Counted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, pages: int
) -> None:
    lists = 0

    def broken() -> Iterator[tuple[str, FileIdentity]]:
        nonlocal lists
        lists += 1
        yield from islice(Objects.all(objects), 10 * pages)
        raise error

    monkeypatch.setattr(objects, "all", broken)
    with opened(objects, tmp_path) as found:
        for name in (NAMES[1], NAMES[-1], NAMES[-1], NAMES[30]):
            assert found.identities([name, "none"]) == {name: Objects.identify(objects, name)}
    assert (lists, objects.asked) == (1, 8)


def test_where_the_list_broke_a_store_that_does_not_answer_is_told(
    objects: Counted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Iterator[tuple[str, FileIdentity]]:
        raise StorageError(Failure("store", "the store does not answer in time"))

    monkeypatch.setattr(objects, "all", broken)
    monkeypatch.setattr(objects, "identify", broken)
    with opened(objects, tmp_path) as found, pytest.raises(StorageError, match="does not answer"):
        found.identities(NAMES)


def test_a_list_that_is_old_is_begun_anew(objects: Counted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(objects, tmp_path) as found:
        assert len(found.identities(NAMES)) == 60
        obstore.delete(objects.store, f"p/{NAMES[5]}")
        objects.put("new", b"new", hashlib.sha256(b"new").hexdigest())
        assert found.identities([NAMES[5], "new"]).keys() == {NAMES[5]}
        monkeypatch.setattr(listing, "_LASTS", -1.0)
        monkeypatch.setattr(listing, "_TIMES", -1.0)
        assert found.identities([NAMES[5], "new"]).keys() == {"new"}
        assert len(found.identities([*NAMES, "new"])) == 60
