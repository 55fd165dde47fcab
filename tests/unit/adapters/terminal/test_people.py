"""Notices as lines of a terminal."""

from __future__ import annotations

import re

import pytest

from marscore.adapters.terminal.people import People
from marscore.events import DownloadFailed

LONG = "nothing came for 30 s, and this sentence goes on for a while so that it has no room"


def told(colors, columns, path="sub/a.bin"):
    people = People({"a": path}.get, None, colors, columns=lambda: columns)
    return people.lines([DownloadFailed(0.0, "a", "timeout", LONG)])


@pytest.mark.parametrize("columns", [20, 40, 80])
@pytest.mark.parametrize("path", ["sub/a.bin", "a-path-that-is-longer/than-forty-columns/and-stays-whole.bin"])
def test_long_ones_are_folded_between_words(columns, path):
    lines = told(False, columns, path).splitlines()
    assert " ".join(line.strip() for line in lines) == told(False, None, path).strip()
    assert all(len(line) <= columns for line in lines if path not in line)
    assert re.sub("\x1b\\[[0-9]*m", "", told(True, columns, path)).splitlines() == lines


def test_one_color_holds_for_all_that_is_said():
    assert re.fullmatch("sub/a.bin:\\s+\x1b\\[31m[^\x1b]*\x1b\\[0m\n", told(True, 30))
