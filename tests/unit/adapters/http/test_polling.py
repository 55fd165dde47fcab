"""What a loop hears of descriptors, by epoll and by the portable way."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Iterator

import pytest

from marscore.adapters.http.polling import READ, WRITE, Epoll, Polling, Selecting, choose


@pytest.fixture(params=["epoll", "portable"])
def polling(request: pytest.FixtureRequest) -> Iterator[Polling]:
    if request.param == "epoll" and not hasattr(select, "epoll"):
        pytest.skip("this system has no epoll")
    made = choose(portable=request.param == "portable")
    assert isinstance(made, Epoll if request.param == "epoll" else Selecting)
    yield made
    made.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


def test_what_is_wanted_is_heard_of_and_nothing_else(polling: Polling, pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    polling.want(ours.fileno(), READ)
    assert polling.wait(0) == []
    theirs.send(b"x")
    assert polling.wait(1) == [(ours.fileno(), READ)]
    polling.want(ours.fileno(), WRITE)
    assert polling.wait(1) == [(ours.fileno(), WRITE)]
    polling.want(ours.fileno(), READ | WRITE)
    assert polling.wait(1) == [(ours.fileno(), READ | WRITE)]
    assert polling.forget(ours.fileno())
    assert polling.wait(0) == []
    assert not polling.forget(ours.fileno())


def test_the_end_of_a_connection_is_something_to_read(polling: Polling, pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    polling.want(ours.fileno(), READ)
    theirs.close()
    [(fd, events)] = polling.wait(1)
    assert fd == ours.fileno()
    assert events & READ


def test_a_number_that_was_closed_and_is_another_s_can_be_wanted_anew(polling: Polling) -> None:
    ours, theirs = socket.socketpair()
    number = ours.fileno()
    polling.want(number, READ)
    ours.close()
    theirs.close()
    others, far = socket.socketpair()
    assert others.fileno() == number, "the lowest that is free"
    polling.want(number, READ)
    far.send(b"x")
    assert polling.wait(1) == [(number, READ)]
    polling.forget(number)
    others.close()
    far.close()


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="this system has no epoll")
def test_epoll_knows_that_a_number_is_another_s() -> None:
    polling = Epoll()
    ours, theirs = socket.socketpair()
    number = ours.fileno()
    polling.want(number, READ)
    ours.close()
    os.dup2(theirs.fileno(), number)
    assert not polling.forget(number), "who would be shut down now is somebody else"
    os.close(number)
    theirs.close()
    polling.close()


def test_what_is_closed_cannot_be_wanted(polling: Polling) -> None:
    ours, theirs = socket.socketpair()
    number = ours.fileno()
    ours.close()
    theirs.close()
    with pytest.raises((OSError, ValueError)):
        polling.want(number, READ)
