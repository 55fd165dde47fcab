"""Spans through OpenTelemetry's SDK, read from its in-memory exporter."""

from __future__ import annotations

import logging
import threading

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode

from marscore.adapters.telemetry.tracing import Losses, Tracing, _parent, open_tracing, secrets_of, wanted
from marscore.policy.redact import Redactor
from marscore.report.spans import Span, SpanEvent

ENDPOINT = "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("environment", "is_wanted"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "x", "TRACEPARENT": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ENDPOINT}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": ENDPOINT}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": " "}, False),
        ({"OTEL_TRACES_EXPORTER": "None", "OTEL_EXPORTER_OTLP_ENDPOINT": ENDPOINT}, False),
        ({"OTEL_SDK_DISABLED": "True", "OTEL_EXPORTER_OTLP_ENDPOINT": ENDPOINT}, False),
        ({"OTEL_SDK_DISABLED": "false", "OTEL_EXPORTER_OTLP_ENDPOINT": ENDPOINT}, True),
    ],
)
def test_spans_are_made_where_the_environment_asks_for_them(environment, is_wanted):
    assert wanted(environment) == is_wanted


def told(add, sampler=None, parent=None):
    exporter = InMemorySpanExporter()
    provider = TracerProvider(**({} if sampler is None else {"sampler": sampler}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing = Tracing(provider, parent)
    recording = tracing.start(100.0, {"marscore.run.id": "abc"})
    for span in add:
        tracing.add(span)
    assert tracing.finish(200.0, {"process.exit.code": 1}, "the run failed") is None
    return recording, exporter.get_finished_spans()


def test_a_tree_of_spans_is_told_with_its_times():
    request = Span("GET", "client", 101.5, 102.0, {"http.request.method": "GET"}, (SpanEvent("response_head", 101.75, {}),), "")
    download = Span("download", "internal", 101.0, 103.0, {"file.path": "a"}, (), "it failed", (request,))
    recording, spans = told([download])
    inner, outer, run = spans
    assert recording
    assert [span.name for span in spans] == ["GET", "download", "marscore run"]
    assert (inner.parent.span_id, outer.parent.span_id, run.parent) == (outer.context.span_id, run.context.span_id, None)
    assert {span.context.trace_id for span in spans} == {run.context.trace_id}
    assert (inner.kind, outer.kind) == (SpanKind.CLIENT, SpanKind.INTERNAL)
    assert (inner.start_time, inner.end_time) == (101_500_000_000, 102_000_000_000)
    assert (run.start_time, run.end_time) == (100_000_000_000, 200_000_000_000)
    assert [(event.name, event.timestamp) for event in inner.events] == [("response_head", 101_750_000_000)]
    assert (inner.status.status_code, inner.status.description) == (StatusCode.ERROR, None)
    assert (outer.status.status_code, outer.status.description) == (StatusCode.ERROR, "it failed")
    assert dict(run.attributes) == {"marscore.run.id": "abc", "process.exit.code": 1}


def test_the_run_is_part_of_what_started_it():
    parent = _parent({"TRACEPARENT": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "TRACESTATE": "a=b"})
    _, [run] = told([], parent=parent)
    assert (f"{run.context.trace_id:032x}", f"{run.parent.span_id:016x}") == ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
    assert run.context.trace_state.get("a") == "b"


@pytest.mark.parametrize("text", ["", "nonsense", "00-00000000000000000000000000000000-0000000000000000-01"])
def test_nonsense_in_its_place_begins_a_trace(text):
    _, [run] = told([], parent=_parent({"TRACEPARENT": text}))
    assert run.parent is None


def test_a_run_that_is_not_sampled_says_so():
    recording, spans = told([], sampler=ALWAYS_OFF)
    assert (recording, spans) == (False, ())


class Stuck(SpanExporter):
    """A collector that takes what it is sent and never answers."""

    def __init__(self):
        self.over = threading.Event()

    def export(self, spans):
        self.over.wait(60)
        return SpanExportResult.SUCCESS


def test_the_end_does_not_wait_for_a_collector_that_does_not_answer():
    stuck, losses = Stuck(), Losses(Redactor({}))
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(stuck))
    tracing = Tracing(provider, None, (provider, losses), patience=0.05)
    tracing.start(100.0, {})
    trouble = tracing.finish(200.0, {}, None)
    assert not stuck.over.is_set(), "it is not over"
    assert trouble == "not all spans were sent: the collector takes longer than 0.05 s"
    stuck.over.set()


class Full(SpanExporter):
    """One that fails and says so as the official ones do."""

    def export(self, spans):
        logging.getLogger("opentelemetry.exporter.full").error("Failed to export %s", "spans")
        return SpanExportResult.FAILURE


def test_what_is_lost_is_told(capfd):
    losses = Losses(Redactor({}))
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(Full()))
    tracing = Tracing(provider, None, (provider, losses))
    tracing.start(100.0, {})
    assert tracing.finish(200.0, {}, None) == "of this run's spans, OpenTelemetry says: Failed to export spans"
    assert losses not in logging.getLogger("opentelemetry").handlers
    assert capfd.readouterr() == ("", ""), "in the run's log, and nowhere else"


def test_memory_is_bounded_while_a_collector_does_not_answer():
    stuck, losses = Stuck(), Losses(Redactor({}))
    provider = TracerProvider(shutdown_on_exit=False)
    processor = BatchSpanProcessor(stuck, max_queue_size=64, max_export_batch_size=8)
    provider.add_span_processor(processor)
    tracing = Tracing(provider, None, (provider, losses), patience=0.05)
    tracing.start(100.0, {})
    for _ in range(1000):
        tracing.add(Span("download", "internal", 101.0, 102.0, {}))
    trouble = tracing.finish(200.0, {}, None)
    assert trouble.startswith("not all spans were sent: ")
    assert "Queue full" in trouble
    stuck.over.set()


@pytest.mark.parametrize(
    "environment",
    [{"OTEL_TRACES_EXPORTER": "abacus"}, {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "smoke"}],
)
def test_an_exporter_that_is_not_there_is_an_error_with_its_name(environment):
    with pytest.raises(ValueError, match=r"there is no exporter (abacus|otlp over smoke) installed"):
        open_tracing(environment)
    assert not [handler for handler in logging.getLogger("opentelemetry").handlers if isinstance(handler, Losses)]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("OTEL_EXPORTER_OTLP_HEADERS", "Authorization: Bearer hunter2x", "Header format invalid! : Authorization: Bearer hunter2x"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "bad header hunter2x,a=b", "Header format invalid! : bad header hunter2x"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "a=1,key=hunter2x", "Invalid header value hunter2x"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1/?token=hunter2x", "exceeded with url: /?token=hunter2x/v1/traces (Caused by"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:1/in/hunter2x", "exceeded with url: /in/hunter2x (Caused by"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://me:hunter2x@h/", "no route to me:hunter2x@h"),
    ],
)
def test_what_the_sdk_was_told_by_the_environment_is_not_told_again(name: str, value: str, said: str) -> None:
    losses = Losses(secrets_of({name: value}))
    logging.getLogger("opentelemetry.sdk").error("%s", said)
    losses.close()
    assert losses.first is not None
    assert "hunter2" not in losses.first
    assert "${OTEL_" in losses.first
