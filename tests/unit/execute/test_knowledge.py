"""What is known of a file's version, and what may be joined under it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from marscore.execute.transfer.answer import Version
from marscore.execute.transfer.knowledge import Knowledge
from marscore.execute.transfer.protocol import Opened
from marscore.resolve.model import Download, Options
from marscore.state import key_of
from marscore.validator import Validator
from marscore.values import Announced, Failure, parse_checksum
from tests.unit.execute.story import SHA, URL, Story

DATE, LATER, SOON = (f"Mon, 01 Jan 2024 {time} GMT" for time in ("00:00:00", "00:01:00", "00:00:59"))
TAG, WEAK, DATED, FRESH = Validator('"v1"'), Validator('W/"v1"'), Validator(None, DATE, LATER), Validator(None, DATE, SOON)
NOTHING = Validator()


def knowing(validator: Validator, checksum: str | None = None) -> Knowledge:
    checksums = (parse_checksum(checksum),) if checksum else ()
    knowledge = Knowledge(Download("downloads[0]", (URL,), "file.bin", Options(), checksums))
    knowledge.adopt(Version(100, validator))
    return knowledge


@pytest.mark.parametrize(
    ("validator", "forms"),
    [
        (TAG, ['"v1"', None]),
        (DATED, [DATE, None]),
        (Validator('"v1"', DATE, LATER), ['"v1"', DATE, None]),
        (Validator('"v1"', DATE, SOON), ['"v1"', None]),
        (Validator('W/"v1"', DATE, LATER), [DATE, None]),
        (WEAK, [None]),
        (FRESH, [None]),
        (Validator("*", "yesterday", LATER), [None]),
        (NOTHING, [None]),
    ],
)
def test_an_if_range_holds_what_is_strong_one_form_after_the_other(validator: Validator, forms: list[str | None]) -> None:
    known = knowing(validator)
    asked = [known.if_range]
    while known.weaken_condition():
        asked.append(known.if_range)
    assert asked == forms
    assert known.combinable is known.resumable is (len(forms) > 1)
    known.adopt(Version(100, validator))
    assert known.if_range == forms[0]


@pytest.mark.parametrize(
    ("known", "shown", "condition", "unproven"),
    [
        (TAG, TAG, None, False),
        (TAG, TAG, '"v1"', False),
        (TAG, NOTHING, None, True),
        (TAG, NOTHING, '"v1"', True),
        (TAG, WEAK, '"v1"', True),
        (DATED, DATED, None, False),
        (DATED, NOTHING, DATE, False),
        (DATED, NOTHING, None, True),
        (WEAK, WEAK, None, True),
        (FRESH, FRESH, None, True),
        (FRESH, FRESH, DATE, True),
        (NOTHING, TAG, None, True),
    ],
)
def test_a_part_is_proven_by_what_is_strong_or_by_a_checksum(
    known: Validator, shown: Validator, condition: str | None, unproven: bool
) -> None:
    assert knowing(known).leaves_unproven(Version(100, shown), condition) is unproven
    assert not knowing(known, SHA).leaves_unproven(Version(100, shown), condition)


@pytest.mark.parametrize(
    ("says", "then", "ranges"),
    [(True, False, False), (True, None, True), (None, True, True), (None, None, None), (False, True, False), (False, None, False)],
)
def test_a_server_that_says_it_has_no_ranges_is_believed(says: bool | None, then: bool | None, ranges: bool | None) -> None:
    known = knowing(TAG)
    known.adopt_answer(Version(100, TAG), says)
    known.adopt_answer(Version(100, TAG), then)
    assert known.ranges is ranges


@pytest.mark.parametrize(
    ("first", "then", "merged"),
    [
        (Version(100, NOTHING), Version(None, TAG, "gzip"), Version(100, TAG, "gzip")),
        (Version(None, NOTHING), Version(100, TAG), Version(100, TAG)),
        (Version(100, NOTHING), Version(100, NOTHING), Version(100, NOTHING)),
        (Version(None, TAG, "gzip"), Version(100, TAG, "gzip"), Version(100, TAG, "gzip")),
        (Version(None, TAG), Version(None, TAG), Version(None, TAG)),
        (Version(100, TAG), Version(None, NOTHING), Version(100, TAG)),
    ],
)
def test_a_part_completes_what_is_known_of_its_version(first: Version, then: Version, merged: Version) -> None:
    known = knowing(TAG, SHA)
    known.adopt(first)
    known.merge(then)
    assert (known.version, known.ranges) == (merged, True)


@pytest.mark.parametrize(
    ("validator", "checksum", "ranges", "mirrors", "worth"),
    [
        (TAG, None, None, 0, True),
        (TAG, None, True, 0, True),
        (TAG, None, False, 0, False),
        (TAG, None, False, 1, True),
        (NOTHING, None, True, 1, False),
        (NOTHING, SHA, None, 0, True),
    ],
)
def test_a_part_is_worth_keeping_where_a_later_run_can_go_on_with_it(
    validator: Validator, checksum: str | None, ranges: bool | None, mirrors: int, worth: bool
) -> None:
    checksums = (parse_checksum(checksum),) if checksum else ()
    sources = (URL, *(f"http://mirror{n}.example/file.bin" for n in range(mirrors)))
    known = Knowledge(Download("downloads[0]", sources, "file.bin", Options(), checksums))
    known.adopt_answer(Version(100, validator), ranges)
    assert known.worth_keeping is worth


def test_nothing_is_joined_to_what_is_not_known() -> None:
    known = knowing(TAG)
    known.forget()
    assert known.leaves_unproven(Version(100, TAG), '"v1"')
    assert (known.if_range, known.combinable, known.version) == (None, False, None)


@pytest.mark.parametrize(("proof", "after"), [("validator", "validator"), ("checksum", "checksum")])
def test_what_holds_a_part_of_an_earlier_run_together_goes_on_to(proof: str, after: str) -> None:
    known = knowing(NOTHING, SHA)
    known.adopt_found(Opened(Story().now, validator=TAG, url_key=key_of(URL), proof=proof))  # type: ignore[arg-type]  # one of its literals
    assert known.proof == after
    known.forget()
    assert known.proof == "checksum"


def test_a_validator_of_another_url_holds_nothing_that_this_one_brings() -> None:
    known = knowing(NOTHING, SHA)
    known.adopt_found(Opened(Story().now, validator=TAG, url_key="x"))
    assert known.proof == "checksum"


def test_what_waited_for_several_checksums_waits_for_those_that_are_left() -> None:
    known = knowing(NOTHING, SHA)
    found = Opened(Story().now, validator=TAG, url_key="x", proof="checksum", checksums=(key_of("md5:00"), key_of(SHA)))
    assert known.unusable(found, ()) is None
    known.adopt_found(found)
    assert known.checksums == (key_of(SHA),)
    assert known.unusable(replace(found, checksums=(key_of("md5:00"),)), ()) is not None


def test_a_part_that_nothing_held_together_is_held_by_a_checksum() -> None:
    known = knowing(NOTHING, SHA)
    known.adopt_found(Opened(Story().now, validator=WEAK, url_key="x"))
    assert known.proof == "checksum"
    assert known.combinable


@pytest.mark.parametrize(("validator", "says"), [(NOTHING, "nothing that tells"), (WEAK, "ETag"), (FRESH, "Last-Modified"), (DATED, "")])
def test_why_nothing_is_joined_is_said_in_words(validator: Validator, says: str) -> None:
    known = knowing(validator)
    assert says in known.weakness
    known.ranges = False
    assert known.weakness == "the server cannot resume"


@pytest.mark.parametrize(
    ("size", "most", "has", "failure"),
    [
        (50, None, 50, None),
        (50, None, 51, Failure("size", "the file has more than the 50 bytes that it should have")),
        (None, 50, 50, None),
        (None, 50, 51, Failure("too_large", "the file has more than max_size, 50 bytes")),
        (None, None, 2**60, None),
    ],
)
def test_a_file_may_be_as_long_as_it_should_and_no_longer(size: int | None, most: int | None, has: int, failure: Failure | None) -> None:
    known = Knowledge(Download("downloads[0]", (URL,), "file.bin", Options(max_size=most), (), size))
    assert known.too_long(has) == failure
    assert known.unacceptable(has) == (Failure("size", "the file has 51 bytes and should have 50") if failure and size else failure)
    assert known.unacceptable(None) is None


def test_of_a_version_that_is_forgotten_nothing_is_held_against_the_next() -> None:
    one, other = "sha256:" + "a" * 64, "md5:" + "b" * 32
    known = Knowledge(Download("downloads[0]", (URL,), "file.bin", Options(), (parse_checksum(one), parse_checksum(other))))
    known.adopt_found(Opened(Story().now, size=100, url_key="x", proof="checksum", checksums=(key_of(other),)))
    assert known.checksums == (key_of(other),)
    known.forget()
    assert known.checksums == (key_of(one), key_of(other))
    assert (known.version, known.proof) == (None, "checksum")


def test_what_was_announced_of_a_file_holds_for_another_source_too() -> None:
    said = (Announced("Repr-Digest", parse_checksum(SHA)),)
    one, other = knowing(TAG), Knowledge(Download("downloads[0]", (URL,), "file.bin", Options()))
    one.adopt(Version(100, TAG, announced=said))
    other.take_over(one)
    assert (other.size, other.announced, other.validator) == (100, said, NOTHING)
