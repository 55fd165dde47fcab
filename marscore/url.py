"""Url: a URL that was parsed, and is what is checked, asked and shown. No other code decides what a URL's host is.

    text --parse_url--> Url            Url + Location --resolve--> Url            a proxy's text --parse_proxy--> Url
    Url.origin    what credentials and manifest headers are bound to
    Url.text      what an HTTP client is given and what is shown: composed of the parsed parts alone, so that it reads one way only

Readers of URLs differ: `http://a\\@b/` is at b to some and at a to others, 127.1 and 010.0.0.1 are addresses, other addresses or names, and
a character of Unicode may become a slash. So the grammar is narrow, what it does not hold is refused, and nobody is given the text itself.

Scheme and host are normalized, since they say who is asked. Path and query belong to the server, to which /a/../b, /%7e and /a? may mean
something else than /b, /%7E and /a, or be what was signed: they are kept as they are written.

What a host may be, `hostname.py` says. A ValueError says what is wrong and never quotes the URL, which may hold a password.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from urllib.parse import quote, unquote

from marscore.frozen import dataclass
from marscore.hostname import LONGEST_LABEL, has_short_labels, parse_host
from marscore.public import WRITTEN, public_url

#: How a reference is written, which may leave out what comes first (RFC 3986 appendix B).
_REFERENCE = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*:)?(?P<authority>//[^/?#]*)?(?P<path>[^?#]*)(?P<query>\?[^#]*)?")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_PROXY_PORTS = _DEFAULT_PORTS | dict.fromkeys(("socks4", "socks4a", "socks5", "socks5h"), 1080)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_SPACE_OR_CONTROL = re.compile(r"[\s\x00-\x20\x7f-\x9f\ud800-\udfff]")

_PLACE = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::([0-9]*))?")

#: A path and query in which nothing has to be percent-encoded: the usual case, in one step.
_PLAIN = r"/[A-Za-z0-9._~/?=&+,;:@!$'()*-]*"
_PLAIN_TARGET = re.compile(_PLAIN)
#: What a URL of a long manifest looks like, divided where WRITTEN divides it: 1.2 µs for each instead of 2.5.
_ORDINARY = re.compile(rf"(https?://[A-Za-z0-9.:-]+)({_PLAIN})")
#: A segment . or .. of a path.
_DOTS = re.compile(r"(?:\A|/)\.\.?(?:/|\Z)")
#: What stands before a path.
_BEFORE_PATH = re.compile("[^:/?#]*://[^/?#]*")
#: What RFC 3986 does not let stand in a path or a query.
_NOT_SENT = re.compile(r"%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9._~/?=&+,;:@!$'()*%-]")


@dataclass(frozen=True, slots=True)
class Url:
    """A URL whose parts were checked; made by `parse_url`, `resolve` and `parse_proxy`.

    `host` is ASCII in lower case, an IPv6 address without its brackets; `target` the path and query exactly as they are sent; `username`
    and `password` are decoded, None where there are none. There is no fragment: it is never sent.
    """

    scheme: str
    host: str
    port: int
    target: str
    username: str | None = None
    password: str | None = None

    @property
    def host_port(self) -> str:
        """`host:port`, the key of per-host limits and pauses."""
        return f"{self.bracketed}:{self.port}"

    @property
    def origin(self) -> str:
        """`scheme://host:port`, what credentials and manifest headers are bound to (RFC 6454 section 4)."""
        return f"{self.scheme}://{self.bracketed}:{self.port}"

    @property
    def authority(self) -> str:
        """The Host field: without the scheme's own port (RFC 9110 section 7.2), the root's dot, and a zone, which means nothing there."""
        host = f"[{self.host.partition('%')[0]}]" if ":" in self.host else self.host.removesuffix(".")
        return host + self._port

    @property
    def text(self) -> str:
        """The URL to ask and to show: no userinfo, no fragment."""
        return f"{self.scheme}://{self.bracketed}{self._port}{self.target}"

    @property
    def text_with_userinfo(self) -> str:
        """The same with user name and password, for a client that takes a proxy's from there."""
        if self.username is None:
            return self.text
        password = "" if self.password is None else f":{quote(self.password, safe='')}"
        return f"{self.scheme}://{quote(self.username, safe='')}{password}@{self.bracketed}{self._port}{self.target}"

    @property
    def bracketed(self) -> str:
        """The host as it stands in a URL: an IPv6 address in brackets, its zone after %25 (RFC 6874 section 2)."""
        return f"[{self.host.replace('%', '%25')}]" if ":" in self.host else self.host

    @property
    def can_be_resolved(self) -> bool:
        """Whether DNS can hold the host at all: no part of its name is longer than it allows."""
        return has_short_labels(self.host)

    @property
    def _port(self) -> str:
        return "" if _DEFAULT_PORTS.get(self.scheme) == self.port else f":{self.port}"

    def __repr__(self) -> str:
        return f"Url({public_url(self.text)!r})"


def parse_url(text: str) -> Url:
    """Read an absolute URL of http or https.

    Raises:
        ValueError: it is none, or two readers might differ about it.
    """
    if ordinary := _ORDINARY.fullmatch(text):
        scheme, host, port, username, password = _site(ordinary[1])
        return Url(scheme, host, port, ordinary[2], username, password)
    return _parse(text, _DEFAULT_PORTS, "must begin with http:// or https://")


def check_url(text: str) -> None:
    """Refuse what `parse_url` refuses, for who has no use for the parts: a long list makes none of the usual URLs.

    Raises:
        ValueError: as in `parse_url`.
    """
    if ordinary := _ORDINARY.fullmatch(text):
        _site(ordinary[1])
    else:
        parse_url(text)


def parse_proxy(text: str) -> Url:
    """Read the URL of a proxy, which may be of SOCKS too; without a scheme it is of http, as in environments.

    Raises:
        ValueError: as in `parse_url`.
    """
    url = _parse(text if "://" in text else f"http://{text}", _PROXY_PORTS, "must begin with http://, https:// or socks5://")
    if not url.can_be_resolved:
        raise ValueError(f"must name a host whose parts have {LONGEST_LABEL} characters at most")
    return url


def _parse(text: str, schemes: Collection[str], wrong_scheme: str) -> Url:
    if _SPACE_OR_CONTROL.search(text):
        raise ValueError("must not hold spaces or control characters; write a space as %20")
    match = WRITTEN.match(text)
    if match is None or match["scheme"].lower() not in schemes:
        raise ValueError(wrong_scheme)
    path = match.start("path")
    scheme, host, port, username, password = _site(text[:path])
    return Url(scheme, host, port, _target(text[path : match.end()]), username, password)


def resolve(base: Url, reference: str) -> Url:
    """The URL that a reference of `base` means (RFC 3986 section 5.2, RFC 9110 section 10.2.2), as in a Location field.

    A path that begins with a / is taken as it is written, dots included; of another one, the segments . and .. say where it leads from
    the base. Spaces in its path or query are taken for %20, since servers write them. A user name and password in it are not taken over:
    who sends a reference has no say in who we are (RFC 9110 section 4.2.4).

    Raises:
        ValueError: as in `parse_url`.
    """
    if _CONTROL.search(reference):
        raise ValueError("must not hold control characters")
    parts = _REFERENCE.match(reference)
    assert parts is not None, "each of its parts may be empty"
    path, query = parts["path"], parts["query"] or ""
    if parts["scheme"] or parts["authority"]:
        scheme, authority = parts["scheme"] or f"{base.scheme}:", parts["authority"] or ""
        found = parse_url(scheme + authority + as_sent(path) + as_sent(query))
        return Url(found.scheme, found.host, found.port, found.target)
    before, mark, asked = base.target.partition("?")
    if not path:
        path, query = before, query if parts["query"] else mark + asked
    elif not path.startswith("/"):
        path = _merged(before, path)
    return Url(base.scheme, base.host, base.port, _target(path + query))


def _merged(base: str, path: str) -> str:
    """The path that a relative one means (RFC 3986 section 5.2.3); where it has no segments of dots, nothing else is touched."""
    merged = f"{base.rpartition('/')[0]}/{path}"
    return _without_dots(merged) if _DOTS.search(path) else merged


def host_of(text: str) -> str:
    """The `host:port` that a URL's connections go to, the key of per-host limits and pauses."""
    before = _BEFORE_PATH.match(text)
    return _host_port(before[0] if before else text)


@lru_cache(maxsize=1024)
def _host_port(text: str) -> str:
    return parse_url(text).host_port


@lru_cache(maxsize=1024)
def _site(text: str) -> tuple[str, str, int, str | None, str | None]:
    """Scheme, host, port, user name and password of what stands before a path: many URLs of few hosts, each looked at once."""
    parts = WRITTEN.fullmatch(text)
    assert parts is not None, "it was matched as a part of the whole"
    if "\\" in text:
        raise ValueError("must not hold a backslash before its path")
    place = _PLACE.fullmatch(parts["place"])
    if place is None or not place[1]:
        raise ValueError("must name a host and, if any, a port from 1 to 65535")
    scheme = parts["scheme"].lower()
    return scheme, parse_host(place[1]), _port(place[2], scheme), *_credentials(parts["userinfo"])


def _port(text: str | None, scheme: str) -> int:
    # An empty port is the scheme's own (RFC 3986 section 3.2.3).
    if not text:
        return _PROXY_PORTS[scheme]
    if len(text.lstrip("0")) > 5 or not 1 <= int(text) <= 65535:
        raise ValueError("must have a port from 1 to 65535")
    return int(text)


def _credentials(userinfo: str | None) -> tuple[str | None, str | None]:
    if not userinfo or userinfo == ":":
        return None, None
    username, _, password = userinfo.partition(":")
    try:
        username, password = unquote(username, errors="strict"), unquote(password, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("must have a user name and password in UTF-8, where they are percent-encoded") from None
    if _CONTROL.search(username) or _CONTROL.search(password):
        # RFC 7617 section 2; libcurl takes no NUL.
        raise ValueError("must not hold control characters in its user name and password")
    return username, password


def _target(text: str) -> str:
    """A path and query as they are sent. They are never empty: without a path, it is the root's (RFC 9112 section 3.2.1)."""
    if _PLAIN_TARGET.fullmatch(text):
        return text
    return as_sent(text if text.startswith("/") else f"/{text}")


def as_sent(text: str) -> str:
    """Text as it stands in a path or query that is sent: percent-encoded in UTF-8 where RFC 3986 does not let it stand, nowhere else."""
    return _NOT_SENT.sub(_encoded, text)


def _encoded(match: re.Match[str]) -> str:
    return "".join([f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogatepass")])


def _without_dots(path: str) -> str:
    # RFC 3986 section 5.2.4.
    segments: list[str] = []
    for segment in path.split("/")[1:]:
        if segment == "..":
            del segments[-1:]
        elif segment != ".":
            segments.append(segment)
    if path.endswith(("/.", "/..")):
        segments.append("")
    return "/" + "/".join(segments)
