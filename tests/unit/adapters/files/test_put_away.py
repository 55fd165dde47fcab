"""A folder is removed whole, and never what links in it lead to; a run that is to end does not wait for that."""

from __future__ import annotations

from pathlib import Path

from marscore.adapters.files.put_away import remove_tree, remove_unfinished


def folder_in(place: Path) -> Path:
    (place / "outside").mkdir(parents=True)
    (place / "outside" / "kept").write_text("kept")
    folder = place / "folder"
    (folder / "a" / "b").mkdir(parents=True)
    for number in range(20):
        (folder / "a" / f"{number}").write_text("x")
        (folder / "a" / "b" / f"{number}").write_text("x")
    (folder / "link").symlink_to(place / "outside")
    (folder / "a" / "file").symlink_to(place / "outside" / "kept")
    return folder


def test_all_of_it_goes_and_nothing_that_links_lead_to(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    remove_tree(folder, lambda: True)
    assert not folder.exists()
    assert (tmp_path / "outside" / "kept").read_text() == "kept"


def test_who_is_told_to_end_leaves_the_rest_and_the_next_run_goes_on(tmp_path: Path) -> None:
    staging = tmp_path / ".marscore" / "unpack"
    folder_in(staging)
    removed = iter([True] * 5)
    remove_tree(staging / "folder", lambda: next(removed, False), seconds=0)
    left = [path for path in (staging / "folder").rglob("*") if path.is_file()]
    assert 30 <= len(left) < 41
    remove_unfinished(tmp_path, lambda: True)
    assert not staging.exists()
