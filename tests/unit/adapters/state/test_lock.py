"""One run per output folder, whatever became of the run before."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from marscore.adapters.state.lock import hold
from marscore.errors import StorageError
from tests.unprivileged import own_folder

HOLDER = """
import sys
from pathlib import Path
from marscore.adapters.state.lock import hold
with hold(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def held_elsewhere(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process holds the lock, until it is killed or its input ends."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process


def refusal(folder: Path) -> str:
    with pytest.raises(StorageError) as caught, hold(folder):
        pass
    return caught.value.failure.message


def test_a_second_run_is_refused_and_told_who_holds_the_folder_each_time(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path) as process:
        told = f"another run holds this output folder (pid {process.pid})"
        assert [refusal(tmp_path), refusal(tmp_path)] == [told, told]
    with hold(tmp_path):
        pass


def test_the_lock_of_a_killed_run_is_none(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path) as process:
        process.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
        process.wait()
    assert (tmp_path / "lock.pid").exists()
    with hold(tmp_path):
        assert (tmp_path / "lock.pid").read_text() == f"{os.getpid()}\n"
    assert not (tmp_path / "lock.pid").exists()


def test_two_runs_in_one_process_are_two_runs(tmp_path: Path) -> None:
    with hold(tmp_path):
        assert f"(pid {os.getpid()})" in refusal(tmp_path)
        assert (tmp_path / "lock.pid").exists()


@pytest.mark.parametrize("written", ["", "nobody\n", None])
def test_a_pid_that_cannot_be_read_is_not_named(tmp_path: Path, written: str | None) -> None:
    with hold(tmp_path):
        (tmp_path / "lock.pid").unlink()
        if written is not None:
            (tmp_path / "lock.pid").write_text(written)
        assert refusal(tmp_path) == "another run holds this output folder"


def test_a_failing_run_lets_go(tmp_path: Path) -> None:
    with pytest.raises(KeyError), hold(tmp_path):
        raise KeyError
    with hold(tmp_path):
        pass


def test_a_folder_that_may_not_be_written_is_named() -> None:
    with own_folder() as root:
        root.chmod(0o500)
        assert refusal(root).startswith("cannot lock the output folder")
        root.chmod(0o700)


WITH_A_WORKER = """
import subprocess, sys
from pathlib import Path
from marscore.adapters.state.lock import hold
with hold(Path(sys.argv[1])) as lock:
    worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], stdout=subprocess.DEVNULL, pass_fds=[lock.descriptor])
    print(worker.pid, flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(os.name != "posix", reason="descriptors are inherited on POSIX")
def test_a_worker_that_outlives_its_run_keeps_the_next_one_waiting_and_then_refused(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", WITH_A_WORKER, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        worker = int(run.stdout.readline())
        run.kill()
    try:
        with pytest.raises(StorageError) as caught, hold(tmp_path, outlive=0.1):
            pass
        assert "workers of an earlier run" in caught.value.failure.message
        began = time.monotonic()
        threading.Timer(0.2, os.kill, (worker, signal.SIGKILL)).start()
        with hold(tmp_path, outlive=30):
            assert time.monotonic() - began > 0.1
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)


@pytest.mark.skipif(os.name != "posix", reason="descriptors are inherited on POSIX")
def test_what_a_program_forked_during_a_run_holds_nothing_after_it(tmp_path: Path) -> None:
    with hold(tmp_path) as lock:
        assert lock.descriptor is not None
        copy = os.dup(lock.descriptor)
    try:
        with hold(tmp_path, outlive=0):
            pass
    finally:
        os.close(copy)


@pytest.mark.skipif(os.name != "posix", reason="descriptors are inherited on POSIX")
def test_a_run_that_leaves_workers_behind_leaves_the_lock_to_the_last_of_them(tmp_path: Path) -> None:
    with hold(tmp_path) as lock:
        assert lock.descriptor is not None
        worker = os.dup(lock.descriptor)
        lock.has_workers = True
    with pytest.raises(StorageError), hold(tmp_path, outlive=0):
        pass
    os.close(worker)
    with hold(tmp_path, outlive=0):
        pass


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_what_a_killed_run_had_forked_just_then_is_waited_for(tmp_path: Path) -> None:
    code = """
import os, sys, time
from pathlib import Path
from marscore.adapters.state.lock import hold
with hold(Path(sys.argv[1])):
    if os.fork() == 0:
        time.sleep(0.5)
        os._exit(0)
    print("held", flush=True)
    time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    process.kill()
    process.wait()
    with hold(tmp_path, outlive=30):
        assert (tmp_path / "lock.pid").read_text() == f"{os.getpid()}\n"
    process.stdout.close()


@pytest.mark.skipif(os.name != "posix", reason="descriptors as POSIX has them")
def test_a_lock_that_the_system_does_not_take_back_is_no_error(tmp_path: Path) -> None:
    lost = HOLDER.replace("sys.stdin.read()", "import os; os.closerange(3, 256)")
    done = subprocess.run([sys.executable, "-c", lost, tmp_path], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    with hold(tmp_path):
        pass
