"""A file is written whole or not at all."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from marscore.adapters.files.atomic import write_text
from marscore.errors import StorageError
from tests.unprivileged import own_folder


def test_text_is_written_in_utf8_with_its_own_ends_of_lines(tmp_path: Path) -> None:
    write_text(tmp_path / "new" / "report.json", ["ä\n", "b\r\n"], "cannot write")
    assert (tmp_path / "new" / "report.json").read_bytes() == "ä\nb\r\n".encode()


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt, OSError])
def test_the_old_text_stays_where_the_new_one_fails_halfway(tmp_path: Path, error: type[BaseException]) -> None:
    def chunks() -> Iterator[str]:
        yield "half of the new"
        raise error

    path = tmp_path / "report.json"
    path.write_text("old")
    with pytest.raises(StorageError if error is OSError else error):
        write_text(path, chunks(), "cannot write")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path], "nothing is left beside it"


@pytest.mark.parametrize("in_the_way", ["report.json", "folder"])
def test_what_is_in_the_way_is_named(tmp_path: Path, in_the_way: str) -> None:
    if in_the_way == "folder":
        (tmp_path / "folder").write_text("a file")
    else:
        (tmp_path / "folder" / "report.json").mkdir(parents=True)
    with pytest.raises(StorageError) as caught:
        write_text(tmp_path / "folder" / "report.json", ["x"], "cannot write the report")
    assert caught.value.failure.message.startswith("cannot write the report: ")
    assert not list(tmp_path.rglob(".*")), "nothing is left beside it"


def test_no_permission_is_named() -> None:
    with own_folder() as root:
        root.chmod(0o500)
        with pytest.raises(StorageError) as caught:
            write_text(root / "report.json", ["x"], "cannot write")
        assert caught.value.failure.kind == "permission"
        root.chmod(0o700)


@pytest.mark.skipif(sys.platform == "win32", reason="file modes are POSIX")
def test_the_file_is_as_readable_as_any_other(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "report.json", ["x"], "cannot write")
    finally:
        os.umask(before)
    assert (tmp_path / "report.json").stat().st_mode & 0o777 == 0o640
    (tmp_path / "report.json").chmod(0o604)
    write_text(tmp_path / "report.json", ["y"], "cannot write")
    assert (tmp_path / "report.json").stat().st_mode & 0o777 == 0o604, "what its owner made of it, stays"


def test_the_mask_of_the_process_which_all_its_threads_share_is_left_alone(tmp_path: Path) -> None:
    called: list[str] = []
    sys.setprofile(lambda _frame, event, function: called.append(function.__name__) if event == "c_call" else None)
    try:
        write_text(tmp_path / "report.json", ["x"], "cannot write")
    finally:
        sys.setprofile(None)
    assert "open" in called
    assert "umask" not in called


def test_a_name_as_long_as_the_system_takes_is_written(tmp_path: Path) -> None:
    write_text(tmp_path / ("r" * 255), ["x"], "cannot write")
    assert [len(path.name) for path in tmp_path.iterdir()] == [255]


def test_a_link_is_replaced_and_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("other")
    (tmp_path / "report.json").symlink_to("other")
    write_text(tmp_path / "report.json", ["x"], "cannot write")
    assert (tmp_path / "other").read_text() == "other"
