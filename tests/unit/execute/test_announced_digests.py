"""What a transfer makes of digests that answers announce."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import replace

from marscore.events import ChecksumVerified, DownloadFailed, DownloadFinished, ResumeDiscarded, RetryScheduled
from marscore.execute.transfer.protocol import Delivered, Hashed, Place, Placed, Store, Verify
from marscore.journal import decode, encode_header
from marscore.policy.retry import RetryRules
from marscore.ports import Answer
from marscore.state import Content, FileIdentity
from marscore.url import parse_url
from marscore.values import Announced, Checksum
from tests.unit.execute.story import MIB, MIRROR, STEADY, URL, Story
from tests.unit.execute.test_transfer import V1, part, whole


def announced(data: bytes, algorithm: str = "sha256") -> dict[str, str]:
    digest = base64.b64encode(hashlib.new(algorithm, data).digest()).decode()
    if algorithm == "md5":
        return {"content_md5": digest}
    return {"repr_digest": f"{algorithm.replace('sha', 'sha-')}=:{digest}:"}


def digests(data: bytes, *algorithms: str) -> Mapping[str, str]:
    return {name: hashlib.new(name, data).hexdigest() for name in algorithms}


RIGHT, WRONG = b"right", b"wrong"


def arrived(fields: dict[str, str], *sources: str, size: int = 100) -> Story:
    story = Story(*sources, retry=RetryRules(by_kind=(("checksum", 1),), backoff=STEADY)).open()
    segment = story.take()
    assert story.answer(segment, 200, **whole(size, **V1, **fields))
    story.fetch(segment)
    return story


def test_the_file_is_hashed_with_what_its_answer_announced_and_held_to_it() -> None:
    story = arrived({**announced(RIGHT, "sha512"), **announced(RIGHT, "md5")})
    assert story.said(Verify) == [Verify(0, 100, ("sha256", "sha512", "md5"))]
    found = digests(RIGHT, "sha256", "sha512", "md5")
    story.step(Hashed(story.now, found))
    assert [(place.size, place.digests) for place in story.said(Place)] == [(100, found)]
    assert [event.field for event in story.told(ChecksumVerified)] == ["Repr-Digest", "Content-MD5"]
    story.step(Placed(story.now, FileIdentity(100, 1, 2), found))
    assert story.told(DownloadFinished)[0].digests == (f"sha256:{found['sha256']}",)


def test_a_mismatch_is_a_retry_of_kind_checksum_that_names_the_field() -> None:
    story = arrived({**announced(RIGHT), **announced(WRONG, "md5")})
    story.step(Hashed(story.now, digests(RIGHT, "sha256", "md5")))
    assert not story.said(Place)
    [retry] = story.told(RetryScheduled)
    assert retry.kind == "checksum"
    right, wrong = (digests(data, "md5")["md5"] for data in (RIGHT, WRONG))
    assert retry.message == f"md5 is {right} and the answer's Content-MD5 names {wrong}"
    story.ticks += 100
    again = story.take()
    assert again.asked is None
    assert story.answer(again, 200, **whole(100, **V1, **announced(WRONG)))
    story.fetch(again)
    story.step(Hashed(story.now, digests(RIGHT, "sha256")))
    assert [failed.kind for failed in story.told(DownloadFailed)] == ["checksum"]


def test_a_new_version_brings_its_own() -> None:
    story = Story(retry=RetryRules(backoff=STEADY)).open()
    first = story.take()
    story.answer(first, 200, **whole(10 * MIB, **V1, **announced(WRONG, "sha512")))
    story.receive(first, MIB)
    story.breaks(first)
    story.ticks += 100
    second = story.take()
    assert story.answer(second, 200, **whole(100, etag='"v2"', **announced(RIGHT)))
    story.fetch(second)
    assert story.said(Verify) == [Verify(1, 100, ("sha256",))]
    story.step(Hashed(story.now, digests(RIGHT, "sha256")))
    assert story.said(Place)


def cut(fields: dict[str, str]) -> Story:
    story = Story().open()
    first = story.take()
    story.answer(first, 200, **whole(10 * MIB, **V1, **fields))
    story.receive(first, MIB)
    story.breaks(first)
    story.ticks += 100
    return story


def test_a_part_that_announces_another_digest_is_of_another_version() -> None:
    story = cut(announced(RIGHT))
    assert not story.answer(story.take(), 206, **part(MIB, 10 * MIB, 10 * MIB, **V1, **announced(WRONG)))
    assert "Repr-Digest names the sha256" in story.told(ResumeDiscarded)[0].reason


def test_what_a_part_announces_of_the_whole_counts_and_what_is_of_its_body_does_not() -> None:
    story = cut({})
    rest = story.take()
    assert story.answer(rest, 206, **part(MIB, 10 * MIB, 10 * MIB, **V1, **announced(RIGHT, "sha512"), **announced(WRONG, "md5")))
    story.fetch(rest)
    assert story.said(Verify) == [Verify(0, 10 * MIB, ("sha256", "sha512"))]


def test_a_mirror_starts_without_those_of_the_source_before() -> None:
    story = Story(URL, MIRROR, retry=RetryRules(max_retries=0, backoff=STEADY)).open()
    first = story.take()
    story.answer(first, 200, **whole(100, **V1, **announced(WRONG)))
    story.fetch(first)
    story.step(Hashed(story.now, digests(RIGHT, "sha256")))
    second = story.take()
    assert second.url == MIRROR
    assert story.answer(second, 200, **whole(100, **V1))
    story.fetch(second)
    story.step(Hashed(story.now, digests(RIGHT, "sha256")))
    assert story.said(Place)


def test_a_small_file_is_held_to_them_in_memory() -> None:
    for named, stored in ((RIGHT, 1), (WRONG, 0)):
        story = Story().open()
        segment = story.take()
        fields = {name.replace("_", "-"): value for name, value in whole(5, **V1, **announced(named, "sha512")).items()}
        answer = Answer(200, fields, parse_url(segment.url))
        content = Content(RIGHT, story.transfer.algorithms_for(answer))
        assert set(content.digests) == {"sha256", "sha512"}
        story.step(Delivered(story.now, segment, answer, content))
        assert len(story.said(Store)) == stored


def test_the_journal_keeps_them_for_the_run_that_goes_on() -> None:
    story = cut(announced(RIGHT))
    kept = decode(encode_header(story.transfer.header))
    assert kept is not None
    assert kept.header == story.transfer.header
    [each] = kept.header.announced
    assert (each.field, str(each.checksum)) == ("Repr-Digest", f"sha256:{digests(RIGHT, 'sha256')['sha256']}")


def test_what_a_journal_names_and_nobody_computes_is_left_out() -> None:
    header = replace(cut(announced(RIGHT)).transfer.header, announced=(Announced("X", Checksum("crc64", "00")),))
    kept = decode(encode_header(header))
    assert kept is not None
    assert kept.header.announced == ()


def test_a_transformed_answer_announces_nothing() -> None:
    story = Story().open()
    segment = story.take()
    assert story.answer(segment, 203, **whole(100, **V1, **announced(WRONG, "sha512")))
    story.fetch(segment)
    assert story.said(Verify) == [Verify(0, 100, ("sha256",))]
