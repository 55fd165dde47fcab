"""How a worker process begins, and what becomes of it where its parent is killed meanwhile."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from marscore.adapters.processes.frames import Call, read_frame, write_frame
from marscore.adapters.processes.piped import boot
from marscore.execute.worker.setup import Share, WorkerSettings


def told(folder: Path) -> bytes:
    """All that a parent says to a child that has nothing to do."""
    said = io.BytesIO(json.dumps(sys.path).encode() + b"\n")
    said.seek(0, io.SEEK_END)
    write_frame(said, WorkerSettings(str(folder), 1, 1, Share(1)))
    write_frame(said, Call("close"))
    return said.getvalue()


def begin(said: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-c", boot("child")], input=said, capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize("share", [0, 0.01, "the line but its end", "the line", "half of the settings", "all"])
def test_a_parent_that_is_killed_at_any_moment_leaves_no_traceback_of_its_child(tmp_path: Path, share: float | str) -> None:
    said = told(tmp_path)
    line = said.index(b"\n") + 1
    named = {"the line but its end": line - 1, "the line": line, "half of the settings": (line + len(said)) // 2, "all": len(said)}
    done = begin(said[: named[share] if isinstance(share, str) else int(len(said) * share)])
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_child_that_cannot_begin_says_why_in_one_line() -> None:
    done = begin(b"[]\n")
    assert done.returncode == 71
    assert done.stderr.startswith(b"marscore: a worker process cannot work: ModuleNotFoundError")
    assert done.stderr.count(b"\n") == 1


def test_a_frame_that_was_cut_at_any_byte_is_the_end() -> None:
    whole = io.BytesIO()
    write_frame(whole, Call("close", ("x" * 20,)))
    data = whole.getvalue()
    assert [read_frame(io.BytesIO(data[:length])) for length in range(len(data))] == [None] * len(data)
    assert read_frame(io.BytesIO(data)) == Call("close", ("x" * 20,))
