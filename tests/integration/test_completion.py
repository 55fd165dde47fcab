"""What bash, zsh and fish offer, asked for in the shells themselves."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.integration.command import LIMIT_S, ended, environment

MANIFEST = """
version: 1
defaults: {headers: {Authorization: "Bearer ${NEVER_SET}"}}
downloads:
  - {url: "http://h/alpha.bin", tags: [nightly]}
  - {url: "http://h/s-{i}.bin", path: "shards/{i}.bin", each: {i: [1, 2]}}
"""
BASH = """
eval "$(marscore completion bash)"
IFS=' ' read -ra COMP_WORDS <<< "$1"
[[ $1 == *' ' ]] && COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
compopt() { COMPREPLY=(FILES); }
_marscore_completion marscore
printf '%s\\n' "${COMPREPLY[@]}"
"""


def needs(shell: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"there is no {shell}")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with a manifest, and the command on the path."""
    (tmp_path / "downloads.yaml").write_text(MANIFEST)
    (tmp_path / "wrong.yaml").write_text("version: [")
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "marscore"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m marscore "$@"\n')
    command.chmod(0o755)
    return tmp_path


def path_to(here: Path) -> dict[str, str]:
    return environment({"PATH": f"{here / 'bin'}{os.pathsep}{os.environ['PATH']}", "HOME": str(here), "TERM": "dumb"})


def lines(here: Path, *argv: str) -> list[str]:
    done = subprocess.run(argv, cwd=here, env=path_to(here), capture_output=True, text=True, timeout=LIMIT_S, check=True)
    assert done.stderr == ""
    return done.stdout.split()


@needs("bash")
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("marscore va", ["validate"]),
        ("marscore completion ", ["bash", "zsh", "fish"]),
        ("marscore run --log-f", ["--log-file", "--log-format"]),
        ("marscore run --log-format ", ["json", "console"]),
        ("marscore run ", ["FILES"]),
        ("marscore get -i ", ["FILES"]),
        ("marscore get --outp", ["--output", "--output-dir"]),
        ("marscore run downloads.yaml --only ", ["nightly", "alpha.bin", "shards/1.bin", "shards/2.bin"]),
        ("marscore run downloads.yaml --only sha", ["shards/1.bin", "shards/2.bin"]),
        ("marscore run wrong.yaml --only ", [""]),
        ("marscore run missing.yaml --only ", [""]),
    ],
)
def test_bash_offers(here: Path, typed: str, offered: list[str]) -> None:
    assert lines(here, "bash", "--norc", "-c", BASH, "bash", typed) == list(filter(None, offered))


@needs("fish")
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("marscore va", {"validate"}),
        ("marscore run --log-format ", {"json", "console"}),
        ("marscore run downloads.yaml --only n", {"nightly"}),
        ("marscore run down", {"downloads.yaml"}),
    ],
)
def test_fish_offers(here: Path, typed: str, offered: set[str]) -> None:
    done = subprocess.run(
        ["fish", "--no-config", "-c", f"marscore completion fish | source; complete -C '{typed}'"],
        cwd=here,
        env=path_to(here),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=True,
    )
    assert {line.split("\t")[0] for line in done.stdout.splitlines()} == offered, done.stderr


@needs("zsh")
@pytest.mark.parametrize(("typed", "completed"), [("marscore vali", "validate "), ("marscore run down", "downloads.yaml")])
def test_zsh_completes(here: Path, typed: str, completed: str) -> None:
    child, terminal = pty.fork()
    if not child:
        os.chdir(here)
        os.execvpe("zsh", ["zsh", "-f", "-i"], path_to(here))
    try:
        os.write(
            terminal,
            b"autoload -U compinit; compinit -D; eval \"$(marscore completion zsh)\"; print rea''dy\n",
        )
        read_until(terminal, b"ready\r\n")
        os.write(terminal, typed.encode() + b"\t")
        assert read_until(terminal, completed.encode())
    finally:
        with contextlib.suppress(OSError):
            os.write(terminal, b"\x03\x04exit\n")
        os.close(terminal)
        os.waitpid(child, 0)


def read_until(terminal: int, wanted: bytes) -> bytes:
    """What a terminal shows, up to this; fails with all of it where that does not come."""
    seen, until = b"", time.monotonic() + LIMIT_S
    while wanted not in seen:
        left = until - time.monotonic()
        assert left > 0, seen
        if select.select([terminal], [], [], left)[0]:
            seen += os.read(terminal, 4096)
    return seen


def test_a_shell_that_is_none_is_2(tmp_path: Path) -> None:
    assert ended("completion", "cmd", cwd=tmp_path).returncode == 2
