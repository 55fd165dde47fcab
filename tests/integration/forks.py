"""Starts the command in forks of an interpreter that has imported it already: to import it is most of what a short run takes.

    marscore() --arguments, folder, environment, four descriptors--> this program --fork--> `python -m marscore`, from its first line on
               <--process id, then how it ended, through the fourth--

What a fork has of its parent are the imported modules and nothing else: it gets its own folder, environment, standard streams and
arguments, and there is no thread, no open file and no manifest before it forks. Whatever is read when an interpreter starts is told
apart by `fits`: such a run, one with a terminal as a stream, and any where `MARSCORE_LONG` is set, is started afresh. A shell gets a
program that asks for a fork too, by `in_front`.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TypeAlias

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
#: Characters of a process id, as it is told.
_PID = 12
#: A stream: as for subprocess.Popen.
Stream: TypeAlias = "int | IO[Any] | None"


#: What a shell calls: an interpreter that imports next to nothing, and has its own streams and folder be the fork's.
_CLIENT = """#!{python} -IS
import json, os, socket, sys
told, tell = os.pipe()
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
    connection.connect({place!r})
    message = json.dumps({{"arguments": sys.argv[1:], "cwd": os.getcwd(), "env": dict(os.environ)}})
    socket.send_fds(connection, [message.encode()], [0, 1, 2, tell])
os.close(tell)
os.read(told, {pid})
code = os.waitstatus_to_exitcode(int(os.read(told, 99)))
os._exit(code if code >= 0 else 128 - code)
"""


class Started:
    """A run that goes on in a fork, with what tests use of subprocess.Popen."""

    def __init__(self, arguments: Sequence[str], told: int, streams: Sequence[IO[Any] | None]) -> None:
        self.args = [*arguments]
        self.stdin, self.stdout, self.stderr = streams
        self.returncode: int | None = None
        self._told = told
        self.pid = int(os.read(told, _PID))

    def poll(self) -> int | None:
        """The exit code, once it is over."""
        return self._heard(0)

    def wait(self, timeout: float | None = None) -> int:
        """The same, waiting for it.

        Raises:
            subprocess.TimeoutExpired: it is not over in time.
        """
        if self._heard(timeout) is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        assert self.returncode is not None
        return self.returncode

    def _heard(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._told], [], [], timeout)[0]:
            self.returncode = os.waitstatus_to_exitcode(int(os.read(self._told, _MESSAGE)))
            os.close(self._told)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it is over."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send it SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send it SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, given: bytes = b"", timeout: float | None = None) -> tuple[Any, Any]:
        """Write to it, read to the ends of its streams, and wait for its own; returns what came, None of a stream that is no pipe.

        Raises:
            subprocess.TimeoutExpired: it is not over in time.
        """
        until = None if timeout is None else time.monotonic() + timeout
        read: dict[IO[Any], Any] = {}
        threads = [threading.Thread(target=_read, args=(each, read), daemon=True) for each in (self.stdout, self.stderr) if each]
        if self.stdin:
            threads.append(threading.Thread(target=_write, args=(self.stdin, given), daemon=True))
        for thread in threads:
            thread.start()
        self.wait(timeout)
        for thread in threads:
            thread.join(None if until is None else max(0.0, until - time.monotonic()))
            if thread.is_alive():
                # Somebody whom it started holds its streams.
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
        out, err = (None if stream is None else read[stream] for stream in (self.stdout, self.stderr))
        return out, err

    def __enter__(self) -> Started:
        return self

    def __exit__(self, *of_an_error: object) -> None:
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream:
                stream.close()
        self.wait()


class Forks:
    """The parent of the forks, as a test process holds it."""

    def __init__(self) -> None:
        self._connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._environment = dict(os.environ)
        self._folder = tempfile.TemporaryDirectory(prefix="marscore-forks-")
        root = Path(__file__).parents[2]
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(self._place)
        listener.listen()
        given = [theirs.fileno(), listener.fileno()]
        line = [sys.executable, "-m", "tests.integration.forks", *map(str, given)]
        # Pipes, as those of a run are: what Python makes of a standard stream depends on what it is.
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self._process = subprocess.Popen(line, cwd=root, pass_fds=given, **pipes)  # type: ignore[call-overload]
        theirs.close()
        listener.close()
        atexit.register(self.close)

    @property
    def _place(self) -> str:
        return f"{self._folder.name}/socket"

    def in_front(self) -> str:
        """A folder with a program `marscore` that runs in a fork, whatever the environment."""
        program = Path(self._folder.name, "marscore")
        if not program.exists():
            program.write_text(_CLIENT.format(python=sys.executable, place=self._place, pid=_PID))
            program.chmod(0o755)
        return self._folder.name

    def fits(self, environment: Mapping[str, str]) -> bool:
        """Whether an interpreter in this environment starts as the parent of the forks did."""
        return _of_a_start(environment) == _of_a_start(self._environment)

    def start(self, arguments: Sequence[str], cwd: Path, env: Mapping[str, str], streams: Sequence[Stream], text: bool) -> Started:
        """What `subprocess.Popen` does; standard input, output and error are each None, a file, subprocess.PIPE or subprocess.DEVNULL.

        What comes out is read as text where that is wanted.
        """
        message = json.dumps({"arguments": [*arguments], "cwd": os.fspath(cwd), "env": dict(env)})
        told, tell = os.pipe()
        with contextlib.ExitStack() as theirs:
            theirs.callback(os.close, tell)
            ends = [_end(theirs, number, stream, text) for number, stream in enumerate(streams)]
            socket.send_fds(self._connection, [message.encode()], [*(fd for _, fd in ends), tell])
        return Started(arguments, told, [ours for ours, _ in ends])

    def close(self) -> None:
        """End the parent of the forks."""
        self._connection.close()
        self._process.communicate()
        self._folder.cleanup()


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


def _end(theirs: contextlib.ExitStack, number: int, stream: Stream, text: bool) -> tuple[IO[Any] | None, int]:
    """What a standard stream is here, if it is a pipe, and there; what was opened for it is closed with what is theirs."""
    if stream == subprocess.PIPE:
        ends = os.pipe()
        ours, fd = (ends[1], ends[0]) if number == 0 else ends
        theirs.callback(os.close, fd)
        return os.fdopen(ours, "wb" if number == 0 else "r" if text else "rb"), fd
    if stream == subprocess.DEVNULL:
        fd = os.open(os.devnull, os.O_RDWR)
        theirs.callback(os.close, fd)
        return None, fd
    if stream is None:
        return None, number
    return None, stream if isinstance(stream, int) else stream.fileno()


def _write(stream: IO[Any], data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError), stream:
        stream.write(data)


def _read(stream: IO[Any], into: dict[IO[Any], Any]) -> None:
    with stream:
        into[stream] = stream.read()


def _serve(connection: socket.socket, listener: socket.socket) -> None:
    """Fork for each message, and tell of each fork's end; returns in the fork, and in the parent once nobody sends any more."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(wake)
    running: dict[int, int] = {}
    while True:
        asked = select.select([connection.fileno(), listener.fileno(), woken], [], [])[0]
        if woken in asked:
            os.read(woken, _MESSAGE)
            _bury(running)
            continue
        client = connection if connection.fileno() in asked else listener.accept()[0]
        message, fds, _, _ = socket.recv_fds(client, _MESSAGE, 4)
        if client is not connection:
            client.close()
        elif not message:
            return
        *streams, tell = fds
        pid = os.fork()
        if not pid:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            connection.close()
            listener.close()
            for fd in (woken, wake, tell, *running.values()):
                os.close(fd)
            _become(json.loads(message), streams)
            return
        running[pid] = tell
        for fd in streams:
            os.close(fd)
        os.write(tell, f"{pid:{_PID}}".encode())


def _bury(running: dict[int, int]) -> None:
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        tell = running.pop(pid)
        # Nobody may want to know any more.
        with contextlib.suppress(BrokenPipeError):
            os.write(tell, str(status).encode())
        os.close(tell)


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
    gc.collect()
    gc.freeze()
    _serve(*(socket.socket(fileno=int(fd)) for fd in sys.argv[1:]))
