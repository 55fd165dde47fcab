"""Which failure is worth another try: the one place that says so.

status code --> failure_of_status --> Failure;    Failure + the statuses to retry --> is_retryable --> bool
"""

from __future__ import annotations

import re
from collections.abc import Set
from http import HTTPStatus

from marscore.hostname import LONGEST_LABEL
from marscore.url import Url
from marscore.values import Failure, FailureKind

#: Another try may go better: the network, the server's load, or one damaged transfer.
_PASSING: frozenset[FailureKind] = frozenset(
    {
        "rate_limited",
        "server_error",
        "timeout",
        "connection",
        "dns",
        "proxy",
        "truncated",
        "range_mismatch",
        "changed",
        "too_slow",
        "checksum",
    }
)
#: Another source may serve what this one does not. What stands in the way on this machine stays there for every source.
_OF_THE_MACHINE: frozenset[FailureKind] = frozenset(
    {"disk_full", "permission", "path", "archive", "resources", "store", "interrupted", "internal"}
)
#: What a server answers that is asked too much, whatever it is asked for.
BUSY = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
#: They speak of the server's state, like those of 500 and above: it got the request too late, or will not take it yet.
_TOO_SOON = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY})
#: A field of challenges (RFC 9110 section 11.6.1), cut at its commas: what begins one is a scheme, and parameters have a =.
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_SCHEME = re.compile(r"\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:\s+[^\s=]|\s*\Z)")


def is_retryable(failure: Failure, statuses: Set[int]) -> bool:
    """Whether the same source is worth another try. An answer with a status counts only if the rules list it."""
    if failure.lasting:
        return False
    if failure.status is not None and failure.status >= 400:
        return failure.status in statuses
    return failure.kind in _PASSING


def another_source_may_help(failure: Failure) -> bool:
    """Whether a mirror is worth asking after this one was given up."""
    return failure.kind not in _OF_THE_MACHINE


def failure_of_host(url: Url) -> Failure | None:
    """Why nobody can be asked for a URL, whatever DNS says; None where that is to be seen."""
    if url.can_be_resolved:
        return None
    return Failure("dns", f"a part of the host name is longer than the {LONGEST_LABEL} characters that DNS allows", lasting=True)


def failure_of_status(status: int, statuses: Set[int], retry_after: float | None, challenge: str = "") -> Failure:
    """Name what an answer with this status means; `statuses` are those that the rules retry, `challenge` its WWW-Authenticate."""
    kind: FailureKind = "http_status"
    if status in statuses and status == HTTPStatus.TOO_MANY_REQUESTS:
        kind = "rate_limited"
    elif status in statuses and (status >= 500 or status in _TOO_SOON):
        kind = "server_error"
    elif status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        kind = "proxy"
    message = f"the server answered {status}{_phrase(status)}"
    if status == HTTPStatus.UNAUTHORIZED and wants_only_digest(challenge):
        message += ": it wants Digest authentication, which auth.scheme: digest gives it"
    return Failure(kind, message, status, retry_after)


def failure_of_connect(status: int) -> Failure:
    """Name what a proxy's answer means to the request for a tunnel (RFC 9110 section 9.3.6)."""
    return Failure("proxy", f"the proxy answered {status}{_phrase(status)} to CONNECT", status)


def wants_only_digest(challenge: str) -> bool:
    """Whether a WWW-Authenticate field offers Digest (RFC 7616) and nothing else."""
    parts = _QUOTED.sub('""', challenge).split(",")
    return {match[1].lower() for part in parts if (match := _SCHEME.match(part))} == {"digest"}


def _phrase(status: int) -> str:
    # The server's own reason phrase is a stranger's text; the registered one says the same.
    try:
        return f" {HTTPStatus(status).phrase}"
    except ValueError:
        return ""


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Read a Retry-After field as seconds from `now` (Unix time): delay-seconds or an HTTP-date (RFC 9110 section 10.2.3).

    A date gone by is 0; what is neither is None, as if the field were absent.
    """
    if value is None:
        return None
    value = value.strip()
    if re.fullmatch(r"[0-9]+", value):
        return float(value[:18])
    try:
        from email.utils import parsedate_to_datetime  # noqa: PLC0415 - few servers send a date, and it takes 3 ms of a start

        date = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return max(0.0, date.timestamp() - now)
