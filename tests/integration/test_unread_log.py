"""A log that nobody reads: its pipe is full, its terminal is stopped, and the run goes on and hears its signals."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.disk import contradictions, wrong_in
from tests.integration.command import LIMIT_S, command, environment, read_report, write
from tests.integration.test_interrupt_and_resume import wait_until
from tests.long import ALL, some
from tests.origin import Body, Good, Origin

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pipes by name and pseudo-terminals are POSIX")

#: Their lines, with a name as long as this, are several times what a pipe holds.
MANY = 300
LONG = "x" * 500
BODIES = {f"{n}.bin": Body(100 + n, seed=n) for n in range(MANY)}
#: A signal has to end a run within two seconds; a busy machine gets a few more.
STOP_S = 8
#: What has a log or progress that may be unread, by the name of the output.
OUTPUTS = {
    "stderr": (),
    "file": ("--log-file", "unread"),
    "stdout": ("--log-file", "-"),
    "progress": ("--progress", "plain", "--log-level", "debug"),
    "terminal": (),
}


def serve(origin: Origin, folder: Path, processes: int, slow: bool) -> str:
    """Serve many small files, and one that takes long to come if that is wanted."""
    origin.handle_rest(lambda seen: Good(BODIES[seen.path.rpartition("/")[2]]))
    downloads: list[object] = [{"url": origin.url(f"/{LONG}/{name}"), "path": name} for name in BODIES]
    if slow:
        downloads.append({"url": origin.serve("/slow.bin", Body(4_000_000, seed=7), [Good(rate=100_000)] * 9), "threads": 1})
    return write(folder, downloads, execution={"processes": processes})


@contextlib.contextmanager
def unread(folder: Path, output: str, *line: str) -> Iterator[subprocess.Popen[bytes]]:
    """A run of which nobody reads this output, though it stays open."""
    reading, writing = os.openpty() if output == "terminal" else os.pipe()
    os.mkfifo(folder / "unread")
    by_name = os.open(folder / "unread", os.O_RDONLY | os.O_NONBLOCK)
    streams = {"stderr": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    if output != "file":
        streams["stdout" if output == "stdout" else "stderr"] = writing
    try:
        process = subprocess.Popen(command(*line), cwd=folder, env=environment({"TERM": "xterm"}), stdin=subprocess.DEVNULL, **streams)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
                process.wait(LIMIT_S)
    finally:
        for descriptor in (reading, writing, by_name):
            os.close(descriptor)


def all_in_place(folder: Path) -> bool:
    return len(list((folder / "data").glob("*.bin"))) >= MANY


@pytest.mark.parametrize(
    ("output", "processes"),
    some({f"{o}-{n}": (o, n) for o in OUTPUTS for n in (1, 2)}, "stderr-2", "file-1", "terminal-2").values(),
)
def test_the_first_signal_ends_a_run_whose_log_nobody_reads(origin: Origin, tmp_path: Path, output: str, processes: int) -> None:
    manifest = serve(origin, tmp_path, processes, slow=True)
    with unread(tmp_path, output, "run", manifest, *OUTPUTS[output]) as process:
        wait_until(lambda: all_in_place(tmp_path), "the small files")
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_S) == 128 + signal.SIGTERM
    report = read_report(tmp_path / "data")
    statuses = {entry["path"]: entry["status"] for entry in report["downloads"]}
    assert (report["status"], statuses.pop("slow.bin")) == ("interrupted", "interrupted")
    # A worker that has no time left to tell of the last files within the two seconds has put them in place: the next run proves them.
    assert set(statuses.values()) <= {"downloaded", "interrupted"}
    assert list(statuses.values()).count("downloaded") >= MANY // 2
    assert not contradictions(tmp_path / "data", report)


@pytest.mark.skipif(not ALL, reason="takes as long as a reader is waited for, twenty seconds")
@pytest.mark.parametrize("output", ["stderr", "terminal"])
def test_a_run_whose_log_nobody_reads_ends_by_itself(origin: Origin, tmp_path: Path, output: str) -> None:
    manifest = serve(origin, tmp_path, 1, slow=False)
    with unread(tmp_path, output, "run", manifest, *OUTPUTS[output]) as process:
        assert process.wait(LIMIT_S) == 0
    assert not wrong_in(tmp_path / "data", BODIES)
    assert read_report(tmp_path / "data")["status"] == "succeeded"


def test_a_report_that_nobody_reads_is_given_up_when_a_signal_comes(origin: Origin, tmp_path: Path) -> None:
    manifest = serve(origin, tmp_path, 1, slow=True)
    with unread(tmp_path, "stdout", "run", manifest, "--report", "-", "--log-file", "log") as process:
        wait_until(lambda: all_in_place(tmp_path), "the small files")
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_S) in (3, 128 + signal.SIGTERM)
