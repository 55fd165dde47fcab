"""What metrics say of a run, read by Prometheus' own parser, with time told by the test."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from prometheus_client.parser import text_string_to_metric_families

from marscore.events import (
    DownloadFailed,
    DownloadFinished,
    DownloadSkipped,
    DownloadStarted,
    PlanCompiled,
    ProgressMade,
    RetryScheduled,
    RunFinished,
)
from marscore.report.metrics import MOST_HOSTS, MetricsFold, last_success_of

OWN = {"name": "nightly", "output_dir": "/srv/data"}


def a_fold(labels=None, last_success=None):
    return MetricsFold(labels or OWN, "0.1.0", 1000.0, 50.0, last_success)


def started(number):
    return DownloadStarted(1000.0, f"downloads[{number}]", "https://example.com/a")


def reading(number, downloaded, connections=2):
    return ProgressMade(1000.0, f"downloads[{number}]", downloaded, None, downloaded, connections, 0)


def finished(number, downloaded=7, resumed=0, status="downloaded"):
    return DownloadFinished(1000.0, f"downloads[{number}]", status, "", 7, (), 0, 0, bytes_downloaded=downloaded, bytes_resumed=resumed)


def failed(number, kind="http_status", url="https://example.com/a"):
    return DownloadFailed(1000.0, f"downloads[{number}]", kind, "no", 404, url, bytes_downloaded=3)


def retry(number, url="https://example.com/a", kind="timeout"):
    return RetryScheduled(1000.0, f"downloads[{number}]", 1, 3, kind, None, 1.0, url, "slow")


def over(exit_code=0, **counts):
    every = dict.fromkeys(("downloaded", "up_to_date", "cached", "failed", "interrupted", "skipped"), 0) | counts
    return RunFinished(2000.0, "succeeded", exit_code, **every, bytes_downloaded=99, bytes_resumed=5, retries=0, duration_s=12.5)


def samples(fold, ticks=60.0):
    """Every sample but for what all carry: name and further labels -> value."""
    found = {}
    for family in text_string_to_metric_families("".join(fold.text(ticks))):
        for sample in family.samples:
            more = tuple(value for name, value in sample.labels.items() if name not in OWN)
            assert (sample.name, *more) not in found
            found[(sample.name, *more)] = sample.value
    return found


def test_a_run_that_goes_on_tells_how_far_it_is():
    fold = a_fold()
    for event in [PlanCompiled(1000.0, 1, 4, 9, 2), started(0), started(1), started(2), finished(2, 100, 20)]:
        fold.add(event)
    fold.add_in_place(2)
    fold.look([reading(0, 500), reading(1, 30, connections=1), reading(2, 1), reading(7, 1)])
    told = samples(fold)
    assert told["marscore_run_active",] == 1
    assert told["marscore_run_duration_seconds",] == 10.0
    assert told["marscore_run_start_time_seconds",] == 1000.0
    assert told["marscore_run_updated_timestamp_seconds",] == 1010.0
    assert told["marscore_planned_downloads",] == 9
    assert told["marscore_active_downloads",] == 2
    assert told["marscore_active_connections",] == 3
    assert told["marscore_bytes_downloaded_total",] == 630, "one that is over counts once, one that is not known not at all"
    assert told["marscore_bytes_resumed_total",] == 20
    assert told["marscore_download_speed_bytes_per_second",] == 63.0
    assert told["marscore_downloads_total", "downloaded"] == 1
    assert told["marscore_downloads_total", "up_to_date"] == 2
    assert ("marscore_run_exit_code",) not in told, "it is not over"


def test_a_run_that_is_over_says_what_its_report_says():
    fold = a_fold()
    fold.add(started(0))
    fold.look([reading(0, 500)])
    fold.add(over(downloaded=3, skipped=1))
    told = samples(fold)
    assert told["marscore_run_active",] == 0
    assert told["marscore_run_exit_code",] == 0
    assert told["marscore_run_duration_seconds",] == 12.5
    assert told["marscore_bytes_downloaded_total",] == 99
    assert (told["marscore_downloads_total", "downloaded"], told["marscore_downloads_total", "skipped"]) == (3, 1)
    assert (told["marscore_active_downloads",], told["marscore_active_connections",]) == (0, 0)
    assert told["marscore_download_speed_bytes_per_second",] == 0
    assert told["marscore_run_last_success_timestamp_seconds",] == 2000.0


def test_the_last_success_outlives_a_run_that_fails():
    fold = a_fold()
    fold.add(over(exit_code=0))
    before = last_success_of("".join(fold.text(60.0)))
    assert before == 2000.0
    later = a_fold(last_success=before)
    later.add(over(exit_code=1, failed=1))
    told = samples(later)
    assert (told["marscore_run_exit_code",], told["marscore_run_last_success_timestamp_seconds",]) == (1, 2000.0)


@pytest.mark.parametrize(
    "text", ["", "not metrics\n", "marscore_run_last_success_timestamp_seconds x\n", "marscore_run_last_success_timestamp_seconds 1e+e\n"]
)
def test_a_file_that_tells_of_no_success_tells_none(text):
    assert last_success_of(text) is None


def test_retries_and_failures_are_counted_by_kind_and_host():
    fold = a_fold()
    for event in [retry(0), retry(0), retry(1, kind="dns"), failed(1), failed(2, kind="interrupted"), failed(3, kind="path", url=None)]:
        fold.add(event)
    fold.add(DownloadSkipped(1000.0, "downloads[4]", "the run ended"))
    told = samples(fold)
    assert told["marscore_retries_total", "timeout", "example.com"] == 2
    assert told["marscore_retries_total", "dns", "example.com"] == 1
    assert told["marscore_failures_total", "http_status", "example.com"] == 1
    assert told["marscore_failures_total", "path", ""] == 1
    assert ("marscore_failures_total", "interrupted", "example.com") not in told
    assert (told["marscore_downloads_total", "interrupted"], told["marscore_downloads_total", "skipped"]) == (1, 1)


def test_there_are_so_many_hosts_and_no_more():
    fold = a_fold()
    for number in range(1000):
        fold.add(retry(number, url=f"https://host-{number}.example.com:8443/a"))
    told = {key[2]: value for key, value in samples(fold).items() if key[0] == "marscore_retries_total"}
    assert len(told) == MOST_HOSTS + 1
    assert told["other"] == 1000 - MOST_HOSTS
    assert told["host-0.example.com:8443"] == 1


def test_bytes_never_fall_also_where_a_worker_died_with_what_it_had():
    fold = a_fold()
    fold.add(started(0))
    fold.look([reading(0, 500)])
    assert samples(fold)["marscore_bytes_downloaded_total",] == 500
    fold.look([reading(0, 10)])
    assert samples(fold)["marscore_bytes_downloaded_total",] == 500


@pytest.mark.parametrize("name", ['quo"te', "back\\slash", "line\nend", "ünïcode", "lone \udcff surrogate", "\\n", '\\"'])
def test_any_name_is_a_label(name):
    fold = a_fold({**OWN, "name": name})
    fold.add(over())
    [family] = [f for f in text_string_to_metric_families("".join(fold.text(60.0))) if f.name == "marscore_run_exit_code"]
    assert family.samples[0].labels["name"] == name.replace("\udcff", "\\udcff")


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not here")
def test_promtool_finds_nothing_to_say_of_them():
    fold = a_fold(last_success=12.0)
    for event in [PlanCompiled(1000.0, 1, 4, 9, 2), started(0), retry(0), failed(1), finished(2)]:
        fold.add(event)
    during = "".join(fold.text(60.0))
    fold.add(over(exit_code=1))
    for text in (during, "".join(fold.text(70.0))):
        done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False, timeout=60)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
