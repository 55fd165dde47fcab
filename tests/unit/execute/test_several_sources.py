"""A file from several sources at once: who is asked for what, who is dropped, who is named where a checksum fails. No network, no disk."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from marscore.events import (
    DownloadFailed,
    DownloadFinished,
    MirrorDropped,
    MirrorSwitched,
    RangesUnsupported,
    ResumeDiscarded,
    RetryScheduled,
)
from marscore.execute.transfer.protocol import Fingerprint, Fingerprinted, Hashed, Lagged, Opened, Place, Placed, Segment, Verify
from marscore.policy.retry import RetryRules
from marscore.state import FileIdentity, key_of
from marscore.values import ByteRange
from tests.long import ALL
from tests.unit.execute.story import MIB, STEADY, Story

A, B, C = (f"http://{name}.example/file.bin" for name in "abc")
SIZE = 8 * MIB
RIGHT = random.Random(1).randbytes(SIZE)
SUM = f"sha256:{hashlib.sha256(RIGHT).hexdigest()}"
#: What a source does with a request: the answer's status and fields, and the bytes that it has.
Serve: TypeAlias = Callable[[Segment], "tuple[int, dict[str, str], bytes]"]


def serves(body: bytes = RIGHT, *, etag: str = '"v1"', ranges: bool = True, **fields: str) -> Serve:
    def answer(segment: Segment) -> tuple[int, dict[str, str], bytes]:
        told = {"etag": etag, "accept_ranges": "bytes", **fields}
        if segment.asked is None or not ranges:
            return 200, {"content_length": str(len(body)), **told}, body
        start, end = segment.asked
        return 206, {"content_range": f"bytes {start}-{(end or len(body)) - 1}/{len(body)}", **told}, body

    return answer


def refuses(status: int = 404) -> Serve:
    return lambda segment: (status, {}, b"")


def wrong_at(*places: int) -> bytes:
    body = bytearray(RIGHT)
    for place in places:
        body[place] ^= 1
    return bytes(body)


class Town(Story):
    """Several sources, and a file that is written as they send it: so many bytes of each connection a round."""

    def __init__(self, served: Mapping[str, Serve], checksum: str | None = SUM, **options: Any) -> None:
        options.setdefault("retry", RetryRules(max_retries=1, backoff=STEADY))
        super().__init__(*served, checksum=checksum, **options)
        self.served = dict(served)
        self.speeds: dict[str, int] = dict.fromkeys(served, MIB // 4)
        self.file = bytearray(SIZE)
        self.on_their_way: list[tuple[Segment, bytes]] = []
        #: Bytes that each source brought, and the ranges that it was asked for.
        self.brought: Counter[str] = Counter()
        self.asked: list[tuple[str, int, int]] = []
        #: After so many bytes a source brings nothing more: its connections break.
        self.dies_after: dict[str, int] = {}
        self.placed: bytes | None = None
        self.most = 0

    def run(self, rounds: int = 1000) -> Town:
        """Go on until the transfer is over."""
        for _ in range(rounds):
            if self.transfer.closed:
                return self
            self.begin()
            self.bring()
            self.ticks += 0.5
            if lagging := self.transfer.laggard(self.ticks):
                self._follow(self.step(Lagged(self.now, lagging)))
        raise AssertionError("it never ended")

    def begin(self) -> None:
        """Ask for whatever may be asked for now."""
        while self.transfer.due is not None and self.transfer.due <= self.ticks:
            self._ask(self.transfer.take(self.ticks))
        while self.transfer.can_share() and self.transfer.hosts_at(self.ticks):
            self.transfer.share(4)
            self._ask(self.transfer.take(self.ticks))

    def _ask(self, segment: Segment | None) -> None:
        assert segment is not None, "what is due may be taken"
        self.asked.append((segment.url, segment.begin, segment.end or SIZE))
        self.most = max(self.most, len(self.transfer.ledger.active))
        if self._is_dead(segment.url):
            self._follow(self.breaks(segment))
            return
        status, fields, body = self.served[segment.url](segment)
        before = len(self.commands)
        if self.answer(segment, status, **fields):
            self.on_their_way.append((segment, body))
        self._follow(self.commands[before:])

    def bring(self) -> None:
        """Let a round's bytes come of each connection."""
        for segment, body in self.on_their_way:
            if self.transfer.closed:
                return
            if not segment.cancelled:
                self._bring(segment, body)
        self.on_their_way = [(s, body) for s, body in self.on_their_way if not s.cancelled]

    def _bring(self, segment: Segment, body: bytes) -> None:
        if self._is_dead(segment.url):
            self._follow(self.breaks(segment))
            return
        at = segment.position
        count = self.receive(segment, min(self.speeds[segment.url], segment.remaining))
        self.file[at : at + count] = body[at : at + count]
        self.brought[segment.url] += count
        if not segment.remaining:
            self._follow(self.end(segment))

    def _is_dead(self, url: str) -> bool:
        return url in self.dies_after and self.brought[url] >= self.dies_after[url]

    def _follow(self, commands: list[Any]) -> None:
        """Do what takes a disk."""
        for command in commands:
            match command:
                case Verify():
                    self._follow(self.step(Hashed(self.now, {"sha256": hashlib.sha256(self.file[: command.size]).hexdigest()})))
                case Fingerprint():
                    told = tuple(hashlib.md5(self.file[span.start : span.end]).hexdigest() for span in command.ranges)
                    self._follow(self.step(Fingerprinted(self.now, told)))
                case Place():
                    self.placed = bytes(self.file[: command.size])
                    assert hashlib.sha256(self.placed).hexdigest() == command.digests["sha256"]
                    self._follow(self.step(Placed(self.now, FileIdentity(command.size, 1, 1), command.digests)))

    @property
    def dropped(self) -> dict[str, str]:
        """The sources that were dropped, and why."""
        return {event.url: event.reason for event in self.told(MirrorDropped)}


def begun(served: Mapping[str, Serve], **options: Any) -> Town:
    town = Town(served, **options)
    town.open()
    return town


def test_equal_sources_share_a_large_file_with_a_checksum() -> None:
    town = begun({A: serves(), B: serves(etag='"another"')}).run()
    assert town.placed == RIGHT
    assert town.brought[A] + town.brought[B] == SIZE
    assert min(town.brought.values()) > SIZE // 4
    assert town.most == 4
    assert not town.told(MirrorDropped) + town.told(RetryScheduled)


def test_the_faster_one_brings_more_and_is_named_as_the_source() -> None:
    town = begun({A: serves(), B: serves()})
    town.speeds[A] //= 8
    town.run()
    assert town.placed == RIGHT
    assert town.brought[B] > 3 * town.brought[A]
    assert town.told(DownloadFinished)[0].source == B


@pytest.mark.parametrize(("options", "size"), [({"checksum": None}, SIZE), ({"threads": 1}, SIZE), ({}, 2 * MIB - 1)])
def test_one_source_at_a_time_without_a_checksum_of_a_small_file_and_with_one_connection(options: dict[str, Any], size: int) -> None:
    body = RIGHT[:size]
    town = begun({A: serves(body), B: serves(body)}, **{"checksum": f"sha256:{hashlib.sha256(body).hexdigest()}", **options}).run()
    assert town.placed == body
    assert set(town.brought) == {A}


def test_a_source_is_asked_with_its_own_validator_only() -> None:
    town = begun({A: serves(etag='"of-a"'), B: serves(etag='"of-b"')})
    conditions: dict[str, set[str | None]] = {A: set(), B: set()}
    served = dict(town.served)
    for url in (A, B):
        town.served[url] = lambda segment: (conditions[segment.url].add(segment.if_range), served[segment.url](segment))[1]
    town.run()
    assert town.placed == RIGHT
    assert conditions[A] <= {None, '"of-a"'}
    assert conditions[B] == {None, '"of-b"'}


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (serves(RIGHT + b"more"), "another file"),
        (serves(RIGHT[:-1]), "another file"),
        (serves(content_encoding="gzip"), "encoded"),
        (refuses(404), "404"),
        (refuses(401), "401"),
        (refuses(503), "503"),
    ],
)
def test_a_source_that_has_another_file_or_fails_is_dropped_by_name_and_the_others_go_on(other: Serve, why: str) -> None:
    town = begun({A: serves(), B: other, C: serves()}).run()
    assert town.placed == RIGHT
    assert list(town.dropped) == [B]
    assert why in town.dropped[B]
    assert town.brought[A] + town.brought[C] == SIZE
    assert not town.told(MirrorSwitched)


@pytest.mark.parametrize("by", [-5, 4])
def test_a_first_source_of_another_size_keeps_no_other_from_being_asked(by: int) -> None:
    stale = (RIGHT + RIGHT)[: SIZE + by]
    town = begun({A: serves(stale), B: serves(), C: serves()}).run()
    assert town.placed == RIGHT
    assert not town.dropped, "nobody had said which size is right"
    assert [event.from_ for event in town.told(MirrorSwitched)] == [A]


def test_a_source_without_ranges_takes_no_part_and_is_not_dropped() -> None:
    town = begun({A: serves(), B: serves(ranges=False)}).run()
    assert town.placed == RIGHT
    assert town.brought == {A: SIZE}
    assert [event.url for event in town.told(RangesUnsupported)] == [B]
    assert not town.dropped


def test_a_first_source_without_ranges_goes_on_with_what_it_sends_and_the_other_brings_the_rest() -> None:
    town = begun({A: serves(), B: serves()})
    town.served[A] = lambda segment: serves(ranges=segment.asked is None)(segment)
    asked: list[tuple[int, int | None] | None] = []
    good = town.served[A]
    town.served[A] = lambda segment: (asked.append(segment.asked), (good if segment.asked is None else serves(ranges=False))(segment))[1]
    town.run()
    assert town.placed == RIGHT
    assert town.brought[A] + town.brought[B] == SIZE
    assert town.brought[B]


@pytest.mark.parametrize("dying", [A, B])
def test_a_source_that_dies_midway_is_dropped_and_its_ranges_go_to_the_other(dying: str) -> None:
    town = begun({A: serves(), B: serves()})
    town.dies_after[dying] = MIB
    town.run()
    assert town.placed == RIGHT
    assert list(town.dropped) == [dying]
    assert sum(town.brought.values()) == SIZE


def test_a_retry_after_is_heeded_while_the_other_goes_on() -> None:
    town = begun({A: serves(), B: serves()})
    first = iter([True])
    town.served[B] = lambda segment: (503, {"retry_after": "1"}, b"") if next(first, False) else serves()(segment)
    town.run()
    assert town.placed == RIGHT
    assert town.brought[B]
    assert [(retry.url, retry.wait_s) for retry in town.told(RetryScheduled)] == [(B, 1.0)]


def test_a_source_that_lies_is_named_and_only_its_bytes_are_fetched_again() -> None:
    lying = wrong_at(*range(0, SIZE, MIB // 2))
    town = begun({A: serves(), B: serves(lying)}).run()
    assert town.placed == RIGHT
    assert list(town.dropped) == [B]
    assert "wrong bytes" in town.dropped[B]
    assert town.brought[A] == SIZE
    assert town.told(DownloadFinished)[0].source == A


def test_a_liar_that_brought_most_is_named_too() -> None:
    town = begun({A: serves(wrong_at(*range(0, SIZE, MIB // 8))), B: serves(), C: serves()})
    town.speeds[A] *= 4
    town.run()
    assert town.placed == RIGHT
    assert A in town.dropped
    assert not {B, C} & town.dropped.keys()


def test_a_liar_that_is_wrong_only_in_what_it_brought_is_found_by_its_own_pieces() -> None:
    """The others' pieces are the same from it: then its own are fetched from another one, and only those."""
    town = begun({A: serves(), B: serves()})
    lies = wrong_at(10)
    # The first byte range of A is wrong once; whatever is fetched later is right.
    town.served[A] = serves(lies)
    town.speeds[A] *= 2
    town.run()
    assert town.placed == RIGHT
    assert list(town.dropped) == [A]
    assert sum(town.brought.values()) <= 2 * SIZE


@pytest.mark.parametrize("right", [A, B, C])
@pytest.mark.parametrize("slow", [A, B, C])
def test_two_of_three_that_lie_alike_are_both_named(right: str, slow: str) -> None:
    """Also where only these two brought anything, and agreed on all of it."""
    lying = wrong_at(*range(0, SIZE, MIB // 8))
    town = begun({url: serves() if url == right else serves(lying) for url in (A, B, C)})
    town.speeds[slow] //= 64
    town.run(5000)
    assert town.placed == RIGHT
    assert set(town.dropped) == {A, B, C} - {right}
    assert all("it sent wrong bytes" in reason for reason in town.dropped.values()), town.dropped


def test_one_that_only_agreed_on_right_bytes_is_not_named() -> None:
    """A is wrong in what it brings itself, B in nothing that it sent; both agree on B's pieces."""
    town = begun({A: serves(wrong_at(10)), B: serves(), C: serves()})
    town.run()
    assert town.placed == RIGHT
    assert set(town.dropped) <= {A}


def test_where_all_lie_the_download_fails_by_its_checksum_and_nothing_is_placed() -> None:
    town = begun({url: serves(wrong_at(*range(n, SIZE, MIB // 8))) for n, url in enumerate((A, B, C))}).run(5000)
    assert town.placed is None
    assert [failed.kind for failed in town.told(DownloadFailed)] == ["checksum"]


def test_where_all_agree_and_the_checksum_is_wrong_it_fails() -> None:
    town = begun({A: serves(), B: serves()}, checksum="sha256:" + "0" * 64).run(5000)
    assert town.placed is None
    assert [failed.kind for failed in town.told(DownloadFailed)] == ["checksum"]
    assert not any("wrong bytes" in reason for reason in town.dropped.values())


def resumed(served: Mapping[str, Serve], left: bytes, *proven: ByteRange, **options: Any) -> Town:
    town = Town(served, **options)
    for span in proven:
        town.file[span.start : span.end] = left[span.start : span.end]
    town.step(Opened(town.now, proven, len(proven), 0, SIZE, url_key=key_of(A), proof="checksum", checksums=(key_of(SUM),)))
    return town


def test_what_an_earlier_run_left_is_gone_on_with_by_all() -> None:
    town = resumed({A: serves(), B: serves()}, RIGHT, ByteRange(0, 4 * MIB)).run()
    assert town.placed == RIGHT
    assert sum(town.brought.values()) == 4 * MIB
    assert min(town.brought[A], town.brought[B]) > 0


def test_wrong_bytes_of_an_earlier_run_are_found_and_nobody_is_blamed() -> None:
    town = resumed({A: serves(), B: serves()}, wrong_at(5), ByteRange(0, MIB)).run()
    assert town.placed == RIGHT
    assert not town.dropped
    assert [event.bytes_discarded for event in town.told(ResumeDiscarded)] == [MIB]
    assert town.told(DownloadFinished)[0].bytes_resumed == 0


BEHAVIOURS = st.sampled_from(["good", "good", "good", "lies", "lies here", "lies once", "size", "404", "503", "dies", "no ranges", "slow"])


@settings(max_examples=300 if ALL else 25, deadline=None)
@example(["dies", "lies here", "good"], 0, False, 1)
@given(st.lists(BEHAVIOURS, min_size=2, max_size=4), st.integers(0, 2**32), st.booleans(), st.integers(1, 4))
def test_whatever_sources_do_it_ends_and_only_the_right_bytes_are_placed(how: list[str], seed: int, left: bool, threads: int) -> None:
    chance = random.Random(seed)
    urls = [f"http://{name}.example/file.bin" for name in "abcd"[: len(how)]]
    served: dict[str, Serve] = {}
    for url, what in zip(urls, how, strict=True):
        served[url] = _behaving(what, chance)
    town = Town(served, threads=threads)
    for url, what in zip(urls, how, strict=True):
        if what == "dies":
            town.dies_after[url] = chance.randrange(SIZE)
        if what == "slow":
            town.speeds[url] //= 10
    if left:
        body = RIGHT if chance.random() < 0.5 else wrong_at(chance.randrange(2 * MIB))
        town.file[: 2 * MIB] = body[: 2 * MIB]
        town.step(
            Opened(town.now, (ByteRange(0, 2 * MIB),), 1, 0, SIZE, url_key=key_of(urls[0]), proof="checksum", checksums=(key_of(SUM),))
        )
    else:
        town.open()
    town.run(20_000)
    assert town.placed in (None, RIGHT)
    named = [url for url, reason in town.dropped.items() if "wrong bytes" in reason]
    if town.placed is not None:
        # Of a source that is right, nothing can differ from what the digest proves.
        assert {how[urls.index(url)] for url in named} <= {"lies", "lies here", "lies once"}
    if "good" in how and not {"lies", "lies here", "lies once", "size"} & set(how) and not left:
        assert town.placed == RIGHT


def _behaving(what: str, chance: random.Random) -> Serve:
    lie = wrong_at(*(chance.randrange(SIZE) for _ in range(20)))
    match what:
        case "lies":
            return serves(lie)
        case "lies here":
            return serves(wrong_at(chance.randrange(SIZE)))
        case "lies once":
            bodies = iter([lie])
            return lambda segment: serves(next(bodies, RIGHT))(segment)
        case "size":
            return serves(RIGHT[: -1 - chance.randrange(MIB)])
        case "404" | "503":
            return refuses(int(what))
        case "no ranges":
            return serves(ranges=False)
        case _:
            return serves()
