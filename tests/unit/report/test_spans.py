"""What spans say of a run."""

from __future__ import annotations

import pytest

from marscore.events import (
    DownloadFailed,
    DownloadFinished,
    DownloadSkipped,
    DownloadStarted,
    HostPaused,
    MirrorSwitched,
    RequestsMade,
    RetryScheduled,
    RunFinished,
)
from marscore.policy.redact import Redactor
from marscore.report.fold import RunFacts
from marscore.report.spans import MOST_EVENTS, SpanFold, run_attributes, run_result
from marscore.resolve.model import Download, Options
from marscore.values import MadeRequest

ID = "downloads[0]"
URL = "https://user:pw@example.com:8443/a/file.bin?token=s3cr3t&x=hunter2"
SHOWN = "https://example.com:8443/a/file.bin?token=***&x=${PASSWORD}"
MIRROR = "http://mirror.example/file.bin"
REDACTOR = Redactor({"hunter2": "${PASSWORD}"})


def a_fold(*sources):
    return SpanFold({ID: Download(ID, sources or (URL, MIRROR), "a/file.bin", Options())}, REDACTOR)


def finished(status="downloaded", started_at=100.0, **more):
    return DownloadFinished(105.0, ID, status, "", 9, (), 0, 0, bytes_downloaded=9, started_at=started_at, **more)


def failed(kind="http_status", status=404, started_at=100.0):
    return DownloadFailed(105.0, ID, kind, "the server answered", status, SHOWN, started_at=started_at)


def made(source=0, offset=0, length=9, began=100.5, ended=101.0, status=200, failure=None):
    return MadeRequest(source, offset, length, began, None if status is None else began + 0.25, ended, status, failure)


def span_of(*events, fold=None):
    fold = fold or a_fold()
    *before, last = events
    assert [fold.add(event) for event in before] == [None] * len(before)
    return fold.add(last)


def test_a_download_with_its_request():
    span = span_of(DownloadStarted(100.0, ID, SHOWN), RequestsMade(105.0, ID, (made(),), 0), finished())
    assert (span.name, span.kind, span.began, span.ended, span.error) == ("download", "internal", 100.0, 105.0, None)
    assert span.attributes == {
        "marscore.download.id": ID,
        "marscore.download.status": "downloaded",
        "marscore.download.bytes_downloaded": 9,
        "marscore.download.bytes_resumed": 0,
        "file.path": "a/file.bin",
        "file.size": 9,
        "url.full": SHOWN,
    }
    [request] = span.children
    assert (request.name, request.kind, request.began, request.ended, request.error) == ("GET", "client", 100.5, 101.0, None)
    assert request.attributes == {
        "http.request.method": "GET",
        "url.full": SHOWN,
        "server.address": "example.com",
        "server.port": 8443,
        "http.response.status_code": 200,
        "http.response.body.size": 9,
        "marscore.range.offset": 0,
    }
    assert [(event.name, event.at) for event in request.events] == [("response_head", 100.75)]


def test_a_download_that_failed_says_why():
    refused = made(status=404, length=0, failure="http_status")
    span = span_of(RequestsMade(105.0, ID, (refused,), 3), failed())
    assert span.error == "the server answered"
    assert (span.attributes["error.type"], span.attributes["http.response.status_code"]) == ("http_status", 404)
    assert span.attributes["marscore.requests.left_out"] == 3
    [request] = span.children
    assert (request.error, request.attributes["error.type"]) == ("", "404"), "the convention: the status where that is the error"


def test_requests_that_go_on_where_one_failed_are_counted_as_sent_again():
    requests = (
        made(offset=0, length=4, began=100.0, failure="truncated"),
        made(offset=50, length=9, began=100.1),
        made(offset=4, length=0, began=101.0, status=None, failure="connection"),
        made(offset=4, length=0, began=102.0, status=503, failure="server_error"),
        made(source=1, offset=4, length=46, began=103.0, status=206),
    )
    span = span_of(RequestsMade(105.0, ID, requests, 0), finished())
    again = [request.attributes.get("http.request.resend_count", 0) for request in span.children]
    assert again == [0, 0, 1, 2, 3]
    assert [request.attributes.get("error.type") for request in span.children] == ["truncated", None, "connection", "503", None]
    assert span.children[4].attributes["url.full"] == MIRROR
    assert span.children[4].attributes["server.port"] == 80
    assert "http.response.status_code" not in span.children[2].attributes


def test_what_happened_on_the_way_are_events():
    retry = RetryScheduled(101.0, ID, 1, 5, "server_error", 503, 0.5, SHOWN, "busy")
    switched = MirrorSwitched(102.0, ID, SHOWN, MIRROR, "it failed")
    span = span_of(retry, HostPaused(101.5, ID, "example.com", 2.0), switched, finished())
    assert [(event.name, event.at) for event in span.events] == [
        ("retry_scheduled", 101.0),
        ("host_paused", 101.5),
        ("mirror_switched", 102.0),
    ]
    assert span.events[0].attributes == {
        "marscore.attempt": 1,
        "marscore.max_retries": 5,
        "error.type": "server_error",
        "http.response.status_code": 503,
        "marscore.wait_s": 0.5,
        "url.full": SHOWN,
        "error.message": "busy",
    }
    assert span.events[2].attributes == {"marscore.from": SHOWN, "marscore.to": MIRROR, "marscore.reason": "it failed"}


def test_there_are_so_many_events_and_no_more():
    span = span_of(*[RetryScheduled(101.0, ID, 1, 5, "timeout", None, 0.5, SHOWN, "slow")] * 1000, finished())
    assert len(span.events) == MOST_EVENTS


@pytest.mark.parametrize(
    "event",
    [finished("up_to_date", started_at=None), finished("cached", started_at=None), DownloadSkipped(105.0, ID, "the run ended")],
)
def test_what_needed_no_transfer_has_no_span(event):
    assert span_of(event) is None


def test_a_file_that_its_server_says_is_current_has_one():
    span = span_of(RequestsMade(105.0, ID, (made(status=304, length=0),), 0), finished("up_to_date"))
    assert span.attributes["marscore.download.status"] == "up_to_date"
    assert (span.children[0].error, span.children[0].attributes["http.response.status_code"]) == (None, 304)


def test_a_failure_before_it_began_takes_no_time():
    span = span_of(failed("offline", None, started_at=None))
    assert (span.began, span.ended, span.children) == (105.0, 105.0, ())


@pytest.mark.parametrize("url", ["https://${HOST}:${PORT}/a", "https://[broken/a", "https://example.com:99999/a", "***"])
def test_whatever_stands_for_a_secret_in_a_url_is_no_error(url):
    span = span_of(RequestsMade(105.0, ID, (made(),), 0), finished(), fold=a_fold(url))
    assert span.children[0].attributes["url.full"]


def test_the_run_says_what_it_is_and_how_it_ended():
    facts = RunFacts("abc", "0.1.0", 100.0, "downloads.yaml", None, (), "of hunter2")
    assert run_attributes(facts, REDACTOR) == {
        "marscore.run.id": "abc",
        "marscore.manifest.path": "downloads.yaml",
        "marscore.run.name": "of ${PASSWORD}",
    }
    told = run_result(RunFinished(200.0, "failed", 1, 3, 0, 0, 1, 0, 0, 99, 5, 2, 12.5))
    assert (told["process.exit.code"], told["error.type"], told["marscore.run.failed"], told["marscore.run.retries"]) == (1, "failed", 1, 2)
    assert "error.type" not in run_result(RunFinished(200.0, "succeeded", 0, 3, 0, 0, 0, 0, 0, 99, 5, 2, 12.5))
