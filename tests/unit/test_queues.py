"""Waiting for something in a queue ends in its time, whoever put and took before."""

from __future__ import annotations

import queue
import threading

import pytest

from marscore.queues import taken


def test_what_is_there_is_taken_in_its_order() -> None:
    source = queue.SimpleQueue[int]()
    for number in range(3):
        source.put(number)
    assert [taken(source, 0), taken(source, -1.0), taken(source, None)] == [0, 1, 2]


@pytest.mark.parametrize("seconds", [0, -0.02, 1e-9, 0.01])
def test_no_wait_is_without_end_though_nobody_waited_since_something_was_put(seconds: float) -> None:
    def look() -> None:
        for _ in range(3000 if seconds < 0.001 else 5):
            source = queue.SimpleQueue[int]()
            source.put(1)
            assert source.get_nowait() == 1
            with pytest.raises(queue.Empty):
                taken(source, seconds)
        ended.set()

    ended = threading.Event()
    threading.Thread(target=look, daemon=True).start()
    assert ended.wait(60)


def test_what_comes_while_it_waits_is_taken() -> None:
    source = queue.SimpleQueue[int]()
    threading.Timer(0.05, source.put, [7]).start()
    assert taken(source, 30) == 7
