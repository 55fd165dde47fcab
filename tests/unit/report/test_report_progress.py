"""How far a run is, with time told by the test."""

from __future__ import annotations

import pytest

from marscore.events import DownloadFailed, DownloadFinished, DownloadSkipped, DownloadStarted, PlanCompiled, ProgressMade, RetryScheduled
from marscore.report.progress import ProgressFold

MIB = 1024 * 1024


def started(number, url="https://example.com/a/file.bin"):
    return DownloadStarted(0.0, f"downloads[{number}]", url)


def progress(number, done, size=None, active=2, finished=1, downloaded=None):
    return ProgressMade(0.0, f"downloads[{number}]", done, size, done if downloaded is None else downloaded, active, finished)


def finished(number, size=10 * MIB, status="downloaded", downloaded=None):
    got = size if downloaded is None else downloaded
    return DownloadFinished(0.0, f"downloads[{number}]", status, "", size, (), 0, 0, bytes_downloaded=got, segments=3)


def retry(number):
    return RetryScheduled(0.0, f"downloads[{number}]", 1, 3, "timeout", None, 1.0, "https://example.com/", "slow")


def a_fold(downloads, up_to_date=0, sizes=None):
    fold = ProgressFold(0.0, sizes)
    fold.add(PlanCompiled(0.0, 1, 4, downloads, up_to_date), 0.0)
    return fold


def test_an_active_file_tells_percent_speed_and_time_to_go():
    fold = a_fold(1)
    fold.add(started(0), 0.0)
    for second in range(1, 5):
        fold.add(progress(0, second * MIB, 10 * MIB), float(second))
    [file] = fold.files(4.0, 10)
    assert (file.name, file.fraction, file.speed, file.eta) == ("file.bin", 0.4, MIB, 6.0)
    assert (file.threads_active, file.bytes_done, file.size) == (2, 4 * MIB, 10 * MIB)


@pytest.mark.parametrize(
    ("url", "name"),
    [("https://e.com/a/file.bin?x=1", "file.bin"), ("https://e.com/", "downloads[0]"), ("https://e.com", "downloads[0]")],
)
def test_a_file_goes_by_the_last_part_of_its_url(url, name):
    fold = a_fold(1)
    fold.add(started(0, url), 0.0)
    assert fold.files(0.0, 10)[0].name == name


def test_without_a_size_there_is_speed_but_no_percent():
    fold = a_fold(1)
    fold.add(started(0), 0.0)
    fold.add(progress(0, 2 * MIB), 2.0)
    [file] = fold.files(2.0, 10)
    assert (file.fraction, file.eta, file.speed) == (None, None, MIB)
    assert fold.overall(2.0).fraction is None
    assert fold.overall(3.0).fraction == 0.0


def test_the_speed_is_that_of_the_last_seconds():
    fold = a_fold(1)
    fold.add(started(0), 0.0)
    for second in range(1, 11):
        fold.add(progress(0, second * MIB, 100 * MIB), float(second))
    for second in range(11, 21):
        fold.add(progress(0, 10 * MIB + (second - 10) * 4 * MIB, 100 * MIB), float(second))
    assert fold.overall(20.0).speed == pytest.approx(4 * MIB)


def test_the_speed_falls_to_nothing_in_a_stall():
    fold = a_fold(1)
    fold.add(started(0), 0.0)
    fold.add(progress(0, 5 * MIB, 10 * MIB), 1.0)
    assert fold.overall(1.0).speed == 5 * MIB
    for tick in range(2, 60):
        last = fold.overall(tick / 2)
    assert (last.speed, last.eta) == (0.0, None)


def test_bytes_proven_on_disk_are_progress_but_not_speed():
    fold = a_fold(1)
    fold.add(started(0), 0.0)
    fold.add(progress(0, 8 * MIB, 10 * MIB, downloaded=MIB), 1.0)
    overall = fold.overall(1.0)
    assert (overall.fraction, overall.bytes_done, overall.speed) == (0.8, 8 * MIB, MIB)


def test_with_unknown_sizes_percent_is_of_files():
    fold = a_fold(4)
    fold.add(started(0), 0.0)
    fold.add(finished(0), 2.0)
    fold.add(started(1), 2.0)
    fold.add(progress(1, 5 * MIB, 10 * MIB), 3.0)
    overall = fold.overall(3.0)
    assert (overall.fraction, overall.files_done, overall.files_total, overall.bytes_total) == (0.375, 1, 4, None)
    assert overall.eta == pytest.approx(3.0 * 0.625 / 0.375)


def test_what_was_in_place_before_does_not_make_the_rest_look_quick():
    fold = a_fold(10, up_to_date=8)
    for number in range(8):
        fold.add(finished(number, status="up_to_date", downloaded=0), 0.0)
    assert fold.overall(0.5).eta is None
    fold.add(finished(8), 10.0)
    assert fold.overall(10.0).eta == pytest.approx(10.0)


def test_with_known_sizes_percent_is_of_bytes():
    fold = a_fold(2, sizes={"downloads[0]": 30 * MIB, "downloads[1]": 10 * MIB})
    fold.add(started(0), 0.0)
    fold.add(finished(1), 0.0)
    fold.add(progress(0, 10 * MIB, 30 * MIB), 2.0)
    overall = fold.overall(2.0)
    assert (overall.fraction, overall.bytes_done, overall.bytes_total) == (0.5, 20 * MIB, 40 * MIB)
    assert overall.eta == pytest.approx(20 * MIB / overall.speed)


def test_with_some_sizes_known_percent_is_of_files():
    fold = a_fold(2, sizes={"downloads[0]": 30 * MIB})
    fold.add(finished(1), 1.0)
    assert (fold.overall(1.0).fraction, fold.overall(1.0).bytes_total) == (None, None)
    assert (fold.overall(3.0).fraction, fold.overall(3.0).bytes_total) == (0.5, None)


def test_percent_does_not_jump_when_the_last_size_becomes_known():
    fold = a_fold(3)
    for number, size in enumerate((100, 10, None)):
        fold.add(started(number), 0.0)
        fold.add(progress(number, 10 if size else 0, size), 1.0)
    assert fold.overall(1.0).fraction is None
    before = fold.overall(4.0).fraction
    fold.add(progress(2, 0, 10_000), 5.0)
    overall = fold.overall(5.0)
    assert (overall.fraction, overall.bytes_total) == (before, None)
    fold.add(DownloadFailed(0.0, "downloads[2]", "http_status", "no", 404), 6.0)
    assert fold.overall(6.0).fraction == pytest.approx(before + 1 / 3)


def test_percent_is_of_bytes_where_all_sizes_come_soon():
    fold = a_fold(2)
    for number, size in enumerate((30, 10)):
        fold.add(started(number), 0.0)
        assert fold.overall(0.5).fraction is None
        fold.add(progress(number, 10, size), 1.0)
    for now in (1.0, 10.0):
        assert (fold.overall(now).fraction, fold.overall(now).bytes_total) == (0.5, 40)


@pytest.mark.parametrize(
    ("outcome", "failures"),
    [
        (DownloadFailed(0.0, "downloads[0]", "http_status", "no", 404), 1),
        (DownloadFailed(0.0, "downloads[0]", "interrupted", "stopped"), 0),
        (DownloadSkipped(0.0, "downloads[0]", "too late"), 0),
    ],
    ids=["failed", "interrupted", "skipped"],
)
def test_a_download_that_is_over_is_no_longer_active(outcome, failures):
    fold = a_fold(1)
    fold.add(started(0), 0.0)
    fold.add(outcome, 1.0)
    fold.add(progress(0, 1, 2), 1.1)
    overall = fold.overall(1.1)
    # What was not brought to its end is not done.
    assert (fold.active, overall.files_done, overall.failed, overall.fraction or 0.0) == (0, failures, failures, float(failures))


def test_threads_and_retries_add_up_over_all_files():
    fold = a_fold(3)
    fold.add(started(0), 0.0)
    fold.add(retry(0), 0.0)
    fold.add(finished(0), 1.0)
    for number in (1, 2):
        fold.add(started(number), 1.0)
        fold.add(retry(number), 1.0)
        fold.add(progress(number, 1, 10, active=4, finished=2), 1.0)
    overall = fold.overall(1.0)
    assert (overall.threads_active, overall.retries) == (8, 3)


def test_only_the_first_files_are_listed():
    fold = a_fold(30)
    for number in range(22):
        fold.add(started(number, f"https://e.com/{number}"), 0.0)
    assert [file.name for file in fold.files(0.0, 10)] == [str(n) for n in range(10)]
    assert fold.active == 22


def test_an_empty_file_and_an_empty_run_divide_nothing_by_zero():
    assert a_fold(0).overall(1.0).fraction == 0.0
    fold = a_fold(1, sizes={"downloads[0]": 0})
    fold.add(started(0), 0.0)
    fold.add(progress(0, 0, 0), 1.0)
    assert fold.files(1.0, 1)[0].fraction == 1.0
    fold.add(finished(0, size=0), 1.0)
    assert fold.overall(1.0).fraction == 1.0


def test_a_file_that_receives_nothing_says_what_it_is_at():
    fold = a_fold(1)
    fold.add(started(0), 0.0)
    fold.add(progress(0, 10, 100), 1.0)
    assert fold.files(1.0, 1)[0].at == "receiving"
    fold.add(retry(0), 1.0)
    fold.add(progress(0, 10, 100, active=0), 1.25)
    waiting = fold.files(1.25, 1)[0]
    assert (waiting.at, waiting.wait) == ("retry", 0.75)
    assert fold.files(2.0, 1)[0].at == "connection"
    fold.add(progress(0, 100, 100, active=0), 6.0)
    assert fold.files(6.0, 1)[0].at == "verifying"
