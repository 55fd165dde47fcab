"""A fake app, and the values that it answers with."""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from types import SimpleNamespace

from click.testing import CliRunner

from marscore.cli.main import cli
from marscore.errors import ManifestError, Problem
from marscore.report.ended import Ended
from marscore.report.model import DownloadReport, ManifestReport, PlanReport, Report, Totals


class FakeApp:
    """Remembers what it was asked, and answers or raises what it was told to."""

    def __init__(self, answer=None, error=None):
        self.answer, self.error, self.calls = answer, error, []

    def _do(self, *call):
        self.calls.append(call)
        if self.error:
            raise self.error
        return self.answer

    def run(self, manifest, settings, handle_signals=False):
        assert handle_signals
        return self._do("run", manifest, settings)

    def get(self, manifest, settings, overwrite=False, handle_signals=False):
        assert handle_signals
        return self._do("get", manifest, settings, overwrite)

    def planned(self, manifest, settings):
        return self._do("plan", manifest, settings)

    def validate(self, manifest, settings):
        if "wrong" in manifest.text:
            raise ManifestError(manifest.source, (Problem("downloads", "must be a list", 1, 1),))
        return self._do("validate", manifest, settings)

    def schema(self, name):
        return self._do("schema", name)


def call(*argv, app=None, stdin=None):
    return CliRunner().invoke(cli, argv, obj=app or FakeApp(an_end()), input=stdin)


def a_report(exit_code=0, entries=(), duration=1.3):
    count = {
        status: sum(entry.status == status for entry in entries)
        for status in ("downloaded", "up_to_date", "failed", "interrupted", "skipped")
    }
    return Report(
        marscore_version="1.0.0",
        run_id="r1",
        name=None,
        manifest=ManifestReport(path="d.yaml", sha256=None),
        started_at="2024-05-01T12:00:00.000Z",
        finished_at="2024-05-01T12:00:01.300Z",
        duration_s=duration,
        status="failed" if exit_code else "succeeded",
        exit_code=exit_code,
        plan=PlanReport(),
        totals=Totals(
            downloads=len(entries), **count, bytes_downloaded=sum(entry.bytes_downloaded for entry in entries), bytes_resumed=0, retries=2
        ),
        downloads=tuple(entries),
    )


def an_end(exit_code=0, entries=()):
    """What a run with this report leaves."""
    texts = [json.dumps(asdict(entry)) for entry in entries]
    return Ended(a_report(exit_code, entries), "data/.marscore/report.json", lambda: iter(texts))


def entry(number, status, error=None, size=0):
    return DownloadReport(
        id=f"downloads[{number}]", url="https://e.com/x", path=f"zips/{number}.zip", status=status, error=error, bytes_downloaded=size
    )


def a_plan(count=2):
    reasons = ["not there yet", "matches its checksum"]
    downloads = [
        SimpleNamespace(
            id=f"downloads[{n}]",
            url=f"https://e.com/{n}\x1b[2J",
            path=f"f{n}",
            action=["fetch", "up_to_date"][n % 2],
            reason=reasons[n % 2],
            host="e.com:443",
            checksum_from=(),
            sources=(f"https://e.com/{n}\x1b[2J",),
            size=[None, 2048][n % 2],
            bytes_kept=0,
        )
        for n in range(count)
    ]
    unknown, placed = (count + 1) // 2, count // 2
    totals = SimpleNamespace(to_do=unknown, bytes_to_fetch=0, size_unknown=unknown, bytes_kept=0, bytes_up_to_date=2048 * placed)
    shared = {"processes": 1, "threads": 8, "warnings": (), "totals": totals, "downloads": downloads}
    return SimpleNamespace(**shared, model_dump_json=lambda indent: json.dumps({"downloads": count}))


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self):
        return True
