"""A Ray cluster on loopback: `ray start --head`, with processors for so many workers."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.process import free_port


@dataclass
class Ray:
    """A cluster. `folder` is where it keeps its logs."""

    address: str
    folder: Path

    def processes(self, name: str) -> list[int]:
        """Those of its processes that are of this program, or have these words on their command line."""
        return [pid for pid, line in _lines() if str(self.folder).encode() in line and name.encode() in line]

    def actors(self, name: str) -> list[int]:
        """The processes of its actors of this class: Ray names them by what they do, and other clusters may have the same."""
        raylets = self.processes("raylet")
        named = [pid for pid, line in _lines() if line.startswith(f"ray::{name}".encode())]
        return [pid for pid in named if _parent_of(pid) in raylets]

    def logs(self) -> bytes:
        """All that it logged."""
        return b"".join(path.read_bytes() for path in self.folder.rglob("logs/**/*") if path.is_file())

    def end(self) -> None:
        """End all of it."""
        for _ in range(2):
            for pid, line in _lines():
                if str(self.folder).encode() in line or f"--gcs-address={self.address}".encode() in line:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)


def _lines() -> Iterator[tuple[int, bytes]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                yield int(entry.name), (entry / "cmdline").read_bytes()


def _parent_of(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


@contextlib.contextmanager
def ray(processors: int, env: Mapping[str, str]) -> Iterator[Ray]:
    """A cluster with so many processors."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not here: pip install ray")
    # Its sockets are below it, whose paths may have a hundred characters.
    folder = Path(tempfile.mkdtemp(prefix="ray-"))
    # Ray takes 127.0.0.1 for the machine's address in its network.
    host = "127.0.0.2"
    address = f"{host}:{free_port()}"
    cluster = Ray(address, folder)
    line = [
        str(Path(sys.executable).with_name("ray")),
        "start",
        "--head",
        "--node-ip-address",
        "127.0.0.1",
        "--port",
        address.split(":")[1],
    ]
    line += ["--num-cpus", str(processors), "--include-dashboard=false", "--disable-usage-stats", "--temp-dir", str(folder)]
    try:
        subprocess.run(line, env=dict(env), check=True, capture_output=True, timeout=120)
        yield cluster
    finally:
        cluster.end()
        shutil.rmtree(folder, ignore_errors=True)
