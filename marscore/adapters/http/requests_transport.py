"""`ports.Transport` by requests, in helper threads: without pycurl, and for a caller's own session with its auth and adapters.

    start --Task--> queue --> helper: RequestsClient opens and reads --News (answer, chunk, end)--> queue --> turn: its exchange

Helpers know no exchange: a task holds all that one needs, and only the thread of the loop puts into exchanges what helpers tell. What both
have in common is one `Control` for each exchange, by which the loop holds a helper back or ends what it waits for.

Nothing ends a look-up of a name or a connect from outside: a helper that is at one when its exchange is cancelled ends by itself, after the
time that there is to connect. The same holds for a caller's adapters until they have brought a head, since their sockets are their own.
"""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass as mutable
from typing import TypeAlias

import requests

from marscore.adapters.http.requests_client import RequestsClient
from marscore.adapters.http.requests_control import Control
from marscore.adapters.http.requests_response import DRAINED, DRAINED_FOR
from marscore.errors import OriginError
from marscore.frozen import dataclass
from marscore.ports import Answer, Exchange, Request
from marscore.queues import taken
from marscore.values import Failure, internal

#: Bytes of a chunk, at most; a helper is up to four of them (`control.AHEAD`) ahead of the loop.
CHUNK = 64 * 1024
#: Seconds that closing waits for helpers.
_CLOSED_WITHIN = 2.0


@dataclass(frozen=True, slots=True)
class Task:
    """What a helper is to do, and by what it is held back or stopped."""

    request: Request
    fresh: bool
    control: Control


@dataclass(frozen=True, slots=True)
class End:
    """No more comes; `failure` says why, where the body did not end as it should."""

    failure: Failure | None


@dataclass(frozen=True, slots=True)
class News:
    """What a helper tells of its task: a head, some bytes of the body, or the end."""

    control: Control
    what: Answer | bytes | End


@mutable(slots=True, eq=False)
class _Active:
    """What the loop knows of an exchange. `owed` counts the chunks that came while it is paused: so many more may be read afterwards."""

    exchange: Exchange
    control: Control
    received: int = 0
    paused: bool = False
    owed: int = 0


_Tasks: TypeAlias = "queue.SimpleQueue[Task | None]"
#: None wakes the loop.
_AllNews: TypeAlias = "queue.SimpleQueue[News | None]"


class SessionTransport:
    """Implements `ports.Transport`. `connections` is how many helpers there may be, and how many connections, idle ones among them.

    A caller's `session` is not closed, and keeps its cookies; without one, cookies are for one chain of redirects.
    """

    def __init__(self, connections: int, session: requests.Session | None = None, ticks: Callable[[], float] = time.monotonic) -> None:
        self._most = connections
        self._ticks = ticks
        self.waited = 0.0
        self._client = RequestsClient(connections, session=session)
        self._threads: list[threading.Thread] = []
        self._tasks: _Tasks = queue.SimpleQueue()
        self._news: _AllNews = queue.SimpleQueue()
        #: The tasks that no helper has ended yet, cancelled ones among them.
        self._at_work: set[Control] = set()
        self._by_control: dict[Control, _Active] = {}
        self._by_exchange: dict[Exchange, _Active] = {}
        #: Until when the rest of a cancelled body may come.
        self._draining: dict[Control, float] = {}
        #: Exchanges that ended without a helper.
        self._ended: list[Exchange] = []

    def start(self, exchange: Exchange) -> None:
        """Begin to send a request."""
        if not self._has_helper():
            exchange.over, exchange.failure = True, Failure("resources", "the system starts no more threads")
            self._ended.append(exchange)
            return
        active = _Active(exchange, Control())
        self._by_control[active.control] = self._by_exchange[exchange] = active
        self._at_work.add(active.control)
        self._tasks.put(Task(exchange.request, exchange.fresh, active.control))

    def turn(self, until: float) -> list[Exchange]:
        """Put what helpers tell into exchanges."""
        news = dict.fromkeys(self._ended)
        self._ended.clear()
        due = min([until, *self._draining.values()])
        began = self._ticks()
        told_now = self._told(0.0 if news else due - began)
        self.waited += self._ticks() - began
        for told in told_now:
            if told is not None and (exchange := self._take_in(told)):
                news[exchange] = None
        self._end_drains()
        return list(news)

    def pause(self, exchange: Exchange) -> None:
        """Receive no more of its body for now."""
        if active := self._by_exchange.get(exchange):
            active.paused = True

    def resume(self, exchange: Exchange) -> None:
        """Go on with it."""
        if active := self._by_exchange.get(exchange):
            active.paused = False
            active.control.read_on(active.owed)
            active.owed = 0

    def cancel(self, exchange: Exchange) -> None:
        """Want no more of it."""
        active = self._by_exchange.pop(exchange, None)
        if active is None:
            return
        del self._by_control[active.control]
        active.control.give_up()
        if _is_worth_draining(active):
            self._draining[active.control] = self._ticks() + DRAINED_FOR
        else:
            active.control.stop()

    def close_idle(self) -> None:
        """Drop the connections that carry nothing now."""
        self._client.close()

    def wake(self) -> None:
        """End the current turn, or the next one."""
        # A SimpleQueue may be put into by a signal handler that interrupts its own get or put.
        self._news.put(None)

    def close(self) -> None:
        """Drop everything."""
        for control in self._at_work:
            control.give_up()
            control.stop()
        for _ in self._threads:
            self._tasks.put(None)
        latest = time.monotonic() + _CLOSED_WITHIN
        for thread in self._threads:
            thread.join(max(0.0, latest - time.monotonic()))
        self._client.close()

    def _has_helper(self) -> bool:
        """Whether there is a helper for one more task, now or when another has ended. One is started where all have something to do."""
        if len(self._at_work) < len(self._threads) or len(self._threads) >= self._most:
            return True
        # The interpreter need not wait for one that is at a connect.
        thread = threading.Thread(target=_serve, args=(self._client, self._tasks, self._news), name="marscore-session", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return bool(self._threads)
        self._threads.append(thread)
        return True

    def _told(self, seconds: float) -> list[News | None]:
        """What is there to be told; waits for the first of it."""
        try:
            first = taken(self._news, min(seconds, threading.TIMEOUT_MAX))
        except queue.Empty:
            return []
        # No more than there is now: helpers go on meanwhile.
        return [first, *(self._news.get_nowait() for _ in range(self._news.qsize()))]

    def _take_in(self, news: News) -> Exchange | None:
        """Put it where it belongs; returns its exchange, unless that was cancelled."""
        control, what = news.control, news.what
        if isinstance(what, End):
            return self._end(control, what.failure)
        active = self._by_control.get(control)
        if active is None:
            return None
        if isinstance(what, Answer):
            active.exchange.answer = what
            return active.exchange
        active.exchange.chunks.append(what)
        active.received += len(what)
        if active.paused:
            active.owed += 1
        else:
            control.read_on(1)
        return active.exchange

    def _end(self, control: Control, failure: Failure | None) -> Exchange | None:
        self._at_work.discard(control)
        self._draining.pop(control, None)
        active = self._by_control.pop(control, None)
        if active is None:
            return None
        exchange = active.exchange
        del self._by_exchange[exchange]
        exchange.over, exchange.failure = True, failure
        return exchange

    def _end_drains(self) -> None:
        """Stop those whose rest takes too long."""
        now = self._ticks() if self._draining else -math.inf
        for control in [control for control, latest in self._draining.items() if latest <= now]:
            del self._draining[control]
            control.stop()


def _is_worth_draining(active: _Active) -> bool:
    """Whether so little of the body is left that its connection is had for it."""
    if active.exchange.answer is None:
        return False
    if active.exchange.request.method == "HEAD":
        return True
    length = active.exchange.answer.fields.get("content-length", "")
    return int(length) - active.received <= DRAINED if length.isdecimal() else active.received < DRAINED


def _serve(client: RequestsClient, tasks: _Tasks, news: _AllNews) -> None:
    """Work tasks off until there is None: the life of a helper."""
    while (task := tasks.get()) is not None:
        control, failure = task.control, _failure_of(client, task, news)
        # Nothing of it is held while the next one is waited for.
        del task
        news.put(News(control, End(failure)))
        del control, failure


def _failure_of(client: RequestsClient, task: Task, news: _AllNews) -> Failure | None:
    """Carry a task out; returns what went wrong, if anything did."""
    try:
        _carry(client, task, news)
    except OriginError as error:
        return error.failure
    except BaseException as error:  # noqa: BLE001 - a caller's hooks and adapters may raise anything, and somebody waits for an end
        return internal(error)
    finally:
        task.control.let_go()
    return None


def _carry(client: RequestsClient, task: Task, news: _AllNews) -> None:
    control = task.control
    if control.given_up:
        return
    with client.use(task.fresh, control.uses):
        response = client.open(task.request)
        try:
            if not client.is_own:
                control.ends_by(response.abort)
            news.put(News(control, response.answer))
            while control.may_read():
                data = response.read(CHUNK)
                if not data:
                    return
                news.put(News(control, data))
            response.drain()
        finally:
            control.let_go()
            response.close()
