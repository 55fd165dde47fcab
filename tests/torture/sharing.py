"""Four runs share one cache and are killed at random moments: no half entry is left in it, and every file ends up right."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.origin import Good
from tests.torture.trial import MIB, Here, Sweep, Trial, entry, mixture

_RUNS, _KILLS = 4, 16
#: Names in an entry's folder that say something of it.
_BESIDE = ("recorded", "url-")


def _trial(here: Here, number: int) -> Iterator[str]:
    chance, cache = here.chance, here.folder / "cache"
    env = {"MARSCORE_CACHE": str(cache)}
    bodies = mixture(chance, 40, [MIB, 5 * MIB, 12 * MIB])
    entries = [entry(here.origin.serve(f"/{name}", body, [Good(rate=4 * MIB)]), body, checked=True) for name, body in bodies.items()]
    trials = []
    for name in map(str, range(_RUNS)):
        (here.folder / name).mkdir()
        # Each has its own order: else all would want the same file at the same moment.
        chance.shuffle(entries)
        trials.append(Trial(here.folder / name, bodies, entries, execution={"processes": chance.choice([1, 1, 2])}))
    runs = [trial.start(env=env) for trial in trials]
    for _ in range(_KILLS):
        time.sleep(chance.uniform(0.05, 0.4))
        which = chance.randrange(_RUNS)
        yield from _again(here, trials[which], runs[which])
        runs[which] = trials[which].start(env=env)
    for trial, run in zip(trials, runs, strict=True):
        yield from trial.faults(trial.end(run), {0})
        here.figures.counts["files from the cache"] += trial.report.get("totals", {}).get("cached", 0)
        yield from trial.follow()
    yield from _looked_into(here, cache)


def _again(here: Here, trial: Trial, run: subprocess.Popen[bytes]) -> Iterator[str]:
    """Kill a run, or find that it has ended by itself: then its files go, and the next has them from the cache."""
    if run.poll() is None:
        here.figures.counts["kills"] += 1
        trial.kill()
        trial.end(run)
    else:
        here.figures.counts["runs that had ended"] += 1
        yield from trial.faults(trial.end(run), {0})
        here.figures.counts["files from the cache"] += trial.report.get("totals", {}).get("cached", 0)
        shutil.rmtree(trial.data)


def _looked_into(here: Here, cache: Path) -> Iterator[str]:
    entries = [place for shelf in (cache / "sha256").iterdir() for place in shelf.iterdir()]
    here.figures.counts["entries"] += len(entries)
    for place in entries:
        names = {path.name for path in place.iterdir()}
        if "data" not in names or any(not name.startswith(_BESIDE) for name in names - {"data"}):
            yield f"half an entry: {place.name} has {sorted(names)}"
        elif hashlib.sha256((place / "data").read_bytes()).hexdigest() != place.name:
            yield f"{place.name} holds other bytes"
        elif (place / "data").stat().st_mode & 0o222:
            yield f"{place.name} may be written to"
    yield from (f"set aside: {path.name}" for path in (cache / "damaged").glob("*"))


SWEEP = Sweep(20, _trial)
