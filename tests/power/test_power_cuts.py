"""After a power cut at any moment no claim lies, and the next run ends with the right content."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.command import write
from tests.long import ALL
from tests.origin import Body, Good, Origin
from tests.power.cuts import WAYS, Story, of_bodies
from tests.power.disk import Disk
from tests.power.recording import Recording

SMALL, SUMMED, BROKEN = Body(300, seed=1), Body(5_000, seed=2), Body(20_000, seed=3)
NEW = [replace(body, seed=body.seed + 10, etag='"v2"') for body in (SMALL, SUMMED, BROKEN)]
#: Of so many moments one is tried.
EACH = 1 if ALL else 2
MANY = {f"{n % 3}/{n}.bin": Body(100 + n, seed=n % 7) for n in range(70)}


def three_files(origin: Origin, first: Sequence[Body], folder: Path, **defaults: object) -> str:
    small, summed, broken = first
    return write(
        folder,
        [
            origin.serve("/small.bin", small),
            {"url": origin.serve("/summed.bin", summed), "path": "deep/er/summed.bin", "checksum": f"sha256:{summed.sha256}"},
            # Broken off in the middle, so that there is a journal.
            origin.serve("/broken.bin", broken, [Good(cut_after=9_000), Good()]),
        ],
        execution={"processes": 1},
        defaults={"retry": {"backoff": {"initial": "10ms"}}, **defaults},
    )


@pytest.fixture(scope="module")
def first_run(library: Path, origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """A run into an empty folder."""
    recording = Recording(library, tmp_path_factory.mktemp("first"))
    manifest = three_files(origin, (SMALL, SUMMED, BROKEN), recording.folder)
    operations = recording.run(manifest)
    disk = Disk(operations)
    there = {str(path.relative_to(recording.root)): path.read_bytes() for path in recording.root.rglob("*") if path.is_file()}
    assert disk.after(len(operations), *WAYS["everything is kept"]).files() == there, "the record tells all that was done"
    contents = {"small.bin": of_bodies(SMALL), "deep/er/summed.bin": of_bodies(SUMMED), "broken.bin": of_bodies(BROKEN)}
    return Story(recording, disk, manifest, contents)


def test_a_cut_at_any_moment_of_a_first_run(first_run: Story) -> None:
    # Each moment (every second, but in a long test) in the worst two ways; in the others every third, each way beginning at another.
    for start, (name, way) in enumerate(WAYS.items()):
        for cut in first_run.cuts[::EACH] if "bytes are not" in name else first_run.cuts[start % (3 * EACH) :: 3 * EACH]:
            first_run.check(cut, *way)
    assert len(first_run.seen) > 30


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_cut_after_which_any_of_what_was_not_flushed_is_there(first_run: Story, data: st.DataObject) -> None:
    cut = data.draw(st.sampled_from(first_run.cuts), "cut")
    chance = random.Random(data.draw(st.integers(0, 2**32), "which operations are kept"))
    share = data.draw(st.sampled_from([0.1, 0.5, 0.9]), "share")
    first_run.check(cut, lambda op: chance.random() < share, data.draw(st.booleans(), "lengths stay"))


@pytest.fixture(scope="module")
def second_run(library: Path, origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """A run that replaces what an earlier one, long since on the disk, has fetched."""
    recording = Recording(library, tmp_path_factory.mktemp("second"))
    with Origin() as own:
        three_files(own, (SMALL, SUMMED, BROKEN), recording.folder)
        settled = len(recording.run("downloads.yaml"))
        manifest = three_files(own, NEW, recording.folder, if_exists="replace")
        operations = recording.run(manifest)
        (recording.folder / "keep.yaml").write_text(
            (recording.folder / manifest).read_text().replace("if_exists: replace", "if_exists: keep")
        )
        old_or_new = [of_bodies(old, new) for old, new in zip((SMALL, SUMMED, BROKEN), NEW, strict=True)]
        contents = dict(zip(("small.bin", "deep/er/summed.bin", "broken.bin"), old_or_new, strict=True))
        yield Story(recording, Disk(operations, settled), "keep.yaml", contents, settled)


def test_a_cut_at_any_moment_of_a_run_that_replaces_files(second_run: Story) -> None:
    for start, way in enumerate(WAYS.values()):
        for cut in second_run.cuts[start % (3 * EACH) :: 3 * EACH]:
            second_run.check(cut, *way)
    assert len(second_run.seen) > 20


def test_a_cut_around_the_flush_of_many_files_at_once(library: Path, origin: Origin, tmp_path: Path) -> None:
    recording = Recording(library, tmp_path)
    downloads = [{"url": origin.serve(f"/{path}", body), "path": path} for path, body in MANY.items()]
    manifest = write(tmp_path, downloads, execution={"processes": 1})
    operations = recording.run(manifest)
    story = Story(recording, Disk(operations), manifest, {p: of_bodies(b) for p, b in MANY.items()})
    [flush] = [op.number for op in operations if op.kind == "syncfs"]
    for cut in (flush, flush + 1, *range(flush + 2, len(operations) + 1, 8), len(operations)):
        story.check(cut, *WAYS["names and lengths are kept, bytes are not"])
    assert len([op for op in operations[:flush] if op.is_of_names]) > len(MANY)


def test_this_finds_a_claim_that_is_marked_durable_before_its_file_is_flushed(first_run: Story) -> None:
    payload = {
        inode for op in first_run.disk.operations if "state.db" not in "".join(op.paths) for inode in [op.inode] if op.kind == "name"
    }
    dropped = [op for op in first_run.disk.operations if not (op.kind == "sync" and op.inode in payload)]
    renumbered = [replace(op, number=number) for number, op in enumerate(dropped)]
    story = replace(first_run, disk=Disk(renumbered), seen=set())
    with pytest.raises(AssertionError, match="lies"):
        story.check(len(renumbered), *WAYS["names and lengths are kept, bytes are not"])
