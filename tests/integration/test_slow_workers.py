"""Workers that are slower than others: what they hold and have not begun is taken over near the end."""

from __future__ import annotations

import json
import threading
from collections import Counter
from pathlib import Path

from tests.disk import contradictions, files_in, wrong_in
from tests.integration.command import Run, marscore
from tests.origin import Body, Good, Origin, Seen

BODIES = {f"{n}.bin": Body(1000 + n, seed=n) for n in range(40)}


def one_holds_up_others(origin: Origin, folder: Path) -> str:
    """Serve files to two workers of one connection each: the first file comes to its end only once all others were asked for."""
    lock, asked, others = threading.Lock(), set[str](), threading.Event()

    def handle(seen: Seen) -> Good:
        name = seen.path.rpartition("/")[2]
        with lock:
            asked.add(name)
            if len(asked) == len(BODIES):
                others.set()
        return Good(BODIES[name], stall_after=10, stall_s=60, until=others) if name == "0.bin" else Good(BODIES[name])

    origin.handle_rest(handle)
    downloads = [{"url": origin.url(f"/{name}"), "path": name} for name in BODIES]
    execution = {"processes": 2, "threads": 1}
    (folder / "downloads.yaml").write_text(json.dumps({"version": 1, "output_dir": "data", "execution": execution, "downloads": downloads}))
    return "downloads.yaml"


def all_were_fetched_once(origin: Origin, run: Run) -> None:
    assert run.code == 0, run.err[-2000:]
    # Else the first would have been given up while the others stood behind it, and asked for again.
    assert set(Counter(seen.path for seen in origin.requests).values()) == {1}
    assert len(origin.requests) == len(BODIES)
    assert contradictions(run.folder, run.report) == []
    assert wrong_in(run.folder, BODIES) == []
    assert sorted(files_in(run.folder)) == sorted(BODIES)


def test_what_stands_behind_a_slow_file_is_fetched_by_another_process(origin: Origin, tmp_path: Path) -> None:
    all_were_fetched_once(origin, marscore("run", one_holds_up_others(origin, tmp_path), cwd=tmp_path))
