"""How an easy handle of libcurl is set up once, for all requests that go the same way: TLS, a proxy, and what we never want."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any, TypeAlias

import pycurl

from marscore.adapters.http.access import fields_of, proxy_of, refused_before, shown_certificate, trusted
from marscore.adapters.http.challenges import Challenges
from marscore.adapters.http.curl_sharing import Offered
from marscore.errors import OriginError
from marscore.frozen import dataclass
from marscore.policy.failures import failure_of_host
from marscore.policy.redirect import private
from marscore.ports import Request
from marscore.url import Url
from marscore.values import Access

#: What two requests have in common that go the same way and carry the same: access, origin, version of HTTP, own fields.
_Alike: TypeAlias = tuple[int, str, Offered, tuple[tuple[str, str], ...]]
_MOST_KNOWN = 1000


@dataclass(frozen=True, slots=True)
class Way:
    """What an easy handle is set up with, and may be used again with. `http` is the latest version that is offered."""

    scheme: str
    access: Access
    proxy: Url | None
    trusted: str | None
    http: Offered
    #: Whether the proxy is shown credentials by Digest.
    proxy_digest: bool = False


def way_to(request: Request, url: Url, http: Offered, digest_proxies: Collection[Url]) -> Way:
    """The way to ask for `url`, where HTTP up to this version is offered; `digest_proxies` are those that take credentials by Digest.

    Raises:
        OriginError: nobody can be asked for it, the proxy's URL is none, a redirect leads where it must not, or a file of certificates
            cannot be used.
    """
    if failure := failure_of_host(url):
        raise OriginError(failure)
    access, proxy = request.access, proxy_of(request.access, url)
    if refused_before(request, url, proxy):
        raise OriginError(private(url != request.url))
    if url.scheme == "https":
        shown_certificate(access)
    secure = url.scheme == "https" or (proxy is not None and proxy.scheme == "https")
    return Way(url.scheme, access, proxy, trusted(access) if secure else None, http, proxy in digest_proxies)


def set_up(curl: Any, way: Way) -> None:
    """Set a new handle up."""
    for option, value in _ALWAYS:
        curl.setopt(option, value)
    curl.setopt(pycurl.HTTP_VERSION, _VERSIONS[way.http])
    curl.setopt(pycurl.CONNECTTIMEOUT_MS, max(1, int(way.access.timeouts.connect * 1000)))
    if way.scheme == "https":
        _set_up_tls(curl, way)
    # Empty, libcurl looks for no proxy in the environment, and for no host that goes without.
    curl.setopt(pycurl.PROXY, "")
    curl.setopt(pycurl.NOPROXY, "")
    if way.proxy is not None:
        _set_up_proxy(curl, way.proxy, way)


def _set_up_proxy(curl: Any, proxy: Url, way: Way) -> None:
    # With its port: where none is written, libcurl takes 1080.
    curl.setopt(pycurl.PROXY, f"{proxy.scheme}://{proxy.host_port}")
    if proxy.scheme == "https":
        _trust(curl, way.trusted, _PROXYS)
    if proxy.username is not None:
        curl.setopt(pycurl.PROXYAUTH, pycurl.HTTPAUTH_DIGEST if way.proxy_digest else pycurl.HTTPAUTH_BASIC)
        curl.setopt(pycurl.PROXYUSERNAME, proxy.username.encode())
        curl.setopt(pycurl.PROXYPASSWORD, (proxy.password or "").encode())


def set_target(curl: Any, way: Way, url: Url) -> None:
    """Let the request line hold what the URL says; libcurl writes escapes in upper case, and leaves out an empty query for a proxy."""
    if way.scheme == "http" and way.proxy is not None and way.proxy.scheme in ("http", "https"):
        # Without a zone, which means nothing elsewhere (RFC 6874 section 4).
        host = f"[{url.host.partition('%')[0]}]" if "%" in url.host else url.bracketed
        curl.setopt(pycurl.REQUEST_TARGET, url.text.replace(url.bracketed, host, 1))
    else:
        curl.setopt(pycurl.REQUEST_TARGET, url.target)


class Ways:
    """Finds ways, and what requests carry. For many files of one origin that are asked for alike, it looks once.

    `digest_proxies` are those that take credentials by Digest. The environment is that of the first request.
    """

    def __init__(self, challenges: Challenges, digest_proxies: Collection[Url]) -> None:
        self._challenges = challenges
        self._digest_proxies = digest_proxies
        #: Each way by itself: two that are equal are one.
        self._same: dict[Way, Way] = {}
        #: By what the answer depends on; the access is held, so that its id is nobody else's.
        self._known: dict[_Alike, tuple[Access, Way, tuple[bytes, ...]]] = {}

    def find(self, request: Request, url: Url, http: Offered) -> tuple[Way, tuple[bytes, ...]]:
        """The way to ask for `url`, and the lines of header fields that the request carries.

        Raises:
            OriginError: as in `way_to`.
        """
        alike = (id(request.access), url.origin, http, request.fields)
        if (known := self._known.get(alike)) is not None and _is_plain(request, url):
            return known[1:]
        way = way_to(request, url, http, self._digest_proxies)
        way = self._same.setdefault(way, way)
        lines = [_line(name, value) for name, value in fields_of(request, url)]
        if (authorization := self._challenges.authorization(request, url)) is not None:
            lines.append(b"Authorization: " + authorization)
        if _is_plain(request, url) and way.proxy is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[alike] = (request.access, way, tuple(lines))
        return way, tuple(lines)


def _is_plain(request: Request, url: Url) -> bool:
    """Whether its URL is the manifest's own, and nobody asks for credentials."""
    return url is request.url and url.username is None and request.access.auth is None


def _line(name: str, value: str) -> bytes:
    # With nothing behind its colon, libcurl would leave the field out.
    text = f"{name}: {value}" if value.strip() else f"{name};"
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()


def _set_up_tls(curl: Any, way: Way) -> None:
    _trust(curl, way.trusted, _ORIGINS)
    if (cert := way.access.cert) is not None:
        curl.setopt(pycurl.SSLCERT, os.fsencode(cert.cert))
        curl.setopt(pycurl.SSLKEY, os.fsencode(cert.key or cert.cert))
        # Without one, OpenSSL would ask the terminal for it.
        curl.setopt(pycurl.KEYPASSWD, (cert.password or "").encode())


def _trust(curl: Any, certificates: str | None, options: tuple[int, int, int, int]) -> None:
    """Verify an origin's certificate, or a proxy's; not at all where there is nothing to verify it by."""
    file, folder, peer, host = options
    if certificates is None:
        curl.setopt(peer, 0)
        curl.setopt(host, 0)
    elif Path(certificates).is_dir():
        curl.unsetopt(file)
        curl.setopt(folder, os.fsencode(certificates))
    else:
        curl.setopt(file, os.fsencode(certificates))


#: The options that say who is trusted, and what is verified.
_ORIGINS = (pycurl.CAINFO, pycurl.CAPATH, pycurl.SSL_VERIFYPEER, pycurl.SSL_VERIFYHOST)
_PROXYS = (pycurl.PROXY_CAINFO, pycurl.PROXY_CAPATH, pycurl.PROXY_SSL_VERIFYPEER, pycurl.PROXY_SSL_VERIFYHOST)
_VERSIONS = {"1.1": pycurl.CURL_HTTP_VERSION_1_1, "2": pycurl.CURL_HTTP_VERSION_2TLS, "3": pycurl.CURL_HTTP_VERSION_3}
#: CURLOPT_SUPPRESS_CONNECT_HEADERS, for which pycurl has no name.
_SUPPRESS_CONNECT_HEADERS = 265
_ALWAYS = (
    (pycurl.NOSIGNAL, 1),
    (pycurl.PATH_AS_IS, 1),
    (pycurl.FOLLOWLOCATION, 0),
    (pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
    (pycurl.HTTP_CONTENT_DECODING, 0),
    (_SUPPRESS_CONNECT_HEADERS, 1),
    (pycurl.COOKIEFILE, ""),
    (pycurl.TCP_KEEPALIVE, 1),
)
