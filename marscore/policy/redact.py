"""Keep secrets out of everything that is written: one Redactor stands before log, report, progress and error messages.

secret values + text --> Redactor.text --> text with `${NAME}` or `***` in their place, however they are encoded there (`secret_text`)

What can be told without knowing the secrets, `marscore.public` does.
Paths are not given to it: who reads a path wants to find the file.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import fields, replace
from functools import cache
from typing import Any, TypeVar

from marscore.events import Event
from marscore.policy.secret_text import SecretText
from marscore.public import TELLING, public_url

_URL_IN_TEXT = re.compile(r"(?i)\bhttps?://[^\s'\"<>]+")
#: Fields of events that may hold a URL or words of a server or of the operating system. Those that are paths are not among them.
_TEXT_FIELDS = {"url", "source", "from_", "to", "message", "reason", "name", "host", "program", "sources", "etag", "last_modified"}

_E = TypeVar("_E", bound=Event)


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
        if "://" in text and TELLING.search(text):
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
