"""`python -m bench.scale`: how time, memory and state grow with the number of downloads, fetched and then found in place."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

from bench.measure import environment
from bench.origin import SAME, origin
from bench.record import machine
from bench.works import MIB

_RESULTS = Path(__file__).parent / "results"
_COUNTS = [1_000, 10_000, 100_000]
#: Runs of each kind, of which the medians count; from so many downloads on, one.
_FETCHED, _IN_PLACE, _ONCE_FROM = 3, 5, 1_000_000


class _Sample(NamedTuple):
    wall_s: float
    cpu_s: float
    peak_mib: float
    exit_code: int


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print a table, and write scale.json; 1 if a run failed."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--counts", type=lambda text: [int(word) for word in text.split(",")], default=_COUNTS, metavar="N,...")
    parser.add_argument("--million", action="store_true", help="1,000,000 downloads as well: some minutes, and 6 GiB of tmpfs")
    parser.add_argument(
        "--lists",
        action="store_true",
        help="of the rows of a file, in 256 folders by the hash of their URLs, in place of one entry with each",
    )
    parser.add_argument("--results", type=Path, default=_RESULTS, metavar="FOLDER", help="where results go")
    options = parser.parse_args(argv)
    here = Path(tempfile.mkdtemp(prefix="marscore-scale-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    try:
        with origin(here) as server:
            server.make([SAME])
            base = f"{server.base('plain')}/same"
            rows = [
                row
                for count in [*options.counts, *([1_000_000] if options.million else [])]
                for row in _both(here, base, count, lists=options.lists)
            ]
        options.results.mkdir(parents=True, exist_ok=True)
        when = dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds")
        result = {"work": "scale", "date": when, "machine": machine(here), "memory_is": "peak RSS of the largest process", "runs": rows}
        (options.results / f"scale{'-lists' if options.lists else ''}.json").write_text(json.dumps(result, indent=1) + "\n")
    finally:
        shutil.rmtree(here, ignore_errors=True)
    return int(any(row["exit_code"] for row in rows))


def _both(here: Path, base: str, count: int, lists: bool) -> list[dict[str, object]]:
    """Fetch so many files, then find them in place."""
    folder = here / "files"
    manifest = here / "downloads.yaml"
    # One entry, so that what is measured is the run and not the YAML.
    entry: dict[str, object] = {"url": base + "/{i:07d}.bin", "each": {"i": {"from": 0, "to": count - 1}}}
    if lists:
        with (here / "rows.csv").open("w") as file:
            file.write("link\n")
            file.writelines(f"{base}/{number:07d}.bin\n" for number in range(count))
        entry = {"from": "rows.csv", "url": "link", "path": "{key:2}/{key}", "on_bad_row": "skip"}
    execution = {"threads": 16, "per_host": 16}
    manifest.write_text(yaml.safe_dump({"version": 1, "output_dir": str(folder), "execution": execution, "downloads": [entry]}))
    fetched = []
    for _ in range(_FETCHED if count < _ONCE_FROM else 1):
        shutil.rmtree(folder, ignore_errors=True)
        fetched.append(_run(manifest))
    state = (folder / ".marscore" / "state.db").stat().st_size / count
    print(f"{count:>9,} state     {state:8.1f} bytes a file", flush=True)
    in_place = [_run(manifest) for _ in range(_IN_PLACE if count < _ONCE_FROM else 1)]
    shutil.rmtree(folder, ignore_errors=True)
    return [{**_row(count, "fetched", fetched), "state_bytes_a_file": round(state, 1)}, _row(count, "in place", in_place)]


def _row(count: int, name: str, samples: list[_Sample]) -> dict[str, object]:
    """The medians of some runs, and all of their wall times."""
    wall = statistics.median(sample.wall_s for sample in samples)
    row: dict[str, object] = {
        "downloads": count,
        "run": name,
        "wall_s": round(wall, 3),
        "cpu_s": round(statistics.median(sample.cpu_s for sample in samples), 2),
        "peak_mib": round(statistics.median(sample.peak_mib for sample in samples), 1),
        "exit_code": next((sample.exit_code for sample in samples if sample.exit_code), 0),
        "walls_s": [round(sample.wall_s, 3) for sample in samples],
    }
    print(
        f"{count:>9,} {name:<9} {wall:8.2f} s {row['cpu_s']:>8} CPU s {row['peak_mib']:>7} MiB {count / wall:>8,.0f} downloads/s",
        flush=True,
    )
    return row


def _run(manifest: Path) -> _Sample:
    command = [sys.executable, "-m", "marscore", "run", str(manifest), "--progress", "none"]
    began = time.perf_counter()
    process = subprocess.Popen(command, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    return _Sample(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / MIB, process.returncode)


if __name__ == "__main__":
    sys.exit(main())
