"""SIGINT and SIGTERM at each point of a run, with one process and with two: the code, the report and the disk say the same."""

from __future__ import annotations

import itertools
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from tests.origin import Body, Good
from tests.torture.trial import MIB, STOP_S, Here, Sweep, Trial

_SITE = Path(__file__).with_name("site")
BODIES = {"small.bin": Body(30_000, seed=61), "large.bin": Body(9 * MIB, seed=62)}
#: With it no run ends by itself in the time that a trial takes.
_HELD = {"held.bin": Body(6 * MIB, seed=63)}

#: Before a run has begun: the code is 128 + the signal, one line is said, and there is no report.
BEFORE = {
    "first import": "import click",
    "imports of the run": "import marscore.app",
    "manifest read": "open downloads.yaml",
    "lock": "open .marscore/lock",
    "lock of the workers": "open .marscore/lock.workers",
    "locks taken": "open lock.pid",
}
#: Once it has, and before everything is in place: the report says the same code.
DURING = {
    "state opened": "sqlite3.connect state.db*",
    "state read": "call marscore.adapters.state.store SqliteState.claims 1",
    "look": "os.listdir .marscore/partial",
    "crew": "import marscore.adapters.processes.workers",
    "transport": "import pycurl",
    "part opened": "open .part",
    "first byte": "call marscore.adapters.files.partial PartialFile._write_all 1",
    "mid file": "call marscore.adapters.files.partial PartialFile._write_all 5",
    "verifying": "call marscore.adapters.files.partial PartialFile.digests 1",
    "placing": "call marscore.adapters.files.partial PartialFile.finish 1",
    "renaming a large file": "os.rename data/large.bin",
    "renaming a small file": "os.rename data/small.bin",
    "claims committed": "call marscore.adapters.state.store SqliteState.record 1",
}
#: Only where there are workers in processes of their own.
CHILDREN = {"first worker": "subprocess.Popen *", "worker starting": "import marscore.adapters.processes.child"}
#: Once all have their outcomes: the code is what the report says.
AT_THE_END = {
    "last claims": "call marscore.adapters.state.claim_writer ClaimWriter.close 1",
    "final flush": "call marscore.adapters.files.durability flush 1",
    "claims are durable": "call marscore.adapters.state.store SqliteState.flushed 1",
    "report": "open .marscore/.marscore-*",
    "report renamed": "os.rename .marscore/report.json",
    "lock let go": "os.remove lock.pid",
    "last line": "call os _exit 1",
}
_POINTS = BEFORE | DURING | CHILDREN | AT_THE_END


def _trial(here: Here, row: tuple[str, signal.Signals, int]) -> Iterator[str]:
    point, number, processes = row
    bodies = BODIES if point in AT_THE_END else BODIES | _HELD
    served = {name: here.origin.serve(f"/{name}", body) for name, body in bodies.items()}
    here.origin.serve("/held.bin", _HELD["held.bin"], [Good(stall_after=1000, stall_s=120)])
    trial = Trial(here.folder, bodies, list(served.values()), execution={"processes": processes})
    sent = here.folder / "sent"
    told = {"MARSCORE_POINT": _POINTS[point], "MARSCORE_POINT_SIGNAL": str(int(number)), "MARSCORE_POINT_SENT": str(sent)}
    code = trial.end(trial.start(env={"PYTHONPATH": str(_SITE), **told}))
    ended = time.time()
    here.figures.counts[f"ended with {code}"] += 1
    if not sent.exists():
        yield f"the run never came there: {trial.said[-300:]}"
        return
    yield from here.figures.took("from the signal to the end", ended - sent.stat().st_mtime, STOP_S)
    yield from _told(trial, point, 128 + number, number.name)
    yield from trial.faults(code, {0, 128 + number} if point in AT_THE_END else {128 + number})
    here.origin.serve("/held.bin", _HELD["held.bin"])
    yield from trial.follow()


def _told(trial: Trial, point: str, code: int, name: str) -> Iterator[str]:
    said = (trial.report.get("status"), trial.report.get("exit_code"))
    if point in BEFORE:
        if trial.report or trial.said != f"marscore: interrupted by {name}\n":
            yield f"not one line: {trial.said[-300:]}"
    elif said != ("interrupted", code) and (said != ("succeeded", 0) or point not in AT_THE_END):
        yield f"the report says {said}: {trial.said[-300:]}"


_ROWS = [row for row in itertools.product(_POINTS, (signal.SIGINT, signal.SIGTERM), (1, 2)) if row[0] not in CHILDREN or row[2] > 1]
SWEEP = Sweep(_ROWS, _trial)
