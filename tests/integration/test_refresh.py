"""`if_exists: refresh` believes no wrong file: what a server is asked about is the file in place, and what it says is about that one."""

from __future__ import annotations

import itertools
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from tests.integration.command import Run, fetch
from tests.origin import Body, Good, Origin, Status, busy

MODIFIED = 1_700_000_000
DATE, EARLIER = formatdate(MODIFIED, usegmt=True), formatdate(MODIFIED - 86_400, usegmt=True)
#: Answers that were made a second, and more than a minute, after the file was modified.
AT_ONCE = Good(fields=(("Date", formatdate(MODIFIED + 1, usegmt=True)),))
LATER = Good(fields=(("Date", formatdate(MODIFIED + 61, usegmt=True)),))
OLD, NEW = Body(50, seed=1), Body(50, seed=2)
CONDITIONS = {"if-none-match", "if-modified-since"}


def dated(body: Body, modified: str = DATE) -> Body:
    return replace(body, etag=None, last_modified=modified)


def refresh(folder: Path, url: str, **options: Any) -> Run:
    return fetch(folder, {"url": url, "path": "a.bin", "if_exists": "refresh", **options})


def asked(origin: Origin, path: str = "/a.bin") -> dict[str, str]:
    """The conditions of the last request."""
    fields = origin.requests_for(path)[-1].fields
    return {name: fields[name] for name in CONDITIONS & set(fields)}


def content(run: Run) -> bytes:
    return run.data("a.bin")


def of(body: Body) -> bytes:
    return body.read(0, body.length)


@pytest.mark.parametrize("etag", ['"v1"', 'W/"v1"', '""'])
def test_an_etag_is_asked_about_weak_or_strong(origin: Origin, tmp_path: Path, etag: str) -> None:
    url = origin.serve("/a.bin", replace(OLD, etag=etag, last_modified=None))
    refresh(tmp_path, url)
    assert refresh(tmp_path, url).entry()["status"] == "up_to_date"
    assert asked(origin) == {"if-none-match": etag}


@pytest.mark.parametrize("etag", ['w/"v1"', "*", "a, b", "v1", '"v\x011"', ""])
def test_what_is_no_etag_is_never_sent(origin: Origin, tmp_path: Path, etag: str) -> None:
    url = origin.serve("/a.bin", replace(OLD, etag=etag, last_modified=None))
    refresh(tmp_path, url)
    origin.serve("/a.bin", replace(NEW, etag=etag, last_modified=None))
    run = refresh(tmp_path, url)
    assert asked(origin) == {}
    assert content(run) == of(NEW)


def test_a_date_is_asked_about_once_the_file_was_left_alone(origin: Origin, tmp_path: Path) -> None:
    url = origin.serve("/a.bin", dated(OLD), [LATER])
    refresh(tmp_path, url)
    assert refresh(tmp_path, url).entry()["status"] == "up_to_date"
    assert asked(origin) == {"if-modified-since": DATE}


@pytest.mark.parametrize("modified", [DATE, "yesterday", "Wed, 32 Nov 2023 22:13:20 GMT"])
def test_a_date_that_another_version_may_have_is_not_asked_about(origin: Origin, tmp_path: Path, modified: str) -> None:
    url = origin.serve("/a.bin", dated(OLD, modified), [AT_ONCE])
    refresh(tmp_path, url)
    # It changes again within its second.
    origin.serve("/a.bin", dated(NEW, modified), [LATER])
    run = refresh(tmp_path, url)
    assert asked(origin) == {}
    assert content(run) == of(NEW)


def test_an_older_file_in_its_place_is_no_current_one(origin: Origin, tmp_path: Path) -> None:
    url = origin.serve("/a.bin", dated(OLD), [LATER])
    refresh(tmp_path, url)
    # "Not modified since", says the server, and it shows since when.
    origin.serve("/a.bin", dated(NEW, EARLIER), [LATER])
    run = refresh(tmp_path, url)
    assert content(run) == of(NEW)
    assert "shows the validator of another version" in run.events("warned")[0]["message"]


def test_a_304_of_another_version_is_not_believed(origin: Origin, tmp_path: Path) -> None:
    url = origin.serve("/a.bin", OLD)
    refresh(tmp_path, url)
    new = replace(NEW, etag='"v2"')
    origin.serve("/a.bin", new, [Status(304, (("ETag", '"v2"'),)), Good()])
    run = refresh(tmp_path, url, retry={"max_retries": 0})
    assert content(run) == of(new)
    assert asked(origin) == {}


def test_a_server_that_says_304_whatever_it_is_asked_fails(origin: Origin, tmp_path: Path) -> None:
    url = origin.serve("/a.bin", OLD)
    refresh(tmp_path, url)
    origin.serve("/a.bin", OLD, [Status(304, (("ETag", '"v2"'),))])
    run = refresh(tmp_path, url)
    assert (run.code, run.entry()["error"]["kind"]) == (1, "http_status")
    assert content(run) == of(OLD)


def test_a_validator_of_a_mirror_says_nothing_about_the_first_source(origin: Origin, tmp_path: Path) -> None:
    url = origin.serve("/a.bin", dated(NEW, EARLIER), [busy(404), LATER])
    mirror = origin.serve("/mirror.bin", dated(OLD), [LATER])
    assert content(refresh(tmp_path, url, mirrors=[mirror])) == of(OLD)
    run = refresh(tmp_path, url, mirrors=[mirror])
    assert asked(origin) == {}
    assert content(run) == of(NEW)


def test_a_mirror_is_not_asked_about_the_first_sources_validator(origin: Origin, tmp_path: Path) -> None:
    url = origin.serve("/a.bin", OLD, [Good(), busy(404)])
    mirror = origin.serve("/mirror.bin", NEW)
    refresh(tmp_path, url, mirrors=[mirror])
    run = refresh(tmp_path, url, mirrors=[mirror])
    assert asked(origin) == {"if-none-match": '"v1"', "if-modified-since": OLD.last_modified}
    assert asked(origin, "/mirror.bin") == {}
    assert content(run) == of(NEW)


def test_an_answer_that_came_to_nothing_leaves_no_validator_behind(origin: Origin, tmp_path: Path) -> None:
    url = origin.serve("/a.bin", OLD)
    refresh(tmp_path, url)
    new = replace(NEW, etag='"v2"', last_modified=None)
    # The new version's head comes and none of its body; then the old one is there again.
    steps = itertools.chain([Good(body=new, cut_after=0)], itertools.repeat(Good(body=OLD)))
    origin.handle("/a.bin", lambda seen: next(steps))
    assert refresh(tmp_path, url).entry()["status"] == "up_to_date"
    origin.handle("/a.bin", lambda seen: Good(body=new))
    assert content(refresh(tmp_path, url)) == of(new)


def test_a_checksum_that_the_file_does_not_have_is_not_asked_about(origin: Origin, tmp_path: Path) -> None:
    url = origin.serve("/a.bin", OLD)
    refresh(tmp_path, url)
    run = refresh(tmp_path, url, checksum=f"sha256:{NEW.sha256}")
    assert asked(origin) == {}
    assert run.entry()["error"]["kind"] == "checksum"


def test_a_size_that_the_file_does_not_have_is_not_asked_about(origin: Origin, tmp_path: Path) -> None:
    url = origin.serve("/a.bin", OLD)
    refresh(tmp_path, url)
    run = refresh(tmp_path, url, size=51)
    assert asked(origin) == {}
    assert run.entry()["error"]["kind"] == "size"
