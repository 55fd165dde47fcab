"""Which credentials a request shows, by what its origin has asked for: one rule for both transports.

    authorization --> request --> 401 --learn--> the same request once more, with what is asked for

libcurl could do Digest by itself, and writes user names that are not ASCII as no server reads them; requests' own mixes several challenges
up, and reads their bodies however long they are.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import secrets
import threading
from collections.abc import Iterator
from typing import TypeAlias

from marscore.adapters.http.access import credentials_of
from marscore.policy.digest import Asked, Challenge, answer_to, challenge_of, offers_basic
from marscore.ports import Request
from marscore.url import Url
from marscore.values import Credentials

_Key: TypeAlias = tuple[str, Credentials]
_Known: TypeAlias = tuple[Challenge, Iterator[int]]
_UNASKED: _Known = (Challenge("", ""), iter(()))
#: To one request: a server whose nonces are always too old is not answered for ever.
_MOST_ANSWERS = 3


class Challenges:
    """What origins have asked for, so that each is asked once without credentials and not for every file.

    Threads may share it.
    """

    def __init__(self) -> None:
        #: By origin and credentials: a challenge is answered to who made it. None: Basic is what it wants.
        self._known: dict[_Key, _Known | None] = {}
        self._lock = threading.Lock()

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
        return answer_to(challenge, who, Asked(url.target, next(counts), secrets.token_hex(8), request.method))

    def learn(self, request: Request, url: Url, field: str, answers: int) -> bool:
        """Take note of the WWW-Authenticate field of a 401; says whether it is to be answered, after so many answers to the same request.

        An answer that is refused was wrong, unless its nonce had become too old meanwhile (RFC 7616 section 3.3, stale).
        """
        who = credentials_of(request, url)
        if who is None or who.scheme == "basic":
            return False
        with contextlib.suppress(UnicodeError):
            # Fields are read as Latin-1; realms are in UTF-8.
            field = field.encode("latin-1").decode()
        challenge = challenge_of(field)
        with self._lock:
            if challenge is not None:
                return self._learn_digest((url.origin, who), challenge, answers)
            if who.scheme == "digest" or answers or not offers_basic(field):
                return False
            self._known[url.origin, who] = None
            return True

    def _learn_digest(self, key: _Key, challenge: Challenge, answers: int) -> bool:
        known = self._known.get(key)
        # Of a nonce that is in use already the count goes on: a server may take each number once.
        if known is None or known[0].nonce != challenge.nonce:
            self._known[key] = (challenge, itertools.count(1))
        return answers == 0 or (challenge.stale and answers < _MOST_ANSWERS)
