"""Progress is drawn on a terminal, and nowhere else."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from marscore.adapters.processes.workers import ProcessWorkerFactory
from marscore.adapters.state.lock import Held
from marscore.events import DownloadFinished, Event, ProgressMade
from marscore.execute.supervisor.messages import Batch, Gone, Inbox
from marscore.execute.transfer.protocol import Work
from marscore.execute.worker.setup import Share, WorkerSettings
from marscore.resolve.model import Download, Options
from tests.integration.command import command, environment, fetch, marscore, write
from tests.origin import Body, Good, Origin, busy

MIB = 1024 * 1024

pty = pytest.importorskip("pty", reason="this system has no pseudo-terminals")


def on_a_terminal(folder: Path, *arguments: str, columns: int = 120) -> tuple[int, str]:
    """Run the command with a terminal as its standard error; returns its exit code and all that was drawn."""
    leader, follower = pty.openpty()
    env = environment({"TERM": "xterm-256color", "COLUMNS": str(columns), "LINES": "30", "NO_COLOR": "1"})
    process = subprocess.Popen(command(*arguments), cwd=folder, env=env, stdin=follower, stdout=subprocess.DEVNULL, stderr=follower)
    os.close(follower)
    drawn = bytearray()
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            data = os.read(leader, 65536)
        except OSError:
            break
        if not data:
            break
        drawn += data
    os.close(leader)
    return process.wait(60), drawn.decode("utf-8", "replace")


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
def test_a_terminal_shows_percent_speed_eta_connections_and_retries(origin: Origin, tmp_path: Path) -> None:
    urls = [
        origin.serve("/large.bin", Body(12 * MIB), [Good(rate=3 * MIB)]),
        origin.serve("/busy.bin", Body(MIB), [busy(503, "1"), Good(rate=MIB)]),
    ]
    code, drawn = on_a_terminal(tmp_path, "run", write(tmp_path, urls))
    assert code == 0
    for shown in (
        r"\d+%",
        r"MiB/s",
        r"\d:\d\d",
        r"\d:\d\d left",
        r"\d connections?",
        r"1 retry",
        r"large\.bin +\d+%  of 12\.0 MiB",
        r"[012] of 2 files",
        r"busy\.bin: 503 Service Unavailable, retry 1 of \d+ in 1 s",
    ):
        assert re.search(shown, drawn), f"{shown} is not in what was drawn"
    assert "2 downloads: 2 downloaded" in drawn


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
def test_child_processes_show_how_far_they_are(origin: Origin, tmp_path: Path) -> None:
    # One connection each, so that no other makes it quick.
    urls = [{"url": origin.serve(f"/{name}.bin", Body(6 * MIB), [Good(rate=2 * MIB)]), "threads": 1} for name in "ab"]
    code, drawn = on_a_terminal(tmp_path, "run", write(tmp_path, urls), "--processes", "2")
    assert code == 0
    assert re.search(r"a\.bin +[1-9]\d%", drawn)
    assert re.search(r"b\.bin +[1-9]\d%", drawn)


@pytest.mark.parametrize("shared", [True, False], ids=["in shared memory", "among the events"])
def test_readings_of_a_child_reach_the_parent(shared: bool, origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shared and not hasattr(os, "memfd_create"):
        pytest.skip("this system has no memory without a file")
    if not shared:
        monkeypatch.delattr(os, "memfd_create", raising=False)
    inbox: Inbox = queue.SimpleQueue()
    settings = WorkerSettings(str(tmp_path), 1, MIB, Share(1), progress="shared")
    url = origin.serve("/a.bin", Body(4 * MIB), [Good(rate=2 * MIB)])
    told: list[Event] = []
    read: list[ProgressMade] = []
    with contextlib.closing(ProcessWorkerFactory(settings, inbox, Held(None))) as factory:
        child = factory.child(0, Share(1))
        child.submit([Work(Download("downloads[0]", (url,), "a.bin", Options(threads=1)), untouched=True)])
        while not any(isinstance(event, DownloadFinished) for event in told):
            with contextlib.suppress(queue.Empty):
                message = inbox.get(timeout=0.05)
                if isinstance(message, Batch):
                    told += message.events
            read += factory.readings()
        child.close()
        while not isinstance(inbox.get(timeout=30), Gone):
            pass
    assert bool(read) is shared
    assert any(isinstance(event, ProgressMade) for event in told) is not shared
    readings = read or [event for event in told if isinstance(event, ProgressMade)]
    assert any(0 < reading.bytes_done < 4 * MIB for reading in readings)


def test_elsewhere_there_are_json_lines_and_then_a_plain_summary(origin: Origin, tmp_path: Path) -> None:
    run = fetch(tmp_path, origin.serve("/a.bin", Body(3 * MIB), [Good(rate=3 * MIB)]))
    lines = run.err.splitlines()
    assert run.out == ""
    assert all(line.startswith("{") for line in lines[:-2])
    assert re.fullmatch(r"1 download: 1 downloaded; 3\.\d MiB in \d+\.\d s \(\d+\.\d [KM]iB/s\)", lines[-2])
    assert lines[-1] == "report: data/.marscore/report.json"
    assert "\x1b" not in run.err


def test_with_a_log_in_json_there_is_nothing_else(origin: Origin, tmp_path: Path) -> None:
    name = write(tmp_path, [origin.serve("/a.bin", Body(1000)), origin.url("/gone.bin")])
    run = marscore("run", name, "--log-format", "json", cwd=tmp_path)
    assert (run.code, run.out) == (1, "")
    assert [json.loads(line)["event"] for line in run.err.splitlines()][-1] == "run_finished"
