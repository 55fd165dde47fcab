"""Mirrors: URLs that are rewritten by prefix, and files that come from several origins at once."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.disk import wrong_in
from tests.integration.command import LIMIT_S, Run, fetch, marscore, started, write
from tests.integration.test_interrupt_and_resume import wait_until
from tests.long import ALL
from tests.origin import Body, Good, Origin, redirect
from tests.origin.steps import HangUp, Seen, Status

MIB = 1024 * 1024
SIZE = 12 * MIB
FILE = Body(SIZE, seed=21)
#: So fast is each connection: a file takes a second or two, and the loop waits for bytes.
RATE = 2 * MIB
LANES = pytest.mark.parametrize("lane", ["auto", "requests"])
#: Where nothing depends on who sends, but for what the transports' contract says: `make test-long` tries both.
ONE_LANE = pytest.mark.parametrize("lane", ["auto", "requests"] if ALL else ["auto"])


@dataclass(frozen=True)
class Watched(Body):
    """A file of which it is counted what is sent, and in which some bytes are wrong."""

    wrong: tuple[int, ...] = ()
    counts: list[int] = field(default_factory=list, compare=False)

    def read(self, start: int, end: int) -> bytes:
        self.counts.append(end - start)
        data = bytearray(super().read(start, end))
        for place in self.wrong:
            if start <= place < end:
                data[place - start] ^= 1
        return bytes(data)

    @property
    def sent(self) -> int:
        return sum(self.counts)


def watched(wrong: tuple[int, ...] = (), etag: str = '"v1"', size: int = SIZE) -> Watched:
    return Watched(size, seed=21, etag=etag, wrong=wrong)


@pytest.fixture
def origins() -> Iterator[list[Origin]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Origin()) for _ in range(3)]


def shared(folder: Path, urls: list[str], lane: str = "auto", **more: Any) -> Run:
    """Fetch the file from all of these."""
    entry = {"url": urls[0], "mirrors": urls[1:], "path": "a.bin", "checksum": f"sha256:{FILE.sha256}", **more}
    retry = {"max_retries": 1, "backoff": {"initial": "50ms"}}
    return fetch(folder, entry, execution={"lane": lane, "processes": 1}, defaults={"retry": retry, "timeout": "5s"})


def is_right(run: Run) -> bool:
    return run.code == 0 and wrong_in(run.folder, {"a.bin": FILE}) == []


# Several at once


@LANES
def test_equal_sources_bring_a_file_together(origins: list[Origin], tmp_path: Path, lane: str) -> None:
    bodies = [watched(etag=f'"of-{n}"') for n in range(2)]
    urls = [origins[n].serve("/f", bodies[n], [Good(rate=RATE)]) + "?token=s3cret" for n in range(2)]
    run = shared(tmp_path, urls, lane)
    assert is_right(run), run.err
    brought = run.entry()["sources"]
    assert {each["url"] for each in brought} == {url.replace("s3cret", "***") for url in urls}
    assert sum(each["bytes"] for each in brought) == SIZE
    assert brought[0]["bytes"] >= brought[1]["bytes"] > 0
    [finished] = run.events("download_finished")
    assert finished["sources"] == brought
    assert min(body.sent for body in bodies) > SIZE // 5
    assert run.entry()["bytes_downloaded"] < SIZE + 2 * MIB
    assert not run.events("mirror_dropped")
    # No source hears of another's validator.
    for number, origin in enumerate(origins[:2]):
        assert {seen.fields.get("if-range") for seen in origin.requests} <= {None, f'"of-{number}"'}


@ONE_LANE
def test_a_slow_source_brings_less(origins: list[Origin], tmp_path: Path, lane: str) -> None:
    slow, fast = watched(), watched()
    urls = [origins[0].serve("/f", slow, [Good(rate=RATE // 4)]), origins[1].serve("/f", fast, [Good(rate=2 * RATE)])]
    run = shared(tmp_path, urls, lane)
    assert is_right(run), run.err
    assert fast.sent > 2 * slow.sent
    assert run.entry()["source"] == urls[1]
    assert not run.events("mirror_dropped")


@ONE_LANE
def test_without_a_checksum_only_one_is_asked(origins: list[Origin], tmp_path: Path, lane: str) -> None:
    urls = [origins[n].serve("/f", FILE, [Good(rate=2 * RATE)]) for n in range(2)]
    assert is_right(shared(tmp_path, urls, lane, checksum=None))
    assert not origins[1].requests


@ONE_LANE
def test_a_source_with_another_size_is_dropped_by_name(origins: list[Origin], tmp_path: Path, lane: str) -> None:
    urls = [origins[0].serve("/f", FILE, [Good(rate=RATE)]), origins[1].serve("/f", watched(size=SIZE + 1), [Good(rate=RATE)])]
    run = shared(tmp_path, urls, lane)
    assert is_right(run), run.err
    assert [(event["url"], "another file" in event["reason"]) for event in run.events("mirror_dropped")] == [(urls[1], True)]


@ONE_LANE
@pytest.mark.parametrize("size", [SIZE - 5, SIZE + 4])
def test_a_first_source_with_a_file_of_another_size_keeps_no_other_from_being_asked(
    origins: list[Origin], tmp_path: Path, lane: str, size: int
) -> None:
    urls = [origin.serve("/f", body, [Good(rate=RATE)]) for origin, body in zip(origins, (watched(size=size), FILE, FILE), strict=False)]
    run = shared(tmp_path, urls, lane)
    assert is_right(run), run.err
    assert [event["from"] for event in run.events("mirror_switched")] == [urls[0]]
    assert not run.events("mirror_dropped")


@ONE_LANE
@pytest.mark.parametrize("liar", [0, 1])
def test_a_source_that_lies_in_one_range_is_named_and_only_its_ranges_are_fetched_again(
    origins: list[Origin], tmp_path: Path, lane: str, liar: int
) -> None:
    # In every MiB it is wrong somewhere, so that it is wrong in what it brings.
    bodies = [watched(), watched()]
    bodies[liar] = watched(wrong=tuple(range(1000, SIZE, MIB)))
    # The honest one brings more, and what it brought stays.
    urls = [origins[n].serve("/f", bodies[n], [Good(rate=RATE // 2 if n == liar else 2 * RATE)]) for n in range(2)]
    run = shared(tmp_path, urls, lane)
    assert is_right(run), run.err
    assert [event["url"] for event in run.events("mirror_dropped")] == [urls[liar]]
    assert "wrong bytes" in run.events("mirror_dropped")[0]["reason"]
    assert run.entry()["source"] == urls[1 - liar]
    assert run.entry()["sources"] == []
    # What the liar brought was fetched again, and nothing else; some was sent on connections that were given up.
    assert run.entry()["bytes_downloaded"] <= SIZE + bodies[liar].sent
    assert bodies[1 - liar].sent < SIZE + 4 * MIB
    assert not run.events("resume_discarded")


@ONE_LANE
@pytest.mark.parametrize("right", [0, 2])
def test_two_of_three_that_lie_alike_are_both_named(origins: list[Origin], tmp_path: Path, lane: str, right: int) -> None:
    wrong = tuple(range(1000, SIZE, MIB // 4))
    bodies = [watched() if n == right else watched(wrong=wrong) for n in range(3)]
    # The right one is so slow that it has little part in the first round.
    urls = [origins[n].serve("/f", bodies[n], [Good(rate=RATE // 4 if n == right else 2 * RATE)]) for n in range(3)]
    run = shared(tmp_path, urls, lane)
    assert is_right(run), run.err
    named = {event["url"]: event["reason"] for event in run.events("mirror_dropped")}
    assert set(named) == {url for n, url in enumerate(urls) if n != right}
    assert all("wrong bytes" in reason for reason in named.values()), named


@ONE_LANE
def test_where_all_lie_nothing_is_placed(origins: list[Origin], tmp_path: Path, lane: str) -> None:
    urls = [origins[n].serve("/f", watched(wrong=tuple(range(n, SIZE, MIB))), [Good(rate=4 * RATE)]) for n in range(2)]
    run = shared(tmp_path, urls, lane)
    assert run.code == 1
    assert run.entry()["error"]["kind"] == "checksum"
    assert not (run.folder / "a.bin").exists()


@ONE_LANE
@pytest.mark.parametrize("dying", [0, 1])
def test_a_source_that_dies_midway_is_dropped_and_the_other_goes_on(origins: list[Origin], tmp_path: Path, lane: str, dying: int) -> None:
    bodies = [watched(), watched()]
    urls = [origins[n].serve("/f", bodies[n], [Good(rate=RATE)]) for n in range(2)]

    def answer(seen: Seen) -> Good | HangUp:
        return HangUp(reset=True) if bodies[dying].sent > MIB else Good(rate=RATE, cut_after=MIB, reset=True)

    origins[dying].handle("/f", answer)
    run = shared(tmp_path, urls, lane, retry={"max_retries": 0})
    assert is_right(run), run.err
    assert [event["url"] for event in run.events("mirror_dropped")] == [urls[dying]]
    assert run.entry()["bytes_downloaded"] < SIZE + 2 * MIB
    assert run.entry()["source"] == urls[1 - dying]


@ONE_LANE
@pytest.mark.parametrize("after", [0, 500_000])
def test_a_source_that_stalls_does_not_hold_up_the_file(origins: list[Origin], tmp_path: Path, lane: str, after: int) -> None:
    urls = [origins[0].serve("/f", FILE, [Good(rate=RATE)]), origins[1].serve("/f", FILE)]
    stalls = Good(stall_after=after, stall_s=60, rate=RATE) if after else Good(delay_s=60)
    origins[1].script("/f", [stalls])
    run = shared(tmp_path, urls, lane, timeout="40s")
    assert is_right(run), run.err
    assert run.report["duration_s"] < 30


@ONE_LANE
def test_a_host_that_asks_for_a_pause_does_not_hold_up_the_others(origins: list[Origin], tmp_path: Path, lane: str) -> None:
    urls = [origins[0].serve("/f", FILE, [Good(rate=RATE)]), origins[1].script("/f", [Status(503, retry_after="30")])]
    run = shared(tmp_path, urls, lane)
    assert is_right(run), run.err
    assert run.report["duration_s"] < 20


@ONE_LANE
def test_three_of_which_one_has_no_ranges(origins: list[Origin], tmp_path: Path, lane: str) -> None:
    urls = [origins[n].serve("/f", FILE, [Good(rate=RATE, ranges="ignore" if n == 1 else "honour")]) for n in range(3)]
    run = shared(tmp_path, urls, lane)
    assert is_right(run), run.err
    assert not run.events("mirror_dropped")


@ONE_LANE
def test_a_killed_run_goes_on_from_several_sources(origins: list[Origin], tmp_path: Path, lane: str) -> None:
    size = 40 * MIB
    whole, wrong = Body(size, seed=22), Watched(size, seed=22, wrong=tuple(range(7, size, MIB)))
    urls = [origins[0].serve("/f", whole, [Good(rate=8 * MIB)]), origins[1].serve("/f", wrong, [Good(rate=8 * MIB)])]
    entry = {"url": urls[0], "mirrors": urls[1:], "path": "a.bin", "checksum": f"sha256:{whole.sha256}"}
    manifest = write(tmp_path, [entry], execution={"lane": lane, "processes": 1})
    process = started("run", manifest, cwd=tmp_path, stderr=subprocess.DEVNULL)
    part = tmp_path / "data" / ".marscore" / "partial"
    wait_until(lambda: any(file.read_bytes().count(b"\n") >= 3 for file in part.glob("*.journal")), "pieces")
    process.send_signal(signal.SIGKILL)
    process.wait(LIMIT_S)
    run = marscore("run", manifest, cwd=tmp_path)
    assert run.code == 0, run.err
    assert wrong_in(run.folder, {"a.bin": whole}) == []
    assert [event["url"] for event in run.events("mirror_dropped")] in ([urls[1]], [])


# Prefixes


def test_a_prefix_is_rewritten_and_the_original_is_not_asked_unless_it_is_named(origins: list[Origin], tmp_path: Path) -> None:
    original, mirror, _ = origins
    for origin in (original, mirror):
        origin.serve("/ex/pub/a.bin", Body(100, seed=1))
        origin.serve("/pub/a.bin", Body(100, seed=1))
    url = original.url("/pub/a.bin")
    run = fetch(tmp_path, url, mirrors={original.url("/"): mirror.url("/ex/")})
    assert run.code == 0, run.err
    assert (run.entry()["url"], run.entry()["source"]) == (url, mirror.url("/ex/pub/a.bin"))
    assert not original.requests
    # The claim is of the URL as it is written: nobody is asked again, with the mirrors or without.
    assert fetch(tmp_path, url).entry()["status"] == "up_to_date"
    assert not original.requests
    # Where the list names it, it is asked in its turn.
    mirror.script("/ex/pub/a.bin", [Status(404)])
    (tmp_path / "again").mkdir()
    run = fetch(tmp_path / "again", url, mirrors={original.url("/"): [mirror.url("/ex"), original.url("/")]})
    assert run.code == 0, run.err
    assert [(event["from"], event["to"]) for event in run.events("mirror_switched")] == [(mirror.url("/ex/pub/a.bin"), url)]


def test_a_mirror_of_a_prefix_that_fails_fails_the_download(origins: list[Origin], tmp_path: Path) -> None:
    original, mirror, _ = origins
    original.serve("/a.bin", FILE)
    run = fetch(tmp_path, original.url("/a.bin"), mirrors={original.url("/"): [mirror.url("/")]})
    assert run.code == 1
    assert run.entry()["error"]["status"] == 404
    assert not original.requests


def test_credentials_of_a_url_do_not_go_to_its_mirror_and_headers_not_where_that_redirects_to(
    origins: list[Origin], tmp_path: Path
) -> None:
    original, mirror, elsewhere = origins
    elsewhere.serve("/there", Body(10))
    mirror.script("/a.bin", [redirect(elsewhere.url("/there"))])
    url = original.url("/a.bin").replace("//", "//somebody:pa55word@")
    run = fetch(tmp_path, {"url": url, "headers": {"X-Token": "t0ken-of-ours"}}, mirrors={original.url("/"): mirror.url("/")})
    assert run.code == 0, run.err
    (asked,), (led,) = mirror.requests, elsewhere.requests
    # As with a download's own mirrors, which are URLs of its own.
    assert asked.fields["x-token"] == "t0ken-of-ours"
    assert "authorization" not in asked.fields
    assert not {"x-token", "authorization"} & set(led.fields)
    assert not original.requests
    assert "pa55word" not in run.err + json.dumps(run.report)


def test_a_password_in_a_mirrors_own_url_is_sent_there_and_shown_nowhere(origins: list[Origin], tmp_path: Path) -> None:
    original, mirror, _ = origins
    mirror.serve("/a.bin", Body(10))
    base = mirror.url("/").replace("//", "//me:${PASS}@")
    manifest = write(tmp_path, [original.url("/a.bin")], mirrors={original.url("/"): base})
    run = marscore("run", manifest, cwd=tmp_path, env={"PASS": "s3cret-of-the-mirror"})
    assert run.code == 0, run.err
    assert mirror.requests[0].fields["authorization"].startswith("Basic ")
    shown = marscore("plan", manifest, "--format", "json", cwd=tmp_path, env={"PASS": "s3cret-of-the-mirror"})
    assert "s3cret" not in run.err + json.dumps(run.report) + shown.out


def test_a_lock_names_the_url_as_it_is_written_and_holds_with_and_without_mirrors(origins: list[Origin], tmp_path: Path) -> None:
    original, mirror, _ = origins
    body = Body(1000, seed=3)
    for origin in (original, mirror):
        origin.serve("/a.bin", body)
    manifest = write(tmp_path, [original.url("/a.bin")], mirrors={original.url("/"): mirror.url("/")})
    assert marscore("lock", manifest, cwd=tmp_path).code == 0
    lock = json.loads((tmp_path / "downloads.lock").read_text())
    assert [entry["url"] for entry in lock["downloads"]] == [original.url("/a.bin")]
    write(tmp_path, [original.url("/a.bin")])
    run = marscore("run", manifest, "--locked", cwd=tmp_path)
    assert (run.code, run.entry()["status"]) == (0, "up_to_date"), run.err
    assert not run.events("url_changed")
    assert not original.requests


def test_a_plan_shows_what_will_be_asked(origins: list[Origin], tmp_path: Path) -> None:
    manifest = write(
        tmp_path,
        [{"url": "https://files.example.org/x/a.bin", "mirrors": ["https://other.example/a.bin"]}, "https://plain.example/b.bin"],
        mirrors={"https://files.example.org/": ["https://mirror.internal/ex/", "https://files.example.org/"]},
    )
    plan = json.loads(marscore("plan", manifest, "--format", "json", cwd=tmp_path).out)
    first, second = plan["downloads"]
    assert first["url"] == "https://files.example.org/x/a.bin"
    assert first["sources"] == ["https://mirror.internal/ex/x/a.bin", "https://files.example.org/x/a.bin", "https://other.example/a.bin"]
    assert first["host"] == "mirror.internal:443"
    assert second["sources"] == ["https://plain.example/b.bin"]
    assert "https://mirror.internal/ex/x/a.bin" in marscore("plan", manifest, cwd=tmp_path).out


@pytest.mark.parametrize(
    ("mirrors", "place", "said"),
    [
        ('  "ftp://h/": https://m/', "5:3", "must begin with http:// or https://"),
        ('  "https://h/?q=1": https://m/', "5:3", "query"),
        ('  "https://u:p@h/": https://m/', "5:3", "user name"),
        ('  "https://${H}/": https://m/', "5:3", "environment"),
        ('  "https://h/": []', "5:17", "must not be empty"),
        ('  "https://h/": [https://m/, m]', "5:30", "must begin with http:// or https://"),
        ('  "https://h/": https://m/?url=', "5:17", "query"),
        ('  "https://h/": https://m/\n  "https://H:443/": https://n/', "5:3", "twice"),
        ("  https://h/", "5:3", "must be a mapping"),
    ],
)
def test_what_is_wrong_with_mirrors_is_told_at_its_place(tmp_path: Path, mirrors: str, place: str, said: str) -> None:
    (tmp_path / "m.yaml").write_text(f"version: 1\ndownloads:\n  - https://h/a\nmirrors:\n{mirrors}\n")
    run = marscore("validate", "m.yaml", cwd=tmp_path)
    assert run.code == 2
    assert said in run.err
    assert f"m.yaml:{place.partition(':')[0]}:" in run.err
