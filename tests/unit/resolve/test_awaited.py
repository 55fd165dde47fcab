"""Which lists a manifest's downloads await, and what is wrong with how they are named."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from marscore.errors import ManifestError
from marscore.resolve.expand import load
from marscore.resolve.model import Awaited, Download, ListSource
from marscore.resolve.typed import as_typed
from marscore.values import Checksum

SUMS = "https://a/SHA256SUMS"
SHA = "sha256:" + "ab" * 32
URL = "https://a/f.bin"


def loaded(*downloads: Any, **defaults: Any) -> tuple[Download, ...]:
    return load(text_of(downloads, defaults), "m.yaml", {"V": "1.2"})[1]


def text_of(downloads: Any, defaults: Any) -> str:
    return yaml.safe_dump({"version": 1, "defaults": defaults, "downloads": list(downloads)}, sort_keys=False)


def awaited(*downloads: Any, **defaults: Any) -> list[tuple[Awaited, ...]]:
    return [download.awaited for download in loaded(*downloads, **defaults)]


def test_a_download_may_name_a_list_and_checksums_of_its_own() -> None:
    assert awaited({"url": URL, "checksum": {"from": SUMS}}) == [(Awaited(ListSource(SUMS)),)]
    [both] = loaded({"url": URL, "checksum": [SHA, {"from": "lists/sums", "algorithm": "SHA-512", "name": "g"}]})
    assert both.checksums == (Checksum("sha256", "ab" * 32),)
    assert both.awaited == (Awaited(ListSource("lists/sums"), "sha512", "g"),)
    source = {"url": SUMS, "mirrors": ["https://b/S"], "checksum": SHA}
    assert awaited({"url": URL, "checksum": {"from": source}}) == [
        (Awaited(ListSource(SUMS, ("https://b/S",), (Checksum("sha256", "ab" * 32),))),)
    ]


def test_defaults_name_one_for_those_that_have_no_checksum_and_are_completed_by_key() -> None:
    default = {"from": SUMS, "algorithm": "sha512"}
    entries = [URL, {"url": "https://a/g.bin", "checksum": SHA}, {"url": "https://a/h.bin", "checksum": {"name": "x/h"}}]
    assert awaited(*entries, checksum=default) == [
        (Awaited(ListSource(SUMS), "sha512"),),
        (),
        (Awaited(ListSource(SUMS), "sha512", "x/h"),),
    ]
    assert awaited({"url": URL, "checksum": []}, checksum=default) == [()]


def test_names_are_filled_in() -> None:
    many = {"url": "https://a/{i:02d}.bin", "each": {"i": [1, 2]}}
    assert [each[0].source.place for each in awaited(many, URL, checksum={"from": "{url}.sha256"})] == [
        "https://a/01.bin.sha256",
        "https://a/02.bin.sha256",
        "https://a/f.bin.sha256",
    ]
    own = {**many, "checksum": {"from": "sums/{i}.txt", "name": "f-{i:03d}"}}
    assert awaited(own) == [(Awaited(ListSource(f"sums/{i}.txt"), None, f"f-{i:03d}"),) for i in (1, 2)]


def test_equal_ones_are_one_object() -> None:
    found = awaited({"url": "https://a/{i}.bin", "each": {"i": [1, 2]}}, URL, checksum={"from": SUMS})
    assert found[0] is found[1] is found[2]


@pytest.mark.parametrize(
    ("downloads", "defaults", "told"),
    [
        ([{"url": URL, "checksum": {"name": "x"}}], {}, "downloads[0].checksum: needs from, the URL or the path of a list"),
        ([{"url": URL, "checksum": {"from": "{i}"}}], {}, "has the name {i}, which is not in each (url)"),
        ([URL], {"checksum": {"from": "{i}"}}, "defaults.checksum.from"),
        ([{"url": URL, "checksum": {"from": "ftp://a/x"}}], {}, "downloads[0].checksum.from"),
        ([{"url": URL, "checksum": {"from": {"url": "x", "mirrors": ["https://a/x"]}}}], {}, "must be a URL where it has mirrors"),
        ([{"url": URL, "checksum": {"from": {"url": SUMS, "checksum": "sha256:1"}}}], {}, "a sha256 digest has 64 hexadecimal digits"),
        ([{"url": URL, "checksum": {"from": SUMS, "algorithm": "crc32"}}], {}, "must be md5, sha1"),
        ([{"url": URL, "checksum": {"form": SUMS}}], {}, "unknown key 'form'; did you mean 'from'?"),
        ([{"url": URL, "checksum": {"from": {"mirrors": []}}}], {}, "checksum.from.url: is required"),
        ([URL], {"checksum": SHA}, "defaults.checksum: must be a mapping"),
    ],
)
def test_what_is_wrong_is_told_at_its_place(downloads: list[Any], defaults: dict[str, Any], told: str) -> None:
    with pytest.raises(ManifestError) as caught:
        loaded(*downloads, **defaults)
    assert told in str(caught.value)


@pytest.mark.parametrize("suffix", ["", "?v=${V}"])
def test_as_typed_names_stay_unfilled(suffix: str) -> None:
    entries = [
        {"url": f"https://a/{{i}}.bin{suffix}", "each": {"i": [1]}},
        {"url": URL, "checksum": [SHA, {"from": {"url": "https://u:p@a/S?token=xyz"}, "algorithm": "SHA-512"}, {"name": "y"}]},
        {"url": "https://a/g.bin", "checksum": SHA},
    ]
    parsed, downloads = load(text_of(entries, {"checksum": {"from": "{url}.sha256", "name": "x"}}), "m.yaml", {"V": "1.2"})
    assert [each.checksum_from for each in as_typed(parsed, downloads)] == [
        "{url}.sha256 (name x)",
        "https://a/S?token=*** (algorithm sha512) (name x), {url}.sha256 (name y)",
        None,
    ]
