"""How one download ended, as the report's JSON has it: written where the outcome comes up, put in its place at the end.

    Download + outcome --entry_of--> text     Download --unfinished_entry--> text     text + what came before --completed--> text

A run of a hundred thousand downloads makes as many entries. As text, each is made by its worker, and the parent only keeps it. What the
fields mean, `model.DownloadReport` says; it is not imported here, since workers have no other use for pydantic.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from marscore.events import DownloadFailed, DownloadFinished, DownloadSkipped, Outcome
from marscore.policy.redact import Redactor
from marscore.report.record import rfc3339, seconds, well_formed
from marscore.resolve.model import Download
from marscore.values import Checksum, Failure, FailureKind

if TYPE_CHECKING:
    from marscore.report.model import DownloadStatus

_encode = json.JSONEncoder(ensure_ascii=False).encode
_quoted = json.encoder.encode_basestring
_FIELDS = (
    *("id", "url", "path", "status", "reason", "size", "checksum", "bytes_downloaded", "bytes_resumed", "segments"),
    *("started_at", "duration_s", "etag", "source", "sources", "unpacked", "retries", "error"),
)
#: One download, a field to a line. The values are encoded one by one, since indented as a whole json would not use its C code.
_FORM = "{\n      " + ",\n      ".join(f'"{name}": %s' for name in _FIELDS) + "\n    }"
#: How an entry ends in which no error is told.
SUCCESS = '"error": null\n    }'


def status_of(event: Outcome) -> DownloadStatus:
    """How the report calls this outcome."""
    if isinstance(event, DownloadFinished):
        return event.status
    if isinstance(event, DownloadFailed):
        return "interrupted" if event.kind == "interrupted" else "failed"
    return "skipped"


def entry_of(download: Download, event: Outcome, redactor: Redactor) -> str:
    """The entry of a download that has its outcome. Events come redacted."""
    if isinstance(event, DownloadSkipped):
        return _blank(download, redactor, "skipped", reason=event.reason)
    if isinstance(event, DownloadFailed):
        size = event.size if download.size is None else download.size
        checksum, etag, source, reason = None, None, event.url, None
        unpacked, sources = "null", "[]"
        error = _error(event.kind, event.status, event.message)
    else:
        size, checksum, etag, source, reason = (
            event.size,
            checksum_of(download.checksums, event.digests),
            event.etag,
            event.source,
            event.reason,
        )
        unpacked = "null" if event.unpacked is None else _encode(asdict(event.unpacked))
        sources = "[]" if not event.sources else _encode(list(map(asdict, event.sources)))
        error = "null"
    return _FORM % (
        _quoted(download.id),
        json_text(redactor.url(download.url)),
        json_text(download.path),
        _quoted(status_of(event)),
        json_text(reason),
        _number(size),
        json_text(checksum),
        event.bytes_downloaded,
        event.bytes_resumed,
        event.segments,
        "null" if event.started_at is None else f'"{rfc3339(event.started_at)}"',
        seconds(event.duration_s),
        json_text(etag),
        json_text(source),
        sources,
        unpacked,
        "[]",
        error,
    )


def unfinished_entry(download: Download, redactor: Redactor, signal: int | None, why: Failure | None = None) -> str:
    """The entry of a download without an outcome; `signal` is the one that ended the run, or `why` what did, if any."""
    if signal is None:
        return _blank(download, redactor, "skipped", reason=why.message if why else "the run ended before this download did")
    error = _error("interrupted", None, f"interrupted by signal {signal}; run again to resume")
    return _blank(download, redactor, "interrupted", error=error)


def completed(entry: str, started_at: float | None, retries: Iterable[Mapping[str, object]], timeline: str | None = None) -> str:
    """The entry with what was told of the download before its outcome, where it says nothing of that itself."""
    # In JSON no text holds a line's end, so these are the fields and nothing else.
    if started_at is not None:
        entry = entry.replace('\n      "started_at": null,', f'\n      "started_at": "{rfc3339(started_at)}",')
    if timeline is not None:
        # Left out where there is none, as of a hundred thousand small files.
        before, error, after = entry.rpartition('\n      "error": ')
        entry = f'{before}\n      "timeline": {timeline},{error}{after}'
    told = ", ".join(_encode(retry) for retry in retries)
    return entry.replace('\n      "retries": [],', f'\n      "retries": [{told}],') if told else entry


def _blank(download: Download, redactor: Redactor, status: str, reason: str | None = None, error: str = "null") -> str:
    """An entry that says that nothing came of the download."""
    url, path = json_text(redactor.url(download.url)), json_text(download.path)
    lead = (_quoted(download.id), url, path, _quoted(status), json_text(reason), _number(download.size), "null")
    return _FORM % (*lead, 0, 0, 0, "null", 0.0, "null", "null", "[]", "null", "[]", error)


def _error(kind: FailureKind, status: int | None, message: str) -> str:
    return _encode({"kind": kind, "status": status, "message": well_formed(message)})


def checksum_of(wanted: Sequence[Checksum], digests: Sequence[str]) -> str | None:
    """The digest that the manifest named first, else the first there is: the sha256."""
    if not wanted and digests:
        return digests[0]
    algorithm = wanted[0].algorithm if wanted else "sha256"
    return next((digest for digest in digests if digest.startswith(f"{algorithm}:")), digests[0] if digests else None)


def _number(value: int | None) -> str:
    return "null" if value is None else str(value)


def json_text(text: str | None) -> str:
    """The text as JSON has it, with its quotes."""
    if text is None:
        return "null"
    return _quoted(text if text.isascii() else well_formed(text))
