"""Where the scalars of a manifest's text begin and end, and what of the text must not be shown. Read only when something is wrong.

    text --libyaml's events, with the keys above each scalar--> Spans: an end for each start, and stretches of text that are secret

What is secret is told by the keys: passwords, headers that speak of authorization, names that resemble those (a misspelt `pasword` too),
what stands in `auth`; and by the text: userinfo of URLs, values of token-like query parameters, what follows `Bearer`. What stands there
as a name of the environment is none. Where YAML ends with an error, the rest is judged line by line, rather too strictly than not.
"""

from __future__ import annotations

import difflib
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import field
from functools import lru_cache
from typing import Any

import yaml

from marscore.frozen import dataclass
from marscore.manifest.header_keys import holds_headers
from marscore.public import is_harmless_header, is_telling, is_token_like

_RESEMBLED = ("password", "passphrase", "token", "secret", "authorization", "cookie", "credentials", "api-key")
#: Keys whose names are telling and whose values are none: paths and words.
_HARMLESS = {"scheme", "auth_type"}
#: Mappings that are none of a manifest, and in which others keep secrets: variables, and words of a command.
_VARIABLES = {"env", "environment", "vars", "variables", "on_success", "on_failure"}
_CERTIFICATE_FILE = re.compile(r"(?i).*\.(?:pem|key|crt|cer|der|p12|pfx)|\$\{\w+\}")
#: Mappings in which all is secret, but for the keys.
_MAPPINGS = {"auth", "headers"}
_AUTH_WORDS = {"netrc", "none", "", "basic", "digest", "auto", "true", "false"}
_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)*")
#: Names of the environment and nothing else, but for a scheme's word in front.
_REFERENCES = re.compile(r"[\"']?(?:[A-Za-z]+ +)?(?:\$\{\w+\}[\s:]*)+[\"']?\s*")
_TEMPLATE_NAME = re.compile(r"\{(\w+)")
_QUERY = re.compile(r"[?&#;]([^=&#;?\s]{1,80})=")
_SCHEME_WORD = re.compile(r"(?i)\b(?:bearer|basic)\s+(?!\$\{)([^\s\"'].*)")
#: Names with a value behind them, as in `-H "Authorization: abc"`.
_NAMED = re.compile(r"(?<![\w.-])([\w.-]{2,64})[\"']?\s*[:=]\s*")
#: Options of curl and its like whose words are headers and logins, as in a line that was pasted.
_PASTED = re.compile(r"(?:^|\s)(?:-[Hub]|--(?:header|user|proxy-user|cookie|password))[\s=]*[\"']?(\S.*)")
#: A name and its value without a colon between.
_SPACED = re.compile(r"\s*(?:- +)*[\"']?([\w.-]{2,64})\s+(?=[^\s:=])")
#: More of a value is not looked at, and hidden.
_LONGEST = 4000
#: Without any of these there is nothing to be hidden in a value that is no secret as a whole. A scheme's `://` is no reason yet.
_SUSPECT = re.compile(r"(?i)[@?#;&]|\s-[-Hub]|\$\{|bearer|basic|://[^/?#\s]*:(?!\d{1,5}[/\"'\s])|[\w.-]\s*[:=]\s*[^/\s]")
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^:\"'@]*)(?::(?:\d+|\$\{\w+\}))?")
_DEFAULT = re.compile(r"\$\{(\w+):-([^}$]+)\}")

Mark = tuple[int, int]
Stretch = tuple[int, int]


@dataclass(slots=True)
class Spans:
    """`ends` maps the start of a scalar (line and column, from 1) to its end; `scalars` and `secret` hold stretches of the text, from 0.

    Up to `known` the text was understood; `pending` says that what comes there is a secret's value.
    """

    ends: dict[Mark, Mark] = field(default_factory=dict)
    scalars: list[Stretch] = field(default_factory=list)
    secret: list[Stretch] = field(default_factory=list)
    known: int = 0
    pending: bool = False


def spans_of(text: str) -> Spans:
    """Look at all scalars, as far as the text is YAML."""
    reader = _Reader(text)
    try:
        for event in yaml.parse(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            reader.take(event)
    except (yaml.YAMLError, ValueError, RecursionError):
        reader.stop()
    else:
        reader.spans.known = len(text)
    reader.finish()
    return reader.spans


@lru_cache(maxsize=4096)
def is_sensitive(name: str) -> bool:
    """Whether a key is called like something that opens doors, or nearly so."""
    return is_telling(name) or bool(difflib.get_close_matches(name.lower()[:64], _RESEMBLED, n=1, cutoff=0.75))


def secret_in(line: str) -> Iterator[Stretch]:
    """What must not be shown of a line of which nobody knows what it means."""
    yield from _in_value(line)
    if found := re.match(r"(?:.*?://|\s*(?:- +)*(?:[\w.-]+:\s+)?)(.*)@", line):
        yield found.span(1)
    if found := re.search(r"://[^/?#\s]*:(?!\d)(.*)", line):
        yield found.span(1)
    if (found := _SPACED.match(line)) and is_sensitive(found[1]) and not is_reference(line[found.end() :]):
        yield found.end(), len(line)
    yield from _named(line)


def _named(text: str) -> Iterator[Stretch]:
    """What stands behind a name that is called like something that opens doors."""
    for found in _NAMED.finditer(text):
        if is_sensitive(found[1]) and found.end() < len(text) and not is_reference(text[found.end() :]):
            yield found.end(), len(text)


def comment_in(text: str, start: int, end: int, spans: Spans) -> int | None:
    """Where the comment of a line begins."""
    hashes = (start + found.start() for found in re.finditer(r"(?:^|(?<=[\s{}\[\],]))#", text[start:end]))
    return next((at for at in hashes if not scalar_at(at, spans)), None)


def scalar_at(at: int, spans: Spans) -> bool:
    """Whether a scalar began before this place, or there, and goes on behind it."""
    before = bisect_right(spans.scalars, at, key=lambda stretch: stretch[0]) - 1
    return before >= 0 and spans.scalars[before][1] > at


def is_sensitive_text(text: str) -> bool:
    """Whether any word of a text is called like something that opens doors, or nearly so."""
    return any(is_sensitive(word) for word in re.findall(r"[\w-]{3,64}", text))


def is_reference(text: str) -> bool:
    """Whether a text is names of the environment and nothing else, but for a scheme's word in front and brackets behind."""
    return _REFERENCES.fullmatch(text.strip(" \t,}]\"'") + "}") is not None


@dataclass(slots=True)
class _Frame:
    """A collection: the keys above it, whether all in it is secret, and the key that waits for its value."""

    names: tuple[str, ...]
    hushed: bool
    is_map: bool
    key: str | None = None


class _Reader:
    def __init__(self, text: str) -> None:
        self.spans = Spans()
        self._text = text
        self._frames: list[_Frame] = []
        self._each: list[tuple[str, Stretch]] = []
        self._names: set[str] = set()
        self._anchored: dict[str, Stretch] = {}

    def take(self, event: Any) -> None:
        kind = type(event)
        if kind is yaml.ScalarEvent:
            self._scalar(event)
        elif kind in (yaml.MappingStartEvent, yaml.SequenceStartEvent):
            names, hushed = self._place()
            if hushed and (event.anchor or event.tag) and names[-1] not in _MAPPINGS:
                self.spans.secret.append((event.start_mark.index, event.end_mark.index))
            self._frames.append(_Frame(names, hushed, kind is yaml.MappingStartEvent))
        elif kind in (yaml.MappingEndEvent, yaml.SequenceEndEvent):
            self._frames.pop()
            self._filled()
        elif kind is yaml.AliasEvent:
            if self._is_secret(""):
                # A password may begin with * too.
                self._hide(*self._anchored.get(event.anchor, (event.start_mark.index, event.end_mark.index)))
            self._filled()
        self.spans.known = event.end_mark.index

    def stop(self) -> None:
        self.spans.pending = bool(self._frames) and self._is_secret("-")

    def finish(self) -> None:
        """Names in `each` are secret where they stand in a secret."""
        for name, stretch in self._each:
            if name in self._names:
                self._hide(*stretch)

    def _scalar(self, event: Any) -> None:
        start, end = event.start_mark, event.end_mark
        self.spans.ends[start.line + 1, start.column + 1] = (end.line + 1, end.column + 1)
        self.spans.scalars.append((start.index, end.index))
        frame = self._frames[-1] if self._frames else None
        if frame is not None and frame.is_map and frame.key is None:
            frame.key = event.value
            if frame.hushed and frame.names[-1] not in _MAPPINGS:
                # As in `password: {abc}`, where quotes are missing.
                self._hide(start.index, end.index)
            elif holds_headers(frame.names) and (colon := self._text.find(":", start.index, end.index)) >= 0:
                # As in `"X-Thing: abc": x`.
                self.spans.secret.append((colon + 1, end.index))
            self._hide_parts(start.index, end.index)
            return
        if event.anchor:
            self._anchored[event.anchor] = (start.index, end.index)
        if self._is_secret(event.value):
            self._hide(start.index, end.index)
        else:
            self._hide_parts(start.index, end.index)
        names, _ = self._place()
        if "each" in names[:-1]:
            self._each.append((names[names.index("each") + 1], (start.index, end.index)))
        self._filled()

    def _place(self) -> tuple[tuple[str, ...], bool]:
        """The keys above what comes next, and whether all in it is secret."""
        if not self._frames:
            return (), False
        frame = self._frames[-1]
        if not frame.is_map:
            return frame.names, frame.hushed or holds_headers(frame.names)
        key = frame.key or ""
        return (*frame.names, key), frame.hushed or self._is_telling(frame.names, key)

    def _is_telling(self, above: tuple[str, ...], key: str) -> bool:
        if above[-1:] == ("cert",) and key in ("key", "cert"):
            return False
        if holds_headers(above):
            return is_sensitive(key) or bool(key and not is_harmless_header(key))
        if above[-1:] in (("query",), ("params",)) and is_token_like(key):
            return True
        if above and key[:2] in ("X-", "x-") and not is_harmless_header(key):
            # A header that stands one level too high. At the top it is for anchors.
            return True
        return is_sensitive(key) or (above[-1:] == ("auth",)) or not _VARIABLES.isdisjoint(above[-1:])

    def _is_secret(self, value: str) -> bool:
        names, hushed = self._place()
        last = names[-1] if names else ""
        if last == "user" and ":" in value:
            return True
        if last in ("on_success", "on_failure") and ":" in value and "://" not in value:
            # As in `[curl, -u, "me:abc"]`.
            return True
        in_cert = names[-2:-1] == ("cert",) or (last == "cert" and not self._frames[-1].is_map)
        if in_cert and not _CERTIFICATE_FILE.fullmatch(value):
            # The password of a key, as other programs take it there, or the key itself.
            return True
        if value and self._frames and self._frames[-1].is_map and holds_headers(names):
            return True
        return hushed and last not in _HARMLESS and not (last == "auth" and value and value in _AUTH_WORDS)

    def _hide(self, start: int, end: int) -> None:
        """Hide a scalar, but for its quotes, and but for names of the environment that stand there alone."""
        raw = self._text[start:end]
        self._names.update(_TEMPLATE_NAME.findall(raw))
        lead = _PROPERTIES.match(raw)
        begin = lead.end() if lead else 0
        # A password may begin with & or ! too.
        self.spans.secret.append((start, start + begin))
        # In brackets `${` ends a scalar without quotes, which is an error, and still a name.
        whole = _REFERENCES.match(self._text, start + begin)
        if whole is not None and whole.end() >= end:
            return
        if raw[begin : begin + 1] in ("|", ">"):
            begin += 1
        elif len(raw) - begin > 1 and raw[begin] in "\"'" and raw[-1] == raw[begin]:
            begin, end = begin + 1, end - 1
        self.spans.secret.append((start + begin, end))

    def _hide_parts(self, start: int, end: int) -> None:
        if _SUSPECT.search(self._text, start, end) is None:
            return
        if end - start > _LONGEST:
            self.spans.secret.append((start + _LONGEST, end))
        self.spans.secret += [(start + a, start + b) for a, b in _in_value(self._text[start : min(end, start + _LONGEST)])]

    def _filled(self) -> None:
        """A value is complete: the next scalar in a mapping is a key."""
        if self._frames and self._frames[-1].is_map:
            self._frames[-1].key = None


def _in_value(raw: str) -> Iterator[Stretch]:
    """What must not be shown of a value that is no secret as a whole."""
    yield from _userinfo(raw)
    for found in _QUERY.finditer(raw):
        if is_token_like(found[1]) and not _REFERENCES.fullmatch(raw[found.end() :]):
            # To the end, since what is wrong with a URL may be an & in it.
            yield found.end(), len(raw.rstrip(" \t\r\n\"'"))
    for found in _DEFAULT.finditer(raw):
        if is_sensitive(found[1]):
            yield found.span(2)
    yield from (found.span(1) for found in _PASTED.finditer(raw))
    if "://" not in raw or re.search(r"\s", raw.strip()):
        yield from (found.span(1) for found in _SCHEME_WORD.finditer(raw))
        yield from _named(raw.rstrip("\"'"))


def _userinfo(raw: str) -> Iterator[Stretch]:
    starts = [found.end() for found in re.finditer("//", raw)] or ([re.match(r"[\"']?", raw).end()] if "@" in raw else [])  # type: ignore[union-attr]
    for start in starts:
        rest = raw[start:]
        authority = re.split(r"[/?#\s]", rest, maxsplit=1)[0]
        end = authority.rfind("@")
        is_host = _HOST.fullmatch(authority.rstrip("\"'") if authority == rest.rstrip() else authority)
        if end < 0 and (not is_host or (":" in authority and "@" in rest)):
            # No port: a password with a slash in it, or one that was cut off.
            end = rest.rfind("@")
            end = len(rest.rstrip(" \t\r\n\"'")) if end < 0 else end
        if end > 0 and not _REFERENCES.fullmatch(rest[:end]):
            yield start, start + end
