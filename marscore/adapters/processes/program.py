"""A program that the user names, run to its end: without a shell, in a process group of its own, told of every signal that we get."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from marscore.adapters.processes.program_output import program_output
from marscore.adapters.terminal.signals import Stop
from marscore.frozen import dataclass

#: Seconds that a program has to end once it was passed a signal.
_PATIENCE = 1.5
#: Seconds that the reader of our standard error has for what a program printed last; and where the run was told to stop.
_READING, _READING_AT_THE_END = 10.0, 0.5
#: Seconds between two looks at whether a signal came.
_LOOK_EVERY = 0.05


@dataclass(frozen=True, slots=True)
class ProgramEnded:
    """How it ended: `exit_code` is 128 + n after signal n, None where it could not be started; `problem` says so unless it is 0."""

    exit_code: int | None
    problem: str | None = None


def run_program(argv: Sequence[str], folder: Path, more: Mapping[str, str | None], stop: Stop) -> ProgramEnded:
    """Run a program in a folder, with these variables besides our own (without one that is None), and wait for it.

    Its standard input is empty, and what it prints goes to standard error, where its last line gets an end. A relative path to it is
    against the folder. A signal that we get is passed on to it and to what it started; it has a moment to end then. A KeyboardInterrupt
    counts as SIGINT, and is put into `stop`.
    """
    process: subprocess.Popen[bytes] | None = None
    output = program_output()
    try:
        try:
            process = _started(argv, folder, more, output.descriptor)
        finally:
            output.started()
        stop.before_exit = lambda: _send(process, _KILL)
        _wait(process, stop)
    except (OSError, ValueError) as error:
        return ProgramEnded(None, f"cannot be started: {getattr(error, 'strerror', None) or error}")
    except KeyboardInterrupt:
        # A program that uses us gets it in the end; a second one is its own affair.
        stop.signal = stop.signal or signal.SIGINT
        if process is not None:
            _end(process, signal.SIGINT)
    finally:
        stop.before_exit = None
        if process is not None and process.returncode is None:
            _send(process, _KILL)
            process.wait()
        output.end_line(_READING if stop.signal is None else _READING_AT_THE_END)
    return ProgramEnded(128 + signal.SIGINT) if process is None else _told(process.returncode)


def _started(argv: Sequence[str], folder: Path, more: Mapping[str, str | None], output: int) -> subprocess.Popen[bytes]:
    # As a shell has it: a name is looked for in PATH, a path is relative to where the program runs.
    program = argv[0] if Path(argv[0]).name == argv[0] else str(folder.absolute() / argv[0])
    return subprocess.Popen(  # noqa: S603 - the user's own program, and no shell
        [program, *argv[1:]],
        cwd=folder,
        env={name: value for name, value in {**os.environ, **more}.items() if value is not None},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        # Ctrl-C reaches it through us alone, and so does what ends all that it started.
        start_new_session=True,
    )


def _wait(process: subprocess.Popen[bytes], stop: Stop) -> None:
    while not _is_over(process, _LOOK_EVERY):
        if stop.signal is not None:
            _end(process, stop.signal)


def _end(process: subprocess.Popen[bytes], number: int) -> None:
    """Pass a signal on, and end what has not ended a moment later."""
    _send(process, number)
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        if _is_over(process, _LOOK_EVERY):
            return
    _send(process, _KILL)
    process.wait()


def _is_over(process: subprocess.Popen[bytes], seconds: float) -> bool:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
        return True
    return False


#: What no program can refuse.
_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)


def _send(process: subprocess.Popen[bytes] | None, number: int) -> None:
    """Send a signal to a program and what it started, unless it is over."""
    if process is None or process.returncode is not None:
        return
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, number)
        else:
            process.terminate()


def _told(returncode: int) -> ProgramEnded:
    if returncode == 0:
        return ProgramEnded(0)
    if returncode > 0:
        return ProgramEnded(returncode, f"ended with exit code {returncode}")
    try:
        name = signal.Signals(-returncode).name
    except ValueError:
        name = f"signal {-returncode}"
    return ProgramEnded(128 - returncode, f"was ended by {name}")
