"""Keep secrets out of everything that is written: one Redactor stands before log, report, progress and error messages.

secret values + text --> Redactor.text --> text with `${NAME}` or `***` in their place, however they are encoded there (`secret_text`)
URL --> public_url --> the URL without userinfo and with token-like query values masked

Paths are not given to it: who reads a path wants to find the file.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import fields, replace
from functools import cache
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote, unquote_plus, urlencode

from marscore.events import Event
from marscore.policy.secret_text import SecretText
from marscore.url import WRITTEN

MASK = "***"
#: A reference to a variable, as `manifest.environment` reads it.
REFERENCE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*(?::-(?:[^}$]|\$(?!\{))*)?\}")
_TYPED_USERINFO = re.compile(r"([^/]*//)([^/@]*(?:@[^/@]*)*)@")
_MARK = re.compile("[\0\1\2]")
#: Query names whose values open doors: signed URLs of the large stores, API keys, session ids.
_TOKEN_LIKE = re.compile(
    r"(?i)token|secret|pass[-_]?(?:w|phrase|code|key)|(?<![a-z])pass(?![a-z])|pwd|signature|^sig$|credential|api[-_]?key|access[-_]?key|^key$"
    r"|private[-_]?key|auth|session|jwt|^code$|^pin$|hmac"
)
#: Header fields whose values are no secrets.
_HARMLESS_HEADER = re.compile(r"(?i)accept(-.*)?|user-agent|referer|origin|range|if-.*|cache-control|pragma|dnt|content-.*|prefer")
#: How a URL begins on a command line, mistyped or not, and a user with a password and no scheme in front; no drive of Windows.
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/+")
_LOGIN = re.compile(r"\A(?![A-Za-z]:[\\/])[^/\\:@]+:[^@]*(?=@)")
#: What may stand between the slashes of a URL without a login; an IPv6 address may be cut off.
_HOST_AND_PORT = re.compile(r"[^:]*(:\d*)?|\[.*")
_WORD = re.compile(r"[^\s'\"()<>]+")
#: What begins a part of a URL that may be secret.
_TELLING = re.compile("[@?#]")
_URL_IN_TEXT = re.compile(r"(?i)\bhttps?://[^\s'\"<>]+")
#: Fields of events that may hold a URL or words of a server or of the operating system. Those that are paths are not among them.
_TEXT_FIELDS = {"url", "source", "from_", "to", "message", "reason", "name", "host", "program", "sources", "etag", "last_modified"}

_E = TypeVar("_E", bound=Event)


def public_url(url: str) -> str:
    """A URL fit to be shown: userinfo is dropped, and values of token-like query names are masked."""
    if not _TELLING.search(url):
        return url
    parts = WRITTEN.match(url)
    if parts is None:
        return MASK
    query = "" if parts["query"] is None else f"?{_public_query(parts['query'])}"
    return f"{parts['scheme']}://{parts['place']}{parts['path']}{query}"


def _public_query(query: str) -> str:
    pairs = parse_qsl(query, keep_blank_values=True)
    if not any(_TOKEN_LIKE.search(name) for name, _ in pairs):
        return query
    return urlencode([(k, MASK if _TOKEN_LIKE.search(k) else v) for k, v in pairs], safe="*")


def public_as_typed(url: str) -> str:
    """A URL of a manifest's text fit to be shown, byte for byte but for what is secret in it.

    A literal userinfo is dropped, and literal values of token-like query names are masked. References to variables stay; where they stand
    for a secret, without their defaults.
    """
    if not _TELLING.search(url):
        return url
    # What a default holds ends no part of the URL. No text of a manifest has a NUL.
    references = REFERENCE.findall(url)
    text = REFERENCE.sub("\0", url)
    before, question, query = text.partition("#")[0].partition("?")
    userinfo = _TYPED_USERINFO.match(before)
    parts = [before]
    if userinfo is not None:
        secret = userinfo[2].replace("\0", "\1") if not userinfo[2].strip("\0:") else ""
        parts = [userinfo[1], secret + "@" if secret else "\2" * userinfo[2].count("\0"), before[userinfo.end() :]]
    parts += [question, "&".join(map(_public_pair, query.split("&"))), text[len(before) + len(question) + len(query) :]]
    left = iter(references)
    return _MARK.sub(lambda mark: _shown_reference(next(left), mark[0]), "".join(parts))


def public_word(text: str) -> str:
    """A word of a command line fit to be shown, where a path was expected, and a URL or a part of one may have been given."""
    before, mark, query = text.partition("?")
    if written := _SCHEME.match(before):
        start = written.end()
        authority = before[start:].partition("/")[0]
        at = authority.rfind("@")
        if at < 0 and not _HOST_AND_PORT.fullmatch(authority):
            # What follows the colon is no port: a password with a slash in it, or one that was cut off.
            at = before[start:].rfind("@")
        before = before if at < 0 else f"{before[:start]}{MASK}{before[start + at :]}"
    else:
        before = _LOGIN.sub(MASK, before)
    return before + mark + "&".join(map(_public_pair, query.split("&")))


def public_words(text: str) -> str:
    """A message with each of its words so."""
    return _WORD.sub(lambda word: public_word(word[0]), text)


def _public_pair(pair: str) -> str:
    name, equals, value = pair.partition("=")
    if not value or not _TOKEN_LIKE.search(unquote(name)):
        return pair
    if not value.strip("\0"):
        return name + equals + value.replace("\0", "\1")
    return name + equals + MASK + "\2" * value.count("\0")


def _shown_reference(reference: str, mark: str) -> str:
    """A reference as it is (NUL), without its default (1), or not at all (2)."""
    return {"\0": reference, "\1": reference.partition(":-")[0].removesuffix("}") + "}", "\2": ""}[mark]


def is_token_like(name: str) -> bool:
    """Whether a query name is one whose values open doors, however it is percent-encoded."""
    return _TOKEN_LIKE.search(unquote(name)) is not None


def is_harmless_header(name: str) -> bool:
    """Whether the values of a header field are known to be no secrets."""
    return _HARMLESS_HEADER.fullmatch(name) is not None


def token_values(query: str) -> list[str]:
    """The values of token-like query names, as they are written and as they are meant."""
    pairs = [pair.partition("=") for pair in query.split("&")]
    written = [value for name, _, value in pairs if value and _TOKEN_LIKE.search(unquote(name))]
    return [*written, *map(unquote_plus, written)]


class Redactor:
    """Replaces known secrets in text. `secrets` maps a value to what stands for it, such as `${API_TOKEN}` or `***`.

    `words` are those that are ordinary words too, and are not replaced inside other words.
    """

    def __init__(self, secrets: Mapping[str, str], words: Collection[str] = ()) -> None:
        self.secrets = dict(secrets)
        self.words = frozenset(words)
        self._known = SecretText(secrets, self.words)

    def text(self, text: str) -> str:
        """The text with every known secret replaced, and every URL in it made public."""
        if "://" in text and _TELLING.search(text):
            text = _URL_IN_TEXT.sub(lambda match: public_url(match[0]), text)
        return self._known.replaced(text)

    def url(self, url: str) -> str:
        """The same for a text that is a URL and nothing else."""
        return self._known.replaced(public_url(url))

    def event(self, event: _E) -> _E:
        """The event with its texts redacted."""
        kind: Any = type(event)
        changed: Any = {}
        for name in _texts_of(kind):
            value = getattr(event, name)
            if value is not None and (shown := self._shown(value)) != value:
                changed[name] = shown
        return replace(event, **changed) if changed else event

    def _shown(self, value: Any) -> Any:
        """A text, or values that hold a URL."""
        return self.text(value) if isinstance(value, str) else tuple(replace(each, url=self.text(each.url)) for each in value)


@cache
def _texts_of(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind) if field.name in _TEXT_FIELDS)
