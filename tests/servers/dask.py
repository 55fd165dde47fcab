"""A Dask scheduler and its workers, each a process of its own, as `dask scheduler` and `dask worker` start them."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

_START_S = 60.0
_LOOPBACK = ("--host", "127.0.0.1")


@dataclass
class Dask:
    """A cluster. `address` is the scheduler's; `workers` are in the order in which they were started."""

    folder: Path
    env: Mapping[str, str]
    address: str = ""
    scheduler: subprocess.Popen[bytes] | None = None
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> None:
        """Start the scheduler and wait until it can be reached."""
        file = self.folder / "scheduler.json"
        self.scheduler = self._run("scheduler", "--port", "0", "--no-dashboard", "--scheduler-file", str(file))
        until = time.monotonic() + _START_S
        while not self.address:
            assert self.scheduler.poll() is None, self.log("scheduler")[-2000:]
            assert time.monotonic() < until, "the scheduler does not start"
            with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
                self.address = json.loads(file.read_text())["address"]
            time.sleep(0.05)

    def hire(self, count: int) -> None:
        """Start workers of one thread, without a nanny, and wait until the scheduler has all of them."""
        for _ in range(count):
            name = f"worker-{len(self.workers)}"
            options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--name", name, "--local-directory", str(self.folder))
            self.workers.append(self._run(name, self.address, *options))
        until = time.monotonic() + _START_S
        while self.log("scheduler").count("Register worker") < len(self.workers):
            assert time.monotonic() < until, f"the workers do not start: {self.log('worker-0')[-2000:]}"
            time.sleep(0.05)

    def log(self, name: str) -> str:
        """What `scheduler` or `worker-N` wrote."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def end(self) -> None:
        """End all of them."""
        for process in [*self.workers, *([self.scheduler] if self.scheduler else [])]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGCONT)
            process.kill()
            process.wait()

    def _run(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        verb = "scheduler" if name == "scheduler" else "worker"
        line = [sys.executable, "-m", "dask", verb, *_LOOPBACK, *arguments]
        with (self.folder / f"{name}.log").open("wb") as log:
            return subprocess.Popen(line, env=dict(self.env), stdin=subprocess.DEVNULL, stdout=log, stderr=log)


@contextlib.contextmanager
def dask(folder: Path, workers: int, env: Mapping[str, str]) -> Iterator[Dask]:
    """A cluster of so many workers."""
    if importlib.util.find_spec("distributed") is None:
        pytest.skip("Dask is not here: pip install distributed")
    folder.mkdir()
    cluster = Dask(folder, env)
    try:
        cluster.start()
        cluster.hire(workers)
        yield cluster
    finally:
        cluster.end()
