"""Folders of partial files that are lent to workers of other machines: whoever was given up places nothing, whenever that happens."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from marscore.adapters.files.folder import Folder
from marscore.adapters.files.leased import LeasedFolder, LeasedSystem
from marscore.adapters.files.leases import Leases, recover
from marscore.adapters.files.system import System
from marscore.errors import StorageError
from marscore.state import Content, key_of
from tests.unit.adapters.files.test_folder import piece, write

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="engines are POSIX's alone")

OLD, NEW = b"of the one that was lost" * 100, b"of its successor" * 150


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def content(data: bytes) -> Content:
    return Content(data, {"sha256": sha256(data)})


@pytest.fixture
def leases(tmp_path: Path) -> Leases:
    return Leases(tmp_path, "run")


def left(root: Path) -> list[str]:
    return sorted(path.name for path in (root / ".marscore").rglob("*") if path.is_file() and path.name != "token")


def test_a_worker_places_files_by_its_own_folder(tmp_path: Path, leases: Leases) -> None:
    folder = LeasedFolder(tmp_path, leases.lend(1))
    folder.store("a/b", content(OLD))
    with contextlib.closing(folder.create("c")) as partial:
        write(partial, 0, OLD)
        partial.finish("c", len(OLD), {"sha256": sha256(OLD)})
    assert (tmp_path / "a" / "b").read_bytes() == (tmp_path / "c").read_bytes() == OLD
    leases.give_back(1)
    leases.close(all_in_place=True)
    # The journal of a file that came in pieces says that it is whole, until its claim is written.
    assert left(tmp_path) == [f"{key_of('c')}.journal"]
    assert Folder(tmp_path).finished("c") is not None


class Interrupted(LeasedSystem):
    """At the nth call, something happens first."""

    at: int
    happens: Callable[[], object]
    count = 0

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if not callable(found) or name.startswith("_") or name in ("happens", "positioned", "realpath"):
            return found

        def call(*args: Any, **options: Any) -> Any:
            self.count += 1
            if self.count == self.at:
                self.happens()
            return found(*args, **options)

        return call


def _store(folder: LeasedFolder) -> None:
    folder.store("a", content(OLD))


def _finish(folder: LeasedFolder) -> None:
    partial = folder.create("a")
    write(partial, 0, OLD)
    partial.finish("a", len(OLD), {"sha256": sha256(OLD)})


@pytest.mark.parametrize("act", [_store, _finish])
def test_whenever_it_is_taken_away_a_worker_changes_no_place_afterwards(tmp_path: Path, act: Callable[[LeasedFolder], None]) -> None:
    for at in range(1, 100):
        root = tmp_path / str(at)
        root.mkdir()
        leases = Leases(root, "run")
        own = leases.lend(1)

        def succeed(leases: Leases = leases, root: Path = root) -> None:
            leases.take_away(1)
            LeasedFolder(root, leases.lend(2)).store("a", content(NEW))

        systems: list[Interrupted] = []

        def system(own: str, at: int = at, succeed: Callable[[], None] = succeed, systems: list[Interrupted] = systems) -> System:
            systems.append(Interrupted(own))
            systems[0].at, systems[0].happens = at, succeed
            return systems[0]

        folder = LeasedFolder(root, own, system)
        try:
            act(folder)
        except StorageError:
            pass
        else:
            # It was given up after its last call that changes anything, or not at all.
            assert systems[0].count < at or (root / "a").read_bytes() == NEW
        if systems[0].count < at:
            assert at > 5
            return
        assert (root / "a").read_bytes() == NEW
        leases.give_back(2)
        leases.close(all_in_place=True)
        assert left(root) == []
    raise AssertionError("it makes more calls than that")


def test_a_successor_goes_on_with_a_copy_to_which_nobody_else_writes(tmp_path: Path, leases: Leases) -> None:
    lost = LeasedFolder(tmp_path, leases.lend(1)).create("a")
    write(lost, 0, OLD)
    leases.take_away(1)
    successor = LeasedFolder(tmp_path, leases.lend(2))
    found = successor.reopen("a")
    assert found is not None
    partial, journal = found
    assert [each.range.end for each in journal.pieces] == [len(OLD)]
    # It is cut off, and does not know.
    lost.write(0, b"x" * len(OLD))
    assert partial.read(0, len(OLD)) == OLD
    with pytest.raises(StorageError):
        lost.finish("a", len(OLD), {"sha256": sha256(b"x" * len(OLD))})
    partial.finish("a", len(OLD), {"sha256": sha256(OLD)})
    assert (tmp_path / "a").read_bytes() == OLD
    leases.give_back(2)
    leases.close(all_in_place=True)
    assert left(tmp_path) == [f"{key_of('a')}.journal"]


def test_what_a_dead_worker_left_is_gone_on_with_as_it_is(tmp_path: Path, leases: Leases) -> None:
    with contextlib.closing(LeasedFolder(tmp_path, leases.lend(1)).create("a")) as partial:
        write(partial, 0, OLD)
    inode = next(tmp_path.rglob("*.part")).stat().st_ino
    leases.give_back(1)
    assert next((tmp_path / ".marscore" / "partial").glob("*.part")).stat().st_ino == inode
    found = LeasedFolder(tmp_path, leases.lend(2)).reopen("a")
    assert found is not None
    assert found[0].read(0, len(OLD)) == OLD
    assert next((tmp_path / leases.place / "2").rglob("*.part")).stat().st_ino == inode
    found[0].close()


def test_the_next_run_takes_away_what_a_run_lent_that_was_killed(tmp_path: Path, leases: Leases) -> None:
    alive = LeasedFolder(tmp_path, leases.lend(1)).create("a")
    write(alive, 0, OLD)
    given_up = LeasedFolder(tmp_path, leases.lend(2)).create("b")
    write(given_up, 0, OLD)
    leases.take_away(2)
    recover(tmp_path)
    assert not (tmp_path / ".marscore" / "workers").exists()
    for path, lost in (("a", alive), ("b", given_up)):
        lost.write(0, b"x" * len(OLD))
        found = Folder(tmp_path).reopen(path)
        assert found is not None
        assert found[0].read(0, len(OLD)) == OLD
        assert list(found[1].pieces) == [piece(0, OLD)]
        found[0].close()
        with pytest.raises(StorageError):
            lost.finish(path, len(OLD), {"sha256": sha256(OLD)})
        lost.close()
        assert not (tmp_path / path).exists()


def test_a_part_without_a_journal_is_not_kept(tmp_path: Path, leases: Leases) -> None:
    LeasedFolder(tmp_path, leases.lend(1)).create("a").close()
    LeasedFolder(tmp_path, leases.lend(2)).create("b").close()
    leases.give_back(1)
    leases.take_away(2)
    leases.close(all_in_place=False)
    assert left(tmp_path) == []


def test_a_folder_in_which_something_is_made_again_and_again_is_no_folder_that_was_taken_away(tmp_path: Path, leases: Leases) -> None:
    own = tmp_path / leases.lend(1)
    # What cannot be moved stands for what comes anew each time.
    (own / "partial" / "folder").mkdir()
    (own / "partial" / "folder" / "x").write_text("")
    with pytest.raises(StorageError, match="cannot take the folder of a lost worker away"):
        leases.take_away(1)


def test_a_file_on_another_file_system_is_refused(tmp_path: Path, leases: Leases) -> None:
    elsewhere = Path("/dev/shm")
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no other file system to write to")
    system = LeasedSystem(f"{tmp_path}/")
    (tmp_path / "a").write_text("a")
    target = elsewhere / f"marscore-{os.getpid()}"
    with pytest.raises(StorageError, match="another file system"):
        system.replace(str(tmp_path / "a"), str(target))
    assert not target.exists()


def test_a_proof_counts_once_and_has_to_be_of_this_run(tmp_path: Path, leases: Leases) -> None:
    proof = tmp_path / leases.place / "seen.1"
    assert not leases.has_seen("seen.1")
    proof.write_text("of another")
    assert not leases.has_seen("seen.1")
    proof.write_text(leases.token)
    assert leases.has_seen("seen.1")
    assert not leases.has_seen("seen.1")
