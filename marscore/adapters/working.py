"""A worker with real adapters, for whatever process it is to run in. Only what it uses is imported: requests takes a fifth of a start."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from marscore.adapters.clock import SystemClock
from marscore.adapters.discreet import clean
from marscore.adapters.files import Folder
from marscore.adapters.gauge import Gauge
from marscore.adapters.teller import Teller
from marscore.events import Event
from marscore.execute.engine import Ports
from marscore.execute.messages import Alive, Batch
from marscore.execute.setup import WorkerSettings
from marscore.execute.worker import Worker
from marscore.policy.redact import Redactor
from marscore.ports import Transport


def make_worker(settings: WorkerSettings, number: int, send: Callable[[Batch | Alive], None], give_up: Callable[[], None]) -> Worker:
    """A worker with real adapters, whose events are told as the run's log wants them; `give_up` as in `Ports`."""
    redactor = Redactor(dict(settings.secrets), settings.words)
    teller = Teller(redactor, settings.log)

    def tell(events: list[Event]) -> None:
        send(Batch(number, *teller.tell(events)))

    ports = Ports(
        _transport(settings),
        Folder(Path(settings.output_dir), identity=settings.output_identity),
        SystemClock(),
        lambda exchange, answer: clean(redactor, exchange.request, answer),
        Gauge(settings.gauge).show if settings.gauge is not None else None,
        teller.expect,
        lambda: send(Alive(number)),
        give_up,
    )
    return Worker(settings, ports, tell)


def _transport(settings: WorkerSettings) -> Transport:
    """The transport by libcurl, where it is there and wanted, else the one by requests."""
    if settings.lane == "auto":
        with contextlib.suppress(ImportError):
            from marscore.adapters.http.curl import CurlTransport  # noqa: PLC0415 - pycurl is not everywhere

            return CurlTransport(max(1, settings.threads), http=settings.http)
    from marscore.adapters.http.session import SessionTransport  # noqa: PLC0415 - requests takes its time to be imported

    return SessionTransport(max(1, settings.threads))
