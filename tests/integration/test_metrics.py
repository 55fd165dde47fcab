"""`--metrics FILE` from outside: what a collector reads of it during a run and after it."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from marscore.adapters.clock import SystemClock
from marscore.adapters.telemetry.metrics_file import MetricsFile, last_success
from marscore.adapters.terminal.named_outputs import Output
from marscore.events import RunFinished
from marscore.report.metrics import MetricsFold
from tests.integration.command import LIMIT_S, marscore, started, write
from tests.origin import Body, Origin, Status, busy
from tests.origin.steps import Good


def samples(text: str) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *(value for name, value in sample.labels.items() if name not in ("name", "output_dir"))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_what_is_written_at_the_end_is_what_the_report_says(origin: Origin, tmp_path: Path) -> None:
    urls = [origin.serve(f"/{n}.bin", Body(1000 + n, seed=n)) for n in range(4)]
    urls.append(origin.serve("/flaky.bin", Body(5000), [busy(503, "0"), Good()]))
    urls.append(origin.serve("/gone.bin", Body(10), [Status(404)]))
    write(tmp_path, urls, name="nightly")
    run = marscore("run", "downloads.yaml", "--metrics", "run.prom", cwd=tmp_path)
    assert run.code == 1
    told = samples((tmp_path / "run.prom").read_text())
    assert told["marscore_run_exit_code",] == 1
    totals = run.report["totals"]
    for status in ("downloaded", "up_to_date", "cached", "failed", "interrupted", "skipped"):
        assert told["marscore_downloads_total", status] == totals[status]
    assert told["marscore_bytes_downloaded_total",] == totals["bytes_downloaded"]
    assert told["marscore_run_duration_seconds",] == run.report["duration_s"]
    host = origin.url("").removeprefix("http://").rstrip("/")
    assert told["marscore_retries_total", "server_error", host] == totals["retries"] == 1
    assert told["marscore_failures_total", "http_status", host] == 1
    assert ("marscore_run_last_success_timestamp_seconds",) not in told


def test_files_in_place_are_counted_and_the_last_success_stays(origin: Origin, tmp_path: Path) -> None:
    urls = [origin.serve(f"/{n}.bin", Body(100, seed=n)) for n in range(50)]
    write(tmp_path, urls)
    assert marscore("run", "downloads.yaml", "--metrics", "run.prom", cwd=tmp_path).code == 0
    first = samples((tmp_path / "run.prom").read_text())
    write(tmp_path, [*urls, origin.serve("/gone.bin", Body(1), [Status(404)] * 9)])
    assert marscore("run", "downloads.yaml", "--metrics", "run.prom", cwd=tmp_path).code == 1
    then = samples((tmp_path / "run.prom").read_text())
    assert then["marscore_downloads_total", "up_to_date"] == 50
    succeeded = ("marscore_run_last_success_timestamp_seconds",)
    assert then[succeeded] == first[succeeded] > first["marscore_run_start_time_seconds",]


def test_secrets_are_in_no_label(origin: Origin, tmp_path: Path) -> None:
    write(tmp_path, [origin.serve("/a.bin", Body(10)) + "?token=${TOKEN}", origin.url("/gone") + "?token=${TOKEN}"], name="of ${TOKEN}")
    marscore("run", "downloads.yaml", "--metrics", "run.prom", cwd=tmp_path, env={"TOKEN": "hunter2hunter2"})
    text = (tmp_path / "run.prom").read_text()
    assert "hunter2" not in text
    assert 'name="of ${TOKEN}"' in text


def test_a_run_that_goes_on_is_seen_to_and_one_that_is_stopped_too(origin: Origin, tmp_path: Path) -> None:
    held = threading.Event()
    write(
        tmp_path, [origin.serve("/a.bin", Body(10)), origin.serve("/slow.bin", Body(1000), [Good(stall_after=500, stall_s=60, until=held)])]
    )
    running = started("run", "downloads.yaml", "--metrics", "run.prom", cwd=tmp_path, stderr=subprocess.DEVNULL)
    try:
        wait_for(tmp_path / "run.prom", "marscore_run_active{")
        assert samples((tmp_path / "run.prom").read_text())["marscore_run_active",] == 1
        wait_for(tmp_path / "data" / "a.bin", "")
        running.terminate()
        assert running.wait(LIMIT_S) == 143
    finally:
        held.set()
        running.kill()
        running.wait(LIMIT_S)
    told = samples((tmp_path / "run.prom").read_text())
    assert (told["marscore_run_active",], told["marscore_run_exit_code",]) == (0, 143)
    assert told["marscore_downloads_total", "downloaded"] == 1
    assert told["marscore_downloads_total", "interrupted"] == 1


def wait_for(path: Path, text: str) -> None:
    until = time.monotonic() + LIMIT_S
    while not path.exists() or text not in path.read_text():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_metrics_that_cannot_be_written_at_all_are_told_before_anything_is_fetched(origin: Origin, tmp_path: Path) -> None:
    write(tmp_path, [origin.serve("/a.bin", Body(10))])
    (tmp_path / "file").write_text("")
    run = marscore("run", "downloads.yaml", "--metrics", "file/run.prom", cwd=tmp_path)
    assert run.code == 3
    assert "cannot write the metrics file/run.prom" in run.err.splitlines()[-1]
    assert not origin.requests


@pytest.mark.parametrize("name", ["downloads.yaml", "data/a.bin", "report.json"])
def test_metrics_over_something_else_of_the_run_are_refused(origin: Origin, tmp_path: Path, name: str) -> None:
    write(tmp_path, [origin.serve("/a.bin", Body(10))])
    run = marscore("run", "downloads.yaml", "--report", "report.json", "--metrics", name, cwd=tmp_path)
    assert run.code == 2
    assert run.err.startswith("--metrics: names ")
    assert not origin.requests


def test_what_reads_the_file_while_it_is_written_never_sees_half_of_it(tmp_path: Path) -> None:
    output = Output(tmp_path / "run.prom", "the metrics")
    clock = SystemClock()
    fold = MetricsFold({"name": "x" * 100_000}, "0.1.0", clock.now(), clock.ticks())
    file = MetricsFile(output, fold, clock.ticks, every=0.0)
    file.start()
    inodes = set()
    for _ in range(300):
        with (tmp_path / "run.prom").open() as stream:
            text = stream.read()
        inodes.add((tmp_path / "run.prom").stat().st_ino)
        assert text.startswith("# HELP marscore_build_info ")
        assert text.splitlines()[-1].startswith("marscore_bytes_resumed_total{")
    file.finish(over(), lambda place, text: place.write_whole(text))
    assert last_success(output) == 2000.0
    assert [path.name for path in tmp_path.iterdir()] == ["run.prom"]


def over() -> RunFinished:
    return RunFinished(2000.0, "succeeded", 0, 1, 0, 0, 0, 0, 0, 9, 0, 0, 1.0)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
def test_metrics_that_cannot_be_written_any_more_are_a_warning(origin: Origin, tmp_path: Path) -> None:
    write(tmp_path, [origin.serve("/a.bin", Body(10))])
    run = marscore("run", "downloads.yaml", "--metrics", "/dev/full", cwd=tmp_path)
    assert (run.code, run.report["exit_code"]) == (0, 0)
    assert [event["event"] for event in run.events()][-2:] == ["warned", "run_finished"]
    assert "cannot write the metrics /dev/full: No space left on device" in run.events("warned")[0]["message"]


def test_metrics_that_nobody_reads_are_given_up_when_a_signal_comes(origin: Origin, tmp_path: Path) -> None:
    write(tmp_path, [origin.serve("/a.bin", Body(10))])
    os.mkfifo(tmp_path / "pipe")
    arguments = ("run", "downloads.yaml", "--metrics", "pipe", "--log-file", "log.jsonl")
    with started(*arguments, cwd=tmp_path, stderr=subprocess.DEVNULL) as running:
        try:
            wait_for(tmp_path / "data" / ".marscore" / "report.json", "}")
            time.sleep(0.1)
            running.terminate()
            assert running.wait(LIMIT_S) == 0, "all was in place"
        finally:
            running.kill()
    assert "the metrics had to be given up: pipe was not read to the end" in (tmp_path / "log.jsonl").read_text()
