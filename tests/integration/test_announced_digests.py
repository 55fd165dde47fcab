"""A file is held to the digests that its answers announce, on both transports, small, large and resumed."""

from __future__ import annotations

import base64
import hashlib
import signal
import zlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.integration.command import fetch, marscore, write
from tests.integration.test_faults import run
from tests.integration.test_interrupt_and_resume import stop_midway
from tests.origin import Body, Good, Origin

MIB = 1024 * 1024
SMALL, LARGE = Body(3000, seed=11), Body(9 * MIB, seed=12)
OTHER = Body(3000, seed=13)
LANES = pytest.mark.parametrize("lane", ["requests", "auto"])


def b64(body: Body, algorithm: str) -> str:
    data = body.read(0, body.length)
    digest = zlib.crc32(data).to_bytes(4, "big") if algorithm == "crc32" else hashlib.new(algorithm, data).digest()
    return base64.b64encode(digest).decode()


def fields_of(body: Body) -> list[tuple[str, str]]:
    return [
        ("Repr-Digest", f"sha-256=:{b64(body, 'sha256')}:"),
        ("Content-Digest", f"sha-512=:{b64(body, 'sha512')}:"),
        ("Digest", f"SHA={b64(body, 'sha1')}"),
        ("Content-MD5", b64(body, "md5")),
        ("x-goog-hash", f"md5={b64(body, 'md5')}"),
        ("x-amz-checksum-crc32", b64(body, "crc32")),
    ]


def entry(origin: Origin, body: Body, fields: Sequence[tuple[str, str]], path: str = "/file.bin") -> str:
    return origin.serve(path, body, [Good(fields=tuple(fields))])


@LANES
@pytest.mark.parametrize("body", [SMALL, LARGE], ids=["small", "large"])
def test_all_that_are_right_pass(origin: Origin, tmp_path: Path, body: Body, lane: str) -> None:
    report, log = run(tmp_path, lane, [entry(origin, body, [*fields_of(body), ("x-goog-hash", "crc32c=AAAAAA==")])], threads=4)
    assert report["exit_code"] == 0
    assert report["downloads"][0]["checksum"] == f"sha256:{body.sha256}"
    told = {line["field"] for line in log if line["event"] == "checksum_verified"}
    assert told == {name for name, _ in fields_of(body)}


@LANES
@pytest.mark.parametrize("body", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("wrong", range(6))
def test_each_that_is_wrong_fails_the_file_and_is_named(origin: Origin, tmp_path: Path, body: Body, wrong: int, lane: str) -> None:
    fields = fields_of(body)
    fields[wrong] = fields_of(OTHER)[wrong]
    report, _ = run(tmp_path, lane, [entry(origin, body, fields)], threads=4)
    error = report["downloads"][0]["error"]
    assert error["kind"] == "checksum"
    assert f"the answer's {fields[wrong][0]} names" in error["message"]
    assert [retry["kind"] for retry in report["downloads"][0]["retries"]] == ["checksum"]
    assert not (tmp_path / "data" / "file.bin").exists()


@LANES
def test_bytes_that_were_damaged_once_are_fetched_again(origin: Origin, tmp_path: Path, lane: str) -> None:
    fields = tuple(fields_of(SMALL)[:1])
    url = origin.serve("/file.bin", SMALL, [Good(body=OTHER, fields=fields), Good(fields=fields)])
    report, _ = run(tmp_path, lane, [url])
    assert report["exit_code"] == 0
    assert (tmp_path / "data" / "file.bin").read_bytes() == SMALL.read(0, SMALL.length)


@LANES
def test_nonsense_says_nothing(origin: Origin, tmp_path: Path, lane: str) -> None:
    fields = [("Repr-Digest", "sha-256=rubbish"), ("Digest", ",,=,"), ("Content-MD5", "%"), ("x-amz-checksum-sha256", "AAAA-2")]
    report, log = run(tmp_path, lane, [entry(origin, SMALL, fields)])
    assert report["exit_code"] == 0
    assert not [line for line in log if line["event"] == "checksum_verified"]


def test_a_run_that_goes_on_holds_the_file_to_what_was_announced_before(origin: Origin, tmp_path: Path) -> None:
    big = Body(40 * MIB, seed=14)
    wrong = (("Repr-Digest", f"sha-256=:{b64(OTHER, 'sha256')}:"),)
    url = origin.serve("/big.bin", big, [Good(stall_after=30 * MIB, stall_s=60, fields=wrong)])
    manifest = write(tmp_path, [url], defaults={"threads": 1, "retry": {"max_retries": 0}})
    stop_midway(tmp_path, manifest, signal.SIGTERM)
    origin.serve("/big.bin", big)
    ended = marscore("run", manifest, cwd=tmp_path)
    # What was resumed and what came now are not what was announced: all of it is fetched again, of a server that now says nothing.
    [discarded] = ended.events("resume_discarded")
    assert "the answer's Repr-Digest names" in discarded["reason"]
    assert discarded["bytes_discarded"] == big.size
    assert (ended.code, ended.entry()["bytes_resumed"]) == (0, 0)


def test_an_encoded_body_is_held_to_the_digest_of_its_coded_bytes(origin: Origin, tmp_path: Path) -> None:
    fields = [
        ("Content-Encoding", "gzip"),
        ("Repr-Digest", f"sha-256=:{b64(SMALL, 'sha256')}:"),
        ("x-goog-hash", f"md5={b64(OTHER, 'md5')}"),
    ]
    assert fetch(tmp_path, entry(origin, SMALL, [*fields, ("x-goog-stored-content-encoding", "br")])).code == 0
