"""Runs whose workers are those of a Dask cluster: a real scheduler, and workers that are processes of their own."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from marscore.resolve.streamed import BATCH, MOST
from tests.disk import contradictions, files_in, wrong_in
from tests.integration.command import command, environment, marscore
from tests.integration.test_interrupt_and_resume import wait_until
from tests.integration.test_machine_workers import children_of
from tests.integration.test_slow_workers import all_were_fetched_once, one_holds_up_others
from tests.integration.test_standing_workers import BODIES, LONG, end, placed, run_of
from tests.origin import Body, Good, Origin, Seen, Status, Step
from tests.servers.dask import Dask, dask

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="children are found in /proc, which Linux has")

#: Seconds that a signal, or the end of the scheduler, may take to end a run on a busy machine.
STOP_S = 20
SECRET = "Bearer-of-a-value-that-nobody-else-has"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Dask]:
    with dask(tmp_path / "dask", 3, environment()) as running:
        yield running


def engine(cluster: Dask) -> list[str]:
    return ["--engine", "dask", "--engine-address", cluster.address]


def serve_slowly(origin: Origin, folder: Path) -> str:
    """Serve many small files, each after a while, so that there is a middle of the run; all workers are used."""
    origin.handle_rest(lambda seen: Good(BODIES[seen.path.rpartition("/")[2]], delay_s=0.05))
    downloads = [{"url": origin.url(f"/{LONG}/{name}"), "path": name} for name in BODIES]
    (folder / "downloads.yaml").write_text(json.dumps({"version": 1, "output_dir": "data", "downloads": downloads}))
    return "downloads.yaml"


def left_of_workers(folder: Path) -> list[Path]:
    return [path for path in (folder / ".marscore").rglob("*") if "workers" in path.parts or "partial" in path.parts]


def test_every_file_comes_once_though_a_worker_is_killed_midway(origin: Origin, tmp_path: Path, cluster: Dask) -> None:
    process = run_of(tmp_path, *command("run", serve_slowly(origin, tmp_path), *engine(cluster)))
    wait_until(lambda: placed(tmp_path) >= 300, "files")
    cluster.workers[0].kill()
    run = end(tmp_path, process)
    assert run.code == 0, run.err[-2000:]
    assert [entry["status"] for entry in run.report["downloads"]] == ["downloaded"] * len(BODIES)
    assert contradictions(run.folder, run.report) == []
    assert wrong_in(run.folder, BODIES) == []
    assert sorted(files_in(run.folder)) == sorted(BODIES)
    assert left_of_workers(run.folder) == []
    assert any("go to another" in event["message"] for event in run.events("warned"))
    # What was in place, as far as it was told, was not fetched again.
    assert len(origin.requests) < len(BODIES) + 400


def test_a_scheduler_that_dies_ends_the_run_by_name(origin: Origin, tmp_path: Path, cluster: Dask) -> None:
    process = run_of(tmp_path, *command("run", serve_slowly(origin, tmp_path), *engine(cluster)))
    wait_until(lambda: placed(tmp_path) >= 100, "files")
    assert cluster.scheduler is not None
    cluster.scheduler.kill()
    killed = time.monotonic()
    run = end(tmp_path, process)
    assert time.monotonic() - killed < STOP_S
    assert run.code == 3, run.err[-2000:]
    assert f"the Dask scheduler at {cluster.address} is gone" in run.err
    assert "Traceback" not in run.err
    assert contradictions(run.folder, run.report) == []
    assert wrong_in(run.folder, BODIES, all_there=False) == []
    # Nobody writes there any more, and the next run goes on.
    again = marscore("run", "downloads.yaml", cwd=tmp_path)
    assert again.code == 0
    assert again.report["totals"]["up_to_date"] > 0
    assert left_of_workers(run.folder) == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_in_order(origin: Origin, tmp_path: Path, cluster: Dask, number: signal.Signals, code: int) -> None:
    big = Body(64 * 1024 * 1024, seed=7)
    origin.serve("/big", big, [Good(rate=8 * 1024 * 1024)] * 50)
    url = origin.url("/big")
    (tmp_path / "downloads.yaml").write_text(f"version: 1\noutput_dir: data\ndownloads: [{{url: '{url}', path: big}}]\n")
    process = run_of(tmp_path, *command("run", "downloads.yaml", *engine(cluster)))
    wait_until(lambda: any(path.stat().st_size for path in (tmp_path / "data").rglob("*.journal")), "pieces")
    process.send_signal(number)
    told = time.monotonic()
    run = end(tmp_path, process)
    assert time.monotonic() - told < STOP_S
    assert run.code == code, run.err[-2000:]
    assert run.report["downloads"][0]["status"] == "interrupted"
    assert not (run.folder / ".marscore" / "workers").exists()
    # What came is kept, and resumed by a run on this machine.
    origin.serve("/big", big)
    again = marscore("run", "downloads.yaml", cwd=tmp_path)
    assert again.code == 0
    assert again.report["totals"]["bytes_resumed"] > 0
    assert wrong_in(run.folder, {"big": big}) == []


def test_a_scheduler_that_is_not_there_is_named(tmp_path: Path, origin: Origin) -> None:
    pytest.importorskip("distributed")
    origin.serve("/a", Body(10))
    (tmp_path / "downloads.yaml").write_text(f"version: 1\noutput_dir: data\ndownloads: ['{origin.url('/a')}']\n")
    run = marscore("run", "downloads.yaml", "--engine", "dask", "--engine-address", "tcp://127.0.0.1:1", cwd=tmp_path)
    assert run.code == 3, run.err
    assert "cannot reach the Dask scheduler at tcp://127.0.0.1:1" in run.err
    assert "Traceback" not in run.err


def test_nothing_of_a_secret_is_in_the_logs_of_dask(origin: Origin, tmp_path: Path) -> None:
    told = {"DASK_LOGGING__DISTRIBUTED": "debug", "DASK_LOGGING__ROOT": "debug"}
    with dask(tmp_path / "dask", 2, environment(told)) as cluster:
        origin.serve("/a", Body(100))
        origin.serve("/b", Body(200))
        urls = [{"url": origin.url(f"/{name}?token={SECRET}-2"), "path": name} for name in "ab"]
        process = run_of(tmp_path, *_with_secret(tmp_path, urls), *engine(cluster))
        run = end(tmp_path, process)
        logs = "".join(cluster.log(name) for name in ("scheduler", "worker-0", "worker-1"))
    assert run.code == 0, run.err
    assert {seen.fields["authorization"] for seen in origin.requests} == {SECRET}
    assert "DEBUG" in logs
    assert "marscore-relay" in logs
    assert SECRET not in logs
    assert SECRET not in run.err
    found = [path for path in tmp_path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert [path.name for path in found] == ["downloads.yaml"]


def _with_secret(folder: Path, urls: list[dict[str, str]]) -> list[str]:
    (folder / "downloads.yaml").write_text(
        "version: 1\noutput_dir: data\ndefaults: {headers: {Authorization: '%s'}}\ndownloads: %s\n" % (SECRET, urls)  # noqa: UP031
    )
    return command("run", "downloads.yaml")


#: A run that soon takes a worker for lost which does not answer.
IMPATIENT = """
import sys
import threading
from marscore.adapters.cluster import engine
engine.ANSWER_WITHIN = 3.0
from marscore.__main__ import main
sys.exit(main())
"""


def test_a_worker_that_comes_back_after_it_was_given_up_places_nothing_any_more(origin: Origin, tmp_path: Path, cluster: Dask) -> None:
    manifest = serve_slowly(origin, tmp_path)
    process = run_of(tmp_path, sys.executable, "-c", IMPATIENT, "run", manifest, *engine(cluster))
    wait_until(lambda: placed(tmp_path) >= 200, "files")
    # As cut off from the network: neither it nor what it started does anything, and nobody is told.
    stopped = [*children_of(cluster.workers[0]), cluster.workers[0].pid]
    assert len(stopped) == 2
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    run = end(tmp_path, process)
    assert run.code == 0, run.err[-2000:]
    assert left_of_workers(run.folder) == []
    before = {path: path.stat() for path in run.folder.glob("*.bin")}
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: not _runs(stopped[0]), "the end of what it started")
    assert {path: path.stat() for path in run.folder.glob("*.bin")} == before
    assert left_of_workers(run.folder) == []
    assert wrong_in(run.folder, BODIES) == []
    assert contradictions(run.folder, run.report) == []


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_connections_to_a_host_are_shared_out_over_the_cluster_and_a_pause_holds_everywhere(
    origin: Origin, tmp_path: Path, cluster: Dask
) -> None:
    serve_slowly(origin, tmp_path)
    lock, now, most, came, busy = threading.Lock(), [0], [0], list[float](), list[float]()

    def handle(seen: Seen) -> Step:
        with lock:
            came.append(seen.at)
            now[0] += 1
            most[0] = max(most[0], now[0])
            is_busy = len(came) == 200
            if is_busy:
                busy.append(seen.at)
        time.sleep(0.05)
        with lock:
            now[0] -= 1
        return Status(429, fields=(("Retry-After", "4"),)) if is_busy else Good(BODIES[seen.path.rpartition("/")[2]])

    origin.handle_rest(handle)
    run = end(tmp_path, run_of(tmp_path, *command("run", "downloads.yaml", *engine(cluster))))
    assert run.code == 0, run.err[-2000:]
    # A third of 16 for each of three workers; the last ones get what the others had.
    assert 5 < most[0] <= 16
    paused = [at for at in came if busy[0] + 2.0 < at < busy[0] + 3.5]
    assert paused == []
    assert len([at for at in came if at > busy[0] + 3.5]) > 100
    assert run.events("host_paused")
    assert wrong_in(run.folder, BODIES) == []


def test_a_long_list_is_read_while_the_cluster_works(origin: Origin, tmp_path: Path, cluster: Dask) -> None:
    count = MOST + 2 * BATCH
    good = [0, 1, MOST - 1, MOST + BATCH, count - 1]
    bodies = {f"{number:06d}": Body(500 + number % 97, seed=number) for number in good}
    links = {name: origin.serve(f"/{name}", body) for name, body in bodies.items()}
    rows = (f"{links.get(f'{number:06d}', '')},{number:06d}\n" for number in range(count))
    (tmp_path / "rows.csv").write_text("link,name\n" + "".join(rows))
    entry = {"from": "rows.csv", "url": "link", "path": "{name}", "on_bad_row": "skip"}
    (tmp_path / "downloads.yaml").write_text(json.dumps({"version": 1, "output_dir": "data", "downloads": entry}))
    run = end(tmp_path, run_of(tmp_path, *command("run", "downloads.yaml", *engine(cluster))))
    assert run.code == 1, run.err[-2000:]
    totals = run.report["totals"]
    assert (totals["downloaded"], totals["failed"], run.report["plan"]["processes"]) == (len(good), count - len(good), 3)
    assert wrong_in(run.folder, bodies) == []
    assert len(origin.requests) == len(good)


def test_what_stands_behind_a_slow_file_is_fetched_by_another_worker(origin: Origin, tmp_path: Path, cluster: Dask) -> None:
    manifest = one_holds_up_others(origin, tmp_path)
    run = end(tmp_path, run_of(tmp_path, *command("run", manifest, *engine(cluster))))
    all_were_fetched_once(origin, run)
    assert left_of_workers(run.folder) == []
