"""Programs that a manifest has run once its run is over and the report is written: `on_success` and `on_failure`.

Ended + Hooks --after--> events hook_started, hook_finished; and Ended as it is now: a hook that fails makes of a success a failure

A run that was told to stop has none: who stops it wants no more of it to happen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from marscore.adapters.clock import SystemClock
from marscore.adapters.terminal.signals import Stop
from marscore.events import Event, HookFinished, HookStarted, Warned
from marscore.frozen import dataclass
from marscore.report.ended import Ended

if TYPE_CHECKING:
    from marscore.adapters.processes.program import ProgramEnded
    from marscore.manifest import AnyManifest
    from marscore.report.head import Head

HookName: TypeAlias = Literal["on_success", "on_failure"]


@dataclass(frozen=True, slots=True)
class Hooks:
    """The programs of a manifest with their arguments, None where there is none; `folder` is where they run, the manifest's own."""

    folder: Path
    on_success: tuple[str, ...] | None = None
    on_failure: tuple[str, ...] | None = None

    def named(self) -> dict[HookName, tuple[str, ...]]:
        """Those that there are."""
        every: dict[HookName, tuple[str, ...] | None] = {"on_success": self.on_success, "on_failure": self.on_failure}
        return {name: argv for name, argv in every.items() if argv is not None}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a hook is told and who is told of it. `report` is where the report is, None where no file of that name holds it."""

    stop: Stop
    clock: SystemClock
    output_dir: str
    report: Path | None
    #: Takes events, and has all written that was told so far: what the hook prints comes behind it.
    emit: Callable[[Event], None]
    still: Callable[[], None]


def hooks_of(manifest: AnyManifest, folder: Path) -> Hooks:
    """The hooks of a manifest in this folder."""
    return Hooks(folder, manifest.on_success, manifest.on_failure)


def after(ended: Ended, hooks: Hooks, around: Surroundings) -> Ended:
    """Run the hook for how a run ended, if there is one, and say how it ends with that."""
    name: HookName = "on_success" if ended.head.status == "succeeded" else "on_failure"
    argv = hooks.named().get(name)
    if argv is None or ended.head.status == "interrupted":
        return ended
    if around.stop.signal is not None:
        return _interrupted(ended, f"{name} was not run, since the run was told to stop", around)
    done = _carried_out(name, argv, hooks.folder, ended.head.status, around)
    if around.stop.signal is not None:
        return _interrupted(ended, f"{name} was told to stop: {done.problem or 'it ended by itself'}", around)
    if done.problem is None:
        return ended
    return _ended_by(replace(ended.head, status="failed", exit_code=1), ended, f"{name}: {argv[0]} {done.problem}", around)


def _carried_out(name: HookName, argv: tuple[str, ...], folder: Path, status: str, around: Surroundings) -> ProgramEnded:
    from marscore.adapters.processes.program import run_program  # noqa: PLC0415 - subprocess, for manifests that have a hook

    began = around.clock.ticks()
    around.emit(HookStarted(around.clock.now(), name, argv[0]))
    around.still()
    report = None if around.report is None else str(around.report)
    variables = {"MARSCORE_STATUS": status, "MARSCORE_OUTPUT_DIR": around.output_dir, "MARSCORE_REPORT": report}
    done = run_program(argv, folder, variables, around.stop)
    duration = round(around.clock.ticks() - began, 3)
    around.emit(HookFinished(around.clock.now(), name, argv[0], done.exit_code, duration, done.problem))
    return done


def _interrupted(ended: Ended, message: str, around: Surroundings) -> Ended:
    return _ended_by(replace(ended.head, status="interrupted", exit_code=128 + (around.stop.signal or 0)), ended, message, around)


def _ended_by(head: Head, ended: Ended, message: str, around: Surroundings) -> Ended:
    """The end with what a hook made of it; a run that failed by itself ends as it did."""
    around.emit(Warned(around.clock.now(), None, message))
    return replace(ended, head=ended.head if ended.head.exit_code else head, hook=message)
