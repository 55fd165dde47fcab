"""Digests of the whole file that an answer's own fields carry: which they are, and which of them say something of what we keep.

    fields of an answer --announced_in--> Announced...

| field | is of | |
|---|---|---|
| Repr-Digest | the representation, in a part's answer too | RFC 9530 section 3: sha-256 and sha-512; the others are insecure, and ignored |
| Content-Digest | this answer's content | RFC 9530 section 2, as above |
| Digest | the representation, in a part's answer too | RFC 3230, RFC 5843: also md5 and sha |
| Content-MD5 | this answer's body | RFC 1864, RFC 2616 section 14.15 |
| x-goog-hash | the object as Cloud Storage keeps it, in a part's answer too | md5; crc32c is not computed here |
| x-amz-checksum-* | this answer's body, unless the type is COMPOSITE | sha256, sha1, crc32; crc32c and crc64nvme are not computed here |

All are of the bytes with their content coding, as they are kept here. An ETag is never a digest: that some servers make it of one is
nobody's promise. What is malformed says nothing, as where it was not sent.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, TypeAlias

from marscore.values import ANNOUNCED_BYTES, Announced, Checksum

#: What an answer's body is.
Body: TypeAlias = Literal["whole", "part"]

_SECURE = {"sha-256": "sha256", "sha-512": "sha512"}
_OF_RFC_3230 = {**_SECURE, "sha": "sha1", "md5": "md5"}
#: x-amz-checksum-NAME -> the algorithm.
_OF_S3 = {f"x-amz-checksum-{name}": name for name in ("sha256", "sha1", "crc32")}
_NAMES = frozenset({"repr-digest", "content-digest", "digest", "content-md5", "x-goog-hash", *_OF_S3})

# RFC 8941: a dictionary's members, with the parameters that nobody reads here.
_KEY = r"[a-z*][a-z0-9_.*-]*"
_ITEM = r""":[A-Za-z0-9+/=]*:|"(?:[ !#-\[\]-~]|\\["\\])*"|\?[01]|-?[0-9]+(?:\.[0-9]+)?|[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*"""
_PARAMETERS = rf"(?:;[ ]*{_KEY}(?:=(?:{_ITEM}))?)*"
_INNER = rf"\([ ]*(?:(?:{_ITEM}){_PARAMETERS}(?:[ ]+(?:{_ITEM}){_PARAMETERS})*)?[ ]*\)"
_MEMBER = re.compile(rf"({_KEY})(?:=({_ITEM}|{_INNER}))?{_PARAMETERS}")
_COMMA = re.compile(r"[ \t]*,[ \t]*")


def announced_in(fields: Mapping[str, str], body: Body) -> tuple[Announced, ...]:
    """The digests of the whole file in an answer's fields, whose names are in lower case; those that cannot be computed left out."""
    if _NAMES.isdisjoint(fields) or fields.get("warning", "").startswith("214"):
        # 214 says that somebody on the way transformed what came (RFC 7234 section 5.5.6).
        return ()
    found = list(_of_the_representation(fields))
    if body == "whole":
        found += _of_the_body(fields)
    return tuple(dict.fromkeys(found))


def _of_the_representation(fields: Mapping[str, str]) -> Iterator[Announced]:
    yield from _announced("Repr-Digest", _members(fields.get("repr-digest")), _SECURE)
    yield from _announced("Digest", _pairs(fields.get("digest")), _OF_RFC_3230)
    # What is kept compressed may be sent decompressed; the hash stays that of what is kept.
    kept = fields.get("x-goog-stored-content-encoding", "identity").lower()
    if kept in ("identity", "", fields.get("content-encoding", "").lower()):
        yield from _announced("x-goog-hash", _pairs(fields.get("x-goog-hash")), {"md5": "md5"})


def _of_the_body(fields: Mapping[str, str]) -> Iterator[Announced]:
    yield from _announced("Content-Digest", _members(fields.get("content-digest")), _SECURE)
    yield from _announced("Content-MD5", [("md5", fields.get("content-md5", ""))], {"md5": "md5"})
    if fields.get("x-amz-checksum-type", "").upper() != "COMPOSITE":
        # That of a composite one, which older answers do not name, ends with the number of its parts: no base64.
        for name, algorithm in _OF_S3.items():
            yield from _announced(name, [(algorithm, fields.get(name, ""))], {algorithm: algorithm})


def _announced(field: str, pairs: Iterable[tuple[str, str]], known: Mapping[str, str]) -> Iterator[Announced]:
    for name, text in pairs:
        algorithm = known.get(name)
        digest = None if algorithm is None else _decoded(text)
        if algorithm is not None and digest is not None and len(digest) == ANNOUNCED_BYTES[algorithm]:
            yield Announced(field, Checksum(algorithm, digest.hex()))


def _decoded(text: str) -> bytes | None:
    text = text.strip()
    try:
        # Padding that is missing is no fault (RFC 8941 section 4.2.7).
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True) if text else None
    except (binascii.Error, ValueError):
        return None


def _pairs(value: str | None) -> Iterator[tuple[str, str]]:
    """The members of a plain list of `name=value`, names in lower case."""
    for member in (value or "").split(","):
        name, _, text = member.partition("=")
        yield name.strip().lower(), text


def _members(value: str | None) -> Iterable[tuple[str, str]]:
    """The byte sequences of a dictionary as a structured field has it; none where any of it is malformed (RFC 8941 section 4.2)."""
    text, position = (value or "").strip(" "), 0
    members: dict[str, str] = {}
    while position < len(text):
        member = _MEMBER.match(text, position)
        if member is None:
            return ()
        # Of a key that comes twice, the last holds.
        members[member[1]] = member[2] or "?1"
        position = member.end()
        comma = _COMMA.match(text, position)
        if position < len(text) and (comma is None or comma.end() == len(text)):
            return ()
        position = comma.end() if comma else position
    return [(name, item[1:-1]) for name, item in members.items() if item.startswith(":")]
