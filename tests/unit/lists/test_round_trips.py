"""What is exported comes back: the same URLs, paths and checksums, as far as the format can say them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marscore.errors import ManifestError
from marscore.lists.exported import export
from marscore.lists.imported import import_list
from marscore.lists.outgoing import Losses, Outgoing
from marscore.manifest import escape
from marscore.resolve.expand import load, load_mapping

NAMES = st.text(
    st.one_of(st.sampled_from("ab.$ {}[]#%&?*'\"\\-!|<>@`~,=:;\u2028\ufffe"), st.characters(exclude_categories=["Cs"])), max_size=8
)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
URLS = st.builds("https://{}e.com/{}".format, st.sampled_from(["", "u:p%40@", "t@"]), NAMES)
VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=10)
DIGESTS = st.sampled_from([f"sha256:{'a1' * 32}", f"sha512:{'b2' * 64}", f"md5:{'c3' * 16}", f"blake2b:{'d4' * 64}"])
ENTRIES = st.fixed_dictionaries(
    {"url": URLS, "path": PATHS},
    optional={
        "mirrors": st.lists(URLS, max_size=2),
        "checksum": st.lists(DIGESTS, max_size=3, unique=True),
        "size": st.integers(0, 2**40),
        "headers": st.dictionaries(st.sampled_from(["Accept", "X-One", "Authorization"]), VALUES, max_size=3),
        "auth": st.fixed_dictionaries({"username": VALUES.filter(lambda text: text and ":" not in text), "password": VALUES}),
    },
)


def literal(value):
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, dict):
        return {key: literal(inner) for key, inner in value.items()}
    return [literal(inner) for inner in value] if isinstance(value, list) else value


def right(entries):
    """Those entries that make a manifest, as downloads."""
    taken = []
    for entry in entries:
        try:
            load_mapping({"version": 1, "downloads": [*taken, literal(entry)]}, {})
        except ManifestError:
            continue
        taken.append(literal(entry))
    return load_mapping({"version": 1, "downloads": taken}, {})[1]


def there_and_back(target, downloads):
    losses = Losses("m.yaml")
    text = "".join(export([Outgoing(each, 1) for each in downloads], target, None, losses))
    if len(downloads) == losses.left_out:
        return [], losses
    made = import_list(text, "list", target, "https://base.e.com/", "kept")
    assert made.left_out == 0, (text, made.warnings)
    return list(load("".join(made.text), "m", {})[1]), losses


@pytest.mark.parametrize("target", ["aria2", "curl", "metalink"])
@given(entries=st.lists(ENTRIES, max_size=4))
def test_urls_and_paths_come_back(target, entries):
    downloads = right(entries)
    back, losses = there_and_back(target, downloads)
    assert len(back) + losses.left_out == len(downloads)
    if losses.left_out:
        downloads = [each for each in downloads if each.path in {other.path for other in back}]
    for before, after in zip(downloads, back, strict=True):
        # Without their fragments two may be one.
        named = before.sources[:1] if target == "curl" else before.sources
        wanted = tuple(dict.fromkeys(url.partition("#")[0] for url in named))
        assert (after.sources, after.path) == (wanted, before.path)
        if target != "metalink":
            assert after.options.auth == before.options.auth
            assert {(n.lower(), v) for n, v in after.options.headers} == {(n.lower(), v) for n, v in before.options.headers}
        if target == "metalink":
            assert after.size == before.size
            assert after.checksums == tuple(each for each in before.checksums if each.algorithm != "blake2b")
        elif target == "aria2":
            assert set(after.checksums) <= set(before.checksums)


@given(entries=st.lists(ENTRIES, max_size=4))
def test_checksums_come_back_from_a_list_of_them(entries):
    downloads = [each for each in right(entries) if any(checksum.algorithm == "sha256" for checksum in each.checksums)]
    back, losses = there_and_back("sha256sums", downloads)
    assert losses.left_out == 0
    assert [each.path for each in back] == [each.path for each in downloads]
    assert all(str(each.checksums[0]).startswith("sha256:a1") for each in back)


@given(entries=st.lists(ENTRIES, max_size=3), target=st.sampled_from(["aria2", "curl", "metalink", "sha256sums"]))
def test_what_is_hidden_is_in_no_export(entries, target):
    downloads = right(entries)
    losses = Losses("m.yaml")
    hidden = frozenset({"url", "mirrors", "headers", "auth", "proxies", "cert"})
    text = "".join(
        export([Outgoing(replace(each, sources=("https://e.com/SECRET",)), 1, hidden) for each in downloads], target, None, losses)
    )
    assert "SECRET" not in text
