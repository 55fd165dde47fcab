"""Statuses that refuse: which of them pass by themselves, and which say no more than that a file has connections enough."""

from __future__ import annotations

import itertools
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from marscore.policy.retry import DEFAULT_STATUSES
from tests.disk import wrong_in
from tests.integration.command import fetch
from tests.long import ALL
from tests.origin import Body, Good, HangUp, Origin, Seen, Status, Step, busy
from tests.origin.steps import Handler

MIB = 1024 * 1024
#: 408 is retried by curl too, 425 asks for it (RFC 8470 section 5.2); 520 to 524 are a CDN's words for an origin that is not there, 529 for
#: one that is overloaded.
PASSING = (408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529)


def test_statuses_that_pass_are_retried_by_default(origin: Origin, tmp_path: Path) -> None:
    bodies = {f"{status}.bin": Body(1000, seed=status) for status in PASSING}
    urls = [origin.serve(f"/{name}", body, [busy(int(name[:3])), Good()]) for name, body in bodies.items()]
    run = fetch(tmp_path, *urls)
    assert run.code == 0, [entry["error"] for entry in run.report["downloads"]]
    assert wrong_in(run.folder, bodies) == []
    retries = {retry["status"]: retry["kind"] for entry in run.report["downloads"] for retry in entry["retries"]}
    assert retries == dict.fromkeys(PASSING, "server_error") | {429: "rate_limited"}
    assert sorted(DEFAULT_STATUSES) == list(PASSING)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 501, 505, 511, 525, 526, 530])
def test_other_statuses_fail_at_once(origin: Origin, tmp_path: Path, status: int) -> None:
    run = fetch(tmp_path, origin.serve("/file.bin", Body(1000), [busy(status)]))
    assert run.code == 1
    assert (run.entry()["error"]["kind"], run.entry()["error"]["status"]) == ("http_status", status)
    assert len(origin.requests_for("/file.bin")) == 1


LARGE = Body(32 * MIB, seed=7)


def to_the_first_alone(step: Step) -> Handler:
    """Delivers to who asks for the whole file; a part is answered by `step`. The body goes on when the first refusal has been heard."""
    heard = threading.Event()
    delivers = Good(body=LARGE, stall_after=MIB, stall_s=30, until=heard, rate=24 * MIB)

    def answer(seen: Seen) -> Step:
        if "range" not in seen.fields:
            return delivers
        threading.Timer(0.3, heard.set).start()
        return step

    return answer


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 406, 410, 416, 451, 500, 501] if ALL else [403, 416, 500])
def test_a_further_connection_that_is_refused_leaves_its_part_to_the_first(origin: Origin, tmp_path: Path, status: int) -> None:
    run = fetch(tmp_path, origin.handle("/file.bin", to_the_first_alone(busy(status))))
    assert run.code == 0, run.entry()["error"]
    assert wrong_in(run.folder, {"file.bin": LARGE}) == []
    assert (run.entry()["retries"], run.entry()["bytes_downloaded"]) == ([], LARGE.length)
    told = run.events("ranges_unsupported")
    assert len(told) == 1
    assert str(status) in told[0]["reason"]
    assert len([seen for seen in origin.requests if "range" not in seen.fields]) == 1
    # Those that were asked with the first of them, and where a status may pass, one now and then.
    assert 1 <= len(origin.requests) - 1 <= (3 if status != 500 else 9)


@pytest.mark.parametrize("step", [busy(503), busy(429), busy(503, "1"), HangUp(), HangUp(reset=True)][:: 1 if ALL else 2], ids=str)
def test_a_server_of_one_connection_delivers_over_that_one(origin: Origin, tmp_path: Path, step: Step) -> None:
    # A single retry would be one too many.
    retry = {"max_retries": 1, "backoff": {"initial": "10ms"}}
    run = fetch(tmp_path, origin.handle("/file.bin", to_the_first_alone(step)), defaults={"retry": retry})
    assert run.code == 0, run.entry()["error"]
    assert wrong_in(run.folder, {"file.bin": LARGE}) == []
    assert run.entry()["retries"] == []
    assert run.entry()["bytes_downloaded"] == LARGE.length
    assert 1 <= len(origin.requests) - 1 <= 6
    assert len(run.events("ranges_unsupported")) == 1


def test_a_server_that_is_busy_for_a_moment_gets_more_connections_later(origin: Origin, tmp_path: Path) -> None:
    numbers = itertools.count()
    delivers = Good(body=LARGE, rate=12 * MIB)
    run = fetch(tmp_path, origin.handle("/file.bin", lambda seen: busy(503) if 1 <= next(numbers) <= 3 else delivers))
    assert run.code == 0, run.entry()["error"]
    assert wrong_in(run.folder, {"file.bin": LARGE}) == []
    assert run.entry()["retries"] == []
    assert run.entry()["segments"] > 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 406, 410, 451, 500, 501])
def test_a_resume_that_is_refused_is_followed_by_one_request_for_the_whole(origin: Origin, tmp_path: Path, status: int) -> None:
    body, cut = Body(3 * MIB, seed=8), iter([Good(cut_after=MIB)])
    run = fetch(
        tmp_path, origin.handle("/file.bin", lambda seen: busy(status) if "range" in seen.fields else replace(next(cut, Good()), body=body))
    )
    assert run.code == 0, run.entry()["error"]
    assert wrong_in(run.folder, {"file.bin": body}) == []
    asked = ["range" in seen.fields for seen in origin.requests_for("/file.bin")]
    assert (asked[:2], asked[-1], asked.count(False)) == ([False, True], False, 2)
    assert [line["bytes_discarded"] for line in run.events("resume_discarded")] == [MIB]
    assert len(run.events("ranges_unsupported")) == 1


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_server_that_refuses_that_as_well_ends_it(origin: Origin, tmp_path: Path, status: int) -> None:
    url = origin.serve("/file.bin", Body(3 * MIB), [Good(cut_after=MIB), busy(status)])
    run = fetch(tmp_path, url, defaults={"threads": 1})
    assert run.code == 1
    assert (run.entry()["error"]["kind"], run.entry()["error"]["status"]) == ("http_status", status)
    assert ["range" in seen.fields for seen in origin.requests_for("/file.bin")] == [False, True, False]
    # It may be there again tomorrow.
    assert run.partials()


def test_a_server_that_cuts_each_time_and_refuses_parts_ends_it(origin: Origin, tmp_path: Path) -> None:
    body = Body(3 * MIB)
    run = fetch(tmp_path, origin.handle("/file.bin", lambda seen: busy(403) if "range" in seen.fields else Good(body=body, cut_after=MIB)))
    assert run.code == 1
    assert run.entry()["error"]["kind"] == "truncated"
    assert len(origin.requests_for("/file.bin")) <= 7


@pytest.mark.parametrize("lane", ["auto", "requests"])
@pytest.mark.parametrize(
    ("more", "named"), [((), True), ((("WWW-Authenticate", 'Basic realm="origin"'),), False)], ids=["alone", "with-basic"]
)
def test_a_server_that_wants_digest_alone_is_named(
    origin: Origin, tmp_path: Path, more: tuple[tuple[str, str], ...], named: bool, lane: str
) -> None:
    digest = ("WWW-Authenticate", 'Digest realm="origin", nonce="n", qop="auth", algorithm=MD5')
    run = fetch(tmp_path, origin.serve("/file.bin", Body(10), [Status(401, (digest, *more))]), execution={"lane": lane})
    assert (run.entry()["error"]["kind"], run.entry()["error"]["status"]) == ("http_status", 401)
    assert ("wants Digest authentication" in run.entry()["error"]["message"]) is named
