"""What surrounds a run and is no part of it: the umask, the current folder, the encoding of names and of standard streams."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.integration.command import LIMIT_S, command, environment, read_report, write
from tests.long import ALL, few, some
from tests.origin import Body, Good, Origin

pytestmark = pytest.mark.skipif(os.name != "posix", reason="masks, deleted folders and locales as POSIX has them")

MIB = 1024 * 1024
C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
ENCODINGS = {"streams in ascii": {"PYTHONIOENCODING": "ascii"}, "C": C_LOCALE, "streams in latin-1": {"PYTHONIOENCODING": "latin-1"}}
SOME_ENCODINGS = some(ENCODINGS, "C")


def modes(folder: Path) -> dict[str, int]:
    return {path.relative_to(folder).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o022, 0o077] if ALL else [0o077])
def test_every_file_of_a_run_has_what_the_umask_gives(origin: Origin, tmp_path: Path, umask: int) -> None:
    slow = origin.serve("/slow.bin", Body(64 * MIB), [Good(stall_after=9 * MIB, stall_s=60)])
    write(tmp_path, [origin.serve("/a.bin", Body(10)), {"url": slow, "threads": 1}])
    process = subprocess.Popen(command("run", "downloads.yaml"), cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, umask=umask)
    own = tmp_path / "data" / ".marscore"
    try:
        # In the middle of the run, when there is something of everything.
        assert process.stderr
        for line in process.stderr:
            if b"download_started" in line and b"slow" in line:
                break
        while not list(own.glob("partial/*.journal")):
            assert process.poll() is None
            time.sleep(0.01)
        during = modes(tmp_path / "data")
    finally:
        process.kill()
        process.communicate()
    assert {".marscore/state.db", ".marscore/state.db-wal", ".marscore/state.db-shm", ".marscore/lock"} <= set(during)
    assert set(during.values()) == {0o666 & ~umask}, during
    origin.serve("/slow.bin", Body(64 * MIB))
    assert subprocess.run(
        command("run", "downloads.yaml"), cwd=tmp_path, env=environment(), stderr=subprocess.DEVNULL, umask=umask
    ).returncode in (0, 1)
    assert set(modes(tmp_path / "data").values()) == {0o666 & ~umask}


def test_a_database_has_the_mode_that_its_owner_gave_it(origin: Origin, tmp_path: Path) -> None:
    write(tmp_path, [origin.serve("/a.bin", Body(10))])
    for mode in (0o600, 0o664):
        assert subprocess.run(command("run", "downloads.yaml"), cwd=tmp_path, env=environment(), stderr=subprocess.DEVNULL).returncode == 0
        database = tmp_path / "data" / ".marscore" / "state.db"
        database.chmod(mode)
        with contextlib.closing(sqlite3.connect(database)) as opened:
            opened.execute("SELECT * FROM files").fetchall()
            assert stat.S_IMODE(database.with_name("state.db-wal").stat().st_mode) == mode
        assert stat.S_IMODE(database.stat().st_mode) == mode


def in_deleted_folder(folder: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    (folder / "gone").mkdir()
    line = f"rmdir ../gone; exec {shlex.join(command(*arguments))}"
    return subprocess.run(
        ["sh", "-c", line],
        cwd=folder / "gone",
        env=environment(),
        capture_output=True,
        input=stdin,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


@pytest.mark.parametrize("verb", few(["run in two processes", "get", "plan -", "run", "run -", "plan", "validate"], 3))
def test_a_current_folder_that_is_gone_breaks_nothing_that_needs_none(origin: Origin, tmp_path: Path, verb: str) -> None:
    urls = [origin.serve(f"/{name}.bin", Body(10)) for name in "ab"]
    manifest, out = str(tmp_path / write(tmp_path, urls)), str(tmp_path / "data")
    arguments = {
        "run": ["run", manifest],
        "run in two processes": ["run", manifest, "--processes", "2", "--output-dir", out],
        "run -": ["run", "-", "--output-dir", out],
        "get": ["get", *urls, "--output-dir", out],
        "plan": ["plan", manifest],
        "plan -": ["plan", "-", "--output-dir", out],
        "validate": ["validate", manifest],
    }[verb]
    done = in_deleted_folder(tmp_path, *arguments, stdin=Path(manifest).read_text())
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "data" / "b.bin").exists() is (verb.split(maxsplit=1)[0] in ("run", "get"))


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["run", "downloads.yaml"], 2, "cannot be read"),
        (["get", "http://127.0.0.1:9/a"], 3, "the current folder, which is gone"),
        (["run", "{folder}/downloads.yaml", "--report", "r.json"], 3, "cannot write the report r.json: No such file or directory"),
        (["run", "{folder}/downloads.yaml", "--log-file", "l.log"], 3, "cannot write the log file l.log: No such file or directory"),
    ],
)
def test_what_needs_a_current_folder_that_is_gone_says_so(
    origin: Origin, tmp_path: Path, arguments: list[str], code: int, words: str
) -> None:
    write(tmp_path, [origin.serve("/a.bin", Body(10))])
    done = in_deleted_folder(tmp_path, *[argument.format(folder=tmp_path) for argument in arguments])
    assert (done.returncode, "Traceback" in done.stderr) == (code, False)
    assert words in done.stderr
    assert not origin.requests


PROGRAM = """
import os, sys
folder, out, url = sys.argv[1:]
os.mkdir(folder); os.chdir(folder); os.rmdir(folder)
import marscore
print(marscore.downloader(url, output_dir=out, process=2), marscore.run({"version": 1, "output_dir": out, "downloads": [url]}).status)
"""


def test_a_program_whose_current_folder_is_gone_can_fetch(origin: Origin, tmp_path: Path) -> None:
    probe = "import os, sys; os.mkdir(sys.argv[1]); os.chdir(sys.argv[1]); os.rmdir(sys.argv[1]); import pydantic_core"
    if subprocess.run([sys.executable, "-c", probe, tmp_path / "probe"], capture_output=True, timeout=60, check=False).returncode:
        pytest.skip("pydantic_core cannot be imported in a folder that is gone, by this Python (3.13.0)")
    arguments = [str(tmp_path / "gone"), str(tmp_path / "out"), origin.serve("/a.bin", Body(10))]
    done = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, env=environment(), timeout=LIMIT_S)
    assert done.stdout == "[True] succeeded\n", done.stderr


@pytest.mark.parametrize("encoding", SOME_ENCODINGS.values(), ids=SOME_ENCODINGS)
def test_streams_and_names_in_ascii_break_nothing(origin: Origin, tmp_path: Path, encoding: dict[str, str]) -> None:
    gone = {"url": origin.url("/missing"), "path": "fehlt-文.bin"}
    write(tmp_path, [{"url": origin.serve("/a.bin", Body(10)), "path": "ö/文.bin"}, gone], name="grün", output_dir="dätä")
    (tmp_path / "bäd.yaml").write_text("version: 1\nnaßme: 5\ndownloads: []\n", "utf-8")

    def ran(*arguments: str) -> subprocess.CompletedProcess[bytes]:
        done = subprocess.run(
            command(*arguments), cwd=tmp_path, env=environment(encoding), capture_output=True, timeout=LIMIT_S, check=False
        )
        assert b"Traceback" not in done.stderr, done.stderr.decode(errors="replace")
        return done

    for style in few(["json", "console"]):
        assert ran("run", "downloads.yaml", "--log-format", style, "--progress", "plain").returncode == 1
    data = tmp_path / "dätä"
    assert (data / "ö" / "文.bin").read_bytes() == Body(10).read(0, 10)
    assert read_report(data)["name"] == "grün"
    assert ran("get", origin.url("/a.bin"), "--output-dir", "ß", "--log-format", "console").returncode == 0
    assert (tmp_path / "ß" / "a.bin").exists()
    assert ran("plan", "downloads.yaml").returncode == 0
    planned = json.loads(ran("plan", "downloads.yaml", "--format", "json").stdout)
    assert [entry["path"] for entry in planned["downloads"]] == ["ö/文.bin", "fehlt-文.bin"]
    assert ran("validate", "downloads.yaml", "bäd.yaml", "文.yaml").returncode == 2
    assert json.loads(ran("schema", "manifest").stdout)
    assert ran("run", "downloads.yaml", "--report", "rö.json", "--log-file", "lö.log").returncode == 1
    assert json.loads((tmp_path / "rö.json").read_bytes())["downloads"][0]["path"] == "ö/文.bin"
    assert json.loads(ran("run", "downloads.yaml", "--report", "-").stdout)["name"] == "grün"


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are bytes")
def test_a_name_that_is_no_text_is_told_as_far_as_it_can_be(origin: Origin, tmp_path: Path) -> None:
    name = os.fsdecode(b"m\xff.yaml")
    (tmp_path / write(tmp_path, [origin.serve("/a.bin", Body(10))])).rename(tmp_path / name)
    done = subprocess.run(command("validate", name), cwd=tmp_path, env=environment(), capture_output=True, timeout=LIMIT_S)
    assert (done.returncode, done.stdout) == (0, b"m\\udcff.yaml: ok, 1 download\n")


ELSEWHERE = r"""
import os, sys
import marscore
try:
    downloads = [{"url": sys.argv[2], "path": "\u6587.bin"}]
    print(marscore.run({"version": 1, "output_dir": sys.argv[1], "downloads": downloads}).downloads[0].error)
except marscore.StorageError as error:
    print(error)
"""


def test_a_program_whose_system_cannot_write_a_name_is_told(origin: Origin, tmp_path: Path) -> None:
    url = origin.serve("/a.bin", Body(10))
    for folder, words in ((str(tmp_path), "cannot make the file"), (str(tmp_path / "\u6587"), "the output folder's name")):
        # A name that is none in ASCII, made in the program itself: arguments come as bytes.
        script = ELSEWHERE.replace("sys.argv[1]", ascii(folder))
        done = subprocess.run(
            [sys.executable, "-c", script, "", url], capture_output=True, text=True, env=environment(C_LOCALE), timeout=LIMIT_S, check=False
        )
        assert words in done.stdout, done.stderr
        assert "cannot be written in this system's ascii" in done.stdout
