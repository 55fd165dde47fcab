"""What a transfer does when a part of its file, or a further connection, is refused."""

from __future__ import annotations

import pytest

from marscore.events import DownloadFailed, HostPaused, MirrorSwitched, RangesUnsupported, ResumeDiscarded, RetryScheduled
from marscore.execute.transfer.protocol import PauseHost, Segment, Verify
from marscore.policy.retry import RetryRules
from marscore.state import key_of
from marscore.validator import Validator
from marscore.values import ByteRange
from tests.unit.execute.story import MIB, MIRROR, SHA, STEADY, URL, Story
from tests.unit.execute.test_transfer import part, started, whole

SIZE = 100 * MIB


def shared(hands: int = 3, *sources: str, **more: object) -> tuple[Story, Segment, list[Segment]]:
    """A large file over its first connection, and further ones that were asked for."""
    story = started(SIZE, *sources, **more)  # type: ignore[arg-type]
    first = story.transfer.ledger.active[0]
    story.receive(first, MIB)
    story.transfer.share(hands)
    return story, first, [story.take() for _ in range(hands)]


def test_where_no_part_ever_came_one_refusal_is_enough() -> None:
    story, first, further = shared()
    assert not story.answer(further[1], 403)
    assert first.end == SIZE
    assert [segment.cancelled for segment in further] == [True] * 3
    assert not story.transfer.can_share()
    assert story.transfer.due is None
    # What those bring that were cancelled goes nowhere.
    assert not story.answer(further[0], 206, **part(further[0].begin, further[0].end or 0, SIZE))
    assert not story.answer(further[2], 403)
    story.fetch(first)
    assert story.said(Verify) == [Verify(0, SIZE, ("sha256",))]
    assert not story.told(RetryScheduled)
    assert [told.reason for told in story.told(RangesUnsupported)] == [
        "a further connection for a part of it was refused: the server answered 403 Forbidden"
    ]


def test_parts_that_came_stay_and_each_refusal_takes_one_connection() -> None:
    story, first, further = shared()
    assert story.answer(further[0], 206, **part(further[0].begin, further[0].end or 0, SIZE))
    assert not story.answer(further[1], 403)
    assert not further[2].cancelled
    assert not story.answer(further[2], 403)
    assert story.transfer.take(story.ticks) is None
    end = first.end
    story.fetch(further[0])
    assert first.end == end
    # In its place there may be another, which brings the next part.
    again = story.take()
    assert story.answer(again, 206, **part(again.begin, again.end or 0, SIZE))
    story.fetch(first)
    while story.transfer.ledger.active or story.transfer.ledger.pending:
        for segment in list(story.transfer.ledger.active):
            story.fetch(segment)
        if story.transfer.ledger.pending:
            segment = story.take()
            assert story.answer(segment, 206, **part(segment.begin, segment.end or 0, SIZE))
    assert story.complete
    assert story.transfer.bytes_downloaded == SIZE
    assert not story.told(RetryScheduled)


@pytest.mark.parametrize("refusal", [503, 429, "connection"])
def test_a_refusal_that_may_pass_holds_back_further_connections(refusal: int | str) -> None:
    story, first, further = shared(1)
    if isinstance(refusal, int):
        story.answer(further[0], refusal)
    else:
        story.breaks(further[0])
    assert (first.end, first.cancelled) == (SIZE, False)
    assert story.transfer.free_at == story.ticks + 1
    assert not story.told(RetryScheduled)
    assert not story.told(HostPaused)
    # Then one more is tried, and what it gets comes from it.
    story.ticks += 1
    story.transfer.share(9)
    again = story.take()
    assert story.answer(again, 206, **part(again.begin, again.end or 0, SIZE))
    assert story.transfer.can_share()
    assert story.transfer.free_at == story.ticks


def test_a_server_that_says_how_long_is_obeyed_and_its_host_with_it() -> None:
    story, first, further = shared(1)
    story.answer(further[0], 429, retry_after="7")
    assert story.transfer.free_at == story.ticks + 7
    assert [paused.wait_s for paused in story.told(HostPaused)] == [7]
    assert [paused.seconds for paused in story.said(PauseHost)] == [7]
    assert first.end == SIZE


def test_refusals_without_end_end_the_tries_and_not_the_file() -> None:
    story, first, further = shared(1, retry=RetryRules(max_retries=2, backoff=STEADY))
    story.answer(further[0], 503)
    for _ in range(2):
        story.ticks += 5
        story.transfer.share(1)
        story.answer(story.take(), 503)
    assert not story.transfer.can_share()
    story.fetch(first)
    assert story.complete
    assert not story.told(RetryScheduled)
    assert len(story.told(RangesUnsupported)) == 1


def test_the_first_is_not_extended_where_it_reads_no_more() -> None:
    story, first, further = shared(1)
    story.receive(first, first.remaining)
    end = first.end
    story.answer(further[0], 403)
    assert first.end == end
    story.end(first)
    # The only one that there is now: refused as well, the whole file is asked for.
    again = story.take()
    assert again.asked is not None
    story.answer(again, 403)
    assert story.take().asked is None


def test_a_416_about_a_file_of_the_same_size_is_a_refusal_and_of_another_a_change() -> None:
    story, first, further = shared(1)
    story.answer(further[0], 416, content_range=f"bytes */{SIZE}")
    assert (first.end, first.cancelled) == (SIZE, False)
    story, first, further = shared(1)
    story.answer(further[0], 416, content_range=f"bytes */{SIZE - 1}")
    assert first.cancelled
    assert [retry.kind for retry in story.told(RetryScheduled)] == ["changed"]


def cut(*sources: str, **more: object) -> Story:
    """A file that broke off after 30 of 100 bytes, when the wait is over."""
    story = started(100, *sources, **more)  # type: ignore[arg-type]
    story.receive(story.transfer.ledger.active[0], 30)
    story.breaks(story.transfer.ledger.active[0])
    story.ticks += 1
    return story


def test_a_part_that_is_refused_is_followed_by_a_request_for_the_whole() -> None:
    story = cut()
    story.answer(story.take(), 403)
    again = story.take()
    assert story.asks(again) == {"Accept-Encoding": "identity"}
    # Nothing is given up before it is answered, and nothing else is asked meanwhile.
    assert not story.told(ResumeDiscarded)
    assert story.transfer.due is None
    assert story.answer(again, 200, **whole(100))
    assert [event.bytes_discarded for event in story.told(ResumeDiscarded)] == [30]
    assert len(story.told(RangesUnsupported)) == 1
    assert (again.begin, again.end, again.epoch) == (0, 100, 1)
    story.fetch(again)
    assert story.said(Verify) == [Verify(1, 100, ("sha256",))]


@pytest.mark.parametrize("status", [404, 500])
def test_one_that_is_refused_too_ends_it_with_the_part_kept(status: int) -> None:
    story = cut(retry=RetryRules(max_retries=1, backoff=STEADY))
    asked = []
    while not story.transfer.closed:
        story.ticks += 5
        asked.append(story.take().asked)
        story.answer(story.transfer.ledger.active[0], status)
    assert asked == [(30, 100), None] if status == 404 else [(30, 100), (30, 100), None]
    assert [(failed.kind, failed.status) for failed in story.told(DownloadFailed)] == [
        ("http_status" if status == 404 else "server_error", status)
    ]
    assert not story.told(ResumeDiscarded)


def test_the_whole_is_asked_for_again_where_only_the_answer_got_lost() -> None:
    story = cut()
    story.answer(story.take(), 403)
    story.breaks(story.take())
    story.ticks += 5
    assert story.take().asked is None


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_with_too_much_to_do_is_not_asked_for_the_whole(status: int) -> None:
    story = cut(retry=RetryRules(max_retries=0, by_kind=(("connection", 1),), backoff=STEADY))
    story.answer(story.take(), status)
    assert story.transfer.closed


def test_another_source_is_asked_before_that() -> None:
    story = cut(URL, MIRROR, checksum=SHA)
    story.answer(story.take(), 403)
    assert story.told(MirrorSwitched)
    assert story.asks(story.take())["Range"] == "bytes=30-99"


def test_another_version_in_place_of_the_part_is_fetched_as_any_other() -> None:
    story = cut()
    story.answer(story.take(), 403)
    again = story.take()
    assert story.answer(again, 200, **whole(50, etag='"v2"', accept_ranges="bytes"))
    story.fetch(again)
    assert story.said(Verify) == [Verify(1, 50, ("sha256",))]


def test_of_several_parts_of_an_earlier_run_the_last_refusal_decides() -> None:
    proven = (ByteRange(0, 10), ByteRange(20, 30))
    story = Story().open(proven=proven, pieces=2, size=100, validator=Validator('"v1"'), url_key=key_of(URL))
    parts = [story.take(), story.take()]
    story.answer(parts[0], 403)
    assert story.transfer.take(story.ticks) is None
    story.answer(parts[1], 403)
    assert story.take().asked is None
    assert story.transfer.take(story.ticks) is None
