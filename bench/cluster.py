"""How many small files a Dask cluster of 1, 2 and 4 workers on this machine fetches a second, beside as many processes without one.

    python -m bench.cluster [--files 2000] [--delay 0.05] [--workers 1 2 4] [--rounds 1]

Servers answer after a while, as those of the internet do: what is measured is whether work gets around, and what it costs to say so, and
not how fast two cores copy bytes. Each figure is of a run from its plan to its end; the processor time is that of the run's own process,
which is what all workers of a cluster have in common.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.servers.dask import dask

_BODY = bytes(range(256)) * 8
_HEAD = f"HTTP/1.1 200 OK\r\nContent-Length: {len(_BODY)}\r\nContent-Type: application/octet-stream\r\n\r\n".encode()


@contextlib.contextmanager
def server(delay: float) -> Iterator[int]:
    """A server of one file under every name, which it sends after so many seconds. Yields its port."""
    loop = asyncio.new_event_loop()
    ready, ports = threading.Event(), list[int]()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while await reader.readuntil(b"\r\n\r\n"):
                await asyncio.sleep(delay)
                writer.write(_HEAD + _BODY)
                await writer.drain()
        writer.close()

    async def begin() -> None:
        listening = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=1024)
        ports.append(listening.sockets[0].getsockname()[1])
        ready.set()

    def serve() -> None:
        loop.run_until_complete(begin())
        loop.run_forever()

    threading.Thread(target=serve, daemon=True).start()
    ready.wait()
    try:
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(loop.stop)


def run(folder: Path, port: int, files: int, options: Sequence[str]) -> tuple[float, float]:
    """Fetch so many files; returns seconds from plan to end, and processor seconds of the run and what it started itself."""
    manifest = {
        "version": 1,
        "output_dir": "data",
        "execution": {"per_host": 64},
        "downloads": [{"url": f"http://127.0.0.1:{port}/f{{i}}", "path": "f{i}", "each": {"i": {"from": 1, "to": files}}}],
    }
    (folder / "downloads.yaml").write_text(json.dumps(manifest))
    line = [sys.executable, "-m", "marscore", "run", "downloads.yaml", "--log-file", "log", "--log-level", "error", *options]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(line, cwd=folder, check=True, capture_output=True, timeout=300)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    at = {(event := json.loads(line))["event"]: event["timestamp"] for line in (folder / "log").read_text().splitlines()}
    # What a relay takes to be opened counts; what Dask takes to be imported does not.
    seconds = _unix(at["run_finished"]) - _unix(at["plan_compiled"])
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _unix(timestamp: str) -> float:
    return time.mktime(time.strptime(timestamp[:19], "%Y-%m-%dT%H:%M:%S")) + float(timestamp[19:23])


def measure(workers: int, files: int, delay: float, engine: str) -> tuple[float, float]:
    """One run with so many workers."""
    with tempfile.TemporaryDirectory() as name, server(delay) as port, contextlib.ExitStack() as held:
        folder = Path(name)
        if engine == "local":
            return run(folder, port, files, ["--processes", str(workers)])
        cluster = held.enter_context(dask(folder / "dask", workers, os.environ))
        return run(folder, port, files, ["--engine", "dask", "--engine-address", cluster.address])


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--delay", type=float, default=0.05)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--rounds", type=int, default=1)
    given = parser.parse_args()
    print(f"{given.files} files of {len(_BODY)} bytes, each answered after {given.delay:g} s; 8 connections a worker")
    print(f"{'engine':8} {'workers':>7} {'seconds':>8} {'files/s':>8} {'CPU s of the run':>17}")
    for _ in range(given.rounds):
        for workers in given.workers:
            for engine in ("local", "dask"):
                seconds, cpu = measure(workers, given.files, given.delay, engine)
                print(f"{engine:8} {workers:7} {seconds:8.2f} {given.files / seconds:8.0f} {cpu:17.2f}", flush=True)


if __name__ == "__main__":
    main()
