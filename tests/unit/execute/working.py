"""Runs a real Worker, with its loop, on an output folder and an origin in memory."""

from __future__ import annotations

import queue
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from marscore.adapters.clock import SystemClock
from marscore.events import DownloadFailed, DownloadFinished, DownloadSkipped, Event
from marscore.execute.transfer.protocol import Work
from marscore.execute.worker.engine import Ports
from marscore.execute.worker.setup import Share, WorkerSettings
from marscore.execute.worker.thread import Worker
from marscore.policy.retry import Backoff, RetryRules
from marscore.ports import Clock, FileStore, Transport
from marscore.resolve.model import Download, Options
from marscore.values import Checksum
from tests.unit.execute import well_typed

KIB, MIB = 1024, 1024 * 1024
#: Seconds after which a worker that has not told every outcome counts as hung.
HUNG = 20.0
#: Waits that a test can afford.
QUICK = RetryRules(backoff=Backoff(initial=0.001, max=0.002))
OUTCOMES = (DownloadFinished, DownloadFailed, DownloadSkipped)


def wanted(number: int, url: str, path: str, checksums: tuple[Checksum, ...] = (), **options: Any) -> Work:
    """One download to carry out."""
    options.setdefault("retry", QUICK)
    return Work(Download(f"downloads[{number}]", (url,), path, Options(**options), checksums), untouched=True)


def outcomes(
    works: Sequence[Work],
    transport: Transport,
    files: FileStore,
    clock: Clock | None = None,
    threads: int = 4,
    per_host: int = 16,
    max_rate: int | None = None,
) -> dict[str, Any]:
    """Carry out these and return the outcome of each, by id.

    Raises:
        AssertionError: a download had two outcomes, or some had none in time.
    """
    told: queue.SimpleQueue[list[Event]] = queue.SimpleQueue()
    settings = WorkerSettings("", threads, 8 * MIB, Share(per_host, max_rate))
    worker = Worker(settings, Ports(transport, files, clock or SystemClock(), give_up=lambda why: told.put([])), told.put)
    worker.start()
    worker.submit(works)
    found: dict[str, Any] = {}
    until = time.monotonic() + HUNG
    while len(found) < len(works):
        try:
            batch = told.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            raise AssertionError(f"no outcome of {sorted({work.download.id for work in works} - set(found))}") from None
        if not batch:
            # It gave up: a supervisor answers for what it lost sight of.
            lost = [work.download.id for work in works if work.download.id not in found]
            found.update((each, DownloadSkipped(datetime.now(timezone.utc), each, "the worker gave up")) for each in lost)
        for event in map(well_typed.told, batch):
            if isinstance(event, OUTCOMES):
                assert event.download not in found, "a second outcome"
                found[event.download] = event
    try:
        worker.close()
    except Exception:  # noqa: BLE001 - what a test makes fail
        # The one fault of a test came only now.
        worker.close()
    return found
