"""Every fault of a server or a network, on both HTTP clients: the file is whole under its name, or nothing is and the failure has a name.

A fault is a row: what the origin does, one step after the other (the last one repeats), and how the download ends. On the direct client a
plain file of the same origin is fetched first, since it is requests that opens every origin. tests/SCENARIOS.md says what each row
is about.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

import marscore
from marscore.settings import RunSettings
from tests.disk import wrong_in
from tests.integration.command import fetch
from tests.long import ALL, combined, some
from tests.origin import Body, Good, HangUp, Origin, Raw, Status, Step, busy, redirect
from tests.origin.faults import busy_until, endless_body, endless_head, error_page, gzipped, header_flood

MIB = 1024 * 1024
FILE = Body(3 * MIB, seed=4)
OTHER = Body(3 * MIB, seed=5, etag='"v2"', last_modified="Tue, 07 Jul 2026 10:00:00 GMT")
SHORT = Body(2 * MIB, seed=6, etag='"v3"', last_modified="Wed, 08 Jul 2026 10:00:00 GMT")
PLAIN = Body(100)
#: The first answer breaks off after a megabyte, so that a request for the rest follows.
CUT = Good(cut_after=MIB)
NO_ETAG = (("ETag", None),)
NO_DATE = (("Last-Modified", None),)
CHECKSUM = {"checksum": f"sha256:{FILE.sha256}"}


@dataclass(frozen=True)
class Fault:
    """One row.

    Attributes:
        steps: what the origin answers.
        ends: the body that is in place at the end, or the kind of the failure.
        events: that the log must hold, among others.
        options: of the download.
        retries: kinds of the retries, in their order; None where they do not matter.
        requests: how many the origin saw for this file; None where that does not matter.
    """

    name: str
    steps: Sequence[Step]
    ends: Body | str
    events: frozenset[str] = frozenset()
    options: Mapping[str, Any] = field(default_factory=dict)
    retries: list[str] | None = None
    requests: int | None = None


def fault(name: str, steps: Sequence[Step], ends: Body | str, *events: str, **more: Any) -> Any:
    retries, requests = more.pop("retries", None), more.pop("requests", None)
    return pytest.param(Fault(name, steps, ends, frozenset(events), more, retries, requests), id=name)


RANGES = [
    fault("200-to-a-range", [CUT, Good(ranges="ignore")], FILE, "ranges_unsupported"),
    fault("200-to-a-range-of-another-version", [CUT, Good(body=OTHER, ranges="ignore")], OTHER, "resume_discarded"),
    fault("206-from-byte-0", [CUT, Good(ranges="shift"), Good()], FILE, retries=["truncated", "range_mismatch"]),
    fault("206-from-byte-0-always", [CUT, Good(ranges="shift")], "range_mismatch"),
    fault("206-from-byte-0-chunked", [CUT, Good(ranges="shift", length="chunked"), Good()], FILE, retries=["truncated", "range_mismatch"]),
    fault("206-chunked", [CUT, Good(length="chunked")], FILE, retries=["truncated"]),
    fault("206-of-another-total", [CUT, Good(ranges="total"), Good()], FILE, "resume_discarded", retries=["truncated", "changed"]),
    fault("206-without-content-range", [CUT, Good(ranges="unsaid"), Good()], FILE, retries=["truncated", "range_mismatch"]),
    fault("206-multipart", [CUT, Good(ranges="multipart"), Good()], FILE, retries=["truncated", "range_mismatch"]),
    fault("206-encoded", [CUT, Good(ranges="gzip"), Good()], FILE, "resume_discarded", retries=["truncated", "changed"]),
    fault(
        "206-to-no-range",
        [Raw(b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-2/9\r\nContent-Length: 3\r\n\r\nabc")],
        "range_mismatch",
    ),
    fault("206-of-the-whole-to-no-range", [Good(ranges="always")], FILE, retries=[], requests=1),
    fault("206-of-the-whole-to-no-range-chunked", [Good(ranges="always", length="chunked")], FILE, retries=[], requests=1),
    fault("206-of-the-whole-that-is-cut", [Good(ranges="always", cut_after=MIB)] * 2 + [Good()], FILE, retries=["truncated"] * 2),
    fault(
        "206-of-the-whole-of-another-length",
        [Raw(b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-2/3\r\nContent-Length: 4\r\n\r\nabcd")],
        "range_mismatch",
    ),
    fault("206-cut-again-and-again", [CUT, Good(cut_after=MIB // 2)], FILE, retry={"max_retries": 1, "backoff": {"initial": "1ms"}}),
    fault("416", [CUT, Good(ranges="refuse"), Good()], FILE, "resume_discarded"),
    fault("416-always", [CUT, Good(ranges="refuse"), CUT, Good(ranges="refuse"), CUT, Good(ranges="refuse")] * 2, "changed"),
]
VERSIONS = [
    fault("changed-between-ranges", [CUT, Good(body=OTHER)], OTHER, "resume_discarded"),
    fault("changed-and-if-range-ignored", [CUT, Good(body=OTHER, if_range="ignore"), Good(body=OTHER)], OTHER, "resume_discarded"),
    fault("changed-each-time", [CUT, *[Good(body=b, cut_after=MIB, if_range="ignore") for b in (OTHER, FILE)] * 9], "changed"),
    fault("shorter-between-ranges", [CUT, Good(body=SHORT)], SHORT, "resume_discarded"),
    fault("200-to-if-range-with-an-etag", [CUT, Good(if_range="reject")], FILE),
    fault("weak-etag", [Good(cut_after=MIB, fields=(("ETag", 'W/"v1"'), *NO_DATE)), Good()], FILE, "resume_discarded"),
    fault("no-validator", [Good(cut_after=MIB, fields=(*NO_ETAG, *NO_DATE)), Good(fields=(*NO_ETAG, *NO_DATE))], FILE, "resume_discarded"),
    fault("date-only", [Good(cut_after=MIB, fields=NO_ETAG), Good(fields=NO_ETAG)], FILE, retries=["truncated"]),
    fault(
        "no-validator-but-a-checksum",
        [Good(cut_after=MIB, fields=(*NO_ETAG, *NO_DATE)), Good(fields=(*NO_ETAG, *NO_DATE))],
        FILE,
        **CHECKSUM,
    ),
    fault("304-to-no-condition", [Status(304)], "http_status"),
]
BODIES = [
    fault("no-length", [Good(length="none")], FILE),
    fault("no-length-cut-but-a-checksum", [Good(length="none", cut_after=MIB), Good()], FILE, **CHECKSUM),
    fault("no-length-cut-but-a-size", [Good(length="none", cut_after=MIB), Good()], "size", size=FILE.length),
    fault("chunked", [Good(length="chunked")], FILE, retries=[]),
    fault("chunked-cut", [Good(length="chunked_cut"), Good()], FILE),
    fault("chunked-nonsense", [Good(length="chunked_broken"), Good()], FILE),
    fault("chunked-and-more", [Good(length="chunked_garbage")], FILE, retries=[]),
    fault("content-length-too-small", [Good(length="small")], "checksum", **CHECKSUM),
    fault("content-length-too-small-but-a-size", [Good(length="small")], "size", size=FILE.length),
    fault("content-length-too-large-once", [Good(length="large"), Good()], FILE),
    fault("content-length-too-large", [Good(length="large", fields=(*NO_ETAG, *NO_DATE))], "truncated"),
    fault("cut-at-the-first-byte", [Good(cut_after=1), Good()], FILE, retries=["truncated"]),
    fault("cut-before-the-last-byte", [Good(cut_after=FILE.length - 1), Good()], FILE, retries=["truncated"]),
    fault("reset-in-the-body", [Good(cut_after=MIB, reset=True), Good()], FILE),
    fault("stalled", [Good(stall_after=MIB, stall_s=60), Good()], FILE, retries=["timeout"], timeout="1s"),
    fault("endless", [endless_body()], "too_large", max_size=5 * MIB),
    fault("gzip-though-identity-was-asked", [gzipped(FILE)], "checksum", **CHECKSUM),
    fault("error-page-against-a-checksum", [error_page()], "checksum", **CHECKSUM),
    fault("error-page-against-a-size", [error_page()], "size", size=FILE.length),
    fault("interim-answers", [Good(informational=(100, 103))], FILE, retries=[]),
]
HEADS = [
    fault("slow-head", [Good(head_every_s=0.0005)], FILE, retries=[]),
    fault("late-head", [Good(delay_s=60), Good()], FILE, retries=["timeout"], timeout="1s"),
    fault("endless-head", [endless_head()], "connection"),
    fault("flood-of-headers", [header_flood()], "connection"),
    fault("garbage-for-a-head", [Raw(b"SSH-2.0-OpenSSH_9.2\r\n"), Good()], FILE),
    fault("nothing-for-a-head", [HangUp(), Good()], FILE),
    fault("reset-for-a-head", [HangUp(reset=True), Good()], FILE),
    fault("half-a-head", [Raw(b"HTTP/1.1 200 OK\r\nContent-Le"), Good()], FILE),
    fault("two-lengths", [Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd")], "connection"),
]
WAITS = [
    fault("503", [busy(503), Good()], FILE, retries=["server_error"]),
    fault("503-always", [busy(503)], "server_error", retries=["server_error"] * 2, requests=3),
    fault("429-with-seconds", [busy(429, "0"), Good()], FILE, "host_paused", retries=["rate_limited"]),
    fault("503-with-a-past-date", [busy_until(1_000_000_000), Good()], FILE, "host_paused", retries=["server_error"]),
    fault("429-absurd", [busy(429, "31536000")], "rate_limited", retries=[], requests=1),
    fault("429-nonsense", [busy(429, "as soon as I can"), Good()], FILE, retries=["rate_limited"]),
    fault("403", [busy(403)], "http_status", retries=[], requests=1),
    fault("204", [Raw(b"HTTP/1.1 204 No Content\r\n\r\n")], "http_status", retries=[]),
]
REDIRECTS = [
    fault("redirect-loop", [redirect("/file.bin")], "redirect"),
    fault("redirect-to-a-local-file", [redirect("file:///etc/passwd")], "redirect", requests=1),
    fault("redirect-to-another-scheme", [redirect("ftp://127.0.0.1/file.bin")], "redirect", requests=1),
    fault("redirect-to-nowhere", [Status(302)], "http_status", requests=1),
    fault("redirect-to-an-empty-place", [redirect("")], "redirect", retries=[], requests=1),
    fault(
        "redirect-to-two-places", [Status(302, (("Location", "/plain.bin"), ("Location", "/file.bin")))], "redirect", retries=[], requests=1
    ),
    fault("redirect-to-one-place-said-twice", [Status(302, (("Location", "/same"),) * 2)], "http_status", retries=[], requests=1),
    fault("redirect-to-a-port-that-is-none", [redirect("http://127.0.0.1:99999/")], "redirect", retries=[], requests=1),
    fault("redirect-to-a-port-of-letters", [redirect("http://127.0.0.1:x/")], "redirect", retries=[], requests=1),
    fault("redirect-to-a-label-too-long", [redirect(f"http://{'a' * 64}.example/")], "dns", retries=[], requests=1),
    fault("redirect-to-nonsense", [redirect("http://[::1/x")], "redirect", requests=1),
]


@combined
@pytest.mark.parametrize("lane", ["requests", "auto"])
@pytest.mark.parametrize("row", [*RANGES, *VERSIONS, *BODIES, *HEADS, *WAITS, *REDIRECTS])
def test_fault(origin: Origin, tmp_path: Path, row: Fault, lane: str) -> None:
    plain = origin.serve("/plain.bin", PLAIN)
    url = origin.serve("/file.bin", FILE, row.steps)
    downloads = [plain, {"url": url, **row.options}]
    report, log = run(tmp_path, "requests" if lane == "requests" else "auto", downloads)
    entry = report["downloads"][1]
    target = tmp_path / "data" / "file.bin"
    if isinstance(row.ends, Body):
        assert entry["error"] is None
        assert target.read_bytes() == row.ends.read(0, row.ends.length)
    else:
        assert entry["error"]["kind"] == row.ends, entry["error"]["message"]
        assert not target.exists()
    assert row.events <= {line["event"] for line in log}
    if row.retries is not None:
        assert [retry["kind"] for retry in entry["retries"]] == row.retries
    if row.requests is not None:
        assert len(origin.requests_for("/file.bin")) == row.requests


def run(folder: Path, lane: str, downloads: Sequence[object], **execution: object) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Run a manifest in this process, one download after the other; returns the report and the lines of the log."""
    manifest = {
        "version": 1,
        "output_dir": str(folder / "data"),
        "execution": {"processes": 1, "threads": 1, "lane": lane, **execution},
        "defaults": {"retry": {"max_retries": 2, "backoff": {"initial": "1ms"}}, "timeout": "5s"},
        "downloads": list(downloads),
    }
    done = marscore.run(manifest, RunSettings(log_file=folder / "log", log_level="debug", log_format="json"))
    report: dict[str, Any] = json.loads((folder / "data" / ".marscore" / "report.json").read_text())
    assert report["exit_code"] == done.exit_code
    return report, [json.loads(line) for line in (folder / "log").read_text().splitlines()]


@pytest.mark.parametrize("lane", ["requests", "auto"])
def test_a_connection_that_the_server_closed_meanwhile_costs_no_retry(origin: Origin, tmp_path: Path, lane: str) -> None:
    urls = [origin.serve(f"/{n}.bin", Body(1000, seed=n), [Good(close="silent")]) for n in range(8)]
    report, _ = run(tmp_path, lane, urls)
    assert report["exit_code"] == 0
    assert report["totals"]["retries"] == 0


@pytest.mark.parametrize("lane", ["requests", "auto"])
def test_a_mirror_with_other_content_gives_one_of_the_two_and_never_a_mixture(origin: Origin, tmp_path: Path, lane: str) -> None:
    url = origin.serve("/file.bin", FILE, [CUT, busy(404)])
    mirror = origin.serve("/mirror.bin", OTHER)
    report, log = run(tmp_path, lane, [{"url": url, "mirrors": [mirror]}])
    assert report["downloads"][0]["source"] == mirror
    assert (tmp_path / "data" / "file.bin").read_bytes() == OTHER.read(0, OTHER.length)
    assert {"mirror_switched", "resume_discarded"} <= {line["event"] for line in log}


@pytest.mark.parametrize("lane", ["requests", "auto"])
def test_a_mirror_with_other_content_does_not_pass_the_checksum(origin: Origin, tmp_path: Path, lane: str) -> None:
    url = origin.serve("/file.bin", FILE, [CUT, busy(404)])
    report, log = run(tmp_path, lane, [{"url": url, "mirrors": [origin.serve("/mirror.bin", OTHER)], **CHECKSUM}])
    # The one is gone and the other has sent wrong bytes: what is told is the failure of the one that was asked last.
    assert report["downloads"][0]["error"]["kind"] in ("checksum", "changed", "http_status")
    assert any("sha256 is" in line.get("message", "") + line.get("reason", "") for line in log)
    assert not (tmp_path / "data" / "file.bin").exists()


@pytest.mark.parametrize("lane", ["requests", "auto"])
def test_a_stored_redirect_is_not_used_again(origin: Origin, tmp_path: Path, lane: str) -> None:
    origin.serve("/signed-1.bin", FILE, [CUT, busy(403)])
    origin.serve("/signed-2.bin", FILE)
    # What another target brings is not joined with what came: it is asked for once more, from its beginning.
    targets = iter(["/signed-1.bin", "/signed-2.bin", "/signed-2.bin"])
    url = origin.handle("/file.bin", lambda seen: redirect(next(targets)))
    report, _ = run(tmp_path, lane, [url])
    assert report["exit_code"] == 0
    assert report["downloads"][0]["source"].endswith("/signed-2.bin")
    assert (tmp_path / "data" / "file.bin").read_bytes() == FILE.read(0, FILE.length)


@pytest.mark.parametrize("lane", ["requests", "auto"])
def test_a_name_whose_first_address_is_dead_is_reached_by_the_next(origin: Origin, tmp_path: Path, lane: str) -> None:
    # The origin listens on IPv4 alone; where localhost is ::1 as well, that address refuses.
    url = origin.serve("/file.bin", FILE).replace("127.0.0.1", "localhost")
    report, _ = run(tmp_path, lane, [url])
    assert report["exit_code"] == 0
    assert report["totals"]["retries"] == 0


@pytest.mark.parametrize("lane", ["requests", "auto"])
@pytest.mark.parametrize("answer", ["403 Forbidden", "407 Proxy Authentication Required", "502 Bad Gateway"])
def test_a_proxy_that_refuses_is_named(tmp_path: Path, lane: str, answer: str) -> None:
    with Origin() as proxy:
        proxy.handle_rest(lambda seen: Raw(f"HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n".encode()))
        report, _ = run(tmp_path, lane, [{"url": "https://127.0.0.1:1/file.bin", "proxies": proxy.url("")}])
        error = report["downloads"][0]["error"]
        assert (error["kind"], error["status"]) == ("proxy", int(answer[:3]))
        assert f"the proxy answered {answer} to CONNECT" in error["message"]
        # What passes may pass.
        assert len(proxy.requests) == (3 if answer.startswith("502") else 1)
        assert not (tmp_path / "data" / "file.bin").exists()


#: To see that a connection lags takes seconds, and the transfer that decides it knows nothing of lanes.
REDIALLING = {"requests": "requests", "auto": "auto"}


@pytest.mark.parametrize("lane", some(REDIALLING, "auto"))
def test_a_connection_that_drips_beside_fast_ones_is_dialled_anew(origin: Origin, tmp_path: Path, lane: str) -> None:
    # So slow that even on a busy machine the connections do little but wait, and others are opened beside them.
    large, fast = Body(10 * MIB, seed=8), Good(rate=MIB // 2)
    steps = iter([fast, Good(drip=(4_000, 0.1))])
    url = origin.serve("/plain.bin", PLAIN)
    slow = origin.handle("/large.bin", lambda seen: replace(next(steps, fast), body=large))
    report, log = run(tmp_path, lane, [url, {"url": slow, "threads": 4}], threads=4)
    assert (tmp_path / "data" / "large.bin").read_bytes() == large.read(0, large.length)
    assert report["totals"]["retries"] == 0
    told = [line for line in log if line["event"] == "connection_redialled"]
    assert len(told) == 1
    assert told[0]["level"] == "info"
    assert told[0]["speed"] < 0.3 * told[0]["others_speed"]
    assert told[0]["url"] == slow


@pytest.mark.parametrize("lane", some(REDIALLING, "requests"))
def test_a_connection_that_falls_silent_beside_others_is_dialled_anew(origin: Origin, tmp_path: Path, lane: str) -> None:
    # So slow that even on a busy machine the connections do little but wait, and others are opened beside them.
    large, fast = Body(10 * MIB, seed=9), Good(rate=MIB // 2)
    steps = iter([fast, Good(rate=MIB // 2, stall_after=MIB // 4, stall_s=60)])
    url = origin.serve("/plain.bin", PLAIN)
    silent = origin.handle("/large.bin", lambda seen: replace(next(steps, fast), body=large))
    # It would be long over its read timeout before the others are done, if that were waited for.
    report, log = run(tmp_path, lane, [url, {"url": silent, "threads": 4}], threads=4)
    assert (tmp_path / "data" / "large.bin").read_bytes() == large.read(0, large.length)
    assert report["totals"]["retries"] == 0
    told = [line["url"] for line in log if line["event"] == "connection_redialled"]
    assert told == [silent]


@pytest.mark.parametrize("turn", range(3 if ALL else 1))
def test_files_of_one_host_with_one_connection_end_though_every_other_one_is_always_busy(origin: Origin, tmp_path: Path, turn: int) -> None:
    entries = [origin.serve(f"/{n}.bin", Body(1000, seed=n), [busy(503)] if n % 2 else ()) for n in range(12)]
    retry = {"max_retries": 2, "backoff": {"initial": "10ms", "max": "50ms"}}
    run = fetch(tmp_path, *entries, execution={"per_host": 1}, defaults={"retry": retry})
    assert run.code == 1
    assert [entry["status"] for entry in run.report["downloads"]] == ["downloaded", "failed"] * 6
    assert wrong_in(tmp_path / "data", {f"{n}.bin": Body(1000, seed=n) for n in range(0, 12, 2)}) == []


@pytest.mark.parametrize("wrong", [{"size": 2999}, {"size": 3001}, {"max_size": 2999}], ids=str)
@pytest.mark.parametrize("lane", ["auto", "requests"])
def test_a_wrong_size_that_is_told_is_known_before_the_body_comes(
    origin: Origin, tmp_path: Path, wrong: Mapping[str, int], lane: str
) -> None:
    # Whoever waits for the body meets the run's deadline.
    urls = [origin.serve(f"/{n}.bin", Body(3000, seed=n), [Good(stall_after=10 * (n > 0), stall_s=120)]) for n in range(4)]
    good = origin.serve("/good.bin", Body(3000))
    run = fetch(tmp_path, good, *({"url": url, **wrong} for url in urls), execution={"lane": lane, "deadline": "40s"})
    assert run.code == 1
    errors = [entry["error"] and entry["error"]["kind"] for entry in run.report["downloads"]]
    assert errors == [None] + ["too_large" if "max_size" in wrong else "size"] * 4
    assert [entry["bytes_downloaded"] for entry in run.report["downloads"]] == [3000, 0, 0, 0, 0]
