"""Which format a list is taken for."""

from __future__ import annotations

import pytest

from marscore.lists.guess import guess
from marscore.lists.model import ListError

A = "a1" * 32
URL = "https://e.com/a"


@pytest.mark.parametrize(
    ("text", "name", "form"),
    [
        (f"{URL}\n# c\n{URL}b\n", "x", "urls"),
        (f"  {URL}\n{URL}b # c\n{URL}c\n", "x", "urls"),
        (f"{URL}\n  out=b\n", "x", "aria2"),
        (f"{URL}\t{URL}b\n", "x", "aria2"),
        (f"{URL} {URL}b\n{URL}c\n", "aria2.txt", "aria2"),
        (f'url = "{URL}"\noutput = b\n', "x", "curl"),
        (f"-O\n--url {URL}\n-sS\n", "x", "curl"),
        (f"{A}  b\n{A} *c\n", "x", "sha256sums"),
        (f"SHA256 (b) = {A}\n", "x", "sha256sums"),
        (f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{A}  b\n", "x", "sha256sums"),
        (f"{A}\n", "b.sha256", "sha256sums"),
        (f"b {A}\nc md5:{'0' * 32} {URL}\n", "x", "pooch"),
        (f"{A}  {'b' * 40}\n", "SHA256SUMS", "sha256sums"),
        (f"{'b' * 40}  {A}\n", "registry.txt", "pooch"),
        ("\ufeff<?xml version='1.0'?><metalink/>", "x", "metalink"),
        ('{"a": 1}\n{"a": 2}\n', "x", "jsonl"),
        ('{"url": "x"}', "x.jsonl", "jsonl"),
        ('{"url": "x"}\n', "x", "json"),
        ('{\n"url": "x"}\n', "x", "json"),
        ('[{"url": "x"}]', "x", "json"),
        ('{"sources": {"org.osbuild.curl": {}}}', "x", "osbuild"),
    ],
)
def test_a_list_is_taken_for_what_it_is(text, name, form):
    assert guess(text, name) == form


@pytest.mark.parametrize(
    ("text", "name", "why"),
    [
        (f"{A}  {'b' * 40}\n", "x", "sha256sums or pooch: --from sha256sums"),
        (f"{URL} {URL}b\n{URL}c\n{URL}d\n", "x", "urls or aria2"),
        ("some words\nand more\n", "x", "no list of a known format"),
        ("# only a comment\n", "x", "no list of a known format"),
        ("<!DOCTYPE html><html>", "x", "HTML"),
    ],
)
def test_what_may_be_several_or_none_is_told_with_what_to_say(text, name, why):
    with pytest.raises(ListError, match=why):
        guess(text, name)
