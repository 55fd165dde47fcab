"""What a transfer asks and tells where nothing is to be fetched."""

from __future__ import annotations

from typing import Literal

import pytest

from marscore.events import DownloadAsked, DownloadFailed, DownloadFinished, RetryScheduled
from marscore.execute.transfer.protocol import Answered, Identified, Moment, Opened, Place, Release, Segment, Verify, Work
from marscore.execute.transfer.state_machine import Transfer
from marscore.policy.retry import RetryRules
from marscore.ports import Answer
from marscore.resolve.model import Download, Options, Unpack
from marscore.state import Claim, FileIdentity, key_of
from marscore.url import parse_url
from marscore.validator import Validator
from marscore.values import Unpacked
from tests.unit.execute.story import URL, Story

TAG = Validator('"v1"')


def asking(validator: Validator = TAG, size: int = 100) -> Story:
    story = Story()
    claim = Claim(key_of("file.bin"), key_of(URL), FileIdentity(size, 0, 0), (), validator, durable=False)
    work = Work(Download("downloads[0]", (URL,), "file.bin", Options()), claim, untouched=True, purpose="ask")
    story.transfer = Transfer(work, Moment(0.0, 0.0))
    story.step(Opened(story.now))
    return story


def told(story: Story) -> DownloadAsked:
    [event] = story.told(DownloadAsked)
    assert story.transfer.closed
    assert story.said(Release) == [Release(keep=False)]
    assert not story.said(Verify) + story.said(Place)
    return event


def ask(story: Story, method: str, **asks: str) -> Segment:
    segment = story.take()
    assert story.transfer.method == method
    assert story.asks(segment) == {"Accept-Encoding": "identity", **asks}
    return segment


CONDITION = {"If-None-Match": '"v1"'}


def test_a_304_says_that_it_is_current() -> None:
    story = asking()
    assert not story.answer(ask(story, "HEAD", **CONDITION), 304, etag='"v1"')
    assert told(story).said == "current"


def test_another_version_is_told_and_its_body_not_wanted() -> None:
    story = asking()
    assert not story.answer(ask(story, "HEAD", **CONDITION), 200, etag='"v2"', content_length="7", last_modified="x")
    event = told(story)
    assert (event.said, event.status, event.etag, event.size, event.last_modified) == ("shown", 200, '"v2"', 7, "x")


def test_who_refuses_head_is_asked_by_get_at_once_and_that_is_no_retry() -> None:
    story = asking()
    story.answer(ask(story, "HEAD", **CONDITION), 405)
    assert not story.answer(ask(story, "GET", **CONDITION), 200, etag='"v2"')
    assert told(story).etag == '"v2"'
    assert not story.told(RetryScheduled)


def test_who_has_no_such_file_either_way_says_that_it_is_gone() -> None:
    story = asking()
    story.answer(ask(story, "HEAD", **CONDITION), 404)
    story.answer(ask(story, "GET", **CONDITION), 404)
    assert told(story).status == 404


def test_a_refusal_of_both_is_a_failure() -> None:
    story = asking()
    story.answer(ask(story, "HEAD", **CONDITION), 403)
    story.answer(ask(story, "GET", **CONDITION), 403)
    assert [(failed.kind, failed.status) for failed in story.told(DownloadFailed)] == [("http_status", 403)]


def test_a_busy_server_is_asked_again_the_same_way() -> None:
    story = asking()
    story.answer(ask(story, "HEAD", **CONDITION), 503)
    assert [retry.kind for retry in story.told(RetryScheduled)] == ["server_error"]
    story.ticks += 100
    story.answer(ask(story, "HEAD", **CONDITION), 304)
    assert told(story).said == "current"


def test_a_304_of_another_version_is_followed_by_a_question_without_a_condition() -> None:
    story = asking()
    story.answer(ask(story, "HEAD", **CONDITION), 304, etag='"v2"')
    story.answer(ask(story, "HEAD"), 304)
    assert [(failed.kind, failed.status) for failed in story.told(DownloadFailed)] == [("http_status", 304)]


def test_a_size_that_contradicts_the_validator_is_asked_for_by_get() -> None:
    story = asking()
    story.answer(ask(story, "HEAD", **CONDITION), 200, etag='"v1"', content_length="0")
    story.answer(ask(story, "GET", **CONDITION), 200, etag='"v1"', content_length="0")
    assert told(story).size == 0


def test_with_no_validator_and_no_size_the_first_answer_settles_it() -> None:
    story = asking(Validator(), -1)
    story.answer(ask(story, "HEAD"), 200, content_length="5")
    assert told(story).size == 5


def test_a_connection_that_breaks_is_tried_again() -> None:
    story = asking()
    story.breaks(ask(story, "HEAD", **CONDITION))
    story.ticks += 100
    story.answer(ask(story, "HEAD", **CONDITION), 304)
    assert told(story).said == "current"


@pytest.mark.parametrize("purpose", ["ask", "fetch"])
def test_a_refusal_that_slows_all_requests_costs_no_retry(purpose: Literal["ask", "fetch"]) -> None:
    """Of a host that is asked at a pace from then on, that pace is what a refusal means."""
    for paced, ends in ((False, True), (True, False)):
        story = Story()
        download = Download("downloads[0]", (URL,), "file.bin", Options(retry=RetryRules(max_retries=1)))
        story.transfer = Transfer(Work(download, untouched=True, purpose=purpose), Moment(0.0, 0.0))
        story.step(Opened(story.now))
        for _ in range(2):
            story.ticks += 100
            story.step(Answered(story.now, story.take(), Answer(429, {}, parse_url(URL)), paced))
        assert bool(story.told(DownloadFailed)) is ends, (purpose, paced)


def test_an_archive_that_is_current_is_told_with_what_is_unpacked_of_it() -> None:
    unpacked, identity = Unpacked("folder", 3, 99), FileIdentity(100, 0, 0)
    claim = Claim(key_of("file.bin"), key_of(URL), identity, (), TAG, durable=False)
    story = Story()
    download = Download("downloads[0]", (URL,), "file.bin", Options(unpack=Unpack()), into="folder")
    story.transfer = Transfer(Work(download, claim, unpacked=unpacked), Moment(0.0, 0.0))
    story.step(Opened(story.now))
    story.answer(story.take(), 304)
    story.step(Identified(story.now, identity))
    assert [finished.unpacked for finished in story.told(DownloadFinished)] == [unpacked]
