"""The killing itself, and the account of what it cost."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from marscore.app import prepare
from marscore.journal import PIECE_SIZE
from marscore.resolve.model import Download
from marscore.settings import ManifestInput, RunSettings
from tests.disk import wrong_in
from tests.integration.command import command, environment, write
from tests.origin import Body, Good, Origin
from tests.torture.kept import look_at

KIB, MIB = 1024, 1024 * 1024
#: What a connection may cost besides its piece and the socket buffers: a chunk that the origin counted and had not sent yet, and
#: what the client's own reader holds.
SLACK = 512 * KIB
#: Seconds after which a run that neither ends nor is killed counts as hung.
HUNG = 120


@dataclass
class Figures:
    """What the killing came to. `over` is the most by which a kill cost more than it may; 0 or less is well."""

    kills: int = 0
    kills_of_children: int = 0
    rounds: int = 0
    size: int = 0
    served: int = 0
    worst: int = 0
    worst_per_connection: int = 0
    over: int = -(2**62)
    nearest: str = "no kill"
    wrong: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether nothing was wrong and nothing cost more than it may."""
        return not self.wrong and self.over <= 0

    def __str__(self) -> str:
        lines = [
            f"rounds                               {self.rounds}",
            f"kills of the parent                  {self.kills}",
            f"kills of one child                   {self.kills_of_children}",
            f"size of all files                    {self.size / MIB:.1f} MiB",
            f"served twice                         {(self.served - self.size) / MIB:.1f} MiB",
            f"most lost by one kill                {self.worst / MIB:.2f} MiB",
            f"most lost by one kill per connection {self.worst_per_connection / MIB:.2f} MiB, socket buffers left out",
            f"nearest to what it may cost          {self.nearest}",
            f"files lost or wrong                  {len(self.wrong)} {' '.join(self.wrong)}".rstrip(),
        ]
        return "\n".join(lines)


class Counter:
    """Counts over threads, and holds them up while somebody takes stock."""

    def __init__(self) -> None:
        self.value = 0
        self._lock = threading.Lock()
        self._open = threading.Event()
        self._open.set()

    def add(self, count: int) -> None:
        self._open.wait(HUNG)
        with self._lock:
            self.value += count

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Nothing is counted inside."""
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()


@dataclass(frozen=True)
class Counted(Body):
    """A body that counts what is sent of it."""

    counter: Counter = field(default_factory=Counter, compare=False)

    def read(self, start: int, end: int) -> bytes:
        self.counter.add(end - start)
        return super().read(start, end)


@dataclass(frozen=True)
class Cost:
    """What a kill may cost: open connections, and bytes in socket buffers. `accepted` is how many connections there had been by then."""

    connections: int
    buffered: int
    accepted: int = 0


class Killing:
    """Rounds of kills on one origin."""

    def __init__(self, origin: Origin, chance: random.Random) -> None:
        self._origin = origin
        self._chance = chance
        self._counter = Counter()
        self.figures = Figures()

    def round(self, folder: Path, bodies: Mapping[str, Body], rate: int, processes: int, most_kills: int) -> None:
        """Fetch these files into a folder under at most so many kills, and compare every byte at the end."""
        folder.mkdir()
        counter = self._counter = Counter()
        entries: list[object] = []
        for number, (name, body) in enumerate(bodies.items()):
            url = self._origin.serve(f"/{name}", Counted(body.size, body.seed, counter=counter), [Good(rate=rate)])
            # A checksum proves a file that a killed run named and did not claim; without one it has to be fetched again.
            entries.append({"url": url, "checksum": f"sha256:{body.sha256}"} if number % 2 else url)
        manifest = write(folder, entries, execution={"processes": processes, "threads": 4}, defaults={"threads": 2})
        text = (folder / manifest).read_text()
        downloads = prepare(ManifestInput(manifest, folder, text=text), RunSettings()).downloads
        self._kill_until_done(folder, manifest, dict(zip(downloads, bodies.values(), strict=True)), counter, most_kills)
        self.figures.rounds += 1
        self.figures.size += sum(body.length for body in bodies.values())
        self.figures.served += counter.value

    def _kill_until_done(self, folder: Path, manifest: str, bodies: Mapping[Download, Body], counter: Counter, most_kills: int) -> None:
        kept = 0
        for _ in range(most_kills):
            sent = counter.value
            cost = self._run(folder, manifest)
            if cost is None:
                break
            left = look_at(folder / "data", bodies)
            self._settle()
            # Those that were made between the look at the connections and the kill.
            cost = replace(cost, connections=cost.connections + self._origin.connections_accepted - cost.accepted)
            self._account(kept + counter.value - sent - left.kept, cost)
            self.figures.wrong += left.wrong
            kept = left.kept
        else:
            self._finish(folder, manifest)
        self.figures.wrong += wrong_in(folder / "data", {download.path: body for download, body in bodies.items()})

    def _settle(self) -> None:
        """Wait until the origin has noticed that its clients are gone: what it counts till then belongs to the run that was killed."""
        until = time.monotonic() + HUNG
        while self._origin.open_connections and time.monotonic() < until:
            time.sleep(0.01)

    def _account(self, lost: int, cost: Cost) -> None:
        figures = self.figures
        figures.worst = max(figures.worst, lost)
        over = lost - cost.buffered - cost.connections * (PIECE_SIZE + SLACK)
        if over > figures.over:
            figures.over = over
            figures.nearest = (
                f"{lost} bytes lost, {cost.connections} connections, {cost.buffered} in socket buffers, round {figures.rounds}"
            )
        if cost.connections:
            figures.worst_per_connection = max(figures.worst_per_connection, (lost - cost.buffered) // cost.connections)

    def _run(self, folder: Path, manifest: str) -> Cost | None:
        """Run until a random moment and kill; what that may have cost, or None where the run was done before."""
        with self._started(folder, manifest) as process:
            child = Cost(0, 0)
            if self._chance.random() < 0.25:
                self._wait(process)
                child = self._kill_a_child(process)
            if not self._wait(process):
                return None
            # What came after the look at the buffers would be in none of the figures.
            with self._counter.stopped():
                accepted = self._origin.connections_accepted
                cost = buffers(self._origin.port)
                process.kill()
                process.wait()
            self.figures.kills += 1
            return Cost(cost.connections + child.connections, cost.buffered + child.buffered, accepted)

    def _wait(self, process: subprocess.Popen[bytes]) -> bool:
        """Wait a random while. False: the run is done."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(self._chance.uniform(0.2, 1.8))
            return False
        return True

    def _kill_a_child(self, process: subprocess.Popen[bytes]) -> Cost:
        children = [int(pid) for file in Path(f"/proc/{process.pid}/task").glob("*/children") for pid in file.read_text().split()]
        if not children:
            return Cost(0, 0)
        with self._counter.stopped():
            cost = buffers(self._origin.port)
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._chance.choice(sorted(children)), signal.SIGKILL)
        self.figures.kills_of_children += 1
        return cost

    def _finish(self, folder: Path, manifest: str) -> None:
        with self._started(folder, manifest) as process:
            if process.wait(HUNG):
                self.figures.wrong.append(f"{folder.name}: the last run ended with {process.returncode}")

    @contextlib.contextmanager
    def _started(self, folder: Path, manifest: str) -> Iterator[subprocess.Popen[bytes]]:
        with (folder / "run.log").open("ab") as log:
            process = subprocess.Popen(command("run", manifest), cwd=folder, env=environment(), stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def buffers(port: int) -> Cost:
    """The client's connections to a port of this machine, and the bytes in the socket buffers of both ends, from /proc/net/tcp."""
    connections = buffered = 0
    end = f":{port:04X}"
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, state, queues, *_ = line.split()
        waiting_to_go, waiting_to_be_read = (int(part, 16) for part in queues.split(":"))
        if local.endswith(end) and state != "0A":
            buffered += waiting_to_go
        elif remote.endswith(end):
            buffered += waiting_to_be_read
            connections += state == "01"
    return Cost(connections, buffered)
