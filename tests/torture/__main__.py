"""`python -m tests.torture [SWEEP...] [--count N] [--seed N] [--number N] [--kills N] [--mixed N]`: the machine's faults at length.

Exit code 1 where a file is wrong, a run hangs or says something else than the disk, or a kill cost too much.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.origin import Body, Origin
from tests.servers import nginx
from tests.torture import filling, limits, locking, mixing, planting, sharing, signalling, stopping
from tests.torture.killing import KIB, MIB, Figures, Killing
from tests.torture.trial import Figures as Swept
from tests.torture.trial import Sweep

#: Kills that one round takes at most; then it may finish, so that there are several rounds.
_A_ROUND = 25
SWEEPS = {
    "stopped": stopping.SWEEP,
    "locked": locking.SWEEP,
    "full": filling.SWEEP,
    "signals": signalling.SWEEP,
    "planted": planting.SWEEP,
    "cache": sharing.SWEEP,
    **{name.replace(" ", "-"): sweep for name, sweep in limits.SWEEPS.items()},
}


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


def _small(chance: random.Random) -> tuple[dict[str, Body], int]:
    return {f"small-{n}.bin": Body(chance.randint(0, 400 * KIB), seed=n % 20) for n in range(400)}, MIB


def _large(chance: random.Random) -> tuple[dict[str, Body], int]:
    return {f"large-{n}.bin": Body(chance.randint(5 * MIB, 60 * MIB), seed=n) for n in range(4)}, 2 * MIB


def _killed(arguments: argparse.Namespace) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        figures = torture(Path(folder), arguments.kills, arguments.seed)
    print(figures, flush=True)
    if figures.over > 0:
        print(f"a kill cost {figures.over / MIB:.2f} MiB more than a piece for each connection and what was in socket buffers")
    return figures.good


def _mixed(arguments: argparse.Namespace) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        mixed = mix(Path(folder), arguments.mixed, arguments.seed)
    print(mixed, flush=True)
    return not mixed.wrong


def _swept(name: str, sweep: Sweep, arguments: argparse.Namespace) -> bool:
    figures = Swept()
    began = time.monotonic()
    if why := sweep.missing():
        print(f"{name:<36} left out: {why}", flush=True)
        return True
    numbers = sweep.drawn(arguments.count) if arguments.number is None else [arguments.number]
    with tempfile.TemporaryDirectory() as folder:
        # Another user's runs have to reach their own folders in it.
        Path(folder).chmod(0o711)
        for number in numbers:
            before = len(figures.wrong)
            sweep.carry_out(Path(folder) / str(number), number, arguments.seed, figures)
            print(*figures.wrong[before:], sep="\n", end="\n" if figures.wrong[before:] else "", flush=True)
    print(f"{name:<36} {figures}; {time.monotonic() - began:.0f} s", flush=True)
    return not figures.wrong


def main() -> int:
    """Carry out what is asked for, or all, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("sweeps", metavar="SWEEP", nargs="*", help=f"of: {' '.join(['kills', 'mixed', *SWEEPS])}; default: all")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--mixed", type=int, default=2000)
    parser.add_argument("--count", type=int, help="trials of each other sweep, spread evenly where it is one over values")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32), help="what another run printed")
    parser.add_argument("--number", type=int, help="this trial alone, as it was with the same seed")
    arguments = parser.parse_args()
    wanted = arguments.sweeps or ["kills", "mixed", *SWEEPS]
    print(f"seed                                 {arguments.seed}", flush=True)
    # A shell's background job starts with it ignored, which is inherited, and marscore leaves ignored signals alone.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    began = time.monotonic()
    ways = {"kills": _killed, "mixed": _mixed}
    good = [ways[name](arguments) if name in ways else _swept(name, SWEEPS[name], arguments) for name in wanted]
    print(f"seconds                              {time.monotonic() - began:.0f}")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
