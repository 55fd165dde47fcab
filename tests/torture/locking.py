"""Another process locks the state database at random moments of a run: files finish, a signal is heard, and the next run proves them."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator

from tests.origin import Good
from tests.torture.trial import MIB, STOP_S, Here, Sweep, Trial, entry, mixture

#: Waits for the database, then locks it when it may, and lets go after a while.
_HOLDER = """
import sqlite3, sys, time
from pathlib import Path
path, after, hold, how = Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
until = time.monotonic() + 5
while not path.exists() and time.monotonic() < until:
    time.sleep(0.002)
time.sleep(after)
database = sqlite3.connect(path, isolation_level=None, timeout=5)
try:
    for statement in how.split(";"):
        database.execute(statement)
    time.sleep(hold)
except sqlite3.Error:
    sys.exit(1)
"""
_HOW = ["BEGIN EXCLUSIVE", "BEGIN EXCLUSIVE", "BEGIN IMMEDIATE", "PRAGMA locking_mode=EXCLUSIVE;BEGIN EXCLUSIVE"]


def _trial(here: Here, number: int) -> Iterator[str]:
    chance = here.chance
    bodies = mixture(chance, 40, [2 * MIB, 3 * MIB, 6 * MIB])
    rate = Good(rate=3 * MIB)
    entries = [entry(here.origin.serve(f"/{name}", body, [rate]), body, chance.random() < 0.5) for name, body in bodies.items()]
    if chance.random() < 0.5:
        # The database is there from the start, and may be locked before the run looks.
        first = next(iter(bodies))
        before = Trial(here.folder, {first: bodies[first]}, entries[:1])
        yield from before.faults(before.end(before.start()), {0})
    trial = Trial(here.folder, bodies, entries, execution={"processes": chance.choice([1, 2])})
    how = chance.choice(_HOW)
    line = [sys.executable, "-c", _HOLDER, str(trial.own / "state.db"), str(chance.uniform(0, 1.5)), str(chance.uniform(0.1, 4)), how]
    with subprocess.Popen(line) as holder:
        try:
            yield from _run(here, trial)
        finally:
            holder.kill()
    here.figures.counts["locks were had" if holder.returncode != 1 else "locks were not had"] += 1
    for name, body in bodies.items():
        here.origin.serve(f"/{name}", body)
    yield from trial.follow()


def _run(here: Here, trial: Trial) -> Iterator[str]:
    process = trial.start()
    is_told = here.chance.random() < 0.5
    if is_told:
        # Before that, Python has not even begun to read the program, and ends as any process does.
        time.sleep(here.chance.uniform(0.3, 2.5))
        process.send_signal(signal.SIGTERM)
    told = time.monotonic()
    code = trial.end(process)
    here.figures.counts[f"ended with {code}"] += 1
    if code == 143:
        yield from here.figures.took("from SIGTERM to the end", time.monotonic() - told, STOP_S)
    if code == 3 and "locked by another program" in trial.said:
        here.figures.counts["could not look for the lock"] += 1
        return
    yield from trial.faults(code, {0, 143} if is_told else {0})


SWEEP = Sweep(60, _trial)
