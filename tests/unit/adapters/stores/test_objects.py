"""Objects are put whole and proven. The store in memory has ETags that are no digests: what it holds is read back."""

from __future__ import annotations

import hashlib
import secrets
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import obstore
import pytest

from marscore.adapters.stores.objects import Objects, select
from marscore.adapters.stores.parts import PART, Parts
from marscore.destination import Destination
from marscore.errors import StorageError
from marscore.policy.remedies import remedy
from marscore.policy.retry import Patience, RetryRules
from marscore.values import Timeouts


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


SMALL, LARGE = b"hello", bytes(range(256)) * (12 * 1024 * 4) + b"end"


@pytest.fixture
def objects() -> Objects:
    return Objects(Destination("memory", f"bucket-{secrets.token_hex(8)}", "p"), Patience())


def there(objects: Objects) -> dict[str, bytes]:
    return {meta["path"]: bytes(obstore.get(objects.store, meta["path"]).bytes()) for some in obstore.list(objects.store) for meta in some}


class Lying:
    """obstore's `put`, after which the store holds other bytes."""

    def __init__(self, objects: Objects, monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
        put = obstore.put

        def lie(store: Any, path: str, file: Any, **how: Any) -> Any:
            put(store, path, file, **how)
            return put(store, path, data)

        monkeypatch.setattr(obstore, "put", lie)


@pytest.mark.parametrize("data", [SMALL, LARGE, b""])
def test_a_file_is_an_object_with_its_bytes(objects: Objects, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "part").write_bytes(data)
    identity = objects.put_file("a/b.bin", tmp_path / "part", (len(data), sha256(data)), lambda: True)
    assert there(objects) == {"p/a/b.bin": data}
    assert objects.identify("a/b.bin") == identity
    assert objects.measure("a/b.bin", ["sha256", "md5"]).digests == {"sha256": sha256(data), "md5": hashlib.md5(data).hexdigest()}
    assert dict(objects.all()) == {"a/b.bin": identity}


@pytest.mark.parametrize("data", [SMALL, LARGE])
@pytest.mark.parametrize(
    "spoil", [lambda data: data[:-1], lambda data: data + b"x", lambda data: b"x" + data[1:], lambda data: data[:-1] + b"x"]
)
def test_a_file_that_changed_after_it_was_verified_becomes_no_object(
    objects: Objects, tmp_path: Path, data: bytes, spoil: Callable[[bytes], bytes]
) -> None:
    (tmp_path / "part").write_bytes(spoil(data))
    with pytest.raises(StorageError, match="changed the partial file"):
        objects.put_file("a.bin", tmp_path / "part", (len(data), sha256(data)), lambda: True)
    assert there(objects) == {}


def test_a_file_that_is_not_wanted_any_more_becomes_no_object(objects: Objects, tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(LARGE)
    wanted = iter([True, True, False])
    with pytest.raises(StorageError, match="interrupted"):
        objects.put_file("a.bin", tmp_path / "part", (len(LARGE), sha256(LARGE)), lambda: next(wanted))
    assert there(objects) == {}


@pytest.mark.parametrize("data", [b"HELLO", b"hell", b"hello world"])
def test_a_store_that_holds_other_bytes_is_found_out(objects: Objects, monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    Lying(objects, monkeypatch, data)
    with pytest.raises(StorageError, match="the store"):
        objects.put("a.bin", SMALL, sha256(SMALL))
    assert there(objects) == {} or data != b"HELLO"


def test_an_object_that_another_has_put_is_another(objects: Objects) -> None:
    first = objects.put("a.bin", SMALL, sha256(SMALL))
    second = objects.put("a.bin", SMALL, sha256(SMALL), first)
    assert first != second or objects.where.scheme != "memory"
    assert objects.identify("nothing") is None


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["whole", "in parts"])
@pytest.mark.parametrize("before", [None, b"older"], ids=["none", "an older one"])
def test_what_another_put_meanwhile_is_not_replaced(objects: Objects, tmp_path: Path, data: bytes, before: bytes | None) -> None:
    (tmp_path / "part").write_bytes(data)
    seen = None if before is None else objects.put("a.bin", before, sha256(before))
    newer = objects.put("a.bin", b"newer", sha256(b"newer"), seen)
    with pytest.raises(StorageError, match="another object is there by now") as caught:
        objects.put_file("a.bin", tmp_path / "part", (len(data), sha256(data)), lambda: True, seen)
    failure = caught.value.failure
    assert failure.kind == "store"
    assert "then run again: what is there is judged anew" in remedy(failure.kind, message=failure.message)
    assert (there(objects), objects.identify("a.bin")) == ({"p/a.bin": b"newer"}, newer)
    # Who has seen that one, replaces it.
    objects.put_file("a.bin", tmp_path / "part", (len(data), sha256(data)), lambda: True, newer)
    assert there(objects) == {"p/a.bin": data}


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["whole", "in parts"])
def test_right_bytes_are_right_whoever_has_put_them(objects: Objects, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "part").write_bytes(data)
    first = objects.put("a.bin", data, sha256(data))
    assert objects.put_file("a.bin", tmp_path / "part", (len(data), sha256(data)), lambda: True) == first


def test_an_object_that_went_meanwhile_is_in_nobodys_way(objects: Objects) -> None:
    seen = objects.put("a.bin", SMALL, sha256(SMALL))
    obstore.delete(objects.store, "p/a.bin")
    objects.put("a.bin", b"new", sha256(b"new"), seen)
    assert there(objects) == {"p/a.bin": b"new"}


def test_an_object_that_comes_while_parts_are_sent_stays(objects: Objects, tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(LARGE)
    asked: list[None] = []

    def wanted() -> bool:
        asked.append(None)
        if len(asked) == 2:
            obstore.put(objects.store, "p/a.bin", b"newer")
        return True

    with pytest.raises(StorageError, match="another object is there by now"):
        objects.put_file("a.bin", tmp_path / "part", (len(LARGE), sha256(LARGE)), wanted)
    assert there(objects) == {"p/a.bin": b"newer"}


@pytest.mark.parametrize("size", [10, 21 * 2**20], ids=["whole", "in parts"])
def test_a_file_of_marscores_own_replaces_the_last_one(objects: Objects, tmp_path: Path, size: int) -> None:
    for byte in (1, 2):
        (tmp_path / "file").write_bytes(bytes([byte]) * size)
        etag = objects.put_own_file("report.json", tmp_path / "file")
        assert etag == objects.etag_of(".marscore/report.json") != ""
    assert there(objects) == {"p/.marscore/report.json": b"\2" * size}


def test_a_list_is_given_up_where_others_fill_the_prefix(objects: Objects) -> None:
    for number in range(30):
        objects.put(f"{number:02}", b"", sha256(b""))
    found = select(objects.all(), {"03", "07", "none"}, 100)
    assert found is not None
    assert sorted(found) == ["03", "07"]
    assert select(objects.all(), {"03"}, 10) is None


def test_parts_of_a_large_file_are_larger() -> None:
    sizes = {size: Parts(Path(), (size, "")).size for size in (1, 5 * 2**30, 2**40)}
    assert sizes == {1: PART, 5 * 2**30: PART, 2**40: -(-(2**40) // 5000)}


def test_a_body_may_take_longer_than_an_answer_may_be_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    received = threading.Event()

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            head, _, body = connection.recv(65536).partition(b"\r\n\r\n")
            length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            taken = len(body)
            while taken < length and (data := connection.recv(65536)):
                taken += len(data)
                time.sleep(0.02)
            received.set()
            connection.sendall(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        for name, value in {
            "ENDPOINT_URL": f"http://127.0.0.1:{listener.getsockname()[1]}",
            "ACCESS_KEY_ID": "k",
            "SECRET_ACCESS_KEY": "s",
        }.items():
            monkeypatch.setenv(f"AWS_{name}", value)
        objects = Objects(Destination("s3", "bucket"), Patience(RetryRules(max_retries=0), Timeouts(read=0.3)))
        with pytest.raises(StorageError, match="503"):
            objects.put("a.bin", bytes(4 * 2**20), sha256(bytes(4 * 2**20)))
    assert received.is_set()
