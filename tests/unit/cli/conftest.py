"""Each test of the command line has a folder of its own, with a manifest in it."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "d.yaml").write_text("version: 1\n")
    return tmp_path
