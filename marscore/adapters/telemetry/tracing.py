"""Spans by OpenTelemetry's SDK, which the extra `otel` brings, to wherever its own environment variables say.

    spans --Tracing--> TracerProvider > BatchSpanProcessor > exporter, in a thread of its own

A program that has set up a tracer provider itself gets the spans there, below its current span, and flushes them itself. Else a provider
of our own is made where the environment asks for one (`wanted`): it sends in batches from a bounded queue, and drops what a collector does
not take in time. Nothing of this delays a download; the end of a run waits for two seconds at most, and what is lost is a warning.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from marscore.policy.redact import Redactor
from marscore.printable import printable
from marscore.public import WRITTEN
from marscore.report.spans import Attributes, Span
from marscore.version import __version__

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider as OwnProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Tracer, TracerProvider

#: Seconds that the end of a run waits for the last spans to be sent.
PATIENCE = 2.0
#: More of what the SDK says helps nobody.
_LONGEST = 500
_SECRET = ("_HEADERS", "_ENDPOINT")
_ASKING = ("OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def wanted(environment: Mapping[str, str]) -> bool:
    """Whether the environment asks for traces: it names an exporter or where to send to, and does not turn all off."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporters = environment.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    return exporters != "none" and any(environment.get(name, "").strip() for name in _ASKING)


def open_tracing(environment: Mapping[str, str]) -> Tracing | None:
    """Where this run's spans go; None where nobody wants them, or the extra is not installed.

    Raises:
        ValueError: the environment asks for what cannot be had.
    """
    hosts = _provider_of_the_host()
    if hosts is not None:
        return Tracing(hosts, None)
    if not wanted(environment):
        return None
    try:
        importlib.import_module("opentelemetry.sdk.trace")
    except ImportError:
        return None
    losses = Losses(secrets_of(environment))
    try:
        provider = _own_provider(environment)
    except BaseException:
        losses.close()
        raise
    return Tracing(provider, _parent(environment), (provider, losses))


def secrets_of(environment: Mapping[str, str]) -> Redactor:
    """What must not be shown of the environment's words to the SDK: header fields, and of URLs all but the hosts."""
    told = dict[str, str]()
    for name, value in environment.items():
        if name.startswith("OTEL_") and name.endswith(_SECRET):
            parts = _headers(value) if name.endswith("_HEADERS") else _beside_host(value)
            told.update({part: f"${{{name}}}" for part in parts if part.strip("/ ")})
    return Redactor(told)


def _headers(value: str) -> Iterator[str]:
    # A mistake of a whole list is told with the whole list, one of a field with the field.
    yield value.strip()
    for field in value.split(","):
        yield field.strip()
        yield re.split("[=:]", field, maxsplit=1)[-1].strip()
        yield field.split()[-1] if field.split() else ""


def _beside_host(value: str) -> Iterator[str]:
    found = WRITTEN.match(value.strip())
    if found is None:
        return
    yield from (found["userinfo"] or "", (found["userinfo"] or "").partition(":")[2])
    if found["query"] is not None:
        yield found["query"]
        yield from (pair.rpartition("=")[2] for pair in found["query"].split("&"))
    if found["path"].rstrip("/") != "/v1/traces":
        yield found["path"].rstrip("/")


class Losses(logging.Handler):
    """The first that the SDK logs of its troubles: it logs with Python's logging, and a run has a log of its own.

    What it says may repeat what it was told by the environment; of that, `redactor` shows nothing.
    """

    def __init__(self, redactor: Redactor) -> None:
        super().__init__(logging.WARNING)
        self._redactor = redactor
        self.first: str | None = None
        self._logger = logging.getLogger("opentelemetry")
        self._logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the first."""
        if self.first is None:
            self.first = printable(self._redactor.text(record.getMessage())[:_LONGEST])[:_LONGEST]

    def close(self) -> None:
        """Hear no more."""
        self._logger.removeHandler(self)
        super().close()


class Tracing:
    """The trace of one run. `own` is the provider made for it, with what it loses; without it, the host program's is used."""

    def __init__(
        self,
        provider: TracerProvider,
        parent: Context | None,
        own: tuple[OwnProvider, Losses] | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self._tracer: Tracer = provider.get_tracer("marscore", __version__)
        self._parent = parent
        self._own = own
        self._patience = patience
        self._run: Any = None
        self._below: Context | None = None

    def start(self, began: float, attributes: Attributes) -> bool:
        """Begin the span of the run; returns whether anybody records it, since it may not be among those that are sampled."""
        from opentelemetry.trace import set_span_in_context  # noqa: PLC0415 - of the extra

        self._run = self._tracer.start_span("marscore run", self._parent, attributes=dict(attributes), start_time=_nanoseconds(began))
        self._below = set_span_in_context(self._run)
        return bool(self._run.is_recording())

    def add(self, span: Span) -> None:
        """Take a span that is over, with those below it."""
        self._add(span, self._below)

    def finish(self, ended: float, attributes: Attributes, error: str | None) -> str | None:
        """End the span of the run and have all sent, in two seconds at most; says what went wrong, if anything did."""
        from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415 - as above

        self._run.set_attributes(dict(attributes))
        if error is not None:
            self._run.set_status(Status(StatusCode.ERROR, error))
        self._run.end(_nanoseconds(ended))
        if self._own is None:
            return None
        (provider, losses), self._own = self._own, None
        late = not _in_time(provider.shutdown, self._patience)
        losses.close()
        if late:
            return f"not all spans were sent: {losses.first or f'the collector takes longer than {self._patience:g} s'}"
        return losses.first and f"of this run's spans, OpenTelemetry says: {losses.first}"

    def close(self) -> None:
        """Let go of a trace that was not finished: what was told of it is sent, and nobody waits for that."""
        if self._own is not None:
            (provider, losses), self._own = self._own, None
            losses.close()
            _in_time(provider.shutdown, 0.0)

    def _add(self, span: Span, parent: Context | None) -> None:
        from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context  # noqa: PLC0415 - as above

        kind = SpanKind.CLIENT if span.kind == "client" else SpanKind.INTERNAL
        told = self._tracer.start_span(span.name, parent, kind, dict(span.attributes), start_time=_nanoseconds(span.began))
        for event in span.events:
            told.add_event(event.name, dict(event.attributes), _nanoseconds(event.at))
        if span.error is not None:
            told.set_status(Status(StatusCode.ERROR, span.error or None))
        if span.children:
            below = set_span_in_context(told, parent)
            for child in span.children:
                self._add(child, below)
        told.end(_nanoseconds(span.ended))


def _provider_of_the_host() -> TracerProvider | None:
    """What the program that calls us has set up, if it has."""
    trace: Any = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    provider: TracerProvider = trace.get_tracer_provider()
    return None if isinstance(provider, trace.ProxyTracerProvider | trace.NoOpTracerProvider) else provider


def _own_provider(environment: Mapping[str, str]) -> OwnProvider:
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - of the extra
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - as above
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - as above

    resource = Resource.create({"service.version": __version__})
    if str(resource.attributes.get("service.name", "")).startswith("unknown_service"):
        # Nobody named it.
        resource = resource.merge(Resource({"service.name": "marscore"}))
    # Not at the interpreter's exit: that would wait for a collector that does not answer.
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    for name in environment.get("OTEL_TRACES_EXPORTER", "").split(",") if environment.get("OTEL_TRACES_EXPORTER", "").strip() else ["otlp"]:
        provider.add_span_processor(BatchSpanProcessor(_exporter(name.strip().lower(), environment)))
    return provider


def _exporter(name: str, environment: Mapping[str, str]) -> SpanExporter:
    if name == "console":
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter  # noqa: PLC0415 - of the extra

        # Standard output carries what the command was asked to print.
        return ConsoleSpanExporter(out=sys.stderr)
    if name == "otlp":
        protocol = (
            environment.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or environment.get("OTEL_EXPORTER_OTLP_PROTOCOL") or "http/protobuf"
        )
        name = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}.get(protocol.strip(), f"otlp over {protocol}")
    for found in entry_points(group="opentelemetry_traces_exporter", name=name):
        exporter: SpanExporter = found.load()()
        return exporter
    raise ValueError(f"there is no exporter {name} installed")


def _parent(environment: Mapping[str, str]) -> Context | None:
    """The span that this process is part of, as whoever started it says by TRACEPARENT and TRACESTATE."""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415 - of the extra

    carrier = {name.lower(): environment[name] for name in ("TRACEPARENT", "TRACESTATE") if environment.get(name)}
    return TraceContextTextMapPropagator().extract(carrier) if carrier else None


def _in_time(act: Callable[[], object], patience: float) -> bool:
    """Whether this was over in time; where not, it goes on in a thread that nobody waits for."""
    thread = threading.Thread(target=act, name="marscore-spans", daemon=True)
    with contextlib.suppress(RuntimeError):
        thread.start()
        thread.join(patience)
        return not thread.is_alive()
    return False


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1_000_000_000)
