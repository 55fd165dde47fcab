"""Which digests an answer's fields announce."""

from __future__ import annotations

import base64
import hashlib
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marscore.policy.announced import announced_in

DATA = b"content"


def b64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


MD5, SHA1, SHA256, SHA512 = (b64(hashlib.new(name, DATA).digest()) for name in ("md5", "sha1", "sha256", "sha512"))
CRC32 = b64(zlib.crc32(DATA).to_bytes(4, "big"))


def found(body: str = "whole", **fields: str) -> list[tuple[str, str]]:
    named = announced_in({name.replace("_", "-"): value for name, value in fields.items()}, body)  # type: ignore[arg-type]
    for each in named:
        algorithm, digest = each.checksum.algorithm, each.checksum.hex
        assert digest == (f"{zlib.crc32(DATA):08x}" if algorithm == "crc32" else hashlib.new(algorithm, DATA).hexdigest())
    return [(each.field, each.checksum.algorithm) for each in named]


@pytest.mark.parametrize(
    ("fields", "whole", "part"),
    [
        ({"repr_digest": f"sha-256=:{SHA256}:"}, [("Repr-Digest", "sha256")], [("Repr-Digest", "sha256")]),
        ({"content_digest": f"sha-512=:{SHA512}:"}, [("Content-Digest", "sha512")], []),
        ({"digest": f"SHA-256={SHA256}"}, [("Digest", "sha256")], [("Digest", "sha256")]),
        ({"content_md5": MD5}, [("Content-MD5", "md5")], []),
        ({"x_goog_hash": f"crc32c=n03x6A==, md5={MD5}"}, [("x-goog-hash", "md5")], [("x-goog-hash", "md5")]),
        ({"x_amz_checksum_sha256": SHA256}, [("x-amz-checksum-sha256", "sha256")], []),
        ({"x_amz_checksum_sha1": SHA1, "x_amz_checksum_type": "FULL_OBJECT"}, [("x-amz-checksum-sha1", "sha1")], []),
        ({"x_amz_checksum_crc32": CRC32}, [("x-amz-checksum-crc32", "crc32")], []),
        ({"etag": f'"{hashlib.md5(DATA).hexdigest()}"'}, [], []),
    ],
    ids=lambda value: next(iter(value), "") if isinstance(value, dict) else None,
)
def test_each_field_is_of_the_whole_or_of_this_answer_alone(
    fields: dict[str, str], whole: list[tuple[str, str]], part: list[tuple[str, str]]
) -> None:
    assert found("whole", **fields) == whole
    assert found("part", **fields) == part


@pytest.mark.parametrize(
    ("value", "algorithms"),
    [
        (f"sha-256=:{SHA256}:, sha-512=:{SHA512}:", ["sha256", "sha512"]),
        (f"sha-256=:{SHA256}:;a=1;b , sha-512=:{SHA512}:", ["sha256", "sha512"]),
        (f'other=(1 "a, b";q=2 tok);x, flag, sha-256=:{SHA256}:', ["sha256"]),
        (f"sha-256=:{MD5}:, sha-256=:{SHA256}:", ["sha256"]),
        (f"sha-256=:{SHA256.rstrip('=')}:", ["sha256"]),
        (f"md5=:{MD5}:, sha=:{SHA1}:, unixsum=:AAA=:", []),
        (f"SHA-256=:{SHA256}:", []),
        (f"sha-256={SHA256}", []),
        (f"sha-256=:{SHA256}", []),
        (f"sha-256=:{SHA256}:,", []),
        (f"sha-256=:{SHA256}: sha-512=:{SHA512}:", []),
        (f"sha-256=:{MD5}:", []),
        (f'sha-256="{SHA256}"', []),
        ("sha-256=::", []),
        ("sha-256", []),
        ("", []),
    ],
)
def test_a_structured_field_holds_as_a_whole_or_says_nothing(value: str, algorithms: list[str]) -> None:
    assert found(repr_digest=value) == [("Repr-Digest", algorithm) for algorithm in algorithms]


@pytest.mark.parametrize(
    ("value", "algorithms"),
    [
        (f"md5={MD5},sha={SHA1}, SHA-512={SHA512}", ["md5", "sha1", "sha512"]),
        (f"adler32=03da0195, id-sha-256={SHA256}, crc32c=AAAAAA==", []),
        (f"sha-256={hashlib.sha256(DATA).hexdigest()}, md5={MD5}", ["md5"]),
        (f"sha-256={SHA256} {SHA256}", []),
        ("sha-256", []),
    ],
)
def test_the_older_field_is_a_plain_list(value: str, algorithms: list[str]) -> None:
    assert found(digest=value) == [("Digest", algorithm) for algorithm in algorithms]


@pytest.mark.parametrize(
    "fields",
    [
        {"content_md5": hashlib.md5(DATA).hexdigest()},
        {"content_md5": f"{MD5}, {MD5}"},
        {"x_amz_checksum_sha256": f"{SHA256}-3"},
        {"x_amz_checksum_sha256": SHA256, "x_amz_checksum_type": "COMPOSITE"},
        {"x_amz_checksum_crc32c": "AAAAAA=="},
        {"x_goog_hash": f"md5={MD5}", "x_goog_stored_content_encoding": "gzip"},
        {"digest": f"sha-256={SHA256}", "warning": '214 UploadServer "gunzipped"'},
    ],
    ids=str,
)
def test_what_is_malformed_or_of_other_bytes_says_nothing(fields: dict[str, str]) -> None:
    assert found(**fields) == []


def test_what_is_kept_compressed_and_sent_so_has_the_digest_of_what_is_sent() -> None:
    fields = {"x_goog_hash": f"md5={MD5}", "x_goog_stored_content_encoding": "gzip", "content_encoding": "gzip"}
    assert found(**fields) == [("x-goog-hash", "md5")]


NAMES = ["repr-digest", "content-digest", "digest", "content-md5", "x-goog-hash", "x-amz-checksum-sha256", "warning", "x-amz-checksum-type"]


@given(st.dictionaries(st.sampled_from(NAMES), st.text('sha-256=:()"\\;, Aa0?*.+/', max_size=80)))
def test_no_field_is_too_strange(fields: dict[str, str]) -> None:
    announced_in(fields, "whole")


def test_a_long_field_takes_no_longer_than_it_is_long() -> None:
    for text in ("a=(" + "a" * 100_000, "a=(" + "1 " * 50_000, "a;" * 50_000, 'a="' + "\\" * 100_001, "," * 100_000, "a=1," * 50_000):
        announced_in({"repr-digest": text}, "whole")
