"""Which format a list has, by its content and, where that leaves a choice, by its name."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping

from marscore.lists.model import Format, ListError
from marscore.lists.words import numbered
from marscore.resolve.checksum_lines import read_line

#: Lines that are looked at.
_LOOKED_AT = 1000
_URL = re.compile(r"(?i)[a-z][a-z0-9+.-]*://")
_POOCH = re.compile(r"(?:\"[^\"]+\"|'[^']+'|\S+)[ \t]+(?:[A-Za-z0-9_-]{2,12}:)?[0-9A-Fa-f]{8,128}(?:[ \t]+[A-Za-z]+:\S+)?[ \t]*")
_CURL = re.compile(
    r"\s*(?:--?)?(?:url|output|remote-name|remote-name-all|header|user|user-agent|proxy|next|location|silent|fail|referer|insecure|parallel"
    r"|create-dirs|output-dir|cookie|cacert|cert|key|retry|globoff|show-error)\s*(?:[=:\s].*)?|\s*-[A-Za-z#:]+(?:\s.*)?"
)
_OPTION = re.compile(r"[ \t]+[a-z0-9-]+=.*")
#: What a name says, for where the content leaves a choice.
_NAMES: tuple[tuple[re.Pattern[str], Format], ...] = (
    (re.compile(r"(?i).*(sums?|checksums?)(\.txt|\.asc)?|.*\.(sha\d+|md5)"), "sha256sums"),
    (re.compile(r"(?i).*registry.*"), "pooch"),
    (re.compile(r"(?i).*aria2?.*"), "aria2"),
    (re.compile(r"(?i).*curl.*"), "curl"),
    (re.compile(r"(?i).*urls?.*"), "urls"),
)


def guess(text: str, name: str) -> Format:
    """The format of a list.

    Raises:
        ListError: it has that of none, or it might be one of several.
    """
    text = text.removeprefix("\ufeff")
    start = text.lstrip()[:200]
    if start.startswith("<"):
        if re.match(r"(?i)<(?:!doctype html|html)", start):
            raise ListError("is an HTML page, and no list", 1)
        return "metalink"
    if start[:1] in "{[" and start:
        return _of_json(text, name)
    lines = [line for _, line in itertools.islice(numbered(text), _LOOKED_AT)]
    return _chosen(list(_fitting(lines)), name)


def _of_json(text: str, name: str) -> Format:
    first, _, rest = text.lstrip().partition("\n")
    if re.search(r"(?i)\.(jsonl|ndjson)$", name) or (rest.strip() and _is_json(first)):
        return "jsonl"
    return "osbuild" if re.search(r'"org\.osbuild\.[a-z-]+"', text) and re.search(r'"sources"\s*:', text) else "json"


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _fitting(lines: list[str]) -> Iterator[Format]:
    said = [line for line in lines if line.strip() and not line.lstrip().startswith(("#", ";"))]
    tests: Mapping[Format, Callable[[list[str]], bool]] = {
        "urls": _is_urls,
        "aria2": _is_aria2,
        "curl": lambda lines: _most(lines, _CURL.fullmatch) and any("url" in line for line in lines),
        "sha256sums": _is_sums,
        "pooch": lambda lines: _most(lines, lambda line: _POOCH.fullmatch(line) and not _URL.match(line)),
    }
    yield from (form for form, test in tests.items() if said and test(said))


def _most(lines: list[str], is_fitting: Callable[[str], object]) -> bool:
    """Whether more than half of the lines fit; what is wrong with the others is told at each."""
    return 2 * sum(bool(is_fitting(line)) for line in lines) > len(lines)


def _is_urls(lines: list[str]) -> bool:
    """A URL in each line; what stands below it or behind a tab is aria2's."""
    return not any((line[0] in " \t" and _OPTION.fullmatch(line)) or "\t" in line.strip() for line in lines) and _most(
        lines, lambda line: _URL.match(line.strip())
    )


def _is_aria2(lines: list[str]) -> bool:
    """URLs, and options below some or several on a line; where neither is, it is a list of URLs."""
    has_more = any(_OPTION.fullmatch(line) or len([word for word in line.split() if _URL.match(word)]) > 1 for line in lines)
    return has_more and _most(lines, lambda line: (_OPTION.fullmatch if line[0] in " \t" else _URL.match)(line))


def _is_sums(lines: list[str]) -> bool:
    if lines[0].startswith("-----BEGIN PGP SIGNED MESSAGE-----"):
        return True
    return _most(lines, lambda line: read_line(line.strip()) is not None)


def _chosen(fitting: list[Format], name: str) -> Format:
    if len(fitting) > 1:
        named = [form for pattern, form in _NAMES if pattern.fullmatch(name) and form in fitting]
        fitting = named[:1] or fitting
    if not fitting:
        raise ListError("is no list of a known format; --from FORMAT says which it is")
    if len(fitting) > 1:
        raise ListError(f"may be {' or '.join(fitting)}: --from {fitting[0]} (or {', '.join(fitting[1:])}) says which it is")
    return fitting[0]
