"""`marscore verify` says of each file in place whether it is what lock, manifest or state name; --fix fetches the rest."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.integration.command import Run, marscore, write
from tests.origin import Body, Origin

ONE, TWO, THREE = Body(50_000, seed=1), Body(3_000, seed=2), Body(70, seed=3, etag='"three"')


def verified(folder: Path, *arguments: str) -> Run:
    return marscore("verify", *arguments, cwd=folder)


def document(folder: Path, *arguments: str) -> dict[str, Any]:
    """What is found, as JSON."""
    run = verified(folder, *arguments, "--format", "json")
    found: dict[str, Any] = json.loads(run.out)
    schema = json.loads(marscore("schema", "verify", cwd=folder).out)
    jsonschema.validate(found, schema)
    assert run.code == (0 if found["status"] == "ok" else 1)
    return found


def wrong(found: dict[str, Any]) -> dict[str, tuple[str, str | None]]:
    return {file["path"]: (file["status"], file["by"]) for file in found["files"]}


@pytest.fixture
def three(origin: Origin, tmp_path: Path) -> Path:
    """A folder with three files in place: one with a checksum in the manifest, two without."""
    one, two, three = (origin.serve(f"/{name}.bin", body) for name, body in (("one", ONE), ("two", TWO), ("three", THREE)))
    write(tmp_path, [{"url": one, "checksum": f"sha256:{ONE.sha256}"}, {"url": two, "path": "sub/two.bin"}, three])
    assert marscore("run", "downloads.yaml", cwd=tmp_path).code == 0
    return tmp_path


def change(file: Path) -> None:
    """Flip a bit, as a failing disk does: size, time and inode stay."""
    status, data = file.stat(), bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    with file.open("r+b") as stream:
        stream.write(data)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_what_is_right_is_ok_and_no_server_is_asked(origin: Origin, three: Path) -> None:
    asked = len(origin.requests)
    run = verified(three, "downloads.yaml")
    assert (run.code, run.out) == (0, "3 files: 3 ok; 51.8 KiB hashed\n")
    assert document(three, "downloads.yaml")["totals"] == {
        **{"files": 3, "ok": 3, "missing": 0, "changed": 0, "unknown": 0, "unreadable": 0, "extra": 0},
        "bytes": 53_070,
    }
    assert len(origin.requests) == asked


def test_what_is_wrong_is_told_with_who_says_so(three: Path) -> None:
    change(three / "data" / "one.bin")
    change(three / "data" / "sub" / "two.bin")
    (three / "data" / "three.bin").unlink()
    found = document(three, "downloads.yaml")
    assert wrong(found) == {"one.bin": ("changed", "manifest"), "sub/two.bin": ("changed", "state"), "three.bin": ("missing", "state")}
    run = verified(three, "downloads.yaml")
    assert run.out.startswith("changed: one.bin: its sha256 is ")
    assert f"and the manifest names {ONE.sha256}\n" in run.out
    assert run.out.endswith("3 files: 0 ok, 1 missing, 2 changed; 51.8 KiB hashed\n")


def test_a_lock_goes_before_manifest_and_state(three: Path) -> None:
    assert marscore("lock", "downloads.yaml", cwd=three).code == 0
    change(three / "data" / "one.bin")
    with (three / "data" / "three.bin").open("ab") as file:
        file.write(b"x")
    assert wrong(document(three, "downloads.yaml")) == {"one.bin": ("changed", "lock"), "three.bin": ("changed", "lock")}
    assert wrong(document(three, "downloads.yaml", "--no-lock")) == {"one.bin": ("changed", "manifest"), "three.bin": ("changed", "state")}


def test_without_a_manifest(three: Path) -> None:
    assert marscore("lock", "downloads.yaml", cwd=three).code == 0
    change(three / "data" / "one.bin")
    (three / "data" / "three.bin").unlink()
    of_lock = document(three, "--lock", "downloads.lock", "--output-dir", "data")
    assert wrong(of_lock) == {"one.bin": ("changed", "lock"), "three.bin": ("missing", "lock")}
    # The state knows no names: what is gone, it cannot tell.
    assert wrong(document(three, "--output-dir", "data")) == {"one.bin": ("changed", "state")}
    run = verified(three)
    assert run.code == 2
    assert "has no state that would say what is there: name a manifest or a lock" in run.err


def test_what_nobody_knows_is_not_ok(origin: Origin, three: Path) -> None:
    # A file of another URL tells nothing of this one.
    write(three, [origin.url("/one.bin"), {"url": origin.url("/other.bin"), "path": "three.bin"}])
    assert wrong(document(three, "downloads.yaml")) == {"three.bin": ("unknown", None)}


def test_extra_files_are_told_where_that_is_asked_for(three: Path) -> None:
    (three / "data" / "sub" / "notes.txt").write_text("mine")
    (three / "data" / "link").symlink_to("one.bin")
    assert document(three, "downloads.yaml")["status"] == "ok"
    assert wrong(document(three, "downloads.yaml", "--extra")) == {"link": ("extra", None), "sub/notes.txt": ("extra", None)}


def test_names_are_told_as_one_line_and_links_to_folders_too(three: Path) -> None:
    data = three / "data"
    (data / "new\nchanged: c: FAKE").write_text("")
    (data / "folder").symlink_to("/etc")
    Path(os.fsdecode(os.fsencode(data) + b"/bad\xff")).write_text("")
    run = verified(three, "downloads.yaml", "--extra")
    assert (run.code, len(run.out.splitlines())) == (1, 4)
    assert {file["path"] for file in document(three, "downloads.yaml", "--extra")["files"]} >= {"folder"}
    assert verified(three, "downloads.yaml", "--extra", "--only", "one.bin").code == 2


@pytest.mark.parametrize("kind", ["link", "folder"])
def test_what_is_no_file_is_not_what_it_should_be(kind: str, three: Path) -> None:
    place = three / "data" / "three.bin"
    place.rename(three / "elsewhere")
    if kind == "link":
        place.symlink_to(three / "elsewhere")
    else:
        place.mkdir()
    assert wrong(document(three, "downloads.yaml")) == {"three.bin": ("changed", "state")}


def test_fix_fetches_what_is_wrong_and_nothing_else(origin: Origin, three: Path) -> None:
    for path in ("one.bin", "sub/two.bin"):
        change(three / "data" / path)
    (three / "data" / "three.bin").unlink()
    before = len(origin.requests)
    run = verified(three, "downloads.yaml", "--fix", "--only", "*.bin")
    assert run.code == 0
    assert run.out.endswith("hashed; all that was wrong is fetched\n")
    assert sorted(seen.target for seen in origin.requests[before:]) == ["/one.bin", "/three.bin", "/two.bin"]
    for path, body in (("one.bin", ONE), ("sub/two.bin", TWO), ("three.bin", THREE)):
        assert run.data(path) == body.read(0, body.length)
    before = len(origin.requests)
    assert verified(three, "downloads.yaml", "--fix").code == 0
    assert len(origin.requests) == before


def test_what_cannot_be_mended_stays_wrong(origin: Origin, three: Path) -> None:
    assert marscore("lock", "downloads.yaml", cwd=three).code == 0
    change(three / "data" / "three.bin")
    origin.serve("/three.bin", Body(70, seed=4))
    run = verified(three, "downloads.yaml", "--fix", "--report", "found.json")
    assert run.code == 1
    assert run.entry(0)["error"]["kind"] == "checksum"
    assert json.loads((three / "found.json").read_text())["status"] == "wrong"
    assert wrong(document(three, "downloads.yaml")) == {"three.bin": ("changed", "lock")}


def test_wrong_uses(three: Path) -> None:
    assert verified(three, "--fix").code == 2
    assert verified(three, "downloads.yaml", "--lock", "no.lock").code == 2
    assert verified(three, "missing.yaml").code == 2


def test_an_output_folder_that_is_not_there_has_nothing(three: Path) -> None:
    found = document(three, "downloads.yaml", "--output-dir", "nowhere")
    assert {status for status, _ in wrong(found).values()} == {"missing"}
    assert not (three / "nowhere").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_what_cannot_be_read_is_told(three: Path) -> None:
    (three / "data" / "one.bin").chmod(0)
    assert wrong(document(three, "downloads.yaml")) == {"one.bin": ("unreadable", "manifest")}


def test_an_archive_that_could_not_be_unpacked_is_counted_once(origin: Origin, tmp_path: Path) -> None:
    write(tmp_path, [{"url": origin.serve("/a.tgz", ONE), "unpack": True}])
    assert marscore("run", "downloads.yaml", cwd=tmp_path).code == 1
    totals = document(tmp_path, "downloads.yaml")["totals"]
    assert totals["ok"] >= 0
    assert totals["files"] == sum(totals[name] for name in ("ok", "missing", "changed", "unknown", "unreadable"))
