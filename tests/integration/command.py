"""Runs the installed command as a user does, and reads what it left."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, cast

import yaml

from marscore.adapters.http.requests_transport import SessionTransport
from marscore.ports import Transport
from tests.disk import contradictions, report_in
from tests.integration.forks import Started, Stream, forks

LIMIT_S = 60
#: A run that goes on.
Process: TypeAlias = "Started | subprocess.Popen[Any]"


@dataclass
class Run:
    """What one run of the command left."""

    code: int
    out: str
    err: str
    folder: Path
    report: dict[str, Any] = field(default_factory=dict)

    def events(self, name: str | None = None) -> list[dict[str, Any]]:
        """The log's lines, or those of one event."""
        lines = [json.loads(line) for line in self.err.splitlines() if line.startswith("{")]
        return [line for line in lines if name in (None, line["event"])]

    def entry(self, number: int = 0) -> dict[str, Any]:
        """The report of one download."""
        found: dict[str, Any] = self.report["downloads"][number]
        return found

    def data(self, path: str) -> bytes:
        """The content of a file in the output folder."""
        return (self.folder / path).read_bytes()

    def partials(self) -> list[str]:
        """What is left of partial files."""
        return sorted(p.name for p in (self.folder / ".marscore" / "partial").glob("*"))


def marscore(*arguments: str, cwd: Path, env: Mapping[str, str] | None = None, stdin: str | None = None) -> Run:
    """Run the command in a folder. What its report says of files in place is held against the disk."""
    before = read_report(cwd / "data").get("run_id")
    done = ended(*arguments, cwd=cwd, env=env, stdin=(stdin or "").encode())
    report = read_report(cwd / "data")
    if report.get("run_id") != before:
        assert not contradictions(cwd / "data", report)
    return Run(done.returncode, done.stdout.decode(), done.stderr.decode(), cwd / "data", report)


def ended(
    *arguments: str,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    stdout: int = subprocess.PIPE,
    limit_s: float = LIMIT_S,
) -> subprocess.CompletedProcess[bytes]:
    """Run the command to its end, in a fork of an interpreter that has it loaded where nothing can tell."""
    with started(*arguments, cwd=cwd, env=env, stdin=subprocess.PIPE, stdout=stdout, stderr=subprocess.PIPE) as process:
        try:
            out, err = process.communicate(stdin, limit_s)
        except BaseException:
            process.kill()
            raise
    assert process.returncode is not None
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def started(
    *arguments: str,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    stdin: Stream = None,
    stdout: Stream = None,
    stderr: Stream = None,
    text: bool = False,
) -> Process:
    """Start the command, in a fork of an interpreter that has it loaded where nothing can tell; the streams as for subprocess.Popen."""
    whole, parent, streams = environment(env), forks(), (stdin, stdout, stderr)
    if parent is not None and parent.fits(whole):
        return parent.start(arguments, cwd, whole, streams, text)
    return subprocess.Popen(command(*arguments), cwd=cwd, env=whole, stdin=stdin, stdout=stdout, stderr=stderr, text=text)


def command(*arguments: str) -> list[str]:
    """The command line for the installed command."""
    return [sys.executable, "-m", "marscore", *arguments]


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment without proxies and a terminal's size, which a developer's machine may have."""
    clean = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy") and k not in ("COLUMNS", "LINES")}
    return clean | dict(more or {})


def write(folder: Path, downloads: Sequence[object], **more: object) -> str:
    """Write a manifest with output folder `data` and return its name. MARSCORE_LANE=requests has all runs go that way that say nothing."""
    manifest: dict[str, object] = {"version": 1, "output_dir": "data", **more, "downloads": list(downloads)}
    if lane := os.environ.get("MARSCORE_LANE"):
        # Behind the downloads, whose lines are told, where nothing else is said of the execution.
        manifest["execution"] = {"lane": lane, **cast(Mapping[str, object], more.get("execution", {}))}
    (folder / "downloads.yaml").write_text(yaml.safe_dump(manifest, sort_keys=False))
    return "downloads.yaml"


def transport(connections: int) -> Transport:
    """What a run receives with here: libcurl, or requests where libcurl is not there, or MARSCORE_LANE says so."""
    if os.environ.get("MARSCORE_LANE") != "requests":
        with contextlib.suppress(ImportError):
            from marscore.adapters.http.curl_transport import CurlTransport  # noqa: PLC0415 - pycurl is not everywhere

            return CurlTransport(connections)
    return SessionTransport(connections)


def fetch(folder: Path, *downloads: object, **more: object) -> Run:
    """Write a manifest and run it. Waits between retries are short unless the manifest says otherwise."""
    more.setdefault("defaults", {"retry": {"max_retries": 3, "backoff": {"initial": "10ms"}}})
    return marscore("run", write(folder, downloads, **more), cwd=folder)


def read_report(output: Path) -> dict[str, Any]:
    """The report in an output folder; empty where there is none."""
    return report_in(output)
