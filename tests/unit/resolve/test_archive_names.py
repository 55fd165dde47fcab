"""Names and links of archives: nothing that is let through leaves its folder, whatever a file system makes of it."""

from __future__ import annotations

import os
import posixpath
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marscore.resolve.archive_names import EscapeError, Links, as_written, chosen, folded, mode_of, parts_of, stripped
from tests.long import examples

PART = st.sampled_from(["a", "b", "A", "..", ".", "", "c:", "con", "é", "x" * 300, " ", "a\0", "\\", "C:"])
NAME = st.lists(PART, min_size=1, max_size=6).map("/".join)


@given(NAME | st.text(max_size=30))
def test_a_name_that_is_taken_stays_inside(name: str) -> None:
    try:
        parts = parts_of(name)
    except EscapeError:
        return
    assert not posixpath.normpath(posixpath.join("/root", name)).startswith("/root/..")
    assert posixpath.join("/root", *parts) == posixpath.normpath(posixpath.join("/root", name))
    assert not {"", ".", ".."} & set(parts)


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "//x", "../x", "a/../../x", "a/..", "C:\\x", "c:/x", "a\0b", "..", "a/" + "b" * 256, "a/" * 3000, "a/" * 501]
)
def test_a_name_that_leaves_the_folder_or_is_none_is_refused(name: str) -> None:
    with pytest.raises(EscapeError):
        parts_of(name)


@pytest.mark.parametrize("name", ["a:b", "nul", "a/COM1.txt", "a.", "a ", "\\x", "a\\b", "x/.", "C:x"])
def test_what_windows_takes_for_something_else_is_refused_there(name: str) -> None:
    parts_of(name)
    if name != "x/.":
        with pytest.raises(EscapeError):
            parts_of(name, "windows")


@pytest.mark.parametrize(
    ("name", "strip", "left"), [("a/b/c", 1, ("b", "c")), ("./a/b", 1, ("b",)), ("a", 1, None), ("a//b/", 0, ("a", "b"))]
)
def test_parts_are_stripped_as_tar_does(name: str, strip: int, left: tuple[str, ...] | None) -> None:
    assert stripped(parts_of(name), strip) == left


@pytest.mark.parametrize(
    ("glob", "takes", "leaves"),
    [
        ("bin/*", ["bin/a", "bin/a/b"], ["bin", "sbin/a"]),
        ("bin", ["bin", "bin/a/b"], ["bins", "a/bin"]),
        ("**/*.txt", ["a.txt", "a/b/c.txt"], ["a.txtx", "a.md"]),
        ("*.txt", ["a.txt"], ["a/b.txt"]),
        ("a?c", ["abc"], ["a/c", "ac"]),
        ("./a.b/", ["a.b", "a.b/c"], ["axb"]),
    ],
)
def test_globs_choose_files_and_all_that_is_below_them(glob: str, takes: list[str], leaves: list[str]) -> None:
    assert all(chosen(tuple(path.split("/")), [glob]) for path in takes)
    assert not any(chosen(tuple(path.split("/")), [glob]) for path in leaves)


def links(**targets: str) -> Links:
    return Links({tuple(path.split("/")): target for path, target in targets.items()})


@pytest.mark.parametrize(
    "targets",
    [
        {"a": "/etc"},
        {"a": ".."},
        {"a/b": "../../x"},
        {"a": "b/../../x"},
        {"a": ""},
        {"a": "x\0"},
        {"a": "c:/x"},
        # Through others: each alone stays inside.
        {"d/e/in": "../..", "d/out": "e/in/../x"},
        {"a": "b", "b": "a"},
        {"a": "a"},
        {"x/y/l": "../../z", "m": "x/y/l/../../.."},
    ],
)
def test_a_link_that_leads_out_of_the_folder_is_refused(targets: dict[str, str]) -> None:
    with pytest.raises(EscapeError):
        links(**targets).check([])


@pytest.mark.parametrize(
    "targets", [{"a": "b"}, {"a/b": "../c"}, {"a": "."}, {"a": "b/../c"}, {"a/l": "..", "m": "a/l/x"}, {"lib/a": "a.1", "lib/a.1": "a.1.2"}]
)
def test_a_link_that_stays_inside_is_allowed(targets: dict[str, str]) -> None:
    links(**targets).check([("c",)])


def test_nothing_lies_below_a_link() -> None:
    with pytest.raises(EscapeError, match="a/b lies below a link"):
        links(a="c").check([("a", "b")])
    with pytest.raises(EscapeError, match="a/b lies below a link"):
        links(**{"a": "c", "a/b": "d"}).check([])


def test_where_case_counts_for_nothing_it_counts_for_nothing_in_links() -> None:
    """Through `l`, which there is the link `L`, `..` would lead out."""
    targets = {("L",): ".", ("a", "m"): "../l/../x"}
    Links(targets, as_written).check([])
    with pytest.raises(EscapeError):
        Links(targets, folded).check([])


STEP = st.sampled_from(["a", "b", "c", "..", "."])
TARGETS = st.dictionaries(
    st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3).map(tuple),
    st.lists(STEP, min_size=1, max_size=5).map("/".join),
    max_size=4,
)


@given(TARGETS)
@settings(max_examples=examples(300), deadline=None)
def test_what_is_let_through_stays_inside_on_a_real_file_system(
    tmp_path_factory: pytest.TempPathFactory, targets: dict[tuple[str, ...], str]
) -> None:
    try:
        Links(targets).check([])
    except EscapeError:
        return
    root = Path(os.path.realpath(tmp_path_factory.mktemp("root"))) / "in" / "here"
    for path in targets:
        root.joinpath(*path[:-1]).mkdir(parents=True, exist_ok=True)
    for path, target in targets.items():
        root.joinpath(*path).symlink_to(target)
    for path in targets:
        assert Path(os.path.realpath(root.joinpath(*path))).is_relative_to(root)


@pytest.mark.parametrize(
    ("bits", "wanted"), [(0o4755, 0o755), (0o777, 0o755), (0o000, 0o600), (0o666, 0o644), (0o611, 0o600), (0o7777, 0o755), (0o411, 0o600)]
)
def test_modes_are_those_of_the_data_filter(bits: int, wanted: int) -> None:
    assert mode_of(bits) == wanted
