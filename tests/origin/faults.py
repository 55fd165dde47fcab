"""Named misbehaviours that are more than one knob of `Good`: steps to put in a script, and handlers to put on a path."""

from __future__ import annotations

import base64
import gzip
import hashlib
import itertools
import re
from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate

from tests.origin.content import Body
from tests.origin.steps import Good, Handler, HangUp, Raw, Seen, Status, Step, redirect

Serve = Callable[[str, Handler], str]
_NONCE = "dcd98b7102dd2f0e8b11d0f600bfb0c0"


# Steps


def endless_head() -> Raw:
    """A head that never ends, until the client or the origin closes."""
    return Raw(b"HTTP/1.1 200 OK\r\n" + b"X-More: more\r\n" * 500, repeat=10**9)


def header_flood(count: int = 10_000) -> Good:
    """A proper answer with so many header fields."""
    return Good(fields=tuple((f"X-Flood-{n}", "drop") for n in range(count)))


def endless_body(seed: int = 1) -> Good:
    """A body without a length that never ends, until the client or the origin closes."""
    return Good(body=Body(2**60, seed=seed), length="none", ranges="ignore")


def gzipped(body: Body) -> Good:
    """A 200 with gzip although identity was asked for: truly compressed."""
    packed = replace(body, text=gzip.compress(body.read(0, body.length), mtime=0))
    return Good(body=packed, ranges="ignore", fields=(("Content-Encoding", "gzip"),))


def error_page() -> Good:
    """A page that says "not found" under status 200."""
    return Good(body=Body(text=b"<html><h1>404 Not Found</h1></html>\n", content_type="text/html", etag=None, last_modified=None))


def terminal_escapes() -> Good:
    """Fields that would clear a terminal, ring it and set its title, and a file name that climbs out of its folder."""
    evil = "\x1b[2J\x1b]0;owned\x07"
    return Good(fields=(("X-Note", evil), ("Content-Disposition", f'attachment; filename="../../{evil}evil.bin"')))


def busy_until(unix: float, status: int = 503) -> Status:
    """An answer whose Retry-After is a date (RFC 9110 section 10.2.3)."""
    return Status(status, retry_after=formatdate(unix, usegmt=True))


# Handlers


def new_etag_each_time() -> Handler:
    """Every answer has another ETag, the content being the same."""
    numbers = itertools.count(1)
    return lambda seen: Good(fields=(("ETag", f'"v{next(numbers)}"'),))


def changes_from(request: int, before: Body, after: Body) -> Handler:
    """From the given request on, numbered from 0, it is another file."""
    numbers = itertools.count()
    return lambda seen: Good(body=before if next(numbers) < request else after)


def hangs_up_on_reuse(step: Step | None = None) -> Handler:
    """The connection is closed on receipt of its second request, as by a server whose keep-alive ran out meanwhile."""
    return lambda seen: HangUp() if seen.nth else step or Good()


def basic_auth(user: str, password: str, step: Step | None = None) -> Handler:
    """401 unless the request has the right Basic credentials (RFC 7617)."""
    right = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    challenge = Status(401, (("WWW-Authenticate", 'Basic realm="origin"'),))
    return lambda seen: (step or Good()) if seen.fields.get("authorization") == right else challenge


def digest_auth(user: str, password: str, step: Step | None = None) -> Handler:
    """401 unless the request has the right Digest credentials (RFC 7616, MD5 and qop=auth)."""
    challenge = Status(401, (("WWW-Authenticate", f'Digest realm="origin", nonce="{_NONCE}", qop="auth", algorithm=MD5'),))
    return lambda seen: (step or Good()) if _digest_holds(seen, user, password) else challenge


def needs_cookie(name: str = "session", value: str = "s3cret", step: Step | None = None) -> Handler:
    """The first answer sets a cookie; later requests without it get 403."""
    numbers = itertools.count()
    welcome = Good(fields=(("Set-Cookie", f"{name}={value}; Path=/"),))

    def answer(seen: Seen) -> Step:
        if next(numbers) == 0:
            return welcome
        pairs = [pair.strip() for pair in seen.fields.get("cookie", "").split(";")]
        return (step or Good()) if f"{name}={value}" in pairs else Status(403)

    return answer


def redirect_chain(handle: Serve, path: str, hops: int, target: str, status: int = 302) -> str:
    """Put a chain of so many redirects on `path`, the last of which leads to `target`. Returns the URL of its start.

    `handle` is `Origin.handle`; a chain whose target is its own path is a loop.
    """
    stations = [path, *(f"{path}/{n}" for n in range(1, hops)), target]
    urls = [handle(here, _leads_to(there, status)) for here, there in itertools.pairwise(stations)]
    return urls[0]


def _leads_to(target: str, status: int) -> Handler:
    return lambda seen: redirect(target, status)


def _digest_holds(seen: Seen, user: str, password: str) -> bool:
    scheme, _, rest = seen.fields.get("authorization", "").partition(" ")
    given = {name: quoted or plain for name, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', rest)}
    if scheme.lower() != "digest" or given.get("nonce") != _NONCE or given.get("uri") != seen.target:
        return False
    identity, request = _md5(f"{user}:origin:{password}"), _md5(f"{seen.method}:{seen.target}")
    middle = ":".join(given.get(name, "") for name in ("nonce", "nc", "cnonce", "qop"))
    # Fields are read as Latin-1; credentials come in UTF-8.
    return given.get("username", "") == user.encode().decode("latin-1") and given.get("response") == _md5(f"{identity}:{middle}:{request}")


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()
