"""What is put says what it replaces: a request that comes late, or twice, replaces nothing that was put meanwhile. By moto's server."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from marscore.adapters.stores.fence import Fence, now
from marscore.adapters.stores.objects import Objects
from marscore.destination import Destination
from marscore.errors import StorageError
from marscore.policy.retry import Patience
from tests.integration.test_stores import Started, answer, files_of, lock_of, manifest, report, run, until
from tests.origin import Body, Origin
from tests.servers.store import Bucket, Gate, bucket_of, gate, moto

SMALL, LARGE, NEWER = Body(70, seed=1), Body(17 * 2**20 + 5, seed=2), b"a newer one"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    with moto(tmp_path_factory.mktemp("moto")) as bucket:
        yield bucket


@pytest.fixture
def gated(server: Bucket, request: pytest.FixtureRequest) -> Iterator[tuple[Bucket, Gate]]:
    name = f"conditions-{hashlib.md5(request.node.name.encode()).hexdigest()[:12]}"
    with bucket_of(server, name) as bucket, gate(bucket) as found:
        yield found
        found[0].client.close()


class Late:
    """Holds the first request for an object whose target has this text, until it is let go: then it arrives."""

    def __init__(self, passing: Gate, method: str, text: str) -> None:
        self.arrived, self.released = threading.Event(), threading.Event()
        self._method, self._text = method, text
        passing.meet = self._meet

    def _meet(self, method: str, target: str) -> None:
        if method == self._method and self._text in target and not self.arrived.is_set():
            self.arrived.set()
            self.released.wait(60)


@pytest.mark.parametrize("before", [None, b"an older one"], ids=["a new key", "one that is replaced"])
def test_a_put_that_comes_late_replaces_nothing_newer(
    origin: Origin, tmp_path: Path, gated: tuple[Bucket, Gate], before: bytes | None
) -> None:
    bucket, passing = gated
    if before is not None:
        bucket.put("data/small.bin", before)
    manifest(tmp_path, bucket, [origin.serve("/small.bin", SMALL)])
    late = Late(passing, "PUT", "/data/small.bin")
    started = Started(tmp_path, bucket)
    assert late.arrived.wait(30)
    bucket.put("data/small.bin", NEWER)
    late.released.set()
    assert started.wait()[0] == 3
    error = report(bucket)["downloads"][0]["error"]
    assert (error["kind"], "another object is there by now" in error["message"]) == ("store", True)
    assert bucket.data("data/small.bin") == NEWER
    # The next run looks anew.
    assert run(tmp_path, bucket).code == 0
    assert bucket.sha256("data/small.bin") == SMALL.sha256


@pytest.mark.parametrize("before", [None, b"an older one"], ids=["a new key", "one that is replaced"])
def test_an_upload_of_parts_is_not_completed_over_a_newer_one(
    origin: Origin, tmp_path: Path, gated: tuple[Bucket, Gate], before: bytes | None
) -> None:
    bucket, passing = gated
    if before is not None:
        bucket.put("data/large.bin", before)
    manifest(tmp_path, bucket, [origin.serve("/large.bin", LARGE)])
    late = Late(passing, "PUT", "partNumber=1")
    started = Started(tmp_path, bucket)
    assert late.arrived.wait(30)
    bucket.put("data/large.bin", NEWER)
    late.released.set()
    assert started.wait()[0] == 3
    assert (bucket.data("data/large.bin"), bucket.unfinished()) == (NEWER, [])
    assert run(tmp_path, bucket).code == 0
    assert bucket.sha256("data/large.bin") == LARGE.sha256


def test_a_put_that_was_taken_and_comes_again_meets_its_own_object(origin: Origin, tmp_path: Path, gated: tuple[Bucket, Gate]) -> None:
    bucket, passing = gated
    told: list[str] = []

    def lost(method: str, target: str, came: bytes) -> bytes:
        if method != "PUT" or not target.endswith("/small.bin"):
            return came
        told.append(came.partition(b"\r\n")[0].decode())
        # The store took it, and its answer did not come through.
        return answer("503 Slow Down", "SlowDown") if len(told) == 1 else came

    passing.change = lost
    manifest(tmp_path, bucket, [origin.serve("/small.bin", SMALL)])
    done = run(tmp_path, bucket)
    assert done.code == 0, done.err
    assert [" 200 " in told[0], " 412 " in told[1]] == [True, True]
    assert (bucket.sha256("data/small.bin"), report(bucket)["totals"]["downloaded"]) == (SMALL.sha256, 1)


def test_a_store_that_is_busy_is_asked_again(origin: Origin, tmp_path: Path, gated: tuple[Bucket, Gate]) -> None:
    bucket, passing = gated
    conflict = answer("409 Conflict", "ConditionalRequestConflict")
    passing.meet = lambda method, target: (
        conflict if method == "PUT" and target.endswith("/small.bin") and passing.count("PUT", "/small.bin") == 1 else None
    )
    manifest(tmp_path, bucket, [origin.serve("/small.bin", SMALL)])
    assert run(tmp_path, bucket).code == 0
    assert bucket.sha256("data/small.bin") == SMALL.sha256


def test_a_store_that_takes_no_conditions_is_written_to_all_the_same(origin: Origin, tmp_path: Path, gated: tuple[Bucket, Gate]) -> None:
    bucket, passing = gated
    passing.drop = ("if-none-match", "if-match")
    bucket.put("data/small.bin", b"an older one")
    manifest(tmp_path, bucket, [origin.serve("/small.bin", SMALL), origin.serve("/large.bin", LARGE)])
    done = run(tmp_path, bucket)
    assert (done.code, files_of(bucket)) == (0, ["large.bin", "small.bin"])
    assert sum("may replace what another has put" in each["message"] for each in done.events("warned")) == 1


def refusing(head: bytes, body: bytes) -> tuple[bytes, bytes] | bytes:
    """As Swift's S3 API answers each put that has a condition."""
    fields = {line.partition(b":")[0].lower() for line in head.split(b"\r\n")}
    refused = head.startswith(b"PUT ") and not fields.isdisjoint({b"if-none-match", b"if-match"})
    return answer("501 Not Implemented", "NotImplemented") if refused else (head, body)


def test_a_store_that_refuses_conditions_is_written_to_without(origin: Origin, tmp_path: Path, gated: tuple[Bucket, Gate]) -> None:
    bucket, passing = gated
    passing.forward = refusing
    bucket.put("data/small.bin", b"an older one")
    downloads = [origin.serve("/small.bin", SMALL), origin.serve("/large.bin", LARGE)]
    # Repeated as often as that, what is refused for good would take minutes.
    manifest(tmp_path, bucket, downloads, defaults={"retry": {"max_retries": 20}})
    done = run(tmp_path, bucket)
    assert (done.code, files_of(bucket)) == (0, ["large.bin", "small.bin"])
    assert (bucket.sha256("data/small.bin"), bucket.sha256("data/large.bin")) == (SMALL.sha256, LARGE.sha256)
    assert sum("may replace what another has put" in each["message"] for each in done.events("warned")) == 1
    assert run(tmp_path, bucket).code == 0
    assert report(bucket)["totals"]["up_to_date"] == 2
    lock_of(bucket)
    held = run(tmp_path, bucket)
    assert (held.code, "another run (on 'elsewhere', pid 7) holds this destination" in held.err) == (3, True)


def test_where_conditions_are_refused_a_newer_object_is_seen_and_left(origin: Origin, tmp_path: Path, gated: tuple[Bucket, Gate]) -> None:
    bucket, passing = gated

    def meanwhile(head: bytes, body: bytes) -> tuple[bytes, bytes] | bytes:
        told = refusing(head, body)
        if isinstance(told, bytes) and b"/data/small.bin" in head.partition(b"\r\n")[0]:
            bucket.put("data/small.bin", NEWER)
        return told

    passing.forward = meanwhile
    manifest(tmp_path, bucket, [origin.serve("/small.bin", SMALL)])
    assert run(tmp_path, bucket).code == 3
    error = report(bucket)["downloads"][0]["error"]
    assert (error["kind"], "another object is there by now" in error["message"]) == ("store", True)
    assert bucket.data("data/small.bin") == NEWER


def test_conditions_that_the_environment_turns_off_are_not_asked_for(origin: Origin, tmp_path: Path, gated: tuple[Bucket, Gate]) -> None:
    bucket, _ = gated
    manifest(tmp_path, bucket, [origin.serve("/small.bin", SMALL)])
    done = run(tmp_path, bucket, env={"AWS_CONDITIONAL_PUT": "disabled"})
    assert (done.code, bucket.sha256("data/small.bin")) == (0, SMALL.sha256)
    assert any("takes no conditions" in each["message"] for each in done.events("warned"))


def test_nothing_more_is_sent_of_an_upload_once_the_lock_is_lost(
    tmp_path: Path, gated: tuple[Bucket, Gate], monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket, passing = gated
    for name, value in bucket.env.items():
        monkeypatch.setenv(name, value)
    data = LARGE.read(0, LARGE.size)
    (tmp_path / "part").write_bytes(data)
    fence = Fence(tmp_path)
    fence.stand(now() + 60)
    objects = Objects(Destination("s3", bucket.name, "data"), Patience(), fence)
    late, failed = Late(passing, "PUT", "partNumber=4"), threading.Event()

    def put() -> None:
        with pytest.raises(StorageError, match="not held any more"):
            objects.put_file("large.bin", tmp_path / "part", (len(data), LARGE.sha256), lambda: True)
        failed.set()

    threading.Thread(target=put, daemon=True).start()
    # Its last part is on its way: whatever is to be read was read.
    assert late.arrived.wait(30)
    until(lambda: passing.count("PUT", "partNumber=") == 4)
    fence.fall()
    assert failed.wait(5)
    late.released.set()
    threading.Event().wait(1.0)
    assert (passing.count("POST", "uploadId="), files_of(bucket)) == (0, [])
