"""Connections that wait: which is taken, which is closed, and when."""

from __future__ import annotations

import contextlib
import threading
from typing import Any, cast

from urllib3.connection import HTTPConnection

from marscore.adapters.http.requests_idle import Idle


class Connection:
    """Says when it is being closed, and takes its time until it may end."""

    def __init__(self) -> None:
        self.closing = threading.Event()
        self.may_end = threading.Event()
        self.may_end.set()

    def close(self) -> None:
        self.closing.set()
        assert self.may_end.wait(60)


def waiting(pool: object, idle: Idle) -> Connection:
    connection = Connection()
    idle.keep(pool, cast(HTTPConnection, connection))
    return connection


def test_the_newest_of_a_pool_is_taken_first_and_none_of_another() -> None:
    idle = Idle(9)
    first, second, _ = waiting("a", idle), waiting("a", idle), waiting("b", idle)
    assert [cast(Any, idle.take("a")) for _ in range(3)] == [second, first, None]


def test_the_oldest_are_closed_before_another_would_be_too_many() -> None:
    idle = Idle(3)
    connections = [waiting(n, idle) for n in range(3)]
    with idle:
        idle.make_room()
    assert [connection.closing.is_set() for connection in connections] == [True, False, False]


def test_a_thread_at_work_counts_until_it_ends_or_fails() -> None:
    for error in (None, KeyError()):
        idle = Idle(3)
        connections = [waiting(n, idle) for n in range(2)]
        with contextlib.suppress(KeyError), idle:
            if error is not None:
                raise error
        with idle:
            idle.make_room()
        assert [connection.closing.is_set() for connection in connections] == [False, False]
        with idle, idle:
            idle.make_room()
        assert [connection.closing.is_set() for connection in connections] == [True, False]


def test_more_threads_than_there_may_be_connections_close_all_that_wait() -> None:
    idle = Idle(1)
    connection = waiting("a", idle)
    with idle, idle:
        idle.make_room()
    assert connection.closing.is_set()


def test_a_pool_that_is_garbage_is_emptied_by_a_thread_that_is_at_the_connections_already() -> None:
    """urllib3 does that in a finalizer, which runs in the middle of anything."""
    idle = Idle(1)

    class Finalizing(Connection):
        def close(self) -> None:
            while idle.take("garbage") is not None:
                pass
            super().close()

    idle.keep("a", cast(HTTPConnection, Finalizing()))
    for pool in ("garbage", "b", "garbage"):
        waiting(pool, idle)
    idle.make_room()
    assert idle.take("b") is None
    done = threading.Thread(target=idle.clear)
    done.start()
    done.join(60)
    assert not done.is_alive()


def test_nobody_connects_before_what_makes_room_is_closed() -> None:
    idle = Idle(2)
    slow, _ = waiting("a", idle), waiting("a", idle)
    slow.may_end.clear()
    entered, connects = threading.Barrier(2), threading.Event()

    def other() -> None:
        with idle:
            entered.wait(60)
            assert slow.closing.wait(60)
            idle.make_room()
            connects.set()

    thread = threading.Thread(target=other)
    thread.start()
    with idle:
        entered.wait(60)
        # It closes both: one for itself, one for the other thread.
        room = threading.Thread(target=idle.make_room)
        room.start()
        assert slow.closing.wait(60)
        assert not connects.wait(0.2)
        slow.may_end.set()
    room.join()
    thread.join()
    assert connects.is_set()
