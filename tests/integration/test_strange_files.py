"""What is no file stands where marscore keeps one of its own: it is named, or put out of the way, and nobody waits for a pipe."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from marscore.journal import Header, PieceHasher, encode_header, encode_piece
from marscore.state import key_of
from marscore.validator import Validator
from tests.integration.command import LIMIT_S, Run, command, environment, fetch, marscore, read_report, write
from tests.integration.test_plan_looks import content
from tests.long import ALL
from tests.origin import Body, Origin

pytestmark = pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="devices are made by the superuser")
BODY = Body(5 * 1024 * 1024, seed=81)
#: A pipe was waited for until somebody wrote to it.
SOON_S = 10
OF_THE_STATE = ["state.db", "state.db-wal", "state.db-shm", "state.db-journal"]
OF_THE_LOCK = ["lock.pid", "lock", "lock.workers"]


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        # A socket's path is short.
        os.chdir(path.parent)
        made.bind(path.name)


KINDS: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "folder": os.mkdir,
    "device": lambda path: os.mknod(path, 0o20666, os.makedev(1, 5)),
    "socket": make_socket,
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def places(names: list[str]) -> pytest.MarkDecorator:
    """Every kind in the first place, and a pipe in the others; at length, every kind in each."""
    return pytest.mark.parametrize(
        ("name", "kind"), [(name, kind) for name in names for kind in KINDS if ALL or name == names[0] or kind == "pipe"]
    )


@pytest.fixture(autouse=True)
def _stay(monkeypatch: pytest.MonkeyPatch) -> None:
    # Puts the current folder back afterwards.
    monkeypatch.chdir(Path.cwd())


def put(kind: str, path: Path) -> None:
    """Put it in the place of whatever is there."""
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    KINDS[kind](path)


def soon(verb: str, folder: Path) -> Run:
    began = time.monotonic()
    run = marscore(verb, "downloads.yaml", cwd=folder)
    assert time.monotonic() - began < SOON_S
    assert "Traceback" not in run.err
    return run


@places(OF_THE_STATE)
def test_in_the_place_of_the_state_database_it_is_named_and_nothing_is_asked_for(
    origin: Origin, tmp_path: Path, name: str, kind: str
) -> None:
    assert fetch(tmp_path, origin.serve("/a.bin", BODY)).code == 0
    own = tmp_path / "data" / ".marscore"
    put(kind, own / name)
    asked, before = len(origin.requests), content(own)
    planned = soon("plan", tmp_path)
    assert (planned.code, planned.err) == (3, f"marscore: cannot read the state database: {name} is a {kind} and should be a file\n")
    assert content(own) == before
    run = soon("run", tmp_path)
    assert run.code == 3
    assert run.err.endswith(f"\nmarscore: cannot open the state database: {name} is a {kind} and should be a file\n")
    assert len(origin.requests) == asked
    assert not list(own.glob("*.damaged*"))
    assert not (own / name).is_file(), "it stays where it is"


@places(OF_THE_LOCK)
def test_in_the_place_of_the_lock_it_is_named(origin: Origin, tmp_path: Path, name: str, kind: str) -> None:
    write(tmp_path, [origin.serve("/a.bin", BODY)])
    put(kind, tmp_path / "data" / ".marscore" / name)
    run = soon("run", tmp_path)
    assert (run.code, run.err) == (3, f"marscore: cannot lock the output folder: {name} is a {kind} and should be a file\n")
    assert not origin.requests


@pytest.mark.parametrize("kind", ["pipe", "device", "socket"])
def test_in_the_place_of_marscores_own_folder_it_is_named(origin: Origin, tmp_path: Path, kind: str) -> None:
    write(tmp_path, [origin.serve("/a.bin", BODY)])
    put(kind, tmp_path / "data" / ".marscore")
    for verb, doing in (("plan", "look at"), ("run", "make")):
        run = soon(verb, tmp_path)
        assert run.code == 3
        assert run.err == f"marscore: cannot {doing} the output folder: .marscore is a {kind} and should be a folder\n"
    assert not origin.requests


@places(["journal", "part"])
@pytest.mark.parametrize("in_place", [False, True])
def test_in_the_place_of_a_partial_file_or_its_journal_it_is_put_out_of_the_way_or_fails_this_one(
    origin: Origin, tmp_path: Path, name: str, kind: str, in_place: bool
) -> None:
    urls = [origin.serve("/a.bin", BODY), origin.serve("/b.bin", Body(1000))]
    if in_place:
        assert fetch(tmp_path, *urls).code == 0
        (tmp_path / "data" / "a.bin").touch()
    base = tmp_path / "data" / ".marscore" / "partial" / key_of("a.bin")
    put(kind, base.with_suffix(f".{name}"))
    if name == "part":
        hasher = PieceHasher(0)
        hasher.update(BODY.read(0, 1000))
        header = Header(key_of(urls[0]), BODY.length, Validator('"v1"'))
        base.with_suffix(".journal").write_bytes(encode_header(header) + encode_piece(hasher.piece()))
    write(tmp_path, urls)
    assert soon("plan", tmp_path).code == 0
    run = soon("run", tmp_path)
    if kind == "folder" and not in_place:
        assert (run.code, run.entry(0)["error"]["kind"]) == (1, "path")
    else:
        assert run.code == 0, run.err
        assert run.data("a.bin") == BODY.read(0, BODY.length)
    assert run.data("b.bin") == Body(1000).read(0, 1000)


@pytest.mark.parametrize("kind", ["pipe", "device", "socket"])
def test_in_the_place_of_the_folder_of_partial_files_it_fails_what_needs_one(origin: Origin, tmp_path: Path, kind: str) -> None:
    write(tmp_path, [origin.serve("/a.bin", BODY)])
    put(kind, tmp_path / "data" / ".marscore" / "partial")
    assert soon("plan", tmp_path).code == 0
    run = soon("run", tmp_path)
    assert (run.code, run.entry(0)["error"]["kind"]) == (1, "path")


@every_kind
def test_in_the_place_of_the_report_it_is_replaced_and_a_folder_is_told(origin: Origin, tmp_path: Path, kind: str) -> None:
    write(tmp_path, [origin.serve("/a.bin", BODY)])
    put(kind, tmp_path / "data" / ".marscore" / "report.json")
    # Not by `marscore`, which reads the report that was there before.
    done = subprocess.run(
        command("run", "downloads.yaml"), cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    if kind == "folder":
        assert (done.returncode, "cannot write the report: Is a directory" in done.stderr) == (3, True)
    else:
        assert (done.returncode, read_report(tmp_path / "data")["status"]) == (0, "succeeded")
