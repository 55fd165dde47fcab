"""A folder to work in that goes when nothing of it is needed, and what happens where several come and go at once."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from marscore.adapters.files.folder import Folder
from marscore.adapters.state.store import SqliteState, claims_at
from marscore.adapters.state.workplace import workplace
from marscore.errors import StorageError
from marscore.journal import Header
from marscore.state import Claim, FileIdentity, key_of, row_of
from marscore.validator import Validator

A, B = key_of("a"), key_of("b")
CLAIM = Claim(A, key_of("http://e.com/a"), FileIdentity(1, 2, 3), ("sha256:" + "0" * 64,), Validator(), durable=True)


def left(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))


def begin(root: Path, own: str, path: str) -> None:
    """Leave a partial file."""
    Folder(root, own=own).note_finished(path, Header(key_of("http://e.com/" + path), 1, Validator()), "0" * 64)
    (root / own / "partial" / f"{key_of(path)}.part").write_bytes(b"x")


def record(root: Path, own: str, *claims: Claim) -> None:
    state = SqliteState(root / own / "state.db")
    state.record([row_of(claim) for claim in claims])
    state.close()


def test_nothing_is_left_of_one_in_which_nothing_was_kept(tmp_path: Path) -> None:
    with workplace(tmp_path, {A}) as place:
        assert place.own == ".marscore/get/1"
        assert (tmp_path / place.own).is_dir()
    assert left(tmp_path) == []


def test_what_else_is_in_the_own_folder_stays(tmp_path: Path) -> None:
    (tmp_path / ".marscore").mkdir()
    (tmp_path / ".marscore" / "state.db").write_bytes(b"")
    with workplace(tmp_path, {A}):
        pass
    assert left(tmp_path) == [".marscore", ".marscore/state.db"]


def test_the_next_one_of_the_same_file_finds_what_was_left_of_it(tmp_path: Path) -> None:
    with workplace(tmp_path, {A, B}) as place:
        begin(tmp_path, place.own, "a")
        begin(tmp_path, place.own, "b")
        record(tmp_path, place.own, CLAIM, replace(CLAIM, path_key=B))
    with workplace(tmp_path, {A}) as place:
        assert place.own == ".marscore/get/2"
        assert Folder(tmp_path, own=place.own).partial_keys() == {A}
        assert dict(claims_at(tmp_path / place.own / "state.db").claims) == {A: CLAIM}
        assert Folder(tmp_path, own=".marscore/get/1").partial_keys() == {B}
        assert claims_at(tmp_path / ".marscore/get/1/state.db").claims.keys() == {B}
        Folder(tmp_path, own=place.own).remove_left([A])
        place.all_in_place = True
    with workplace(tmp_path, {B}) as place:
        assert Folder(tmp_path, own=place.own).partial_keys() == {B}
        Folder(tmp_path, own=place.own).remove_left([B])
        place.all_in_place = True
    assert left(tmp_path) == []


def test_what_is_known_of_files_stays_until_all_are_in_place(tmp_path: Path) -> None:
    with workplace(tmp_path, {A, B}) as place:
        record(tmp_path, place.own, CLAIM)
    with workplace(tmp_path, {A, B}) as place:
        assert dict(claims_at(tmp_path / place.own / "state.db").claims) == {A: CLAIM}
        place.all_in_place = True
    assert left(tmp_path) == []


def test_one_file_is_one_s(tmp_path: Path) -> None:
    with workplace(tmp_path, {A, B}), workplace(tmp_path, {key_of("c")}):
        with pytest.raises(StorageError, match=r"another run \(pid \d+\) is fetching the same file"), workplace(tmp_path, {B}):
            pass
        assert not (tmp_path / ".marscore/get/3").exists()
    assert left(tmp_path) == []


def test_one_whose_workers_still_write_is_left_alone(tmp_path: Path) -> None:
    with workplace(tmp_path, {A}) as place:
        place.lock.has_workers = True
    assert (tmp_path / place.own / "lock").exists()


def test_what_a_killed_one_left_without_use_goes(tmp_path: Path) -> None:
    (tmp_path / ".marscore/get/7/partial").mkdir(parents=True)
    (tmp_path / ".marscore/get/7/partial" / f"{B}.part").write_bytes(b"x")
    with workplace(tmp_path, {A}):
        assert not (tmp_path / ".marscore/get/7").exists()
    assert left(tmp_path) == []


@pytest.mark.parametrize("kind", ["file", "link to nothing"])
def test_something_else_in_its_place_is_named(tmp_path: Path, kind: str) -> None:
    (tmp_path / ".marscore").mkdir()
    place = tmp_path / ".marscore" / "get"
    place.write_bytes(b"") if kind == "file" else place.symlink_to("nowhere")
    with pytest.raises(StorageError, match="cannot make a folder to work in"), workplace(tmp_path, {A}):
        pass


def test_many_come_and_go_at_once_and_the_last_one_takes_all_away(tmp_path: Path) -> None:
    wrong: list[BaseException] = []

    def come_and_go(number: int) -> None:
        try:
            for _ in range(15):
                with workplace(tmp_path, {key_of(str(number))}) as place:
                    begin(tmp_path, place.own, str(number))
                    assert Folder(tmp_path, own=place.own).partial_keys() == {key_of(str(number))}
                    Folder(tmp_path, own=place.own).remove_left([key_of(str(number))])
        except BaseException as error:  # noqa: BLE001 - told below
            wrong.append(error)

    threads = [threading.Thread(target=come_and_go, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []
    assert left(tmp_path) == []
