"""Worker processes that die, and workers that outlive the run they belong to."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from marscore.adapters.clock import SystemClock
from marscore.adapters.files.folder import Folder
from marscore.events import DownloadFinished, Event
from marscore.execute.transfer.protocol import Work
from marscore.execute.worker.engine import Ports
from marscore.execute.worker.setup import Share, WorkerSettings
from marscore.execute.worker.thread import Worker
from marscore.resolve.model import Download, Options
from marscore.state import key_of
from tests.disk import wrong_in
from tests.integration.command import LIMIT_S, Process, environment, marscore, transport, write
from tests.integration.test_interrupt_and_resume import bytes_in, end, start, wait_until
from tests.origin import Body, Good, Origin, Seen, Status, Step

MIB = 1024 * 1024
LARGE = [Body(14 * MIB, seed=n) for n in (21, 22)]

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="children are found in /proc, which Linux has")


def children_of(process: Process) -> list[int]:
    """The process ids of a process's children."""
    tasks = Path(f"/proc/{process.pid}/task")
    return [int(pid) for children in tasks.glob("*/children") for pid in children.read_text().split()]


def two_workers_at_work(origin: Origin, folder: Path, received: int) -> tuple[Process, list[int], threading.Event]:
    """Start a run with a file for each of two workers and wait until so many bytes are on disk; the last come after the event."""
    go_on = threading.Event()
    held = Good(rate=10 * MIB, stall_after=10 * MIB, stall_s=120, until=go_on)
    urls = [origin.serve(f"/{n}.bin", body, [held]) for n, body in enumerate(LARGE)]
    manifest = write(folder, urls, execution={"processes": 2}, defaults={"threads": 1})
    process = start(folder, manifest)
    wait_until(lambda: bytes_in(folder / "data" / ".marscore" / "partial") >= received, "bytes on disk")
    children = children_of(process)
    assert len(children) == 2
    return process, children, go_on


def kill(process: Process) -> None:
    """Kill a run, whose children may go on holding its standard error."""
    process.kill()
    process.wait()
    for stream in (process.stdout, process.stderr):
        assert stream
        stream.close()


def is_complete(folder: Path) -> bool:
    return all((folder / "data" / f"{n}.bin").read_bytes() == body.read(0, body.length) for n, body in enumerate(LARGE))


def test_a_killed_workers_downloads_go_to_another_which_resumes_them(origin: Origin, tmp_path: Path) -> None:
    process, children, go_on = two_workers_at_work(origin, tmp_path, 14 * MIB)
    os.kill(children[0], signal.SIGKILL)
    go_on.set()
    run = end(tmp_path, process)
    assert run.code == 0
    assert is_complete(tmp_path)
    [warned] = run.events("warned")
    assert "a worker process died (signal 9); 1 downloads go to another" in warned["message"]
    assert sum(entry["bytes_resumed"] > 0 for entry in run.report["downloads"]) == 1, "what the dead worker recorded is not fetched again"
    assert [entry["status"] for entry in run.report["downloads"]] == ["downloaded", "downloaded"]
    assert run.partials() == []


def test_a_download_over_which_workers_die_twice_fails_by_name_and_the_others_go_on(origin: Origin, tmp_path: Path) -> None:
    killed: list[int] = []
    origin.serve("/0.bin", LARGE[0], [Good(stall_after=MIB, stall_s=30)])
    good = origin.serve("/1.bin", LARGE[1], [Good(rate=12 * MIB)])
    manifest = write(tmp_path, [origin.url("/0.bin"), good], execution={"processes": 2}, defaults={"threads": 1})
    process = start(tmp_path, manifest)
    for count in (1, 2):
        wait_until(lambda count=count: len(origin.requests_for("/0.bin")) == count, "a request")
        killed.append(owner_of_connection(origin, process, "/0.bin"))
        os.kill(killed[-1], signal.SIGKILL)
    run = end(tmp_path, process)
    assert run.code == 1
    assert run.entry(0)["error"]["kind"] == "internal"
    assert "died twice over this download (signal 9)" in run.entry(0)["error"]["message"]
    assert run.entry(1)["status"] == "downloaded"
    assert run.data("1.bin") == LARGE[1].read(0, LARGE[1].length)
    assert not (run.folder / "0.bin").exists()


@contextlib.contextmanager
def worker_that_fetched(folder: Path, urls: Sequence[str]) -> Iterator[Worker]:
    """A worker of four threads, after its work."""
    batches: queue.SimpleQueue[list[Event]] = queue.SimpleQueue()
    settings = WorkerSettings(str(folder), 4, 10 * MIB, Share(4))
    worker = Worker(settings, Ports(transport(4), Folder(folder), SystemClock()), batches.put)
    worker.start()
    worker.submit(Work(Download(f"downloads[{n}]", (url,), f"{n}.bin", Options())) for n, url in enumerate(urls))
    left = len(urls)
    while left:
        left -= sum(isinstance(event, DownloadFinished) for event in batches.get(timeout=LIMIT_S))
    yield worker
    worker.close()


def test_a_worker_keeps_no_more_connections_than_threads_over_all_hosts(tmp_path: Path) -> None:
    with Origin(host="0.0.0.0") as everywhere:
        # On Linux, all of 127.0.0.0/8 are addresses of its own.
        urls = [everywhere.serve(f"/{n}", Body(20_000)).replace("0.0.0.0", f"127.0.0.{n + 1}") for n in range(60)]
        with worker_that_fetched(tmp_path, urls):
            assert everywhere.connections_accepted == 60
            wait_until(lambda: everywhere.open_connections <= 4, "no more connections than threads")


def test_a_worker_that_makes_room_for_others_lets_go_of_connections_that_wait(origin: Origin, tmp_path: Path) -> None:
    origin.watch_connections()

    def once_there_are_four(seen: Seen) -> Step:
        return Good(Body(1000)) if origin.wait_for_connections(4) else Status(504)

    with worker_that_fetched(tmp_path, [origin.handle(f"/{n}", once_there_are_four) for n in range(4)]) as worker:
        assert origin.open_connections == 4
        wait_until(lambda: worker.narrow(Share(1)) == 0, "threads that have nothing in use")
        wait_until(lambda: origin.open_connections == 0, "connections that were closed")


def owner_of_connection(origin: Origin, process: Process, path: str) -> int:
    """The child that holds the partial file of a download: the only one whose open files name it."""
    name = f"{key_of(path.lstrip('/'))}.part"
    found: list[int] = []

    def look() -> bool:
        for child in children_of(process):
            for fd in Path(f"/proc/{child}/fd").glob("*"):
                try:
                    if fd.readlink().name == name:
                        found.append(child)
                except OSError:
                    continue
        return bool(found)

    wait_until(look, "the worker that holds the file")
    return found[0]


def test_the_next_run_waits_until_the_workers_of_a_killed_one_are_gone(origin: Origin, tmp_path: Path) -> None:
    process, children, _ = two_workers_at_work(origin, tmp_path, 14 * MIB)
    for number, body in enumerate(LARGE):
        origin.serve(f"/{number}.bin", body)
    # A worker that hangs, as on a disk that is slow, does not notice yet that its parent is gone.
    os.kill(children[0], signal.SIGSTOP)
    kill(process)
    before = len(origin.requests)
    again = start(tmp_path, "downloads.yaml")
    try:
        time.sleep(1)
        assert len(origin.requests) == before, "nothing is fetched while somebody else may write to the same files"
    finally:
        os.kill(children[0], signal.SIGCONT)
    run = end(tmp_path, again)
    assert run.code == 0
    assert is_complete(tmp_path)
    assert run.report["totals"]["bytes_resumed"] > 0


#: A program whose display of events breaks while workers are busy.
BROKEN = """
import sys, threading, time
from pathlib import Path
import marscore
from marscore.adapters.terminal.run_output import RunOutput
from marscore.events import DownloadStarted
from marscore.settings import RunSettings
show = RunOutput.show
def broken(self, events, *lines):
    show(self, events, *lines)
    if any(isinstance(event, DownloadStarted) for event in events):
        children = Path(f"/proc/self/task").glob("*/children")
        print(*[pid for child in children for pid in child.read_text().split()], flush=True)
        raise ZeroDivisionError("a defect in the display")
RunOutput.show = broken
try:
    marscore.run(sys.argv[1], RunSettings(processes=int(sys.argv[2])))
except ZeroDivisionError:
    ours = [thread for thread in threading.enumerate() if thread.name.startswith("marscore")]
    for thread in ours:
        thread.join(10)  # who listened to a child that has ended is about to
    print(*[thread.name for thread in ours if thread.is_alive()])
    sys.exit(17)
"""


@pytest.mark.parametrize("processes", [1, 2])
def test_an_error_in_the_parent_ends_its_workers_before_the_folder_is_free(origin: Origin, tmp_path: Path, processes: int) -> None:
    bodies = {f"{n}.bin": body for n, body in enumerate(LARGE)}
    urls = [origin.serve(f"/{name}", body, [Good(rate=4 * MIB), Good()]) for name, body in bodies.items()]
    manifest = write(tmp_path, urls)
    script = [sys.executable, "-c", BROKEN, manifest, str(processes)]
    done = subprocess.run(script, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 17, done.stderr
    children, threads = done.stdout.split("\n")[:2]
    assert len(children.split()) == (processes if processes > 1 else 0)
    assert threads == ""
    for pid in children.split():
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)
    left = bytes_in(tmp_path / "data" / ".marscore" / "partial")
    time.sleep(0.3)
    assert bytes_in(tmp_path / "data" / ".marscore" / "partial") == left
    run = marscore("run", manifest, cwd=tmp_path)
    assert run.code == 0
    assert wrong_in(tmp_path / "data", bodies) == []
