"""Worker processes that are stopped (SIGSTOP) at random moments: the run goes on when they may, and hears a signal while they may not."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator

from tests.integration.test_standing_workers import workers
from tests.origin import Good
from tests.torture.trial import HUNG, MIB, STOP_S, Here, Sweep, Trial, entry, mixture


def _trial(here: Here, number: int) -> Iterator[str]:
    chance = here.chance
    bodies = mixture(chance, 60, [4 * MIB, 5 * MIB, 6 * MIB, 9 * MIB])
    rate = Good(rate=2 * MIB)
    entries = [entry(here.origin.serve(f"/{name}", body, [rate]), body, chance.random() < 0.5) for name, body in bodies.items()]
    trial = Trial(here.folder, bodies, entries, execution={"processes": chance.choice([2, 4]), "threads": 4})
    process = trial.start()
    stopped = _stop_one(here, process)
    if stopped is None:
        here.figures.counts["were over before"] += 1
    time.sleep(chance.uniform(0, 1))
    allowed = {0}
    told = time.monotonic()
    if chance.random() < 0.6:
        allowed = {0, 143} if process.poll() is not None else {143}
        process.send_signal(signal.SIGTERM)
    elif stopped is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(stopped, signal.SIGCONT)
    code = trial.end(process)
    here.figures.counts[f"ended with {code}"] += 1
    if code == 143:
        yield from here.figures.took("from SIGTERM to the end", time.monotonic() - told, STOP_S)
    yield from trial.faults(code, allowed)
    for name, body in bodies.items():
        here.origin.serve(f"/{name}", body)
    yield from trial.follow()


def _stop_one(here: Here, process: subprocess.Popen[bytes]) -> int | None:
    """Stop a worker at a random moment after the first is there; None where the run was over."""
    until = time.monotonic() + HUNG
    while not _workers(process) and process.poll() is None and time.monotonic() < until:
        time.sleep(0.005)
    time.sleep(here.chance.uniform(0, 2))
    found = _workers(process)
    if not found:
        return None
    one = here.chance.choice(sorted(found))
    with contextlib.suppress(ProcessLookupError):
        os.kill(one, signal.SIGSTOP)
    return one


def _workers(process: subprocess.Popen[bytes]) -> list[int]:
    # One that ends meanwhile makes a file of /proc vanish.
    with contextlib.suppress(OSError):
        return workers(process)
    return []


SWEEP = Sweep(60, _trial)
