"""A worker with real adapters, for whatever process it is to run in. Only what it uses is imported: requests takes a fifth of a start."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from marscore.adapters.clock import SystemClock
from marscore.adapters.discreet import DiscreetClient, clean
from marscore.adapters.files import Folder
from marscore.adapters.gauge import Gauge
from marscore.adapters.teller import Teller
from marscore.events import Event
from marscore.execute.messages import Alive, Batch
from marscore.execute.setup import WorkerSettings
from marscore.policy.redact import Redactor

if TYPE_CHECKING:
    from marscore.execute.loop import LoopWorker
    from marscore.execute.worker import Worker
    from marscore.ports import Transport


def make_worker(
    settings: WorkerSettings, number: int, send: Callable[[Batch | Alive], None], give_up: Callable[[], None]
) -> Worker | LoopWorker:
    """A worker with real adapters, whose events are told as the run's log wants them; `give_up` as in `Ports`."""
    redactor = Redactor(dict(settings.secrets), settings.words)
    make = _threads if os.environ.get("MARSCORE_ENGINE") == "threads" else _loop
    return make(settings, number, send, give_up, redactor)


def _threads(
    settings: WorkerSettings, number: int, send: Callable[[Batch | Alive], None], give_up: Callable[[], None], redactor: Redactor
) -> Worker | LoopWorker:
    """The former engine's worker."""
    from marscore.adapters.direct import DirectClient  # noqa: PLC0415 - as said above
    from marscore.adapters.requests_client import RequestsClient  # noqa: PLC0415 - as above
    from marscore.execute.worker import Ports, Worker  # noqa: PLC0415 - as above

    general = RequestsClient(max(1, settings.threads))
    client = DiscreetClient(DirectClient(general) if settings.lane == "auto" else general, redactor)
    teller = Teller(redactor, settings.log)

    def tell(events: list[Event]) -> None:
        send(Batch(number, *teller.tell(events)))

    files = Folder(Path(settings.output_dir), identity=settings.output_identity)
    show = Gauge(settings.gauge).show if settings.gauge is not None else None
    return Worker(
        settings,
        Ports(client, files, SystemClock(), show, teller.expect, lambda: send(Alive(number)), give_up),
        tell,
    )


def _loop(
    settings: WorkerSettings, number: int, send: Callable[[Batch | Alive], None], give_up: Callable[[], None], redactor: Redactor
) -> LoopWorker:
    """The worker of one loop."""
    from marscore.execute.engine import LoopPorts  # noqa: PLC0415 - as above
    from marscore.execute.loop import LoopWorker  # noqa: PLC0415 - as above

    teller = Teller(redactor, settings.log)

    def tell(events: list[Event]) -> None:
        send(Batch(number, *teller.tell(events)))

    ports = LoopPorts(
        _transport(settings),
        Folder(Path(settings.output_dir), identity=settings.output_identity),
        SystemClock(),
        lambda exchange, answer: clean(redactor, exchange.request, answer),
        Gauge(settings.gauge).show if settings.gauge is not None else None,
        teller.expect,
        lambda: send(Alive(number)),
        give_up,
    )
    return LoopWorker(settings, ports, tell)


def _transport(settings: WorkerSettings) -> Transport:
    """The transport by libcurl, where it is there and wanted, else the one by requests."""
    if settings.lane == "auto":
        with contextlib.suppress(ImportError):
            from marscore.adapters.http.curl import CurlTransport  # noqa: PLC0415 - pycurl is not everywhere

            return CurlTransport(max(1, settings.threads))
    from marscore.adapters.http.session import SessionTransport  # noqa: PLC0415 - requests takes its time to be imported

    return SessionTransport(max(1, settings.threads))
