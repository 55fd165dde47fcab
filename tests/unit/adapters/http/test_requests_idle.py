"""Connections that wait: which is taken, which is closed, and when."""

from __future__ import annotations

import contextlib
import threading
from typing import Any, cast

from urllib3.connection import HTTPConnection

from marscore.adapters.http.requests_idle import Idle, Waiting


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
    idle.keep(Waiting(pool, cast(HTTPConnection, connection)))
    return connection


def taken(idle: Idle, pool: object) -> Any:
    found = idle.take(pool)
    return found and found.connection


def test_the_newest_of_a_pool_is_taken_first_and_none_of_another() -> None:
    idle = Idle(9)
    first, second, _ = waiting("a", idle), waiting("a", idle), waiting("b", idle)
    assert [taken(idle, "a") for _ in range(3)] == [second, first, None]


def test_the_oldest_are_closed_before_another_would_be_too_many() -> None:
    idle = Idle(3)
    connections = [waiting(n, idle) for n in range(3)]
    with idle:
        idle.make_room()
    assert [connection.closing.is_set() for connection in connections] == [True, False, False]


def test_a_thread_at_work_counts_until_it_ends_or_fails() -> None:
    idle = Idle(3)
    connections = [waiting(n, idle) for n in range(2)]

    def work(ends: bool) -> None:
        with contextlib.suppress(KeyError), idle:
            if ends:
                raise KeyError

    def closed_for_one_more() -> list[bool]:
        with idle:
            idle.make_room()
        idle.end()
        return [connection.closing.is_set() for connection in connections]

    for ends, closed in ((True, [False, False]), (False, [True, False])):
        thread = threading.Thread(target=work, args=(ends,))
        thread.start()
        thread.join()
        assert closed_for_one_more() == closed


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
