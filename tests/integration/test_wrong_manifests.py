"""A wrong manifest, from outside: its line is quoted, without secrets; and what was meant in the place of a verb is named."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from marscore.report.validation import validate_schema
from tests.integration.command import fetch, marscore
from tests.origin import Body, Origin

WRONG = """\
version: 1
downloads:
  - url: http://me:hunter2@127.0.0.1:9/a.bin
    retry: {max_retries: -1}
    sha256: abc
"""
FIRST_LINES = [
    "d.yaml:4:26: downloads[0].retry.max_retries: must be 0 or more",
    "d.yaml:5:5: downloads[0].sha256: unknown key 'sha256'; did you mean 'checksum'?",
]


@pytest.mark.parametrize(
    "verb",
    [["run"], ["plan"], ["validate"], ["lock"], ["lock", "--check"], ["verify"], ["outdated"], ["export", "--to", "curl"]],
    ids=" ".join,
)
def test_every_verb_quotes_the_line(tmp_path: Path, verb: list[str]) -> None:
    (tmp_path / "d.yaml").write_text(WRONG)
    run = marscore(*verb, "d.yaml", cwd=tmp_path)
    lines = run.err.splitlines()
    assert (run.code, run.out, [line for line in lines if not line.startswith(" ")]) == (2, "", FIRST_LINES)
    assert lines[2:4] == [" 4 |     retry: {max_retries: -1}", "   |                          ^^"]
    assert [path.name for path in tmp_path.iterdir()] == ["d.yaml"]


def test_what_the_lock_contradicts_is_quoted(origin: Origin, tmp_path: Path) -> None:
    url = origin.serve("/a.bin", Body(10))
    (tmp_path / "d.yaml").write_text(f"version: 1\noutput_dir: data\ndownloads:\n  - {url}\n")
    assert marscore("lock", "d.yaml", cwd=tmp_path).code == 0
    (tmp_path / "d.yaml").write_text(f"version: 1\noutput_dir: data\ndownloads:\n  - {url}\n  - url: {url}\n    path: b.bin\n")
    run = marscore("run", "d.yaml", "--locked", cwd=tmp_path)
    assert run.code == 2
    assert f" 5 |   - url: {url}\n   |     ^^^" in run.err


def test_json_names_every_manifest(tmp_path: Path) -> None:
    (tmp_path / "d.yaml").write_text(WRONG)
    (tmp_path / "good.yaml").write_text("version: 1\ndownloads: ['http://127.0.0.1:9/a-{i}.bin']\n")
    run = marscore("validate", "--format", "json", "d.yaml", "good.yaml", "gone.yaml", cwd=tmp_path)
    assert (run.code, run.err) == (2, "")
    found = json.loads(run.out)
    jsonschema.validate(found, validate_schema())
    assert [(each["source"], each["ok"], each["downloads"]) for each in found] == [
        ("d.yaml", False, None),
        ("good.yaml", True, 1),
        ("gone.yaml", False, None),
    ]
    wrong = found[0]["problems"]
    assert [(each["path"], each["line"], each["column"]) for each in wrong] == [
        ("downloads[0].retry.max_retries", 4, 26),
        ("downloads[0].sha256", 5, 5),
    ]
    assert wrong[1]["help"] == 'write checksum: "sha256:HEX"'
    assert "without each" not in run.out
    assert found[1]["warnings"][0]["message"].startswith("holds {i} and has no each")
    assert found[2]["problems"] == [{"path": "", "line": None, "column": None, "message": "cannot be read: No such file or directory"}]
    assert "hunter2" not in run.out


def test_github_shows_annotations(tmp_path: Path) -> None:
    folder = tmp_path / "a,b"
    folder.mkdir()
    (folder / "d.yaml").write_text(WRONG.replace("sha256: abc", '"50%": 1'))
    run = marscore("validate", "--format", "github", "a,b/d.yaml", cwd=tmp_path)
    assert (run.code, run.err) == (2, "")
    first, second = run.out.splitlines()
    assert first.startswith("::error file=a%2Cb/d.yaml,line=4,col=26,title=downloads[0].retry.max_retries::must be 0 or more%0A")
    assert second.startswith("::error file=a%2Cb/d.yaml,line=5,col=5,title=downloads[0][\"50%25\"]::unknown key '50%25'")


def test_a_pipeline_without_secrets_checks_what_runs_with_them(tmp_path: Path) -> None:
    entry = "  - url: ${BASE}/a\n    size: ${SIZE}\n    headers: {Authorization: 'Bearer ${T}'}\n"
    text = f"version: 1\nexecution: {{threads: 2}}\ndownloads:\n{entry}"
    (tmp_path / "d.yaml").write_text(text)
    assert marscore("validate", "d.yaml", cwd=tmp_path).code == 2
    run = marscore("validate", "--allow-unset", "d.yaml", cwd=tmp_path)
    assert (run.code, run.out) == (0, "d.yaml: ok, 1 download\n")
    (tmp_path / "d.yaml").write_text(text.replace("threads: 2", "threads: two"))
    run = marscore("validate", "--allow-unset", "d.yaml", cwd=tmp_path)
    assert run.code == 2
    assert run.err.startswith("d.yaml:2:22: execution.threads: must be a whole number\n")
    # What is set is held to the rules.
    (tmp_path / "d.yaml").write_text(text)
    assert marscore("validate", "--allow-unset", "d.yaml", "--var", "BASE=ftp://h", cwd=tmp_path).code == 2


def test_a_name_without_each_is_warned_of(origin: Origin, tmp_path: Path) -> None:
    url = origin.serve("/b-{i}.bin", Body(10))
    run = fetch(tmp_path, {"url": url, "path": "b.bin"})
    message = "downloads[0].url: holds {i} and has no each: it is taken as it stands"
    assert [message in told["message"] for told in run.events("warned")] == [True]
    assert message in run.report["warnings"][0]
    planned = marscore("plan", "downloads.yaml", cwd=tmp_path)
    assert message in planned.err
    checked = marscore("validate", "downloads.yaml", cwd=tmp_path)
    assert checked.code == 0
    assert message in checked.err


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("https://me:hunter2@example.com/a.zip?token=hunter2", "marscore get 'https://example.com/a.zip?token=***'"),
        ("downloads.yaml", "marscore run downloads.yaml"),
        ("example.com/a.zip", "marscore get https://example.com/a.zip"),
        ("vaildate", "Did you mean validate?"),
        ("download", "Did you mean run or get?"),
        ("zzzz", "No such command 'zzzz'"),
    ],
)
def test_what_was_meant_in_the_place_of_a_verb_is_named(tmp_path: Path, word: str, told: str) -> None:
    run = marscore(word, cwd=tmp_path)
    assert (run.code, run.out) == (2, "")
    assert told in run.err
    assert "hunter2" not in run.err


@pytest.mark.parametrize(
    ("content", "help_"),
    [("version: 1".encode("utf-16"), "it begins like UTF-16: save it as UTF-8"), (b"version: 1\nname: \xfc\n", "that byte is in line 2")],
)
def test_text_that_is_no_utf_8_says_what_to_do(tmp_path: Path, content: bytes, help_: str) -> None:
    (tmp_path / "d.yaml").write_bytes(content)
    run = marscore("validate", "d.yaml", cwd=tmp_path)
    assert run.code == 2
    assert help_ in run.err


def test_nothing_in_a_quoted_line_steers_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "d.yaml").write_text('version: 1\ndownloads:\n  - {url: http://h/a, size: "\u202e\u2028big"}\n')
    run = marscore("validate", "d.yaml", cwd=tmp_path)
    assert run.code == 2
    assert "\\u202e" in run.err
    assert "\u202e" not in run.err


#: Those whose scheme, or the colon behind it, was left away, and a proxy as some lists have it.
_MISTYPED = ("//u:hunter2@host/x", "https//u:hunter2@h/x", "http;//u:hunter2@h/x", "host:80:u:hunter2")
#: A URL with a password, and one that lacks a slash.
_URLS = ("http://u:hunter2@h/x?token=hunter2", "https:/u:hunter2@h/x?token=hunter2")


@pytest.mark.parametrize(
    "words",
    [
        *([verb, url] for verb in ("run", "plan", "lock", "import", "validate", "report") for url in _URLS),
        ["validate", "u:hunter2@host/x"],
        ["report", "https://u:hun/hunter2@h/x"],
        ["get", "-i", "http://u:hunter2@h/x"],
        ["get", "https:/u:hunter2@x/y"],
        ["get", "u:hunter2@host/x"],
        ["init", "u:hunter2@host/x"],
        ["u:hunter2@host"],
        ["u:hunter2@host/x.yaml"],
        *([*verb, word] for verb in (["get"], ["init"], ["run"], []) for word in _MISTYPED),
        ["run", "a.yaml", "http://u:hunter2@h/x"],
    ],
    ids=" ".join,
)
def test_what_is_given_in_the_place_of_a_path_is_told_without_its_password(tmp_path: Path, words: list[str]) -> None:
    run = marscore(*words, cwd=tmp_path)
    assert run.code == 2
    assert "hunter2" not in run.out + run.err


def test_whoever_runs_a_url_is_told_of_get(tmp_path: Path) -> None:
    assert "marscore get https://h/x.zip" in marscore("run", "https://u:hunter2@h/x.zip", cwd=tmp_path).err
