"""What is written down: a JSON file for each work, and one Markdown table over all of them."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from bench.course import Outcome
from bench.limit import language
from bench.measure import Sample
from bench.works import MIB, Work

FIGURES = ("wall_s", "cpu_s", "peak_bytes")

_HEAD = "| tool | wall | CPU | memory | wall / marscore's | CPU / marscore's | memory / marscore's |\n|---|--:|--:|--:|--:|--:|--:|\n"


def median_of(samples: Sequence[Sample]) -> dict[str, float]:
    """The median of each figure over the samples that have it: a run may end before its memory is seen, and then it is 0."""
    seen = {figure: [getattr(sample, figure) for sample in samples if getattr(sample, figure)] for figure in FIGURES}
    return {figure: round(median(values or [0]), 4) for figure, values in seen.items()}


def machine(place: Path) -> dict[str, object]:
    """The machine that the figures are of. `place` is where the files lay."""
    models = [line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MIB,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "files_in": "/dev/shm (tmpfs)" if place.is_relative_to("/dev/shm") else "a temporary folder, not tmpfs",
    }


def record(work: Work, outcomes: Sequence[Outcome], repeat: int, where: dict[str, object]) -> dict[str, Any]:
    """The result of a work as it is written."""
    entries = {outcome.tool.name: _entry(outcome) for outcome in outcomes}
    ours = entries.get("marscore", {}).get("median")
    for entry in entries.values():
        if ours and "median" in entry:
            # The tool's figure divided by ours: above 1, marscore needs less.
            entry["ratio_to_marscore"] = {name: round(entry["median"][name] / ours[name], 3) for name in FIGURES if ours[name]}
    return {
        "work": work.name,
        "title": work.title,
        "files": len(work.files),
        "bytes": work.size,
        "date": dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds"),
        "repeat": repeat,
        "load_at_end": round(os.getloadavg()[0], 2),
        "machine": where,
        "memory_is": "peak of the sampled sum of PSS over the process tree",
        "limit_written_in": language(work),
        "tools": entries,
    }


def _entry(outcome: Outcome) -> dict[str, Any]:
    entry: dict[str, Any] = {"version": outcome.tool.said_version()}
    if outcome.reason:
        return entry | {"failed": outcome.reason}
    samples = [{k: v for k, v in asdict(sample).items() if k in FIGURES} for sample in outcome.samples]
    return entry | {"median": median_of(outcome.samples), "samples": samples}


def write(result: dict[str, Any], folder: Path) -> None:
    """Write one work's JSON file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{result['work']}.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")


def table(results: Sequence[dict[str, Any]]) -> str:
    """A Markdown table for each work: the medians, and how many times marscore's figure each tool needs."""
    return "\n".join(_table(result) for result in results)


def ratios(results: Sequence[dict[str, Any]]) -> str:
    """For a terminal: each work's wall median of marscore, and by it each tool's divided; above 1, marscore is faster."""
    names = list(dict.fromkeys(name for result in results for name in result["tools"]))
    lines = [" ".join([f"{'wall / marscore':16}", *(f"{name:>17}" for name in names)])]
    for result in results:
        cells = [result["tools"].get(name, {}).get("ratio_to_marscore", {}).get("wall_s") for name in names]
        lines.append(" ".join([f"{result['work']:16}", *(f"{'-' if cell is None else format(cell, '.2f'):>17}" for cell in cells)]))
    return "\n".join(lines)


def _table(result: dict[str, Any]) -> str:
    head = f"### {result['title']} (`{result['work']}`)\n\n{_HEAD}"
    rows = [_row(name, entry, result["limit_written_in"]) for name, entry in result["tools"].items()]
    versions = dict.fromkeys(entry["version"] for name, entry in result["tools"].items() if name != "limit" and "median" in entry)
    return head + "".join(rows) + f"\n{'; '.join(versions)}. {result['date'][:10]}, medians of {result['repeat']}.\n"


def _row(name: str, entry: dict[str, Any], limit_in: str) -> str:
    name = f"*limit: bare copy in {limit_in}*" if name == "limit" else f"**{name}**" if name == "marscore" else name
    if "failed" in entry:
        return f"| {name} | {entry['failed'].replace('|', '/')} | | | | | |\n"
    wall, cpu, peak = (entry["median"][figure] for figure in FIGURES)
    ratio = entry.get("ratio_to_marscore", {})
    ratios = [f"{ratio[figure]:.2f}" if ratio.get(figure) else "" for figure in FIGURES]
    cells = [f"{wall:.3f} s", f"{cpu:.2f} s", f"{peak / MIB:.1f} MiB" if peak else "too short to see", *ratios]
    return f"| {name} | {' | '.join(cells)} |\n"
