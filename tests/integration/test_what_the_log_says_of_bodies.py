"""What the log says of bytes that came before and of bodies that came encoded: no more than what is true of the file in the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.disk import wrong_in
from tests.integration.command import Run, fetch
from tests.origin import Body, Good, Origin, Step, busy

MIB = 1024 * 1024
FILE = Body(3 * MIB, seed=4)
OTHER = Body(3 * MIB, seed=5, etag='"v2"', last_modified="Tue, 07 Jul 2026 10:00:00 GMT")


def after_a_cut_run(origin: Origin, folder: Path, *steps: Step) -> Run:
    """Leave a megabyte of the file, and run again with these answers."""
    url = origin.serve("/file.bin", FILE, [Good(cut_after=MIB), *steps])
    once = {"defaults": {"threads": 1, "retry": {"max_retries": 0}}}
    assert fetch(folder, url, **once).code == 1
    return fetch(folder, url, **once)


@pytest.mark.parametrize("step", [Good(ranges="ignore"), Good(body=OTHER)], ids=["ignores-ranges", "another-version"])
def test_bytes_that_are_thrown_away_were_not_resumed(origin: Origin, tmp_path: Path, step: Good) -> None:
    run = after_a_cut_run(origin, tmp_path, step)
    assert run.code == 0
    assert wrong_in(run.folder, {"file.bin": step.body or FILE}) == []
    assert run.events("download_resumed") == []
    assert [line["bytes_discarded"] for line in run.events("resume_discarded")] == [MIB]
    assert run.entry()["bytes_resumed"] == 0


def test_bytes_that_are_built_on_were(origin: Origin, tmp_path: Path) -> None:
    run = after_a_cut_run(origin, tmp_path, Good())
    assert run.code == 0
    assert wrong_in(run.folder, {"file.bin": FILE}) == []
    assert [line["bytes_resumed"] for line in run.events("download_resumed")] == [MIB]
    assert run.events("resume_discarded") == []


def test_bytes_that_wait_for_another_run_are_neither(origin: Origin, tmp_path: Path) -> None:
    run = after_a_cut_run(origin, tmp_path, busy(404))
    assert run.code == 1
    assert run.events("download_resumed") == run.events("resume_discarded") == []
    assert run.partials()


@pytest.mark.parametrize("size", [1000, 24 * MIB], ids=["small", "large"])
@pytest.mark.parametrize("coding", ["gzip", "GZIP, br", "identity", ""])
def test_a_body_that_is_kept_encoded_is_warned_about_once(origin: Origin, tmp_path: Path, size: int, coding: str) -> None:
    body = Body(size, seed=1)
    plain = origin.serve("/plain.bin", Body(10))
    url = origin.serve("/file.bin", body, [Good(fields=(("Content-Encoding", coding),), rate=None if size == 1000 else 24 * MIB)])
    run = fetch(tmp_path, plain, url)
    assert run.code == 0
    assert wrong_in(run.folder, {"file.bin": body}) == []
    told = [(line["download"], coding.lower() in line["message"]) for line in run.events("warned")]
    assert told == ([("downloads[1]", True)] if coding in ("gzip", "GZIP, br") else [])


def test_the_warning_is_not_repeated_with_each_part_and_each_retry(origin: Origin, tmp_path: Path) -> None:
    encoded = (("Content-Encoding", "br"),)
    url = origin.serve("/file.bin", FILE, [Good(cut_after=MIB, fields=encoded), Good(cut_after=MIB, fields=encoded), Good(fields=encoded)])
    run = fetch(tmp_path, url)
    assert run.code == 0
    assert len(run.events("warned")) == 1
