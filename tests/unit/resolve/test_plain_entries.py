"""A download that is read without a model is what the model would have made of it."""

from __future__ import annotations

from typing import Any

import pytest

from marscore.errors import ManifestError
from marscore.manifest import DownloadEntry, read_mapping
from marscore.manifest.plain import PlainEntry
from marscore.resolve.expand import expand, load_mapping
from marscore.resolve.model import Download

SHA = "sha256:" + "a" * 64
URL = "http://origin.example/folder/file.bin"


def read(entry: Any) -> Any:
    return read_mapping({"version": 1, "downloads": [entry]}, {}).manifest.downloads[0]


def downloads(entry: Any) -> tuple[Download, ...]:
    return expand(read_mapping({"version": 1, "downloads": [entry]}, {}))


@pytest.mark.parametrize(
    "entry",
    [
        {"url": URL},
        {"url": URL, "path": "a/b.bin"},
        {"url": URL, "checksum": SHA},
        {"url": URL, "size": "1KiB"},
        {"url": URL, "path": "x", "checksum": f"MD5:{'0' * 32}", "size": 7},
    ],
)
def test_it_expands_to_the_same_download(entry: dict[str, Any]) -> None:
    assert type(read(entry)) is PlainEntry
    # An option, whatever it says, takes the model.
    with_option = {**entry, "threads": 4}
    assert type(read(with_option)) is DownloadEntry
    assert downloads(entry) == downloads(with_option)


def test_a_bare_url_is_plain() -> None:
    assert type(read(URL)) is PlainEntry
    assert downloads(URL) == downloads({"url": URL})


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("ftp://origin.example/x", "must begin with http:// or https://"),
        ("http://origin.example:99999/file.bin", "must have a port from 1 to 65535"),
        ({"url": URL, "path": "../x"}, "must not have . or .. as a part"),
        ({"url": URL, "path": "con/file.bin"}, "Windows reserves"),
        ({"url": URL, "checksum": "sha256:abc"}, "a sha256 digest has 64"),
        ({"url": URL, "size": -1}, "must be 0 or more"),
        ({"url": URL, "size": 2**63}, "must be"),
        ({"path": "x"}, "is required"),
        ({"url": URL, "pth": "x"}, "did you mean 'path'?"),
    ],
)
def test_what_is_wrong_is_told_as_ever(entry: Any, message: str) -> None:
    with pytest.raises(ManifestError, match=message.replace("?", r"\?")):
        load_mapping({"version": 1, "downloads": [entry]}, {})


@pytest.mark.parametrize("name", ["con.txt", "NUL", "com1.tar.gz", "aux", "lpt9.x"])
def test_no_reserved_name_slips_through_the_short_cut(name: str) -> None:
    with pytest.raises(ManifestError, match="Windows reserves"):
        load_mapping({"version": 1, "downloads": [f"http://origin.example/{name}"]}, {})
