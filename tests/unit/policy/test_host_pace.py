"""How fast a host is asked that refuses what comes too fast: against models of such hosts, on a clock that the test turns."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import pytest

from marscore.policy.host_pace import ANSWERED_LATELY, FASTEST, FIRST_RATE, FIRST_RATE_BESIDE, FOUND, REFUSALS, SLOWEST, STARVED, HostPace

#: What a host does with a request at a moment: after how many seconds it answers, or None for a refusal at once.
Host: TypeAlias = Callable[[float], float | None]

ROUND_TRIP, TOLD_AFTER = 0.001, 0.005


def leaky_bucket(rate: float, burst: int, nodelay: bool = False) -> Host:
    """As nginx's limit_req counts."""
    excess, last = -1.0, 0.0  # the first one counts for nothing

    def ask(now: float) -> float | None:
        nonlocal excess, last
        level = max(0.0, excess - (now - last) * rate + 1)
        if level > burst:
            return None
        excess, last = level, now
        return 0.0 if nodelay else level / rate

    return ask


def fixed_window(count: int, seconds: float) -> Host:
    """So many in each window of so many seconds."""
    seen: dict[int, int] = {}

    def ask(now: float) -> float | None:
        window = int(now / seconds)
        seen[window] = seen.get(window, 0) + 1
        return 0.0 if seen[window] <= count else None

    return ask


def at_once(most: int, mean: float) -> Host:
    """So many at a time, of which each takes its time."""
    chance, ends = random.Random(1), list[float]()

    def ask(now: float) -> float | None:
        ends[:] = [end for end in ends if end > now]
        if len(ends) >= most:
            return None
        ends.append(now + chance.expovariate(1 / mean))
        return ends[-1] - now

    return ask


def now_and_then(share: float) -> Host:
    chance = random.Random(1)
    return lambda now: None if chance.random() < share else 0.002


@dataclass
class Process:
    """One of those that ask. It has 8 connections, and what it was refused is its own to ask for again."""

    pace: HostPace = field(default_factory=HostPace)
    paused_until: float = 0.0
    under_way: int = 0
    refused: list[tuple[float, int]] = field(default_factory=list)
    wakes_at: float = -1.0


@dataclass
class Client:
    """Asks for `files`, at its pace; what is refused is asked for again after up to half a second, or a pause of all processes."""

    host: Host
    files: int
    pause: float | None = None
    processes: int = 1
    seed: int = 1
    #: Every file of so many is one that the host never gives. It is given up after 3 retries and 10 for which the pace was to blame.
    bad: int = 0
    now: float = 0.0
    done: int = 0
    refusals: int = 0
    cuts: int = 0

    def run(self) -> Client:
        self.chance, self.left = random.Random(self.seed), self.files
        self.retries: dict[int, int] = {}
        self.spared: dict[int, int] = {}
        self.members = [Process() for _ in range(self.processes)]
        self.events: list[tuple[float, int, Callable[[], None]]] = []
        self.order = itertools.count()
        for member in self.members:
            self.at(0.0, lambda member=member: self.ask(member))  # type: ignore[misc]
        while self.done < self.files:
            at, _, act = heapq.heappop(self.events)
            self.now = max(self.now, at)
            act()
        return self

    def at(self, moment: float, act: Callable[[], None]) -> None:
        heapq.heappush(self.events, (moment, next(self.order), act))

    def ask(self, member: Process) -> None:
        while member.under_way < 8 and (self.left or member.refused):
            due = 0.0 if self.left and not (member.refused and member.refused[0][0] <= self.now) else member.refused[0][0]
            begin = max(due, member.paused_until, member.pace.free_at(self.now))
            if begin > self.now:
                if not self.now < member.wakes_at <= begin:
                    member.wakes_at = begin
                    self.at(begin, lambda: self.ask(member))
                return
            if due:
                file = heapq.heappop(member.refused)[1]
            else:
                file, self.left = self.left, self.left - 1
            member.under_way += 1
            member.pace.start(self.now)
            self.at(self.now + ROUND_TRIP * self.chance.uniform(0.2, 0.8), lambda file=file: self.arrive(member, file))  # type: ignore[misc]

    def arrive(self, member: Process, file: int) -> None:
        takes = None if self.bad and file % self.bad == 0 else self.host(self.now)
        self.at(self.now + ROUND_TRIP / 2 + (takes or 0.0), lambda: self.hear(member, file, takes is not None))

    def hear(self, member: Process, file: int, accepted: bool) -> None:
        member.under_way -= 1
        if accepted:
            member.pace.accepted(self.now, again=file in self.retries)
            self.done += 1
        else:
            self.refusals += 1
            if member.pace.refused(self.now, explicit=self.pause is not None, too_many=not self.bad, again=file in self.retries):
                self.cuts += 1
                self.tell(member, lambda other: other.pace.slow_down(self.now))
            if self.pause is not None:
                self.rest(member)
                self.tell(member, self.rest)
            self.retry(member, file)
        self.ask(member)

    def retry(self, member: Process, file: int) -> None:
        spared = member.pace.rate is not None and self.spared.get(file, 0) < 10
        counts = self.spared if spared else self.retries
        counts[file] = counts.get(file, 0) + 1
        self.retries.setdefault(file, 0)
        if self.bad and self.retries[file] > 3:
            self.done += 1
        else:
            wait = self.chance.uniform(0.0, 0.5 * 2 ** max(0, self.retries[file] - 1))
            heapq.heappush(member.refused, (self.now + (self.pause or wait), file))

    def rest(self, member: Process) -> None:
        assert self.pause is not None
        member.paused_until = self.now + self.pause
        member.pace.pause(self.now, member.paused_until)

    def tell(self, member: Process, act: Callable[[Process], None]) -> None:
        """The other processes hear of it after a while."""
        for other in self.members:
            if other is not member:
                self.at(self.now + TOLD_AFTER, lambda other=other: act(other))  # type: ignore[misc]


@pytest.mark.parametrize(
    ("host", "files", "pause", "ideal", "slower", "refusals"),
    [
        (leaky_bucket(50, 5), 300, None, 6.0, 1.5, 0.1),
        (leaky_bucket(50, 5), 3000, None, 60.0, 1.15, 0.1),
        (leaky_bucket(50, 5, nodelay=True), 300, None, 6.0, 1.5, 0.15),
        (leaky_bucket(50, 100, nodelay=True), 1000, None, 18.0, 1.2, 0.15),
        (leaky_bucket(50, 5), 3000, 1.0, 60.0, 1.3, 0.02),
        (leaky_bucket(1, 5), 100, None, 100.0, 1.2, 0.6),
        (leaky_bucket(1, 0), 60, None, 60.0, 1.7, 1.0),
        (leaky_bucket(1, 5), 100, 1.0, 100.0, 1.2, 0.5),
        (leaky_bucket(800, 20), 8000, None, 10.0, 1.5, 0.1),
        (fixed_window(60, 60.0), 300, None, 240.0, 1.1, 1.3),
        (fixed_window(100, 1.0), 1000, None, 10.0, 1.5, 0.3),
        (at_once(4, 0.05), 1000, None, 12.5, 2.2, 0.3),
    ],
    ids=[
        "bucket", "bucket-long", "nodelay", "large-burst", "pauses", "one-a-second", "no-burst", "one-a-second-pauses", "fast", "minutes",
        "seconds", "connections",
    ],
)  # fmt: skip
def test_a_host_that_limits_is_asked_about_as_fast_as_it_allows(
    host: Host, files: int, pause: float | None, ideal: float, slower: float, refusals: float
) -> None:
    client = Client(host, files, pause).run()
    assert client.now <= slower * ideal
    assert client.refusals <= refusals * files


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("nodelay", [False, True])
@pytest.mark.parametrize(("processes", "pause"), [(1, None), (2, None), (1, 1.0), (2, 1.0), (4, 1.0)])
def test_processes_find_the_limit_together(processes: int, pause: float | None, nodelay: bool, seed: int) -> None:
    client = Client(leaky_bucket(50, 5, nodelay), 300, pause, processes, seed).run()
    assert client.now <= 1.5 * 6.0
    assert client.refusals < 0.3 * 300


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize(("files", "bad"), [(200, 2), (2000, 2), (2000, 5)])
def test_a_host_that_never_gives_some_files_is_not_slowed_down_for_them(files: int, bad: int, processes: int, seed: int) -> None:
    client = Client(lambda now: 0.01, files, processes=processes, seed=seed, bad=bad).run()
    # A process may be left with nothing but what it was refused, and then has nothing to compare that with.
    assert client.now <= files * 0.01 / 8 + (6.0 if processes == 1 else 2 * ANSWERED_LATELY)


def test_what_is_given_at_last_shows_a_limit_after_all() -> None:
    pace = HostPace()
    pace.accepted(0.0)
    assert refuse(pace, 0.0)
    for _ in range(5):
        assert pace.rate is not None
        pace.accepted(0.1)
        pace.accepted(0.1)
        assert not pace.refused(0.1, explicit=False, too_many=True, again=True)
    assert pace.rate is None
    assert not refuse(pace, 0.2)
    pace.accepted(0.3, again=True)
    assert refuse(pace, 0.3)
    assert pace.rate is not None


@pytest.mark.parametrize("share", [1 / 500, 1 / 50])
def test_a_refusal_now_and_then_slows_nobody(share: float) -> None:
    client = Client(now_and_then(share), 20_000).run()
    assert client.refusals > 20
    assert client.cuts == 0
    assert client.members[0].pace.rate is None


def test_what_came_before_a_pause_says_nothing_of_the_rate_behind_it() -> None:
    pace = HostPace()
    for _ in range(40):
        pace.accepted(0.0)
    assert pace.refused(0.0, explicit=True, too_many=True)
    pace.pause(0.0, 1.0)
    pace.accepted(0.5)
    for tenth in range(4):
        pace.accepted(1.0 + tenth / 10)
    assert pace.refused(1.4, explicit=True, too_many=True)
    assert pace.rate == pytest.approx(FOUND * 4 / 0.4)


def refuse(pace: HostPace, now: float, times: int = REFUSALS) -> bool:
    return sum(pace.refused(now, explicit=False, too_many=True) for _ in range(times)) > 0


def test_a_host_that_answers_nothing_else_has_no_pace() -> None:
    pace = HostPace()
    assert not refuse(pace, 1.0, 20)
    pace.accepted(2.0)
    assert not refuse(pace, 2.1 + ANSWERED_LATELY, 20)
    assert pace.free_at(99.0) == 99.0


def test_one_that_had_a_pace_is_asked_for_a_while_whether_it_answers_again() -> None:
    pace, now = HostPace(), 0.0
    pace.accepted(now)
    assert refuse(pace, now)
    while now < STARVED - 6:
        now = pace.free_at(now + 0.01)
        pace.start(now)
        pace.refused(now, explicit=False, too_many=True)
    assert pace.rate is not None
    assert pace.rate <= 1.0
    before = pace.rate
    pace.accepted(now)
    pace.accepted(now + 0.1)
    assert pace.rate > before
    pace.refused(now + STARVED + 1.0, explicit=False, too_many=True)
    assert pace.rate is None


def test_a_rate_is_cut_once_for_what_was_asked_before() -> None:
    pace = HostPace()
    pace.accepted(5.0)
    assert not refuse(pace, 5.0, REFUSALS - 1)
    assert refuse(pace, 5.0, 1)
    assert pace.rate == FIRST_RATE
    assert not refuse(pace, 5.1, 50)
    assert pace.free_at(5.0) == 5.0 + 1 / FIRST_RATE


def test_where_another_process_is_refused_this_one_is_slower_too() -> None:
    pace = HostPace()
    pace.slow_down(3.0)
    pace.slow_down(3.1)
    assert pace.rate == FIRST_RATE_BESIDE < FIRST_RATE
    pace.slow_down(4.0)
    assert SLOWEST < pace.rate < FIRST_RATE_BESIDE


def test_nothing_is_counted_while_the_host_is_paused() -> None:
    pace = HostPace()
    pace.accepted(0.0)
    assert pace.refused(0.0, explicit=True, too_many=True)
    pace.pause(0.0, 100.0)
    before = pace.rate
    assert not pace.refused(50.0, explicit=True, too_many=True)
    assert pace.rate == before
    pace.accepted(100.0)
    assert pace.rate == before
    pace.accepted(100.1)
    assert before is not None
    assert before < pace.rate < 2 * before  # type: ignore[operator]


def test_a_rate_that_nothing_speaks_against_is_none_at_last() -> None:
    pace, now = HostPace(), 0.0
    pace.accepted(now)
    assert refuse(pace, now)
    while pace.rate is not None:
        now = pace.free_at(now + 0.02)
        pace.start(now)
        pace.accepted(now)
        assert pace.rate is None or pace.rate < FASTEST
        assert now < 10.0


def test_one_without_service_has_a_pace_for_a_shorter_while() -> None:
    pace = HostPace()
    pace.accepted(0.0)
    assert refuse(pace, 0.0)
    pace.refused(ANSWERED_LATELY, explicit=False, too_many=False)
    assert pace.rate is not None
    pace.refused(ANSWERED_LATELY + 1, explicit=False, too_many=False)
    assert pace.rate is None
