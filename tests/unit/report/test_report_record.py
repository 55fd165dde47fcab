"""What an event looks like in the log."""

from __future__ import annotations

import pytest

from marscore.events import DownloadFailed, DownloadFinished, Redirected, RetryScheduled, RunStarted
from marscore.report.record import record_of, rfc3339


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1714564800.25, "2024-05-01T12:00:00.250Z"),
        (1714564800.9996, "2024-05-01T12:00:01.000Z"),
        (1714564800.001, "2024-05-01T12:00:00.001Z"),
    ],
)
def test_times_are_rfc3339_in_utc_with_milliseconds(at, text):
    assert rfc3339(at) == text


def test_the_timestamp_stands_for_at():
    record = record_of(RunStarted(0.0, "nightly", "downloads.yaml", "data"))
    assert list(record) == ["timestamp", "name", "manifest", "output_dir"]


def test_from_is_a_field_although_python_knows_the_word():
    assert record_of(Redirected(0.0, "downloads[0]", "http://a/", "http://b/"))["from"] == "http://a/"


def test_what_has_no_value_is_left_out():
    assert "name" not in record_of(RunStarted(0.0, None, "downloads.yaml", "data"))


def test_status_is_told_even_when_no_server_answered():
    retry = RetryScheduled(0.0, "downloads[0]", 1, 3, "timeout", None, 0.123456, "http://a/", "no bytes for 30 s")
    assert (record_of(retry)["status"], record_of(retry)["wait_s"]) == (None, 0.123)
    assert record_of(DownloadFailed(0.0, "downloads[0]", "dns", "no such host"))["status"] is None


def test_other_times_are_written_as_the_timestamp_is():
    finished = DownloadFinished(2.0, "downloads[0]", "downloaded", "new", 1, ("sha256:00",), 5, 6, started_at=1.5)
    record = record_of(finished)
    assert record["started_at"] == "1970-01-01T00:00:01.500Z"
    assert record["digests"] == ["sha256:00"]
