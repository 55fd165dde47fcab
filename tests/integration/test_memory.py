"""buffer_size bounds what a file holds in memory, whatever its size."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from marscore.ports import Exchange, Request
from marscore.url import parse_url
from marscore.values import Access
from tests.integration.command import command, environment, read_report, write
from tests.origin import Origin
from tests.servers import Nginx

MIB = 1024 * 1024
GIB = 1024 * MIB

#: Runs the command after it and prints the peak of its resident memory in KiB.
_PEAK = (
    "import resource, subprocess, sys\n"
    "code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode\n"
    "print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
)


def peak_of(folder: Path, url: str, **execution: object) -> int:
    """The peak memory, in bytes, of a run that fetches one file."""
    manifest = write(folder, [url], execution={"processes": 1, **execution})
    run = [sys.executable, "-c", _PEAK, *command("run", manifest)]
    done = subprocess.run(run, cwd=folder, env=environment(), capture_output=True, text=True, timeout=120, check=True)
    code, peak = map(int, done.stdout.split())
    assert code == 0
    return peak * (1024 if sys.platform != "darwin" else 1)


@pytest.mark.skipif(not hasattr(resource, "getrusage"), reason="this system does not tell the peak of a process")
def test_a_file_of_1_gib_needs_no_more_memory_than_one_of_1_mib(web: Nginx, tmp_path: Path) -> None:
    for name, size in (("one.bin", MIB), ("gib.bin", GIB)):
        with (web.root / name).open("wb") as file:
            # Sparse: the server reads zeros, and the disk holds nothing.
            file.truncate(size)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    small = peak_of(tmp_path / "a", web.url("one.bin"), buffer_size="10MiB")
    large = peak_of(tmp_path / "b", web.url("gib.bin"), buffer_size="10MiB")
    assert read_report(tmp_path / "b" / "data")["downloads"][0]["size"] == GIB
    (tmp_path / "b" / "data" / "gib.bin").unlink()
    # What is held is about buffer_size at most; the rest of the margin is what four threads and their sockets need of the allocator.
    assert large - small < 10 * MIB + 16 * MIB


@pytest.mark.parametrize("at_once", [512 * 1024, 4 * MIB])
def test_a_turn_brings_no_more_of_an_exchange_than_it_asks_for(web: Nginx, at_once: int) -> None:
    """A loop that was kept from its sockets finds them full, by as much as the kernel's windows have grown to."""
    module = pytest.importorskip("marscore.adapters.http.curl_transport")
    with (web.root / "large.bin").open("wb") as file:
        file.truncate(64 * MIB)
    transport = module.CurlTransport(4)
    try:
        request = Request(parse_url(web.url("large.bin")), Access())
        exchanges = [Exchange(request, at_once=at_once) for _ in range(4)]
        for exchange in exchanges:
            transport.start(exchange)
        received, most = 0, 0
        while not all(exchange.over for exchange in exchanges):
            transport.turn(time.monotonic() + 1)
            for exchange in exchanges:
                count = sum(map(len, exchange.chunks))
                exchange.chunks.clear()
                received, most = received + count, max(most, count)
            time.sleep(0.01)
        assert received == 4 * 64 * MIB
        # What is taken in before it counts as much is a MiB, over all.
        assert at_once / 16 < most <= at_once + MIB
    finally:
        transport.close()


def test_a_run_without_memory_for_its_summary_ends_as_its_report_says(tmp_path: Path, origin: Origin) -> None:
    """What reads failures is loaded where there are some; a loader without memory for it raises ImportError."""
    (tmp_path / "missing").mkdir()
    (tmp_path / "missing" / "pydantic.py").write_text("raise ImportError('_core.so: failed to map segment from shared object')\n")
    write(tmp_path, [origin.url("/none.bin")])
    surroundings = environment({"PYTHONPATH": str(tmp_path / "missing"), "PYTHONSAFEPATH": ""})
    done = subprocess.run(command("run", "downloads.yaml"), cwd=tmp_path, env=surroundings, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert read_report(tmp_path / "data")["exit_code"] == 1
    assert done.stderr.endswith("marscore: the system gives too little memory\n")
