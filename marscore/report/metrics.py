"""A run as numbers for Prometheus: the same events, added up, as text that node_exporter's textfile collector reads.

    events, readings, files in place --MetricsFold--> text()

Times come in as arguments. Every sample carries the labels of its run, since a collector refuses two files that hold the same sample: of
several runs on one machine each has an output folder of its own. What a label may be is bounded: hosts beyond the first twenty that are
met are called `other`. (Format: prometheus.io/docs/instrumenting/exposition_formats, "Text-based format", version 0.0.4.)
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from marscore.events import (
    DownloadFailed,
    DownloadFinished,
    DownloadSkipped,
    DownloadStarted,
    Event,
    Outcome,
    PlanCompiled,
    ProgressMade,
    RetryScheduled,
    RunFinished,
)
from marscore.public import WRITTEN
from marscore.report.entry import status_of
from marscore.report.record import well_formed
from marscore.report.speed import Speed

#: Hosts that are told apart.
MOST_HOSTS = 20
_OTHER = "other"
_STATUSES = ("downloaded", "up_to_date", "cached", "failed", "interrupted", "skipped")
_LAST_SUCCESS = "marscore_run_last_success_timestamp_seconds"
_SUCCESS_LINE = re.compile(rf"^{_LAST_SUCCESS}(?:\{{[^\n]*\}})? ([0-9.e+]{{1,30}})$", re.MULTILINE)

_Labels = Mapping[str, str]


class _Family(NamedTuple):
    """A metric with its samples: the labels of each, besides the run's, and its value."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    samples: Iterable[tuple[_Labels, float]]


class MetricsFold:
    """Adds up one run. Not safe to share between threads.

    Args:
        labels: what every sample carries.
        started_at: when the run began, as Unix time.
        ticks: the same moment, in seconds that never jump.
        last_success: when a run of this kind last succeeded, as far as that is known.
    """

    def __init__(self, labels: _Labels, version: str, started_at: float, ticks: float, last_success: float | None = None) -> None:
        self._labels = labels
        self._version = version
        self._started_at = started_at
        self._began = ticks
        self._last_success = last_success
        self._speed = Speed(ticks)
        self._active: dict[str, ProgressMade | None] = {}
        self._planned: int | None = None
        self._ended: Counter[str] = Counter()
        self._downloaded = 0
        #: The most that was told: a counter never falls, also where a worker died with what it had received.
        self._told = 0
        self._resumed = 0
        self._retries: Counter[tuple[str, str]] = Counter()
        self._failures: Counter[tuple[str, str]] = Counter()
        self._hosts: set[str] = set()
        self._finished: RunFinished | None = None

    def add(self, event: Event) -> None:
        """Take the next event."""
        match event:
            case DownloadStarted():
                self._active.setdefault(event.download)
            case DownloadFinished() | DownloadFailed() | DownloadSkipped():
                self._close(event)
            case ProgressMade():
                self.look((event,))
            case RetryScheduled():
                self._retries[event.kind, self._host(event.url)] += 1
            case PlanCompiled():
                self._planned = event.downloads
            case RunFinished():
                self._finish(event)
            case _:
                pass

    def add_in_place(self, count: int) -> None:
        """So many files need nothing."""
        self._ended["up_to_date"] += count

    def look(self, readings: Iterable[ProgressMade]) -> None:
        """Take readings of how far active downloads are; one that is over by now counts as it ended."""
        for reading in readings:
            if reading.download in self._active:
                self._active[reading.download] = reading

    def text(self, ticks: float) -> Iterator[str]:
        """The metrics as they are at `ticks`, a family at a time."""
        own = ",".join(_label(name, value) for name, value in self._labels.items())
        for family in (*self._of_the_run(ticks), *self._of_downloads(ticks)):
            lines = [f"# HELP {family.name} {family.help}\n# TYPE {family.name} {family.kind}\n"]
            for labels, value in family.samples:
                more = "".join("," + _label(name, text) for name, text in labels.items())
                lines.append(f"{family.name}{{{own}{more}}} {_number(value)}\n")
            if len(lines) > 1:
                yield "".join(lines)

    def _of_the_run(self, ticks: float) -> Iterator[_Family]:
        over = self._finished
        duration = over.duration_s if over else ticks - self._began
        yield _Family("marscore_build_info", "gauge", "The version of marscore, as a label of 1.", [({"version": self._version}, 1)])
        yield _gauge("marscore_run_active", "1 while the run goes on, 0 once it is over.", 0 if over else 1)
        yield _gauge("marscore_run_start_time_seconds", "When the run began, as Unix time.", self._started_at)
        yield _gauge("marscore_run_duration_seconds", "How long the run has taken so far, or took.", duration)
        yield _gauge(
            "marscore_run_updated_timestamp_seconds", "When this was written, as Unix time.", self._started_at + ticks - self._began
        )
        yield _gauge("marscore_run_exit_code", "The exit code of the run, once it is over.", over.exit_code if over else None)
        yield _gauge(_LAST_SUCCESS, "When a run last ended with every download in place, as Unix time.", self._last_success)

    def _of_downloads(self, ticks: float) -> Iterator[_Family]:
        received, readings = self._received(), [reading for reading in self._active.values() if reading]
        speed = 0.0 if self._finished else self._speed.sample(ticks, received)
        ended = [({"status": status}, self._ended[status]) for status in _STATUSES]
        connections = sum(reading.threads_active for reading in readings)
        yield _gauge("marscore_planned_downloads", "Downloads that are wanted.", self._planned)
        yield _gauge("marscore_active_downloads", "Downloads that have begun and are not over.", len(self._active))
        yield _gauge("marscore_active_connections", "Connections that are at work.", connections)
        yield _gauge("marscore_download_speed_bytes_per_second", "Bytes received a second over the last seconds; 0 after the run.", speed)
        yield _Family("marscore_downloads_total", "counter", "Downloads that are over, by how they ended.", ended)
        yield _counter("marscore_bytes_downloaded_total", "Bytes of bodies that were received.", received)
        yield _counter("marscore_bytes_resumed_total", "Bytes of an earlier run that were not fetched again.", self._resumed)
        yield _by_kind("marscore_retries_total", "Retries, by the kind of the failure and the host that was asked.", self._retries)
        yield _by_kind("marscore_failures_total", "Downloads that failed, by the kind of the failure and the host.", self._failures)

    def _close(self, event: Outcome) -> None:
        self._active.pop(event.download, None)
        self._ended[status_of(event)] += 1
        if isinstance(event, DownloadSkipped):
            return
        self._downloaded += event.bytes_downloaded
        self._resumed += event.bytes_resumed
        if isinstance(event, DownloadFailed) and event.kind != "interrupted":
            self._failures[event.kind, self._host(event.url)] += 1

    def _finish(self, event: RunFinished) -> None:
        """From now on, what the report says counts."""
        self._finished = event
        self._active.clear()
        self._ended = Counter({status: getattr(event, status) for status in _STATUSES})
        self._downloaded = self._told = event.bytes_downloaded
        self._resumed = event.bytes_resumed
        if event.exit_code == 0:
            self._last_success = event.at

    def _received(self) -> int:
        received = self._downloaded + sum(reading.bytes_downloaded for reading in self._active.values() if reading)
        self._told = max(self._told, received)
        return self._told

    def _host(self, url: str | None) -> str:
        parts = WRITTEN.match(url or "")
        if parts is None:
            return ""
        host = parts["place"]
        if host not in self._hosts:
            if len(self._hosts) >= MOST_HOSTS:
                return _OTHER
            self._hosts.add(host)
        return host


def last_success_of(text: str) -> float | None:
    """When a run last succeeded, as the metrics of an earlier one tell it; None where they do not."""
    found = _SUCCESS_LINE.search(text)
    try:
        return float(found[1]) if found else None
    except ValueError:
        return None


def _gauge(name: str, described: str, value: float | None) -> _Family:
    return _Family(name, "gauge", described, [] if value is None else [({}, value)])


def _counter(name: str, described: str, value: float) -> _Family:
    return _Family(name, "counter", described, [({}, value)])


def _by_kind(name: str, described: str, counts: Mapping[tuple[str, str], int]) -> _Family:
    return _Family(name, "counter", described, [({"kind": kind, "host": host}, count) for (kind, host), count in sorted(counts.items())])


def _label(name: str, value: str) -> str:
    escaped = well_formed(value).replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
    return f'{name}="{escaped}"'


def _number(value: float) -> str:
    return str(round(value, 3))
