"""Spans from outside: what a collector is sent of a run, and what it cannot do to one."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.command import environment, write
from tests.integration.command import marscore as run_command
from tests.origin import Body, Good, HangUp, Origin, Status, busy
from tests.servers.collector import Collector, collector

MIB = 1024 * 1024
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def sent() -> Iterator[Collector]:
    with collector() as here:
        yield here


def asking(sent: Collector, **more: str) -> dict[str, str]:
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": sent.url, **more}


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("lane", ["auto", "requests"])
def test_a_run_is_a_tree_of_spans(origin: Origin, sent: Collector, tmp_path: Path, processes: int, lane: str) -> None:
    urls = [origin.serve(f"/{n}.bin", Body(1000 + n, seed=n)) for n in range(3)]
    urls.append(origin.serve("/flaky.bin", Body(3 * MIB, seed=9), [busy(503, "0"), Good(cut_after=MIB), Good()]))
    urls.append(origin.serve("/gone.bin", Body(1), [Status(404)]))
    write(tmp_path, urls, name="nightly", execution={"processes": processes, "lane": lane})
    run = run_command("run", "downloads.yaml", cwd=tmp_path, env=asking(sent, OTEL_SERVICE_NAME="fetcher", TRACEPARENT=PARENT))
    assert run.code == 1
    [whole] = sent.named("marscore run")
    assert (whole.trace, whole.parent) == (PARENT.split("-")[1], PARENT.split("-")[2])
    assert (whole.failed, whole.attributes["process.exit.code"], whole.attributes["marscore.run.name"]) == (True, 1, "nightly")
    assert whole.attributes["marscore.run.id"] == run.report["run_id"]
    downloads = {span.attributes["marscore.download.id"]: span for span in sent.below(whole)}
    assert sorted(downloads) == [entry["id"] for entry in run.report["downloads"]]
    for entry in run.report["downloads"]:
        span = downloads[entry["id"]]
        assert span.attributes["marscore.download.status"] == entry["status"]
        assert span.attributes["file.path"] == entry["path"]
        assert span.attributes["url.full"] == entry["url"]
        assert whole.began <= span.began <= span.ended <= whole.ended
        assert span.failed == (entry["status"] == "failed")
        made = sent.below(span)
        assert made, "each asked at least once"
        for request in made:
            assert request.name == "GET"
            assert span.began - 0.001 <= request.began <= request.ended <= span.ended + 0.001
            assert request.attributes["url.full"] == entry["url"]
            assert request.attributes["server.address"] == "127.0.0.1"
            assert request.attributes["server.port"] == origin.port
        # A request that another took bytes from may have received more than it wrote by then.
        written = sum(request.attributes["http.response.body.size"] for request in made)
        assert written == entry["bytes_downloaded"] if len(made) == 1 else (entry["size"] or 0) <= written <= entry["bytes_downloaded"]
    flaky = sorted(sent.below(downloads["downloads[3]"]), key=lambda span: span.began)
    assert (flaky[0].attributes["http.response.status_code"], flaky[0].attributes["error.type"], flaky[0].failed) == (503, "503", True)
    assert flaky[1].attributes["http.request.resend_count"] == 1
    assert "retry_scheduled" in downloads["downloads[3]"].events
    assert len(flaky) == sum(seen.path == "/flaky.bin" for seen in origin.requests)
    [gone] = sent.below(downloads["downloads[4]"])
    assert (gone.attributes["http.response.status_code"], gone.attributes["error.type"]) == (404, "404")
    assert {resource["service.name"] for resource in sent.resources} == {"fetcher"}


def test_no_secret_is_in_a_span(origin: Origin, sent: Collector, tmp_path: Path) -> None:
    origin.serve("/a.bin", Body(10))
    origin.serve("/broken.bin", Body(10), [HangUp()])
    downloads = [
        {"url": origin.url("/a.bin").replace("http://", "http://user:hunter2hunter2@") + "?x=${PASSWORD}", "path": "a.bin"},
        {"url": origin.url("/broken.bin?token=literally"), "headers": {"Authorization": "Bearer ${PASSWORD}"}, "retry": {"max_retries": 1}},
    ]
    write(tmp_path, downloads, name="of ${PASSWORD}")
    run_command("run", "downloads.yaml", cwd=tmp_path, env=asking(sent, PASSWORD="correcthorse"))
    assert len(sent.named("download")) == 2
    told = b"".join(sent.bodies)
    for secret in (b"hunter2hunter2", b"correcthorse", b"literally"):
        assert secret not in told
    assert b"${PASSWORD}" in told


def test_files_in_place_have_no_spans_and_a_second_run_is_one(origin: Origin, sent: Collector, tmp_path: Path) -> None:
    write(tmp_path, [origin.serve("/a.bin", Body(10))])
    for _ in range(2):
        assert run_command("run", "downloads.yaml", cwd=tmp_path, env=asking(sent)).code == 0
    assert [len(sent.named(name)) for name in ("marscore run", "download", "GET")] == [2, 1, 1]
    assert {resource["service.name"] for resource in sent.resources} == {"marscore"}
    assert sent.named("marscore run")[1].attributes["marscore.run.up_to_date"] == 1


def test_a_run_that_is_not_sampled_sends_nothing(origin: Origin, sent: Collector, tmp_path: Path) -> None:
    write(tmp_path, [origin.serve("/a.bin", Body(10))])
    run = run_command("run", "downloads.yaml", cwd=tmp_path, env=asking(sent, OTEL_TRACES_SAMPLER="always_off"))
    assert (run.code, run.events("warned"), sent.bodies) == (0, [], [])


@pytest.mark.parametrize("how", ["refuses", "errs", "hangs"])
def test_a_collector_that_fails_is_a_warning_and_nothing_else(origin: Origin, sent: Collector, tmp_path: Path, how: str) -> None:
    write(tmp_path, [origin.serve("/a.bin", Body(10))])
    env = asking(sent)
    if how == "refuses":
        env["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:9"
    if how == "errs":
        sent.status = 400
    if how == "hangs":
        sent.held = threading.Event()
    run = run_command("run", "downloads.yaml", "--log-format", "json", cwd=tmp_path, env=env)
    assert (run.code, run.report["status"]) == (0, "succeeded")
    [warning] = run.events("warned")
    assert warning["message"].startswith(("not all spans were sent: ", "of this run's spans, OpenTelemetry says: "))
    assert ("takes longer" in warning["message"]) == (how == "hangs")
    assert [event["event"] for event in run.events()][-1] == "run_finished"
    assert all(line.startswith("{") for line in run.err.splitlines()), "the SDK's own log is not on standard error"


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"OTEL_TRACES_EXPORTER": "abacus"}, "the run is not traced: there is no exporter abacus installed"),
        (
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "smoke"},
            "the run is not traced: there is no exporter otlp over ",
        ),
    ],
)
def test_what_the_environment_asks_for_in_vain_is_a_warning(origin: Origin, tmp_path: Path, env: dict[str, str], words: str) -> None:
    write(tmp_path, [origin.serve("/a.bin", Body(10))])
    run = run_command("run", "downloads.yaml", cwd=tmp_path, env=env)
    assert (run.code, run.data("a.bin")) == (0, Body(10).read(0, 10))
    assert run.events("warned")[0]["message"].startswith(words)


def test_on_the_console_they_go_to_standard_error(origin: Origin, tmp_path: Path) -> None:
    write(tmp_path, [origin.serve("/a.bin", Body(10))])
    run = run_command("run", "downloads.yaml", "--report", "-", cwd=tmp_path, env={"OTEL_TRACES_EXPORTER": "console"})
    assert run.out.startswith('{\n  "schema"')
    assert '"name": "marscore run"' in run.err


@pytest.mark.parametrize(
    "env", [{}, {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}, {"OTEL_TRACES_EXPORTER": "none"}]
)
def test_where_nobody_asks_nothing_of_it_is_imported(origin: Origin, tmp_path: Path, env: dict[str, str]) -> None:
    write(tmp_path, [origin.serve("/a.bin", Body(10))])
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "TRACEPARENT"))}
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "marscore", "run", "downloads.yaml"],
        cwd=tmp_path,
        env={**clean, **env},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
    assert "marscore.observing" in imported
    assert not [name for name in imported if name.startswith("opentelemetry")]


def test_a_program_that_traces_itself_has_the_runs_below_its_span(origin: Origin, tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    url = origin.serve("/a.bin", Body(10))
    done = subprocess.run(
        [sys.executable, str(script), url], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["GET<download", "download<marscore", "marscore<own", "own<"]


PROGRAM = """
import sys
import marscore
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

exporter, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
with trace.get_tracer("own").start_as_current_span("own"):
    report = marscore.run({"version": 1, "output_dir": "data", "downloads": [sys.argv[1]]})
    assert report.exit_code == 0
    quiet = marscore.RunSettings(traces="none", log_level="error")
    assert marscore.run({"version": 1, "output_dir": "more", "downloads": [sys.argv[1]]}, quiet).exit_code == 0
names = {span.context.span_id: span.name.split()[0] for span in exporter.get_finished_spans()}
for span in exporter.get_finished_spans():
    print(names[span.context.span_id] + "<" + (names[span.parent.span_id] if span.parent else ""))
"""
