"""What a person at a terminal is told while a run goes on."""

from __future__ import annotations

import pytest

from marscore.events import (
    ChecksumVerified,
    DownloadFailed,
    DownloadFinished,
    DownloadResumed,
    DownloadStarted,
    HostPaused,
    MirrorDropped,
    MirrorSwitched,
    NotLocked,
    ProgressMade,
    ResumeDiscarded,
    RetryScheduled,
    UrlChanged,
    Warned,
)
from marscore.report.notices import Notice, Notices
from marscore.report.words import host_in, seconds, shown_host

ID = "downloads[0]"
MIB = 1024 * 1024


def retry(number=0, attempt=1, url="https://example.org/busy.bin", status=503, wait=0.4):
    message = f"the server answered {status} Service Unavailable"
    return RetryScheduled(0.0, f"downloads[{number}]", attempt, 5, "server_error", status, wait, url, message)


def failed(number=0, kind="http_status", message="the server answered 404 Not Found", status=404):
    return DownloadFailed(0.0, f"downloads[{number}]", kind, message, status, "https://example.org/a")


def told(*events, level=None, now=0.0, notices=None):
    notices = notices or Notices({f"downloads[{n}]": f"sub/{n}.bin" for n in range(1000)}.get, level)
    return [notice.text for event in events for notice in notices.of(event, now)]


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (retry(), "sub/0.bin: 503 Service Unavailable, retry 1 of 5 in 0.4 s"),
        (failed(), "sub/0.bin: failed: 404 Not Found"),
        (DownloadResumed(0.0, ID, 43 * MIB, 3), "sub/0.bin: resumes, 43.0 MiB of it are here already"),
        (ResumeDiscarded(0.0, ID, "the file changed", MIB), "sub/0.bin: starts over: the file changed (1.0 MiB are fetched again)"),
        (ResumeDiscarded(0.0, ID, "the file changed", 0), "sub/0.bin: starts over: the file changed"),
        (HostPaused(0.0, ID, "example.org:443", 12.0), "example.org: asks to wait 12 s; nothing is asked of it meanwhile"),
        (
            MirrorSwitched(0.0, ID, "https://a.org/x", "https://b.org:8443/x", "the server answered 404 Not Found"),
            "sub/0.bin: a.org: 404 Not Found; goes on with b.org:8443",
        ),
        (
            MirrorSwitched(0.0, ID, "${ORIGIN}/x", "https://b.org/x", "the server answered 404 Not Found"),
            "sub/0.bin: ${ORIGIN}/x: 404 Not Found; goes on with b.org",
        ),
        (MirrorDropped(0.0, ID, "http://a.org/x", "sent wrong bytes"), "sub/0.bin: a.org is asked no more: sent wrong bytes"),
        (Warned(0.0, None, "look here"), "warning: look here"),
        (Warned(0.0, ID, "look here"), "sub/0.bin: warning: look here"),
        (NotLocked(0.0, ID, "sub/0.bin"), "sub/0.bin: is not in the lock, and taken as the server has it"),
        (UrlChanged(0.0, ID, "sub/0.bin"), "sub/0.bin: came from another URL than the manifest's; its checksum holds"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_what_needs_attention_is_a_short_line_about_a_file_by_its_path(event, line):
    assert told(event) == [line]


@pytest.mark.parametrize(
    "event",
    [
        DownloadStarted(0.0, ID, "https://example.org/a"),
        ProgressMade(0.0, ID, 1, 2, 1, 1, 0),
        ChecksumVerified(0.0, ID, "sha256:00"),
        DownloadFinished(0.0, ID, "downloaded", "", 1, (), 0, 0),
        failed(kind="interrupted", message="interrupted by signal 2"),
    ],
    ids=lambda event: type(event).__name__,
)
def test_the_rest_is_for_the_display_and_the_log(event):
    assert told(event) == []


@pytest.mark.parametrize(("level", "count"), [(None, 3), ("warning", 2), ("error", 1)])
def test_a_level_leaves_out_what_is_below_it(level, count):
    assert len(told(DownloadResumed(0.0, ID, 1, 1), retry(), failed(), level=level)) == count


def test_a_download_that_nobody_knows_goes_by_its_id():
    assert told(failed(5000))[0].startswith("downloads[5000]: failed")


def test_a_thousand_retries_of_one_host_are_a_few_lines():
    lines = told(*(retry(number) for number in range(1000)))
    assert len(lines) == 5
    assert lines[-1] == "sub/4.bin: 503 Service Unavailable, retry 1 of 5 in 0.4 s (more of these are only counted)"


def test_how_many_more_there_were_is_said_now_and_then():
    notices = Notices({}.get)
    told(*(retry(number) for number in range(8)), notices=notices)
    assert told(retry(8), now=5.0, notices=notices) == []
    assert told(retry(9), now=11.0, notices=notices) == ["example.org: 503 Service Unavailable: 5 more retries"]
    assert told(retry(9), now=12.0, notices=notices) == []


def test_another_host_and_another_status_are_told_in_full():
    notices = Notices({}.get)
    told(*(retry(number) for number in range(8)), notices=notices)
    assert len(told(retry(url="https://other.org/x"), retry(status=500), failed(), notices=notices)) == 3


def test_a_hosts_wait_is_told_once_however_many_files_hear_of_it():
    notices = Notices({}.get)
    paused = [HostPaused(0.0, f"downloads[{n}]", "a.org:80", 30.0) for n in range(50)]
    line = "a.org: asks to wait 30 s; nothing is asked of it meanwhile"
    assert told(*paused, notices=notices) == [line]
    assert told(HostPaused(0.0, ID, "a.org:80", 30.0), now=31.0, notices=notices) == [line]
    assert len(told(HostPaused(0.0, ID, "b.org:80", 30.0), now=31.0, notices=notices)) == 1


def test_warnings_of_the_run_are_never_folded():
    assert len(told(*[Warned(0.0, None, "again")] * 9)) == 9


def test_every_line_has_a_tone():
    notices = Notices({}.get)
    assert list(notices.of(failed(), 0.0)) == [Notice("downloads[0]: failed: 404 Not Found", "error")]
    assert [notice.tone for notice in notices.of(DownloadResumed(0.0, ID, 1, 1), 0.0)] == ["good"]


@pytest.mark.parametrize(
    ("wait", "words"),
    [(0.0, "0.1 s"), (0.31, "0.4 s"), (1.0, "1 s"), (1.2, "2 s"), (119.0, "119 s"), (121, "3 min"), (7300, "2 h 2 min")],
)
def test_waits_are_rounded_up(wait, words):
    assert seconds(wait) == words


@pytest.mark.parametrize(
    ("url", "host", "shown"),
    [
        ("https://Example.org/a", "example.org:443", "example.org"),
        ("http://example.org/a", "example.org:80", "example.org"),
        ("http://example.org:8080/a", "example.org:8080", "example.org:8080"),
        ("https://[::1]/a", "[::1]:443", "[::1]"),
        ("https://[::1]:8443/a", "[::1]:8443", "[::1]:8443"),
        ("***", "", ""),
    ],
)
def test_hosts_are_those_of_the_events_and_shown_without_a_port_that_goes_without_saying(url, host, shown):
    assert (host_in(url), shown_host(host_in(url))) == (host, shown)
