"""An S3 server in a process of its own, moto's, and what is read back from it by boto3: nothing of that is marscore's."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from tests.servers.process import running

KEY, SECRET = "AKIAOFTHETESTS", "a-secret-of-the-tests"


@dataclass
class Bucket:
    """A bucket of a server, and the variables by which programs find and open it."""

    endpoint: str
    name: str = "bucket"
    #: Where programs find it, if that is not where the tests do.
    seen_at: str | None = None

    @property
    def env(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.seen_at or self.endpoint,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
        }

    @cached_property
    def client(self) -> Any:
        """boto3's client; who has asked for it, closes it."""
        config = Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"})
        keys = {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET, "region_name": "us-east-1"}
        return boto3.client("s3", endpoint_url=self.endpoint, config=config, **keys)

    def keys(self, prefix: str = "") -> list[str]:
        """All keys, in their order."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return sorted(each["Key"] for page in pages for each in page.get("Contents", ()))

    def data(self, key: str) -> bytes:
        read: bytes = self.client.get_object(Bucket=self.name, Key=key)["Body"].read()
        return read

    def sha256(self, key: str) -> str:
        return hashlib.sha256(self.data(key)).hexdigest()

    def head(self, key: str) -> dict[str, Any]:
        found: dict[str, Any] = self.client.head_object(Bucket=self.name, Key=key)
        return found

    def put(self, key: str, data: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=data)

    def unfinished(self) -> list[str]:
        """The keys of uploads that were begun and are neither completed nor given up."""
        return sorted(each["Key"] for each in self.client.list_multipart_uploads(Bucket=self.name).get("Uploads", ()))


@contextlib.contextmanager
def moto(folder: Path) -> Iterator[Bucket]:
    """The server; buckets are made by `bucket_of`."""
    folder.mkdir(parents=True, exist_ok=True)
    with running(lambda port: [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], folder / "moto.log") as port:
        bucket = Bucket(f"http://127.0.0.1:{port}")
        yield bucket


@contextlib.contextmanager
def bucket_of(server: Bucket, name: str) -> Iterator[Bucket]:
    """A bucket of its own, with nothing in it."""
    bucket = Bucket(server.endpoint, name)
    try:
        bucket.client.create_bucket(Bucket=name)
        yield bucket
    finally:
        bucket.client.close()


@dataclass
class Gate:
    """Stands before a server and passes on what comes, request by request; `meet` decides what becomes of each.

    `meet` is given method and target, and returns None to let it pass, bytes to answer them instead, or an Event to hold it until that is
    set and then to drop the connection. `seen` are all requests.
    """

    endpoint: str
    seen: list[tuple[str, str]] = field(default_factory=list)
    meet: Callable[[str, str], bytes | threading.Event | None] = lambda method, target: None
    #: Fields of requests that are left out, in lower case.
    drop: tuple[str, ...] = ()
    #: Makes another answer of the server's; it is given what came, whole.
    change: Callable[[str, str, bytes], bytes] = lambda method, target, answer: answer

    #: Makes what the server gets of a request's head and body, or bytes that answer it instead.
    forward: Callable[[bytes, bytes], tuple[bytes, bytes] | bytes] = lambda head, body: (head, body)

    def count(self, method: str, part: str = "") -> int:
        return sum(each[0] == method and part in each[1] for each in self.seen)


@contextlib.contextmanager
def gate(bucket: Bucket) -> Iterator[tuple[Bucket, Gate]]:
    """The same bucket behind a gate."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        passing = Gate(f"http://127.0.0.1:{listener.getsockname()[1]}")
        port = int(bucket.endpoint.rpartition(":")[2])
        threading.Thread(target=_accept, args=(listener, passing, port), daemon=True).start()
        try:
            # What the test itself reads does not pass it.
            yield replace(bucket, seen_at=passing.endpoint), passing
        finally:
            # A thread that waits in accept holds the socket: shut down, it returns.
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, passing: Gate, port: int) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_serve, args=(connection, passing, port), daemon=True).start()


def _serve(connection: socket.socket, passing: Gate, port: int) -> None:
    """One request for each connection: a server that closes is the simplest that is right."""
    with connection, contextlib.suppress(OSError):
        stream = connection.makefile("rb")
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = stream.readline()
            if not line:
                return
            head += line
        method, target = head.split(b" ", 2)[:2]
        passing.seen.append((method.decode(), target.decode()))
        said = passing.meet(method.decode(), target.decode())
        if isinstance(said, threading.Event):
            said.wait()
            return
        body = stream.read(_length(head))
        if said is not None:
            connection.sendall(said)
            return
        told = passing.forward(_without(head, passing.drop), body)
        answer = told if isinstance(told, bytes) else _asked(port, *told)
        connection.sendall(passing.change(method.decode(), target.decode(), answer))


def _without(head: bytes, names: tuple[str, ...]) -> bytes:
    return b"\r\n".join(line for line in head.split(b"\r\n") if line.partition(b":")[0].decode().lower() not in names)


def _length(head: bytes) -> int:
    lines = head.lower().split(b"\r\n")
    return next((int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:")), 0)


def _asked(port: int, head: bytes, body: bytes) -> bytes:
    """What the server answers, with the end of the connection told."""
    first, _, rest = head.partition(b"\r\n")
    kept = b"\r\n".join(line for line in rest.split(b"\r\n") if not line.lower().startswith(b"connection:"))
    with socket.create_connection(("127.0.0.1", port)) as server:
        server.sendall(first + b"\r\nConnection: close\r\n" + kept + body)
        chunks = []
        while chunk := server.recv(65536):
            chunks.append(chunk)
    answer = b"".join(chunks)
    return answer if b"\r\nconnection: close" in answer.lower() else answer.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)


def work_dir(folder: Path) -> dict[str, str]:
    """The variable that keeps what runs work with in a folder of the test."""
    return {"MARSCORE_WORK_DIR": os.fspath(folder / "work")}
