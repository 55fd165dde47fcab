"""Archives are unpacked once they are in place: what is there afterwards is read from the disk."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import marscore as package
from tests.disk import files_in
from tests.integration.archives import FILES, member, served, tar, zipped
from tests.integration.command import Process, Run, fetch, marscore, read_report, started, write
from tests.long import long
from tests.origin import Good, Origin

HASHES = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}


def below(prefix: str, hashes: dict[str, str] = HASHES) -> dict[str, str]:
    return {f"{prefix}/{name}": digest for name, digest in hashes.items()}


def hash_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def run(folder: Path, *arguments: str) -> Run:
    return marscore("run", "downloads.yaml", *arguments, cwd=folder)


def trees(folder: Path) -> dict[str, str]:
    """The files of the output folder but for archives."""
    return {path: digest for path, digest in files_in(folder / "data").items() if not path.endswith((".tar.gz", ".zip", ".tar"))}


def own(folder: Path) -> list[str]:
    """What is left of unpacking."""
    return sorted(path.name for path in (folder / "data/.marscore/unpack").glob("*"))


def error_of(found: Run, number: int = 0) -> tuple[str, str]:
    error = found.entry(number)["error"]
    return error["kind"], error["message"]


@pytest.mark.parametrize("name", ["a.tar.gz", "a.zip"])
def test_an_archive_is_unpacked_and_the_next_run_knows_it(origin: Origin, tmp_path: Path, name: str) -> None:
    url = origin.serve(f"/{name}", served(tar() if name.endswith("gz") else zipped()))
    first = fetch(tmp_path, {"url": url, "unpack": True})
    assert (first.code, trees(tmp_path), own(tmp_path)) == (0, below("a"), [])
    told = {"into": "a", "files": 4, "bytes": sum(map(len, FILES.values()))}
    assert (first.entry()["status"], first.entry()["unpacked"]) == ("downloaded", told)
    assert first.events("download_finished")[0]["unpacked"] == told
    asked, inode = len(origin.requests), (tmp_path / "data/a/top/readme.txt").stat().st_ino
    again = run(tmp_path)
    assert (again.code, again.entry()["status"], again.entry()["unpacked"], len(origin.requests)) == (0, "up_to_date", told, asked)
    assert (tmp_path / "data/a/top/readme.txt").stat().st_ino == inode, "nothing is unpacked again"
    for schema, found in (("report", [again.report, first.report]), ("event", first.events("download_finished"))):
        for each in found:
            jsonschema.validate(each, json.loads(marscore("schema", schema, cwd=tmp_path).out))


def test_it_goes_where_the_manifest_says_and_only_what_it_names(origin: Origin, tmp_path: Path) -> None:
    url = origin.serve("/a.tar.gz", served(tar()))
    more = {"defaults": {"unpack": {"strip": 1}}}
    found = fetch(tmp_path, {"url": url, "path": "x/y.tar.gz", "unpack": {"into": "tools/here", "only": ["top/bin", "*/*.txt"]}}, **more)
    assert found.code == 0
    assert trees(tmp_path) == {"tools/here/bin/tool": HASHES["top/bin/tool"], "tools/here/readme.txt": HASHES["top/readme.txt"]}
    each = {"url": origin.url("/{name}.tar.gz"), "each": {"name": ["a", "b"]}, "unpack": {"into": "of-{name}"}}
    origin.serve("/b.tar.gz", served(tar({"b": b"b"})))
    shutil.rmtree(tmp_path / "data")
    assert fetch(tmp_path, each).code == 0
    assert trees(tmp_path) == {**below("of-a"), "of-b/b": hash_of(b"b")}


@pytest.mark.parametrize("loss", ["missing", "changed", "folder"])
def test_what_is_missing_or_changed_is_unpacked_again_without_a_request(origin: Origin, tmp_path: Path, loss: str) -> None:
    url = origin.serve("/a.tar.gz", served(tar()))
    fetch(tmp_path, {"url": url, "unpack": True})
    file = tmp_path / "data/a/top/readme.txt"
    match loss:
        case "missing":
            file.unlink()
        case "changed":
            file.write_bytes(b"other\n")
        case "folder":
            shutil.rmtree(tmp_path / "data/a")
    asked = len(origin.requests)
    plan = json.loads(marscore("plan", "downloads.yaml", "--format", "json", cwd=tmp_path).out)
    assert [each["action"] for each in plan["downloads"]] == ["unpack"]
    again = run(tmp_path)
    assert (again.code, again.entry()["status"], trees(tmp_path), len(origin.requests)) == (0, "up_to_date", below("a"), asked)


def test_a_changed_archive_replaces_its_tree_and_nobody_else_s_files(origin: Origin, tmp_path: Path) -> None:
    url = origin.serve("/a.tar.gz", served(tar()))
    entry = {"url": url, "unpack": True, "if_exists": "refresh"}
    fetch(tmp_path, entry)
    (tmp_path / "data/a/top/mine.txt").write_text("mine")
    assert run(tmp_path).entry()["status"] == "up_to_date"
    origin.serve("/a.tar.gz", served(tar({"top/new": b"new"}), '"v2"'))
    assert run(tmp_path).entry()["status"] == "downloaded"
    assert trees(tmp_path) == {"a/top/new": hash_of(b"new"), "a/top/mine.txt": hash_of(b"mine")}
    (tmp_path / "data/a/top/new").unlink()
    assert run(tmp_path).entry()["status"] == "up_to_date", "a 304, and what is missing is unpacked again"
    assert "a/top/new" in trees(tmp_path)


def test_a_folder_of_somebody_else_is_left_alone(origin: Origin, tmp_path: Path) -> None:
    (tmp_path / "data/a/top").mkdir(parents=True)
    (tmp_path / "data/a/top/readme.txt").write_text("mine")
    found = fetch(tmp_path, {"url": origin.serve("/a.tar.gz", served(tar())), "unpack": True})
    assert found.code == 1
    kind, message = error_of(found)
    assert kind == "path"
    assert "top/readme.txt" in message
    assert trees(tmp_path) == {"a/top/readme.txt": hash_of(b"mine")}


@pytest.mark.parametrize("cached", [False, True])
def test_an_archive_that_is_not_kept_counts_as_there(origin: Origin, tmp_path: Path, cached: bool) -> None:
    content = tar()
    cache = {"cache": {"dir": "cache"}} if cached else {}
    entry = {"url": origin.serve("/a.tar.gz", served(content)), "checksum": f"sha256:{hash_of(content)}", "unpack": {"keep": False}}
    assert fetch(tmp_path, entry, **cache).entry()["status"] == "downloaded"
    assert files_in(tmp_path / "data") == below("a")
    asked = len(origin.requests)
    again = run(tmp_path)
    assert (again.code, again.entry()["status"], again.entry()["unpacked"]["files"], len(origin.requests)) == (0, "up_to_date", 4, asked)
    assert marscore("verify", "downloads.yaml", "--extra", cwd=tmp_path).code == 0
    # The archive is needed again, and comes from the cache if there is one.
    (tmp_path / "data/a/top/readme.txt").unlink()
    assert marscore("verify", "downloads.yaml", cwd=tmp_path).code == 1
    mended = run(tmp_path)
    assert (mended.entry()["status"], len(origin.requests) > asked) == (("cached", False) if cached else ("downloaded", True))
    assert files_in(tmp_path / "data") == below("a")
    # What is to be kept from now on, is fetched.
    kept = fetch(tmp_path, {**entry, "unpack": True}, **cache)
    assert (kept.code, hash_of(kept.data("a.tar.gz"))) == (0, hash_of(content))
    assert fetch(tmp_path, entry, **cache).code == 0
    assert files_in(tmp_path / "data") == below("a"), "and goes once it is not"


@pytest.mark.parametrize("mode", ["keep", "refresh", "replace", "fail"])
def test_if_exists_holds_for_an_archive_that_went(origin: Origin, tmp_path: Path, mode: str) -> None:
    entry = {"url": origin.serve("/a.tar.gz", served(tar())), "unpack": {"keep": False}, "if_exists": mode}
    assert fetch(tmp_path, entry).code == 0
    asked = len(origin.requests)
    again = run(tmp_path)
    wanted = {"keep": ("up_to_date", 0), "refresh": ("up_to_date", 1), "replace": ("downloaded", 1), "fail": ("failed", 0)}
    assert (again.entry()["status"], len(origin.requests) - asked) == wanted[mode]
    assert files_in(tmp_path / "data") == below("a")


def test_another_url_or_checksum_is_another_archive(origin: Origin, tmp_path: Path) -> None:
    one = origin.serve("/one.tar.gz", served(tar()))
    two = origin.serve("/two.tar.gz", served(tar({"two": b"2"})))
    unpack = {"path": "a.tar.gz", "unpack": {"keep": False}}
    fetch(tmp_path, {"url": one, **unpack})
    assert fetch(tmp_path, {"url": two, **unpack}).entry()["status"] == "downloaded"
    assert trees(tmp_path) == {"a/two": hash_of(b"2")}
    assert fetch(tmp_path, {"url": two, **unpack, "checksum": "sha256:" + "0" * 64}).code == 1
    assert trees(tmp_path) == {"a/two": hash_of(b"2")}, "what failed replaces nothing"


@pytest.mark.parametrize("how", ["strip", "only", "into"])
def test_another_way_to_unpack_is_carried_out(origin: Origin, tmp_path: Path, how: str) -> None:
    url = origin.serve("/a.tar.gz", served(tar()))
    fetch(tmp_path, {"url": url, "unpack": True})
    asked = len(origin.requests)
    changed: dict[str, Any] = {"strip": {"strip": 1}, "only": {"only": "top/bin"}, "into": {"into": "b"}}[how]
    assert fetch(tmp_path, {"url": url, "unpack": changed}).code == 0
    assert len(origin.requests) == asked
    wanted = {
        "strip": {path.replace("a/top", "a"): digest for path, digest in below("a").items()},
        "only": {"a/top/bin/tool": HASHES["top/bin/tool"]},
        "into": {**below("a"), **below("b")},
    }
    assert trees(tmp_path) == wanted[how]


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "..": (lambda: tar({"../../evil": b"x"}), "path"),
    "absolute": (lambda: tar({"/tmp/marscore-evil": b"x"}), "path"),
    "symlink": (lambda: tar({}, member("l", b"2", "../../..")), "path"),
    "device": (lambda: tar({}, member("d", b"3")), "path"),
    "bomb": (lambda: tar({"zeros": bytes(30_000_000)}), "too_large"),
    "cut": (lambda: tar()[:-30], "archive"),
    "page": (lambda: b"<html>log in</html>" * 40, "archive"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_or_damaged_archive_fails_its_download_and_nothing_of_it_is_there(origin: Origin, tmp_path: Path, name: str) -> None:
    make, kind = HOSTILE[name]
    honest = {"url": origin.serve("/good.zip", served(zipped())), "unpack": True}
    found = fetch(tmp_path, {"url": origin.serve("/bad.tar.gz", served(make())), "unpack": True}, honest)
    assert (found.code, error_of(found)[0], found.entry(1)["status"]) == (1, kind, "downloaded")
    assert (trees(tmp_path), own(tmp_path)) == (below("good"), [])
    assert {path.name for path in tmp_path.iterdir()} == {"data", "downloads.yaml"}
    assert not Path("/tmp/marscore-evil").exists()


def test_a_damaged_archive_that_nobody_vouches_for_is_fetched_again(origin: Origin, tmp_path: Path) -> None:
    url = origin.serve("/a.tar.gz", served(random.Random(2).randbytes(6_000_000)))
    assert fetch(tmp_path, {"url": url, "unpack": True}).code == 1
    origin.serve("/a.tar.gz", served(tar(), '"v2"'))
    assert run(tmp_path).code == 0
    assert trees(tmp_path) == below("a")


def test_verify_names_what_is_wrong_with_a_tree_and_mends_it(origin: Origin, tmp_path: Path) -> None:
    url = origin.serve("/a.tar.gz", served(tar(FILES, member("top/l", b"2", "bin/tool"))))
    fetch(tmp_path, {"url": url, "unpack": True})
    assert marscore("verify", "downloads.yaml", "--extra", cwd=tmp_path).code == 0
    assert marscore("verify", "--output-dir", "data", "--extra", cwd=tmp_path).code == 0
    one, two = tmp_path / "data/a/top/readme.txt", tmp_path / "data/a/top/data/empty"
    status = one.stat()
    with one.open("r+b") as file:
        file.write(b"HELLO")
    os.utime(one, ns=(status.st_atime_ns, status.st_mtime_ns))
    two.unlink()
    (tmp_path / "data/a/top/l").unlink()
    (tmp_path / "data/a/stranger").write_text("x")
    for arguments in (("downloads.yaml",), ("--output-dir", "data")):
        found = marscore("verify", *arguments, "--extra", "--format", "json", cwd=tmp_path)
        assert found.code == 1
        assert {file["path"]: file["status"] for file in json.loads(found.out)["files"]} == {
            **{"a/top/readme.txt": "changed", "a/top/data/empty": "missing", "a/top/l": "missing", "a/stranger": "extra"}
        }
    asked = len(origin.requests)
    assert marscore("verify", "downloads.yaml", "--fix", cwd=tmp_path).code == 0
    assert len(origin.requests) == asked, "the archive is right"
    assert trees(tmp_path) == {**below("a"), "a/top/l": HASHES["top/bin/tool"], "a/stranger": hash_of(b"x")}
    (tmp_path / "data/a.tar.gz").write_bytes(b"other")
    assert marscore("verify", "downloads.yaml", "--fix", cwd=tmp_path).code == 0
    assert marscore("verify", "downloads.yaml", cwd=tmp_path).code == 0


def test_a_tree_of_another_archive_is_named(origin: Origin, tmp_path: Path) -> None:
    content = tar()
    url = origin.serve("/a.tar.gz", served(content))
    fetch(tmp_path, {"url": url, "unpack": True})
    write(tmp_path, [{"url": url, "unpack": {"strip": 1}}])
    assert "changed: a: " in marscore("verify", "downloads.yaml", cwd=tmp_path).out
    write(tmp_path, [{"url": url, "unpack": {"into": "b"}}])
    assert "missing: b: " in marscore("verify", "downloads.yaml", cwd=tmp_path).out


def test_a_restored_folder_is_known_by_its_content(origin: Origin, tmp_path: Path) -> None:
    fetch(tmp_path, {"url": origin.serve("/a.tar.gz", served(tar())), "unpack": True})
    shutil.copytree(tmp_path / "data", tmp_path / "copy")
    shutil.rmtree(tmp_path / "data")
    (tmp_path / "copy").rename(tmp_path / "data")
    asked, inode = len(origin.requests), (tmp_path / "data/a/top/readme.txt").stat().st_ino
    assert run(tmp_path).entry()["status"] == "up_to_date"
    assert ((tmp_path / "data/a/top/readme.txt").stat().st_ino, len(origin.requests)) == (inode, asked)


def test_offline_unpacks_what_is_there(origin: Origin, tmp_path: Path) -> None:
    fetch(tmp_path, {"url": origin.serve("/a.tar.gz", served(tar())), "unpack": True})
    shutil.rmtree(tmp_path / "data/a")
    assert run(tmp_path, "--offline").code == 0
    assert trees(tmp_path) == below("a")


COLLIDING = {
    "two into one": [{"url": "http://h/a.zip", "unpack": True}, {"url": "http://h/b.zip", "unpack": {"into": "A"}}],
    "into another's path": [{"url": "http://h/a.zip"}, {"url": "http://h/b.zip", "unpack": {"into": "a.zip"}}],
    "another's path inside": [{"url": "http://h/a.zip", "unpack": True}, {"url": "http://h/f", "path": "a/f"}],
    "another's path inside, before it": [{"url": "http://h/f", "path": "a/f"}, {"url": "http://h/a.zip", "unpack": True}],
    "one in the other": [{"url": "http://h/a.zip", "unpack": True}, {"url": "http://h/b.zip", "unpack": {"into": "a/b"}}],
    "around the archive": [{"url": "http://h/a.zip", "path": "x/a.zip", "unpack": {"into": "x"}}],
    "outside": [{"url": "http://h/a.zip", "unpack": {"into": "../x"}}],
    "in our own": [{"url": "http://h/a.zip", "unpack": {"into": ".marscore/x"}}],
    "no suffix": [{"url": "http://h/a", "unpack": True}],
    "set-uid": [{"url": "http://h/a.zip", "unpack": {"strip": -1}}],
}


@pytest.mark.parametrize("name", COLLIDING)
def test_places_that_collide_are_errors_of_the_manifest(tmp_path: Path, name: str) -> None:
    write(tmp_path, COLLIDING[name])
    found = run(tmp_path)
    assert (found.code, (tmp_path / "data").exists()) == (2, False)
    assert "downloads.yaml:" in found.err


NOISE = random.Random(3).randbytes(6_000_000)


@lru_cache(maxsize=1)
def large(many: int = 15_000) -> bytes:
    """An archive that takes seconds to unpack, and is large enough that what came of it is recorded while it comes."""
    return tar({"noise": NOISE, **{f"d{number % 100}/f{number}": b"%d" % number for number in range(many)}})


def start(folder: Path) -> Process:
    return started("run", "downloads.yaml", cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def when_staged(folder: Path, process: Process) -> None:
    """Wait until it unpacks."""
    until = time.monotonic() + 60
    while not any(path.is_file() for path in (folder / "data/.marscore/unpack").glob("*/*")):
        assert process.poll() is None, "it is over"
        assert time.monotonic() < until, "it never unpacks"
        time.sleep(0.005)


@pytest.mark.parametrize("kill", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=long)])
def test_a_run_that_ends_while_it_unpacks_leaves_no_half_and_the_next_ends_right(origin: Origin, tmp_path: Path, kill: int) -> None:
    many = 6_000
    write(tmp_path, [{"url": origin.serve("/a.tar.gz", served(large(many))), "unpack": True}])
    process = start(tmp_path)
    when_staged(tmp_path, process)
    told = time.monotonic()
    process.send_signal(kill)
    process.communicate(timeout=60)
    assert not (tmp_path / "data/a").exists()
    if kill == signal.SIGTERM:
        assert process.returncode == 143
        assert time.monotonic() - told < 15
        assert read_report(tmp_path / "data")["downloads"][0]["status"] == "interrupted"
    asked = len(origin.requests)
    again = run(tmp_path)
    assert (again.code, len(origin.requests)) == (0, asked), "the archive is there, and proven"
    found = files_in(tmp_path / "data/a")
    assert (len(found), found["noise"], found["d7/f107"]) == (many + 1, hash_of(NOISE), hash_of(b"107"))
    assert own(tmp_path) == []


def test_a_deadline_ends_unpacking_too(origin: Origin, tmp_path: Path) -> None:
    url = origin.serve("/a.tar.gz", served(large()))
    found = fetch(tmp_path, {"url": url, "unpack": True}, execution={"deadline": "700ms"})
    assert (found.code, error_of(found)[0]) == (1, "timeout")
    assert not (tmp_path / "data/a").exists()


def test_other_downloads_go_on_while_an_archive_is_unpacked(origin: Origin, tmp_path: Path) -> None:
    archive = {"url": origin.serve("/a.tar.gz", served(large(8_000))), "unpack": True}
    others = [origin.serve(f"/f{number}", served(f"{number}".encode()), script=[Good(delay_s=0.1)]) for number in range(20)]
    found = fetch(tmp_path, archive, *others, execution={"threads": 2, "processes": 1})
    assert found.code == 0
    ends = [event["download"] for event in found.events("download_finished")]
    assert ends.index("downloads[0]") > 5


@pytest.mark.parametrize(
    ("first", "second", "where", "why"),
    [
        ("path: a/x", "unpack: {into: a}", "downloads[1].unpack.into", "must hold nothing else, and a file of downloads[0] lies in it"),
        ("path: A/x", "unpack: {into: a/b/..x}", None, None),
        ("path: A/x", "unpack: {into: a}", "downloads[1].unpack.into", "must hold nothing else, and a file of downloads[0] lies in it"),
        ("unpack: {into: a}", "path: a/b/x", "downloads[1].path", "in the folder that downloads[0] is unpacked into"),
        (
            "unpack: {into: a}",
            "unpack: {into: a/b}",
            "downloads[1].unpack.into",
            "must not be in the folder that downloads[0] is unpacked into",
        ),
        (
            "unpack: {into: a/b}",
            "unpack: {into: a}",
            "downloads[1].unpack.into",
            "must hold nothing else, and a file of downloads[0] lies in it",
        ),
        ("path: a", "unpack: {into: a/b}", "downloads[1].unpack.into", "must not be where the file of downloads[0] is"),
    ],
)
def test_folders_of_archives_that_meet_what_is_another_s_are_refused_with_both_places(
    tmp_path: Path, first: str, second: str, where: str | None, why: str | None
) -> None:
    one, two = "url: https://e.com/one.zip", "url: https://e.com/two.zip"
    text = f"version: 1\ndownloads:\n  - {one}\n    {first}\n  - {two}\n    {second}\n"
    (tmp_path / "downloads.yaml").write_text(text)
    done = marscore("validate", "downloads.yaml", cwd=tmp_path)
    if where is None:
        assert done.code == 0, done.err
        return
    assert done.code == 2
    assert f"{where}: {why}\n" in done.err
    assert re.search(r"stands at downloads\.yaml:[34]:\d+\n", done.err), done.err


@pytest.mark.parametrize("name", ["a.tar.zst", "A.TZST"])
def test_an_archive_that_takes_an_extra_is_refused_without_it_before_anything_is_fetched(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    write(tmp_path, [origin.serve("/other", served(b"other")), {"url": origin.url(f"/{name}"), "unpack": True}])
    monkeypatch.setitem(sys.modules, "zstandard", None)
    for verb in (package.run, package.plan):
        with pytest.raises(package.ManifestError, match=r"downloads\[1\]\.unpack: takes a package that reads zstd: pip install zstandard"):
            verb(tmp_path / "downloads.yaml")
    assert not origin.requests
    assert package.run(tmp_path / "downloads.yaml", package.RunSettings(only=("other",))).exit_code == 0
