"""A download's URLs as they are asked for: those that begin with a prefix of the manifest's `mirrors` at its mirrors, in their order.

    (URL, mirrors of the download...) --Rewriting.sources_of--> (source...)

A prefix ends where a segment of a path does: `https://h/pub` is one of `https://h/pub/x` and of `https://h/pub?x`, and none of
`https://h/public`. Of several the longest holds, and no other: a URL that is rewritten is not rewritten again. What follows the prefix, the
query included, is put behind each mirror's URL as it is. The URL itself is asked only where the list names it, as with the registries of
Go's, pip's and uv's clients, so that a machine without the internet never tries to reach it; each of a download's own mirrors is rewritten
by the same rule.

User name and password of a URL stay with its own host: a mirror has those that are written in its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from marscore.url import Url, parse_url


class Rewriting:
    """The manifest's `mirrors`: prefix -> what it is asked at."""

    def __init__(self, mirrors: Mapping[str, Sequence[str]]) -> None:
        #: By origin: the targets of the prefixes, the longest first, each with its mirrors.
        self._rules: dict[str, list[tuple[str, Sequence[str]]]] = {}
        for prefix, bases in mirrors.items():
            url = parse_url(prefix)
            self._rules.setdefault(url.origin, []).append((url.target, bases))
        for rules in self._rules.values():
            rules.sort(key=lambda rule: -len(rule[0]))

    def origins(self) -> frozenset[str]:
        """Those of what is asked instead."""
        return frozenset(parse_url(base).origin for rules in self._rules.values() for _, bases in rules for base in bases)

    def sources_of(self, urls: Sequence[str]) -> tuple[str, ...]:
        """What is asked for, in this order, where these URLs are written."""
        if not self._rules:
            return tuple(urls)
        return tuple(dict.fromkeys(source for url in urls for source in self._rewritten(url)))

    def _rewritten(self, text: str) -> Sequence[str]:
        url = parse_url(text)
        for target, bases in self._rules.get(url.origin, ()):
            rest = _rest(url.target, target)
            if rest is not None:
                return [_joined(base, rest, url, text) for base in bases]
        return [text]


def _rest(target: str, prefix: str) -> str | None:
    """What follows a prefix in a target; None where it does not begin with it."""
    if not target.startswith(prefix):
        return None
    rest = target[len(prefix) :]
    if prefix.endswith("/"):
        return "/" + rest
    return rest if rest[:1] in ("", "/", "?") else None


def _joined(base: str, rest: str, url: Url, text: str) -> str:
    """The URL at a mirror; as it was written where that is the URL itself, so that it is known as such."""
    joined = base.removesuffix("/") + rest if rest.startswith("/") else base + rest
    made = parse_url(joined)
    return text if made.username is None and (made.origin, made.target) == (url.origin, url.target) else joined
