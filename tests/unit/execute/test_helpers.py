"""Threads that do what takes its time: as many as there is to do at once, up to a number."""

from __future__ import annotations

import queue
import threading

import pytest

from marscore.execute.worker.helpers import Done, HelperThreads

LONG = 20.0


def since(before: set[threading.Thread]) -> set[threading.Thread]:
    """Threads that were started since: others of before may leave meanwhile."""
    return set(threading.enumerate()) - before


class Asked:
    """Helpers, and what they have answered."""

    def __init__(self, most: int) -> None:
        self.answers: queue.SimpleQueue[Done] = queue.SimpleQueue()
        self.helpers = HelperThreads(most, self.answers.put)
        self.told: list[tuple[object, BaseException | None]] = []

    def hear(self, count: int) -> None:
        """Take so many answers, as a loop does."""
        for _ in range(count):
            done = self.answers.get(timeout=LONG)
            done.then(done.result, done.error)

    def then(self, result: object, error: BaseException | None) -> None:
        self.told.append((result, error))


def test_what_came_of_a_task_is_answered_whatever_it_was() -> None:
    asked, wrong = Asked(1), ValueError("wrong")

    def fail() -> None:
        raise wrong

    asked.helpers.do(lambda: 7, asked.then)
    asked.hear(1)
    asked.helpers.do(fail, asked.then)
    asked.hear(1)
    assert asked.told == [(7, None), (None, wrong)]
    asked.helpers.close()


def test_there_are_as_many_as_have_something_to_do_at_once_and_no_more() -> None:
    before, asked = set(threading.enumerate()), Asked(2)
    for _ in range(3):
        asked.helpers.do(lambda: None, asked.then)
        asked.hear(1)
    assert len(since(before)) == 1, "one after the other needs one"
    together = threading.Barrier(2, timeout=LONG)
    for _ in range(2):
        asked.helpers.do(together.wait, asked.then)
    asked.hear(2)
    assert sorted(str(result) for result, _ in asked.told[3:]) == ["0", "1"], "both were at work at once"
    for _ in range(5):
        asked.helpers.do(lambda: None, asked.then)
    assert len(since(before)) == 2
    asked.hear(5)
    asked.helpers.close()


def test_they_leave_when_they_are_let() -> None:
    before, asked = set(threading.enumerate()), Asked(4)
    together = threading.Barrier(3, timeout=LONG)
    for _ in range(3):
        asked.helpers.do(together.wait, asked.then)
    asked.hear(3)
    threads = since(before)
    assert len(threads) == 3
    assert all(thread.daemon for thread in threads), "one that hangs keeps no process from its end"
    asked.helpers.close()
    for thread in threads:
        thread.join(LONG)
        assert not thread.is_alive()


def test_where_no_thread_starts_it_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    asked, here = Asked(2), threading.get_ident()
    asked.helpers.do(threading.get_ident, asked.then)
    asked.hear(1)
    assert asked.told == [(here, None)]
    asked.helpers.close()
