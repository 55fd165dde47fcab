"""What is strong: an entity tag that is one, or a date that the file was left alone behind; and what two answers prove of each other."""

from __future__ import annotations

from datetime import datetime, timezone
from email.utils import formatdate, parsedate_to_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marscore.validator import Validator, http_date
from tests.long import examples

often = settings(max_examples=examples(300), deadline=None)

MODIFIED = 784_111_777
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


def after(seconds: int) -> str:
    return formatdate(MODIFIED + seconds, usegmt=True)


LATER = after(3600)
DATED = Validator(None, DATE, LATER)


@pytest.mark.parametrize("tag", ['"v1"', '""', '"W/x"', '"a,b"', '"!#~"', '"caf\xe9"', '"\x80\xff"', pytest.param('"\\"', id="backslash")])
def test_a_strong_entity_tag(tag: str) -> None:
    strong, weak = Validator(tag), Validator("W/" + tag)
    assert (strong.entity_tag, strong.strong_etag, strong.strong) == (tag, tag, (tag,))
    assert (weak.entity_tag, weak.strong_etag, weak.strong) == ("W/" + tag, None, ())


@pytest.mark.parametrize(
    "text",
    [
        *("", "v1", '"', '"v1', 'v1"', "*", "'v1'", 'w/"v1"', 'W/ "v1"', 'W"v1"', "W/v1", 'W/W/"v1"', '"a", "b"', "a, b", '"a""b"'),
        *('"v 1"', '"v\t1"', '"v\x001"', '"v\x011"', '"v\x7f1"', '"v1"\n', ' "v1"', '"v1" ', '"\u0100"', '"v1"; x', "\uff02v1\uff02"),
    ],
)
def test_no_entity_tag(text: str) -> None:
    validator = Validator(text, date=LATER)
    assert (validator.entity_tag, validator.strong_etag, validator.strong, validator.conditions) == (None, None, (), ())


@pytest.mark.parametrize(
    ("text", "unix"),
    [
        (DATE, MODIFIED),
        ("Sunday, 06-Nov-94 08:49:37 GMT", MODIFIED),
        ("Sun Nov  6 08:49:37 1994", MODIFIED),
        ("Wed Nov 16 08:49:37 1994", MODIFIED + 10 * 86_400),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Thursday, 01-Jan-70 00:00:00 GMT", 0),
        ("Thu, 29 Feb 2024 00:00:00 GMT", 1_709_164_800),
        ("Thursday, 29-Feb-24 00:00:00 GMT", 1_709_164_800),
        ("Sat, 31 Dec 2016 23:59:60 GMT", 1_483_228_800),
    ],
)
def test_an_http_date_in_its_three_forms(text: str, unix: int) -> None:
    assert http_date(text) == unix


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "0", "784111777", "1994-11-06T08:49:37Z", DATE + " ", " " + DATE, DATE + "\n", DATE.lower(), f"{DATE}, {DATE}"]
    + [DATE.replace("GMT", zone) for zone in ("UTC", "+0000", "CET", "", "gmt")]
    + [DATE.replace("06 Nov", day) for day in ("32 Nov", "00 Nov", "31 Nov", "6 Nov", "06 nov", "06 Novem", "29 Feb", "\u0660\u0666 Nov")]
    + [DATE.replace("08:49:37", time) for time in ("24:00:00", "08:60:00", "08:49:61", "8:49:37", "08:49", "-8:49:37")]
    + [DATE.replace("Sun", "Son"), DATE.replace("1994", "94"), DATE.replace("1994", "0000"), "Sun, 06-Nov-94 08:49:37 GMT"]
    + ["Sunday, 06 Nov 1994 08:49:37 GMT", "Sun Nov 6 08:49:37 1994", "Sun Nov  6 08:49:37 1994 GMT", "Sunday, 06-Nov-1994 08:49:37 GMT"],
)
def test_what_is_no_http_date_proves_nothing(text: str) -> None:
    assert http_date(text) is None
    assert Validator(None, text, LATER).strong == ()
    assert Validator(None, DATE, text).strong == ()
    assert Validator(None, text).conditions == ()


@often
@given(st.integers(0, 2**32), st.sampled_from(["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"]))
def test_any_moment_is_read_as_it_is_written(unix: int, form: str) -> None:
    moment = datetime.fromtimestamp(unix, timezone.utc)
    if "%y" not in form or 1970 <= moment.year < 2070:
        assert http_date(moment.strftime(form)) == unix


@often
@given(st.text(max_size=40) | st.text("SunovMdy, 0123456789:-GMT", max_size=33))
def test_any_text_is_a_date_that_others_read_too_or_none(text: str) -> None:
    unix = http_date(text)
    if unix is not None:
        assert parsedate_to_datetime(text.rstrip()).replace(tzinfo=timezone.utc).timestamp() == unix


@pytest.mark.parametrize(("seconds", "strong"), [(-1, False), (0, False), (1, False), (59, False), (60, True), (61, True), (10**9, True)])
def test_a_date_is_strong_a_minute_later(seconds: int, strong: bool) -> None:
    validator = Validator(None, DATE, after(seconds))
    assert validator.strong_date == (DATE if strong else None)
    assert validator.strong == ((DATE,) if strong else ())


def test_without_its_answers_date_a_date_proves_nothing() -> None:
    assert Validator(None, DATE).strong == ()
    assert Validator('"v1"', DATE).strong == ('"v1"',)


def test_an_etag_comes_before_a_date() -> None:
    assert Validator('"v1"', DATE, LATER).strong == ('"v1"', DATE)
    assert Validator('W/"v1"', DATE, LATER).strong == (DATE,)


texts = (
    st.none() | st.text(max_size=12) | st.sampled_from(['"v1"', '"v2"', 'W/"v1"', '""', "*", DATE, LATER, after(30), after(59), after(60)])
)
validators = st.builds(Validator, texts, texts, texts)


@often
@given(validators)
def test_what_is_strong_is_what_an_if_range_may_hold(validator: Validator) -> None:
    for form in validator.strong:
        assert form in (validator.etag, validator.last_modified)
        assert (form[0] == form[-1] == '"' and len(form) > 1) or http_date(form) is not None
    assert all(name in ("If-None-Match", "If-Modified-Since") and value.isprintable() for name, value in validator.conditions)


@often
@given(validators, validators, texts)
def test_nothing_is_joined_that_is_not_strong_or_differs(known: Validator, shown: Validator, condition: str | None) -> None:
    if known.joins(shown, condition):
        assert known.strong
        assert shown.etag is None or known.etag in (None, shown.etag)
        # Either the part shows what is strong, or the request named it and the part has all that it must have.
        named = condition == known.strong_date and shown.etag == known.etag
        assert named or shown.etag in known.strong or shown.last_modified in known.strong


BOTH, WEAK = Validator('"v1"', DATE, LATER), Validator('W/"v1"', DATE, LATER)
NOTHING = Validator()


@pytest.mark.parametrize(
    ("known", "shown", "condition", "joined"),
    [
        (BOTH, BOTH, None, True),
        (BOTH, Validator('"v1"'), None, True),
        (BOTH, Validator('"v2"', DATE), '"v1"', False),
        (BOTH, Validator('W/"v1"', DATE), '"v1"', False),
        (BOTH, Validator(None, DATE), None, True),
        (BOTH, NOTHING, '"v1"', False),
        (BOTH, NOTHING, DATE, False),
        (BOTH, NOTHING, None, False),
        (Validator('"v1"', DATE, DATE), Validator(None, DATE), '"v1"', False),
        (DATED, DATED, None, True),
        (DATED, Validator('"v1"', DATE), None, True),
        (DATED, NOTHING, DATE, True),
        (DATED, NOTHING, None, False),
        (DATED, Validator('"v1"'), DATE, False),
        (DATED, Validator(None, LATER), DATE, False),
        (WEAK, WEAK, None, True),
        (WEAK, Validator('W/"v1"'), DATE, True),
        (WEAK, Validator('W/"v1"'), None, False),
        (WEAK, NOTHING, DATE, False),
        (Validator('W/"v1"'), Validator('W/"v1"'), None, False),
        (Validator("*"), Validator("*"), "*", False),
        (NOTHING, BOTH, None, False),
        (NOTHING, NOTHING, None, False),
    ],
)
def test_a_part_is_joined_where_it_shows_what_is_strong(known: Validator, shown: Validator, condition: str | None, joined: bool) -> None:
    assert known.joins(shown, condition) is joined


@pytest.mark.parametrize(
    ("asked", "shown", "excluded"),
    [
        (BOTH, NOTHING, False),
        (BOTH, BOTH, False),
        (BOTH, Validator('W/"v1"', LATER), False),
        (BOTH, Validator('"v2"', DATE), True),
        (WEAK, Validator('W/"v2"'), True),
        (BOTH, Validator("v2"), False),
        (BOTH, Validator(None, LATER), True),
        (DATED, Validator('"v1"'), False),
        (DATED, Validator('"v1"', LATER), True),
        (NOTHING, BOTH, False),
    ],
)
def test_a_304_speaks_of_the_version_that_was_asked_about_unless_it_shows_another(
    asked: Validator, shown: Validator, excluded: bool
) -> None:
    assert asked.excludes(shown) is excluded


def test_what_is_weak_may_be_asked_about_and_what_is_none_may_not() -> None:
    assert Validator('W/"v1"', DATE).conditions == (("If-None-Match", 'W/"v1"'), ("If-Modified-Since", DATE))
    assert Validator('w/"v1"', "yesterday").conditions == ()


@pytest.mark.parametrize(("validator", "tells"), [(NOTHING, False), (Validator("", ""), False), (Validator("*"), True), (DATED, True)])
def test_a_validator_without_a_field_is_none(validator: Validator, tells: bool) -> None:
    assert bool(validator) is tells
