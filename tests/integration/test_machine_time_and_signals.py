"""Clocks that jump and signals that end a run."""

from __future__ import annotations

import itertools
import queue
import signal
import sys
from pathlib import Path

import pytest

from marscore.adapters.clock import SystemClock
from marscore.adapters.files.folder import Folder
from marscore.events import DownloadFinished, Event, RetryScheduled
from marscore.execute.transfer.protocol import Work
from marscore.execute.worker.engine import Ports
from marscore.execute.worker.setup import Share, WorkerSettings
from marscore.execute.worker.thread import Worker
from marscore.policy.retry import Backoff, RetryRules
from marscore.resolve.model import Download, Options
from marscore.values import Timeouts
from tests.integration.command import LIMIT_S, marscore, transport, write
from tests.integration.test_interrupt_and_resume import STOP_S, end, start, stop_midway, wait_until
from tests.origin import Body, Good, Origin, busy

MIB = 1024 * 1024
#: More than four connections bring before they are held.
BIG = Body(60 * MIB, seed=41)
HELD = Good(rate=20 * MIB, stall_after=12 * MIB, stall_s=120)


class JumpingClock(SystemClock):
    """A wall clock that somebody sets a year on, and back, each time it is looked at; the monotonic one goes its way."""

    def __init__(self) -> None:
        super().__init__()
        self._jumps = itertools.cycle([0.0, 3.2e7, -3.2e7])

    def now(self) -> float:
        return super().now() + next(self._jumps)


def test_a_wall_clock_that_jumps_changes_no_wait_and_no_deadline(origin: Origin, tmp_path: Path) -> None:
    body = Body(2 * MIB, seed=42)
    script = [busy(503), busy(429, retry_after="1"), Good(cut_after=MIB // 2), Good(rate=4 * MIB)]
    options = Options(
        retry=RetryRules(backoff=Backoff(initial=0.1, jitter="none")), min_speed=1024, threads=2, timeouts=Timeouts(20, 20, total=60)
    )
    download = Download("downloads[0]", (origin.serve("/a.bin", body, script),), "a.bin", options)
    batches: queue.SimpleQueue[list[Event]] = queue.SimpleQueue()
    clock = JumpingClock()
    settings = WorkerSettings(str(tmp_path), 2, 10 * MIB, Share(4))
    worker = Worker(settings, Ports(transport(4), Folder(tmp_path), clock), batches.put)
    began = clock.ticks()
    worker.start()
    worker.submit([Work(download)])
    events: list[Event] = []
    while not any(isinstance(event, DownloadFinished) for event in events):
        events += batches.get(timeout=LIMIT_S)
    worker.close()
    assert (tmp_path / "a.bin").read_bytes() == body.read(0, body.length)
    waits = [event.wait_s for event in events if isinstance(event, RetryScheduled)]
    assert len(waits) == 3
    assert sum(waits) <= clock.ticks() - began < sum(waits) + LIMIT_S
    [finished] = [event for event in events if isinstance(event, DownloadFinished)]
    assert sum(waits) <= finished.duration_s <= clock.ticks() - began


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGHUP")
def test_a_lost_terminal_is_the_wish_to_stop_and_the_next_run_resumes(origin: Origin, tmp_path: Path) -> None:
    manifest = write(tmp_path, [origin.serve("/big.bin", BIG, [HELD])], execution={"processes": 2})
    run, seconds = stop_midway(tmp_path, manifest, signal.SIGHUP, 10 * MIB)
    assert run.code == 128 + signal.SIGHUP
    assert seconds < STOP_S
    assert run.report["status"] == "interrupted"
    origin.serve("/big.bin", BIG)
    again = marscore("run", manifest, cwd=tmp_path)
    assert again.code == 0
    # On a machine that is so busy that its disk counts as slow, the piece that a helper is writing is not recorded.
    assert again.entry()["bytes_resumed"] >= 6 * MIB
    assert again.data("big.bin") == BIG.read(0, BIG.length)


def test_a_second_ctrl_c_ends_at_once_and_what_was_recorded_is_resumed(origin: Origin, tmp_path: Path) -> None:
    manifest = write(
        tmp_path,
        [origin.serve("/big.bin", BIG, [HELD])],
        execution={"processes": 1},
        defaults={"threads": 1},
    )
    process = start(tmp_path, manifest)
    journal = tmp_path / "data" / ".marscore" / "partial"
    wait_until(lambda: any(file.stat().st_size > 150 for file in journal.glob("*.journal")), "a recorded piece")
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    run = end(tmp_path, process)
    assert run.code == 130
    assert not (run.folder / "big.bin").exists()
    origin.serve("/big.bin", BIG)
    again = marscore("run", manifest, cwd=tmp_path)
    assert again.code == 0
    assert again.entry()["bytes_resumed"] >= 4 * MIB
    assert again.data("big.bin") == BIG.read(0, BIG.length)
