"""Which URL is asked where: prefixes and their mirrors."""

from __future__ import annotations

import pytest

from marscore.resolve.expand import load_mapping
from marscore.resolve.model import Download
from marscore.resolve.rewriting import Rewriting

MIRRORS = {
    "https://h/": ("https://m/all/", "https://h/"),
    "https://h/pub": ("https://m/p",),
    "https://h/pub/deep/": ("https://d", "https://e/x/"),
    "http://h:8080/one.bin": ("https://m/other.bin",),
}


@pytest.mark.parametrize(
    ("url", "sources"),
    [
        ("https://h/a/b.bin?x=1&y=%2F", ("https://m/all/a/b.bin?x=1&y=%2F", "https://h/a/b.bin?x=1&y=%2F")),
        ("https://h", ("https://m/all/", "https://h")),
        ("HTTPS://H:443/a", ("https://m/all/a", "HTTPS://H:443/a")),
        ("https://u:p@h/a", ("https://m/all/a", "https://u:p@h/a")),
        ("https://h/pub", ("https://m/p",)),
        ("https://h/pub/a", ("https://m/p/a",)),
        ("https://h/pub?q", ("https://m/p?q",)),
        ("https://h/public/a", ("https://m/all/public/a", "https://h/public/a")),
        ("https://h/pub/deep", ("https://m/p/deep",)),
        ("https://h/pub/deep/a", ("https://d/a", "https://e/x/a")),
        ("https://h/PUB/a", ("https://m/all/PUB/a", "https://h/PUB/a")),
        ("http://h/a", ("http://h/a",)),
        ("https://h:8443/a", ("https://h:8443/a",)),
        ("http://h:8080/one.bin", ("https://m/other.bin",)),
        ("http://h:8080/one.bin.sig", ("http://h:8080/one.bin.sig",)),
        ("https://m/all/a", ("https://m/all/a",)),
    ],
)
def test_the_longest_prefix_holds_and_ends_at_a_segment(url: str, sources: tuple[str, ...]) -> None:
    assert Rewriting(MIRRORS).sources_of((url,)) == sources


def expanded(**entry: object) -> list[Download]:
    data = {"version": 1, "mirrors": {name: list(bases) for name, bases in MIRRORS.items()}, "downloads": [entry]}
    return list(load_mapping(data, {})[1])


def test_a_download_is_known_by_its_url_as_it_is_written() -> None:
    (download,) = expanded(url="https://h/pub/deep/a.bin", mirrors=["https://h/a.bin", "https://o/a.bin"])
    assert download.url == "https://h/pub/deep/a.bin"
    assert download.path == "a.bin"
    assert download.sources == ("https://d/a.bin", "https://e/x/a.bin", "https://m/all/a.bin", "https://h/a.bin", "https://o/a.bin")


def test_each_of_many_is_rewritten() -> None:
    downloads = expanded(url="https://h/pub/{i}.bin", each={"i": {"from": 0, "to": 1}})
    assert [(d.url, d.sources) for d in downloads] == [(f"https://h/pub/{i}.bin", (f"https://m/p/{i}.bin",)) for i in range(2)]


def test_what_is_not_rewritten_has_no_other_name() -> None:
    (download,) = expanded(url="https://elsewhere/a")
    assert (download.original, download.url, download.sources) == (None, "https://elsewhere/a", ("https://elsewhere/a",))
