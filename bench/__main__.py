"""`python -m bench`: run the works, write results, table and plot."""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from bench import plot, record
from bench.course import Course
from bench.origin import origin
from bench.start import measure_start
from bench.tools import LIMIT, TOOLS
from bench.works import FULL, GIB, QUICK, Scale, works

_RESULTS = Path(__file__).parent / "results"
_T = TypeVar("_T")


def main(argv: Sequence[str] | None = None, quick: Scale = QUICK) -> int:
    """Run what the command line asks for, `quick` being the sizes of --quick; 1 if marscore itself failed somewhere."""
    options = _options(argv)
    scale = quick if options.quick else FULL
    chosen = _chosen("work", {work.name: work for work in works(scale)}, options.only)
    # Libraries are installed first, and are ten times as slow: not within a minute.
    named = options.tools or ([tool.name for tool in TOOLS if not tool.library] if options.quick else None)
    tools = _chosen("tool", {tool.name: tool for tool in TOOLS}, named)
    here = Path(tempfile.mkdtemp(prefix="marscore-bench-", dir=_room()))
    results = []
    try:
        with origin(here) as server:
            course = Course(server, here, options.repeat or (1 if options.quick else 5), options.limit, options.keep)
            if not here.is_relative_to("/dev/shm"):
                print(
                    "The files lie on a disk, whose speed is measured too: a tmpfs with 5 GiB free at /dev/shm would spare that.",
                    flush=True,
                )
            for work in chosen:
                result = record.record(work, course.run(work, [LIMIT, *tools]), course.repeat, record.machine(here))
                if work.name == "start":
                    result["start"] = measure_start(here, course.repeat)
                record.write(result, options.results)
                results.append(result)
            _summarise(options.results)
            if options.keep:
                _stay(here)
    finally:
        shutil.rmtree(here, ignore_errors=True)
    return int(any("failed" in result["tools"].get("marscore", {}) for result in results))


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Run marscore beside its peers; bench/README.md says how to read it."
    )
    listed = lambda text: [word.strip() for word in text.split(",")]  # noqa: E731  # as a def it would be three lines away
    parser.add_argument("--only", type=listed, metavar="WORK,...", help=f"of: {', '.join(work.name for work in works(QUICK))}")
    parser.add_argument("--tools", type=listed, metavar="TOOL,...", help=f"of: {', '.join(tool.name for tool in TOOLS)}")
    parser.add_argument("--repeat", type=int, help="runs of each tool (5; quick: 1)")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="small sizes, about a minute, results in bench/results/quick: whether it works, no figures to quote",
    )
    parser.add_argument("--keep", action="store_true", help="show each command; lists, logs, files and server stay until Ctrl-C")
    parser.add_argument("--limit", type=float, default=300, metavar="SECONDS", help="a run that takes longer is killed and failed (300)")
    parser.add_argument("--results", type=Path, metavar="FOLDER", help="where results go")
    options = parser.parse_args(argv)
    options.results = options.results or (_RESULTS / "quick" if options.quick else _RESULTS)
    return options


def _chosen(what: str, known: dict[str, _T], names: Sequence[str] | None) -> list[_T]:
    """Those that are named, in their usual order; all if none is."""
    unknown = [name for name in names or () if name not in known]
    if unknown:
        raise SystemExit(f"no {what} is called {', '.join(unknown)}; there are: {', '.join(known)}")
    return [thing for name, thing in known.items() if names is None or name in names]


def _room() -> str | None:
    """tmpfs where it and the memory have room for all sources and the largest output; else the usual temporary folder."""
    shared = Path("/dev/shm")
    free = [int(line.split()[1]) * 1024 for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemAvailable:")]
    return str(shared) if shared.is_dir() and min(shutil.disk_usage(shared).free, *free) > 5 * GIB else None


def _stay(here: Path) -> None:
    print(f"The server stays up and the files stay in {here} until Ctrl-C.", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()


def _summarise(folder: Path) -> None:
    """Draw table and plot anew from all results that are there, in the order of the works."""
    found = [folder / f"{work.name}.json" for work in works(QUICK)]
    results = [json.loads(path.read_text()) for path in found if path.exists()]
    (folder / "table.md").write_text(record.table(results))
    plot.draw(results, folder)
    print(record.ratios(results), flush=True)


if __name__ == "__main__":
    # Told to end, it ends the server and removes its files too.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    sys.exit(main())
