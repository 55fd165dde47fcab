"""What Python callers pass is checked, and what is wrong is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import marscore
from marscore import RunSettings

HERE = "http://127.0.0.1:9/a"
SETTINGS: dict[str, list[Any]] = {
    "output_dir": [5, b"x", "", "a\0b"],
    "report": [5, b"", "", True],
    "log_file": [5, b"x", ["x"]],
    "log_format": ["xml", 5, b"json"],
    "log_level": ["loud", 5, "INFO"],
    "log_file_level": ["loud", None],
    "progress": ["x", None, True],
    "processes": [0, -1, "2", 1.0, True],
    "threads": ["8", 0, 2.5, False],
    "max_rate": [-1, 0, "fast", "0", 1e6, True],
    "only": ["abc", 5, None, (5,), (b"x",)],
    "variables": ["A=1", 5, None, (("A",),), (("A", 1),), ("AB",), {"A": 1}],
}
DOWNLOADER: dict[str, list[Any]] = {
    "threads": [0, "8", -1, True, 1.5, None, 65],
    "process": [0, "2", True],
    "buffer_size_mb": ["x", 0, -1, None, float("nan"), float("inf"), 1e-9, 1e12],
    "chunk_size": [0, "x", -1, 2.5, 10**12],
    "retry_num": [-1, "3", None],
    "headers": ["x", {"a": 1}, {1: "a"}, {"a\n": "b"}, {"a": "b\r\nc"}, [("a", "b")]],
    "timeout": [(1,), (1, 2, 3), "30", None, 0, -1, (1, "2"), float("nan"), 1e300],
    "proxies": [5, {"http": 5}, {"ftp": "http://x"}, ["x"], "nonsense"],
    "verify": [None, 5, b"x"],
    "output_dir": [5, None, b"x", "", "a\0b"],
    "output_filename": [5, b"x", "", "../x"],
    "urls": [None, 5, b"http://x", [5], [None], {"a": 1}],
}


def rows(table: dict[str, list[Any]]) -> list[tuple[str, Any]]:
    return [(name, value) for name, values in table.items() for value in values]


@pytest.mark.parametrize(("field", "value"), rows(SETTINGS), ids=repr)
def test_a_setting_that_is_wrong_is_named(field: str, value: object) -> None:
    with pytest.raises((TypeError, ValueError), match=field):
        RunSettings(**{field: value})


@pytest.mark.parametrize(("name", "value"), rows(DOWNLOADER), ids=repr)
def test_an_argument_of_downloader_that_is_wrong_is_named_and_nothing_is_made(tmp_path: Path, name: str, value: object) -> None:
    given = {"url": HERE, "output_dir": tmp_path / "out", name: value}
    if name == "urls":
        del given["url"]
    with pytest.raises((TypeError, ValueError), match=name):
        marscore.downloader(**given)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("function", [marscore.run, marscore.plan])
@pytest.mark.parametrize("manifest", [5, None, b"m.yaml", ["m.yaml"], "", "a\0b"], ids=repr)
def test_a_manifest_that_is_none_is_named(function: Any, manifest: object) -> None:
    with pytest.raises((TypeError, ValueError), match="manifest"):
        function(manifest)


@pytest.mark.parametrize("function", [marscore.run, marscore.plan])
def test_settings_that_are_none_are_named(function: Any) -> None:
    with pytest.raises(TypeError, match="settings must be a RunSettings, not dict"):
        function({"version": 1, "downloads": []}, {"threads": 8})


def test_what_the_manifest_itself_says_is_its_own_error() -> None:
    with pytest.raises(marscore.ManifestError):
        marscore.run({"version": 1, "downloads": [5]})
    with pytest.raises(marscore.ManifestError):
        marscore.downloader("no URL")


def test_no_message_shows_a_value() -> None:
    for field, value in rows(SETTINGS):
        with pytest.raises((TypeError, ValueError)) as caught:
            RunSettings(**{field: value})
        assert repr(value) not in str(caught.value).replace(field, "") or len(repr(value)) < 5


def test_settings_that_are_right_are_taken() -> None:
    settings = RunSettings(output_dir="out", only=["ci"], variables={"A": "1"}, max_rate="1", log_format=None)
    assert (settings.only, settings.variables) == (("ci",), (("A", "1"),))
    assert settings == RunSettings(output_dir="out", only=("ci",), variables=(("A", "1"),), max_rate=1)
    assert hash(settings)
