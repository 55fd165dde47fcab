"""What is below a prefix, for who asks for some paths after the other: by their names at first, from one list once that is at its end."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from marscore.adapters.stores import listing
from marscore.adapters.stores.listing import Listing
from marscore.adapters.stores.objects import Objects
from marscore.destination import Destination
from marscore.policy.retry import Patience
from marscore.state import FileIdentity

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
