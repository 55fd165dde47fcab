"""A file that changes while it is fetched is one of its two versions on the disk, whole, whatever its server sends to tell them apart.

The origin does the worst that a server can: both versions have the same size, what proves nothing is the same for both, and If-Range is
ignored, so that every part comes from the file as it is now.
"""

from __future__ import annotations

import hashlib
import itertools
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from tests.integration.command import marscore, write
from tests.integration.test_faults import run
from tests.integration.test_interrupt_and_resume import stop_midway
from tests.long import combined, some
from tests.origin import Body, Good, Origin, Seen

MIB = 1024 * 1024
MODIFIED = 1_700_000_000
DATE = formatdate(MODIFIED, usegmt=True)
LANES = pytest.mark.parametrize("lane", ["requests", "auto"])
pytestmark = combined


def sent_after(seconds: int | str | None) -> str | None:
    """The Date of an answer so many seconds after the file was modified."""
    return formatdate(MODIFIED + seconds, usegmt=True) if isinstance(seconds, int) else seconds


#: ETag, Last-Modified, and the answer's Date.
Sent = tuple[str | None, str | None, str | None]

WEAK: dict[str, Sent] = {
    "nothing": (None, None, sent_after(100)),
    "a weak etag": ('W/"v1"', None, sent_after(100)),
    "a weak etag with a small w": ('w/"v1"', None, sent_after(100)),
    "any etag": ("*", None, sent_after(100)),
    "a list": ("a, b", None, sent_after(100)),
    "a list of etags": ('"a", "b"', None, sent_after(100)),
    "an etag with a control": ('"v\x011"', None, sent_after(100)),
    "an etag with a space": ('"v 1"', None, sent_after(100)),
    "an etag without quotes": ("v1", None, sent_after(100)),
    "an etag of one quote": ('"', None, sent_after(100)),
    "a date without Date": (None, DATE, None),
    "a date 0 s old": (None, DATE, sent_after(0)),
    "a date 1 s old": (None, DATE, sent_after(1)),
    "a date 59 s old": (None, DATE, sent_after(59)),
    "a date to come": (None, DATE, sent_after(-3600)),
    "a date that is a word": (None, "yesterday", sent_after(100)),
    "a date that is a number": (None, str(MODIFIED), sent_after(100)),
    "a day that is none": (None, "Wed, 32 Nov 2023 22:13:20 GMT", sent_after(100)),
    "a Date that is a word": (None, DATE, "today"),
    "a weak etag and a date 1 s old": ('W/"v1"', DATE, sent_after(1)),
}
STRONG: dict[str, Sent] = {
    "an etag": ('"v1"', None, None),
    "an empty etag": ('""', None, None),
    "an etag and a date 0 s old": ('"v1"', DATE, sent_after(0)),
    "a date 60 s old": (None, DATE, sent_after(60)),
    "a date 61 s old": (None, DATE, sent_after(61)),
    "a date of RFC 850": (None, "Tuesday, 14-Nov-23 22:13:20 GMT", sent_after(61)),
    "a date of asctime": (None, "Tue Nov 14 22:13:20 2023", sent_after(61)),
    "a weak etag and a date 61 s old": ('W/"v1"', DATE, sent_after(61)),
}
SOME_WEAK = some(WEAK, "nothing", "a weak etag", "a list of etags", "a date without Date", "a date 1 s old")
SOME_STRONG = some(STRONG, "an etag", "a date 61 s old")
#: What the second version has in place of what is strong.
CHANGED = {'"v1"': '"v2"', '""': '"v2"', **{sent[1]: formatdate(MODIFIED + 7, usegmt=True) for sent in STRONG.values() if sent[1]}}


def version(size: int, seed: int, sent: Sent) -> Body:
    return Body(size, seed=seed, etag=sent[0], last_modified=sent[1])


def versions(size: int, sent: Sent) -> tuple[Body, Body]:
    """A file before and after; what proves nothing stays, what proves something changes."""
    before, after = version(size, 4, sent), version(size, 5, sent)
    if sent in STRONG.values():
        after = replace(after, etag=CHANGED.get(sent[0] or "", sent[0]), last_modified=CHANGED.get(sent[1] or "", sent[1]))
    return before, after


def sends(sent: Sent, **knobs: Any) -> Good:
    return Good(fields=(("Date", sent[2]),) if sent[2] or sent[1] else (), **knobs)


def fetch(origin: Origin, folder: Path, lane: str, *entries: Any, threads: int = 1) -> tuple[list[Any], list[dict[str, Any]]]:
    """Fetch these behind a plain file, which is what opens an origin for the direct client; returns their reports and the log."""
    report, log = run(folder, lane, [origin.serve("/plain.bin", Body(100)), *entries], threads=threads)
    return report["downloads"][1:], log


def on_disk(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def reasons(log: list[dict[str, Any]], event: str) -> list[str]:
    return [line["reason"] for line in log if line["event"] == event]


@LANES
@pytest.mark.parametrize("sent", SOME_WEAK.values(), ids=SOME_WEAK)
def test_bytes_that_nothing_joins_are_fetched_again_and_the_log_says_why(origin: Origin, tmp_path: Path, lane: str, sent: Sent) -> None:
    before, after = versions(3 * MIB, sent)
    url = origin.serve("/file.bin", before, [sends(sent, cut_after=MIB), sends(sent, body=after, if_range="ignore")])
    _, log = fetch(origin, tmp_path, lane, url)
    assert on_disk(tmp_path / "data" / "file.bin") == after.sha256
    [reason] = reasons(log, "resume_discarded")
    assert "tells one version from another" in reason
    assert all("range" not in seen.fields for seen in origin.requests)


@LANES
@pytest.mark.parametrize("if_range", ["honour", "ignore", "reject"])
@pytest.mark.parametrize("sent", SOME_STRONG.values(), ids=SOME_STRONG)
def test_what_tells_versions_apart_shows_the_change(origin: Origin, tmp_path: Path, lane: str, sent: Sent, if_range: Any) -> None:
    before, after = versions(3 * MIB, sent)
    url = origin.serve("/file.bin", before, [sends(sent, cut_after=MIB), sends(sent, body=after, if_range=if_range)])
    _, log = fetch(origin, tmp_path, lane, url)
    assert on_disk(tmp_path / "data" / "file.bin") == after.sha256
    [reason] = reasons(log, "resume_discarded")
    assert "the file changed on the server" in reason


@LANES
@pytest.mark.parametrize("sent", SOME_STRONG.values(), ids=SOME_STRONG)
def test_a_file_that_stays_goes_on_where_it_broke(origin: Origin, tmp_path: Path, lane: str, sent: Sent) -> None:
    before, _ = versions(3 * MIB, sent)
    url = origin.serve("/file.bin", before, [sends(sent, cut_after=MIB), sends(sent)])
    [entry], log = fetch(origin, tmp_path, lane, url)
    assert on_disk(tmp_path / "data" / "file.bin") == before.sha256
    assert entry["bytes_downloaded"] == before.length
    assert not reasons(log, "resume_discarded")
    assert "if-range" in origin.requests[-1].fields


@LANES
@pytest.mark.parametrize("sent", [*SOME_WEAK.values(), *SOME_STRONG.values()], ids=[*SOME_WEAK, *SOME_STRONG])
def test_a_checksum_joins_what_stayed_and_finds_what_changed(origin: Origin, tmp_path: Path, lane: str, sent: Sent) -> None:
    before, after = versions(3 * MIB, sent)
    stays = origin.serve("/stays.bin", before, [sends(sent, cut_after=MIB), sends(sent)])
    changes = origin.serve("/changes.bin", before, [sends(sent, cut_after=MIB), sends(sent, body=after, if_range="ignore")])
    entries = [{"url": stays, "checksum": f"sha256:{before.sha256}"}, {"url": changes, "checksum": f"sha256:{after.sha256}"}]
    reports, _ = fetch(origin, tmp_path, lane, *entries)
    assert on_disk(tmp_path / "data" / "stays.bin") == before.sha256
    assert on_disk(tmp_path / "data" / "changes.bin") == after.sha256
    assert reports[0]["bytes_downloaded"] == before.length


# Between two runs


def stopped_after_half(origin: Origin, folder: Path, sent: Sent, size: int = 12 * MIB) -> tuple[str, Body, Body]:
    before, after = versions(size, sent)
    url = origin.serve("/file.bin", before, [sends(sent, stall_after=size // 2, stall_s=120)])
    manifest = write(folder, [url], execution={"processes": 1, "threads": 1})
    stopped, _ = stop_midway(folder, manifest, signal.SIGTERM, size // 2)
    assert stopped.code == 143
    return manifest, before, after


@pytest.mark.parametrize("sent", SOME_WEAK.values(), ids=SOME_WEAK)
def test_a_run_builds_on_nothing_that_proves_nothing(origin: Origin, tmp_path: Path, sent: Sent) -> None:
    manifest, before, after = stopped_after_half(origin, tmp_path, sent)
    origin.serve("/file.bin", before, [sends(sent, body=after, if_range="ignore")])
    again = marscore("run", manifest, cwd=tmp_path)
    assert again.code == 0
    assert on_disk(tmp_path / "data" / "file.bin") == after.sha256
    assert again.entry()["bytes_resumed"] == 0
    [discarded] = again.events("resume_discarded")
    assert "tells one version from another" in discarded["reason"]
    assert discarded["bytes_discarded"] == before.length // 2


@pytest.mark.parametrize("sent", SOME_STRONG.values(), ids=SOME_STRONG)
def test_a_run_builds_on_what_proves_its_version(origin: Origin, tmp_path: Path, sent: Sent) -> None:
    manifest, before, _ = stopped_after_half(origin, tmp_path, sent)
    origin.serve("/file.bin", before, [sends(sent)])
    again = marscore("run", manifest, cwd=tmp_path)
    assert again.code == 0
    assert on_disk(tmp_path / "data" / "file.bin") == before.sha256
    assert again.entry()["bytes_resumed"] == before.length // 2


@pytest.mark.parametrize("sent", SOME_STRONG.values(), ids=SOME_STRONG)
def test_a_run_sees_that_the_file_changed_since_the_last_one(origin: Origin, tmp_path: Path, sent: Sent) -> None:
    manifest, before, after = stopped_after_half(origin, tmp_path, sent)
    origin.serve("/file.bin", before, [sends(sent, body=after, if_range="ignore")])
    again = marscore("run", manifest, cwd=tmp_path)
    assert again.code == 0
    assert on_disk(tmp_path / "data" / "file.bin") == after.sha256
    assert again.entry()["bytes_resumed"] == 0


def test_what_waited_for_a_checksum_is_of_no_use_without_one(origin: Origin, tmp_path: Path) -> None:
    before, after = versions(12 * MIB, STRONG["an etag"])
    silent = (("ETag", None), ("Last-Modified", None))
    # The first half has an ETag; what follows is another file's and shows none.
    steps = [Good(cut_after=4 * MIB), Good(body=after, if_range="ignore", fields=silent, stall_after=4 * MIB, stall_s=120)]
    url = origin.serve("/file.bin", before, steps)
    entry = {"url": url, "checksum": f"sha256:{before.sha256}"}
    manifest = write(tmp_path, [entry], execution={"processes": 1, "threads": 1})
    stop_midway(tmp_path, manifest, signal.SIGTERM, 8 * MIB)
    origin.serve("/file.bin", before)
    again = marscore("run", write(tmp_path, [url]), cwd=tmp_path)
    assert again.code == 0
    assert on_disk(tmp_path / "data" / "file.bin") == before.sha256
    assert "checksum" in again.events("resume_discarded")[0]["reason"]


@pytest.mark.parametrize("then", ["no checksum", "another checksum", "the same and another"])
def test_pieces_that_a_checksum_joined_count_only_for_that_checksum(origin: Origin, tmp_path: Path, then: str) -> None:
    first, mirror = Body(12 * MIB, seed=73), Body(12 * MIB, seed=74)
    a = origin.serve("/file.bin", first, [Good(cut_after=4 * MIB), Good(cut_after=0)])
    b = origin.serve("/mirror/file.bin", mirror, [Good(stall_after=4 * MIB, stall_s=120)])
    settings = {"execution": {"processes": 1}, "defaults": {"threads": 1, "retry": {"max_retries": 0}}}
    entry: dict[str, object] = {"url": a, "mirrors": [b], "checksum": f"sha256:{first.sha256}"}
    stop_midway(tmp_path, write(tmp_path, [entry], **settings), signal.SIGTERM, 8 * MIB)
    origin.serve("/file.bin", first)
    wanted = {"no checksum": first, "another checksum": mirror, "the same and another": first}[then]
    if then == "another checksum":
        entry |= {"url": b, "mirrors": [], "checksum": f"sha256:{mirror.sha256}"}
        origin.serve("/mirror/file.bin", mirror)
    elif then == "no checksum":
        del entry["checksum"]
    else:
        entry["checksum"] = [f"sha256:{first.sha256}", f"md5:{hashlib.md5(first.read(0, first.length)).hexdigest()}"]
    again = marscore("run", write(tmp_path, [entry], **settings), cwd=tmp_path)
    assert on_disk(tmp_path / "data" / "file.bin") == wanted.sha256
    if then != "the same and another":
        assert again.code == 0
        assert again.entry()["bytes_resumed"] == 0
        assert "a checksum was to prove" in again.events("resume_discarded")[0]["reason"]
        assert again.entry()["retries"] == [], "nothing was joined that a checksum had to find out"
        assert marscore("run", "downloads.yaml", cwd=tmp_path).entry()["status"] == "up_to_date"


def test_what_another_url_brought_under_a_checksum_does_not_count_as_the_first_ones(origin: Origin, tmp_path: Path) -> None:
    """Both show one ETag. The first run has no checksum, the second another URL and one, the third is the first again."""
    first, second = Body(12 * MIB, seed=71), Body(12 * MIB, seed=72)
    a = origin.serve("/a/file.bin", first, [Good(cut_after=5 * MIB), Good(cut_after=0)])
    b = origin.serve("/b/file.bin", second, [Good(stall_after=5 * MIB, stall_s=120)])
    settings = {"execution": {"processes": 1}, "defaults": {"threads": 1, "retry": {"max_retries": 0}}}
    assert marscore("run", write(tmp_path, [{"url": a, "path": "file.bin"}], **settings), cwd=tmp_path).code == 1
    entry = {"url": b, "path": "file.bin", "checksum": f"sha256:{second.sha256}"}
    run, _ = stop_midway(tmp_path, write(tmp_path, [entry], **settings), signal.SIGTERM, 9 * MIB)
    assert run.entry()["bytes_resumed"] >= 4 * MIB, "a checksum would tell"
    origin.serve("/a/file.bin", first)
    again = marscore("run", write(tmp_path, [{"url": a, "path": "file.bin"}], **settings), cwd=tmp_path)
    assert again.code == 0
    assert on_disk(tmp_path / "data" / "file.bin") == first.sha256
    assert again.entry()["bytes_resumed"] == 0


# Over several connections


def changing(origin: Origin, first: list[Good], rest: Good) -> tuple[str, Callable[[], int]]:
    """Serve some answers, then the same one for ever; returns the URL and what counts the requests."""
    steps: Iterator[Good] = itertools.chain(first, itertools.repeat(rest))
    url = origin.handle("/large.bin", lambda seen: _step(seen, steps))
    return url, lambda: len(origin.requests_for("/large.bin"))


def _step(seen: Seen, steps: Iterator[Good]) -> Good:
    return next(steps)


@LANES
@pytest.mark.parametrize("sent", SOME_WEAK.values(), ids=SOME_WEAK)
def test_ranges_that_nothing_joins_are_not_asked_for(origin: Origin, tmp_path: Path, lane: str, sent: Sent) -> None:
    before, after = versions(20 * MIB, sent)
    url, requests = changing(origin, [sends(sent, body=before, rate=40 * MIB)], sends(sent, body=after, if_range="ignore"))
    fetch(origin, tmp_path, lane, {"url": url, "threads": 4}, threads=4)
    assert on_disk(tmp_path / "data" / "large.bin") == before.sha256
    assert requests() == 1


@LANES
@pytest.mark.parametrize("sent", SOME_STRONG.values(), ids=SOME_STRONG)
def test_ranges_of_a_file_that_changes_between_them_are_not_joined(origin: Origin, tmp_path: Path, lane: str, sent: Sent) -> None:
    before, after = versions(20 * MIB, sent)
    url, requests = changing(origin, [sends(sent, body=before, rate=10 * MIB)], sends(sent, body=after, if_range="ignore"))
    fetch(origin, tmp_path, lane, {"url": url, "threads": 4}, threads=4)
    assert on_disk(tmp_path / "data" / "large.bin") == after.sha256
    assert requests() > 1


@LANES
@pytest.mark.parametrize("sent", SOME_STRONG.values(), ids=SOME_STRONG)
def test_ranges_of_a_file_that_stays_are_joined(origin: Origin, tmp_path: Path, lane: str, sent: Sent) -> None:
    before, _ = versions(20 * MIB, sent)
    url, _ = changing(origin, [], sends(sent, body=before, rate=10 * MIB))
    [entry], _ = fetch(origin, tmp_path, lane, {"url": url, "threads": 4}, threads=4)
    assert on_disk(tmp_path / "data" / "large.bin") == before.sha256
    assert entry["segments"] > 1


#: What the whole file came with and a 206 may not leave away (RFC 9110 section 15.3.7).
ETAGS = some({name: sent for name, sent in STRONG.items() if sent[0]}, "an etag", "a weak etag and a date 61 s old")


@LANES
@pytest.mark.parametrize("sent", ETAGS.values(), ids=ETAGS)
def test_ranges_that_show_no_version_are_not_joined(origin: Origin, tmp_path: Path, lane: str, sent: Sent) -> None:
    before, after = versions(14 * MIB, sent)
    silent = (("ETag", None), ("Last-Modified", None))
    url, requests = changing(
        origin, [sends(sent, body=before, rate=10 * MIB)], Good(body=after, if_range="ignore", fields=silent, rate=10 * MIB)
    )
    _, log = fetch(origin, tmp_path, lane, {"url": url, "threads": 4}, threads=4)
    assert on_disk(tmp_path / "data" / "large.bin") == before.sha256
    assert requests() > 1
    assert "nothing proves" in reasons(log, "ranges_unsupported")[0]


class DripsThenChanges:
    """A file whose second connection drips. It changes when that connection's range is asked for again."""

    def __init__(self, before: Good, after: Good) -> None:
        self._before, self._after = before, after
        self._asked = 0
        self._dripping = 0
        self.changed = False

    def __call__(self, seen: Seen) -> Good:
        self._asked += 1
        start = int(seen.fields.get("range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        if self._asked == 2:
            self._dripping = start
            return replace(self._before, rate=None, drip=(4_000, 0.1))
        # Who takes a share of it begins further behind.
        self.changed = self.changed or (self._asked > 2 and self._dripping < start < self._dripping + MIB)
        return self._after if self.changed else self._before


#: To see that a connection lags takes seconds.
REDIALLING = {f"{lane}-{shows}": (lane, shows) for lane in ("requests", "auto") for shows in (True, False)}


@pytest.mark.parametrize(("lane", "shows"), some(REDIALLING, "requests-True", "auto-False").values())
def test_a_connection_dialled_anew_brings_no_other_version(origin: Origin, tmp_path: Path, lane: str, shows: bool) -> None:
    before, after = versions(12 * MIB, STRONG["an etag"])
    fields = () if shows else (("ETag", None), ("Last-Modified", None))
    server = DripsThenChanges(Good(body=before, rate=MIB), Good(body=after, if_range="ignore", fields=fields, rate=8 * MIB))
    _, log = fetch(origin, tmp_path, lane, {"url": origin.handle("/large.bin", server), "threads": 4}, threads=4)
    assert server.changed
    assert "connection_redialled" in {line["event"] for line in log}
    assert on_disk(tmp_path / "data" / "large.bin") in ([after.sha256] if shows else [before.sha256, after.sha256])


@LANES
def test_the_end_of_a_file_without_a_length_is_not_taken_from_another_version(origin: Origin, tmp_path: Path, lane: str) -> None:
    # As long as what came of the first version, so that the range behind it is refused with just that size.
    before, after = Body(3 * MIB, seed=4), Body(MIB, seed=5, etag='"v2"')
    steps = [Good(length="chunked", cut_after=MIB), Good(body=after, if_range="ignore"), Good(body=after)]
    fetch(origin, tmp_path, lane, origin.serve("/file.bin", before, steps))
    assert on_disk(tmp_path / "data" / "file.bin") == after.sha256
