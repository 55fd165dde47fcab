"""A collector of OpenTelemetry: takes spans over OTLP (HTTP, protobuf) and keeps them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Sent:
    """One span as it was sent. Ids are hex, "" for none; times are Unix seconds."""

    name: str
    trace: str
    id: str
    parent: str
    began: float
    ended: float
    failed: bool
    attributes: dict[str, Any]
    events: tuple[str, ...]


@dataclass
class Collector:
    """What came so far. `status` is what it answers; `held` keeps it from answering at all."""

    url: str
    status: int = 200
    held: threading.Event | None = None
    spans: list[Sent] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    resources: list[dict[str, Any]] = field(default_factory=list)

    def named(self, name: str) -> list[Sent]:
        """The spans of a name."""
        return [span for span in self.spans if span.name == name]

    def below(self, parent: Sent) -> list[Sent]:
        """Those whose parent it is."""
        return [span for span in self.spans if span.parent == parent.id]

    def take(self, body: bytes) -> None:
        """Keep what was sent."""
        self.bodies.append(body)
        for told in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resources.append(_values(told.resource.attributes))
            self.spans += [_sent(span) for scope in told.scope_spans for span in scope.spans]


@contextlib.contextmanager
def collector() -> Iterator[Collector]:
    """Run one on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if here.held is not None:
                here.held.wait(60)
                return
            here.take(body)
            self.send_response(here.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        here = Collector(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield here
        finally:
            if here.held is not None:
                here.held.set()
            server.shutdown()
            thread.join()


def _sent(span: Any) -> Sent:
    return Sent(
        span.name,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.start_time_unix_nano / 1e9,
        span.end_time_unix_nano / 1e9,
        span.status.code == 2,
        _values(span.attributes),
        tuple(event.name for event in span.events),
    )


def _values(attributes: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in attributes}
