"""Whether an object may be put: as long as the lock was renewed in time, in whatever process."""

from __future__ import annotations

import math
import secrets
import threading
from pathlib import Path

import pytest

from marscore.adapters.stores import fence as fences
from marscore.adapters.stores.fence import Fence, now
from marscore.adapters.stores.lease import Lease
from marscore.adapters.stores.objects import Objects
from marscore.destination import Destination
from marscore.errors import StorageError
from marscore.hashes import digests_of
from marscore.policy.retry import Patience

DATA = b"what is to be put"


@pytest.fixture
def fence(tmp_path: Path) -> Fence:
    return Fence(tmp_path)


@pytest.fixture
def objects(fence: Fence) -> Objects:
    return Objects(Destination("memory", f"bucket-{secrets.token_hex(8)}", "p"), Patience(), fence)


def put(objects: Objects) -> None:
    objects.put("a.bin", DATA, digests_of(DATA, ("sha256",))["sha256"])


def test_nothing_is_put_without_a_lock_or_after_it_was_lost(objects: Objects, fence: Fence) -> None:
    with pytest.raises(StorageError, match="not held any more"):
        put(objects)
    fence.stand(now() + 60)
    put(objects)
    fence.fall()
    with pytest.raises(StorageError, match="not held any more"):
        put(objects)


def test_what_is_late_is_waited_for(objects: Objects, fence: Fence) -> None:
    fence.stand(now() - 1)
    renewal = threading.Timer(0.3, lambda: fence.stand(now() + 60))
    renewal.start()
    put(objects)
    assert objects.identify("a.bin") is not None


def test_nobody_waits_for_ever(objects: Objects, fence: Fence, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fences, "_PATIENCE", 0.3)
    fence.stand(now() - 1)
    with pytest.raises(StorageError, match="not held any more"):
        put(objects)
    with pytest.raises(StorageError):
        fence.demand(lambda: False)


def test_a_large_file_is_given_up_in_the_middle(objects: Objects, fence: Fence, tmp_path: Path) -> None:
    data = bytes(12 * 1024 * 1024)
    (tmp_path / "part").write_bytes(data)
    fence.stand(math.inf)
    asked = []

    def wanted() -> bool:
        asked.append(None)
        if len(asked) == 2:
            fence.fall()
        return True

    with pytest.raises(StorageError, match="not held any more"):
        objects.put_file("large.bin", tmp_path / "part", (len(data), digests_of(data, ("sha256",))["sha256"]), wanted)
    assert objects.identify("large.bin") is None


def test_a_lease_keeps_it_up_and_lets_it_fall(objects: Objects, fence: Fence) -> None:
    lease = Lease(objects, "one", 0.6)
    lease.fence = fence
    lease.take()
    put(objects)
    threading.Event().wait(1.0)
    put(objects)
    lease.give_back()
    with pytest.raises(StorageError, match="not held any more"):
        put(objects)


def test_what_has_fallen_does_not_stand_again_also_on_a_full_disk(fence: Fence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fence.stand(math.inf)

    def full(place: Path, text: str) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    fence.fall()
    assert not (tmp_path / "lease").exists()
    monkeypatch.undo()
    fence.stand(math.inf)
    with pytest.raises(StorageError):
        fence.demand()
