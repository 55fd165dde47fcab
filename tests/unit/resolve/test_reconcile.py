"""What is wanted against what is on disk: one table, and what follows from hashing the file in place."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest

from marscore.journal import Header, Journal
from marscore.policy.redirect import resource_of
from marscore.resolve.model import Download, IfExists, Options
from marscore.resolve.reconcile import Fetch, Found, Prove, Refresh, Refuse, Resume, UpToDate, proven, reconcile, unchanged, unclaimed
from marscore.state import Claim, FileIdentity, Measured, key_of, row_of
from marscore.url import parse_url
from marscore.validator import Validator
from marscore.values import Checksum

URL = "http://origin.example/file.bin"
A, B = "a" * 64, "b" * 64
DATE, LATER = "Mon, 01 Sep 2025 10:00:00 GMT", "Mon, 01 Sep 2025 12:00:00 GMT"
FILE = FileIdentity(7, 1_700_000_000_000_000_000, 42)
CLAIM = Claim(key_of("file.bin"), key_of(URL), FILE, (f"sha256:{A}",), Validator('"v1"'), durable=True)
TORN = replace(CLAIM, durable=False)

FOUND = {
    "nothing": Found(),
    "a part": Found(partial=True),
    "a lost file": Found(CLAIM, None),
    "a stranger": Found(None, FILE),
    "a stranger and a part": Found(None, FILE, partial=True),
    "ours": Found(CLAIM, FILE),
    "ours and a part": Found(CLAIM, FILE, partial=True),
    "ours, not flushed": Found(TORN, FILE),
    "ours without validator": Found(replace(CLAIM, validator=Validator()), FILE),
    "ours with no tag": Found(replace(CLAIM, validator=Validator('w/"v1"', "yesterday")), FILE),
    "ours from another URL": Found(replace(CLAIM, url_key=key_of("elsewhere")), FILE),
    "ours, touched": Found(CLAIM, replace(FILE, mtime_ns=1)),
    "ours, replaced": Found(CLAIM, replace(FILE, inode=1)),
    "ours, other size": Found(CLAIM, replace(FILE, size=8)),
    "a folder": Found(CLAIM, replace(FILE, kind="folder")),
    "a link": Found(None, replace(FILE, kind="other")),
}
MODES: tuple[IfExists, ...] = ("keep", "refresh", "replace", "fail")


def wanted(mode: IfExists = "keep", checksums: tuple[Checksum, ...] = (), size: int | None = None) -> Download:
    return Download("downloads[0]", (URL, "http://mirror.example/file.bin"), "file.bin", Options(if_exists=mode), checksums, size)


@pytest.mark.parametrize(
    ("found", "keep", "refresh", "replace_", "fail"),
    [
        ("nothing", Fetch, Fetch, Fetch, Fetch),
        ("a part", Resume, Resume, Resume, Resume),
        ("a lost file", Fetch, Fetch, Fetch, Fetch),
        ("a stranger", Fetch, Fetch, Fetch, Refuse),
        ("a stranger and a part", Resume, Resume, Resume, Refuse),
        ("ours", UpToDate, Refresh, Fetch, Refuse),
        ("ours and a part", UpToDate, Refresh, Resume, Refuse),
        ("ours, not flushed", Prove, Prove, Fetch, Refuse),
        ("ours without validator", UpToDate, Fetch, Fetch, Refuse),
        ("ours with no tag", UpToDate, Fetch, Fetch, Refuse),
        ("ours from another URL", Fetch, Fetch, Fetch, Refuse),
        ("ours, touched", Prove, Prove, Fetch, Refuse),
        ("ours, replaced", Prove, Prove, Fetch, Refuse),
        ("ours, other size", Fetch, Fetch, Fetch, Refuse),
        ("a folder", Refuse, Refuse, Refuse, Refuse),
        ("a link", Refuse, Refuse, Refuse, Refuse),
    ],
)
def test_without_a_checksum_only_what_we_know_to_be_ours_is_kept(found: str, keep: type, refresh: type, replace_: type, fail: type) -> None:
    decisions = [type(reconcile(wanted(mode), FOUND[found])) for mode in MODES]
    assert decisions == [keep, refresh, replace_, fail]


@pytest.mark.parametrize(
    ("found", "right", "wrong", "another_algorithm"),
    [
        ("nothing", Fetch, Fetch, Fetch),
        ("a part", Resume, Resume, Resume),
        ("a stranger", Prove, Prove, Prove),
        ("a stranger and a part", Prove, Prove, Prove),
        ("ours", UpToDate, Fetch, Prove),
        ("ours and a part", UpToDate, Resume, Prove),
        ("ours, not flushed", Prove, Fetch, Prove),
        ("ours from another URL", UpToDate, Fetch, Prove),
        ("ours, touched", Prove, Prove, Prove),
        ("a folder", Refuse, Refuse, Refuse),
    ],
)
def test_with_a_checksum_the_content_decides_wherever_it_came_from(found: str, right: type, wrong: type, another_algorithm: type) -> None:
    checksums = [Checksum("sha256", A), Checksum("sha256", B), Checksum("md5", "c" * 32)]
    assert [type(reconcile(wanted(checksums=(c,)), FOUND[found])) for c in checksums] == [right, wrong, another_algorithm]


def test_every_checksum_has_to_hold() -> None:
    both = (Checksum("sha256", A), Checksum("md5", "c" * 32))
    assert isinstance(reconcile(wanted(checksums=both), FOUND["ours"]), Prove)
    known = replace(CLAIM, digests=(f"sha256:{A}", "md5:" + "c" * 32))
    assert isinstance(reconcile(wanted(checksums=both), Found(known, FILE)), UpToDate)
    other = replace(CLAIM, digests=(f"sha256:{A}", "md5:" + "d" * 32))
    assert isinstance(reconcile(wanted(checksums=both), Found(other, FILE)), Fetch)


@pytest.mark.parametrize("mode", ["keep", "refresh"])
@pytest.mark.parametrize("found", ["a stranger", "ours", "ours, not flushed"])
@pytest.mark.parametrize("checksums", [(), (Checksum("sha256", A),)])
def test_a_file_of_the_wrong_size_is_fetched_without_reading_it(mode: IfExists, found: str, checksums: tuple[Checksum, ...]) -> None:
    decision = reconcile(wanted(mode, checksums, size=8), FOUND[found])
    assert isinstance(decision, Fetch)
    assert decision.reason == "the file in place has 7 bytes"


def test_the_right_size_alone_makes_no_file_ours() -> None:
    assert isinstance(reconcile(wanted(size=7), FOUND["a stranger"]), Fetch)
    assert isinstance(reconcile(wanted(size=7), FOUND["ours"]), UpToDate)


def test_a_mirror_may_change_while_the_first_source_stays() -> None:
    download = replace(wanted(), sources=(URL, "http://new-mirror.example/"))
    assert isinstance(reconcile(download, FOUND["ours"]), UpToDate)
    assert isinstance(reconcile(replace(download, sources=download.sources[::-1]), FOUND["ours"]), Fetch)


def test_what_is_up_to_date_tells_what_is_known_of_it() -> None:
    decision = reconcile(wanted(), FOUND["ours"])
    assert isinstance(decision, UpToDate)
    assert (decision.file, decision.digests) == (FILE, CLAIM.digests)


def test_what_to_hash_is_sha256_and_what_the_manifest_asks_for() -> None:
    decision = reconcile(wanted(checksums=(Checksum("md5", "c" * 32), Checksum("sha256", A))), FOUND["ours"])
    assert isinstance(decision, Prove)
    assert decision.algorithms == ("sha256", "md5")
    assert decision.trusted == A


def question(mode: IfExists = "keep", checksums: tuple[Checksum, ...] = (), found: str = "ours, not flushed") -> Prove:
    decision = reconcile(wanted(mode, checksums), FOUND[found])
    assert isinstance(decision, Prove)
    return decision


def hashed(digests: dict[str, str]) -> Measured:
    """What was measured of the file in place."""
    return Measured(FILE, digests)


@pytest.mark.parametrize(
    ("found", "checksum", "sha256", "answer"),
    [
        ("ours, not flushed", None, A, UpToDate),
        ("ours, not flushed", None, B, Fetch),
        ("ours, not flushed", A, A, UpToDate),
        ("ours, not flushed", A, B, Fetch),
        ("a stranger", A, A, UpToDate),
        ("a stranger", A, B, Fetch),
        ("ours, touched", B, B, UpToDate),
        ("ours, touched", B, A, Fetch),
    ],
)
def test_the_hash_of_the_file_decides(found: str, checksum: str | None, sha256: str, answer: type) -> None:
    checksums = (Checksum("sha256", checksum),) if checksum else ()
    decision = proven(question(checksums=checksums, found=found), hashed({"sha256": sha256}), partial=False)
    assert type(decision) is answer
    if isinstance(decision, UpToDate):
        assert decision.digests == (f"sha256:{sha256}",)


def test_what_is_not_right_goes_on_with_a_part_where_there_is_one() -> None:
    assert isinstance(proven(question(), hashed({"sha256": B}), partial=True), Resume)


def test_all_checksums_are_looked_at() -> None:
    asked = question(checksums=(Checksum("sha256", A), Checksum("md5", "c" * 32)))
    assert isinstance(proven(asked, hashed({"sha256": A, "md5": "c" * 32}), partial=False), UpToDate)
    assert isinstance(proven(asked, hashed({"sha256": A, "md5": "d" * 32}), partial=False), Fetch)


def test_a_file_that_may_be_torn_is_proven_before_a_server_is_asked_about_it() -> None:
    asked = question("refresh")
    decision = proven(asked, hashed({"sha256": A}), partial=False)
    assert isinstance(decision, Refresh)
    assert decision.claim.validator == Validator('"v1"')
    assert isinstance(proven(asked, hashed({"sha256": B}), partial=False), Fetch)


def test_a_file_that_was_copied_or_touched_is_kept_for_its_content_and_asked_about_as_before() -> None:
    for found in ("ours, touched", "ours, replaced"):
        there = FOUND[found].file
        assert there is not None
        kept = proven(question(found=found), Measured(there, {"sha256": A}), partial=False)
        assert isinstance(kept, UpToDate)
        assert kept.file == there
        asked = proven(question("refresh", found=found), Measured(there, {"sha256": A}), partial=False)
        assert isinstance(asked, Refresh)
        assert (asked.claim.identity, asked.claim.validator) == (there, CLAIM.validator)
        assert isinstance(proven(question(found=found), Measured(there, {"sha256": B}), partial=False), Fetch)


def test_a_new_checksum_is_looked_at_before_a_server_is_asked() -> None:
    asked = question("refresh", (Checksum("md5", "c" * 32),), found="ours")
    decision = proven(asked, hashed({"sha256": A, "md5": "c" * 32}), partial=False)
    assert isinstance(decision, Refresh)
    assert decision.claim.digests == (f"sha256:{A}", "md5:" + "c" * 32)
    assert isinstance(proven(asked, hashed({"sha256": A, "md5": "d" * 32}), partial=False), Fetch)


def test_a_file_that_is_right_but_not_the_one_that_was_fetched_is_not_asked_about() -> None:
    asked = question("refresh", (Checksum("md5", "c" * 32),), found="ours")
    decision = proven(asked, hashed({"sha256": B, "md5": "c" * 32}), partial=False)
    assert isinstance(decision, Fetch)
    assert "nothing is known that a server could be asked about" in decision.reason


CHECKSUMS = {
    "none": (),
    "right": (Checksum("sha256", A),),
    "wrong": (Checksum("sha256", B),),
    "not known": (Checksum("sha256", A), Checksum("md5", "c" * 32)),
}


@pytest.mark.parametrize("name", [name for name, found in FOUND.items() if found.claim and found.file and not found.partial])
def test_the_quick_way_says_what_the_full_one_says(name: str) -> None:
    found = FOUND[name]
    assert found.claim
    assert found.file
    for checksums, size, mode in itertools.product(CHECKSUMS.values(), [None, 7, 8], MODES):
        download = wanted(mode, checksums, size)
        full = reconcile(download, found)
        noted = isinstance(full, UpToDate) and full.noted
        assert unchanged(download, row_of(found.claim), found.file) == (full if noted else None)


@pytest.mark.parametrize("column", [1, 2, 3, 4, 5, 9])
@pytest.mark.parametrize("nonsense", ["x", b"", None, 3.5])
def test_a_row_that_makes_no_sense_is_left_to_the_full_way(column: int, nonsense: object) -> None:
    row = list(row_of(CLAIM))
    row[column] = nonsense
    assert unchanged(wanted(), tuple(row), FILE) is None


RESOURCE = key_of(resource_of(parse_url(URL)))


def header(**changes: Any) -> Header:
    return replace(Header(key_of(URL), 7, Validator('"v1"', DATE, LATER), resource=RESOURCE), **changes)


@pytest.mark.parametrize(
    ("told", "url", "validator"),
    [
        (header(), URL, Validator('"v1"', DATE)),
        (header(validator=Validator(None, DATE, LATER)), URL, Validator(None, DATE)),
        (header(validator=Validator('"v1"', DATE, DATE)), URL, Validator('"v1"')),
        (header(proof="checksum"), URL, Validator()),
        (header(resource=key_of("http://elsewhere.example/")), URL, Validator()),
        (header(url_key=key_of("http://mirror.example/file.bin")), URL, Validator()),
        (header(url_key=key_of("http://elsewhere.example/")), "http://elsewhere.example/", Validator()),
    ],
    ids=["its own", "a date alone", "a date that is too new", "by a checksum", "of a redirect", "of a mirror", "of another URL"],
)
def test_a_file_that_no_claim_was_written_of_is_known_by_its_journal(told: Header, url: str, validator: Validator) -> None:
    claim = unclaimed(wanted(), FILE, Journal(told, (), A))
    assert claim == Claim(key_of("file.bin"), key_of(url), FILE, (f"sha256:{A}",), validator, durable=False)
