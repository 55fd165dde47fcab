"""`output_dir: s3://…`: finished files are objects of a real S3 server (moto's, in a process of its own), read back by boto3."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.integration.command import Run, ended, started, write
from tests.long import long
from tests.origin import Body, Origin
from tests.origin.steps import Good, Status
from tests.servers.store import KEY, SECRET, Bucket, Gate, bucket_of, gate, moto, work_dir

_NUMBERS = itertools.count()
SMALL, LARGE = Body(70, seed=1), Body(17 * 2**20 + 5, seed=2)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    with moto(tmp_path_factory.mktemp("moto")) as bucket:
        yield bucket


@pytest.fixture
def bucket(server: Bucket) -> Iterator[Bucket]:
    """An empty one for each test: to empty one takes longer."""
    with bucket_of(server, f"bucket-{next(_NUMBERS)}") as found:
        yield found


@pytest.fixture
def gated(bucket: Bucket) -> Iterator[tuple[Bucket, Gate]]:
    with gate(bucket) as found:
        yield found
        found[0].client.close()


def run(folder: Path, bucket: Bucket, *arguments: str, env: Mapping[str, str] | None = None, verb: str = "run") -> Run:
    """Run the command with the bucket's variables; its report is read from the bucket."""
    whole = {**bucket.env, **work_dir(folder), **(env or {})}
    done = ended(verb, "downloads.yaml", *arguments, cwd=folder, env=whole)
    out, err = done.stdout.decode(), done.stderr.decode()
    assert SECRET not in out + err
    return Run(done.returncode, out, err, folder)


def report(bucket: Bucket, prefix: str = "data") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(bucket.data(f"{prefix}/.marscore/report.json"))
    return found


def manifest(folder: Path, bucket: Bucket, downloads: list[Any], **more: Any) -> None:
    more.setdefault("output_dir", f"s3://{bucket.name}/data")
    more.setdefault("defaults", {"retry": {"max_retries": 1, "backoff": {"initial": "10ms"}}})
    write(folder, downloads, **more)


def files_of(bucket: Bucket, prefix: str = "data/") -> list[str]:
    return [key.removeprefix(prefix) for key in bucket.keys(prefix) if not key.startswith(f"{prefix}.marscore/")]


def test_many_small_files_and_a_large_one_become_objects(origin: Origin, tmp_path: Path, bucket: Bucket) -> None:
    bodies = {f"{number // 10}/{number}.bin": Body(number * 37, seed=number) for number in range(60)} | {"large.bin": LARGE}
    downloads = [{"url": origin.serve(f"/{path}", body), "path": path} for path, body in bodies.items()]
    downloads[-1]["checksum"] = f"sha256:{LARGE.sha256}"
    manifest(tmp_path, bucket, downloads)
    done = run(tmp_path, bucket)
    assert done.code == 0, done.err
    assert {path: bucket.sha256(f"data/{path}") for path in files_of(bucket)} == {path: body.sha256 for path, body in bodies.items()}
    told = report(bucket)
    assert (told["status"], told["totals"]["downloaded"]) == ("succeeded", 61)
    assert {each["path"]: each["checksum"] for each in told["downloads"]} == {
        path: f"sha256:{body.sha256}" for path, body in bodies.items()
    }
    assert bucket.unfinished() == []
    assert bucket.head("data/large.bin")["Metadata"] == {"sha256": LARGE.sha256}
    assert done.events("run_finished")[0]["output_dir"] == f"s3://{bucket.name}/data"
    assert bucket.keys("data/.marscore/") == [f"data/.marscore/{name}" for name in ("lock", "report.json", "state.db")]
    assert ended("report", f"s3://{bucket.name}/data", cwd=tmp_path, env=bucket.env).stdout.count(b"large.bin") == 1
    # Nothing is left on this machine of files that are in place.
    assert not list((tmp_path / "work").rglob("*.part"))


def test_a_second_run_asks_nobody_but_the_store_and_reads_no_bytes(origin: Origin, tmp_path: Path, gated: tuple[Bucket, Gate]) -> None:
    bucket, passing = gated
    manifest(
        tmp_path,
        bucket,
        [origin.serve("/small.bin", SMALL), {"url": origin.serve("/large.bin", LARGE), "checksum": f"sha256:{LARGE.sha256}"}],
    )
    assert run(tmp_path, bucket).code == 0
    asked, before = len(origin.requests), len(passing.seen)
    assert run(tmp_path, bucket).code == 0
    assert report(bucket)["totals"]["up_to_date"] == 2
    assert len(origin.requests) == asked
    assert not [each for each in passing.seen[before:] if each[0] in ("GET", "PUT") and ".marscore" not in each[1]]


def test_wrong_bytes_become_no_object(origin: Origin, tmp_path: Path, bucket: Bucket) -> None:
    manifest(
        tmp_path, bucket, [{"url": origin.serve(f"/{body.size}.bin", body), "checksum": f"sha256:{'0' * 64}"} for body in (SMALL, LARGE)]
    )
    done = run(tmp_path, bucket)
    assert done.code == 1
    assert files_of(bucket) == bucket.unfinished() == []
    assert {each["error"]["kind"] for each in report(bucket)["downloads"]} == {"checksum"}


def test_a_file_that_the_origin_has_not_fails_and_the_others_are_in_place(origin: Origin, tmp_path: Path, bucket: Bucket) -> None:
    manifest(tmp_path, bucket, [origin.script("/none.bin", [Status(404)]), origin.serve("/small.bin", SMALL)])
    assert run(tmp_path, bucket).code == 1
    assert files_of(bucket) == ["small.bin"]


def test_many_files_by_worker_processes(origin: Origin, tmp_path: Path, bucket: Bucket) -> None:
    bodies = {f"{number}.bin": Body(100 + number, seed=number) for number in range(150)}
    manifest(
        tmp_path, bucket, [origin.serve(f"/{path}", body) for path, body in bodies.items()], execution={"processes": 2, "per_host": 32}
    )
    done = run(tmp_path, bucket)
    assert done.code == 0, done.err
    keys = files_of(bucket)
    assert sorted(keys) == sorted(bodies)
    assert all(bucket.sha256(f"data/{path}") == bodies[path].sha256 for path in keys[::5])
    assert run(tmp_path, bucket).code == 0
    assert report(bucket)["totals"]["up_to_date"] == 150


# What is there already


def test_an_object_that_was_tampered_with_is_fetched_anew(origin: Origin, tmp_path: Path, bucket: Bucket) -> None:
    url = origin.serve("/small.bin", SMALL)
    manifest(tmp_path, bucket, [url])
    assert run(tmp_path, bucket).code == 0
    bucket.put("data/small.bin", bytes(SMALL.size))
    assert run(tmp_path, bucket).code == 0
    assert report(bucket)["totals"]["downloaded"] == 1
    assert bucket.sha256("data/small.bin") == SMALL.sha256


def test_with_a_checksum_an_object_of_unknown_origin_is_read_and_kept_if_it_is_right(
    origin: Origin, tmp_path: Path, bucket: Bucket
) -> None:
    names = ["right.bin", "wrong.bin"]
    manifest(tmp_path, bucket, [{"url": origin.serve(f"/{name}", SMALL), "checksum": f"sha256:{SMALL.sha256}"} for name in names])
    bucket.put("data/right.bin", SMALL.read(0, SMALL.size))
    bucket.put("data/wrong.bin", bytes(SMALL.size))
    assert run(tmp_path, bucket).code == 0
    totals = report(bucket)["totals"]
    assert (totals["up_to_date"], totals["downloaded"]) == (1, 1)
    assert bucket.sha256("data/wrong.bin") == SMALL.sha256
    assert origin.requests_for("/right.bin") == []


def test_another_machine_goes_on_from_the_state_beside_the_objects(origin: Origin, tmp_path: Path, bucket: Bucket) -> None:
    manifest(tmp_path, bucket, [origin.serve(f"/{number}.bin", Body(100, seed=number)) for number in range(5)])
    assert run(tmp_path, bucket).code == 0
    asked = len(origin.requests)
    other = {"MARSCORE_WORK_DIR": str(tmp_path / "other")}
    assert run(tmp_path, bucket, env=other).code == 0
    assert report(bucket)["totals"]["up_to_date"] == 5
    assert len(origin.requests) == asked
    # And what that one changed, the first knows.
    origin.serve("/0.bin", Body(101, seed=9))
    manifest(tmp_path, bucket, [{"url": origin.url("/0.bin"), "if_exists": "replace"}, *map(origin.url, ("/1.bin", "/2.bin"))])
    assert run(tmp_path, bucket, env=other).code == 0
    manifest(tmp_path, bucket, [origin.url("/0.bin"), origin.url("/1.bin")])
    assert run(tmp_path, bucket).code == 0
    assert report(bucket)["totals"]["up_to_date"] == 2


def test_refresh_asks_the_origin_and_replaces_what_has_changed_there(origin: Origin, tmp_path: Path, bucket: Bucket) -> None:
    old, new = Body(5000, seed=1, etag='"one"'), Body(6000, seed=2, etag='"two"')
    url = origin.serve("/a.bin", old)
    manifest(tmp_path, bucket, [{"url": url, "if_exists": "refresh"}])
    assert run(tmp_path, bucket).code == 0
    assert run(tmp_path, bucket).code == 0
    assert (report(bucket)["totals"]["up_to_date"], origin.requests[-1].fields["if-none-match"]) == (1, '"one"')
    origin.serve("/a.bin", new)
    assert run(tmp_path, bucket).code == 0
    assert bucket.sha256("data/a.bin") == new.sha256
    # A 304 says nothing of an object that somebody else has put.
    bucket.put("data/a.bin", b"tampered with")
    assert run(tmp_path, bucket).code == 0
    assert bucket.sha256("data/a.bin") == new.sha256


def test_replace_and_fail(origin: Origin, tmp_path: Path, bucket: Bucket) -> None:
    url = origin.serve("/a.bin", SMALL)
    bucket.put("data/a.bin", b"somebody else's")
    manifest(tmp_path, bucket, [{"url": url, "if_exists": "fail"}])
    assert run(tmp_path, bucket).code == 1
    assert bucket.data("data/a.bin") == b"somebody else's"
    manifest(tmp_path, bucket, [{"url": url, "if_exists": "replace"}])
    assert [run(tmp_path, bucket).code, run(tmp_path, bucket).code] == [0, 0]
    assert len(origin.requests) == 2
    assert bucket.sha256("data/a.bin") == SMALL.sha256


def test_nothing_outside_the_prefix_is_touched(origin: Origin, tmp_path: Path, bucket: Bucket) -> None:
    others = {"data.bin": b"1", "database/a.bin": b"2", "a.bin": b"3", ".marscore/lock": b"4", "data/other.bin": b"5"}
    for key, data in others.items():
        bucket.put(key, data)
    before = {key: bucket.head(key)["LastModified"] for key in others}
    manifest(tmp_path, bucket, [origin.serve("/a.bin", SMALL)])
    assert run(tmp_path, bucket).code == 0
    assert {key: bucket.data(key) for key in others} == others
    assert {key: bucket.head(key)["LastModified"] for key in others} == before


@pytest.mark.parametrize("prefix", ["", "a b/c#/ünïcode %41{x}"])
def test_keys_are_the_paths_as_they_are_written(origin: Origin, tmp_path: Path, bucket: Bucket, prefix: str) -> None:
    paths = ["a b.bin", "%41.bin", "{x}~^`|.bin", "ü/é.bin", "*?.bin", "a+b&c=d.bin"]
    url = origin.serve("/a.bin", SMALL)
    where = f"s3://{bucket.name}/{prefix}".replace("#", "")
    manifest(tmp_path, bucket, [{"url": url, "path": path} for path in paths], output_dir=where)
    assert run(tmp_path, bucket).code == 0
    below = f"{prefix.replace('#', '')}/" if prefix else ""
    assert sorted(files_of(bucket, below)) == sorted(paths)
    assert run(tmp_path, bucket).code == 0
    assert json.loads(bucket.data(f"{below}.marscore/report.json"))["totals"]["up_to_date"] == len(paths)


# What a store cannot do, and other verbs


@pytest.mark.parametrize(
    ("download", "more", "told"),
    [
        ({"unpack": True, "path": "a.zip"}, {}, "4:3: downloads[0].unpack: cannot be done in an object store"),
        ({"mode": "0755"}, {}, "downloads[0].mode: is nothing that an object has"),
        (
            {"path": "x" * 200 + "/" + "y" * 200 + "/" + "z" * 250 + "/" + "a" * 250 + "/" + "b" * 200},
            {},
            "downloads[0].path: makes a key of more",
        ),
        ({}, {"cache": {"dir": "cache"}}, "cache: is of no use"),
    ],
)
def test_what_a_store_cannot_do_is_refused_at_its_place(
    tmp_path: Path, bucket: Bucket, download: dict[str, Any], more: dict[str, Any], told: str
) -> None:
    manifest(tmp_path, bucket, [{"url": "http://127.0.0.1:9/a.zip", **download}], defaults={}, **more)
    done = run(tmp_path, bucket)
    assert (done.code, told.partition(": ")[2] in done.err) == (2, True), done.err
    assert bucket.keys() == []


def test_get_and_a_cache_by_name_are_refused(tmp_path: Path, bucket: Bucket) -> None:
    manifest(tmp_path, bucket, ["http://127.0.0.1:9/a.zip"])
    done = run(tmp_path, bucket, "--cache", "on")
    assert (done.code, "--cache: is of no use" in done.err) == (2, True)
    clustered = run(tmp_path, bucket, "--engine", "dask")
    assert (clustered.code, "--engine: has its workers write to a folder" in clustered.err) == (2, True)
    got = ended("get", "http://127.0.0.1:9/a.zip", "--output-dir", f"s3://{bucket.name}/data", cwd=tmp_path, env=bucket.env)
    assert (got.returncode, b"folders of this machine alone" in got.stderr) == (2, True)


def test_plan_looks_and_changes_nothing(origin: Origin, tmp_path: Path, bucket: Bucket) -> None:
    manifest(tmp_path, bucket, [origin.serve("/a.bin", SMALL), origin.serve("/b.bin", SMALL)])
    first = json.loads(run(tmp_path, bucket, "--format", "json", verb="plan").out)
    assert ([each["action"] for each in first["downloads"]], first["output_dir"]) == (["fetch", "fetch"], f"s3://{bucket.name}/data")
    assert (bucket.keys(), (tmp_path / "work").exists()) == ([], False)
    assert run(tmp_path, bucket).code == 0
    other = {"MARSCORE_WORK_DIR": str(tmp_path / "other")}
    again = json.loads(run(tmp_path, bucket, "--format", "json", verb="plan", env=other).out)
    assert [each["action"] for each in again["downloads"]] == ["up_to_date", "up_to_date"]


def test_verify_reads_the_objects_and_mends_what_is_wrong(origin: Origin, tmp_path: Path, bucket: Bucket) -> None:
    manifest(tmp_path, bucket, [origin.serve(f"/{name}.bin", SMALL) for name in "abc"])
    assert run(tmp_path, bucket).code == 0
    assert run(tmp_path, bucket, verb="verify").code == 0
    bucket.put("data/a.bin", bytes(SMALL.size))
    bucket.client.delete_object(Bucket=bucket.name, Key="data/b.bin")
    bucket.put("data/d.bin", b"extra")
    found = run(tmp_path, bucket, "--extra", "--format", "json", verb="verify")
    told = {each["path"]: each["status"] for each in json.loads(found.out)["files"]}
    assert (found.code, told) == (1, {"a.bin": "changed", "b.bin": "missing", "d.bin": "extra"})
    by_name = ended("verify", "--output-dir", f"s3://{bucket.name}/data", cwd=tmp_path, env={**bucket.env, **work_dir(tmp_path)})
    assert (by_name.returncode, b"changed" in by_name.stdout) == (1, True)
    run(tmp_path, bucket, "--fix", verb="verify")
    assert {bucket.sha256(f"data/{name}.bin") for name in "abc"} == {SMALL.sha256}


def test_lock_writes_what_is_in_the_store_and_a_run_holds_to_it(origin: Origin, tmp_path: Path, bucket: Bucket) -> None:
    manifest(tmp_path, bucket, [origin.serve("/a.bin", SMALL)])
    assert run(tmp_path, bucket, verb="lock").code == 0
    locked = json.loads((tmp_path / "downloads.lock").read_text())["downloads"]
    assert [(each["path"], each["size"], each["checksum"]) for each in locked] == [("a.bin", SMALL.size, f"sha256:{SMALL.sha256}")]
    assert run(tmp_path, bucket, "--locked").code == 0
    assert run(tmp_path, bucket, verb="outdated").code == 0
    origin.serve("/a.bin", Body(SMALL.size, seed=5))
    bucket.client.delete_object(Bucket=bucket.name, Key="data/a.bin")
    assert run(tmp_path, bucket).code == 1
    assert files_of(bucket) == []


def test_a_list_of_checksums_is_kept_on_this_machine(origin: Origin, tmp_path: Path, bucket: Bucket) -> None:
    text = f"{SMALL.sha256}  a.bin\n".encode()
    checksum = {"from": origin.serve("/SHA256SUMS", Body(text=text)), "algorithm": "sha256"}
    manifest(tmp_path, bucket, [{"url": origin.serve("/a.bin", SMALL), "checksum": checksum}])
    assert run(tmp_path, bucket).code == 0
    assert files_of(bucket) == ["a.bin"]
    origin.serve("/SHA256SUMS", Body(text=b"0" * 64 + b"  a.bin\n", etag='"other"'))
    assert run(tmp_path, bucket).code == 1


# What goes wrong in the store


def answer(status: str, code: str) -> bytes:
    body = f"<Error><Code>{code}</Code><AWSAccessKeyId>{KEY}</AWSAccessKeyId><StringToSign>{SECRET}</StringToSign></Error>"
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()


@pytest.mark.parametrize(
    ("status", "code", "kind", "told"),
    [
        ("403 Forbidden", "SignatureDoesNotMatch", "permission", "the store answered 403 Forbidden (SignatureDoesNotMatch)"),
        pytest.param("503 Slow Down", "SlowDown", "store", "the store answered 503 Service Unavailable (SlowDown)", marks=long),
        ("507 Insufficient Storage", "XMinioStorageFull", "disk_full", "the store has no room"),
        pytest.param("400 Bad Request", "BadDigest", "store", "what came there was not what was sent", marks=long),
    ],
)
def test_a_store_that_refuses_the_files_ends_the_run_by_3(
    origin: Origin, tmp_path: Path, gated: tuple[Bucket, Gate], status: str, code: str, kind: str, told: str
) -> None:
    bucket, passing = gated
    passing.meet = lambda method, target: answer(status, code) if method in ("PUT", "POST") and ".marscore" not in target else None
    manifest(tmp_path, bucket, [origin.serve("/small.bin", SMALL), origin.serve("/large.bin", LARGE)])
    done = run(tmp_path, bucket)
    assert (done.code, KEY in done.err) == (3, False)
    small, large = report(bucket)["downloads"]
    # The one that is refused first ends the run: the other may be on its way then.
    assert {kind} <= {small["error"]["kind"], large["error"]["kind"]} <= {kind, "interrupted"}
    assert any(told in each["error"]["message"] for each in (small, large))
    assert files_of(bucket) == []
    # What has come is not fetched again.
    passing.meet = lambda method, target: None
    assert run(tmp_path, bucket).code == 0
    assert report(bucket)["downloads"][1]["bytes_downloaded"] <= max(0, LARGE.length - large["bytes_downloaded"])
    assert bucket.sha256("data/large.bin") == LARGE.sha256


def test_what_passes_is_tried_again(origin: Origin, tmp_path: Path, gated: tuple[Bucket, Gate]) -> None:
    bucket, passing = gated
    refused: set[str] = set()

    def once(method: str, target: str) -> bytes | None:
        if method == "GET" or target in refused or ("uploadId" in target and "partNumber" not in target):
            return None
        refused.add(target)
        return answer("503 Slow Down", "SlowDown") if len(refused) % 2 else b""

    passing.meet = once
    manifest(tmp_path, bucket, [origin.serve("/small.bin", SMALL), origin.serve("/large.bin", LARGE)])
    done = run(tmp_path, bucket)
    assert done.code == 0, done.err
    assert [bucket.sha256(f"data/{name}.bin") for name in ("small", "large")] == [SMALL.sha256, LARGE.sha256]


@pytest.mark.parametrize("where", ["s3://no-such-bucket/data", "s3://nobody/data"])
def test_a_store_that_is_not_there_ends_the_run_before_anything_is_fetched(
    origin: Origin, tmp_path: Path, bucket: Bucket, where: str
) -> None:
    manifest(tmp_path, bucket, [origin.serve("/small.bin", SMALL)], output_dir=where)
    env = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"} if "nobody" in where else {}
    done = run(tmp_path, bucket, env=env)
    assert (done.code, origin.requests) == (3, [])
    assert "marscore: cannot " in done.err


def test_a_store_that_holds_other_bytes_than_were_put_is_found_out(origin: Origin, tmp_path: Path, gated: tuple[Bucket, Gate]) -> None:
    bucket, passing = gated
    # Between us and the store, something changes a byte and says that all is well.
    corrupt: set[str] = set()

    def damaged(method: str, target: str, told: bytes) -> bytes:
        if method == "PUT" and target.endswith("/small.bin"):
            bucket.put("data/small.bin", bytes(SMALL.size))
            corrupt.add(target)
            return told.replace(
                hashlib.md5(SMALL.read(0, SMALL.size)).hexdigest().encode(), hashlib.md5(bytes(SMALL.size)).hexdigest().encode()
            )
        return told

    passing.change = damaged
    manifest(tmp_path, bucket, [origin.serve("/small.bin", SMALL)])
    done = run(tmp_path, bucket)
    assert (done.code, report(bucket)["downloads"][0]["error"]["kind"]) == (3, "store")
    assert corrupt
    assert files_of(bucket) == []


def test_a_200_with_an_error_in_it_is_no_success(origin: Origin, tmp_path: Path, gated: tuple[Bucket, Gate]) -> None:
    bucket, passing = gated
    passing.meet = lambda method, target: answer("200 OK", "InternalError") if method == "POST" and "uploadId" in target else None
    manifest(tmp_path, bucket, [origin.serve("/large.bin", LARGE)])
    done = run(tmp_path, bucket)
    assert (done.code, report(bucket)["downloads"][0]["error"]["kind"], files_of(bucket)) == (3, "store", [])


# Runs that end early, and two at once


class Started:
    """A run that is on its way."""

    def __init__(self, folder: Path, bucket: Bucket, *arguments: str, env: Mapping[str, str] | None = None) -> None:
        more = {**bucket.env, **work_dir(folder), **(env or {})}
        streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        self.process = started("run", "downloads.yaml", *arguments, cwd=folder, env=more, **streams)

    def end(self, number: int) -> tuple[int, str]:
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> tuple[int, str]:
        err = self.process.communicate(timeout=60)[1].decode()
        return self.process.returncode, err


def until(what: Callable[[], bool]) -> None:
    for _ in range(3000):
        if what():
            return
        time.sleep(0.01)
    raise AssertionError("it does not come to that")


def test_a_run_that_was_killed_in_an_upload_goes_on_without_fetching_again(
    origin: Origin, tmp_path: Path, gated: tuple[Bucket, Gate]
) -> None:
    bucket, passing = gated
    held = threading.Event()
    passing.meet = lambda method, target: held if "partNumber=3" in target else None
    manifest(tmp_path, bucket, [{"url": origin.serve("/large.bin", LARGE), "threads": 1}])
    started = Started(tmp_path, bucket)
    until(lambda: passing.count("PUT", "partNumber=3") > 0)
    assert started.end(signal.SIGKILL)[0] == -9
    assert files_of(bucket) == []
    held.set()
    passing.meet = lambda method, target: None
    asked = len(origin.requests)
    # The lock of a run that died here is no other's: it is not waited for.
    done = run(tmp_path, bucket)
    assert done.code == 0, done.err
    entry = report(bucket)["downloads"][0]
    assert (entry["bytes_downloaded"], entry["bytes_resumed"]) == (0, LARGE.size)
    assert len(origin.requests) <= asked + 1
    assert bucket.sha256("data/large.bin") == LARGE.sha256


def test_a_run_that_was_killed_while_it_fetched_goes_on_where_it_was(origin: Origin, tmp_path: Path, bucket: Bucket) -> None:
    held = threading.Event()
    url = origin.serve("/large.bin", LARGE, [Good(stall_after=12 * 2**20, stall_s=60, until=held), Good()])
    bodies = {f"{number}.bin": Body(500, seed=number) for number in range(20)}
    manifest(tmp_path, bucket, [{"url": url, "threads": 1}, *(origin.serve(f"/{path}", body) for path, body in bodies.items())])
    started = Started(tmp_path, bucket)
    until(lambda: len(files_of(bucket)) == 20)
    assert started.end(signal.SIGKILL)[0] == -9
    held.set()
    asked = len(origin.requests)
    assert run(tmp_path, bucket).code == 0
    assert report(bucket)["downloads"][0]["bytes_resumed"] > 4 * 2**20
    assert len([seen for seen in origin.requests[asked:] if seen.path != "/large.bin"]) <= 20
    assert {path: bucket.sha256(f"data/{path}") for path in files_of(bucket)} == {
        **{path: body.sha256 for path, body in bodies.items()},
        "large.bin": LARGE.sha256,
    }


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=long)])
def test_a_signal_ends_a_run_that_waits_for_the_store(
    origin: Origin, tmp_path: Path, gated: tuple[Bucket, Gate], number: signal.Signals
) -> None:
    bucket, passing = gated
    passing.meet = lambda method, target: threading.Event() if method == "PUT" and ".marscore" not in target else None
    manifest(tmp_path, bucket, [origin.serve("/large.bin", LARGE), origin.serve("/small.bin", SMALL)])
    started = Started(tmp_path, bucket)
    until(lambda: passing.count("PUT", "/large.bin") > 0 and passing.count("PUT", "/small.bin") > 0)
    began = time.monotonic()
    code, err = started.end(number)
    assert (code, time.monotonic() - began < 20) == (128 + number, True), err
    assert report(bucket)["status"] == "interrupted"
    passing.meet = lambda method, target: None
    assert run(tmp_path, bucket).code == 0
    assert bucket.sha256("data/large.bin") == LARGE.sha256


def test_a_signal_ends_a_run_that_waits_for_a_lock_that_nobody_gives(origin: Origin, tmp_path: Path, gated: tuple[Bucket, Gate]) -> None:
    bucket, passing = gated
    passing.meet = lambda method, target: threading.Event()
    manifest(tmp_path, bucket, [origin.serve("/small.bin", SMALL)])
    started = Started(tmp_path, bucket)
    until(lambda: len(passing.seen) > 0)
    code, err = started.end(signal.SIGTERM)
    assert (code, "interrupted by SIGTERM" in err, origin.requests) == (143, True, [])


def test_of_two_runs_of_two_machines_one_is_told_who_the_other_is(origin: Origin, tmp_path: Path, bucket: Bucket) -> None:
    held = threading.Event()
    manifest(tmp_path, bucket, [origin.serve("/small.bin", SMALL, [Good(delay_s=0.0, stall_after=10, stall_s=60, until=held)])])
    started = Started(tmp_path, bucket)
    until(lambda: len(origin.requests) > 0)
    other = run(tmp_path, bucket, env={"MARSCORE_WORK_DIR": str(tmp_path / "other")})
    assert other.code == 3
    assert f"another run (on '{socket.gethostname()}', pid {started.process.pid}) holds this destination" in other.err
    same = run(tmp_path, bucket)
    assert (same.code, f"another run holds this output folder (pid {started.process.pid})" in same.err) == (3, True)
    held.set()
    assert started.wait()[0] == 0
    assert json.loads(bucket.data("data/.marscore/lock"))["free"] is True
    assert run(tmp_path, bucket, env={"MARSCORE_WORK_DIR": str(tmp_path / "other")}).code == 0


def lock_of(bucket: Bucket, **changed: Any) -> None:
    """The lock of a run on another machine."""
    record = {
        "schema": "marscore/lock-object/v1",
        "host": "elsewhere",
        "pid": 7,
        "token": "t",
        "place": "p",
        "lease_s": 60.0,
        "free": False,
    }
    bucket.put("data/.marscore/lock", json.dumps({**record, **changed}).encode())


def test_the_lock_of_a_dead_run_is_taken_once_its_lease_is_over(origin: Origin, tmp_path: Path, bucket: Bucket) -> None:
    manifest(tmp_path, bucket, [origin.serve("/small.bin", SMALL)])
    lock_of(bucket)
    first = run(tmp_path, bucket)
    assert (first.code, "another run (on 'elsewhere', pid 7) holds this destination" in first.err) == (3, True)
    # One whose time was over when it was put.
    lock_of(bucket, lease_s=-60.0)
    assert run(tmp_path, bucket).code == 0
    assert bucket.keys("data/.marscore/clock") == []
    bucket.put("data/.marscore/lock", b"something else")
    assert "is no lock of marscore's" in run(tmp_path, bucket).err


def test_a_store_that_knows_no_conditions_is_told_of(origin: Origin, tmp_path: Path, gated: tuple[Bucket, Gate]) -> None:
    bucket, passing = gated
    passing.drop = ("if-none-match", "if-match")
    manifest(tmp_path, bucket, [origin.serve("/small.bin", SMALL)])
    done = run(tmp_path, bucket)
    assert done.code == 0, done.err
    assert any("takes no conditions" in each["message"] for each in done.events("warned"))
    lock_of(bucket)
    assert run(tmp_path, bucket).code == 3


# What S3 proves itself


class Digests:
    """The SHA-256 that goes along with each request that puts bytes. `spoil` changes the bytes; `looks`: compare them as S3 does.

    S3 answers 400 BadDigest where they are others (docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html); moto's
    server compares nothing.
    """

    def __init__(self, passing: Gate, spoil: Callable[[bytes], bytes] = lambda body: body, looks: Literal["yes", "no"] = "yes") -> None:
        self.sent: list[tuple[str, str | None, bytes]] = []
        self._spoil, self._looks = spoil, looks
        passing.forward = self._forward

    def _forward(self, head: bytes, body: bytes) -> tuple[bytes, bytes] | bytes:
        method, target = head.split(b" ", 2)[:2]
        if method != b"PUT" or b".marscore" in target:
            return head, body
        body = self._spoil(body)
        found = re.search(rb"(?i)\r\nx-amz-checksum-sha256: *([^\r]+)", head)
        told = None if found is None else found[1].decode()
        self.sent.append((target.decode(), told, body))
        is_wrong = told is not None and told != base64.b64encode(hashlib.sha256(body).digest()).decode()
        return answer("400 Bad Request", "BadDigest") if is_wrong and self._looks == "yes" else (head, body)


@pytest.mark.parametrize("asked", ["usual", "when_required"])
def test_a_sha256_goes_along_with_each_object_and_each_part(origin: Origin, tmp_path: Path, gated: tuple[Bucket, Gate], asked: str) -> None:
    bucket, passing = gated
    digests = Digests(passing)
    manifest(tmp_path, bucket, [origin.serve("/small.bin", SMALL), origin.serve("/large.bin", LARGE)])
    assert run(tmp_path, bucket, env={} if asked == "usual" else {"AWS_REQUEST_CHECKSUM_CALCULATION": asked}).code == 0
    assert sorted(target.partition("?")[0].rpartition("/")[2] for target, _, _ in digests.sent) == ["large.bin"] * 4 + ["small.bin"]
    right = [base64.b64encode(hashlib.sha256(body).digest()).decode() for _, _, body in digests.sent]
    assert [told for _, told, _ in digests.sent] == (right if asked == "usual" else [None] * 5)


@pytest.mark.parametrize("looks", ["yes", "no"])
@pytest.mark.parametrize("name", ["small", "large"])
def test_bytes_that_changed_on_their_way_to_the_store_become_no_object(
    origin: Origin, tmp_path: Path, gated: tuple[Bucket, Gate], name: str, looks: Literal["yes", "no"]
) -> None:
    bucket, passing = gated
    Digests(passing, lambda body: bytes([body[0] ^ 1]) + body[1:], looks)
    manifest(tmp_path, bucket, [origin.serve(f"/{name}.bin", SMALL if name == "small" else LARGE)])
    done = run(tmp_path, bucket)
    error = report(bucket)["downloads"][0]["error"]
    # A store that compares nothing is found out afterwards, by what it says that it holds.
    told = (
        "what came there was not what was sent" if looks == "yes" else "the store holds other bytes than were put; the object was removed"
    )
    assert (done.code, error["kind"], told in error["message"]) == (3, "store", True), error
    assert files_of(bucket) == []
    # obstore 0.11, the last for Python 3.10, leaves the parts of an upload that was refused.
    assert bucket.unfinished() == [] or version("obstore").startswith("0.11.")
