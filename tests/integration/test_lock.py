"""`marscore lock` writes down what each file is, and a run with a lock beside its manifest fetches exactly that, or fails."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

import marscore as package
from tests.integration.command import Run, marscore, write
from tests.origin import Body, Origin, Status

ONE, TWO, OTHER = Body(50_000, seed=1), Body(3_000, seed=2), Body(50_000, seed=3, etag='"v2"')


def sha256(body: Body) -> str:
    return hashlib.sha256(body.read(0, body.length)).hexdigest()


def lines(folder: Path, name: str = "downloads.lock") -> dict[str, dict[str, Any]]:
    """What a lock says, by path."""
    return {line["path"]: line for line in json.loads((folder / name).read_text())["downloads"]}


def locked(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> Run:
    return marscore("lock", "downloads.yaml", *arguments, cwd=folder, env=env)


@pytest.fixture
def two(origin: Origin, tmp_path: Path) -> Path:
    """A folder whose manifest lists two files, and their lock."""
    urls = [origin.serve("/one.bin", ONE), origin.serve("/two.bin", TWO)]
    write(tmp_path, [urls[0], {"url": urls[1], "path": "sub/two.bin", "tags": ["second"]}])
    run = locked(tmp_path)
    assert run.code == 0, run.err
    return tmp_path


def test_it_fetches_what_it_does_not_know_and_writes_it_down(origin: Origin, two: Path) -> None:
    assert lines(two) == {
        path: {
            "path": path,
            "url": origin.url(url),
            "size": body.length,
            "checksum": f"sha256:{sha256(body)}",
            "etag": body.etag,
            "last_modified": body.last_modified,
        }
        for path, url, body in (("one.bin", "/one.bin", ONE), ("sub/two.bin", "/two.bin", TWO))
    }
    assert (two / "data" / "one.bin").read_bytes() == ONE.read(0, ONE.length)
    before = (two / "downloads.lock").stat()
    again = locked(two)
    assert (again.code, again.out) == (0, "downloads.lock: 2 downloads, 0 changed\n")
    # Nothing was asked, and nothing written.
    assert len(origin.requests) == 2
    assert (two / "downloads.lock").stat() == before


def test_a_checksum_of_the_manifest_is_enough(tmp_path: Path) -> None:
    write(
        tmp_path,
        [
            {"url": "http://127.0.0.1:9/a.bin", "checksum": f"sha256:{sha256(ONE)}", "size": ONE.length},
        ],
    )
    assert locked(tmp_path).code == 0
    assert lines(tmp_path) == {
        "a.bin": {"path": "a.bin", "url": "http://127.0.0.1:9/a.bin", "size": ONE.length, "checksum": f"sha256:{sha256(ONE)}"}
    }
    assert not (tmp_path / "data").exists()


def test_files_in_place_are_taken_as_they_are(origin: Origin, tmp_path: Path) -> None:
    write(tmp_path, [origin.serve("/one.bin", ONE)])
    assert marscore("run", "downloads.yaml", cwd=tmp_path).code == 0
    assert locked(tmp_path).code == 0
    assert lines(tmp_path)["one.bin"]["checksum"] == f"sha256:{sha256(ONE)}"
    assert len(origin.requests) == 1


def test_a_file_that_is_another_now_fails_and_says_that_the_lock_named_it(origin: Origin, two: Path) -> None:
    (two / "data" / "one.bin").unlink()
    origin.serve("/one.bin", OTHER)
    run = marscore("run", "downloads.yaml", cwd=two)
    assert run.code == 1
    assert run.entry(0)["error"]["kind"] == "checksum"
    assert f"the lock names {sha256(ONE)}" in run.entry(0)["error"]["message"]
    assert not (two / "data" / "one.bin").exists()
    assert run.entry(1)["status"] == "up_to_date"
    origin.serve("/one.bin", Body(40_000, seed=4))
    run = marscore("run", "downloads.yaml", cwd=two)
    assert (run.entry(0)["error"]["kind"], run.code) == ("checksum", 1)
    assert "40000 bytes and the lock names 50000" in run.entry(0)["error"]["message"]
    assert marscore("run", "downloads.yaml", "--no-lock", cwd=two).code == 0


def test_a_file_in_place_that_is_not_what_the_lock_names_is_fetched_again(origin: Origin, two: Path) -> None:
    (two / "data" / "one.bin").write_bytes(OTHER.read(0, OTHER.length))
    run = marscore("run", "downloads.yaml", cwd=two)
    assert (run.code, run.entry(0)["status"]) == (0, "downloaded")
    assert run.data("one.bin") == ONE.read(0, ONE.length)
    assert [seen.fields.get("if-none-match") for seen in origin.requests_for("/one.bin")] == [None, None]


def test_what_the_lock_lacks_is_fetched_with_a_warning(origin: Origin, two: Path) -> None:
    added = origin.serve("/three.bin", TWO)
    write(two, [origin.url("/one.bin"), {"url": origin.url("/two.bin"), "path": "sub/two.bin"}, added])
    run = marscore("run", "downloads.yaml", cwd=two)
    assert run.code == 0
    [warning] = run.events("not_locked")
    assert {"level": "warning", "download": "downloads[2]", "path": "three.bin"}.items() <= warning.items()


def problems(run: Run) -> list[str]:
    # Below each there may be its line and what helps.
    return [line for line in run.err.splitlines() if not line.startswith(" ")]


def test_locked_starts_nothing_unless_the_lock_covers_the_manifest_exactly(origin: Origin, two: Path) -> None:
    run = marscore("run", "downloads.yaml", "--locked", cwd=two)
    assert run.code == 0
    (two / "data" / "one.bin").unlink()
    asked = len(origin.requests)
    write(
        two,
        [origin.url("/other.bin"), {"url": origin.url("/one.bin"), "path": "one.bin"}, {"url": origin.url("/x"), "path": "sub/two.bin"}],
    )
    run = marscore("run", "downloads.yaml", "--locked", cwd=two)
    assert run.code == 2
    assert problems(run) == [
        "downloads.yaml:4:3: downloads[0]: is not in the lock (other.bin)",
        f"downloads.yaml:7:3: downloads[2]: comes from another URL in the lock, {origin.url('/two.bin')}",
    ]
    write(two, [origin.url("/one.bin")])
    run = marscore("run", "downloads.yaml", "--locked", cwd=two)
    assert (run.code, problems(run)) == (2, ["downloads.yaml: the lock names sub/two.bin, which the manifest does not"])
    (two / "downloads.lock").unlink()
    run = marscore("run", "downloads.yaml", "--locked", cwd=two)
    assert (run.code, problems(run)) == (2, ["downloads.lock: there is no lock: `marscore lock` makes one"])
    assert len(origin.requests) == asked
    assert not (two / "data" / "one.bin").exists()


def test_only_some_downloads_of_a_locked_manifest(origin: Origin, two: Path) -> None:
    (two / "data" / "sub" / "two.bin").unlink()
    run = marscore("run", "downloads.yaml", "--locked", "--only", "second", cwd=two)
    assert (run.code, [entry["path"] for entry in run.report["downloads"]]) == (0, ["sub/two.bin"])


def test_a_manifest_that_says_otherwise_than_its_lock_is_wrong(origin: Origin, two: Path) -> None:
    write(
        two,
        [
            {"url": origin.url("/one.bin"), "checksum": f"sha256:{sha256(OTHER)}"},
            {"url": origin.url("/two.bin"), "size": 5, "path": "sub/two.bin"},
        ],
    )
    run = marscore("run", "downloads.yaml", cwd=two)
    assert run.code == 2
    assert "downloads[0]: has another sha256 in the lock" in run.err
    assert "downloads[1]: has another size in the lock, 3000 bytes" in run.err
    assert locked(two, "--check").code == 1
    # The manifest is the newer one: what it says now is taken.
    write(
        two,
        [
            {"url": origin.serve("/one.bin", OTHER), "checksum": f"sha256:{sha256(OTHER)}"},
            {"url": origin.url("/two.bin"), "path": "sub/two.bin"},
        ],
    )
    assert locked(two).code == 0
    assert lines(two)["one.bin"]["checksum"] == f"sha256:{sha256(OTHER)}"


def test_bytes_of_an_earlier_url_are_not_locked_as_those_of_a_new_one(origin: Origin, two: Path) -> None:
    write(two, [{"url": origin.serve("/new.bin", OTHER), "path": "one.bin"}, {"url": origin.url("/two.bin"), "path": "sub/two.bin"}])
    run = marscore("run", "downloads.yaml", cwd=two)
    assert (run.code, [event["path"] for event in run.events("url_changed")]) == (0, ["one.bin"])
    assert locked(two).code == 0
    assert lines(two)["one.bin"]["checksum"] == f"sha256:{sha256(OTHER)}"
    assert (two / "data" / "one.bin").read_bytes() == OTHER.read(0, OTHER.length)


def test_ways_to_ask_for_a_lock(two: Path) -> None:
    run = marscore("run", "downloads.yaml", "--locked", "--no-lock", cwd=two)
    assert (run.code, "--no-lock looks at no lock" in run.err) == (2, True)
    run = marscore("lock", "--upgrade", "downloads.yaml", cwd=two)
    assert (run.code, run.out) == (0, "downloads.lock: 2 downloads, 0 changed\n")
    (two / "downloads.lock").write_text("\ufeff" + (two / "downloads.lock").read_text())
    assert marscore("run", "downloads.yaml", "--locked", cwd=two).code == 0


def test_check_says_whether_the_manifest_has_changed(origin: Origin, two: Path) -> None:
    run = locked(two, "--check")
    assert (run.code, run.out, run.err) == (0, "", "")
    write(two, [origin.url("/one.bin"), origin.url("/two.bin")])
    run = locked(two, "--check")
    assert run.code == 1
    assert problems(run) == [
        "downloads.yaml: downloads[1]: is not in the lock (two.bin)",
        "downloads.yaml: the lock names sub/two.bin, which the manifest does not",
    ]
    (two / "downloads.lock").unlink()
    assert locked(two, "--check").code == 2


def test_upgrade_asks_the_servers_again_and_rewrites_what_changed(origin: Origin, two: Path) -> None:
    origin.serve("/one.bin", OTHER)
    assert locked(two).code == 0
    assert lines(two)["one.bin"]["checksum"] == f"sha256:{sha256(ONE)}"
    run = locked(two, "--upgrade", "second")
    assert (run.code, run.out) == (0, "downloads.lock: 2 downloads, 0 changed\n")
    assert origin.requests_for("/two.bin")[-1].fields["if-none-match"] == TWO.etag
    (two / "old.lock").write_bytes((two / "downloads.lock").read_bytes())
    run = locked(two, "--upgrade")
    assert run.code == 0
    assert lines(two)["one.bin"]["checksum"] == f"sha256:{sha256(OTHER)}"
    changed = f"changed one.bin: sha256 {sha256(ONE)[:12]}… -> {sha256(OTHER)[:12]}…\n"
    assert run.out == changed + "downloads.lock: 2 downloads, 1 changed\n"
    assert locked(two, "--diff", "old.lock").out == changed
    assert locked(two, "--upgrade", "nothing").code == 2


def test_a_lock_is_written_whole_or_not_at_all(origin: Origin, two: Path) -> None:
    before = (two / "downloads.lock").read_bytes()
    write(two, [origin.url("/one.bin"), origin.script("/three.bin", [Status(404)])])
    run = locked(two)
    assert run.code == 1
    assert "downloads.lock was not written" in run.err
    assert (two / "downloads.lock").read_bytes() == before


def test_require_checksums(origin: Origin, two: Path) -> None:
    assert marscore("run", "downloads.yaml", "--require-checksums", cwd=two).code == 0
    run = marscore("run", "downloads.yaml", "--require-checksums", "--no-lock", cwd=two)
    assert run.code == 2
    assert "downloads[0]: has no checksum, in the manifest or in a lock (one.bin)" in run.err


SECRETS = {"TOKEN": "s3cret-of-the-environment", "PASS": "another-s3cret"}


def secret_manifest(origin: Origin) -> Iterable[object]:
    origin.serve("/one.bin", ONE)
    yield {"url": origin.url("/one.bin?token=${TOKEN}&x=1"), "path": "a.bin"}
    yield {"url": origin.url("/one.bin?sig=literal-s3cret"), "path": "b.bin"}
    yield {"url": origin.url("/one.bin").replace("//", "//user:${PASS}@"), "path": "c.bin"}
    yield {"url": origin.url("/one.bin?n={n}"), "path": "{n}.bin", "each": {"n": ["${TOKEN}"]}}


def test_no_secret_is_written_and_the_lock_covers_the_manifest_with_other_secrets_too(origin: Origin, tmp_path: Path) -> None:
    write(tmp_path, [*secret_manifest(origin)][:3])
    run = locked(tmp_path, env=SECRETS)
    assert run.code == 0, run.err
    text = (tmp_path / "downloads.lock").read_text()
    assert "s3cret" not in text
    assert "s3cret" not in run.out + run.err
    assert [line["url"] for line in lines(tmp_path).values()] == [
        origin.url("/one.bin?token=${TOKEN}&x=1"),
        origin.url("/one.bin?sig=***"),
        origin.url("/one.bin"),
    ]
    run = marscore("run", "downloads.yaml", "--locked", cwd=tmp_path, env={name: value[::-1] for name, value in SECRETS.items()})
    assert run.code == 0, run.err


def test_the_target_of_a_redirect_is_not_written(origin: Origin, tmp_path: Path) -> None:
    origin.serve("/one.bin", ONE)
    origin.script("/from", [Status(302, fields=(("Location", "/one.bin?expires=1"),))])
    write(tmp_path, [{"url": origin.url("/from"), "path": "a.bin"}])
    assert locked(tmp_path).code == 0
    assert "expires" not in (tmp_path / "downloads.lock").read_text()
    assert lines(tmp_path)["a.bin"]["url"] == origin.url("/from")


def test_another_place_for_the_lock(origin: Origin, two: Path) -> None:
    (two / "downloads.lock").rename(two / "ci.json")
    assert locked(two, "--check", "--lock", "ci.json").code == 0
    assert marscore("run", "downloads.yaml", "--locked", "--lock", "ci.json", cwd=two).code == 0
    run = marscore("run", "downloads.yaml", "--lock", "missing.lock", cwd=two)
    assert (run.code, run.err) == (2, "missing.lock: cannot be read: No such file or directory\n")
    assert marscore("run", "downloads.yaml", "--lock", "ci.json", "--no-lock", cwd=two).code == 2
    run = marscore("lock", "-", cwd=two, stdin=(two / "downloads.yaml").read_text())
    assert (run.code, run.err) == (2, "-: has no place for a lock beside it: name one by --lock\n")
    assert marscore("lock", "-", "--lock", "new.lock", cwd=two, stdin=(two / "downloads.yaml").read_text()).code == 0
    assert lines(two, "new.lock") == lines(two, "ci.json")


def test_a_plan_and_python_use_the_lock_too(origin: Origin, two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (two / "data" / "one.bin").write_bytes(OTHER.read(0, OTHER.length))
    run = marscore("plan", "downloads.yaml", "--format", "json", cwd=two)
    assert [download["action"] for download in json.loads(run.out)["downloads"]] == ["prove", "up_to_date"]
    monkeypatch.chdir(two)
    origin.serve("/one.bin", OTHER)
    report = package.run("downloads.yaml")
    assert (report.exit_code, report.downloads[0].error and report.downloads[0].error.kind) == (1, "checksum")


def test_a_wrong_lock_starts_nothing(origin: Origin, two: Path) -> None:
    (two / "data" / "one.bin").unlink()
    text = (two / "downloads.lock").read_text()
    (two / "downloads.lock").write_text(text.replace('{"path": "sub', '=======\n{"path": "sub'))
    for arguments in (("run",), ("plan",), ("lock",), ("run", "--locked")):
        run = marscore(arguments[0], "downloads.yaml", *arguments[1:], cwd=two)
        assert run.code == 2
        assert run.err.startswith("downloads.lock:3:1: is the mark of a merge conflict")
    assert not (two / "data" / "one.bin").exists()


def test_what_an_earlier_run_noted_of_a_file_with_a_checksum_is_in_its_lock(origin: Origin, tmp_path: Path) -> None:
    entry = {"url": origin.serve("/one.bin", ONE), "checksum": f"sha256:{ONE.sha256}"}
    write(tmp_path, [entry])
    assert marscore("run", "downloads.yaml", cwd=tmp_path).code == 0
    asked = len(origin.requests)
    assert marscore("lock", "downloads.yaml", cwd=tmp_path).code == 0
    [line] = json.loads((tmp_path / "downloads.lock").read_text())["downloads"]
    assert (line["size"], line["etag"], len(origin.requests)) == (ONE.length, ONE.etag, asked)
