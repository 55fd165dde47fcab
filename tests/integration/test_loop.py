"""The worker, whose one thread owns all that changes, with libcurl: what a run has to do right, tried from outside."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from tests.disk import contradictions, wrong_in
from tests.integration.command import LIMIT_S, fetch, marscore, read_report, started, write
from tests.integration.test_interrupt_and_resume import wait_until
from tests.origin import Body, Good, Origin, Status, busy, redirect
from tests.servers import Tls

pytest.importorskip("pycurl", reason="pycurl has no wheel for this system")

MIB = 1024 * 1024
SMALL = {f"{n}.bin": Body(2000 + 531 * n, seed=n) for n in range(60)}
LARGE = {"large.bin": Body(13 * MIB + 17, seed=99)}


def served(origin: Origin, bodies: dict[str, Body]) -> list[object]:
    return [{"url": origin.serve(f"/{name}", body), "checksum": f"sha256:{body.sha256}"} for name, body in bodies.items()]


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_files_of_all_sizes_come_right_with_one_request_a_small_file(tmp_path: Path, tls: Tls, processes: int, scheme: str) -> None:
    with Origin(tls=tls.server_context() if scheme == "https" else None) as origin:
        bodies = SMALL | LARGE
        more = {"execution": {"processes": processes}, "defaults": {"verify": str(tls.authority)}}
        run = fetch(tmp_path, *served(origin, bodies), **more)
        assert run.code == 0, run.err
        assert wrong_in(tmp_path / "data", bodies) == []
        assert {name: len(origin.requests_for(f"/{name}")) for name in SMALL} == dict.fromkeys(SMALL, 1)
        assert run.partials() == []
        assert marscore("run", "downloads.yaml", cwd=tmp_path).report["totals"]["up_to_date"] == len(bodies)


def test_faults_are_retried_redirects_followed_and_what_is_not_there_fails(origin: Origin, tmp_path: Path) -> None:
    cut, moved, late = Body(300_000, seed=1), Body(70_000, seed=2), Body(5000, seed=3)
    origin.serve("/there.bin", moved)
    origin.handle("/moved.bin", lambda seen: redirect("/there.bin"))
    urls = [
        origin.serve("/cut.bin", cut, [Good(cut_after=100_000), Good()]),
        origin.url("/moved.bin"),
        origin.serve("/late.bin", late, [busy(503), Good()]),
        origin.script("/gone.bin", [Status(404)]),
    ]
    run = fetch(tmp_path, *urls)
    assert run.code == 1
    assert [entry["status"] for entry in run.report["downloads"]] == ["downloaded", "downloaded", "downloaded", "failed"]
    assert wrong_in(tmp_path / "data", {"cut.bin": cut, "moved.bin": moved, "late.bin": late}) == []
    # What came before the cut was not asked for again.
    assert run.entry()["bytes_downloaded"] < cut.length + 50_000


@pytest.mark.parametrize("processes", [1, 2])
def test_a_signal_stops_at_once_and_the_next_run_resumes(origin: Origin, tmp_path: Path, processes: int) -> None:
    body = Body(40 * MIB, seed=9)
    url = origin.serve("/a.bin", body, [Good(stall_after=9 * MIB, stall_s=60)])
    manifest = write(tmp_path, [{"url": url, "threads": 1}, origin.serve("/b.bin", Body(10))], execution={"processes": processes})
    process = started("run", manifest, cwd=tmp_path, stderr=subprocess.DEVNULL)
    part = tmp_path / "data" / ".marscore" / "partial"
    wait_until(lambda: any(file.read_bytes().count(b"\n") >= 3 for file in part.glob("*.journal")), "two pieces")
    process.send_signal(signal.SIGTERM)
    assert process.wait(LIMIT_S) == 143
    report = read_report(tmp_path / "data")
    assert report["status"] == "interrupted"
    assert not contradictions(tmp_path / "data", report)
    origin.serve("/a.bin", body)
    again = marscore("run", manifest, cwd=tmp_path)
    assert again.code == 0, again.err
    assert again.entry()["bytes_resumed"] >= 8 * MIB
    assert wrong_in(again.folder, {"a.bin": body}) == []


def test_max_rate_is_kept_and_a_mirror_takes_over(origin: Origin, tmp_path: Path) -> None:
    body = Body(2 * MIB, seed=5)
    url = origin.script("/a.bin", [Status(500)])
    entry = {"url": url, "mirrors": [origin.serve("/mirror.bin", body)], "path": "a.bin", "checksum": f"sha256:{body.sha256}"}
    run = fetch(tmp_path, entry, execution={"max_rate": "1MiB"}, defaults={"retry": {"max_retries": 0}})
    assert run.code == 0, run.err
    assert run.report["duration_s"] > 1
    assert wrong_in(tmp_path / "data", {"a.bin": body}) == []
