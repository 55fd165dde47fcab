"""`python -m bench.long_list`: time and memory of `validate`, `plan` and `run` for a list of many rows, without a server.

The run is `--offline` with nothing in place: each row is read, decided, told and reported, and fails. So the memory is that of ten million
downloads, while nobody has to wait for ten million files.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import yaml

from bench.measure import environment
from bench.record import machine
from bench.works import MIB

_RESULTS = Path(__file__).parent / "results"
_ROWS = 10_000_000
#: What each verb is called with, and the exit code that is right.
_CALLS = {
    "validate": ([], 0),
    "plan": (["--detailed-exitcode"], 2),
    "run": (["--offline", "--progress", "none", "--log-format", "json", "--report-format", "jsonl"], 1),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print a table, and write long-list.json; 1 if a call ended otherwise than it should."""
    parser = argparse.ArgumentParser(prog="python -m bench.long_list", description=__doc__.partition("\n\n")[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=_ROWS, metavar="N", help="how many (10,000,000: a quarter of an hour)")
    parser.add_argument("--verbs", type=lambda text: text.split(","), default=list(_CALLS), metavar="VERB,...")
    parser.add_argument(
        "--in", dest="place", type=Path, default=None, metavar="FOLDER", help="where there is room: 1.3 KB a row for the run"
    )
    parser.add_argument("--results", type=Path, default=_RESULTS, metavar="FOLDER", help="where results go")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="marscore-long-list-", dir=options.place) as folder:
        here = Path(folder)
        manifest = _manifest(here, options.rows)
        rows = [_measured(here, manifest, verb, options.rows) for verb in options.verbs]
        when = dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds")
        result = {"work": "long list", "date": when, "machine": machine(here), "memory_is": "peak RSS of the one process", "calls": rows}
    options.results.mkdir(parents=True, exist_ok=True)
    (options.results / "long-list.json").write_text(json.dumps(result, indent=1) + "\n")
    return int(any(row["exit_code"] != _CALLS[str(row["verb"])][1] for row in rows))


def _manifest(here: Path, count: int) -> Path:
    with (here / "rows.csv").open("w") as file:
        file.write("link\n")
        file.writelines(f"http://127.0.0.1:9/files/{number:09d}.bin\n" for number in range(count))
    entry = {"from": "rows.csv", "url": "link", "path": "{key:2}/{key}", "on_bad_row": "skip"}
    manifest = here / "downloads.yaml"
    manifest.write_text(yaml.safe_dump({"version": 1, "output_dir": "data", "downloads": entry}))
    return manifest


def _measured(here: Path, manifest: Path, verb: str, count: int) -> dict[str, object]:
    options = _CALLS[verb][0]
    command = [sys.executable, "-m", "marscore", verb, str(manifest), *options]
    began = time.perf_counter()
    process = subprocess.Popen(command, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    cpu, peak = used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / MIB
    print(f"{count:>11,} rows  {verb:<8} {wall:8.1f} s {cpu:8.1f} CPU s {peak:7.1f} MiB  exit {process.returncode}", flush=True)
    row: dict[str, object] = {"verb": verb, "rows": count, "wall_s": round(wall, 1), "cpu_s": round(cpu, 1), "peak_mib": round(peak, 1)}
    return {**row, "exit_code": process.returncode}


if __name__ == "__main__":
    sys.exit(main())
