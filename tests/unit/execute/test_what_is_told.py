"""What a transfer tells of itself, to the last field: log, report and state are made of nothing else."""

from __future__ import annotations

from dataclasses import replace

from marscore.events import (
    ChecksumVerified,
    ConnectionRedialled,
    DownloadFailed,
    DownloadFinished,
    DownloadResumed,
    DownloadStarted,
    Event,
    HostPaused,
    MirrorSwitched,
    RangesFetched,
    RangesUnsupported,
    Redirected,
    ResumeDiscarded,
    RetryScheduled,
)
from marscore.execute.transfer.protocol import Answered, Delivered, Emit, Identified, Lagged, Placed, Release, Segment, Stopped
from marscore.planning.segments import MIN_SPLIT
from marscore.policy.pacing import Lag
from marscore.policy.retry import RetryRules
from marscore.ports import Answer
from marscore.state import Claim, Content, FileIdentity, key_of
from marscore.url import parse_url
from marscore.validator import Validator
from marscore.values import ByteRange, Failure
from tests.fakes.files import MemoryFolder
from tests.fakes.transport import FakeTransport
from tests.unit.execute.story import MIRROR, SHA, STEADY, URL, Story
from tests.unit.execute.test_transfer import V1, part, started, whole
from tests.unit.execute.working import outcomes, wanted

ID, BEGAN = "downloads[0]", 1_700_000_100.0
PLACED = FileIdentity(10, 1_234, 42)
THIRD = "http://third.example/file.bin"


def events(story: Story) -> list[Event]:
    """All but how the ranges came, of which `test_timeline` knows."""
    told = [command.event for command in story.commands if isinstance(command, Emit)]
    return [event for event in told if not isinstance(event, RangesFetched)]


def placed(story: Story) -> None:
    story.step(Placed(story.now, PLACED, {"sha256": "a" * 64}))


def test_of_a_file_that_came() -> None:
    story = Story(checksum=SHA).open()
    segment = story.take()
    story.ticks += 1
    story.answer(segment, 200, **whole(10))
    story.fetch(segment)
    story.ticks += 1
    story.hashed()
    placed(story)
    assert events(story) == [
        DownloadStarted(BEGAN, ID, URL),
        ChecksumVerified(BEGAN + 2, ID, SHA),
        DownloadFinished(
            BEGAN + 2,
            ID,
            "downloaded",
            "fetched",
            size=10,
            digests=(SHA,),
            mtime_ns=1_234,
            inode=42,
            source=URL,
            etag='"v1"',
            bytes_downloaded=10,
            segments=1,
            started_at=BEGAN,
            duration_s=2.0,
        ),
    ]
    assert story.said(Release) == [Release(keep=False)]


def test_of_a_small_file_that_came_at_once_after_a_try_that_did_not() -> None:
    story = started(10)
    story.breaks(story.transfer.ledger.active[0])
    story.ticks += 1
    segment = story.take()
    answer = Answer(200, {"content-length": "10", "etag": '"v1"'}, parse_url(MIRROR))
    story.step(Delivered(story.now, segment, answer, Content(bytes(10), ("sha256",))))
    placed(story)
    [finished] = story.told(DownloadFinished)
    assert (finished.segments, finished.bytes_downloaded, finished.source) == (2, 10, MIRROR)
    assert story.transfer.segments_finished == 1


def test_of_a_file_that_is_still_current() -> None:
    claim = Claim("p", key_of(URL), PLACED, (SHA,), Validator('"v1"', "Mon, 01 Jan 2024 00:00:00 GMT"), durable=True)
    story = Story(known=claim).open()
    story.ticks += 3
    story.answer(story.take(), 304)
    story.step(Identified(story.now, PLACED))
    assert events(story)[1:] == [
        DownloadFinished(
            BEGAN + 3,
            ID,
            "up_to_date",
            "the server says that it is current",
            size=10,
            digests=(SHA,),
            mtime_ns=1_234,
            inode=42,
            source=URL,
            etag='"v1"',
            last_modified="Mon, 01 Jan 2024 00:00:00 GMT",
            started_at=BEGAN,
            duration_s=3.0,
        )
    ]


def test_of_a_resumed_file_that_failed() -> None:
    story = Story(retry=RetryRules(max_retries=0)).open(
        proven=(ByteRange(0, 40),), pieces=2, size=100, validator=Validator('"v1"'), url_key=key_of(URL), damaged=7
    )
    segment = story.take()
    story.answer(segment, 206, **part(40, 100, 100))
    story.receive(segment, 10)
    story.ticks += 5
    story.breaks(segment, "timeout", "nothing came for 30 s")
    assert events(story)[1:] == [
        ResumeDiscarded(BEGAN, ID, "these bytes on disk did not match the record of what was written", 7),
        DownloadResumed(BEGAN, ID, 40, 2),
        DownloadFailed(
            BEGAN + 5,
            ID,
            "timeout",
            "nothing came for 30 s",
            url=URL,
            bytes_downloaded=10,
            bytes_resumed=40,
            segments=1,
            started_at=BEGAN,
            duration_s=5.0,
            size=100,
        ),
    ]
    assert story.said(Release) == [Release(keep=True)]


def test_of_tries_pauses_and_mirrors() -> None:
    story = Story(URL, MIRROR, retry=RetryRules(max_retries=1, backoff=STEADY)).open()
    story.answer(story.take(), 503, retry_after="7")
    story.ticks += 7
    story.answer(story.take(), 503)
    story.answer(story.take(), 404)
    busy = "the server answered 503 Service Unavailable"
    assert events(story)[1:] == [
        RetryScheduled(BEGAN, ID, 1, 1, "server_error", 503, 7.0, URL, busy),
        HostPaused(BEGAN, ID, "origin.example:80", 7.0),
        MirrorSwitched(BEGAN + 7, ID, URL, MIRROR, f"{busy} (after 1 retry)"),
        DownloadFailed(
            BEGAN + 7,
            ID,
            "http_status",
            "the server answered 404 Not Found",
            status=404,
            url=MIRROR,
            started_at=BEGAN,
            duration_s=7.0,
        ),
    ]


def test_of_a_redirect_once() -> None:
    story = Story().open()
    hop = (parse_url(URL), parse_url(MIRROR))
    for _ in range(2):
        story.step(Answered(story.now, story.take(), Answer(503, {}, parse_url(MIRROR), (hop,))))
        story.ticks += 10
    assert story.told(Redirected) == [Redirected(BEGAN, ID, URL, MIRROR)]


def test_of_a_server_without_ranges() -> None:
    story = started(100)
    story.receive(story.transfer.ledger.active[0], 30)
    story.breaks(story.transfer.ledger.active[0])
    story.ticks += 1
    assert story.answer(story.take(), 200, **whole(100, etag='"v1"', accept_ranges="none"))
    reason = "the server answers the whole file to a request for a part"
    assert story.told(RangesUnsupported) == [RangesUnsupported(BEGAN + 1, ID, URL, reason)]
    assert story.told(ResumeDiscarded) == [ResumeDiscarded(BEGAN + 1, ID, reason, 30)]


def test_a_part_from_a_mirror_goes_on_there_and_the_others_stay_in_their_order_behind_it() -> None:
    story = Story(URL, MIRROR, THIRD, retry=RetryRules(max_retries=0)).open(
        proven=(ByteRange(0, 40),), pieces=1, size=100, validator=Validator('"v1"'), url_key=key_of(MIRROR)
    )
    asked: list[Segment] = []
    while not story.transfer.closed:
        asked.append(story.take())
        story.answer(asked[-1], 404)
    assert [segment.url for segment in asked] == [MIRROR, URL, THIRD]
    assert [segment.asked for segment in asked] == [(40, 100), None, None]


def test_the_smallest_file_that_is_shared_is_one_of_two_parts() -> None:
    for size, shared in ((2 * MIN_SPLIT - 1, False), (2 * MIN_SPLIT, True)):
        assert started(size).transfer.can_share() is shared


def test_a_file_that_is_over_is_not_shared() -> None:
    story = started(100 * MIN_SPLIT)
    assert story.transfer.can_share()
    story.step(Stopped(story.now, Failure("interrupted", "by signal 2")))
    assert not story.transfer.can_share()


def test_what_a_server_sends_less_than_was_asked_of_a_file_of_unknown_length_is_asked_for_again() -> None:
    story = Story().open()
    segment = story.take()
    assert story.answer(segment, 200, **V1)
    story.receive(segment, 30)
    story.breaks(segment)
    story.ticks += 1
    again = story.take()
    assert story.asks(again)["Range"] == "bytes=30-"
    assert story.answer(again, 206, **part(30, 60, 100))
    story.fetch(again)
    assert not story.complete
    assert story.asks(story.take())["Range"] == "bytes=60-99"


def test_a_wait_of_a_file_that_starts_over_is_kept() -> None:
    story = started(100, fields={"accept_ranges": "none", "etag": '"v1"'}, retry=RetryRules(backoff=STEADY))
    segment = story.transfer.ledger.active[0]
    story.receive(segment, 50)
    story.breaks(segment)
    assert story.told(ResumeDiscarded) == [ResumeDiscarded(BEGAN, ID, "the server cannot resume", 50)]
    assert story.transfer.due == story.ticks + 1


def test_a_file_that_came_wrong_is_tried_as_often_as_any_other_once_it_is_fetched_again() -> None:
    story = started(100, checksum=SHA, retry=RetryRules(max_retries=1, backoff=STEADY))
    story.fetch(story.transfer.ledger.active[0])
    story.hashed("b" * 64)
    assert story.transfer.due == story.ticks + 1
    story.ticks += 1
    story.breaks(story.take())
    assert [(retry.kind, retry.attempt) for retry in story.told(RetryScheduled)] == [("checksum", 1), ("connection", 1)]


def test_a_connection_that_is_given_up_with_nothing_left_to_fetch_has_ended() -> None:
    story = started(100)
    segment = story.transfer.ledger.active[0]
    story.receive(segment, 100)
    segment.lag = Lag(1.0, 10.0)
    story.step(Lagged(story.now, segment))
    assert story.complete
    assert not story.told(ConnectionRedialled)


def test_what_is_shared_is_cut_for_as_many_connections_as_the_file_may_have() -> None:
    for hands, end in ((1, 8), (3, 4), (9, 4)):
        story = started(16 * MIN_SPLIT, threads=4)
        story.transfer.share(hands)
        assert story.transfer.ledger.active[0].end == end * MIN_SPLIT, hands


def test_what_stands_in_the_way_on_this_machine_ends_the_download_and_asks_no_mirror() -> None:
    story = started(100, URL, MIRROR)
    story.receive(story.transfer.ledger.active[0], 30)
    story.breaks(story.transfer.ledger.active[0], "disk_full", "cannot write: No space left on device")
    assert [(f.kind, f.message) for f in story.told(DownloadFailed)] == [("disk_full", "cannot write: No space left on device")]
    assert not story.told(MirrorSwitched)
    assert story.said(Release) == [Release(keep=True)]


def test_an_empty_file_of_several_sources_is_from_the_one_that_answered() -> None:
    work = wanted(0, URL, "file.bin")
    work = replace(work, download=replace(work.download, sources=(URL, MIRROR)))
    [outcome] = outcomes([work], FakeTransport({URL: b"", MIRROR: b""}), MemoryFolder()).values()
    assert (outcome.size, outcome.source) == (0, URL)


def test_of_wrong_content_both_digests() -> None:
    story = started(100, checksum=SHA, retry=RetryRules(max_retries=0))
    story.fetch(story.transfer.ledger.active[0])
    story.hashed("b" * 64)
    told = f"sha256 is {'b' * 64} and should be {'a' * 64}"
    assert [(failed.kind, failed.message) for failed in story.told(DownloadFailed)] == [("checksum", told)]


def test_of_a_304_to_a_request_that_had_no_condition_its_status() -> None:
    story = Story(retry=RetryRules(max_retries=0)).open()
    story.answer(story.take(), 304)
    told = "the server answered 304 to no condition"
    assert [(failed.kind, failed.message, failed.status) for failed in story.told(DownloadFailed)] == [("http_status", told, 304)]
