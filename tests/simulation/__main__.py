"""Plays many seeds: `python -m tests.simulation --seeds 1000 --from 1`. A seed that fails is made smaller and its story printed."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections import Counter

from tests.simulation.play import play
from tests.simulation.scenario import draw
from tests.simulation.shrink import shrunk
from tests.simulation.story import told


def main() -> int:
    """Play them; returns 1 if anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--from", dest="first", type=int, default=1, help="the first one")
    parser.add_argument("--keep-going", type=int, default=1, metavar="N", help="end after so many failing seeds")
    parser.add_argument("--whole", action="store_true", help="tell the story of a failing seed as it is, not made smaller")
    options = parser.parse_args()
    met: Counter[str] = Counter()
    failed, began, seed = 0, time.process_time(), options.first
    with contextlib.suppress(KeyboardInterrupt):
        # Who has enough hears how far it came.
        for seed in range(options.first, options.first + options.seeds):
            outcome = play(draw(seed))
            met += outcome.met
            if outcome.wrong:
                failed += 1
                print(f"seed {seed}: {outcome.wrong[0]}", flush=True)
                print(told(outcome.scenario if options.whole else shrunk(outcome)))
                if failed >= options.keep_going:
                    break
    seconds = time.process_time() - began
    count = seed - options.first + 1
    print(f"{count} seeds, {failed} of them failed; {count / seconds:.0f} seeds a second of processor time")
    print(", ".join(f"{name} {number}" for name, number in sorted(met.items())))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
