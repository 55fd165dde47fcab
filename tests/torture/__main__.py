"""`python -m tests.torture [--kills N] [--mixed N] [--seed N]`: kill -9 at length, then runs that mix files of all sizes.

Exit code 1 where a file is wrong, a run hangs, or a kill cost too much.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.origin import Body, Origin
from tests.servers import nginx
from tests.torture import mixing
from tests.torture.killing import KIB, MIB, Figures, Killing
from tests.torture.limits import Limits, can_limit_processes

#: Kills that one round takes at most; then it may finish, so that there are several rounds.
_A_ROUND = 25


def torture(folder: Path, kills: int, seed: int) -> Figures:
    """Kill so many times, in rounds of many small and of few large files, with one process and with four."""
    chance = random.Random(seed)
    with Origin() as origin:
        killing = Killing(origin, chance)
        while killing.figures.kills < kills:
            number = killing.figures.rounds
            left = min(_A_ROUND, kills - killing.figures.kills)
            bodies, rate = _small(chance) if number % 2 else _large(chance)
            killing.round(folder / f"round-{number}", bodies, rate, processes=4 if number % 4 < 2 else 1, most_kills=left)
        return killing.figures


def mix(folder: Path, runs: int, seed: int) -> mixing.Figures:
    """Run so many times over files of all sizes, each time with other settings."""
    with nginx(folder / "nginx") as web:
        mixed = mixing.Mixing(web, random.Random(seed))
        for number in range(runs):
            mixed.run(folder / f"mixed-{number}")
        return mixed.figures


def limit() -> Limits:
    """Run with every number of threads and every amount of memory from too little to enough."""
    with Origin() as origin:
        limits = Limits(origin)
        for most in range(1, 41) if can_limit_processes() else ():
            limits.processes(most)
        for most in range(20, 400, 5) if shutil.which("prlimit") else ():
            limits.memory(most * MIB)
        return limits


def _small(chance: random.Random) -> tuple[dict[str, Body], int]:
    return {f"small-{n}.bin": Body(chance.randint(0, 400 * KIB), seed=n % 20) for n in range(400)}, MIB


def _large(chance: random.Random) -> tuple[dict[str, Body], int]:
    return {f"large-{n}.bin": Body(chance.randint(5 * MIB, 60 * MIB), seed=n) for n in range(4)}, 2 * MIB


def main() -> int:
    """Run it and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--mixed", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=None, help="what a run printed, to have the same moments again")
    arguments = parser.parse_args()
    seed = random.SystemRandom().randrange(2**32) if arguments.seed is None else arguments.seed
    print(f"seed                                 {seed}", flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        figures = torture(Path(folder), arguments.kills, seed)
        print(figures, flush=True)
        mixed = mix(Path(folder), arguments.mixed, seed)
    limited = limit()
    print(f"runs under limits                    {limited.runs}, of which {limited.whole} brought everything", *limited.wrong, sep="\n")
    print(f"{mixed}\nseconds                              {time.monotonic() - began:.0f}")
    if figures.over > 0:
        print(f"a kill cost {figures.over / MIB:.2f} MiB more than a piece for each connection and what was in socket buffers")
    return 0 if figures.good and not mixed.wrong and not limited.wrong else 1


if __name__ == "__main__":
    sys.exit(main())
