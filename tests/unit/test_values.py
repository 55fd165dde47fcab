"""Ranges, checksums, sizes, durations and the names of hosts."""

from __future__ import annotations

import base64
import hashlib
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marscore.values import (
    DIGEST_BYTES,
    SRI_ALGORITHMS,
    ByteRange,
    Checksum,
    Credentials,
    Proxies,
    format_size,
    gaps,
    merge_ranges,
    parse_checksum,
    parse_duration,
    parse_size,
)
from tests.long import examples

often = settings(max_examples=examples(150), deadline=None)
WIDTH = 24
small_ranges = st.lists(st.tuples(st.integers(0, WIDTH), st.integers(0, WIDTH)).map(lambda p: ByteRange(*sorted(p))), max_size=8)


def bitmap(ranges: tuple[ByteRange, ...] | list[ByteRange]) -> set[int]:
    return {i for r in ranges for i in range(r.start, r.end)}


@often
@given(ranges=small_ranges)
def test_merged_ranges_cover_the_same_bytes_and_lie_apart(ranges: list[ByteRange]) -> None:
    merged = merge_ranges(ranges)
    assert bitmap(merged) == bitmap(ranges)
    assert all(len(r) for r in merged)
    assert all(a.end < b.start for a, b in itertools.pairwise(merged)), "sorted, disjoint and not touching"


@often
@given(ranges=small_ranges, size=st.integers(0, WIDTH))
def test_gaps_are_what_the_ranges_leave(ranges: list[ByteRange], size: int) -> None:
    left = list(gaps(ranges, size))
    assert bitmap(left) == set(range(size)) - bitmap(ranges)
    assert left == list(merge_ranges(left)), "in order, and as few as can be"


@pytest.mark.parametrize(("start", "end"), [(-1, 0), (2, 1), (-2, -1)])
def test_a_range_that_is_none_cannot_be_made(start: int, end: int) -> None:
    with pytest.raises(ValueError, match="not a byte range"):
        ByteRange(start, end)


@pytest.mark.parametrize("algorithm", DIGEST_BYTES)
def test_a_checksum_is_read_with_its_algorithm(algorithm: str) -> None:
    digest = hashlib.new(algorithm, b"content").hexdigest()
    assert parse_checksum(f"{algorithm}:{digest}") == Checksum(algorithm, digest)
    assert parse_checksum(f" {algorithm.upper()} : {digest.upper()} ") == Checksum(algorithm, digest)
    assert str(parse_checksum(f"{algorithm}:{digest}")) == f"{algorithm}:{digest}"


@pytest.mark.parametrize("algorithm", SRI_ALGORITHMS)
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode], ids=["base64", "url-safe base64"])
@pytest.mark.parametrize("content", [b"content", b"another", b"third", b"~~~?"])
def test_an_sri_string_is_the_same_checksum(algorithm: str, encode: object, content: bytes) -> None:
    assert callable(encode)
    digest = hashlib.new(algorithm, content)
    assert parse_checksum(f"{algorithm}-{encode(digest.digest()).decode()}") == Checksum(algorithm, digest.hexdigest())


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "must be algorithm:hex"),
        ("sha256", "must be algorithm:hex"),
        ("crc32:00000000", "must be algorithm:hex"),
        ("md5-" + base64.b64encode(b"x" * 16).decode(), "must be algorithm:hex"),
        (":" + "0" * 64, "must be algorithm:hex"),
        ("sha256:", "64 hexadecimal digits, this one has 0"),
        ("sha256:" + "0" * 63, "this one has 63"),
        ("sha256:" + "0" * 65, "this one has 65"),
        ("sha256:" + "g" * 64, "64 hexadecimal digits"),
        pytest.param("sha256:" + "٠" * 64, "64 hexadecimal digits", id="digits of another script"),
        ("sha1:" + "0" * 64, "a sha1 digest has 40"),
        ("sha256-" + base64.b64encode(b"x" * 31).decode(), "has 32 bytes, this one has 31"),
        ("sha256-abc", "not valid base64"),
        ("sha256-A", "not valid base64"),
    ],
)
def test_what_is_no_checksum_is_told_why(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_checksum(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("812", 812),
        ("812B", 812),
        ("1k", 1000),
        ("1K", 1000),
        ("1kB", 1000),
        ("1KiB", 1024),
        ("1kiB", 1024),
        ("10 MiB", 10 * 1024**2),
        (" 1.5GB ", 1_500_000_000),
        ("1.5GiB", 3 * 1024**3 // 2),
        ("0.001TB", 10**9),
        ("2PiB", 2 * 1024**5),
        ("1.10kB", 1100),
        ("9007199254740993", 2**53 + 1),
        ("9007199254.740993GB", 9007199254740993000),
    ],
)
def test_a_size_is_read_exactly(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MiB", "-1", "1e3", "1.B", ".5MB", "1,5MB", "1iB", "1 0", "1XB", "1mB", "0.5", "1.0001kB", "0x10"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a"):
        parse_size(text)


@often
@given(count=st.integers(0, 2**60), unit=st.sampled_from(["", "B", "k", "kB", "KiB", "MB", "MiB", "G", "TiB", "PB"]))
def test_whole_sizes_are_multiples_of_their_unit(count: int, unit: str) -> None:
    assert parse_size(f"{count}{unit}") == count * parse_size(f"1{unit}")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0.0), ("30", 30.0), ("30s", 30.0), ("500ms", 0.5), ("1.5m", 90.0), ("2h", 7200.0), ("1d", 86400.0), (" 5 m ", 300.0)],
)
def test_a_duration_is_read_in_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "s", "-1", "1w", "1e3", "inf", "nan", "1 0", "5min", "1:30", "9" * 400, "9" * 308 + "d"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (812, "812 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536 * 1024, "1.5 MiB"),
        (1024**5, "1.0 PiB"),
        (5000 * 1024**5, "5000.0 PiB"),
    ],
)
def test_a_size_is_shown_for_people(count: int, text: str) -> None:
    assert format_size(count) == text


def test_passwords_are_not_in_a_repr() -> None:
    assert "hidden" not in repr(Credentials("user", "hidden"))
    assert "hidden" not in repr(Proxies("http://user:hidden@proxy", "http://user:hidden@proxy"))
