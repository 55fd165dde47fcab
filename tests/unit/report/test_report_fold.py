"""What a run's events add up to."""

from __future__ import annotations

import json
import pickle
from dataclasses import fields
from functools import partial

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from marscore.events import (
    BytesReceived,
    ChecksumVerified,
    DownloadFailed,
    DownloadFinished,
    DownloadResumed,
    DownloadSkipped,
    DownloadStarted,
    HostPaused,
    MirrorSwitched,
    PlanCompiled,
    ProgressMade,
    RangesFetched,
    RetryScheduled,
)
from marscore.policy.redact import Redactor
from marscore.report.ended import Ended
from marscore.report.entry import entry_of, status_of
from marscore.report.fold import ReportFold, RunFacts, run_finished
from marscore.report.model import DownloadReport, Report
from marscore.report.schema import report_schema
from marscore.report.writers import iter_json
from marscore.resolve.model import Download, Options
from marscore.values import Checksum, FetchedRange
from tests.long import examples

SHA, MD5 = "sha256:" + "a" * 64, "md5:" + "b" * 32
OPTIONS = Options()


def download(number, **changes):
    values = {"id": f"downloads[{number}]", "sources": (f"https://example.com/{number}.bin",), "path": f"{number}.bin", "options": OPTIONS}
    return Download(**values | changes)


def a_fold(*downloads, secrets=None, name="nightly"):
    facts = RunFacts("r1", "1.0.0", 1000.0, "downloads.yaml", "c" * 64, downloads, name)
    return ReportFold(facts, Redactor(secrets or {}))


def an_end(fold, signal=None):
    return Ended(fold.head(finished_at=1001.25, duration_s=1.25, signal=signal), "report.json", partial(fold.entries, signal))


def a_report(fold, signal=None):
    return an_end(fold, signal).report()


def text_of(fold, signal=None):
    end = an_end(fold, signal)
    return "".join(iter_json(end.head, end.entries()))


def started(number, at=1000.5):
    return DownloadStarted(at, f"downloads[{number}]", f"https://example.com/{number}.bin")


def finished(number, status="downloaded", **changes):
    values = {"bytes_downloaded": 90, "bytes_resumed": 10, "segments": 4, "source": "https://cdn/x", "etag": '"v1"', "duration_s": 0.50049}
    return DownloadFinished(1001.0, f"downloads[{number}]", status, "because", 100, (SHA, MD5), 1, 2, **values | changes)


def kept(number):
    return DownloadFinished(1001.0, f"downloads[{number}]", "up_to_date", "checksum matches", 100, (SHA,), 1, 2)


def failed(number, kind="http_status", status=404):
    return DownloadFailed(1001.0, f"downloads[{number}]", kind, "it did not work", status, "https://mirror/x", bytes_downloaded=5)


def retry(number, attempt=1):
    return RetryScheduled(
        1000.6, f"downloads[{number}]", attempt, 3, "server_error", 503, 0.5, f"https://example.com/{number}.bin", "the server answered 503"
    )


def test_a_download_that_went_well_is_told_in_full():
    fold = a_fold(download(0))
    for event in (PlanCompiled(1000.1, 2, 8, 1, 0), started(0), retry(0), finished(0)):
        fold.add(event)
    document = json.loads(text_of(fold))
    assert document["downloads"] == [
        {
            "id": "downloads[0]",
            "url": "https://example.com/0.bin",
            "path": "0.bin",
            "status": "downloaded",
            "reason": "because",
            "size": 100,
            "checksum": SHA,
            "bytes_downloaded": 90,
            "bytes_resumed": 10,
            "segments": 4,
            "started_at": "1970-01-01T00:16:40.500Z",
            "duration_s": 0.5,
            "etag": '"v1"',
            "source": "https://cdn/x",
            "sources": [],
            "unpacked": None,
            "retries": [
                {
                    "at": "1970-01-01T00:16:40.600Z",
                    "url": "https://example.com/0.bin",
                    "kind": "server_error",
                    "status": 503,
                    "message": "the server answered 503",
                    "wait_s": 0.5,
                    "attempt": 1,
                }
            ],
            "error": None,
        }
    ]
    assert {name: value for name, value in document.items() if name != "downloads"} == {
        "schema": "marscore/report/v1",
        "marscore_version": "1.0.0",
        "run_id": "r1",
        "name": "nightly",
        "manifest": {"path": "downloads.yaml", "sha256": "c" * 64},
        "started_at": "1970-01-01T00:16:40.000Z",
        "finished_at": "1970-01-01T00:16:41.250Z",
        "duration_s": 1.25,
        "status": "succeeded",
        "exit_code": 0,
        "plan": {"processes": 2, "threads": 8, "downloads": 1},
        "totals": {
            "downloads": 1,
            "downloaded": 1,
            "up_to_date": 0,
            "cached": 0,
            "failed": 0,
            "interrupted": 0,
            "skipped": 0,
            "bytes_downloaded": 90,
            "bytes_resumed": 10,
            "retries": 1,
        },
        "warnings": [],
        "throughput": {"interval_s": 0.1, "bytes": []},
    }


@pytest.mark.parametrize(
    ("events", "signal", "statuses", "status", "exit_code"),
    [
        ([finished(0), kept(1)], None, ["downloaded", "up_to_date"], "succeeded", 0),
        ([finished(0), failed(1)], None, ["downloaded", "failed"], "failed", 1),
        ([failed(0, "disk_full", None), failed(1)], None, ["failed", "failed"], "failed", 3),
        ([finished(0), failed(1, "permission", None)], None, ["downloaded", "failed"], "failed", 3),
        ([failed(0), DownloadSkipped(1001.0, "downloads[1]", "fail_fast")], None, ["failed", "skipped"], "failed", 1),
        ([finished(0)], None, ["downloaded", "skipped"], "failed", 1),
        ([finished(0), failed(1, "interrupted", None)], 2, ["downloaded", "interrupted"], "interrupted", 130),
        ([finished(0)], 15, ["downloaded", "interrupted"], "interrupted", 143),
        ([failed(0, "disk_full", None)], 15, ["failed", "interrupted"], "interrupted", 143),
        ([finished(0), kept(1)], 2, ["downloaded", "up_to_date"], "succeeded", 0),
        ([], 2, ["interrupted", "interrupted"], "interrupted", 130),
    ],
    ids=[
        "all in place",
        "one failed",
        "disk full beside another failure",
        "no permission",
        "skipped by a failure",
        "no outcome",
        "SIGINT",
        "SIGTERM before its turn",
        "a signal wins over a full disk",
        "a signal after all was in place",
        "a signal before anything",
    ],
)
def test_how_a_run_ends(events, signal, statuses, status, exit_code):
    fold = a_fold(download(0), download(1))
    for event in events:
        fold.add(event)
    report = a_report(fold, signal)
    assert [entry.status for entry in report.downloads] == statuses
    assert (report.status, report.exit_code, fold.exit_code(signal)) == (status, exit_code, exit_code)
    jsonschema.Draft202012Validator(report_schema()).validate(json.loads(text_of(fold, signal)))


def test_nothing_to_do_is_success():
    report = a_report(a_fold())
    assert (report.exit_code, report.plan.downloads) == (0, 0)
    assert json.loads(text_of(a_fold()))["downloads"] == []


def test_a_failure_tells_its_kind_status_and_words():
    fold = a_fold(download(0, size=7))
    fold.add(failed(0))
    [entry] = a_report(fold).downloads
    assert (entry.error.kind, entry.error.status, entry.error.message) == ("http_status", 404, "it did not work")
    assert (entry.size, entry.source, entry.checksum, entry.bytes_downloaded) == (7, "https://mirror/x", None, 5)


def test_an_interrupted_download_keeps_its_retries_and_its_start():
    fold = a_fold(download(0))
    fold.add(started(0))
    fold.add(retry(0))
    [entry] = a_report(fold, signal=2).downloads
    assert (entry.started_at, len(entry.retries), entry.error.kind) == ("1970-01-01T00:16:40.500Z", 1, "interrupted")


def test_the_order_is_the_manifests_however_downloads_end():
    fold = a_fold(*(download(n) for n in range(5)))
    for number in (3, 0, 4, 1, 2):
        fold.add(finished(number))
    assert [entry.id for entry in a_report(fold).downloads] == [f"downloads[{n}]" for n in range(5)]


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        ((), SHA),
        ((Checksum("md5", "b" * 32),), MD5),
        ((Checksum("sha256", "a" * 64), Checksum("md5", "b" * 32)), SHA),
        ((Checksum("sha1", "d" * 40),), SHA),
    ],
    ids=["none named: sha256", "the one named", "the first named", "one that was not computed"],
)
def test_the_checksum_is_the_one_that_the_manifest_names(wanted, shown):
    fold = a_fold(download(0, checksums=wanted))
    fold.add(finished(0))
    assert a_report(fold).downloads[0].checksum == shown


def test_totals_are_known_while_the_run_goes_on():
    fold = a_fold(download(0), download(1), download(2))
    for event in (finished(0), failed(1), ProgressMade(1.0, "downloads[2]", 1, 2, 1, 1, 0), ChecksumVerified(1.0, "downloads[0]", SHA)):
        fold.add(event)
    totals = fold.totals
    assert (totals.downloads, totals.downloaded, totals.failed, totals.skipped, totals.bytes_downloaded) == (3, 1, 1, 0, 95)


@pytest.mark.parametrize("ended", [True, False])
def test_of_secrets_the_report_shows_what_paths_show_and_nothing_else(ended):
    url = "https://user:hunter22@example.com/hunter22/f.bin?token=abc&x=1"
    fold = a_fold(download(0, sources=(url,), path="hunter22/f.bin"), secrets={"hunter22": "${PASS}"}, name="run hunter22")
    if ended:
        fold.add(finished(0))
    text = text_of(fold)
    assert '"path": "hunter22/f.bin"' in text
    assert text.count("hunter22") == 1
    assert "token=abc" not in text


def test_the_closing_event_carries_the_sums():
    fold = a_fold(download(0), download(1))
    fold.add(finished(0))
    event = run_finished(an_end(fold, signal=15).head, 1001.25)
    assert (event.status, event.exit_code, event.downloaded, event.interrupted, event.bytes_downloaded) == ("interrupted", 143, 1, 1, 90)


def test_odd_text_stays_valid_json_on_lines_of_its_own():
    odd = 'a\u2028b\nc"d\\e\udc80'
    fold = a_fold(download(0, path=odd), name=odd)
    fold.add(finished(0, etag="\x1b[2J"))
    text = text_of(fold)
    text.encode("utf-8")
    document = json.loads(text)
    assert document["downloads"][0]["path"] == 'a\u2028b\nc"d\\e\\udc80'
    assert "\x1b" not in text


def test_the_json_is_indented_for_people():
    fold = a_fold(download(0), download(1))
    lines = text_of(fold).split("\n")
    assert lines[:2] == ["{", '  "schema": "marscore/report/v1",']
    assert '  "downloads": [' in lines
    assert '      "id": "downloads[1]",' in lines
    assert lines[-3:] == ["  ]", "}", ""]


def test_a_report_reads_back_and_survives_pickle():
    fold = a_fold(download(0), download(1))
    fold.add(retry(0))
    fold.add(finished(0))
    report = a_report(fold)
    assert Report.model_validate_json(report.model_dump_json()) == report
    assert pickle.loads(pickle.dumps(report)) == report


def test_a_report_of_many_downloads_comes_in_small_pieces():
    fold = a_fold(*(download(n) for n in range(2000)))
    for number in range(2000):
        fold.add(finished(number))
    end = an_end(fold)
    pieces = list(iter_json(end.head, end.entries()))
    assert max(map(len, pieces)) < 2000
    assert len(json.loads("".join(pieces))["downloads"]) == 2000


def test_only_what_failed_is_read_for_those_who_ask_for_failures():
    fold = a_fold(*(download(n) for n in range(4)))
    fold.add(finished(0))
    fold.add(failed(1))
    fold.add(DownloadSkipped(1001.0, "downloads[2]", "fail_fast"))
    assert [(entry.id, entry.error.kind) for entry in an_end(fold, signal=2).failures()] == [
        ("downloads[1]", "http_status"),
        ("downloads[3]", "interrupted"),
    ]


# Entries that workers write

words = st.text(max_size=20)
outcomes = st.one_of(
    st.builds(
        DownloadFinished, at=st.just(1.0), download=st.just("downloads[0]"), size=st.integers(0), digests=st.sampled_from([(), (SHA,)])
    ),
    st.builds(DownloadFailed, at=st.just(1.0), download=st.just("downloads[0]")),
    st.builds(DownloadSkipped, at=st.just(1.0), download=st.just("downloads[0]")),
)


@settings(max_examples=examples(200), deadline=None)
@given(event=outcomes, path=words, size=st.none() | st.integers(0))
def test_every_entry_is_json_as_the_model_reads_it(event, path, size):
    text = entry_of(download(0, path=path, size=size), event, Redactor({}))
    read = json.loads(text)
    assert TypeAdapter(DownloadReport).validate_json(text).status == status_of(event) == read["status"]
    assert list(read) == [field.name for field in fields(DownloadReport) if field.name != "timeline"]
    assert text.count("\n") == len(read) + 1


def test_an_entry_that_came_with_its_outcome_is_completed_by_what_was_told_before():
    fold = a_fold(download(0))
    for event in (started(0), retry(0), retry(0, 2)):
        fold.add(event)
    fold.add(failed(0), entry_of(download(0), failed(0), Redactor({})))
    [entry] = a_report(fold).downloads
    assert (entry.started_at, [r.attempt for r in entry.retries]) == ("1970-01-01T00:16:40.500Z", [1, 2])
    assert entry.error.message == "it did not work"


def test_a_download_ends_once_whatever_is_told_of_it_later():
    fold = a_fold(download(0), download(1))
    for event in (finished(0), failed(0), finished(0)):
        fold.add(event)
    totals = fold.totals
    assert (totals.downloaded, totals.failed, totals.bytes_downloaded) == (1, 0, 90)


def test_what_looks_like_a_field_in_a_server_s_words_is_left_alone():
    words = '\n      "retries": [],\n      "started_at": null,'
    event = DownloadFailed(1001.0, "downloads[0]", "http_status", words, 404)
    fold = a_fold(download(0))
    fold.add(started(0))
    fold.add(retry(0))
    fold.add(event, entry_of(download(0), event, Redactor({})))
    [entry] = a_report(fold).downloads
    assert (entry.error.message, len(entry.retries)) == (words, 1)


def test_files_in_place_are_counted_at_once_and_none_twice():
    outcomes = [
        DownloadFinished(1000.5, f"downloads[{n}]", "up_to_date", "unchanged", 7, (SHA,), 1, 2, started_at=1000.5) for n in range(2)
    ]
    wanted = [download(0), download(1), download(2)]
    by_one, at_once = a_fold(*wanted), a_fold(*wanted)
    for event in outcomes:
        by_one.add(event)
    entries = {event.download: entry_of(wanted[n], event, Redactor({})) for n, event in enumerate(outcomes)}
    at_once.add_in_place(entries)
    at_once.add_in_place(entries)
    assert text_of(at_once) == text_of(by_one)
    assert at_once.totals.up_to_date == 2


# Timelines


def test_a_timeline_tells_ranges_and_what_happened_on_the_way():
    sources = ("https://user:pw@example.com/0.bin?token=abc", "https://mirror.example/0.bin")
    fold = a_fold(download(0, sources=sources))
    for event in (
        started(0),
        DownloadResumed(1000.5, "downloads[0]", 10, 1),
        HostPaused(1000.6, "downloads[0]", "example.com:443", 0.25),
        MirrorSwitched(1000.7, "downloads[0]", "https://example.com/0.bin", sources[1], "the server answered 503"),
        RangesFetched(1001.0, "downloads[0]", (FetchedRange(10, 90, 0.12345, None, 0.5, 1, "done", True),), 0),
        finished(0),
    ):
        fold.add(event)
    text = text_of(fold)
    jsonschema.Draft202012Validator(report_schema()).validate(json.loads(text))
    [entry] = json.loads(text)["downloads"]
    assert list(entry)[-3:] == ["retries", "timeline", "error"]
    assert entry["timeline"] == {
        "urls": ["https://example.com/0.bin?token=***", sources[1]],
        "ranges": [[10, 90, 0.123, None, 0.5, 1, "done", True]],
        "notes": [
            {"at": "1970-01-01T00:16:40.500Z", "event": "download_resumed", "bytes": 10},
            {"at": "1970-01-01T00:16:40.600Z", "event": "host_paused", "host": "example.com:443", "wait_s": 0.25},
            {"at": "1970-01-01T00:16:40.700Z", "event": "mirror_switched", "url": sources[1], "reason": "the server answered 503"},
        ],
    }
    report = a_report(fold)
    assert report.downloads[0].timeline.ranges[0].answered_s is None
    assert Report.model_validate_json(report.model_dump_json()) == report


def test_a_download_that_fails_with_a_timeline_is_still_among_the_failures():
    fold = a_fold(download(0), download(1))
    for number, end in ((0, finished(0)), (1, failed(1))):
        fold.add(RangesFetched(1001.0, f"downloads[{number}]", (FetchedRange(0, 0, 0.0, None, 0.5, 0, "failed", True),), 3))
        fold.add(end)
    assert [entry.id for entry in an_end(fold).failures()] == ["downloads[1]"]
    assert a_report(fold).downloads[1].timeline.ranges_left_out == 3


def test_bytes_by_time_are_on_one_line():
    fold = a_fold(download(0))
    fold.add(BytesReceived(1000.05, 60, 0.04))
    fold.add(BytesReceived(1000.25, 30, 0.04))
    fold.add(finished(0))
    assert '  "throughput": {"interval_s": 0.1, "bytes": [60, 0, 30]},' in text_of(fold).split("\n")


def test_a_report_of_before_there_were_timelines_is_read():
    fold = a_fold(download(0))
    fold.add(finished(0))
    document = json.loads(text_of(fold))
    del document["throughput"]
    report = Report.model_validate(document)
    assert (report.throughput.bytes, report.downloads[0].timeline) == ((), None)


def notes_of(fold):
    return [
        [(note.event, note.host, note.wait_s) for note in each.timeline.notes] if each.timeline else [] for each in a_report(fold).downloads
    ]


def test_a_pause_is_told_of_each_download_on_its_way_that_asks_the_host():
    elsewhere = download(2, sources=("https://other.example/2.bin",))
    mirrored = download(3, sources=("https://other.example/3.bin", "https://example.com/3.bin"))
    fold = a_fold(download(0), download(1), elsewhere, mirrored, download(4), download(5), download(6))
    for number in (0, 1, 2, 3, 4):
        fold.add(DownloadStarted(1001.0, f"downloads[{number}]", "u"))
    fold.add(finished(4))
    fold.add(HostPaused(1002.0, "downloads[0]", "example.com:443", 3.0))
    # Refused together with the first, it asks for what is known already.
    fold.add(HostPaused(1002.1, "downloads[1]", "example.com:443", 3.0))
    fold.add(DownloadStarted(1003.5, "downloads[5]", "u"))
    fold.add(DownloadStarted(1005.5, "downloads[6]", "u"))
    paused = ("host_paused", "example.com:443", 3.0)
    assert notes_of(fold) == [[paused], [paused, paused], [], [paused], [], [("host_paused", "example.com:443", 1.5)], []]


def test_a_pause_that_goes_on_longer_is_news():
    fold = a_fold(download(0), download(1))
    for number in (0, 1):
        fold.add(DownloadStarted(1001.0, f"downloads[{number}]", "u"))
    for at in (1002.0, 1004.0):
        fold.add(HostPaused(at, "downloads[0]", "example.com:443", 3.0))
    assert [len(notes) for notes in notes_of(fold)] == [2, 2]
    fold.add(HostPaused(1004.5, "downloads[0]", "example.com:443", 0.0))
    assert [len(notes) for notes in notes_of(fold)] == [3, 2]


@pytest.mark.parametrize("wanted", ["", "e", "d", "ede", "dded", "eeeee", "dedede"])
def test_files_that_need_nothing_stand_among_the_others_in_their_order(wanted):
    # e: comes with its entry; d: is a download that has none so far.
    fold, whole = a_fold(), a_fold(*map(download, range(len(wanted))))
    others = [download(number) for number, what in enumerate(wanted) if what == "d"]
    for number, what in enumerate(wanted):
        if what == "e":
            whole.add(finished(number, "up_to_date"))
    texts = list(whole.entries())
    fold.expect_beside([texts[number] if what == "e" else None for number, what in enumerate(wanted)], others)
    assert fold.expected == len(wanted)
    assert list(fold.entries()) == texts
    assert fold.totals.up_to_date == wanted.count("e")
    # There may be more.
    assert fold.exit_code() == 1
    fold.read_to_the_end()
    assert fold.exit_code() == (1 if others else 0)
    for other in others:
        fold.add(finished(int(other.id[10:-1])))
    assert fold.exit_code() == 0
    assert fold.totals.downloaded == len(others)
