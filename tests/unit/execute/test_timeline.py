"""What is told of a file's ranges: when each was asked for and ended, from where, and how."""

from __future__ import annotations

from marscore.events import DownloadFinished, Event, RangesFetched
from marscore.execute.transfer.protocol import Delivered, Emit, Lagged, Placed, Stopped, Yielded
from marscore.execute.transfer.timeline import MOST
from marscore.policy.pacing import Lag
from marscore.policy.retry import RetryRules
from marscore.ports import Answer
from marscore.state import Content, FileIdentity, key_of
from marscore.url import parse_url
from marscore.validator import Validator
from marscore.values import ByteRange, Failure, FetchedRange
from tests.unit.execute.story import MIB, MIRROR, SHA, STEADY, URL, Story
from tests.unit.execute.test_transfer import V1, part, whole


def placed(story: Story, size: int) -> None:
    story.hashed()
    story.step(Placed(story.now, FileIdentity(size, 1, 2), {"sha256": "a" * 64}))


def told(story: Story) -> tuple[FetchedRange, ...]:
    """The ranges, which are told once, right before the outcome."""
    events: list[Event] = [command.event for command in story.commands if isinstance(command, Emit)]
    assert [isinstance(event, RangesFetched) for event in events].count(True) == 1
    last = events[-2]
    assert isinstance(last, RangesFetched)
    return last.ranges


def delivered(story: Story) -> None:
    """The file comes at once, and is placed."""
    content = Content(b"x" * 10, ("sha256",))
    story.step(Delivered(story.now, story.take(), Answer(200, {"content-length": "10"}, parse_url(URL)), content))
    story.step(Placed(story.now, FileIdentity(10, 1, 2), content.digests))
    assert story.told(DownloadFinished)


def test_a_small_file_says_nothing_that_its_times_do_not() -> None:
    story = Story().open()
    delivered(story)
    assert story.told(RangesFetched) == []


def test_a_small_file_that_came_at_the_second_try_tells_of_both() -> None:
    story = Story().open()
    story.breaks(story.take())
    story.ticks += 10
    delivered(story)
    assert [(each.length, each.end) for each in told(story)] == [(0, "failed"), (10, "done")]


def test_a_small_file_whose_server_thinks_for_a_second_tells_when_it_answered() -> None:
    story = Story().open()
    segment = story.take()
    story.ticks += 1.5
    segment.answered(story.ticks, 200)
    story.ticks += 0.25
    content = Content(b"x" * 10, ("sha256",))
    story.step(Delivered(story.now, segment, Answer(200, {"content-length": "10"}, parse_url(URL)), content))
    story.step(Placed(story.now, FileIdentity(10, 1, 2), content.digests))
    assert told(story) == (FetchedRange(0, 10, 0.0, 1.5, 1.75, 0, "done", True),)


def test_a_small_file_that_came_after_a_retry_tells_when_it_was_answered() -> None:
    story = Story().open()
    story.breaks(story.take())
    story.ticks += 10
    delivered(story)
    assert told(story)[-1] == FetchedRange(0, 10, 10.0, 10.0, 10.0, 0, "done", True)


def test_a_file_that_failed_at_once_tells_of_its_one_request() -> None:
    story = Story().open()
    story.answer(story.take(), 404)
    assert [(each.length, each.answered_s, each.end) for each in told(story)] == [(0, 0.0, "failed")]


def test_one_range_that_took_a_second_tells_when_the_answer_came() -> None:
    story = Story(checksum=SHA).open()
    segment = story.take()
    story.ticks += 0.25
    story.answer(segment, 200, **whole(10))
    story.ticks += 0.5
    story.fetch(segment)
    story.ticks += 0.25
    placed(story, 10)
    assert told(story) == (FetchedRange(0, 10, 0.0, 0.25, 0.75, 0, "done", True),)


def test_two_connections_are_two_ranges() -> None:
    story = Story(checksum=SHA).open()
    one = story.take()
    story.answer(one, 200, **whole(8 * MIB, accept_ranges="bytes"))
    story.transfer.share(1)
    story.ticks += 0.125
    other = story.take()
    story.answer(other, 206, **part(4 * MIB, 8 * MIB, 8 * MIB))
    story.fetch(one)
    story.fetch(other)
    placed(story, 8 * MIB)
    assert told(story) == (
        FetchedRange(0, 4 * MIB, 0.0, 0.0, 0.125, 0, "done", True),
        FetchedRange(4 * MIB, 4 * MIB, 0.125, 0.125, 0.125, 0, "done", True),
    )


def test_what_broke_and_what_went_on_after_a_wait() -> None:
    story = Story(checksum=SHA).open()
    first = story.take()
    story.answer(first, 200, **whole(10, **V1))
    story.receive(first, 4)
    story.breaks(first)
    story.ticks += 1
    second = story.take()
    story.answer(second, 206, **part(4, 10, 10, **V1))
    story.fetch(second)
    placed(story, 10)
    assert told(story) == (FetchedRange(0, 4, 0.0, 0.0, 0.0, 0, "failed", True), FetchedRange(4, 6, 1.0, 1.0, 1.0, 0, "done", True))


def test_tries_of_which_nothing_came_and_another_source() -> None:
    story = Story(URL, MIRROR, retry=RetryRules(max_retries=1, backoff=STEADY)).open()
    story.answer(story.take(), 503)
    story.ticks += 1
    story.breaks(story.take())
    story.ticks += 2
    story.breaks(story.take())
    story.answer(story.take(), 404)
    assert told(story) == (
        FetchedRange(0, 0, 0.0, 0.0, 0.0, 0, "failed", True),
        FetchedRange(0, 0, 1.0, None, 1.0, 0, "failed", True),
        FetchedRange(0, 0, 3.0, None, 3.0, 0, "failed", True),
        FetchedRange(0, 0, 3.0, 3.0, 3.0, 1, "failed", True),
    )


def test_what_an_earlier_run_brought_and_what_was_thrown_away() -> None:
    story = Story(checksum=SHA).open(proven=(ByteRange(0, 6),), pieces=1, size=10, validator=Validator('"v1"'), url_key=key_of(URL))
    segment = story.take()
    story.answer(segment, 200, **whole(12, etag='"v2"'))
    story.fetch(segment)
    placed(story, 12)
    assert told(story) == (FetchedRange(0, 6, 0.0, None, 0.0, None, "resumed", False), FetchedRange(0, 12, 0.0, 0.0, 0.0, 0, "done", True))


def test_connections_that_were_given_up() -> None:
    story = Story(checksum=SHA).open()
    slow = story.take()
    story.answer(slow, 200, **whole(30, **V1))
    story.receive(slow, 10)
    slow.lag = Lag(1.0, 9.0)
    story.step(Lagged(story.now, slow))
    lent = story.take()
    story.answer(lent, 206, **part(10, 30, 30, **V1))
    story.receive(lent, 10)
    story.step(Yielded(story.now, lent))
    last = story.take()
    story.answer(last, 206, **part(20, 30, 30, **V1))
    story.step(Stopped(story.now, Failure("interrupted", "told to stop")))
    assert [(each.offset, each.length, each.end) for each in told(story)] == [
        (0, 10, "redialled"),
        (10, 10, "yielded"),
        (20, 0, "given_up"),
    ]


def test_of_a_file_that_breaks_off_again_and_again_the_first_ranges_are_told() -> None:
    story = Story(checksum=SHA, retry=RetryRules(max_retries=3, backoff=STEADY)).open()
    size = MOST + 10
    for at in range(size):
        segment = story.take()
        story.answer(segment, 200 if not at else 206, **(whole(size, **V1) if not at else part(at, size, size, **V1)))
        if at + 1 < size:
            story.receive(segment, 1)
            story.breaks(segment)
            story.ticks += 10
        else:
            story.fetch(segment)
    placed(story, size)
    [event] = story.told(RangesFetched)
    assert (len(event.ranges), event.left_out) == (MOST, 10)
