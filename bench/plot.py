"""One plot over all works: a small bar chart each, the physical limit as a line. PNG and SVG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

_OURS, _PEER, _LIMIT = "#c1440e", "#9aa5b1", "#1f2933"
_COLUMNS = 2


def draw(results: Sequence[dict[str, Any]], folder: Path) -> None:
    """Write performance.png and performance.svg; says so where matplotlib is missing."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415  # only the extra `bench` brings it
    except ImportError:
        print("no plot: matplotlib is missing (pip install 'marscore[bench]')")
        return
    rows = -(-len(results) // _COLUMNS)
    figure = Figure(figsize=(11, 2.6 * rows), layout="constrained")
    axes = list(figure.subplots(rows, _COLUMNS, squeeze=False).flat)
    for axis, result in zip(axes, results, strict=False):
        _bars(axis, result)
    for axis in axes[len(results) :]:
        axis.set_visible(False)
    figure.suptitle("Wall seconds, median; shorter is better. Dashed: the barest copy of the same bytes.")
    figure.savefig(folder / "performance.png", dpi=120)
    figure.savefig(folder / "performance.svg")


def _bars(axis: Any, result: dict[str, Any]) -> None:
    done = {name: entry["median"]["wall_s"] for name, entry in result["tools"].items() if "median" in entry}
    limit = done.pop("limit", None)
    failed = {name: entry["failed"] for name, entry in result["tools"].items() if "failed" in entry and name != "limit"}
    names = [*failed, *sorted(done, key=lambda name: -done[name])]
    # A tool ten times slower than marscore would squeeze all others: its bar is cut, its figure stays.
    edge = 6 * done.get("marscore", max(done.values(), default=1))
    lengths = [min(done.get(name, 0), edge) for name in names]
    labels = [failed[name][:60] if name in failed else f"{done[name]:.2f}{' (cut)' if done[name] > edge else ''}" for name in names]
    bars = axis.barh(names, lengths, color=[_OURS if name == "marscore" else _PEER for name in names])
    axis.bar_label(bars, labels, padding=3, fontsize=8)
    if limit is not None:
        axis.axvline(limit, color=_LIMIT, linestyle="--", linewidth=1)
    axis.set_title(result["title"], fontsize=10, loc="left")
    axis.set_xlim(0, max(lengths, default=0) * 1.18 or 1)
    axis.tick_params(labelsize=8)
    axis.spines[["top", "right"]].set_visible(False)
