"""What a transfer decides: each test is the story of one file."""

from __future__ import annotations

from dataclasses import replace

import pytest

from marscore.errors import IntegrityError
from marscore.events import (
    ConnectionRedialled,
    DownloadFailed,
    DownloadFinished,
    DownloadResumed,
    HostPaused,
    MirrorSwitched,
    RangesUnsupported,
    ResumeDiscarded,
    RetryScheduled,
    Warned,
)
from marscore.execute.transfer.protocol import (
    Delivered,
    Identified,
    Identify,
    PauseHost,
    Place,
    Placed,
    Release,
    Segment,
    Stopped,
    Store,
    Verify,
    Yielded,
)
from marscore.policy.pacing import MAX_REDIALS, PACE_REMEMBERED
from marscore.policy.retry import RetryRules
from marscore.ports import Answer
from marscore.state import Attributes, Claim, Content, FileIdentity, key_of
from marscore.url import parse_url
from marscore.validator import Validator
from marscore.values import ByteRange, Failure, Timeouts
from tests.unit.execute.story import MIB, MIRROR, SHA, STEADY, URL, Story

V1 = {"etag": '"v1"', "accept_ranges": "bytes"}
V2 = {"etag": '"v2"', "accept_ranges": "bytes"}
#: A date that proves its version, and one that another version may have.
DATED = {"last_modified": "Mon, 01 Jan 2024 00:00:00 GMT", "date": "Mon, 01 Jan 2024 00:01:00 GMT", "accept_ranges": "bytes"}
FRESH = {**DATED, "date": "Mon, 01 Jan 2024 00:00:59 GMT"}


def whole(size: int, **fields: str) -> dict[str, str]:
    return {"content_length": str(size), **(fields or V1)}


def part(start: int, end: int, size: int, **fields: str) -> dict[str, str]:
    return {"content_range": f"bytes {start}-{end - 1}/{size}", **(fields or V1)}


def started(size: int = 100, *sources: str, checksum: str | None = None, fields: dict[str, str] | None = None, **options: object) -> Story:
    """A story whose first answer has come."""
    story = Story(*sources, checksum=checksum, **options).open()
    assert story.answer(story.take(), 200, **whole(size, **(fields or V1)))
    return story


def test_a_small_file_costs_one_plain_request() -> None:
    story = Story().open()
    segment = story.take()
    assert story.asks(segment) == {"Accept-Encoding": "identity"}
    assert story.answer(segment, 200, **whole(10))
    story.fetch(segment)
    assert story.said(Verify) == [Verify(0, 10, ("sha256",))]
    story.hashed()
    finished_now = Attributes(mtime_ns=int(story.now.unix * 1e9))
    assert story.said(Place) == [Place(0, 10, {"sha256": "a" * 64}, finished_now)]
    story.step(Placed(story.now, FileIdentity(10, 1, 2), {"sha256": "a" * 64}))
    finished = story.told(DownloadFinished)[0]
    assert (finished.status, finished.size, finished.bytes_downloaded, finished.digests) == ("downloaded", 10, 10, (SHA,))
    assert story.transfer.closed


def delivered(story: Story, size: int, **fields: str) -> Content:
    """The whole body came with its answer."""
    segment = story.take()
    answer = Answer(200, {name.replace("_", "-"): value for name, value in whole(size, **fields).items()}, parse_url(segment.url))
    content = Content(bytes(size), ["sha256"])
    story.step(Delivered(story.now, segment, answer, content))
    return content


def test_a_file_that_came_whole_with_its_answer_is_placed_at_once() -> None:
    story = Story().open()
    content = delivered(story, 10)
    assert story.said(Store) == [Store(content)]
    assert not story.said(Place)
    story.step(Placed(story.now, FileIdentity(10, 1, 2), content.digests))
    finished = story.told(DownloadFinished)[0]
    assert (finished.size, finished.bytes_downloaded, finished.segments, finished.etag, finished.source) == (10, 10, 1, '"v1"', URL)
    assert story.transfer.closed


def test_what_is_in_place_with_another_size_than_was_verified_is_not_claimed() -> None:
    story = Story().open()
    content = delivered(story, 10)
    story.step(Placed(story.now, FileIdentity(9, 1, 2), content.digests))
    assert not story.told(DownloadFinished)
    assert [failed.kind for failed in story.told(DownloadFailed)] == ["internal"]


def test_what_came_at_once_is_held_against_checksum_and_size_like_any_other() -> None:
    wrong = Story(checksum=f"sha256:{'b' * 64}").open()
    delivered(wrong, 10)
    assert not wrong.said(Store)
    assert [retry.kind for retry in wrong.told(RetryScheduled)] == ["checksum"]
    long = Story(max_size=9).open()
    delivered(long, 10)
    assert not long.said(Store)
    assert [failed.kind for failed in long.told(DownloadFailed)] == ["too_large"]


def test_what_is_given_up_before_its_answer_is_taken_by_another_and_costs_no_retry() -> None:
    story = Story().open()
    segment = story.take()
    story.step(Yielded(story.now, segment))
    again = story.take()
    assert (again.begin, again.asked) == (0, None)
    assert not story.told(RetryScheduled)


def test_an_empty_file_is_a_file() -> None:
    story = started(0)
    story.end(story.transfer.ledger.active[0])
    assert story.said(Verify) == [Verify(0, 0, ("sha256",))]


def test_idle_connections_share_what_the_first_has_before_it() -> None:
    story = started(10 * MIB)
    first = story.transfer.ledger.active[0]
    story.receive(first, 2 * MIB)
    assert story.transfer.can_share()
    story.transfer.share(3)
    second = story.take()
    assert first.end == 4 * MIB
    assert story.asks(second)["Range"] == f"bytes={4 * MIB}-{6 * MIB - 1}"
    assert story.asks(second)["If-Range"] == '"v1"'
    ranges = [(s.begin, s.end) for s in (second, story.take(), story.take())]
    assert ranges == [(4 * MIB, 6 * MIB), (6 * MIB, 8 * MIB), (8 * MIB, 10 * MIB)]


def test_a_large_file_is_fetched_in_its_order_by_all_its_connections() -> None:
    story = started(100 * MIB)
    first = story.transfer.ledger.active[0]
    story.receive(first, 4 * MIB + 5)
    story.transfer.share(1)
    second = story.take()
    assert (first.end, second.begin, second.end) == (16 * MIB, 16 * MIB, 28 * MIB)
    story.fetch(second)
    assert story.take().begin == 28 * MIB


def test_a_file_has_no_more_connections_than_its_threads() -> None:
    story = started(100 * MIB, threads=2)
    story.transfer.share(7)
    story.take()
    assert story.transfer.take(story.ticks) is None
    assert not story.transfer.can_share()


def test_a_segment_takes_no_byte_past_its_end() -> None:
    story = started(10 * MIB)
    first = story.transfer.ledger.active[0]
    story.transfer.share(1)
    assert story.receive(first, 6 * MIB) == 5 * MIB
    assert story.receive(first, MIB) == 0


@pytest.mark.parametrize(
    "fields", [{"accept_ranges": "none", "etag": '"v1"'}, {"accept_ranges": "bytes"}, {"accept_ranges": "bytes", "etag": 'W/"v1"'}, FRESH]
)
def test_bytes_that_nothing_joins_safely_come_over_one_connection(fields: dict[str, str]) -> None:
    assert not started(100 * MIB, fields=fields).transfer.can_share()


def test_a_checksum_joins_bytes_that_have_no_validator() -> None:
    assert started(100 * MIB, checksum=SHA, fields={"accept_ranges": "bytes"}).transfer.can_share()


def test_a_cut_body_goes_on_where_it_broke() -> None:
    story = started(100)
    story.receive(story.transfer.ledger.active[0], 30)
    story.breaks(story.transfer.ledger.active[0], "truncated", "the body broke off")
    retry = story.told(RetryScheduled)[0]
    assert (retry.attempt, retry.kind, retry.wait_s, retry.url) == (1, "truncated", 1.0, URL)
    story.ticks += 1
    again = story.take()
    assert story.asks(again)["Range"] == "bytes=30-99"
    assert story.answer(again, 206, **part(30, 100, 100))
    story.fetch(again)
    assert story.complete
    assert story.transfer.bytes_downloaded == 100


def test_nothing_is_asked_before_the_wait_is_over() -> None:
    story = started(100)
    story.breaks(story.transfer.ledger.active[0])
    assert story.transfer.take(story.ticks + 0.9) is None
    assert story.transfer.ledger.earliest() == story.ticks + 1


def test_progress_starts_the_count_anew_and_tries_without_any_end_it() -> None:
    story = started(100, retry=RetryRules(max_retries=1, backoff=STEADY))
    segment = story.transfer.ledger.active[0]
    for _ in range(5):
        story.receive(segment, 1)
        story.breaks(segment)
        story.ticks += 1
        segment = story.take()
        story.answer(segment, 206, **part(segment.begin, 100, 100))
    story.breaks(segment)
    assert story.told(DownloadFailed)[0].kind == "connection"
    assert [retry.attempt for retry in story.told(RetryScheduled)] == [1] * 5


def test_a_server_that_cannot_resume_makes_it_start_over_without_endless_retries() -> None:
    story = started(100, fields={"accept_ranges": "none", "etag": '"v1"'}, retry=RetryRules(max_retries=2, backoff=STEADY))
    for _ in range(3):
        segment = story.transfer.ledger.active[0]
        story.receive(segment, 50)
        story.breaks(segment)
        if story.transfer.closed:
            break
        story.ticks += 2
        again = story.take()
        assert again.asked is None
        story.answer(again, 200, **whole(100, accept_ranges="none", etag='"v1"'))
    assert [event.bytes_discarded for event in story.told(ResumeDiscarded)] == [50, 50]
    assert story.told(DownloadFailed)[0].kind == "connection"


def test_a_changed_file_starts_over_with_the_very_answer_that_shows_it() -> None:
    story = started(100)
    story.receive(story.transfer.ledger.active[0], 30)
    story.breaks(story.transfer.ledger.active[0])
    story.ticks += 1
    again = story.take()
    assert story.answer(again, 200, **whole(50, **V2))
    assert story.told(ResumeDiscarded)[0].bytes_discarded == 30
    assert "size was 100 and is 50" in story.told(ResumeDiscarded)[0].reason
    assert (again.begin, again.end, again.epoch) == (0, 50, 1)
    story.fetch(again)
    assert story.said(Verify) == [Verify(1, 50, ("sha256",))]


def test_a_part_of_another_version_is_never_used() -> None:
    story = started(10 * MIB)
    first = story.transfer.ledger.active[0]
    story.transfer.share(1)
    second = story.take()
    assert not story.answer(second, 206, **part(5 * MIB, 10 * MIB, 10 * MIB, **V2))
    assert story.told(RetryScheduled)[0].kind == "changed"
    assert first.cancelled
    assert story.receive(first, MIB) == 0
    story.ticks += 1
    assert story.take().asked is None


def test_a_file_that_never_stays_the_same_fails_by_that_name() -> None:
    story = started(100 * MIB, retry=RetryRules(max_retries=2, backoff=STEADY))
    for version in range(2, 9):
        if story.transfer.closed:
            break
        story.transfer.share(1)
        answered = story.answer(story.take(), 200, **whole(100 * MIB, etag=f'"v{version}"', accept_ranges="bytes"))
        assert answered or story.transfer.closed
    assert story.told(DownloadFailed)[0].kind == "changed"


def test_a_200_in_the_middle_is_not_written_there_and_the_first_connection_goes_on_alone() -> None:
    story = started(100 * MIB, fields=DATED)
    first = story.transfer.ledger.active[0]
    story.transfer.share(3)
    second = story.take()
    assert not story.answer(second, 200, content_length=str(100 * MIB), **DATED | {"accept_ranges": "none"})
    assert story.told(RangesUnsupported)
    assert first.end == 100 * MIB
    assert story.transfer.take(story.ticks) is None
    story.fetch(first)
    assert story.said(Verify) == [Verify(0, 100 * MIB, ("sha256",))]


def test_a_server_that_ignores_an_etag_in_if_range_is_asked_with_the_date_then_without() -> None:
    fields = {**V1, **DATED}
    story = started(10 * MIB, fields=fields)
    story.transfer.share(1)
    asked = []
    for _ in range(2):
        segment = story.take()
        asked.append(story.asks(segment).get("If-Range"))
        story.answer(segment, 200, **whole(10 * MIB, **fields))
    segment = story.take()
    asked.append(story.asks(segment).get("If-Range"))
    assert asked == ['"v1"', DATED["last_modified"], None]
    assert story.answer(segment, 206, **part(5 * MIB, 10 * MIB, 10 * MIB, **fields))
    assert not story.told(RetryScheduled)


SILENT = {"accept_ranges": "bytes"}


@pytest.mark.parametrize("written", [0, MIB])
@pytest.mark.parametrize("shown", [SILENT, DATED], ids=["nothing", "a date"])
def test_a_part_that_shows_no_version_is_left_and_the_whole_goes_on(shown: dict[str, str], written: int) -> None:
    story = started(100 * MIB)
    first = story.transfer.ledger.active[0]
    story.receive(first, written)
    story.transfer.share(1)
    second = story.take()
    assert story.asks(second)["If-Range"] == '"v1"'
    assert not story.answer(second, 206, **part(second.begin, second.end or 0, 100 * MIB, **shown))
    assert "nothing proves" in story.told(RangesUnsupported)[0].reason
    assert not story.told(RetryScheduled)
    assert not story.transfer.can_share()
    story.fetch(first)
    assert story.said(Verify) == [Verify(0, 100 * MIB, ("sha256",))]


def test_a_part_that_shows_no_version_makes_a_cut_file_start_over() -> None:
    story = started(100)
    story.receive(story.transfer.ledger.active[0], 30)
    story.breaks(story.transfer.ledger.active[0])
    story.ticks += 1
    assert not story.answer(story.take(), 206, **part(30, 100, 100, **SILENT))
    assert [event.bytes_discarded for event in story.told(ResumeDiscarded)] == [30]
    assert "nothing proves" in story.told(ResumeDiscarded)[0].reason
    story.ticks += 9
    again = story.take()
    assert again.asked is None
    assert story.answer(again, 200, **whole(100))
    assert not story.transfer.known.resumable


def test_a_date_may_be_missing_where_the_request_named_it() -> None:
    story = started(100, fields=DATED)
    story.receive(story.transfer.ledger.active[0], 30)
    story.breaks(story.transfer.ledger.active[0])
    story.ticks += 1
    again = story.take()
    assert story.asks(again)["If-Range"] == DATED["last_modified"]
    assert story.answer(again, 206, **part(30, 100, 100, **SILENT))


@pytest.mark.parametrize(("shown", "whole_already"), [(V1, True), (SILENT, False), (V2, False)])
def test_the_end_of_a_file_of_unknown_length_has_to_be_its_own(shown: dict[str, str], whole_already: bool) -> None:
    story = Story().open()
    first = story.take()
    story.answer(first, 200, transfer_encoding="chunked", **V1)
    story.receive(first, 30)
    story.breaks(first)
    story.ticks += 1
    story.answer(story.take(), 416, content_range="bytes */30", **shown)
    assert story.complete is whole_already
    assert bool(story.told(ResumeDiscarded)) is not whole_already


def test_what_a_cut_answer_left_is_told_with_the_reason() -> None:
    story = started(100, fields=FRESH)
    story.receive(story.transfer.ledger.active[0], 30)
    story.breaks(story.transfer.ledger.active[0])
    assert "less than a minute older" in story.told(ResumeDiscarded)[0].reason


def test_a_short_part_leaves_the_rest_to_another_request() -> None:
    story = started(100)
    story.receive(story.transfer.ledger.active[0], 30)
    story.breaks(story.transfer.ledger.active[0])
    story.ticks += 1
    again = story.take()
    story.answer(again, 206, **part(30, 60, 100))
    story.fetch(again)
    assert not story.complete
    assert story.asks(story.take())["Range"] == "bytes=60-99"


def test_a_404_fails_at_once() -> None:
    story = Story().open()
    assert not story.answer(story.take(), 404)
    failed = story.told(DownloadFailed)[0]
    assert (failed.kind, failed.status) == ("http_status", 404)
    assert not story.told(RetryScheduled)


def test_retry_after_holds_the_whole_host() -> None:
    story = Story().open()
    story.answer(story.take(), 429, retry_after="7")
    assert story.told(RetryScheduled)[0].wait_s == 7
    assert story.told(HostPaused)[0].host == "origin.example:80"
    assert story.said(PauseHost) == [PauseHost("origin.example:80", 7.0)]


def test_mirrors_are_tried_in_order() -> None:
    story = Story(URL, MIRROR).open()
    story.answer(story.take(), 404)
    switched = story.told(MirrorSwitched)[0]
    assert (switched.from_, switched.to) == (URL, MIRROR)
    segment = story.take()
    assert segment.url == MIRROR
    assert story.answer(segment, 200, **whole(10))


def test_a_mirror_continues_only_what_a_checksum_proves() -> None:
    for checksum, asked, lost in ((SHA, "bytes=30-99", []), (None, None, [30])):
        story = started(100, URL, MIRROR, checksum=checksum, retry=RetryRules(max_retries=0))
        story.receive(story.transfer.ledger.active[0], 30)
        story.breaks(story.transfer.ledger.active[0])
        assert story.asks(story.take()).get("Range") == asked
        assert [event.bytes_discarded for event in story.told(ResumeDiscarded)] == lost


def test_a_wrong_checksum_is_fetched_again_and_then_fails_by_name() -> None:
    story = started(100, checksum=SHA, retry=RetryRules(max_retries=1, backoff=STEADY))
    story.fetch(story.transfer.ledger.active[0])
    story.hashed("b" * 64)
    assert story.told(RetryScheduled)[0].kind == "checksum"
    story.ticks += 1
    again = story.take()
    assert again.asked is None
    story.answer(again, 200, **whole(100))
    story.fetch(again)
    story.hashed("b" * 64)
    assert story.told(DownloadFailed)[0].kind == "checksum"
    assert story.said(Release) == [Release(keep=False)]


def test_the_size_is_checked_before_the_body() -> None:
    story = Story(size=99).open()
    assert not story.answer(story.take(), 200, **whole(100))
    assert story.told(DownloadFailed)[0].kind == "size"


def test_an_endless_body_stops_at_max_size() -> None:
    story = Story(max_size=50).open()
    segment = story.take()
    assert story.answer(segment, 200)
    story.receive(segment, 50)
    with pytest.raises(IntegrityError) as caught:
        story.receive(segment, 1)
    assert caught.value.failure.kind == "too_large"


def test_a_body_of_unknown_length_ends_when_it_ends() -> None:
    story = Story().open()
    segment = story.take()
    story.answer(segment, 200)
    story.receive(segment, 33)
    story.end(segment)
    assert story.said(Verify) == [Verify(0, 33, ("sha256",))]


def resumable(**changes: object) -> dict[str, object]:
    return {
        "proven": (ByteRange(0, 40), ByteRange(60, 80)),
        "pieces": 2,
        "size": 100,
        "validator": Validator('"v1"'),
        "url_key": key_of(URL),
    } | changes


def test_resume_fetches_only_the_gaps() -> None:
    story = Story().open(**resumable())
    # A server may still send the whole.
    assert not story.told(DownloadResumed)
    for span in ((40, 60), (80, 100)):
        segment = story.take()
        assert story.asks(segment)["Range"] == f"bytes={span[0]}-{span[1] - 1}"
        assert story.asks(segment)["If-Range"] == '"v1"'
        assert story.answer(segment, 206, **part(*span, 100))
        story.fetch(segment)
    assert story.complete
    assert [(told.bytes_resumed, told.pieces) for told in story.told(DownloadResumed)] == [(60, 2)]
    assert story.transfer.bytes_downloaded == 40


def test_resume_of_a_whole_file_asks_nothing() -> None:
    story = Story().open(**resumable(proven=(ByteRange(0, 100),)))
    assert story.complete
    assert story.transfer.take(story.ticks) is None


@pytest.mark.parametrize(
    ("changes", "checksum", "says"),
    [
        ({"validator": Validator()}, None, "tells one version from another"),
        ({"validator": Validator('W/"v1"')}, None, "tells one version from another: ETag"),
        ({"validator": Validator("*")}, None, "ETag"),
        ({"validator": Validator(None, DATED["last_modified"])}, None, "Last-Modified"),
        ({"validator": Validator(None, DATED["last_modified"], FRESH["date"])}, None, "Last-Modified"),
        ({"proof": "checksum"}, None, "no longer has one"),
        ({"url_key": "another"}, None, "another URL"),
        ({"damaged": 20}, None, "did not match"),
    ],
)
def test_resume_says_what_it_cannot_use(changes: dict[str, object], checksum: str | None, says: str) -> None:
    story = Story(checksum=checksum).open(**resumable(**changes))
    assert says in story.told(ResumeDiscarded)[0].reason


def test_resume_of_a_changed_file_starts_over_even_without_retries() -> None:
    story = Story(retry=RetryRules(max_retries=0)).open(**resumable())
    segment = story.take()
    assert story.answer(segment, 200, **whole(70, **V2))
    assert story.told(ResumeDiscarded)[0].bytes_discarded == 60
    assert story.transfer.bytes_resumed == 0
    assert segment.end == 70


def test_resume_of_a_file_that_shrank_starts_over() -> None:
    story = Story().open(**resumable(proven=(ByteRange(0, 40),)))
    story.answer(story.take(), 416, content_range="bytes */30")
    assert story.told(ResumeDiscarded)
    assert story.take().asked is None


def test_refresh_asks_whether_the_file_is_current() -> None:
    known = Claim("p", key_of(URL), FileIdentity(5, 6, 7), (SHA,), Validator('"v1"', "Mon, 01 Jan 2024 00:00:00 GMT"), durable=True)
    story = Story(known=known).open()
    segment = story.take()
    assert story.asks(segment)["If-None-Match"] == '"v1"'
    story.answer(segment, 304)
    story.step(Identified(story.now, known.identity))
    finished = story.told(DownloadFinished)[0]
    assert (finished.status, finished.digests, finished.size) == ("up_to_date", (SHA,), 5)


def test_a_part_that_proved_itself_goes_on_to_do_so_under_a_new_checksum() -> None:
    story = Story(checksum=SHA).open(**resumable())
    assert story.transfer.header.proof == "validator"
    assert not story.answer(story.take(), 206, **part(40, 60, 100, **SILENT))
    assert story.told(ResumeDiscarded)
    assert story.transfer.header.proof == "checksum"


def test_a_whole_answer_builds_on_nothing_of_an_earlier_run_that_it_does_not_prove() -> None:
    story = Story().open(**resumable(proven=()))
    again = story.take()
    assert story.answer(again, 200, **whole(100, **DATED))
    assert again.epoch == 1


def test_what_is_thrown_away_was_not_resumed() -> None:
    story = Story().open(**resumable())
    assert story.answer(story.take(), 200, **whole(50, **V2))
    story.fetch(story.transfer.ledger.active[0])
    assert story.complete
    assert not story.told(DownloadResumed)
    assert story.transfer.bytes_resumed == 0


def test_a_body_in_a_coding_is_warned_about_once() -> None:
    story = started(100, fields={**V1, "content_encoding": "gzip"})
    story.receive(story.transfer.ledger.active[0], 30)
    story.breaks(story.transfer.ledger.active[0])
    story.ticks += 1
    assert story.answer(story.take(), 206, **part(30, 100, 100, **V1, content_encoding="gzip"))
    assert [told.message for told in story.told(Warned)] == [
        "the server sends the file encoded (gzip) though identity was asked for: it is kept as it comes"
    ]
    assert not started(100, fields={**V1, "content_encoding": "identity"}).told(Warned)
    [told] = started(100, fields={**V1, "content_encoding": "gzip \x1b[2J"}).told(Warned)
    assert "(in a way that it does not name)" in told.message


def test_a_file_of_unknown_length_builds_on_its_front_alone() -> None:
    story = Story().open(**resumable(size=None))
    again = story.take()
    assert story.asks(again)["Range"] == "bytes=40-"
    assert story.answer(again, 206, **part(40, 100, 100))
    assert story.told(DownloadResumed)[0].bytes_resumed == 40


KNOWN = Claim("p", key_of(URL), FileIdentity(5, 6, 7), (SHA,), Validator('"v1"'), durable=True)


def finished(story: Story) -> DownloadFinished:
    return story.told(DownloadFinished)[0]


def test_a_current_file_keeps_its_validator_whatever_was_begun() -> None:
    story = Story(known=KNOWN).open(**resumable(proven=(), validator=Validator('"v2"')))
    story.answer(story.take(), 304)
    story.step(Identified(story.now, KNOWN.identity))
    assert (finished(story).status, finished(story).etag) == ("up_to_date", '"v1"')


def test_a_304_of_another_version_is_asked_again_without_conditions_and_costs_no_retry() -> None:
    story = Story(known=KNOWN, retry=RetryRules(max_retries=0)).open()
    story.answer(story.take(), 304, etag='"v2"')
    assert "another version" in story.told(Warned)[0].message
    again = story.take()
    assert "If-None-Match" not in story.asks(again)
    assert story.answer(again, 200, **whole(10, **V2))


def test_a_304_to_a_request_that_had_nothing_to_ask_about_is_none() -> None:
    story = Story(known=replace(KNOWN, validator=Validator("*"))).open()
    story.answer(story.take(), 304)
    assert story.told(DownloadFailed)[0].kind == "http_status"


def test_a_mirror_is_asked_about_nothing_of_another_s_and_leaves_its_own_validator_as_such() -> None:
    story = Story(URL, MIRROR, known=KNOWN).open()
    story.answer(story.take(), 404)
    segment = story.take()
    assert "If-None-Match" not in story.asks(segment)
    assert story.answer(segment, 200, **whole(10, **V2))
    story.fetch(segment)
    story.hashed()
    story.step(Placed(story.now, FileIdentity(10, 1, 2), {"sha256": "a" * 64}))
    assert (finished(story).etag, finished(story).validator_of) == ('"v2"', key_of(MIRROR))


def test_a_mirror_is_asked_about_what_it_served_itself() -> None:
    story = Story(URL, MIRROR, known=replace(KNOWN, validator_of=key_of(MIRROR))).open()
    first = story.take()
    assert "If-None-Match" not in story.asks(first)
    story.answer(first, 404)
    segment = story.take()
    assert story.asks(segment)["If-None-Match"] == '"v1"'
    story.answer(segment, 304)
    story.step(Identified(story.now, KNOWN.identity))
    assert (finished(story).status, finished(story).etag, finished(story).validator_of) == ("up_to_date", '"v1"', key_of(MIRROR))


@pytest.mark.parametrize(("fields", "modified"), [(DATED, DATED["last_modified"]), (FRESH, None)])
def test_only_a_date_that_proves_its_version_is_kept_to_ask_about(fields: dict[str, str], modified: str | None) -> None:
    story = Story().open()
    delivered(story, 10, **fields)
    story.step(Placed(story.now, FileIdentity(10, 1, 2), {"sha256": "a" * 64}))
    assert finished(story).last_modified == modified


def test_the_total_time_ends_a_download_that_still_has_retries() -> None:
    story = Story(timeouts=Timeouts(total=10.0)).open()
    story.ticks += 9.5
    story.breaks(story.take())
    assert "no time is left" in story.told(DownloadFailed)[0].message


def test_told_to_stop_it_keeps_what_it_has() -> None:
    story = started(100)
    segment = story.transfer.ledger.active[0]
    story.receive(segment, 30)
    story.step(Stopped(story.now, Failure("interrupted", "by signal 2")))
    assert story.said(Release) == [Release(keep=True)]
    assert story.told(DownloadFailed)[0].kind == "interrupted"
    assert story.end(segment) != []
    assert len(story.told(DownloadFailed)) == 1


def test_nothing_is_proven_while_a_cancelled_connection_still_writes() -> None:
    story = started(10 * MIB, fields=DATED, checksum=SHA)
    first = story.transfer.ledger.active[0]
    story.transfer.share(1)
    second = story.take()
    third_party = {"content_length": str(10 * MIB), **DATED, "accept_ranges": "none"}
    assert story.answer(second, 206, **part(5 * MIB, 10 * MIB, 10 * MIB, **DATED))
    story.transfer.admit(second, MIB, story.ticks)
    story.transfer.share(1)
    assert not story.answer(story.take(), 200, **third_party)
    story.fetch(first)
    assert not story.complete
    second.written += MIB
    story.end(second)
    assert story.complete


# Slow connections


def shared(size: int, connections: int, **options: object) -> tuple[Story, list[Segment]]:
    """A file that so many connections are receiving."""
    story = started(size, threads=connections, **options)
    story.transfer.share(connections - 1)
    (first,) = story.transfer.ledger.active
    others = [story.take() for _ in range(connections - 1)]
    for segment in others:
        assert segment.end is not None
        assert story.answer(segment, 206, **part(segment.begin, segment.end, size))
    return story, [first, *others]


def test_a_connection_much_slower_than_its_siblings_is_dialled_anew_without_a_retry() -> None:
    story, (first, slow, last) = shared(24 * MIB, 3)
    assert story.flow(5, (first, MIB), (slow, MIB // 8), (last, MIB)) == [slow]
    assert not story.told(RetryScheduled)
    told = story.told(ConnectionRedialled)
    assert [(e.url, e.speed, e.others_speed) for e in told] == [(URL, MIB // 8, MIB)]
    again = story.take()
    assert (again.begin, again.end, again.retry) == (slow.written, slow.end, slow.retry)
    assert story.asks(again)["If-Range"] == '"v1"'


def test_a_connection_that_brings_nothing_any_more_is_given_up_while_others_go_on() -> None:
    story, (first, silent, last) = shared(48 * MIB, 3)
    story.flow(2.5, (first, MIB), (silent, MIB), (last, MIB))
    assert story.flow(5, (first, MIB), (silent, 0), (last, MIB)) == [silent]
    assert [(e.speed, e.others_speed) for e in story.told(ConnectionRedialled)] == [(0, MIB)]


def test_a_connection_that_is_left_alone_is_compared_with_those_that_ended_lately() -> None:
    story, (first, silent, last) = shared(24 * MIB, 3)
    story.flow(1.5, (first, MIB), (silent, 0), (last, MIB))
    for segment in (first, last):
        story.fetch(segment)
    assert story.flow(3, (silent, 0)) == [silent]


def test_what_ended_long_ago_says_nothing_of_a_connection() -> None:
    story, (first, alone, last) = shared(60 * MIB, 3)
    story.flow(20, (first, MIB // 2), (alone, MIB // 4), (last, MIB // 2))
    for segment in (first, last):
        assert not segment.remaining
        story.end(segment)
    story.flow(PACE_REMEMBERED + 1, (alone, MIB // 4))
    assert alone.remaining
    assert not story.flow(5, (alone, 0))


def test_while_all_are_silent_nobody_is_given_up() -> None:
    story, connections = shared(240 * MIB, 4)
    story.flow(5, *((segment, MIB) for segment in connections))
    assert not story.flow(20, *((segment, 0) for segment in connections))


def test_with_one_sibling_nobody_is_dialled_anew() -> None:
    story, (first, slow) = shared(300 * MIB, 2)
    assert not story.flow(30, (first, MIB), (slow, 1000))


def test_a_file_gets_a_bounded_number_of_new_connections() -> None:
    story, (first, slow, last) = shared(3000 * MIB, 3)
    for _ in range(MAX_REDIALS + 5):
        if story.flow(5, (first, MIB), (slow, 1000), (last, MIB)):
            slow = story.take()
            assert slow.end is not None
            assert story.answer(slow, 206, **part(slow.begin, slow.end, 3000 * MIB))
    assert len(story.told(ConnectionRedialled)) == MAX_REDIALS


def test_a_file_is_whole_after_a_new_connection_took_over() -> None:
    story, (first, slow, last) = shared(24 * MIB, 3)
    story.flow(5, (first, MIB), (slow, 1000), (last, MIB))
    again = story.take()
    assert again.end is not None
    assert story.answer(again, 206, **part(again.begin, again.end, 24 * MIB))
    for segment in (first, last, again):
        story.fetch(segment)
    assert story.complete


def test_bytes_kept_beyond_the_size_that_a_part_tells_are_of_another_file() -> None:
    story = Story().open(proven=(ByteRange(0, 40),), pieces=1, url_key=key_of(URL), validator=Validator('"v1"'))
    segment = story.take()
    assert segment.asked == (40, None)
    segment.asked = (20, None)
    story.answer(segment, 206, **part(20, 30, 30))
    assert [told.reason for told in story.told(ResumeDiscarded)] == ["the file has 30 bytes, and 40 were kept of an earlier one"]
    assert story.take().asked is None


def test_a_file_of_which_nothing_is_left_to_fetch_and_that_is_not_whole_fails_by_name() -> None:
    story = Story().open(proven=(ByteRange(0, 40),), pieces=1, url_key=key_of(URL), validator=Validator('"v1"'), size=30)
    [failed] = story.told(DownloadFailed)
    assert failed.kind == "internal"
    assert "nothing is left to fetch" in failed.message
    assert story.transfer.closed


def test_a_part_of_a_file_whose_size_nobody_tells_is_followed_until_there_is_no_more() -> None:
    story = Story().open()
    first = story.take()
    assert story.answer(first, 200, **V1)
    story.receive(first, 100)
    story.breaks(first)
    story.ticks += 2
    second = story.take()
    assert second.asked == (100, None)
    story.answer(second, 206, content_range="bytes 100-199/*", **V1)
    story.receive(second, 100)
    story.end(second)
    third = story.take()
    assert third.asked == (200, None)
    story.answer(third, 416, content_range="bytes */200", **V1)
    assert story.said(Verify) == [Verify(0, 200, ("sha256",))]


def test_a_try_that_breaks_behind_its_last_byte_has_brought_all_there_is() -> None:
    story = Story().open()
    segment = story.take()
    assert story.answer(segment, 200, **whole(1000))
    story.receive(segment, 1000)
    story.breaks(segment, "too_slow")
    assert story.said(Verify) == [Verify(0, 1000, ("sha256",))]
    assert not story.told(RetryScheduled)


@pytest.mark.parametrize("there", [None, FileIdentity(10, 2, 3)], ids=["gone", "another"])
def test_a_file_that_is_no_longer_the_one_that_a_304_spoke_of_is_fetched(there: FileIdentity | None) -> None:
    claim = Claim(key_of("file.bin"), key_of(URL), FileIdentity(10, 1, 2), (SHA,), Validator('"v1"'), durable=True)
    story = Story(known=claim).open()
    story.answer(story.take(), 304, etag='"v1"')
    assert story.said(Identify) == [Identify()]
    assert story.transfer.due is None
    story.step(Identified(story.now, there))
    assert len(story.told(Warned)) == 1
    again = story.take()
    assert "If-None-Match" not in story.asks(again)
    assert story.answer(again, 200, **whole(10))


@pytest.mark.parametrize(
    ("mtime", "told", "wanted"),
    [
        ("server", "Tue, 14 Nov 2023 22:00:00 GMT", 1_699_999_200),
        ("server", "Tuesday, 14-Nov-23 22:00:00 GMT", 1_699_999_200),
        ("now", "Tue, 14 Nov 2023 22:00:00 GMT", None),
        ("server", "Tue, 14 Nov 2023 22:15:01 GMT", None),
        ("server", "soon", None),
        ("server", "Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("server", "Wed, 31 Dec 1969 23:59:59 GMT", None),
    ],
)
def test_a_file_gets_the_date_that_its_server_told_if_it_is_one_of_the_past(mtime: str, told: str, wanted: int | None) -> None:
    story = Story(mtime=mtime, mode=0o700).open()
    delivered(story, 10, last_modified=told)
    [stored] = story.said(Store)
    assert stored.attributes == Attributes(0o700, None if wanted is None else wanted * 1_000_000_000)
