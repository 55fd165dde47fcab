"""`python -m bench.streams`: HTTP/1.1 against HTTP/2, by whole runs of marscore against one nginx over TLS, interleaved."""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from bench.measure import environment
from tests.origin.content import content
from tests.servers import Nginx, make_tls, nginx

_KIB, _MIB = 1024, 1024 * 1024
_WAYS = ("1.1", "auto", "2")
#: Names of works, and how many files of what size.
_WORKS: Mapping[str, tuple[int, int]] = {"2,000 x 10 KiB": (2000, 10 * _KIB), "512 MiB": (1, 512 * _MIB), "8 x 64 MiB": (8, 64 * _MIB)}
_STEP = 4 * _MIB


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print a table of medians; 1 if a run failed."""
    parser = argparse.ArgumentParser(prog="python -m bench.streams", description=__doc__)
    parser.add_argument("--runs", type=int, default=7, metavar="N", help="runs of each kind, of which the medians count")
    options = parser.parse_args(argv)
    here = Path(tempfile.mkdtemp(prefix="marscore-streams-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    try:
        tls = make_tls(here / "tls")
        with nginx(here / "nginx", tls, http="2") as server:
            for number, (count, size) in enumerate(_WORKS.values()):
                for file in range(count):
                    _write(server.root / f"{number}-{file}.bin", size, file)
            failed = [_measure(here, server, tls.authority, work, options.runs) for work in _WORKS]
    finally:
        shutil.rmtree(here, ignore_errors=True)
    return int(any(failed))


def _write(path: Path, size: int, seed: int) -> None:
    with path.open("wb") as output:
        for start in range(0, size, _STEP):
            output.write(content(seed % 32, start, min(size, start + _STEP)))


def _measure(here: Path, server: Nginx, authority: Path, work: str, runs: int) -> bool:
    """Run a work each way in turns; says whether a run failed."""
    number, count = [*_WORKS].index(work), _WORKS[work][0]
    entry = {"url": server.url(f"{number}-{{i}}.bin"), "each": {"i": {"from": 0, "to": count - 1}}}
    samples: dict[str, list[tuple[float, float]]] = {way: [] for way in _WAYS}
    connections: dict[str, int] = {}
    failed = False
    for _ in range(runs):
        for way in _WAYS:
            execution = {"threads": 8, "processes": 1, "http": way}
            manifest = {"version": 1, "output_dir": "files", "execution": execution, "defaults": {"verify": str(authority)}}
            (here / "downloads.yaml").write_text(yaml.safe_dump(manifest | {"downloads": [entry]}))
            before = len(server.connections())
            wall, cpu, code = _run(here)
            failed = failed or code != 0
            samples[way].append((wall, cpu))
            connections[way] = len({connection for _, connection in server.connections()[before:]})
            shutil.rmtree(here / "files", ignore_errors=True)
    for way in _WAYS:
        wall, cpu = (statistics.median(sample[part] for sample in samples[way]) for part in (0, 1))
        print(f"{work:<16} {way:<5} {wall:7.3f} s {cpu:7.3f} CPU s {connections[way]:>3} connections", flush=True)
    return failed


def _run(folder: Path) -> tuple[float, float, int]:
    command = [sys.executable, "-m", "marscore", "run", "downloads.yaml", "--progress", "none"]
    began = time.perf_counter()
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, cwd=folder, env=environment(), stdin=quiet, stdout=quiet, stderr=quiet)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return time.perf_counter() - began, used.ru_utime + used.ru_stime, process.returncode


if __name__ == "__main__":
    sys.exit(main())
