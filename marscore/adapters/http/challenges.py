"""Which credentials a request shows, by what its origin has asked for: one rule for both transports.

    authorization --> request --> 401 --learn--> the same request once more, with what is asked for

libcurl could do Digest by itself, and writes user names that are not ASCII as no server reads them; requests' own mixes several challenges
up, and reads their bodies however long they are.
"""

from __future__ import annotations

import base64
import itertools
import secrets
from collections.abc import Iterator
from typing import TypeAlias

from marscore.adapters.http.access import credentials_of
from marscore.policy.digest import Asked, Challenge, answer_to, challenge_of, offers_basic
from marscore.ports import Request
from marscore.url import Url
from marscore.values import Credentials

_Known: TypeAlias = tuple[Challenge, Iterator[int]]
_UNASKED: _Known = (Challenge("", ""), iter(()))


class Challenges:
    """What origins have asked for, so that each is asked once without credentials and not for every file.

    Threads may share it: what is kept of an origin is replaced as a whole.
    """

    def __init__(self) -> None:
        #: By origin and credentials: a challenge is answered to who made it. None: Basic is what it wants.
        self._known: dict[tuple[str, Credentials], _Known | None] = {}

    def authorization(self, request: Request, url: Url) -> bytes | None:
        """The value of Authorization that `url` is shown, in UTF-8; None where there is none, or it has not asked for it yet."""
        who = credentials_of(request, url)
        if who is None:
            return None
        known = None if who.scheme == "basic" else self._known.get((url.origin, who), _UNASKED)
        if known is _UNASKED:
            return None
        if known is None:
            # RFC 7617 section 2.
            return b"Basic " + base64.b64encode(f"{who.username}:{who.password}".encode())
        challenge, counts = known
        return answer_to(challenge, who, Asked(url.target, next(counts), secrets.token_hex(8)))

    def learn(self, request: Request, url: Url, field: str) -> bool:
        """Take note of the WWW-Authenticate field of a 401; says whether there is an answer to it that was not given yet.

        To a challenge of Digest there always is one, so the caller gives one and no more.
        """
        who = credentials_of(request, url)
        if who is None or who.scheme == "basic":
            return False
        key, challenge = (url.origin, who), challenge_of(field)
        if challenge is not None:
            self._known[key] = (challenge, itertools.count(1))
        elif who.scheme == "auto" and offers_basic(field) and self._known.get(key, _UNASKED) is not None:
            self._known[key] = None
        else:
            return False
        return True
