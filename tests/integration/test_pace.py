"""A host that limits how fast it is asked: nginx's own limit, by 503 or by 429 with Retry-After."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.command import Run, marscore, write
from tests.long import ALL, some
from tests.origin import Body, Good, Origin, busy
from tests.servers import Nginx, nginx

FILES = 150
#: So many requests a second, and a few more at once; the rest is refused.
ZONE = "limit_req_zone $binary_remote_addr zone=clients:1m rate=100r/s;"
LIMIT = "limit_req zone=clients burst=5; limit_req_status {status};"
REFUSALS = {"503": LIMIT.format(status=503), "429": LIMIT.format(status=429) + " add_header Retry-After 1 always;"}


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Callable[[str], Nginx]]:
    """nginx with the limit, which refuses in that way."""
    with ExitStack() as running:
        yield lambda refusal: running.enter_context(nginx(tmp_path / "nginx", more=REFUSALS[refusal], zone=ZONE))


def content(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).digest() * 40


def fetch_all(web: Nginx, folder: Path, **execution: object) -> Run:
    """Fetch them with the retries that a user has who says nothing of retries."""
    for number in range(FILES):
        (web.root / f"{number}.bin").write_bytes(content(number))
    return marscore("run", write(folder, [web.url(f"{number}.bin") for number in range(FILES)], execution=execution), cwd=folder)


def shows_a_pace(run: Run, refusal: str) -> None:
    assert run.code == 0
    assert all(run.data(f"{number}.bin") == content(number) for number in range(FILES))
    retries = sum(len(entry["retries"]) for entry in run.report["downloads"])
    assert retries == len(run.events("retry_scheduled"))
    assert 0 < retries < 0.3 * FILES
    assert run.events("host_paced")
    assert all(paced["rate"] > 0 for paced in run.events("host_paced"))
    assert bool(run.events("host_paused")) == (refusal == "429")


#: What the two clients make of a refusal is alike (the transports' contract): each has one kind of it.
ROWS = {f"{lane}-{refusal}": (lane, refusal) for lane in ("auto", "requests") for refusal in REFUSALS}


@pytest.mark.parametrize(("lane", "refusal"), some(ROWS, "auto-429", "requests-503").values())
def test_a_host_with_a_limit_is_asked_at_its_pace_and_no_file_is_lost(
    limited: Callable[[str], Nginx], tmp_path: Path, lane: str, refusal: str
) -> None:
    shows_a_pace(fetch_all(limited(refusal), tmp_path, processes=1, lane=lane), refusal)


@pytest.mark.parametrize("refusal", REFUSALS if ALL else ["503"])
def test_processes_share_a_hosts_pace(limited: Callable[[str], Nginx], tmp_path: Path, refusal: str) -> None:
    shows_a_pace(fetch_all(limited(refusal), tmp_path, processes=2), refusal)


def test_a_file_that_is_refused_always_ends_by_name_beside_those_that_come(origin: Origin, tmp_path: Path) -> None:
    good = [origin.serve(f"/{number}.bin", Body(100, seed=number), [Good(delay_s=0.01)]) for number in range(30)]
    bad = [origin.serve(f"/bad-{number}.bin", Body(100), [busy(503)]) for number in range(6)]
    retry = {"retry": {"max_retries": 2, "backoff": {"initial": "10ms"}}}
    run = marscore("run", write(tmp_path, [*bad, *good], execution={"processes": 1}, defaults=retry), cwd=tmp_path)
    assert run.code == 1
    failed = [entry for entry in run.report["downloads"] if entry["status"] == "failed"]
    assert [entry["error"]["kind"] for entry in failed] == ["server_error"] * len(bad)
    assert all(2 <= len(entry["retries"]) <= 12 for entry in failed)


def test_a_host_with_many_files_that_it_never_gives_is_not_asked_slowly(origin: Origin, tmp_path: Path) -> None:
    good = [origin.serve(f"/{number}.bin", Body(100, seed=number), [Good(delay_s=0.01)]) for number in range(100)]
    bad = [origin.serve(f"/bad-{number}.bin", Body(100), [busy(503)]) for number in range(100)]
    both = [url for pair in zip(bad, good, strict=True) for url in pair]
    retry = {"retry": {"max_retries": 2, "max_retries_by": {"server_error": 2}, "backoff": {"initial": "100ms"}}}
    run = marscore("run", write(tmp_path, both, execution={"processes": 1}, defaults=retry), cwd=tmp_path)
    failed = {entry["url"] for entry in run.report["downloads"] if entry["status"] == "failed"}
    assert failed == set(bad)
    # A few were refused before that was known; the others spent their retries, as if there were no pace.
    spared = [entry for entry in run.report["downloads"] if len(entry["retries"]) > 2]
    assert len(spared) < len(bad) / 4
