"""Starting a server program on a free port, and ending it by its own process id."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

_START_S = 30.0


def find(program: str) -> str | None:
    """The path of a program; None where it is not on the machine. Debian keeps servers off an ordinary user's PATH."""
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def have_nginx() -> bool:
    """Whether nginx is on this machine."""
    return find("nginx") is not None


def have_proxy() -> bool:
    """Whether a forward proxy is on this machine."""
    return find("tinyproxy") is not None


def need(program: str, package: str) -> str:
    """The path of a program; skips the test where it is not on the machine, or fails it where every server has to be there."""
    path = find(program)
    if path:
        return path
    message = f"{program} is not on this machine: apt-get install {package}"
    if os.environ.get("MARSCORE_REQUIRE_SERVERS"):
        pytest.fail(message)
    pytest.skip(message)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def running(command: Callable[[int], Sequence[str]], log: Path) -> Iterator[int]:
    """Run a server that listens on the port it is told; another port is tried where one was taken meanwhile. Yields the port."""
    for _ in range(5):
        port = free_port()
        with log.open("ab") as output:
            process = subprocess.Popen(command(port), stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            if _accepts(port, process):
                yield port
                return
        finally:
            _end(process)
    raise RuntimeError(f"the server does not start: {log.read_text(errors='replace')[-2000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _accepts(port: int, process: subprocess.Popen[bytes]) -> bool:
    until = time.monotonic() + _START_S
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return process.poll() is None
        time.sleep(0.02)
    return False
