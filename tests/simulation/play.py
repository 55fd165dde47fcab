"""Plays a scenario: its runs one after the other in one world, then two that nothing disturbs; says what was wrong."""

from __future__ import annotations

import traceback
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

from marscore.adapters.files.folder import Folder
from marscore.manifest import PlainExecution
from marscore.policy.redact import Redactor
from marscore.resolve.model import Download
from marscore.values import ByteRange
from tests.simulation import checks
from tests.simulation.crew import Machine
from tests.simulation.disk import Disk, Inode
from tests.simulation.faults.machine import PowerCut
from tests.simulation.origin import Network, Resource, content
from tests.simulation.run import Ended, SimulatedRun, quiet
from tests.simulation.scenario import STRANGER, File, Run, Scenario, secret_of
from tests.simulation.state import Database
from tests.simulation.system import LookingSystem
from tests.simulation.world import HungError, Process, World, chance_of

ROOT = "/output"


@dataclass
class Outcome:
    """What came of a scenario. `wrong` is empty where all held; `met` counts faults that were drawn and how runs ended."""

    scenario: Scenario
    wrong: list[str] = field(default_factory=list)
    story: list[str] = field(default_factory=list)
    met: Counter[str] = field(default_factory=Counter)


class Play:
    """One scenario on its way."""

    def __init__(self, scenario: Scenario, tells: bool = False) -> None:
        self.scenario = scenario
        self.world = World(scenario.seed, tells)
        remembers = any(isinstance(fault, PowerCut) for run in scenario.runs for fault in run.faults)
        self.disk = Disk(self.world, ROOT, remembers)
        self.database = Database()
        self.network = Network(self.world, rates=dict(scenario.rates))
        self.resources: dict[int, list[Resource]] = {file.number: file.resources() for file in scenario.files}
        for served in self.resources.values():
            self.network.resources.update((resource.url, resource) for resource in served)
        shown = {secret_of(kind).rpartition(":")[2]: "${SECRET}" for kind in ("header", "password")}
        self._redactor = Redactor({**shown, secret_of("password"): "${SECRET}"})
        self.machine: Machine
        self.run: SimulatedRun
        #: Whether the power is cut in this run, and whether it was in an earlier one since all was right.
        self.loses_power = self.lost_power = False
        self.fails = self.damaged = False
        self.spec = Run()
        #: The files that were in place, whole, when the run began.
        self.before: set[str] = set()
        self.proven: dict[int, tuple[ByteRange, ...]] = {}
        self.ended_at = 0.0
        #: Files that somebody changed in place, which are there until a run replaces them.
        self.edited: dict[str, Inode] = {}
        self._elsewhere: dict[int, list[memoryview]] = {}
        self._met: Counter[str] = Counter()
        #: Whether a run took bytes for a validator alone: what is received under it later, the next may place by that.
        self._was_unsummed = False
        self._deaths = 0

    @property
    def may_be_lied_to(self) -> bool:
        """Whether each run so far had the checksums that show wrong bytes. What they were to prove, no run without them may build on."""
        return not self._was_unsummed

    def carry_out(self) -> Outcome:
        """Play it all; ends with the first run after which something is wrong."""
        outcome = Outcome(self.scenario, met=self._met)
        undisturbed = Run()
        try:
            for number, run in enumerate(self.scenario.runs):
                outcome.wrong += [f"run {number}: {line}" for line in self._one(run)]
                if outcome.wrong:
                    break
            else:
                outcome.wrong += [f"the undisturbed run: {line}" for line in self._undisturbed(undisturbed)]
        except HungError as error:
            outcome.wrong.append(str(error))
        except Exception:  # noqa: BLE001 - whatever the product raises here is what is looked for
            outcome.wrong.append(traceback.format_exc())
        outcome.story = self.world.story or []
        return outcome

    # What the checks ask

    def is_version(self, file: File, data: bytearray, wanted: bool = False) -> bool:
        """Whether this is a version of the file; with `wanted`, one that the manifest takes."""
        bodies = file.bodies
        if wanted and file.summed and not self.spec.unsummed:
            return data == bodies[-1]
        return any(len(body) == len(data) and data == body for body in (*bodies, *self._elsewhere.get(file.number, ())))

    def leads_elsewhere(self, file: File) -> bool:
        """Whether its URL has led to another file."""
        return file.number in self._elsewhere

    def looking_folder(self) -> Folder:
        """The output folder, as somebody sees it who only looks."""
        return Folder(Path(ROOT), system=LookingSystem(self.disk, Process(self.world, "looking")))

    def look(self) -> None:
        """Look what is proven of files on their way, by what is on the disk now."""
        self.proven = {file.number: checks.proven_before(self, file) for file in self.scenario.files} if self.disk.own_files() else {}

    def lead_elsewhere(self, number: int) -> None:
        """Let a URL lead to another file with other bytes and the same entity tag."""
        file = next((file for file in self.scenario.files if file.number == number), None)
        if file is None:
            return
        served = self.resources[number]
        version = served[0].version
        other = content(24 * 1024 * 1024 + number * 1000, len(version.body))
        self._elsewhere.setdefault(number, []).append(other)
        there = f"https://{STRANGER}/other/{number}.bin"
        self.network.resources[there] = Resource(there, (replace(version, body=other),), served[0].ranges, served[0].length)
        self.network.resources[file.url] = Resource(file.url, served[0].versions, target=there)

    # Runs

    def _one(self, spec: Run) -> list[str]:
        ended = self._run(spec)
        wrong = checks.found_by(self, ended)
        self._met.update(type(fault).__name__ for fault in spec.faults)
        self._met[f"exit {ended.exit_code}"] += 1
        if ended.exit_code == 0:
            self.lost_power = self.damaged = False
        return wrong

    def _undisturbed(self, spec: Run) -> list[str]:
        for file in self.scenario.files:
            for resource in self.resources[file.number]:
                while resource.current < len(resource.versions) - 1:
                    resource.change(self.world.elapsed)
                if file.summed or file.sized:
                    # What its checksum or size is of is there again.
                    self.network.resources[resource.url] = resource
        wrong = self._one(spec)
        if wrong:
            return wrong
        statuses = [entry["status"] for entry in self.run.ended.entries]
        if self.run.ended.exit_code != 0:
            errors = [entry["error"] for entry in self.run.ended.entries if entry["error"]]
            return [f"it ended with {self.run.ended.exit_code}: {statuses} {errors}"]
        wrong = self._one(spec)
        if self.network.requests:
            wrong.append(f"and the one after it still made {len(self.network.requests)} requests")
        return wrong

    def _run(self, spec: Run) -> Ended:
        world = self.world
        world.begin_run()
        world.tell("world", "a run begins: %r", spec)
        self.loses_power, self.fails, self.spec = False, bool(spec.faults), spec
        self._was_unsummed = self._was_unsummed or spec.unsummed
        self.disk.meddlers, self.disk.capacity, self.database.meddlers = [], None, []
        self.network.meddlers, self.network.requests, self.network.per_host = [], [], spec.per_host
        self.network.active.clear()
        self.look()
        there = self.disk.files()
        self.before = {file.path for file in self.scenario.files if file.path in there and self.is_version(file, there[file.path].data)}
        main = Process(world, "main")
        self.machine = Machine(world, self.disk, self.network, main, ROOT, spec.lateness, spec.idle, began=world.elapsed)
        if ROOT + "/.marscore" not in self.disk.names:
            self.disk.new(ROOT + "/.marscore", folder=True)
        downloads: list[Download] = [file.download(spec) for file in self.scenario.files]
        execution = PlainExecution(
            processes=spec.processes,  # type: ignore[arg-type]  # as a manifest says it
            threads=spec.threads,
            per_host=spec.per_host,
            max_rate=spec.max_rate,
            buffer_size=spec.buffer_size,
            deadline=spec.deadline,
            fail_fast=spec.fail_fast,  # type: ignore[arg-type]
        )
        self.run = SimulatedRun(self.machine, self.database, downloads, execution, self._redactor)
        for fault in spec.faults:
            fault.begin(self)
        ended = self.run.carry_out()
        self.ended_at = world.elapsed
        self._settle(ended)
        world.tell("world", "it ended with %r: %s", ended.exit_code, [entry["status"] for entry in ended.entries])
        return ended

    def _settle(self, ended: Ended) -> None:
        """Let what is left of a run come to its end: helpers that were at work, children without a parent; or cut the power."""
        workers = ended.crew.workers if ended.crew else []
        self.machine.main.dies_at = None
        if ended.exit_code is None and self.loses_power:
            self.world.tell("world", "the power is cut")
            for worker in workers:
                worker.process.die()
            chance = chance_of(self.scenario.seed, f"power at {self.world.steps}")
            self.disk.lose(chance)
            self.database.lose(chance)
            self.lost_power = True
            return
        if ended.exit_code is None:
            for worker in workers:
                if worker.process.alive:
                    worker.orphan()
        quiet(self.machine, 2.0)


def play(scenario: Scenario, tells: bool = False) -> Outcome:
    """Play a scenario."""
    return Play(scenario, tells).carry_out()
