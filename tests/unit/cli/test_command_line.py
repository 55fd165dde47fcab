"""argv in; one call to the app, text and an exit code out. The app is a fake that the click context carries."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import click
import pytest
from cli_fakes import FakeApp, an_end, call

from marscore.app import Validated
from marscore.cli.exits import say
from marscore.cli.main import cli
from marscore.destination import parse_destination
from marscore.errors import Interrupted, ManifestError, OriginError, Problem, StorageError
from marscore.settings import RunSettings
from marscore.values import Failure
from tests.browser.made_reports import a_report


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        ([], RunSettings()),
        (["--output-dir", "out"], RunSettings(output_dir=Path("out"))),
        (["--report", "r.json", "--log-file", "l.jsonl"], RunSettings(report=Path("r.json"), log_file=Path("l.jsonl"))),
        (["--log-format", "json", "--log-level", "debug"], RunSettings(log_format="json", log_level="debug")),
        (["--progress", "plain"], RunSettings(progress="plain")),
        (["-q"], RunSettings(log_level="error", progress="none")),
        (["--quiet", "--progress", "plain"], RunSettings(log_level="error", progress="plain")),
        (["-v"], RunSettings(log_level="info")),
        (["-vv"], RunSettings(log_level="debug")),
        (["--processes", "2", "--threads", "16"], RunSettings(processes=2, threads=16)),
        (["--max-rate", "10MiB"], RunSettings(max_rate=10 * 1024 * 1024)),
        (["--only", "ci", "--only", "zips/*"], RunSettings(only=("ci", "zips/*"))),
        (["--var", "A=1", "--var", "B=x=y", "--var", "C="], RunSettings(variables=(("A", "1"), ("B", "x=y"), ("C", "")))),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
@pytest.mark.parametrize("verb", [["run", "sub/d.yaml"], ["get", "https://example.com/f"]], ids=["run", "get"])
def test_options_become_settings(verb, options, settings):
    app = FakeApp(an_end())
    assert call(*verb, *options, app=app).exit_code == 0
    [(name, _, given, *_)] = app.calls
    here = Path() if verb[0] == "get" and settings.output_dir is None else settings.output_dir
    assert (name, given) == (verb[0], replace(settings, output_dir=here))


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["run"], "Missing argument 'MANIFEST'"),
        (["get"], "name a URL, or a list of them with --input-file"),
        (["validate"], "Missing argument 'MANIFEST...'"),
        (["walk"], "No such command"),
        (["run", "sub/d.yaml", "--speed", "9"], "No such option"),
        (["run", "sub/d.yaml", "--threads", "0"], "'--threads'"),
        (["run", "sub/d.yaml", "--processes", "many"], "'--processes'"),
        (["run", "sub/d.yaml", "--max-rate", "fast"], "must be a size such as 10MiB"),
        (["run", "sub/d.yaml", "--max-rate", "0"], "must be more than 0"),
        (["run", "sub/d.yaml", "--progress", "loud"], "'--progress'"),
        (["run", "sub/d.yaml", "-q", "-v"], "give one of them"),
        (["run", "sub/d.yaml", "-v", "--log-level", "error"], "give one of them"),
        (["run", "sub/d.yaml", "--var", "=hunter2"], "must be NAME=VALUE"),
        (["run", "sub/d.yaml", "--var", "hunter2"], "must be NAME=VALUE"),
        (["run", "sub/d.yaml", "--var", "A B=hunter2"], "letters, digits and _"),
        (["run", "sub/d.yaml", "--output-dir", ""], "'--output-dir': must not be empty"),
        (["run", "sub/d.yaml", "--report", ""], "'--report': must not be empty"),
        (["run", "sub/d.yaml", "--worker-logs", ""], "'--worker-logs': must not be empty"),
        (["lock", "sub/d.yaml", "--diff", ""], "'--diff': must not be empty"),
        (["get", "https://e.com/a", "-H", ""], "--header must be 'NAME: VALUE'"),
        (["init", "-", "-o", "z.yaml"], "give one of them"),
        (["plan", "sub/d.yaml", "--format", "xml"], "'--format'"),
        (["schema", "weather"], "weather"),
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_2_and_starts_nothing(argv, words):
    app = FakeApp(an_end())
    result = call(*argv, app=app)
    assert (result.exit_code, app.calls, result.stdout) == (2, [], "")
    assert words in result.stderr
    assert "hunter2" not in result.stderr


def test_the_manifest_is_read_with_its_folder(folder):
    app = FakeApp(an_end())
    call("run", "sub/d.yaml", app=app)
    manifest = app.calls[0][1]
    assert (manifest.source, manifest.folder.absolute(), manifest.text, manifest.data) == (
        "sub/d.yaml",
        folder / "sub",
        "version: 1\n",
        None,
    )


def test_a_dash_reads_standard_input(folder):
    app = FakeApp(an_end())
    call("run", "-", app=app, stdin="version: 1\r\nname: ü\n".encode())
    manifest = app.calls[0][1]
    assert (manifest.source, manifest.folder.absolute(), manifest.text) == ("-", folder, "version: 1\r\nname: ü\n")


def test_urls_on_the_command_line_are_taken_literally(folder):
    app = FakeApp(an_end())
    call("get", "https://e.com/$HOME/a", "https://e.com/b?x=$$", app=app)
    manifest = app.calls[0][1]
    urls = ["https://e.com/$$HOME/a", "https://e.com/b?x=$$$$"]
    assert manifest.data == {"version": 1, "downloads": urls, "defaults": {"if_exists": "refresh"}}
    assert (manifest.folder.absolute(), manifest.text) == (folder, None)


def test_what_get_is_told_stands_in_the_manifest_and_secrets_are_variables(folder):
    app = FakeApp(an_end())
    headers = ["-H", "Accept: a/b", "-H", "X-Key:  k$1 "]
    assert call("get", "https://e.com/a", "-o", "s/b$", *headers, "-u", "m$:p:w", "--retry", "2", "--overwrite", app=app).exit_code == 0
    [(name, manifest, settings, overwrite)] = app.calls
    assert manifest.data == {
        "version": 1,
        "defaults": {
            "if_exists": "refresh",
            "headers": {"Accept": "a/b", "X-Key": "${HEADER_2}"},
            "auth": {"username": "m$$", "password": "${PASSWORD}"},
            "retry": {"max_retries": 2},
        },
        "downloads": [{"url": "https://e.com/a", "path": "s/b$$"}],
    }
    assert (settings.output_dir, settings.variables) == (Path(), (("HEADER_2", "k$1"), ("PASSWORD", "p:w")))
    assert (name, overwrite) == ("get", True)


@pytest.mark.parametrize("url", ["s3://bucket//p", "memory://bucket/./p", "file:///data"])
def test_a_store_s_url_stays_as_it_was_typed(folder, url):
    app = FakeApp(an_end())
    call("run", "sub/d.yaml", "--output-dir", url, app=app)
    [(_, _, settings, *_)] = app.calls
    assert settings.output_dir == url
    if url != "file:///data":
        with pytest.raises(ValueError, match="empty part"):
            parse_destination(url)


@pytest.mark.parametrize("verb", ["run", "plan", "validate"])
@pytest.mark.parametrize(
    ("path", "content", "words"),
    [
        ("missing.yaml", None, "missing.yaml: cannot be read: No such file or directory"),
        ("sub", None, "sub: cannot be read"),
        ("latin.yaml", b"name: \xfc", "latin.yaml: is not UTF-8 text: byte 6 is 0xfc"),
        ("utf16.yaml", "version: 1".encode("utf-16"), "utf16.yaml: is not UTF-8 text: byte 0 is 0xff"),
    ],
)
def test_a_manifest_that_cannot_be_read_is_2(folder, verb, path, content, words):
    if content is not None:
        (folder / path).write_bytes(content)
    result = call(verb, path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (
            ManifestError("d.yaml", (Problem("downloads[3].retry", "must be 0 or more", 12, 5), Problem("name", "must be text", 2, 1))),
            2,
            "d.yaml:12:5: downloads[3].retry: must be 0 or more\nd.yaml:2:1: name: must be text\n",
        ),
        (StorageError(Failure("disk_full", "no space left for data")), 3, "marscore: no space left for data\n"),
        (Interrupted(15), 143, "marscore: interrupted by signal 15; run again to resume\n"),
        (OriginError(Failure("dns", "no such host")), 1, "marscore: dns: no such host\n"),
        (KeyboardInterrupt(), 130, "marscore: interrupted\n"),
        (StorageError(Failure("path", "a\x1b[2Jb")), 3, "marscore: a\\x1b[2Jb\n"),
    ],
    ids=["manifest", "storage", "interrupted", "origin", "ctrl-c", "escapes in a message"],
)
def test_expected_errors_are_a_message_and_a_code(error, code, words):
    result = call("run", "sub/d.yaml", app=FakeApp(error=error))
    assert (result.exit_code, result.stderr, result.stdout) == (code, words, "")


@pytest.mark.parametrize("code", [0, 1, 3, 130, 143])
def test_the_exit_code_is_the_reports(code):
    assert call("run", "sub/d.yaml", app=FakeApp(an_end(code))).exit_code == code


def test_a_run_that_went_well_prints_nothing_where_it_is_to_be_quiet():
    result = call("run", "-q", "sub/d.yaml")
    assert (result.stdout, result.stderr) == ("", "")


def test_validate_names_every_manifest(folder):
    for name, text in {"good.yaml": "1", "bad.yaml": "wrong", "also.yaml": "2"}.items():
        (folder / name).write_text(text)
    result = call("validate", "good.yaml", "bad.yaml", "gone.yaml", "also.yaml", app=FakeApp(Validated(12)))
    assert result.exit_code == 2
    assert result.stdout == "good.yaml: ok, 12 downloads\nalso.yaml: ok, 12 downloads\n"
    assert result.stderr == "bad.yaml:1:1: downloads: must be a list\ngone.yaml: cannot be read: No such file or directory\n"


def test_validate_is_0_when_all_are_right():
    result = call("validate", "sub/d.yaml", "--var", "A=1", app=FakeApp(Validated(1)))
    assert (result.exit_code, result.stdout) == (0, "sub/d.yaml: ok, 1 download\n")


@pytest.mark.parametrize("name", ["manifest", "plan", "report", "event"])
def test_schemas_are_printed(name):
    app = FakeApp({"$id": name})
    assert json.loads(call("schema", name, app=app).stdout) == {"$id": name}
    assert app.calls == [("schema", name)]


@pytest.mark.parametrize(
    "argv", [["-h"], ["--help"], ["run", "-h"], ["get", "-h"], ["validate", "-h"], ["plan", "-h"], ["schema", "-h"]], ids=" ".join
)
def test_help_is_there_where_it_is_looked_for(argv):
    result = call(*argv)
    assert result.exit_code == 0
    assert result.stdout.startswith("Usage: ")


def test_every_option_is_explained():
    for verb in cli.commands.values():
        assert verb.help
        assert not [option.name for option in verb.params if option.param_type_name == "option" and not option.help]


class Pipe(io.StringIO):
    """Standard output whose reader is gone, or whose disk is full."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def write(self, text):
        raise self.error


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (BrokenPipeError(32, "Broken pipe"), 141, ""),
        (OSError(28, "No space left on device"), 3, "marscore: cannot write to standard output"),
    ],
    ids=["head has seen enough", "disk full"],
)
def test_standard_output_may_fail(monkeypatch, capsys, error, code, words):
    monkeypatch.setattr(sys, "stdout", Pipe(error))
    with pytest.raises(click.exceptions.Exit) as raised:
        say("a line")
    assert raised.value.exit_code == code
    assert capsys.readouterr().err.startswith(words)


def test_asking_the_version_imports_nothing_heavy():
    argv = [sys.executable, "-X", "importtime", "-m", "marscore", "--version"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3])
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert done.stdout.startswith("marscore ")
    assert "click" in imported
    assert not imported & {"requests", "urllib3", "pydantic", "yaml", "rich", "structlog", "xxhash", "filelock", "sqlite3"}


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (["a.bb/" + "a" * 300], 2),
        ([f"{'a' * 300}.com/a"], 2),
        (["report", "report.json", "--html", "a" * 300], 3),
    ],
    ids=["a URL for a verb", "a host for a verb", "report"],
)
def test_a_name_that_is_too_long_to_be_a_files_is_no_traceback(folder, argv, code):
    (folder / "report.json").write_text(a_report().model_dump_json())
    result = call(*argv, app=FakeApp())
    assert (result.exit_code, type(result.exception)) == (code, SystemExit)
