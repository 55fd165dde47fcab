"""Starts the command in forks of an interpreter that has imported it already: to import it is most of what a short run takes.

    marscore() --arguments, folder, environment, three descriptors--> this program --fork--> `python -m marscore`, from its first line on
               <--process id, then how it ended----------------------

What a fork has of its parent are the imported modules and nothing else: it gets its own folder, environment, standard streams and
arguments, and there is no thread, no open file and no manifest before it forks. Whatever is read when an interpreter starts is told
apart by `fits`: such a run, any where `MARSCORE_LONG` is set, and any that a test starts itself to stop or kill it, is started afresh.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.long import ALL

#: Read by an interpreter or by the C library before any line of the command.
_OF_A_START = ("PYTHON", "LC_", "LANG", "TZ", "LD_", "MALLOC_")
#: What a run that fetches something imports.
_IMPORTED = (
    "marscore.app",
    "marscore.adapters.processes.workers",
    "marscore.adapters.processes.assembly",
    "marscore.adapters.processes.parent",
    "marscore.adapters.http.requests_transport",
    "marscore.execute.worker.engine",
    "marscore.execute.worker.thread",
    "marscore.execute.supervisor.supervise",
    "marscore.manifest.modelled",
    "marscore.execute.worker.writing",
    "concurrent.futures.thread",
    "idna",
    "urllib.request",
)
#: What it imports where libcurl is to be had.
_IMPORTED_WITH_CURL = ("pycurl", "marscore.adapters.http.curl_transport", "marscore.workers")
_MESSAGE = 1 << 20


class Forks:
    """The parent of the forks, as a test process holds it."""

    def __init__(self) -> None:
        self._busy = threading.Lock()
        self._connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._environment = dict(os.environ)
        root = Path(__file__).parents[2]
        line = [sys.executable, "-m", "tests.integration.forks", str(theirs.fileno())]
        # Pipes, as those of a run are: what Python makes of a standard stream depends on what it is.
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self._process = subprocess.Popen(line, cwd=root, pass_fds=[theirs.fileno()], **pipes)  # type: ignore[call-overload]
        theirs.close()
        atexit.register(self.close)

    def fits(self, environment: Mapping[str, str]) -> bool:
        """Whether an interpreter in this environment starts as the parent of the forks did."""
        return _of_a_start(environment) == _of_a_start(self._environment)

    def run(
        self, arguments: Sequence[str], cwd: Path, env: Mapping[str, str], stdin: bytes, stdout: int, timeout: float
    ) -> subprocess.CompletedProcess[bytes]:
        """What `subprocess.run` does, with standard error captured, and standard output where it is subprocess.PIPE."""
        with self._busy, contextlib.ExitStack() as theirs, ThreadPoolExecutor(3) as pool:
            sending = _pipe(theirs, ours=1)
            receiving = [_pipe(theirs, ours=0) for _ in range(2)] if stdout == subprocess.PIPE else [(-1, stdout), _pipe(theirs, ours=0)]
            message = json.dumps({"arguments": [*arguments], "cwd": os.fspath(cwd), "env": dict(env)})
            socket.send_fds(self._connection, [message.encode()], [sending[1], *(fd for _, fd in receiving)])
            theirs.close()
            pool.submit(_write, sending[0], stdin)
            out, err = (pool.submit(_read, fd) for fd, _ in receiving)
            code = self._ended(arguments, timeout)
        return subprocess.CompletedProcess([*arguments], code, out.result(), err.result())

    def _ended(self, arguments: Sequence[str], timeout: float) -> int:
        pid = int(self._connection.recv(_MESSAGE))
        self._connection.settimeout(timeout)
        try:
            return os.waitstatus_to_exitcode(int(self._connection.recv(_MESSAGE)))
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            self._connection.settimeout(None)
            self._connection.recv(_MESSAGE)
            raise subprocess.TimeoutExpired([*arguments], timeout) from None
        finally:
            self._connection.settimeout(None)

    def close(self) -> None:
        """End the parent of the forks."""
        self._connection.close()
        self._process.communicate()


_forks: list[Forks] = []


def forks() -> Forks | None:
    """Those of this test process, or none: to fork is safe on Linux, and a long test starts every run afresh."""
    if ALL or not sys.platform.startswith("linux"):
        return None
    if not _forks:
        _forks.append(Forks())
    return _forks[0]


def _of_a_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(_OF_A_START)}


def _pipe(theirs: contextlib.ExitStack, ours: int) -> tuple[int, int]:
    """The end of a new pipe that is ours, and the other, which is closed with what is theirs."""
    ends = os.pipe()
    theirs.callback(os.close, ends[1 - ours])
    return ends[ours], ends[1 - ours]


def _write(fd: int, data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError), os.fdopen(fd, "wb") as stream:
        stream.write(data)


def _read(fd: int) -> bytes:
    if fd < 0:
        return b""
    with os.fdopen(fd, "rb") as stream:
        return stream.read()


def _serve(connection: socket.socket) -> None:
    """Fork for each message; returns in the fork, and in the parent once nobody sends any more."""
    while True:
        message, streams, _, _ = socket.recv_fds(connection, _MESSAGE, 3)
        if not message:
            return
        pid = os.fork()
        if not pid:
            connection.close()
            _become(json.loads(message), streams)
            return
        for fd in streams:
            os.close(fd)
        connection.send(str(pid).encode())
        connection.send(str(os.waitpid(pid, 0)[1]).encode())


def _become(message: dict[str, object], streams: list[int]) -> None:
    """Make of this process what a shell would have started."""
    for number, fd in enumerate(streams):
        os.dup2(fd, number)
        os.close(fd)
    os.chdir(str(message["cwd"]))
    os.environ.clear()
    os.environ.update(message["env"])  # type: ignore[call-overload]
    sys.orig_argv = [sys.executable, "-m", "marscore", *message["arguments"]]  # type: ignore[misc]
    sys.argv = ["marscore", *message["arguments"]]  # type: ignore[misc]
    sys.path[0] = os.fspath(Path.cwd())
    runpy.run_module("marscore", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    # In the order in which a run imports it, and as lean as there.
    importlib.import_module("marscore.cli.main")
    from marscore.adapters.imports import only_needed

    with only_needed():
        for name in _IMPORTED:
            importlib.import_module(name)
        with contextlib.suppress(ImportError):
            for name in _IMPORTED_WITH_CURL:
                importlib.import_module(name)
    _serve(socket.socket(fileno=int(sys.argv[1])))
