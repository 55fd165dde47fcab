"""A report as a page: one file of HTML that asks no network for anything.

Report --rows--> values, a line each --+
assets (markup, style, scripts) -------+--page--> the file, in pieces

What a stranger wrote is data: it stands in a block of JSON, in which `<` is an escape, and the script puts it in place as text, never
as markup; what is in the markup itself is escaped. The page's policy lets its own style and scripts run, by their digests, and nothing
be fetched. Values that a report holds again and again (statuses, reasons, what to do) are written once and named by their places.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from marscore.report.failed import remedy_of
from marscore.report.model import DownloadReport, Note, Report, Retry
from marscore.report.words import counted

#: The scripts in the order in which they run, and the library before them (assets/README.md).
SCRIPTS = ("values.js", "bars.js", "files.js", "details.js", "page.js")
STYLES = ("uplot/uPlot.min.css", "page.css")
LIBRARY = "uplot/uPlot.iife.min.js"
TEMPLATE = "page.html"
ASSETS = (TEMPLATE, LIBRARY, *STYLES, *SCRIPTS)

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def page(report: Report, assets: Mapping[str, str]) -> Iterator[str]:
    """Yield the page; `assets` are the texts of all `ASSETS`, by name."""
    style = "".join(assets[name] for name in STYLES)
    # In one scope: what one of them names, the next ones know.
    script = "".join(assets[name].replace('"use strict";\n', "") for name in SCRIPTS)
    whole = {"library": assets[LIBRARY], "script": f'"use strict";\n{script}', "style": style}
    heading = report.name or report.manifest.path
    filled = {
        **whole,
        "csp": _policy(whole["style"], whole["library"], whole["script"]),
        "title": html.escape(f"{heading}: {report.status}"),
        "heading": html.escape(heading),
        "summary": _summary(report),
        "footer": html.escape(f"marscore {report.marscore_version}, run {report.run_id}; times are seconds since the run began"),
    }
    before, _, after = assets[TEMPLATE].partition("{data}")
    yield _filled(before, filled)
    yield from map(_harmless, _data(report))
    yield _filled(after, filled)


def _filled(template: str, values: Mapping[str, str]) -> str:
    """The template with its places filled, each once, so that what fills one is never taken for another."""
    text = ""
    while template:
        before, brace, rest = template.partition("{")
        name, _, after = rest.partition("}")
        text, template = text + before + (values[name] if brace else ""), after
    return text


def _policy(style: str, *scripts: str) -> str:
    """A Content-Security-Policy under which nothing runs but these, and nothing is fetched or sent."""
    own = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    return f"default-src 'none'; script-src {own}; style-src 'sha256-{_digest(style)}'; img-src data:; base-uri 'none'; form-action 'none'"


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _summary(report: Report) -> str:
    mood = {"succeeded": "good", "failed": "bad", "interrupted": "warn"}[report.status]
    when, manifest = report.started_at[:19].replace("T", " "), report.manifest.path if report.name else ""
    told = [f"{when} UTC", f"exit code {report.exit_code}", _workers(report), manifest]
    return f'<span class="badge {mood}">{report.status}</span> {html.escape(" · ".join(filter(None, told)))}'


def _workers(report: Report) -> str:
    processes, threads = report.plan.processes, report.plan.threads
    return f"{counted(processes, 'process', 'processes')} of {counted(threads, 'connection', 'connections')}" if processes else ""


def _harmless(text: str) -> str:
    """JSON in which nothing ends the block that it stands in, and nothing that UTF-8 cannot hold."""
    return text.replace("<", "\\u003c").encode("utf-8", "backslashreplace").decode()


class _Words:
    """Texts that are written once, by their places."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    def place(self, text: str) -> int:
        """The place of a text."""
        return self._places.setdefault(text, len(self._places))

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)


def _data(report: Report) -> Iterator[str]:
    words, began = _Words(), _unix(report.started_at)
    run = {"duration_s": report.duration_s, "warnings": report.warnings}
    head = {"run": run, "totals": report.totals.model_dump(), "throughput": report.throughput.model_dump()}
    yield _encode(head).removesuffix("}") + ',"rows":['
    for number, entry in enumerate(report.downloads):
        yield (",\n" if number else "\n") + _encode(_row(entry, began, words, report.manifest.path))
    yield f'],"words":{_encode(list(words))}}}'


def _row(entry: DownloadReport, began: float, words: _Words, manifest: str) -> list[Any]:
    """The values of a download, in the order of the names in assets/values.js."""
    # Of a file that was in place there is nothing to be seen over time.
    began_s = _since(entry.started_at, began) if entry.duration_s or entry.bytes_downloaded or entry.error else None
    error = entry.error and [
        words.place(entry.error.kind),
        entry.error.status,
        entry.error.message,
        words.place(remedy_of(entry.error, manifest)),
    ]
    return [
        entry.path,
        words.place(entry.status),
        entry.size,
        began_s,
        entry.duration_s,
        entry.bytes_downloaded,
        entry.bytes_resumed,
        len(entry.retries),
        entry.url,
        None if entry.source == entry.url else entry.source,
        error,
        None if entry.reason is None else words.place(entry.reason),
        entry.checksum,
        entry.id,
        _more(entry, began) or 0,
    ]


def _more(entry: DownloadReport, began: float) -> dict[str, object]:
    """What few downloads have."""
    timeline = entry.timeline
    told: dict[str, object] = {
        "retries": [_retry(retry, began) for retry in entry.retries],
        "etag": entry.etag,
        "unpacked": entry.unpacked and {"into": entry.unpacked.into, "files": entry.unpacked.files, "bytes": entry.unpacked.bytes},
    }
    if timeline is not None:
        told |= {"sources": timeline.urls, "ranges": timeline.ranges, "left_out": timeline.ranges_left_out}
        told["notes"] = [_note(note, began) for note in timeline.notes]
    return {name: value for name, value in told.items() if value}


def _retry(retry: Retry, began: float) -> dict[str, object]:
    told = {"kind": retry.kind, "status": retry.status, "message": retry.message, "wait_s": retry.wait_s, "attempt": retry.attempt}
    return {"at": _since(retry.at, began), "url": retry.url, **told}


def _note(note: Note, began: float) -> dict[str, object]:
    told = {"event": note.event, "url": note.url, "host": note.host, "reason": note.reason, "bytes": note.bytes, "wait_s": note.wait_s}
    return {"at": _since(note.at, began), **{name: value for name, value in told.items() if value is not None}}


def _since(at: str | None, began: float) -> float | None:
    """Seconds of the run; a clock that was set back meanwhile counts as its beginning."""
    return None if at is None else max(0.0, round(_unix(at) - began, 3))


def _unix(at: str) -> float:
    try:
        # Python 3.10 knows no Z.
        return datetime.fromisoformat(at.replace("Z", "+00:00")).timestamp()
    except ValueError:
        return 0.0
