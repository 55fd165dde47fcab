"""Runs whose workers are those of a Dask or a Ray cluster: a real head, and workers that are processes of its own.

A cluster serves the tests of one kind, one after the other; what a test has killed is replaced for the next one.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from marscore.resolve.streamed import BATCH, MOST
from tests.disk import contradictions, files_in, wrong_in
from tests.integration.command import Run, command, environment, marscore
from tests.integration.test_interrupt_and_resume import wait_until
from tests.integration.test_machine_workers import children_of
from tests.integration.test_slow_workers import all_were_fetched_once, one_holds_up_others
from tests.integration.test_standing_workers import end, placed, run_of
from tests.integration.test_worker_logs import each_told_its_own, told_by
from tests.long import long
from tests.origin import Body, Good, Origin, Seen, Status, Step
from tests.servers.dask import Dask, dask
from tests.servers.ray import Ray, ray

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are found in /proc, which Linux has")

#: Seconds that a signal, or the end of a head, may take to end a run on a busy machine.
STOP_S = 20
SECRET = "Bearer-of-a-value-that-nobody-else-has"
WORKERS = 3
#: Ray makes a token else in the home folder; and Dask tells all that it does.
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "disabled",
    "DASK_LOGGING__DISTRIBUTED": "debug",
    "DASK_LOGGING__ROOT": "debug",
}
BODIES = {f"{n}.bin": Body(100 + n, seed=n) for n in range(600)}
#: So many are served before a run is held up.
MIDDLE = 300
DASK = pytest.mark.parametrize("kind", ["dask"], indirect=True)
BOTH = pytest.mark.parametrize("kind", ["dask", "ray"], indirect=True)


class Cluster(Protocol):
    """What the tests want of either kind. `gone` is what a run says whose head has died, `told_s` how soon; `relay` its logs name."""

    options: list[str]
    gone: str
    told_s: float
    relay: bytes

    def whole(self) -> None:
        """Have as many workers as there are to be, and who they belong to."""

    def kill_a_worker(self) -> None: ...

    def kill_the_head(self) -> None: ...

    def logs(self) -> bytes: ...


class DaskCluster:
    relay = b"marscore-relay"
    told_s: float = STOP_S

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self.dask: Dask | None = None
        self._made = 0

    def whole(self) -> None:
        if self.dask is None or self.dask.scheduler is None or self.dask.scheduler.poll() is not None:
            self._made += 1
            self.dask = self._stack.enter_context(dask(self._folder / str(self._made), WORKERS, environment(ENVIRONMENT)))
        elif missing := sum(worker.poll() is not None for worker in self.dask.workers[-WORKERS:]):
            self.dask.hire(missing)
        self.options = ["--engine", "dask", "--engine-address", self.dask.address]
        self.gone = f"the Dask scheduler at {self.dask.address} is gone"

    def kill_a_worker(self) -> None:
        assert self.dask is not None
        alive = [worker for worker in self.dask.workers if worker.poll() is None]
        alive[0].kill()
        alive[0].wait()

    def kill_the_head(self) -> None:
        assert self.dask is not None
        assert self.dask.scheduler is not None
        self.dask.scheduler.kill()
        self.dask.scheduler.wait()

    def logs(self) -> bytes:
        return b"".join(path.read_bytes() for path in self._folder.rglob("*.log"))


class RayCluster:
    relay = b"RayRelay"
    #: Nobody says it: it is found out by what is not answered.
    told_s: float = 2 * STOP_S

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._ray: Ray | None = None

    def whole(self) -> None:
        # What a run has started there goes with the run.
        if self._ray is None:
            self._ray = self._stack.enter_context(ray(WORKERS, environment(ENVIRONMENT)))
        self.options = ["--engine", "ray", "--engine-address", self._ray.address]
        self.gone = f"the Ray cluster at {self._ray.address}"

    def kill_a_worker(self) -> None:
        assert self._ray is not None
        os.kill(self._ray.actors("RayRelay")[0], signal.SIGKILL)

    def kill_the_head(self) -> None:
        assert self._ray is not None
        self._ray.end()
        self._ray = None

    def logs(self) -> bytes:
        assert self._ray is not None
        return self._ray.logs()


@pytest.fixture(scope="module", params=["dask", pytest.param("ray", marks=long)])
def kind(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with ExitStack() as stack:
        yield DaskCluster(tmp_path_factory.mktemp("dask"), stack) if request.param == "dask" else RayCluster(stack)


@pytest.fixture
def cluster(kind: Cluster, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    for name, value in ENVIRONMENT.items():
        if name.startswith("RAY"):
            monkeypatch.setenv(name, value)
    kind.whole()
    return kind


def serve(origin: Origin, folder: Path, handle: Callable[[Seen], Step]) -> str:
    """Serve many small files, of which all workers get some."""
    origin.handle_rest(handle)
    downloads = [{"url": origin.url(f"/{name}"), "path": name} for name in BODIES]
    (folder / "downloads.yaml").write_text(json.dumps({"version": 1, "output_dir": "data", "downloads": downloads}))
    return "downloads.yaml"


def serve_half(origin: Origin, folder: Path) -> tuple[str, threading.Event]:
    """The same, of which those that are asked for last come to their end once the event is set: so the run is at its middle until then."""
    go_on, numbers = threading.Event(), itertools.count()

    def handle(seen: Seen) -> Step:
        body = BODIES[seen.path.rpartition("/")[2]]
        return Good(body) if next(numbers) < MIDDLE else Good(body, stall_after=10, stall_s=60, until=go_on)

    return serve(origin, folder, handle), go_on


def left_of_workers(folder: Path) -> list[Path]:
    return [path for path in (folder / ".marscore").rglob("*") if "workers" in path.parts or "partial" in path.parts]


def all_came_once(run: Run) -> None:
    assert run.code == 0, run.err[-2000:]
    assert [entry["status"] for entry in run.report["downloads"]] == ["downloaded"] * len(BODIES)
    assert contradictions(run.folder, run.report) == []
    assert wrong_in(run.folder, BODIES) == []
    assert sorted(files_in(run.folder)) == sorted(BODIES)
    assert left_of_workers(run.folder) == []


def test_what_stands_behind_a_slow_file_is_fetched_by_another_worker(origin: Origin, tmp_path: Path, cluster: Cluster) -> None:
    manifest = one_holds_up_others(origin, tmp_path)
    run = marscore("run", manifest, *cluster.options, "--worker-logs", "logs", cwd=tmp_path)
    all_were_fetched_once(origin, run)
    assert left_of_workers(run.folder) == []
    each_told_its_own(run, tmp_path / "logs", 2)
    # Its place is in its name.
    assert all(len(name.split("-")) > 2 for name in told_by(tmp_path / "logs"))


@DASK
def test_a_long_list_is_read_while_the_cluster_works(origin: Origin, tmp_path: Path, cluster: Cluster) -> None:
    count = MOST + 2 * BATCH
    good = [0, 1, MOST - 1, MOST + BATCH, count - 1]
    bodies = {f"{number:06d}": Body(500 + number % 97, seed=number) for number in good}
    links = {name: origin.serve(f"/{name}", body) for name, body in bodies.items()}
    rows = (f"{links.get(f'{number:06d}', '')},{number:06d}\n" for number in range(count))
    (tmp_path / "rows.csv").write_text("link,name\n" + "".join(rows))
    entry = {"from": "rows.csv", "url": "link", "path": "{name}", "on_bad_row": "skip"}
    (tmp_path / "downloads.yaml").write_text(json.dumps({"version": 1, "output_dir": "data", "downloads": entry}))
    run = end(tmp_path, run_of(tmp_path, *command("run", "downloads.yaml", *cluster.options)))
    assert run.code == 1, run.err[-2000:]
    totals = run.report["totals"]
    assert (totals["downloaded"], totals["failed"], run.report["plan"]["processes"]) == (len(good), count - len(good), 3)
    assert wrong_in(run.folder, bodies) == []
    assert len(origin.requests) == len(good)


@DASK
def test_connections_to_a_host_are_shared_out_over_the_cluster_and_a_pause_holds_everywhere(
    origin: Origin, tmp_path: Path, cluster: Cluster
) -> None:
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

    run = marscore("run", serve(origin, tmp_path, handle), *cluster.options, cwd=tmp_path)
    assert run.code == 0, run.err[-2000:]
    # A third of 16 for each of three workers; the last ones get what the others had.
    assert 5 < most[0] <= 16
    paused = [at for at in came if busy[0] + 2.0 < at < busy[0] + 3.5]
    assert paused == []
    assert len([at for at in came if at > busy[0] + 3.5]) > 100
    assert run.events("host_paused")
    assert wrong_in(run.folder, BODIES) == []


def test_a_signal_ends_the_run_in_order_and_nothing_of_a_secret_is_in_the_logs(origin: Origin, tmp_path: Path, cluster: Cluster) -> None:
    big = Body(64 * 1024 * 1024, seed=7)
    origin.serve("/big", big, [Good(rate=8 * 1024 * 1024)] * 50)
    (tmp_path / "downloads.yaml").write_text(
        f"version: 1\noutput_dir: data\ndefaults: {{headers: {{Authorization: '{SECRET}'}}}}\n"
        f"downloads: [{{url: '{origin.url('/big')}?token={SECRET}-2', path: big}}]\n"
    )
    process = run_of(tmp_path, *command("run", "downloads.yaml", *cluster.options, "--worker-logs", "logs"))
    wait_until(lambda: any(path.stat().st_size for path in (tmp_path / "data").rglob("*.journal")), "pieces")
    process.send_signal(signal.SIGINT)
    told = time.monotonic()
    run = end(tmp_path, process)
    assert time.monotonic() - told < STOP_S
    assert run.code == 130, run.err[-2000:]
    assert run.report["downloads"][0]["status"] == "interrupted"
    assert not (run.folder / ".marscore" / "workers").exists()
    assert {seen.fields["authorization"] for seen in origin.requests} == {SECRET}
    assert cluster.relay in (logs := cluster.logs())
    assert SECRET.encode() not in logs
    found = [path for path in tmp_path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert [path.name for path in found] == ["downloads.yaml"]
    # What came is kept, and resumed by a run on this machine.
    origin.serve("/big", big)
    again = marscore("run", "downloads.yaml", cwd=tmp_path)
    assert again.code == 0
    assert again.report["totals"]["bytes_resumed"] > 0
    assert wrong_in(run.folder, {"big": big}) == []


#: A run that soon takes a worker for lost which does not answer.
IMPATIENT = """
import sys
import threading
from marscore.adapters.cluster import engine
engine.ANSWER_WITHIN = 3.0
from marscore.__main__ import main
sys.exit(main())
"""


@DASK
def test_a_worker_that_comes_back_after_it_was_given_up_places_nothing_any_more(origin: Origin, tmp_path: Path, cluster: Cluster) -> None:
    assert isinstance(cluster, DaskCluster)
    assert cluster.dask is not None
    worker = next(worker for worker in cluster.dask.workers if worker.poll() is None)
    manifest, go_on = serve_half(origin, tmp_path)
    process = run_of(tmp_path, sys.executable, "-c", IMPATIENT, "run", manifest, *cluster.options)
    wait_until(lambda: placed(tmp_path) >= MIDDLE, "files")
    # As cut off from the network: neither it nor what it started does anything, and nobody is told.
    stopped = [*children_of(worker), worker.pid]
    assert len(stopped) == 2
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    go_on.set()
    run = end(tmp_path, process)
    all_came_once(run)
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


@BOTH
def test_every_file_comes_once_though_a_worker_is_killed_midway(origin: Origin, tmp_path: Path, cluster: Cluster) -> None:
    manifest, go_on = serve_half(origin, tmp_path)
    process = run_of(tmp_path, *command("run", manifest, *cluster.options))
    wait_until(lambda: placed(tmp_path) >= MIDDLE, "files")
    cluster.kill_a_worker()
    go_on.set()
    run = end(tmp_path, process)
    all_came_once(run)
    assert any("go to another" in event["message"] for event in run.events("warned"))
    # What was in place, as far as it was told, was not fetched again.
    assert len(origin.requests) < len(BODIES) + 200


def test_a_head_that_dies_ends_the_run_by_name(origin: Origin, tmp_path: Path, cluster: Cluster) -> None:
    manifest, go_on = serve_half(origin, tmp_path)
    process = run_of(tmp_path, *command("run", manifest, *cluster.options))
    wait_until(lambda: placed(tmp_path) >= MIDDLE, "files")
    cluster.kill_the_head()
    go_on.set()
    killed = time.monotonic()
    run = end(tmp_path, process)
    assert time.monotonic() - killed < cluster.told_s
    assert run.code == 3, run.err[-2000:]
    assert cluster.gone in run.err
    assert "Traceback" not in run.err
    assert contradictions(run.folder, run.report) == []
    assert wrong_in(run.folder, BODIES, all_there=False) == []
    # Nobody writes there any more, and the next run goes on.
    again = marscore("run", "downloads.yaml", cwd=tmp_path)
    assert again.code == 0
    assert again.report["totals"]["up_to_date"] > 0
    assert left_of_workers(run.folder) == []


def test_a_scheduler_that_is_not_there_is_named(tmp_path: Path, origin: Origin) -> None:
    pytest.importorskip("distributed")
    origin.serve("/a", Body(10))
    (tmp_path / "downloads.yaml").write_text(f"version: 1\noutput_dir: data\ndownloads: ['{origin.url('/a')}']\n")
    run = marscore("run", "downloads.yaml", "--engine", "dask", "--engine-address", "tcp://127.0.0.1:1", cwd=tmp_path)
    assert run.code == 3, run.err
    assert "cannot reach the Dask scheduler at tcp://127.0.0.1:1" in run.err
    assert "Traceback" not in run.err
