"""A lock object: taken by one, renewed, given back, and told of once it is lost."""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from marscore.adapters.stores.lease import Lease, Record, record_of
from marscore.adapters.stores.objects import Objects
from marscore.destination import Destination
from marscore.errors import StorageError
from marscore.policy.retry import Patience


@pytest.fixture
def objects() -> Objects:
    return Objects(Destination("memory", f"bucket-{secrets.token_hex(8)}", "p"), Patience())


@pytest.fixture
def first(objects: Objects) -> Iterator[Lease]:
    lease = Lease(objects, "one", 0.3)
    lease.take()
    yield lease
    lease.give_back()


def test_the_second_is_told_who_holds_it_until_it_is_given_back(objects: Objects, first: Lease) -> None:
    with pytest.raises(StorageError, match=r"another run \(on '.*', pid [0-9]+\) holds this destination"):
        Lease(objects, "two").take()
    first.give_back()
    second = Lease(objects, "two")
    second.take()
    assert (first.lost, second.lost, second.warnings) == (None, None, [])
    second.give_back()


def test_who_works_in_the_same_folder_takes_it_from_a_dead_run_at_once(objects: Objects, first: Lease) -> None:
    heard = threading.Event()
    first.on_lost = lambda why: heard.set()
    second = Lease(objects, "one")
    second.take()
    # The first is not dead after all: its next renewal says so, and it does not give back what is another's.
    assert heard.wait(30)
    assert first.lost is not None
    assert "another run took the lock" in first.lost.message
    first.give_back()
    with pytest.raises(StorageError):
        Lease(objects, "three").take()
    second.give_back()


def test_what_is_done_meanwhile_is_done_with_each_renewal(first: Lease) -> None:
    done = threading.Event()
    first.meanwhile = done.set
    assert done.wait(30)


class Unreachable(Objects):
    """A store that takes what is put, until it answers no more."""

    def __init__(self, where: Destination) -> None:
        super().__init__(where, Patience())
        self.is_gone = threading.Event()

    def put_own(self, name: str, data: bytes, mode: Any = "overwrite") -> Any:
        if self.is_gone.is_set():
            # It hangs: nobody answers at all.
            threading.Event().wait()
        return super().put_own(name, data, mode)


def test_a_lock_that_cannot_be_renewed_is_told_of_before_its_time_is_over() -> None:
    objects = Unreachable(Destination("memory", f"bucket-{secrets.token_hex(8)}", "p"))
    lease, heard = Lease(objects, "one", 1.0), threading.Event()
    lease.on_lost = lambda why: heard.set()
    lease.take()
    objects.is_gone.set()
    assert heard.wait(30)
    assert lease.lost is not None
    assert "cannot be renewed" in lease.lost.message
    lease.give_back()


def test_each_renewal_is_another_object_since_equal_bytes_have_one_etag(objects: Objects, first: Lease) -> None:
    seen: set[bytes] = set()
    while len(seen) < 3:
        # It may be renewed between a look at it and the reading.
        with contextlib.suppress(StorageError):
            found = objects.read(".marscore/lock")
            assert found is not None
            seen.add(found[0])
    assert len({(record.token, record.free) for data in seen if (record := record_of(data))}) == 1


def test_of_many_at_once_one_takes_it(objects: Objects) -> None:
    leases = [Lease(objects, str(number)) for number in range(8)]
    taken: list[Lease] = []

    def take(lease: Lease) -> None:
        try:
            lease.take()
        except StorageError:
            return
        taken.append(lease)

    threads = [threading.Thread(target=take, args=(lease,)) for lease in leases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 1
    taken[0].give_back()


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b"null", b'{"host": 1}', b"\xff", b"[" * 2000])
def test_what_is_no_lock_is_none(data: bytes) -> None:
    assert record_of(data) is None


def test_a_record_is_what_was_written() -> None:
    record = Record("host", 7, "token", "place", 60.0, free=True)
    assert record_of(record.data()) == record
