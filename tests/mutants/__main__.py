"""Draws a sample of mutants, has mutmut try them, and prints how many were killed and which survived.

    python -m tests.mutants [COUNT | all] [SEED]

mutmut tries what it is told by name. So the mutants are made first, by a run over one small file, which also tells which test reaches which
function; then the sample is drawn from their names. A mutant that runs into its time limit counts as killed: a test that hangs is noticed.
How many did is told beside: on a machine that is busy with something else, survivors are among them.
"""

from __future__ import annotations

import random
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

#: What mutmut calls a mutant that was noticed. It writes "suspicious" where the tests ended in a way of their own, such as a crash.
KILLED = {"killed", "timeout", "segfault", "suspicious"}
#: A small file, with which a run begins.
FIRST = "marscore.state.*"
MUTMUT = str(Path(sys.executable).with_name("mutmut"))


def main(count: str = "300", seed: str = "1") -> None:
    """Try `count` mutants and print what came of them. Survivors are no error: some changes change nothing."""
    _run(FIRST)
    names = sorted(_results())
    sample = names if count == "all" else random.Random(int(seed)).sample(names, min(int(count), len(names)))
    _run(*sample)
    results = _results()
    found = Counter("killed" if results[name] in KILLED else results[name] for name in sample)
    survivors = sorted(name for name in sample if results[name] not in KILLED)
    print("\n".join(f"{results[name]:<10} {name}" for name in survivors))
    told = ", ".join(f"{found[what]} {what}" for what in ("killed", "survived", "no tests"))
    late = sum(results[name] == "timeout" for name in sample)
    print(f"{told} of a sample of {len(sample)} (seed {seed}) of {len(names)}; {late} of the killed ran into their time limit")
    print(f"`{Path(MUTMUT).name} show NAME` shows one")


def _run(*names: str) -> None:
    subprocess.run([MUTMUT, "run", "--max-children", "2", *names], check=True)


def _results() -> dict[str, str]:
    """What is known of each mutant, by name."""
    told = subprocess.run([MUTMUT, "results", "--all", "true"], check=True, capture_output=True, text=True).stdout
    return dict(re.findall(r"^\s+(\S+): (.+)$", told, re.MULTILINE))


if __name__ == "__main__":
    main(*sys.argv[1:])
