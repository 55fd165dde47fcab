"""`marscore outdated` asks what has changed on the servers, takes no body, and says unknown where nothing could be compared."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.integration.command import Run, marscore, write
from tests.origin import Body, Good, HangUp, Origin, Seen, Status, Step, busy, redirect

FAST = {"retry": {"max_retries": 2, "backoff": {"initial": "1ms"}}, "timeout": "5s"}
ONE, TWO = Body(300_000, seed=51), Body(2_000, seed=52, etag='"two"')
NEWER = replace(ONE, seed=53, etag='"v2"', last_modified="Tue, 07 Jul 2026 10:00:00 GMT")
SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "outdated.v1.schema.json").read_text())


def outdated(folder: Path, *arguments: str) -> Run:
    return marscore("outdated", "downloads.yaml", *arguments, cwd=folder)


def document(folder: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    run = outdated(folder, "--format", "json", *arguments)
    found: dict[str, Any] = json.loads(run.out)
    jsonschema.validate(found, SCHEMA)
    return run.code, found


def statuses(found: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["path"], each["status"]) for each in found["files"]]


@pytest.fixture
def fetched(origin: Origin, tmp_path: Path) -> Path:
    """A folder with two files in place."""
    write(tmp_path, [origin.serve("/one.bin", ONE), origin.serve("/two.bin", TWO)], defaults=FAST)
    assert marscore("run", "downloads.yaml", cwd=tmp_path).code == 0
    origin.requests.clear()
    return tmp_path


def test_nothing_changed_is_exit_0_and_one_question_a_file(origin: Origin, fetched: Path) -> None:
    run = outdated(fetched)
    assert (run.code, run.out, run.err) == (0, "2 files: 2 current, 0 changed\n", "")
    asked = sorted((seen.method, seen.fields["if-none-match"]) for seen in origin.requests)
    assert asked == [("HEAD", '"two"'), ("HEAD", '"v1"')]


def test_what_changed_is_listed_and_exit_1(origin: Origin, fetched: Path) -> None:
    before = {path: path.stat() for path in fetched.rglob("*") if path.is_file()}
    origin.serve("/one.bin", NEWER)
    run = outdated(fetched)
    assert run.code == 1
    assert run.out.splitlines() == [
        "STATUS   PATH                                  WHY",
        'changed  one.bin                               ETag was "v1" and is "v2"',
        "2 files: 1 current, 1 changed",
    ]
    code, found = document(fetched)
    assert (code, found["status"]) == (1, "outdated")
    assert found["totals"] == {"files": 2, "current": 1, "changed": 1, "gone": 0, "unknown": 0, "failed": 0}
    [one, two] = found["files"]
    assert (one["by"], one["known"]["etag"], one["latest"]["etag"], one["latest"]["size"]) == ("state", '"v1"', '"v2"', ONE.length)
    assert (two["status"], two["latest"], two["error"]) == ("current", None, None)
    # Nothing is fetched, and nothing written.
    assert {path: path.stat().st_mtime_ns for path in before} == {path: status.st_mtime_ns for path, status in before.items()}
    assert {path for path in fetched.rglob("*") if path.is_file()} == set(before)


def test_the_lock_goes_before_the_state(origin: Origin, fetched: Path) -> None:
    assert marscore("lock", "downloads.yaml", cwd=fetched).code == 0
    origin.serve("/one.bin", NEWER)
    # The file in place is the newer one, and the lock is not.
    assert marscore("run", "downloads.yaml", "--no-lock", cwd=fetched).code == 0
    write(fetched, [{"url": origin.url("/one.bin"), "if_exists": "replace"}, origin.url("/two.bin")], defaults=FAST)
    assert marscore("run", "downloads.yaml", "--no-lock", cwd=fetched).code == 0
    code, found = document(fetched)
    assert (code, [each["by"] for each in found["files"]]) == (1, ["lock", "lock"])
    assert statuses(found) == [("one.bin", "changed"), ("two.bin", "current")]
    assert document(fetched, "--no-lock")[0] == 0
    lock = fetched / "elsewhere.lock"
    (fetched / "downloads.lock").rename(lock)
    assert document(fetched, "--lock", str(lock))[0] == 1
    assert document(fetched)[0] == 0


def test_with_nothing_but_a_lock(origin: Origin, fetched: Path, tmp_path: Path) -> None:
    assert marscore("lock", "downloads.yaml", cwd=fetched).code == 0
    code, found = document(fetched, "--output-dir", str(tmp_path / "other"))
    assert (code, statuses(found)) == (0, [("one.bin", "current"), ("two.bin", "current")])
    assert not (tmp_path / "other").exists()


def test_a_url_that_is_another_than_in_the_lock_is_compared_by_content(origin: Origin, fetched: Path) -> None:
    assert marscore("lock", "downloads.yaml", cwd=fetched).code == 0
    moved = origin.serve("/moved.bin", replace(ONE, etag='"elsewhere"'))
    write(fetched, [{"url": moved, "path": "one.bin"}, origin.url("/two.bin")], defaults=FAST)
    assert statuses(document(fetched)[1]) == [("one.bin", "unknown"), ("two.bin", "current")]


def test_only_some_are_asked(origin: Origin, fetched: Path) -> None:
    assert statuses(document(fetched, "--only", "two*")[1]) == [("two.bin", "current")]
    assert [seen.path for seen in origin.requests] == ["/two.bin"]


def test_what_was_never_fetched_is_unknown_and_nobody_is_asked(origin: Origin, tmp_path: Path) -> None:
    write(tmp_path, [origin.serve("/one.bin", ONE)], defaults=FAST)
    run = outdated(tmp_path)
    assert run.code == 3
    assert "unknown  one.bin" in run.out
    assert "neither fetched nor locked" in run.out
    assert origin.requests == []
    assert not (tmp_path / "data").exists()


def test_where_nothing_tells_versions_apart_it_is_unknown_and_not_current(origin: Origin, tmp_path: Path) -> None:
    bare = Body(5000, seed=54, etag=None, last_modified=None)
    write(tmp_path, [origin.serve("/bare.bin", bare)], defaults=FAST)
    assert marscore("run", "downloads.yaml", cwd=tmp_path).code == 0
    code, found = document(tmp_path)
    assert (code, found["status"], statuses(found)) == (3, "unknown", [("bare.bin", "unknown")])
    origin.serve("/bare.bin", replace(bare, size=5001))
    code, found = document(tmp_path)
    assert (code, found["files"][0]["reason"]) == (1, "size was 5000 and is 5001")


def test_a_digest_that_the_server_announces_settles_it(origin: Origin, tmp_path: Path) -> None:
    def announced(body: Body) -> Good:
        digest = base64.b64encode(hashlib.sha256(body.read(0, body.length)).digest()).decode()
        return Good(fields=(("Repr-Digest", f"sha-256=:{digest}:"),))

    bare = Body(5000, seed=54, etag=None, last_modified=None)
    write(tmp_path, [origin.serve("/bare.bin", bare, [announced(bare)])], defaults=FAST)
    assert marscore("run", "downloads.yaml", cwd=tmp_path).code == 0
    assert statuses(document(tmp_path)[1]) == [("bare.bin", "current")]
    other = replace(bare, seed=55)
    origin.serve("/bare.bin", other, [announced(other)])
    code, found = document(tmp_path)
    assert code == 1
    assert found["files"][0]["latest"]["checksums"] == [f"sha256:{other.sha256}"]


REFUSALS = [Status(405), Status(501), Status(403), Status(404), Status(400)]


@pytest.mark.parametrize("lane", ["auto", "requests"])
@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda step: str(step.status))
def test_a_server_that_refuses_head_is_asked_by_get_without_its_body(origin: Origin, fetched: Path, refusal: Step, lane: str) -> None:
    write(fetched, [origin.url("/one.bin"), origin.url("/two.bin")], defaults=FAST, execution={"lane": lane})
    for path, body in (("/one.bin", replace(NEWER, size=200 * 1024 * 1024)), ("/two.bin", TWO)):
        origin.serve(path, body)
        origin.handle(path, lambda seen: refusal if seen.method == "HEAD" else Good())
    code, found = document(fetched)
    assert (code, statuses(found)) == (1, [("one.bin", "changed"), ("two.bin", "current")])
    assert {(seen.method, seen.path): seen.fields.get("if-none-match") for seen in origin.requests} == {
        ("HEAD", "/one.bin"): '"v1"',
        ("GET", "/one.bin"): '"v1"',
        ("HEAD", "/two.bin"): '"two"',
        ("GET", "/two.bin"): '"two"',
    }


def test_a_length_that_only_head_tells_is_not_believed(origin: Origin, fetched: Path) -> None:
    origin.handle("/one.bin", lambda seen: Status(200, (("ETag", '"v1"'),), text=b"") if seen.method == "HEAD" else Good())
    assert statuses(document(fetched)[1]) == [("one.bin", "current"), ("two.bin", "current")]


def test_a_304_that_shows_another_validator_is_not_believed(origin: Origin, fetched: Path) -> None:
    def lies(seen: Seen) -> Step:
        return Status(304, (("ETag", '"v2"'),)) if "if-none-match" in seen.fields else Good(body=NEWER)

    origin.handle("/one.bin", lies)
    code, found = document(fetched)
    assert (code, statuses(found)[0]) == (1, ("one.bin", "changed"))


def test_a_304_to_no_condition_says_nothing(origin: Origin, tmp_path: Path) -> None:
    bare = Body(5000, seed=54, etag=None, last_modified=None)
    write(tmp_path, [origin.serve("/bare.bin", bare)], defaults=FAST)
    assert marscore("run", "downloads.yaml", cwd=tmp_path).code == 0
    origin.script("/bare.bin", [Status(304)])
    code, found = document(tmp_path)
    assert (code, found["files"][0]["error"]["status"]) == (3, 304)


def test_what_is_gone_is_listed(origin: Origin, fetched: Path) -> None:
    origin.script("/one.bin", [Status(404)])
    code, found = document(fetched)
    assert (code, statuses(found)[0], found["totals"]["gone"]) == (1, ("one.bin", "gone"), 1)


def test_a_file_behind_a_redirect_is_compared_by_what_belongs_to_its_content(origin: Origin, tmp_path: Path) -> None:
    origin.serve("/target.bin", ONE)
    write(tmp_path, [origin.script("/one.bin", [redirect("/target.bin")])], defaults=FAST)
    assert marscore("run", "downloads.yaml", cwd=tmp_path).code == 0
    assert statuses(document(tmp_path)[1]) == [("one.bin", "unknown")]
    origin.serve("/target.bin", replace(NEWER, size=ONE.size + 1))
    assert statuses(document(tmp_path)[1]) == [("one.bin", "changed")]


@pytest.mark.parametrize("lane", ["auto", "requests"])
def test_retries_are_those_of_a_run_and_who_cannot_be_asked_is_told(origin: Origin, fetched: Path, lane: str) -> None:
    write(fetched, [origin.url("/one.bin"), origin.url("/two.bin")], defaults=FAST, execution={"lane": lane})
    origin.script("/one.bin", [HangUp(), busy(503), Good()])
    run = outdated(fetched)
    assert run.code == 0
    assert [line["kind"] for line in run.events("retry_scheduled")] == ["connection", "server_error"]
    origin.script("/one.bin", [busy(503)])
    code, found = document(fetched)
    assert (code, statuses(found)) == (0, [("one.bin", "failed"), ("two.bin", "current")])
    assert found["files"][0]["error"]["kind"] == "server_error"
    origin.script("/two.bin", [busy(503)])
    assert document(fetched)[0] == 3


def test_credentials_are_those_of_a_run_and_secrets_are_not_shown(origin: Origin, tmp_path: Path) -> None:
    url = origin.serve("/one.bin", ONE) + "?token=s3cret-token"
    options = {**FAST, "headers": {"X-Key": "s3cret-key"}, "auth": {"username": "u", "password": "s3cret-pass"}}
    write(tmp_path, [{"url": url, "path": "one.bin"}], defaults=options)
    assert marscore("run", "downloads.yaml", cwd=tmp_path).code == 0
    run = outdated(tmp_path, "--format", "json", "--log-level", "debug")
    assert run.code == 0
    head = origin.requests[-1]
    assert (head.method, head.fields["x-key"], head.target) == ("HEAD", "s3cret-key", "/one.bin?token=s3cret-token")
    assert head.fields["authorization"].startswith("Basic ")
    assert "s3cret" not in run.out + run.err


def test_the_table_fits_a_terminal(origin: Origin, tmp_path: Path) -> None:
    paths = ["a.bin", "a-folder-of-a-long-name/and-another/file-of-a-long-name.bin"]
    write(tmp_path, [{"url": origin.serve(f"/{n}", ONE), "path": path} for n, path in enumerate(paths)], defaults=FAST)
    assert marscore("run", "downloads.yaml", cwd=tmp_path).code == 0
    for number in range(2):
        origin.serve(f"/{number}", replace(NEWER, etag='"a-rather-long-entity-tag-of-the-second-version"'))
    run = outdated(tmp_path)
    assert run.code == 1
    assert max(map(len, run.out.splitlines())) <= 80
    assert all(path in run.out for path in paths)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_that_is_no_text_is_shown_escaped(origin: Origin, tmp_path: Path) -> None:
    write(tmp_path, [origin.serve("/one.bin", ONE)], defaults=FAST)
    name = os.fsdecode(b"m\xff.yaml")
    (tmp_path / "downloads.yaml").rename(tmp_path / name)
    run = marscore("outdated", name, "--format", "json", cwd=tmp_path)
    assert (run.code, json.loads(run.out)["manifest"]) == (3, "m\\udcff.yaml")


def test_a_broken_manifest_is_exit_2(tmp_path: Path) -> None:
    write(tmp_path, [{"url": "nonsense"}])
    assert outdated(tmp_path).code == 2


def by_prefix(origin: Origin, *mirrors: str, **more: Any) -> dict[str, Any]:
    """A manifest's options under which `/pub/` is asked for at these folders of the origin."""
    return {"mirrors": {origin.url("/pub/"): [origin.url(mirror) for mirror in mirrors]}, "defaults": FAST, **more}


def test_a_file_that_came_from_a_mirror_of_its_prefix_is_asked_about_there_by_the_mirror_s_own_etag(origin: Origin, tmp_path: Path) -> None:
    origin.serve("/pub/one.bin", replace(ONE, etag='"of-the-original"'))
    origin.serve("/mirror/one.bin", ONE)
    write(tmp_path, [origin.url("/pub/one.bin")], **by_prefix(origin, "/mirror/"))
    assert marscore("run", "downloads.yaml", cwd=tmp_path).code == 0
    origin.requests.clear()
    assert outdated(tmp_path).code == 0
    [asked] = origin.requests
    assert (asked.method, asked.path, asked.fields["if-none-match"]) == ("HEAD", "/mirror/one.bin", '"v1"')
    origin.serve("/mirror/one.bin", NEWER)
    assert outdated(tmp_path).code == 1
    assert not origin.requests_for("/pub/one.bin")


def test_the_mirror_that_served_a_file_is_the_one_that_is_asked(origin: Origin, tmp_path: Path) -> None:
    origin.script("/first/one.bin", [Status(404)])
    origin.serve("/second/one.bin", ONE)
    write(tmp_path, [origin.url("/pub/one.bin")], **by_prefix(origin, "/first/", "/second/"))
    assert marscore("run", "downloads.yaml", cwd=tmp_path).code == 0
    origin.serve("/first/one.bin", replace(ONE, etag='"another"'))
    origin.requests.clear()
    assert outdated(tmp_path).code == 0
    assert [(seen.path, seen.fields["if-none-match"]) for seen in origin.requests] == [("/second/one.bin", '"v1"')]


def test_an_etag_in_a_lock_is_the_url_s_own_and_is_sent_to_no_mirror(origin: Origin, tmp_path: Path) -> None:
    url = origin.serve("/pub/one.bin", replace(ONE, etag='"of-the-original"'))
    origin.serve("/mirror/one.bin", ONE)
    write(tmp_path, [url], defaults=FAST)
    assert marscore("lock", "downloads.yaml", cwd=tmp_path).code == 0
    assert "of-the-original" in (tmp_path / "downloads.lock").read_text()
    write(tmp_path, [url], **by_prefix(origin, "/mirror/"))
    origin.requests.clear()
    assert outdated(tmp_path).code in (0, 3)
    assert [seen.path for seen in origin.requests] == ["/mirror/one.bin"]
    assert "if-none-match" not in origin.requests[0].fields
    # And the mirror's own stands in no lock.
    (tmp_path / "downloads.lock").unlink()
    for path in (tmp_path / "data").glob("*.bin"):
        path.unlink()
    assert marscore("lock", "downloads.yaml", cwd=tmp_path).code == 0
    assert "etag" not in (tmp_path / "downloads.lock").read_text()


def test_a_mirror_of_a_prefix_says_whether_what_it_served_is_current(origin: Origin, tmp_path: Path) -> None:
    origin.serve("/mirror/one.bin", ONE)
    write(tmp_path, [origin.url("/pub/one.bin")], **by_prefix(origin, "/mirror/", defaults={**FAST, "if_exists": "refresh"}))
    first = marscore("run", "downloads.yaml", cwd=tmp_path)
    again = marscore("run", "downloads.yaml", cwd=tmp_path)
    assert [run.entry()["status"] for run in (first, again)] == ["downloaded", "up_to_date"]
    assert origin.requests[-1].fields["if-none-match"] == '"v1"'
    # Under other mirrors nothing is known that they could be asked about.
    origin.serve("/other/one.bin", replace(NEWER, etag='"v1"'))
    write(tmp_path, [origin.url("/pub/one.bin")], **by_prefix(origin, "/other/", defaults={**FAST, "if_exists": "refresh"}))
    run = marscore("run", "downloads.yaml", cwd=tmp_path)
    assert run.entry()["status"] == "downloaded"
    assert "if-none-match" not in origin.requests[-1].fields
    assert run.data("one.bin") == NEWER.read(0, NEWER.length)
