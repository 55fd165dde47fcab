"""What the threads of a process share: connections that lag are shut down, and what tells whether more threads would help."""

from __future__ import annotations

import contextlib

from marscore.execute.desk import Desk
from marscore.execute.protocol import Segment
from marscore.execute.schedule import Board
from marscore.execute.writing import Reads
from marscore.policy.pacing import TokenBucket
from marscore.ports import Answer
from marscore.url import parse_url
from tests.fakes.clock import FakeClock
from tests.fakes.files import MemoryFolder
from tests.fakes.http import FakeClient, FakeResponse
from tests.unit.execute.story import URL, Story
from tests.unit.execute.test_transfer import shared

MIB = 1024 * 1024


class Watched(FakeResponse):
    aborted = False

    def __init__(self) -> None:
        super().__init__(Answer(200, {}, parse_url(URL)), b"")

    def abort(self) -> None:
        self.aborted = True


def a_desk() -> tuple[Desk, FakeClock]:
    clock = FakeClock()
    return Desk(Board(16), FakeClient({}), MemoryFolder(), clock, lambda event: None, Reads(MIB, 8 * MIB)), clock


def flow(desk: Desk, clock: FakeClock, story: Story, segments: list[Segment], silent: Segment) -> list[Watched]:
    """Some seconds in which all but one bring bytes, and the desk looks at them."""
    desk.board.open[story.transfer.download.id] = story.transfer
    bodies = [Watched() for _ in segments]
    with contextlib.ExitStack() as stack:
        for segment, body in zip(segments, bodies, strict=True):
            stack.enter_context(desk.watching(segment, body))
        for _ in range(10):
            clock.elapsed += 0.5
            for segment in segments:
                if segment is not silent:
                    story.transfer.admit(segment, MIB // 2, clock.elapsed)
            desk.give_up_laggards()
    return bodies


def test_the_connection_that_lags_is_shut_down_and_no_other() -> None:
    story, segments = shared(48 * MIB, 3)
    desk, clock = a_desk()
    assert [body.aborted for body in flow(desk, clock, story, segments, segments[1])] == [False, True, False]


def test_under_a_rate_limit_none_is() -> None:
    story, segments = shared(48 * MIB, 3)
    desk, clock = a_desk()
    desk.rate = TokenBucket(MIB, 0.0)
    assert not any(body.aborted for body in flow(desk, clock, story, segments, segments[1]))


def test_of_many_open_files_none_is_looked_at() -> None:
    story, segments = shared(48 * MIB, 3)
    desk, clock = a_desk()
    desk.board.open |= {str(n): Story().transfer for n in range(256)}
    assert not any(body.aborted for body in flow(desk, clock, story, segments, segments[1]))


def test_a_reading_counts_the_waits_that_are_not_over() -> None:
    desk, clock = a_desk()
    clock.elapsed, clock.busy = 10.0, 0.5
    desk.progress, desk.receiving, desk.writing = 7, 2.0, 1.5
    desk.since = {1: 6.0, 2: 9.0, 3: 11.0}
    assert desk.reading() == (10.0, 5.0, 7, 2.0 + 4.0 + 1.0, 1.5)


def test_the_options_of_many_downloads_are_looked_at_once() -> None:
    desk, _ = a_desk()
    options = Story().transfer.options
    assert desk.access(options) is desk.access(options)
    other = Story(headers=(("A", "b"),)).transfer.options
    assert desk.access(other).headers == (("A", "b"),)
    assert desk.access(options).headers == ()
