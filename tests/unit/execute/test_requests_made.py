"""What is told of each request of a download that is traced."""

from __future__ import annotations

from typing import Any

from marscore.events import DownloadFailed, DownloadFinished, RangesFetched, RequestFinished, RequestsMade, RetryScheduled
from marscore.execute.transfer.protocol import Delivered, Emit, Placed, Stopped, Work
from marscore.execute.transfer.requests_made import MOST, RequestNotes
from marscore.execute.transfer.state_machine import Transfer
from marscore.ports import Answer
from marscore.state import Content, FileIdentity
from marscore.url import parse_url
from marscore.values import Failure, MadeRequest
from tests.unit.execute.story import MIB, SHA, URL, Story
from tests.unit.execute.test_transfer import part, whole

BEGAN = 1_700_000_100.0


def traced(**options: Any) -> Story:
    story = Story(**{"checksum": SHA, **options})
    story.transfer = Transfer(Work(story.transfer.download, requests=frozenset({"traced"})), story.now)
    return story.open()


def placed(story: Story, size: int) -> None:
    story.hashed()
    story.step(Placed(story.now, FileIdentity(size, 1, 2), {"sha256": "a" * 64}))


def requests_of(story: Story) -> tuple[MadeRequest, ...]:
    """They are told once, before the outcome."""
    events = [command.event for command in story.commands if isinstance(command, Emit)]
    [told] = [event for event in events if isinstance(event, RequestsMade)]
    assert isinstance(events[-1], DownloadFinished | DownloadFailed)
    return told.requests


def test_of_a_small_file_that_came_at_once() -> None:
    story = traced(checksum=None)
    segment = story.take()
    story.ticks += 0.25
    content = Content(b"x" * 10, ("sha256",))
    story.step(Delivered(story.now, segment, Answer(200, {"content-length": "10"}, parse_url(URL)), content))
    story.step(Placed(story.now, FileIdentity(10, 1, 2), content.digests))
    assert requests_of(story) == (MadeRequest(0, 0, 10, BEGAN, BEGAN + 0.25, BEGAN + 0.25, 200, None),)
    assert story.told(RangesFetched) == [], "the report says no more of it than without a trace"


def test_of_one_that_is_cut_and_goes_on() -> None:
    story = traced()
    first = story.take()
    story.ticks += 0.5
    story.answer(first, 200, **whole(100, etag='"v1"', accept_ranges="bytes"))
    story.receive(first, 60)
    story.ticks += 0.5
    story.breaks(first, "truncated")
    story.ticks += 2
    again = story.take()
    story.answer(again, 206, **part(60, 100, 100, etag='"v1"'))
    story.fetch(again)
    placed(story, 100)
    assert requests_of(story) == (
        MadeRequest(0, 0, 60, BEGAN, BEGAN + 0.5, BEGAN + 1, 200, "truncated"),
        MadeRequest(0, 60, 40, BEGAN + 3, BEGAN + 3, BEGAN + 3, 206, None),
    )


def test_of_answers_that_are_refused_and_connections_that_are_not_made() -> None:
    story = traced()
    story.answer(story.take(), 503)
    story.ticks += 9
    story.breaks(story.take(), "dns")
    story.step(Stopped(story.now, Failure("interrupted", "stop")))
    assert [(made.status, made.failure, made.answered is None) for made in requests_of(story)] == [
        (503, "server_error", False),
        (None, "dns", True),
    ]


def test_what_a_stop_cuts_short_is_told() -> None:
    story = traced()
    segment = story.take()
    story.answer(segment, 200, **whole(8 * MIB))
    story.receive(segment, 5)
    story.step(Stopped(story.now, Failure("interrupted", "stop")))
    assert [(made.status, made.length, made.failure) for made in requests_of(story)] == [(200, 5, None)]


def test_one_that_is_not_traced_tells_none() -> None:
    story = Story(checksum=SHA).open()
    story.answer(story.take(), 404)
    assert story.told(RequestsMade) == []


def test_there_are_so_many_and_no_more() -> None:
    story = Story(checksum=SHA).open()
    segment, notes = story.take(), RequestNotes([URL])
    for _ in range(MOST + 5):
        notes.note([segment], Stopped(story.now, Failure("interrupted", "stop")), ())
    told = notes.told(1.0, "downloads[0]")
    assert (len(told.requests), told.left_out) == (MOST, 5)


def test_for_the_log_each_is_told_as_it_ends_before_what_comes_of_it() -> None:
    story = Story(checksum=SHA)
    story.transfer = Transfer(Work(story.transfer.download, requests=frozenset({"logged"})), story.now)
    story.open()
    first = story.take()
    story.ticks += 0.5
    story.answer(first, 200, **whole(100, etag='"v1"', accept_ranges="bytes"))
    story.receive(first, 60)
    story.ticks += 0.5
    story.breaks(first, "truncated")
    events = [command.event for command in story.commands if isinstance(command, Emit)]
    [told] = [event for event in events if isinstance(event, RequestFinished)]
    assert (told.url, told.status, told.failure, told.offset, told.length) == (URL, 200, "truncated", 0, 60)
    assert (told.first_byte_s, told.duration_s, told.at) == (0.5, 1.0, BEGAN + 1.0)
    assert isinstance(events[events.index(told) + 1], RetryScheduled)
    assert not [event for event in events if isinstance(event, RequestsMade)], "nothing is traced"
