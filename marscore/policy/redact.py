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
#: Query names whose values open doors: signed URLs of the large stores, API keys, session ids.
_TOKEN_LIKE = re.compile(
    r"(?i)token|secret|passw|pwd|signature|^sig$|credential|api[-_]?key|access[-_]?key|^key$|auth|session|jwt|^code$|hmac"
)
#: What begins a part of a URL that may be secret.
_TELLING = re.compile("[@?#]")
_URL_IN_TEXT = re.compile(r"(?i)\bhttps?://[^\s'\"<>]+")
#: Fields of events that may hold a URL or words of a server or of the operating system. Those that are paths are not among them.
_TEXT_FIELDS = {"url", "source", "from_", "to", "message", "reason", "name", "host", "etag", "last_modified"}

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
            if value is not None and (shown := self.text(value)) != value:
                changed[name] = shown
        return replace(event, **changed) if changed else event


@cache
def _texts_of(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind) if field.name in _TEXT_FIELDS)
