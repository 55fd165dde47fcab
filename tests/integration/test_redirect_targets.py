"""A URL that leads elsewhere from one request to the next: the same ETag is no proof that two targets are of one content."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.disk import wrong_in
from tests.integration.command import fetch, marscore, write
from tests.integration.test_interrupt_and_resume import stop_midway
from tests.origin import Body, Good, Origin, redirect

MIB = 1024 * 1024
OLD, NEW = Body(24 * MIB, seed=1), Body(24 * MIB, seed=2)
LANES = pytest.mark.parametrize("lane", ["auto", "requests"])


def is_one_of_them(folder: Path) -> bool:
    return [] in ([*wrong_in(folder / "data", {"latest": OLD})], [*wrong_in(folder / "data", {"latest": NEW})])


@LANES
def test_a_redirect_that_leads_elsewhere_after_a_cut_starts_over(origin: Origin, tmp_path: Path, lane: str) -> None:
    old = origin.serve("/1.0", OLD, [Good(cut_after=10 * MIB)])
    url = origin.script("/latest", [redirect(old), redirect(origin.serve("/1.1", NEW))])
    run = fetch(tmp_path, url, execution={"lane": lane})
    assert run.code == 0
    assert wrong_in(tmp_path / "data", {"latest": NEW}) == []
    assert run.events("resume_discarded")


@LANES
def test_a_redirect_that_leads_elsewhere_in_the_next_run_starts_over(origin: Origin, tmp_path: Path, lane: str) -> None:
    old = origin.serve("/1.0", OLD, [Good(rate=40 * MIB, stall_after=12 * MIB, stall_s=120)])
    url = origin.script("/latest", [redirect(old)])
    manifest = write(tmp_path, [url], execution={"lane": lane, "processes": 1})
    run, _ = stop_midway(tmp_path, manifest, signal.SIGTERM, 8 * MIB)
    assert run.code == 143
    origin.script("/latest", [redirect(origin.serve("/1.1", NEW))])
    again = marscore("run", manifest, cwd=tmp_path)
    assert again.code == 0
    assert wrong_in(tmp_path / "data", {"latest": NEW}) == []


@LANES
def test_a_redirect_to_the_same_target_with_another_signature_goes_on(origin: Origin, tmp_path: Path, lane: str) -> None:
    origin.handle_rest(lambda seen: Good(OLD, rate=40 * MIB, stall_after=12 * MIB, stall_s=120))
    url = origin.script("/latest", [redirect(origin.url("/1.0?f=a&X-Amz-Date=1&X-Amz-Signature=abc"))])
    manifest = write(tmp_path, [url], execution={"lane": lane, "processes": 1})
    run, _ = stop_midway(tmp_path, manifest, signal.SIGTERM, 8 * MIB)
    assert run.code == 143
    origin.handle_rest(lambda seen: Good(OLD))
    origin.script("/latest", [redirect(origin.url("/1.0?f=a&X-Amz-Date=2&X-Amz-Signature=def"))])
    again = marscore("run", manifest, cwd=tmp_path)
    assert (again.code, again.entry()["bytes_resumed"] > 0) == (0, True)
    assert wrong_in(tmp_path / "data", {"latest": OLD}) == []


@LANES
def test_a_url_that_leads_each_request_elsewhere_is_fetched_over_one_connection(origin: Origin, tmp_path: Path, lane: str) -> None:
    targets = [redirect(origin.serve("/1.0", OLD, [Good(rate=60 * MIB)])), redirect(origin.serve("/1.1", NEW, [Good(rate=60 * MIB)]))]
    url = origin.script("/latest", targets * 20)
    run = fetch(tmp_path, url, execution={"lane": lane})
    assert run.code == 0
    assert is_one_of_them(tmp_path)


def test_a_304_of_another_target_is_not_believed(origin: Origin, tmp_path: Path) -> None:
    old, new = Body(1000, seed=1), Body(1000, seed=2)
    url = origin.serve("/latest", old)
    download = {"url": url, "if_exists": "refresh"}
    assert fetch(tmp_path, download).code == 0
    origin.script("/latest", [redirect(origin.serve("/1.1", new))])
    again = fetch(tmp_path, download)
    assert again.code == 0
    assert wrong_in(tmp_path / "data", {"latest": new}) == []
    assert fetch(tmp_path, download).code == 0
    assert wrong_in(tmp_path / "data", {"latest": new}) == []
