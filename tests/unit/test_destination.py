"""A URL as the place of files: what it names, what is refused, and that no message repeats it."""

from __future__ import annotations

from pathlib import Path

import pytest

from marscore.destination import Destination, is_url, parse_destination


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("s3://bucket", Destination("s3", "bucket", "")),
        ("s3://bucket/", Destination("s3", "bucket", "")),
        ("S3://bucket/a/b/", Destination("s3", "bucket", "a/b")),
        (str(Path("s3://bucket/a/b")), Destination("s3", "bucket", "a/b")),
        ("gs://my_bucket.example/ü %41", Destination("gs", "my_bucket.example", "ü %41")),
        ("az://container/p", Destination("az", "container", "p")),
        ("memory://bucket/p", Destination("memory", "bucket", "p")),
        ("file:///data/out", "/data/out"),
        ("file:///data/a%20b", "/data/a b"),
        ("file://localhost/data", "/data"),
        (str(Path("file:///data/out")), "/data/out"),
        ("file:///C:/data", "C:/data"),
    ],
)
def test_what_a_url_names(text: str, found: Destination | str) -> None:
    assert is_url(text)
    assert parse_destination(text) == found


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("https://secret.example/a", "begin with s3://"),
        ("ftp://secret@host/", "begin with s3://"),
        ("s3://KEYSECRET:secret@bucket/p", "user name"),
        ("s3://secret@/p", "user name"),
        ("s3:///secret", "bucket"),
        ("s3://a/secret", "bucket"),
        ("s3://bucket/a//secret", "empty part"),
        ("s3://bucket/../secret", "empty part"),
        ("s3://bucket/./secret", "empty part"),
        ("s3://bucket/.marscore/secret", "keeps for itself"),
        ("s3://bucket/p?key=secret", "no query"),
        ("s3://bucket/p#secret", "no fragment"),
        ("s3://bucket/a\nsecret", "control"),
        ("s3://bucket/" + "secret" * 100, "512 bytes"),
        ("file://secret/data", "of this machine"),
        ("file:///data/%0asecret", "control"),
    ],
)
def test_what_is_refused_is_not_repeated(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told) as error:
        parse_destination(text)
    assert "secret" not in str(error.value).lower()


@pytest.mark.parametrize("text", ["data", "/data", "../data", "C:/data", "c:\\data", "a:b", "data/s3://x", "s3", "2024-01-01:x"])
def test_folders_are_no_urls(text: str) -> None:
    assert not is_url(text)


def test_keys_are_below_the_prefix() -> None:
    assert [Destination("s3", "bucket", prefix).key("a/b") for prefix in ("", "p/q")] == ["a/b", "p/q/a/b"]
    assert (Destination("s3", "bucket", "p").url("a"), str(Destination("s3", "bucket"))) == ("s3://bucket/p/a", "s3://bucket")
    assert len(("p/" + "x" * Destination("s3", "bucket", "p").room).encode()) == 1024
