"""Checksums that publishers' lists name: each list is fetched once, and what is wrong with one fails those that need it."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from marscore.state import key_of
from tests.integration.command import marscore, write
from tests.integration.test_interrupt_and_resume import end, start
from tests.origin import Body, Good, Origin, Seen, Status, Step, busy, redirect

A, B, C = (Body(20_000 + number, seed=30 + number) for number in range(3))
FAST = {"retry": {"max_retries": 1, "backoff": {"initial": "1ms"}}}


def sums(*named: tuple[str, Body]) -> Body:
    text = "".join(f"{body.sha256}  {name}\n" for name, body in named)
    return Body(text=text.encode(), etag=f'"{hash(text)}"', content_type="text/plain")


@pytest.fixture
def three(origin: Origin) -> list[str]:
    return [origin.serve(f"/{name}.bin", body) for name, body in (("a", A), ("b", B), ("c", C))]


def lists(origin: Origin) -> list[Seen]:
    return origin.requests_for("/SHA256SUMS")


ALL = (("a.bin", A), ("b.bin", B), ("c.bin", C))


def test_one_list_is_fetched_once_for_all_and_each_file_is_held_to_it(origin: Origin, three: list[str], tmp_path: Path) -> None:
    url = origin.serve("/SHA256SUMS", sums(*ALL))
    write(tmp_path, three, defaults={"checksum": {"from": url}, **FAST})
    run = marscore("run", "downloads.yaml", "--require-checksums", cwd=tmp_path)
    assert run.code == 0, run.err
    assert len(lists(origin)) == 1
    assert {line["checksum"] for line in run.events("checksum_verified")} == {f"sha256:{body.sha256}" for body in (A, B, C)}
    [read] = run.events("list_read")
    assert (read["source"], read["digests"], read["status"]) == (url, 3, "downloaded")
    assert run.report["totals"]["downloads"] == 3
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == [".marscore", "a.bin", "b.bin", "c.bin"]
    again = marscore("run", "downloads.yaml", cwd=tmp_path)
    # Asked whether it is current, and nothing else.
    assert again.report["totals"]["up_to_date"] == 3
    assert lists(origin)[1].fields["if-none-match"]
    assert len(origin.requests) == 5
    assert again.events("list_read")[0]["status"] == "up_to_date"


def test_a_file_that_is_not_what_the_list_says_fails(origin: Origin, three: list[str], tmp_path: Path) -> None:
    url = origin.serve("/SHA256SUMS", sums(("a.bin", B), ("b.bin", B), ("c.bin", C)))
    write(tmp_path, three, defaults={"checksum": {"from": url}, **FAST})
    run = marscore("run", "downloads.yaml", cwd=tmp_path)
    assert run.code == 1
    assert [entry["status"] for entry in run.report["downloads"]] == ["failed", "downloaded", "downloaded"]
    assert run.entry(0)["error"]["kind"] == "checksum"
    assert f"should be {B.sha256}" in run.entry(0)["error"]["message"]


def test_a_new_list_is_believed_on_the_next_run(origin: Origin, three: list[str], tmp_path: Path) -> None:
    url = origin.serve("/SHA256SUMS", sums(*ALL))
    write(tmp_path, three, defaults={"checksum": {"from": url}, **FAST})
    assert marscore("run", "downloads.yaml", cwd=tmp_path).code == 0
    newer = Body(25_000, seed=44, etag='"v2"')
    origin.serve("/a.bin", newer)
    origin.serve("/SHA256SUMS", sums(("a.bin", newer), *ALL[1:]))
    run = marscore("run", "downloads.yaml", cwd=tmp_path)
    assert run.code == 0
    assert [entry["status"] for entry in run.report["downloads"]] == ["downloaded", "up_to_date", "up_to_date"]
    assert run.data("a.bin") == newer.read(0, newer.length)


PAGE = Body(text=b"<!DOCTYPE html><html>not found</html>", content_type="text/html")
TWICE = Body(text=f"{A.sha256}  a.bin\n{B.sha256}  b.bin\n{C.sha256}  a.bin\n".encode())


@pytest.mark.parametrize(
    ("steps", "kind", "told", "left"),
    [
        ([Status(404)], "http_status", "404", ()),
        ([busy(503)], "server_error", "503", ()),
        ([Good(body=PAGE)], "checksum", "is an HTML page, and no list of checksums", ()),
        ([Good(body=Body(text=b""))], "checksum", "holds no checksum", ()),
        ([Good(body=TWICE)], "checksum", "has two different sha256 digests of a.bin, in lines 1 and 3", ("b.bin",)),
        ([Good(body=sums(*ALL[:2]))], "checksum", "does not name c.bin", ("a.bin", "b.bin")),
    ],
    ids=["404", "503", "page", "empty", "twice", "lacks one"],
)
def test_what_is_wrong_with_a_list_fails_those_that_need_it(
    origin: Origin, three: list[str], tmp_path: Path, steps: list[Step], kind: str, told: str, left: tuple[str, ...]
) -> None:
    url = origin.script("/SHA256SUMS", steps)
    free = origin.serve("/free.bin", Body(10))
    write(tmp_path, [*three, {"url": free, "checksum": []}], defaults={"checksum": {"from": url}, **FAST})
    run = marscore("run", "downloads.yaml", cwd=tmp_path)
    assert run.code == 1
    placed = sorted(path.name for path in (tmp_path / "data").glob("*.bin"))
    assert [name for name in placed if name not in ("free.bin",)] == [name for name in left if name != "c.bin"]
    assert "free.bin" in placed
    errors = [entry["error"] for entry in run.report["downloads"] if entry["error"]]
    assert {error["kind"] for error in errors} <= {kind, "checksum"}
    assert any(told in error["message"] and url in error["message"] for error in errors)


def test_lists_by_path_bare_ones_and_names(origin: Origin, three: list[str], tmp_path: Path) -> None:
    (tmp_path / "sums").mkdir()
    (tmp_path / "sums" / "all.txt").write_text(f"SHA256 (release/b) = {B.sha256}\n")
    origin.serve("/a.bin.sha256", Body(text=f"{A.sha256}\n".encode()))
    entries = [
        {"url": three[0], "checksum": {"from": "{url}.sha256"}},
        {"url": three[1], "checksum": {"from": "sums/all.txt", "name": "release/b"}},
        {"url": three[2], "checksum": {"from": "sums/none.txt"}},
    ]
    write(tmp_path, entries)
    run = marscore("run", str(tmp_path / "downloads.yaml"), cwd=tmp_path)
    assert run.code == 1
    assert [entry["status"] for entry in run.report["downloads"]] == ["downloaded", "downloaded", "failed"]
    assert run.entry(2)["error"] == {
        "kind": "path",
        "status": None,
        "message": "the list sums/none.txt cannot be read: No such file or directory",
    }


def test_a_template_in_defaults_and_each(origin: Origin, tmp_path: Path) -> None:
    for number, body in ((1, A), (2, B)):
        origin.serve(f"/x/{number}.bin", body)
        origin.serve(f"/x/{number}.bin.sha256", sums((f"{number}.bin", body)))
    entry = {"url": origin.url("/x/{i}.bin"), "each": {"i": [1, 2]}}
    write(tmp_path, [entry], defaults={"checksum": {"from": origin.url("/x/{i}.bin.sha256")}})
    run = marscore("run", "downloads.yaml", cwd=tmp_path)
    assert run.code == 0, run.err
    assert len(run.events("checksum_verified")) == 2


def test_the_list_itself_is_held_to_its_checksum_and_has_mirrors(origin: Origin, three: list[str], tmp_path: Path) -> None:
    right, wrong = sums(*ALL), sums(("a.bin", B), ("b.bin", B), ("c.bin", B))
    source: dict[str, Any] = {"url": origin.serve("/SHA256SUMS", wrong), "checksum": f"sha256:{right.sha256}"}
    write(tmp_path, three[:1], defaults={"checksum": {"from": source}, **FAST})
    run = marscore("run", "downloads.yaml", cwd=tmp_path)
    assert run.code == 1
    assert run.entry()["error"]["kind"] == "checksum"
    assert "could not be had" in run.entry()["error"]["message"]
    source["mirrors"] = [origin.serve("/mirror/SHA256SUMS", right)]
    write(tmp_path, three[:1], defaults={"checksum": {"from": source}, **FAST})
    assert marscore("run", "downloads.yaml", cwd=tmp_path).code == 0
    asked = len(origin.requests)
    # What has a checksum needs no question.
    assert marscore("run", "downloads.yaml", cwd=tmp_path).code == 0
    assert len(origin.requests) == asked


def test_a_list_that_is_too_large_is_refused(origin: Origin, three: list[str], tmp_path: Path) -> None:
    url = origin.serve("/SHA256SUMS", Body(64 * 1024 * 1024 + 1))
    write(tmp_path, three[:1], defaults={"checksum": {"from": url}, **FAST})
    run = marscore("run", "downloads.yaml", cwd=tmp_path)
    assert run.code == 1
    assert run.entry()["error"]["kind"] == "too_large"


def test_headers_and_credentials_go_to_lists_of_the_same_origin_alone(origin: Origin, tmp_path: Path) -> None:
    with Origin() as other:
        url = origin.serve("/a.bin", A)
        entries = [
            {"url": url, "checksum": {"from": origin.serve("/SHA256SUMS", sums(*ALL))}},
            {"url": url + "?2", "path": "2", "checksum": {"from": other.serve("/SHA256SUMS", sums(*ALL))}},
        ]
        options = {"headers": {"X-Key": "s3cret-value", "User-Agent": "ci/1"}, "auth": {"username": "u", "password": "passw0rd"}}
        write(tmp_path, entries, defaults=options)
        run = marscore("run", "downloads.yaml", cwd=tmp_path)
        assert run.code == 0, run.err
        [own], [foreign] = lists(origin), lists(other)
    assert own.fields["x-key"] == "s3cret-value"
    assert own.fields["authorization"].startswith("Basic ")
    assert "x-key" not in foreign.fields
    assert "authorization" not in foreign.fields
    assert foreign.fields["user-agent"] == "ci/1"


def test_secrets_of_a_lists_url_are_never_written(origin: Origin, three: list[str], tmp_path: Path) -> None:
    url = origin.script("/SHA256SUMS", [Status(404)]).replace("//", "//user:s3cretpass@") + "?token=t0ken-value&n=${NONCE}"
    write(tmp_path, three[:1], defaults={"checksum": {"from": url}, **FAST})
    run = marscore("run", "downloads.yaml", "--log-file", "log", cwd=tmp_path, env={"NONCE": "n0nce-value"})
    assert run.code == 1
    planned = marscore("plan", "downloads.yaml", "--format", "json", cwd=tmp_path, env={"NONCE": "n0nce-value"})
    written = run.err + json.dumps(run.report) + (tmp_path / "log").read_text() + planned.out
    for secret in ("s3cretpass", "t0ken-value", "n0nce-value"):
        assert secret not in written
    assert lists(origin)[0].target.endswith("?token=t0ken-value&n=n0nce-value")


def test_plan_and_validate_ask_nobody_and_plan_says_where_the_checksum_comes_from(origin: Origin, three: list[str], tmp_path: Path) -> None:
    url = origin.serve("/SHA256SUMS", sums(*ALL))
    write(tmp_path, three, defaults={"checksum": {"from": url}})
    assert marscore("validate", "downloads.yaml", cwd=tmp_path).code == 0
    planned = marscore("plan", "downloads.yaml", "--format", "json", cwd=tmp_path)
    assert [each["checksum_from"] for each in json.loads(planned.out)["downloads"]] == [[url]] * 3
    assert f"checksum from {url}" in marscore("plan", "downloads.yaml", cwd=tmp_path).out
    assert origin.requests == []
    assert not (tmp_path / "data").exists()


def test_where_a_list_is_gone_files_in_place_fail_too_and_offline_and_a_lock_go_by_what_it_said(
    origin: Origin, three: list[str], tmp_path: Path
) -> None:
    url = origin.serve("/SHA256SUMS", sums(*ALL))
    write(tmp_path, three, defaults={"checksum": {"from": url}, **FAST})
    assert marscore("run", "downloads.yaml", cwd=tmp_path).code == 0
    origin.script("/SHA256SUMS", [Status(404)])
    run = marscore("run", "downloads.yaml", cwd=tmp_path)
    assert (run.code, {entry["error"]["kind"] for entry in run.report["downloads"]}) == (1, {"http_status"})
    message = run.entry()["error"]["message"]
    assert message.startswith(
        f"the list {url} could not be had: the server answered 404 Not Found; nobody says what its files should be now"
    )
    assert "--offline takes what it said last" in message
    assert run.data("a.bin") == A.read(0, A.length)
    asked = len(origin.requests)
    offline = marscore("run", "downloads.yaml", "--offline", cwd=tmp_path)
    assert (offline.code, offline.report["totals"]["up_to_date"]) == (0, 3)
    assert marscore("verify", "downloads.yaml", cwd=tmp_path).code == 0
    assert len(origin.requests) == asked
    # A lock that names the files needs no list, with and without the network.
    origin.serve("/SHA256SUMS", sums(*ALL))
    assert marscore("lock", "downloads.yaml", cwd=tmp_path).code == 0
    origin.script("/SHA256SUMS", [Status(404)])
    asked = len(lists(origin))
    for arguments in ((), ("--offline",), ("--locked", "--require-checksums")):
        locked = marscore("run", "downloads.yaml", *arguments, cwd=tmp_path)
        assert (locked.code, locked.report["totals"]["up_to_date"]) == (0, 3), locked.err
    assert len(lists(origin)) == asked


def test_a_list_that_no_run_has_used_for_a_month_goes(origin: Origin, three: list[str], tmp_path: Path) -> None:
    urls = [origin.serve(f"/{name}/SHA256SUMS", sums(*ALL)) for name in ("old", "new")]
    kept = tmp_path / "data" / ".marscore" / "lists"
    for url in urls:
        write(tmp_path, three, defaults={"checksum": {"from": url}, **FAST})
        assert marscore("run", "downloads.yaml", cwd=tmp_path).code == 0
    assert len(list(kept.glob("*.txt"))) == 2
    [old] = [used for used in kept.glob("*.used") if used.stem != key_of(urls[1])]
    month_ago = time.time() - 31 * 24 * 3600
    os.utime(old, (month_ago, month_ago))
    for used in kept.glob("*.txt"):
        os.utime(used, (month_ago, month_ago))
    plan = marscore("plan", "downloads.yaml", cwd=tmp_path)
    assert plan.code == 0
    assert marscore("run", "downloads.yaml", "--offline", cwd=tmp_path).code == 0
    assert len(list(kept.glob("*.txt"))) == 2, "who only looks, or could not have it again, removes nothing"
    assert marscore("run", "downloads.yaml", cwd=tmp_path).code == 0
    assert [path.name for path in sorted(kept.glob("*.*")) if path.is_file()] == [f"{key_of(urls[1])}.txt", f"{key_of(urls[1])}.used"]


def test_offline_the_list_of_an_earlier_run_serves(origin: Origin, three: list[str], tmp_path: Path) -> None:
    url = origin.serve("/SHA256SUMS", sums(*ALL))
    write(tmp_path, three, defaults={"checksum": {"from": url}})
    nothing = marscore("run", "downloads.yaml", "--offline", cwd=tmp_path)
    assert nothing.code == 1
    assert {entry["error"]["kind"] for entry in nothing.report["downloads"]} == {"offline"}
    assert origin.requests == []
    assert marscore("run", "downloads.yaml", cwd=tmp_path).code == 0
    asked = len(origin.requests)
    run = marscore("run", "downloads.yaml", "--offline", cwd=tmp_path)
    assert (run.code, run.report["totals"]["up_to_date"]) == (0, 3)
    verified = marscore("verify", "downloads.yaml", cwd=tmp_path)
    assert verified.code == 0
    assert len(origin.requests) == asked


def test_offline_a_list_serves_of_which_no_server_could_be_asked_whether_it_is_current(
    origin: Origin, three: list[str], tmp_path: Path
) -> None:
    text = sums(*ALL).read(0, sums(*ALL).length)
    url = origin.serve("/SHA256SUMS", Body(text=text, etag=None, last_modified=None, content_type="text/plain"))
    moved = origin.url("/moved")
    origin.script("/moved", [redirect(url)])
    for place in (url, moved):
        write(tmp_path, three, defaults={"checksum": {"from": place}})
        assert marscore("run", "downloads.yaml", cwd=tmp_path).code == 0
        asked = len(origin.requests)
        run = marscore("run", "downloads.yaml", "--offline", cwd=tmp_path)
        assert (run.code, len(origin.requests)) == (0, asked), run.err


def test_verify_holds_files_to_the_list_of_the_last_run(origin: Origin, three: list[str], tmp_path: Path) -> None:
    url = origin.serve("/SHA256SUMS", sums(*ALL))
    write(tmp_path, three, defaults={"checksum": {"from": url}})
    assert marscore("run", "downloads.yaml", cwd=tmp_path).code == 0
    (tmp_path / "data" / "a.bin").write_bytes(b"x" * A.length)
    found = marscore("verify", "downloads.yaml", cwd=tmp_path)
    assert found.code == 1
    assert "changed: a.bin" in found.out
    assert "the manifest" in found.out
    assert marscore("verify", "downloads.yaml", "--fix", cwd=tmp_path).code == 0
    assert (tmp_path / "data" / "a.bin").read_bytes() == A.read(0, A.length)


def test_a_lock_makes_the_list_needless_and_sees_another_one(origin: Origin, three: list[str], tmp_path: Path) -> None:
    url = origin.serve("/SHA256SUMS", sums(*ALL))
    write(tmp_path, three, defaults={"checksum": {"from": url}, **FAST})
    locked = marscore("lock", "downloads.yaml", cwd=tmp_path)
    assert locked.code == 0, locked.err
    # The list says it all.
    assert [seen.path for seen in origin.requests] == ["/SHA256SUMS"]
    lines = json.loads((tmp_path / "downloads.lock").read_text())["downloads"]
    assert [(line["checksum"], line["checksum_from"]) for line in lines] == [(f"sha256:{body.sha256}", url) for body in (A, B, C)]
    origin.script("/SHA256SUMS", [Status(500)])
    for arguments in (["--locked"], ["--require-checksums"], []):
        assert marscore("run", "downloads.yaml", *arguments, cwd=tmp_path).code == 0
    assert len(lists(origin)) == 1
    assert marscore("lock", "downloads.yaml", "--check", cwd=tmp_path).code == 0
    write(tmp_path, three, defaults={"checksum": {"from": origin.url("/OTHER")}, **FAST})
    checked = marscore("lock", "downloads.yaml", "--check", cwd=tmp_path)
    assert checked.code == 1
    assert f"downloads[0]: has its checksum in the lock from {url}" in checked.err
    assert marscore("run", "downloads.yaml", "--locked", cwd=tmp_path).code == 2
    failed = marscore("lock", "downloads.yaml", cwd=tmp_path)
    assert failed.code == 1
    assert json.loads((tmp_path / "downloads.lock").read_text())["downloads"] == lines


def test_an_upgrade_reads_the_list_anew(origin: Origin, three: list[str], tmp_path: Path) -> None:
    url = origin.serve("/SHA256SUMS", sums(*ALL))
    write(tmp_path, three, defaults={"checksum": {"from": url}, **FAST})
    assert marscore("lock", "downloads.yaml", cwd=tmp_path).code == 0
    origin.serve("/SHA256SUMS", sums(("a.bin", B), *ALL[1:]))
    assert "0 changed" in marscore("lock", "downloads.yaml", cwd=tmp_path).out
    upgraded = marscore("lock", "downloads.yaml", "--upgrade", cwd=tmp_path)
    assert upgraded.code == 0, upgraded.err
    assert f"{A.sha256[:12]}… -> {B.sha256[:12]}…" in upgraded.out


def test_a_signal_while_a_list_is_fetched_ends_the_run_in_order(origin: Origin, three: list[str], tmp_path: Path) -> None:
    url = origin.serve("/SHA256SUMS", sums(*ALL), [Good(delay_s=30)])
    write(tmp_path, three, defaults={"checksum": {"from": url}, **FAST})
    process = start(tmp_path, "downloads.yaml")
    assert origin.wait_for_requests(1)
    process.send_signal(signal.SIGTERM)
    run = end(tmp_path, process)
    assert run.code == 143
    assert run.report["status"] == "interrupted"
    assert {entry["status"] for entry in run.report["downloads"]} <= {"interrupted", "skipped", "failed"}


def test_a_list_is_asked_for_where_mirrors_say_and_its_own_origin_never(origin: Origin, three: list[str], tmp_path: Path) -> None:
    origin.serve("/SHA256SUMS", sums(*ALL))
    far = "https://files.invalid/pub"
    mirrors = {f"{far}/": [origin.url("/")]}
    write(tmp_path, [f"{far}/{name}.bin" for name in "abc"], defaults={"checksum": {"from": f"{far}/SHA256SUMS"}, **FAST}, mirrors=mirrors)
    run = marscore("run", "downloads.yaml", cwd=tmp_path)
    assert run.code == 0, run.err
    assert len(lists(origin)) == 1
    assert [run.data(f"{name}.bin") for name in "abc"] == [body.read(0, body.size) for body in (A, B, C)]
    assert {entry["url"] for entry in run.report["downloads"]} == {f"{far}/{name}.bin" for name in "abc"}
