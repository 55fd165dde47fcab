"""What it costs to start marscore: `marscore --version`, beside a bare Python, and the imports that take longest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bench.measure import environment, run
from bench.record import median_of

_MARSCORE = [sys.executable, "-m", "marscore", "--version"]


def measure_start(here: Path, repeat: int) -> dict[str, object]:
    """Medians of `marscore --version` and of `python -c pass`, and the ten imports with the longest time of their own."""
    samples = {"marscore --version": _MARSCORE, "python -c pass": [sys.executable, "-c", "pass"]}
    medians = {name: median_of([run(words, here, here / "log", 60) for _ in range(repeat)]) for name, words in samples.items()}
    imports = _imports()
    print("imports of --version, in ms of their own:", ", ".join(f"{each['name']} {each['own_ms']}" for each in imports), flush=True)
    return {"commands": medians, "imports": imports}


def _imports() -> list[dict[str, object]]:
    """Lines of importtime: `import time:  self [us] | cumulative | name`."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *_MARSCORE[1:]], capture_output=True, text=True, check=True, env=environment()
    )
    rows = [
        line[len("import time:") :].split("|")
        for line in done.stderr.splitlines()
        if line.startswith("import time:") and "self [us]" not in line
    ]
    found = [
        {"name": name.strip(), "own_ms": int(own) / 1000, "with_its_imports_ms": int(all_of_it) / 1000} for own, all_of_it, name in rows
    ]
    return sorted(found, key=lambda row: -row["own_ms"])[:10]  # type: ignore[operator]  # it is a number
