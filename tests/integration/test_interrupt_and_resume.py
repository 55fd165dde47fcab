"""A run that is told to stop keeps what came, and the next one goes on from there."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest

from tests.disk import wrong_in
from tests.integration.command import LIMIT_S, Process, Run, marscore, read_report, started, write
from tests.origin import Body, Good, Origin

MIB = 1024 * 1024
BIG = Body(200 * MIB, seed=9)
#: Each connection brings so much at once and then nothing for longer than any test lasts: however late the signal comes, the run has not
#: ended by itself, and only one that is told to stop ends before the timeout of a read.
HELD = Good(rate=40 * MIB, stall_after=24 * MIB, stall_s=120)
#: It takes a fraction of a second; on a busy machine the process may have to wait for its turn. Half the default timeout of a read.
STOP_S = 15


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Wait for something that another process does; fails by name after a while."""
    until = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < until, f"waited for: {what}"
        time.sleep(0.02)


def start(folder: Path, manifest: str) -> Process:
    return started("run", manifest, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end(folder: Path, process: Process) -> Run:
    out, err = process.communicate(timeout=LIMIT_S)
    return Run(process.returncode, out, err, folder / "data", read_report(folder / "data"))


def bytes_in(partial: Path) -> int:
    """What was written of the partial files, whatever space is reserved for them; they may go while this looks at them."""
    held = 0
    for path in partial.glob("*.part"):
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            held += sum(_runs(file.fileno()))
    return held


def _runs(fd: int) -> Iterator[int]:
    """The lengths of a file's runs of data between its holes."""
    position = 0
    # The end of the file is an error of its own: there is no data behind it.
    with contextlib.suppress(OSError):
        while True:
            start = os.lseek(fd, position, os.SEEK_DATA)
            position = os.lseek(fd, start, os.SEEK_HOLE)
            yield position - start


def stop_midway(folder: Path, manifest: str, number: int, received: int = 20 * MIB) -> tuple[Run, float]:
    """Run until so many bytes are on disk, send a signal, and return how the run ended and how long that took."""
    process = start(folder, manifest)
    partial = folder / "data" / ".marscore" / "partial"
    wait_until(lambda: bytes_in(partial) >= received, "bytes on disk")
    told = time.monotonic()
    process.send_signal(number)
    run = end(folder, process)
    return run, time.monotonic() - told


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("processes", [1, 2])
def test_a_signal_stops_at_once_and_the_next_run_resumes(origin: Origin, tmp_path: Path, number: int, code: int, processes: int) -> None:
    urls = [origin.serve("/big.bin", BIG, [HELD]), origin.serve("/small.bin", Body(10))]
    manifest = write(tmp_path, urls, execution={"processes": processes})
    run, seconds = stop_midway(tmp_path, manifest, number)
    assert run.code == code
    assert seconds < STOP_S
    assert run.report["status"] == "interrupted"
    assert run.entry()["status"] == "interrupted"
    assert run.entry()["error"]["kind"] == "interrupted"
    assert not (run.folder / "big.bin").exists()

    origin.serve("/big.bin", BIG)
    again = marscore("run", manifest, cwd=tmp_path)
    assert again.code == 0
    entry = again.entry()
    # On a machine that is so busy that its disk counts as slow, the piece that a helper is writing is not recorded.
    assert entry["bytes_resumed"] >= 16 * MIB
    # A connection whose range was shared has what one turn received behind its new end when it is closed.
    assert entry["bytes_resumed"] + entry["bytes_downloaded"] < BIG.length + entry["segments"] * 3 * MIB // 2
    [resumed] = again.events("download_resumed")
    assert resumed["bytes_resumed"] == entry["bytes_resumed"]
    assert hashlib.sha256(again.data("big.bin")).hexdigest() == BIG.sha256
    assert again.partials() == []


@pytest.mark.parametrize("length", ["true", "chunked", "none"])
def test_a_stop_between_two_reads_is_no_end_of_the_body(origin: Origin, tmp_path: Path, length: Literal["true", "chunked", "none"]) -> None:
    body = Body(40 * MIB, seed=12)
    url = origin.serve("/a.bin", body, [Good(length=length)])
    # The limit makes the run wait between two reads nearly all of its time.
    run, _ = stop_midway(tmp_path, write(tmp_path, [url], execution={"max_rate": "1MiB"}), signal.SIGINT, MIB // 2)
    assert run.code == 130
    assert (run.entry()["status"], run.entry()["retries"]) == ("interrupted", [])
    assert not (run.folder / "a.bin").exists()
    again = marscore("run", write(tmp_path, [url]), cwd=tmp_path)
    assert again.code == 0
    assert again.data("a.bin") == body.read(0, body.length)


def test_resume_asks_with_the_validator_and_only_for_what_is_missing(origin: Origin, tmp_path: Path) -> None:
    manifest = write(tmp_path, [origin.serve("/big.bin", BIG, [HELD])], defaults={"threads": 1})
    stop_midway(tmp_path, manifest, signal.SIGINT)
    before = len(origin.requests)
    origin.serve("/big.bin", BIG)
    again = marscore("run", manifest, cwd=tmp_path)
    request = origin.requests[before]
    assert request.fields["if-range"] == '"v1"'
    assert request.fields["range"] == f"bytes={again.entry()['bytes_resumed']}-{BIG.length - 1}"


def test_a_file_that_changed_meanwhile_starts_over_and_the_log_says_so(origin: Origin, tmp_path: Path) -> None:
    manifest = write(tmp_path, [origin.serve("/big.bin", BIG, [HELD])])
    stop_midway(tmp_path, manifest, signal.SIGINT)
    new = Body(3 * MIB, seed=10, etag='"v2"', last_modified="Tue, 07 Jul 2026 10:00:00 GMT")
    origin.serve("/big.bin", new)
    again = marscore("run", manifest, cwd=tmp_path)
    assert again.code == 0
    assert again.data("big.bin") == new.read(0, new.length)
    [discarded] = again.events("resume_discarded")
    assert "changed" in discarded["reason"]
    assert again.entry()["bytes_resumed"] == 0


def test_damaged_pieces_are_fetched_again_and_the_others_are_kept(origin: Origin, tmp_path: Path) -> None:
    manifest = write(tmp_path, [origin.serve("/big.bin", BIG, [HELD])])
    stop_midway(tmp_path, manifest, signal.SIGINT)
    [part] = (tmp_path / "data" / ".marscore" / "partial").glob("*.part")
    with part.open("r+b") as file:
        file.seek(MIB)
        file.write(b"damage")
    origin.serve("/big.bin", BIG)
    again = marscore("run", manifest, cwd=tmp_path)
    assert again.code == 0
    assert hashlib.sha256(again.data("big.bin")).hexdigest() == BIG.sha256
    assert 0 < again.events("resume_discarded")[0]["bytes_discarded"] <= 4 * MIB
    assert again.entry()["bytes_resumed"] >= 8 * MIB


@pytest.mark.parametrize("processes", [1, 2])
def test_kill_9_costs_at_most_a_piece_for_each_connection(origin: Origin, tmp_path: Path, processes: int) -> None:
    urls = [
        origin.serve("/big.bin", BIG, [HELD]),
        origin.serve("/other.bin", Body(30 * MIB, seed=11), [Good(rate=20 * MIB)]),
    ]
    manifest = write(tmp_path, urls, execution={"processes": processes}, defaults={"threads": 2})
    run, _ = stop_midway(tmp_path, manifest, signal.SIGKILL, 40 * MIB)
    assert run.code == -signal.SIGKILL
    wait_until(lambda: origin.open_connections == 0, "children that notice that their parent is gone")
    on_disk = bytes_in(tmp_path / "data" / ".marscore" / "partial")
    origin.serve("/big.bin", BIG)
    again = marscore("run", manifest, cwd=tmp_path)
    assert again.code == 0
    assert again.report["totals"]["bytes_resumed"] >= on_disk - 4 * 4 * MIB - MIB
    assert hashlib.sha256(again.data("big.bin")).hexdigest() == BIG.sha256


def test_a_second_run_on_the_same_folder_is_refused_and_names_the_first(origin: Origin, tmp_path: Path) -> None:
    manifest = write(tmp_path, [origin.serve("/big.bin", BIG, [Good(rate=MIB)])])
    process = start(tmp_path, manifest)
    try:
        wait_until(lambda: (tmp_path / "data" / ".marscore" / "lock.pid").exists(), "the lock")
        wait_until(lambda: bool(origin.requests), "a request")
        second = marscore("run", manifest, cwd=tmp_path)
        assert second.code == 3
        assert f"pid {process.pid}" in second.err
    finally:
        process.kill()
        process.communicate()
    assert (tmp_path / "data" / ".marscore" / "lock.pid").exists()
    origin.serve("/big.bin", Body(10))
    assert marscore("run", manifest, cwd=tmp_path).code == 0


@pytest.mark.parametrize("apart_s", [0, 0.001, 0.005])
def test_a_signal_that_is_told_twice_is_one(origin: Origin, tmp_path: Path, apart_s: float) -> None:
    """As by GNU timeout, which sends it to the process and to its group."""
    process = start(tmp_path, write(tmp_path, [origin.serve("/big.bin", BIG, [Good(stall_after=1, stall_s=20)])]))
    wait_until(lambda: bool(origin.requests), "a request")
    process.send_signal(signal.SIGTERM)
    time.sleep(apart_s)
    process.send_signal(signal.SIGTERM)
    run = end(tmp_path, process)
    assert (run.code, run.report["status"]) == (143, "interrupted")
    assert "interrupted: 0 of 1 file is in place" in run.err


def test_the_second_signal_ends_at_once(origin: Origin, tmp_path: Path) -> None:
    process = start(tmp_path, write(tmp_path, [origin.serve("/big.bin", BIG, [Good(stall_after=1, stall_s=20)])]))
    wait_until(lambda: bool(origin.requests), "a request")
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    assert end(tmp_path, process).code in (130, 143)


def dials(port: int) -> int:
    """How many connections to a port of this machine are being dialled."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(line.split()[2].endswith(f":{port:04X}") and line.split()[3] == "02" for line in lines)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="dials are told by /proc, which Linux has")
def test_a_dial_that_hangs_holds_up_no_stop(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        # A queue that is full drops whoever dials.
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
        before = dials(port)
        process = start(tmp_path, write(tmp_path, [f"http://127.0.0.1:{port}/a.bin"], execution={"processes": 1}))
        wait_until(lambda: dials(port) > before, "a dial")
        told = time.monotonic()
        process.send_signal(signal.SIGTERM)
        run = end(tmp_path, process)
        assert time.monotonic() - told < STOP_S
        assert (run.code, run.entry()["status"]) == (143, "interrupted")
        for each in waiting:
            each.close()


@pytest.mark.parametrize("processes", [1, 2])
def test_an_output_folder_that_is_renamed_during_a_run_gets_nothing_of_it_any_more(origin: Origin, tmp_path: Path, processes: int) -> None:
    first, second = Body(40 * MIB, seed=12), Body(40 * MIB, seed=13)
    go_on = threading.Event()
    held = Good(rate=40 * MIB, stall_after=10 * MIB, stall_s=60, until=go_on)
    urls = [origin.serve("/a.bin", first, [held]), *(origin.serve(f"/{n}.bin", Body(500, seed=n), [held]) for n in range(20))]
    manifest = write(tmp_path, urls, execution={"processes": processes}, defaults={"threads": 1})
    process = start(tmp_path, manifest)
    wait_until(lambda: bytes_in(tmp_path / "data" / ".marscore" / "partial") >= 4 * MIB, "bytes on disk")
    (tmp_path / "data").rename(tmp_path / "moved")
    origin.serve("/a.bin", second, [Good(rate=20 * MIB)])
    other = start(tmp_path, write(tmp_path, urls[:1]))
    wait_until(lambda: bytes_in(tmp_path / "data" / ".marscore" / "partial") >= MIB, "bytes of the second run")
    go_on.set()
    assert process.wait(LIMIT_S) == 3
    run = end(tmp_path, other)
    assert run.code == 0
    assert wrong_in(run.folder, {"a.bin": second}) == []
    assert run.entry()["checksum"] == f"sha256:{second.sha256}"
    assert not (tmp_path / "moved" / "a.bin").exists()
    for stream in (process.stdout, process.stderr):
        assert stream
        stream.close()
