"""`output_dir: s3://…`: finished files are objects of a real S3 server (moto's, in a process of its own), read back by boto3."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.integration.command import Run, ended, write
from tests.origin import Body, Origin
from tests.origin.steps import Status
from tests.servers.store import SECRET, Bucket, Gate, gate, moto, work_dir

_NUMBERS = itertools.count()
SMALL, LARGE = Body(70, seed=1), Body(17 * 2**20 + 5, seed=2)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    with moto(tmp_path_factory.mktemp("moto")) as bucket:
        yield bucket


@pytest.fixture
def bucket(server: Bucket) -> Bucket:
    """An empty one for each test: to empty one takes longer."""
    found = Bucket(server.endpoint, f"bucket-{next(_NUMBERS)}")
    found.client.create_bucket(Bucket=found.name)
    return found


@pytest.fixture
def gated(bucket: Bucket) -> Iterator[tuple[Bucket, Gate]]:
    with gate(bucket) as found:
        yield found


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
    bodies = {f"{number}.bin": Body(100 + number, seed=number) for number in range(1000)}
    manifest(
        tmp_path, bucket, [origin.serve(f"/{path}", body) for path, body in bodies.items()], execution={"processes": 2, "per_host": 32}
    )
    done = run(tmp_path, bucket)
    assert done.code == 0, done.err
    keys = files_of(bucket)
    assert sorted(keys) == sorted(bodies)
    assert all(bucket.sha256(f"data/{path}") == bodies[path].sha256 for path in keys[::25])
    assert run(tmp_path, bucket).code == 0
    assert report(bucket)["totals"]["up_to_date"] == 1000
