"""What a stranger wrote is no command to a CI's runner."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marscore.adapters.terminal.runner import disarmed

PIECES = st.lists(st.sampled_from(["#", "##", "[", "##[", "##vso[", "##VSO[", "::", ":", " ", "\n", "error", "]", "x"])).map("".join)


@pytest.fixture(autouse=True, params=["GITHUB_ACTIONS", "TF_BUILD"])
def on_a_runner(request, monkeypatch):
    monkeypatch.setenv(request.param, "true")


@given(PIECES)
def test_no_line_holds_a_command(text):
    shown = disarmed(text)
    assert not re.search(r"##(vso)?\[", shown, re.IGNORECASE)
    assert not any(line.lstrip().startswith("::") for line in shown.split("\n"))


@given(PIECES)
def test_json_stays_what_it_is(text):
    assert json.loads(disarmed(json.dumps({"etag": text}))) == {"etag": text}


def test_elsewhere_and_without_commands_text_stays_as_it_is(monkeypatch):
    assert disarmed("a # b ## c [x] d::e") == "a # b ## c [x] d::e"
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.delenv("TF_BUILD", raising=False)
    assert disarmed("::error::x ##[error]y") == "::error::x ##[error]y"
