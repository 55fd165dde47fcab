"""Reports for pages to show, made up: of few files with all that can happen, and of many."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from marscore.report.model import (
    DownloadReport,
    Error,
    ManifestReport,
    Note,
    PlanReport,
    Report,
    Retry,
    ThroughputReport,
    Timeline,
    Totals,
)
from marscore.reporting import write_page
from marscore.values import FetchedRange

#: What would be markup, or the end of a script, if it were not text.
HOSTILE = "</script><img src=x onerror=alert(1)><!--<script>"
MIRRORS = ("https://one.example/big.iso", "https://two.example/big.iso")


def at(seconds: float) -> str:
    """A time of the run, which began at noon."""
    return f"2026-01-01T12:00:{seconds:06.3f}Z"


def a_file(number: int, path: str = "", **changes: Any) -> DownloadReport:
    """A file that came from the first host."""
    url = f"https://one.example/{path or f'part-{number}.bin'}"
    told: dict[str, Any] = {
        "id": f"downloads[{number}]",
        "url": url,
        "path": path or f"part-{number}.bin",
        "status": "downloaded",
        "reason": "fetched",
        "size": 1000 + number,
        "checksum": "sha256:" + "0" * 64,
        "bytes_downloaded": 1000 + number,
        "segments": 1,
        "started_at": at(number % 10),
        "duration_s": 0.5,
        "source": url,
    }
    return DownloadReport(**told | changes)


def failed(number: int, path: str, status: int = 404, **changes: Any) -> DownloadReport:
    """A file that its server does not have."""
    error = Error("http_status", status, f"the server answered {status}")
    return a_file(number, path, **{"status": "failed", "size": None, "bytes_downloaded": 0, "checksum": None, "error": error, **changes})


def with_all() -> DownloadReport:
    """A file with two sources, a resume, a broken range, a retry, and a source that was dropped."""
    ranges = (
        FetchedRange(0, 500, 0.0, None, 0.0, None, "resumed", True),
        FetchedRange(500, 100, 0.0, 0.1, 1.0, 0, "failed", True),
        FetchedRange(600, 400, 1.5, 1.6, 4.0, 1, "done", True),
    )
    notes = (
        Note(at(1), "download_resumed", bytes=500),
        Note(at(2.1), "mirror_dropped", url=MIRRORS[0], reason="the server answered 503"),
        Note(at(2.2), "host_paused", host="one.example:443", wait_s=0.2),
    )
    retry = Retry(at(2), MIRRORS[0], "connection", None, "the connection was reset", 0.5, 1)
    return a_file(
        90, "images/big.iso", size=1000, bytes_resumed=500, started_at=at(1), duration_s=4.5, url=MIRRORS[0], source=MIRRORS[1],
        retries=(retry,), timeline=Timeline(MIRRORS, ranges, 0, notes), etag='"v1"',
    )  # fmt: skip


def a_report(*entries: DownloadReport, name: str = "nightly", warnings: tuple[str, ...] = ()) -> Report:
    """The report of a run of ten seconds."""
    statuses = [entry.status for entry in entries]
    ends = {status: statuses.count(status) for status in ("downloaded", "up_to_date", "failed", "interrupted", "skipped")}
    return Report(
        marscore_version="1",
        run_id="r1",
        name=name,
        manifest=ManifestReport(path="downloads.yaml", sha256=None),
        started_at=at(0),
        finished_at=at(10),
        duration_s=10.0,
        status="failed" if ends["failed"] else "succeeded",
        exit_code=1 if ends["failed"] else 0,
        plan=PlanReport(processes=2, threads=8, downloads=len(entries)),
        totals=Totals(
            downloads=len(entries),
            **ends,
            bytes_downloaded=sum(entry.bytes_downloaded for entry in entries),
            bytes_resumed=sum(entry.bytes_resumed for entry in entries),
            retries=sum(len(entry.retries) for entry in entries),
        ),
        warnings=warnings,
        throughput=ThroughputReport(interval_s=0.5, bytes=tuple(100 * number for number in range(20))),
        downloads=entries,
    )


def small() -> Report:
    """Ten plain files, one with all that can happen, two failures and a file that was there."""
    there = a_file(91, "there.bin", status="up_to_date", bytes_downloaded=0, duration_s=0.0, source=None)
    return a_report(*map(a_file, range(10)), with_all(), failed(92, "gone.bin"), failed(93, HOSTILE, 401), there)


def written(report: Report, folder: Path) -> Path:
    """The page of a report, in a file."""
    write_page(report, folder / "page.html")
    return folder / "page.html"
