"""How an easy handle of libcurl is set up once, for all requests that go the same way: TLS, proxy, credentials, and what we never want."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pycurl

from marscore.adapters.http.access import Proxy, credentials_of, proxy_of, trusted
from marscore.frozen import dataclass
from marscore.ports import Request
from marscore.url import Url
from marscore.values import Access, Credentials


@dataclass(frozen=True, slots=True)
class Way:
    """What an easy handle is set up with, and may be used again with."""

    scheme: str
    access: Access
    credentials: Credentials | None
    proxy: Proxy | None
    trusted: str | None


def way_to(request: Request, url: Url) -> Way:
    """The way to ask for `url`.

    Raises:
        OriginError: the proxy's URL is none.
    """
    access = request.access
    bundle = trusted(access) if url.scheme == "https" else None
    return Way(url.scheme, access, credentials_of(request, url), proxy_of(access, url), bundle)


def set_up(curl: Any, way: Way) -> None:
    """Set a new handle up."""
    for option, value in _ALWAYS:
        curl.setopt(option, value)
    curl.setopt(pycurl.CONNECTTIMEOUT_MS, max(1, int(way.access.timeouts.connect * 1000)))
    if way.scheme == "https":
        _set_up_tls(curl, way)
    if way.credentials is not None:
        curl.setopt(pycurl.HTTPAUTH, pycurl.HTTPAUTH_BASIC)
        curl.setopt(pycurl.USERNAME, way.credentials.username.encode())
        curl.setopt(pycurl.PASSWORD, way.credentials.password.encode())
    # Empty, libcurl looks for no proxy in the environment.
    curl.setopt(pycurl.PROXY, "" if way.proxy is None else way.proxy.url.text.removesuffix("/"))
    curl.setopt(pycurl.NOPROXY, "" if way.proxy is None else way.proxy.besides)
    if way.proxy is not None and way.proxy.url.username is not None:
        curl.setopt(pycurl.PROXYAUTH, pycurl.HTTPAUTH_BASIC)
        curl.setopt(pycurl.PROXYUSERNAME, way.proxy.url.username.encode())
        curl.setopt(pycurl.PROXYPASSWORD, (way.proxy.url.password or "").encode())


def _set_up_tls(curl: Any, way: Way) -> None:
    if way.trusted is None:
        curl.setopt(pycurl.SSL_VERIFYPEER, 0)
        curl.setopt(pycurl.SSL_VERIFYHOST, 0)
    elif Path(way.trusted).is_dir():
        curl.unsetopt(pycurl.CAINFO)
        curl.setopt(pycurl.CAPATH, os.fsencode(way.trusted))
    else:
        curl.setopt(pycurl.CAINFO, os.fsencode(way.trusted))
    if (cert := way.access.cert) is not None:
        curl.setopt(pycurl.SSLCERT, os.fsencode(cert.cert))
        curl.setopt(pycurl.SSLKEY, os.fsencode(cert.key or cert.cert))


#: CURLOPT_SUPPRESS_CONNECT_HEADERS, for which pycurl has no name.
_SUPPRESS_CONNECT_HEADERS = 265
_ALWAYS = (
    (pycurl.NOSIGNAL, 1),
    (pycurl.PATH_AS_IS, 1),
    (pycurl.FOLLOWLOCATION, 0),
    (pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
    (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2TLS),
    (pycurl.HTTP_CONTENT_DECODING, 0),
    (_SUPPRESS_CONNECT_HEADERS, 1),
    (pycurl.COOKIEFILE, ""),
    (pycurl.TCP_KEEPALIVE, 1),
)
