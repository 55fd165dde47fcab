"""After a power cut at any moment of unpacking no file of somebody else is lost, and a cache gives nobody wrong bytes."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

import marscore
from marscore.adapters.files.cache import Cache
from tests.integration.archives import served, tar
from tests.integration.command import write
from tests.long import ALL
from tests.origin import Body, Origin
from tests.power.cuts import QUIET, WAYS, Story, of_bodies
from tests.power.disk import Disk
from tests.power.recording import Recording

#: Of the moments, each way tries so many-th, and begins at another one.
EACH = 1 if ALL else 4
OLD = {"top/readme.txt": b"hello\n", "top/bin/tool": b"#!/bin/sh\n" * 500, "old/only": b"gone\n"}
NEW = {"top/readme.txt": b"hello again\n", "top/bin/tool": b"#!/bin/sh\n" * 500, "new/only": b"came\n"}
#: What somebody else has put into the folder: beside files of the archive, and in a folder of its own.
STRANGERS = {"top/mine": b"mine\n", "notes/own/mine": b"mine too\n"}
_WRITES = """
import os, sys
for path, text in zip(sys.argv[1::2], sys.argv[2::2]):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
"""


def files_below(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@dataclass
class OfAnArchive(Story):
    """An archive that takes the place of an older one: `versions` are what each holds."""

    versions: Mapping[bytes, Mapping[str, bytes]] = field(default_factory=dict)

    def holds(self, crashed: Path, cut: int) -> None:
        folder = crashed / "data/a"
        for path, content in STRANGERS.items():
            assert (folder / path).read_bytes() == content, f"{path} is lost by a cut at {cut}"
        super().holds(crashed, cut)
        wanted = self.versions[(crashed / "data/a.tar.gz").read_bytes()]
        assert files_below(folder) == {**wanted, **STRANGERS}, f"the folder is wrong after a cut at {cut}"
        assert not list((crashed / "data/.marscore/unpack").glob("*"))


@pytest.fixture(scope="module")
def unpacked(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OfAnArchive]:
    """A run that unpacks an archive in place of another, into a folder where somebody else has files."""
    recording = Recording(library, tmp_path_factory.mktemp("unpacked"))
    contents = [tar(OLD), tar(NEW)]
    with Origin() as origin:
        download = {"url": origin.serve("/a.tar.gz", served(contents[0])), "unpack": True}
        recording.run(write(recording.folder, [download], execution={"processes": 1}))
        line = [text for path, content in STRANGERS.items() for text in (str(recording.root / "data/a" / path), content.decode())]
        settled = len(recording.have(sys.executable, "-c", _WRITES, *line))
        origin.serve("/a.tar.gz", served(contents[1], '"v2"'))
        operations = recording.run(write(recording.folder, [download], execution={"processes": 1}, defaults={"if_exists": "replace"}))
        disk = Disk(operations, settled)
        there = files_below(recording.root)
        assert disk.after(len(operations), *WAYS["everything is kept"]).files() == there, "the record tells all that was done"
        manifest = write(recording.folder, [download])
        versions = dict(zip(contents, (OLD, NEW), strict=True))
        yield OfAnArchive(recording, disk, manifest, {"a.tar.gz": contents}, settled, versions=versions)


def test_a_cut_at_any_moment_while_an_archive_takes_the_place_of_another(unpacked: OfAnArchive) -> None:
    for start, way in enumerate(WAYS.values()):
        for cut in unpacked.cuts[start % EACH :: EACH]:
            unpacked.check(cut, *way)
    assert len(unpacked.seen) > 30
    assert [op for op in unpacked.disk.operations if op.kind == "rename" and all(inode is not None for _, inode in op.effects)]


ONE, TWO = Body(30_000, seed=1), Body(70_000, seed=2)


@dataclass
class OfACache(Story):
    """Two output folders that share a cache."""

    cache: Cache | None = None

    def holds(self, crashed: Path, cut: int) -> None:
        for name in ("data", "second"):
            self.claims_hold(crashed / name)
        for name in ("second", "third"):
            report = marscore.run(self.recording.folder / self.manifest, replace(QUIET, output_dir=crashed / name, cache=crashed / "cache"))
            assert report.status == "succeeded"
            self.files_are_right(crashed / name, cut)
        assert not Cache(crashed / "cache").verify().damaged


@pytest.mark.parametrize("link", ["copy", "hard"])
def test_a_cut_at_any_moment_while_files_go_into_a_cache_and_come_from_it(library: Path, origin: Origin, tmp_path: Path, link: str) -> None:
    recording = Recording(library, tmp_path)
    downloads = [
        {"url": origin.serve(path, body), "checksum": f"sha256:{body.sha256}"} for path, body in (("/one.bin", ONE), ("/two.bin", TWO))
    ]
    manifest = write(tmp_path, downloads, cache={"link": link}, execution={"processes": 1})
    recording.run(manifest, "data", "--cache", str(recording.root / "cache"))
    operations = recording.run(manifest, "second", "--cache", str(recording.root / "cache"))
    story = OfACache(recording, Disk(operations), manifest, {"one.bin": of_bodies(ONE), "two.bin": of_bodies(TWO)})
    there = files_below(recording.root)
    assert story.disk.after(len(operations), *WAYS["everything is kept"]).files() == there, "the record tells all that was done"
    for start, way in enumerate(WAYS.values()):
        for cut in story.cuts[start :: 4 * EACH]:
            story.check(cut, *way)
    assert len(story.seen) > 15
