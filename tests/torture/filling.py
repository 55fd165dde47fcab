"""A disk with too little room, or too few inodes, by random sizes: with room again all is right, and all of the state is there."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.origin import Body, Good
from tests.torture.trial import KIB, MIB, Here, Sweep, Trial, entry, mixture

_ROOMY = "size=64m,nr_inodes=100000"


def _missing() -> str | None:
    with tempfile.TemporaryDirectory() as folder:
        if not shutil.which("mount") or not _mount(Path(folder), "size=64k"):
            return "no file system can be mounted here: that takes the superuser"
        _unmount(Path(folder))
    return None


def _mount(folder: Path, options: str) -> bool:
    return not subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, check=False).returncode


def _unmount(folder: Path) -> None:
    subprocess.run(["umount", "--lazy", folder], check=True)


@contextlib.contextmanager
def _disk(folder: Path) -> Iterator[None]:
    """A disk of its own for the output folder, with room."""
    folder.mkdir()
    if not _mount(folder, _ROOMY):
        raise RuntimeError("a disk could be mounted before, and cannot be now")
    try:
        yield
    finally:
        _unmount(folder)


def _narrow(folder: Path, chance: random.Random) -> str:
    """Leave so many bytes, or so many inodes, beside what is there; says which."""
    found = os.statvfs(folder)
    if chance.random() < 0.2:
        options = f"nr_inodes={found.f_files - found.f_ffree + chance.randint(1, 40)}"
    else:
        used = (found.f_blocks - found.f_bfree) * found.f_frsize
        options = f"size={used + int(4 * KIB * 2 ** chance.uniform(0, 12))}"
    subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)
    return options


def _trial(here: Here, number: int) -> Iterator[str]:
    chance = here.chance
    bodies = mixture(chance, 12, [MIB, 3 * MIB, 6 * MIB])
    urls = {name: here.origin.serve(f"/{name}", body, [_answer(chance)]) for name, body in bodies.items()}
    entries = {name: entry(url, bodies[name], chance.random() < 0.5) for name, url in urls.items()}
    before = list(bodies)[: chance.choice([0, 0, 6])]
    execution = {"processes": chance.choice([1, 2])}
    with _disk(here.folder / "data"):
        if before:
            first = Trial(here.folder, {name: bodies[name] for name in before}, [entries[name] for name in before], execution=execution)
            yield from first.faults(first.end(first.start()), {0})
        asked = len(here.origin.requests)
        # A retry waits for nothing that a full disk would give.
        trial = Trial(here.folder, bodies, list(entries.values()), execution=execution)
        narrowed = _narrow(trial.data, chance)
        code = trial.end(trial.start())
        here.figures.counts[f"ended with {code}"] += 1
        yield from (f"{narrowed}: {line}" for line in trial.faults(code, {0, 3}, kinds={"disk_full"}))
        subprocess.run(["mount", "-o", f"remount,{_ROOMY}", trial.data], check=True)
        yield from (f"{narrowed}: {line}" for line in trial.follow())
        again = {seen.path.strip("/") for seen in here.origin.requests[asked:]} & set(before)
        yield from (f"{narrowed}: {name} was in place and is asked for again" for name in again)
        yield from _claimed(trial, here, bodies)


def _answer(chance: random.Random) -> Good:
    return chance.choice([Good(), Good(), Good(length="chunked"), Good(length="none"), Good(rate=20 * MIB)])


def _claimed(trial: Trial, here: Here, bodies: dict[str, Body]) -> Iterator[str]:
    """A third run asks nobody: all that is there is claimed."""
    asked = len(here.origin.requests)
    yield from (f"the third run: {line}" for line in trial.follow())
    if len(here.origin.requests) != asked:
        yield "the third run asks for what is in place"


SWEEP = Sweep(80, _trial, _missing)
