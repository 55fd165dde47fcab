"""The lock's text: what is written is read back, and what a hand or a merge did to it is told at its line."""

from __future__ import annotations

import contextlib
import json
import string

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marscore.errors import ManifestError
from marscore.lockfile.changes import changes
from marscore.lockfile.model import Lock, LockedFile
from marscore.lockfile.schema import lock_schema
from marscore.lockfile.text import read_lock, write_lock

SHA = "ab" * 32
ONE = LockedFile("a/one.bin", "https://example.com/one.bin?v=${V}", SHA, 10, '"e"', "Thu, 26 Nov 2026 20:29:25 GMT")
TWO = LockedFile("two.bin", "https://example.com/two.bin", "cd" * 32)
TEXT = "".join(write_lock([TWO, ONE]))

_hex = st.text("0123456789abcdef", min_size=64, max_size=64)
_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_files = st.builds(
    LockedFile,
    path=st.text(string.ascii_lowercase + "é日", min_size=2, max_size=8),
    url=_texts,
    sha256=_hex,
    size=st.none() | st.integers(0, 2**63 - 1),
    etag=st.none() | _texts,
    last_modified=st.none() | _texts,
)


def problem(text: str) -> str:
    with pytest.raises(ManifestError) as caught:
        read_lock(text, "downloads.lock")
    return str(caught.value)


def test_one_download_stands_in_one_line_in_the_order_of_paths() -> None:
    lines = TEXT.splitlines()
    assert lines[0] == '{"schema": "marscore/lock/v1", "downloads": ['
    assert [json.loads(line.rstrip(","))["path"] for line in lines[1:-1]] == ["a/one.bin", "two.bin"]
    assert lines[-1] == "]}"
    # What is not known is left out.
    assert set(json.loads(lines[2])) == {"path", "url", "checksum"}
    jsonschema.validate(json.loads(TEXT), lock_schema())


def test_an_empty_lock_is_one() -> None:
    assert read_lock("".join(write_lock([])), "x").files == {}


@given(files=st.lists(_files, max_size=5, unique_by=lambda file: file.path))
def test_what_was_written_is_read_back(files: list[LockedFile]) -> None:
    text = "".join(write_lock(files))
    assert read_lock(text, "x").files == {file.path: file for file in files}
    assert len(text.splitlines() if all(map(str.isprintable, text.replace("\n", ""))) else files) >= len(files)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (TEXT.replace('{"path": "two', '<<<<<<< HEAD\n{"path": "two'), "downloads.lock:3:1: is the mark of a merge conflict"),
        (TEXT + ">>>>>>> theirs\n", "downloads.lock:5:1: is the mark of a merge conflict"),
        (TEXT.replace(SHA, SHA.upper()), "downloads.lock:2:"),
        (TEXT.replace(SHA, "12"), "downloads[0].checksum: must be sha256: and 64 hexadecimal digits"),
        (TEXT.replace("sha256:" + SHA, "md5:" + "0" * 32), "downloads[0].checksum: must be sha256:"),
        (TEXT.replace('"size": 10', '"size": "10"'), "downloads.lock:2:"),
        (TEXT.replace('"size": 10', '"size": -1'), "downloads[0].size: must be a whole number of bytes"),
        (TEXT.replace('"size": 10', '"size": true'), "downloads[0].size: must be a whole number of bytes"),
        (TEXT.replace('"two.bin", "url"', '"a/one.bin", "url"'), "downloads.lock:3:10: downloads[1].path: stands in another line too"),
        (TEXT.replace("two.bin", "../two.bin"), "downloads[1].path:"),
        (TEXT.replace('"path": "two.bin", ', ""), "downloads.lock:3:1: downloads[1].path: is missing"),
        (TEXT.replace('"path": "two.bin"', '"path": 2'), "downloads[1].path: must be text"),
        (TEXT.replace('"path": "two.bin"', '"path": "two.bin", "path": "three.bin"'), "downloads.lock:3:"),
        (TEXT.replace("lock/v1", "lock/v2"), "downloads.lock:1:12: schema: must be marscore/lock/v1; a lock of a later version"),
        (TEXT.replace("]}", "]"), "downloads.lock:5:1: is not JSON"),
        (TEXT.replace('"size": 10', '"etag2": 1, "size": 10').replace('\\"e\\"', "\\ud800"), "downloads[0].etag: must be text"),
        ("", "is not JSON"),
        ("[]", "is not a lock"),
        ("{}", "schema: must be"),
        ('{"schema": "marscore/lock/v1"}', "downloads: must be a list"),
        ('{"schema": "marscore/lock/v1", "downloads": {}}', "downloads: must be a list"),
        ('{"schema": "marscore/lock/v1", "downloads": [1]}', "downloads[0]: must be a mapping"),
        ("[" * 100_000, "is not"),
    ],
)
def test_what_is_wrong_is_told_at_its_line(text: str, told: str) -> None:
    assert told in problem(text)


def test_all_that_is_wrong_is_told_at_once() -> None:
    told = problem(TEXT.replace(SHA, "12").replace('"path": "two.bin"', '"path": 2')).splitlines()
    assert [line.split(":")[1] for line in told if not line.startswith(" ")] == ["2", "3"]


def test_fields_of_later_versions_are_no_error() -> None:
    assert read_lock(TEXT.replace('"path": "two', '"mode": "0755", "path": "two'), "x").files["two.bin"] == TWO


@given(st.text(max_size=40) | st.just(TEXT).flatmap(lambda text: st.integers(0, len(text)).map(lambda at: text[:at] + text[at + 1 :])))
def test_any_text_is_a_lock_or_an_error(text: str) -> None:
    with contextlib.suppress(ManifestError):
        read_lock(text, "x")


def test_changes_are_told_in_words() -> None:
    old = Lock(
        "old", {"gone": LockedFile("gone", "u", SHA, 5), "same": LockedFile("same", "u", SHA, 5), "new": LockedFile("new", "u", SHA, 5)}
    )
    new = Lock("new", {"same": LockedFile("same", "u", SHA, 5, '"other"'), "new": LockedFile("new", "v", "cd" * 32, 6), "more": TWO})
    assert list(changes(old, new)) == [
        f"removed gone: it was 5 B (5 bytes), sha256 {SHA[:12]}…, from u",
        "added more: of unknown size, sha256 cdcdcdcdcdcd…, from https://example.com/two.bin",
        f"changed new: size 5 -> 6, sha256 {SHA[:12]}… -> cdcdcdcdcdcd…, URL u -> v",
    ]
