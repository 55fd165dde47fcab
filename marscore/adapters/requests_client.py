"""The general HTTP client: requests over urllib3's connection pools, behind `ports.HttpClient`.

    Request --prepare--> requests.PreparedRequest --send, one hop at a time--> Answer + body as it arrives

requests brings proxies, netrc, cookies and TLS settings. Its retries are off, so that there is one retry budget, and its
redirects are followed here, since the rules are ours: never from https to http, and manifest headers go to no other origin.

What it is given is `Url.text`, made of parts that were checked, and what it makes of that has to have the same origin. Connections and
request lines are made from the same Url (`connections.PoolAdapter`), so no reading of its own decides who is asked.

One Session serves all threads of a process: its pools are thread-safe, and a connection that one thread is done with serves the next.
Connections register themselves, so that `abort` can wake threads that wait for bytes.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from http.client import HTTPException
from typing import Any

import requests
import urllib3
from requests.auth import AuthBase, HTTPBasicAuth
from requests.cookies import extract_cookies_to_jar
from requests.utils import get_netrc_auth, select_proxy
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from marscore.adapters.connections import Connections, PoolAdapter, Way
from marscore.adapters.heads import StrictResponse
from marscore.adapters.http_failures import failure_of, is_closed
from marscore.adapters.http_response import RequestsResponse
from marscore.adapters.replay import Replayed
from marscore.adapters.wire import block_of
from marscore.errors import OriginError
from marscore.policy.redirect import PRIVATE, headers_for, is_public, next_url, sent_to, the_location
from marscore.ports import Answer, Request
from marscore.url import Url, parse_proxy, parse_url
from marscore.values import Access, Basic, Failure
from marscore.version import __version__

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PROTOCOLS = {10: "HTTP/1.0", 11: "HTTP/1.1"}
#: Fields that a request brings itself.
_OWN = frozenset({"accept-encoding", "range", "if-range", "if-none-match", "if-modified-since"})
#: Fields that change what an answer means, or how long the connection lives. Who sets one of them gets the general client.
_SPECIAL = (_OWN - {"accept-encoding"}) | {"host", "connection", "transfer-encoding", "content-length", "te", "upgrade", "expect"}
USER_AGENT = f"marscore/{__version__}"


def _addresses(host: str, port: int | None) -> Iterable[str]:
    return [str(address[0]) for *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class RequestsClient:
    """Implements `ports.HttpClient`. `connections` is how many may be open, over all hosts; `resolve` looks addresses up."""

    def __init__(self, connections: int, resolve: Callable[[str, int | None], Iterable[str]] = _addresses) -> None:
        self.has_cookies = False
        self._live = Connections(connections)
        self.idle = self._live.idle
        self._resolve = resolve
        self._session = requests.Session()
        self._session.headers = requests.structures.CaseInsensitiveDict({"User-Agent": USER_AGENT})
        adapter = PoolAdapter(self._live, pool_connections=64)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def open(self, request: Request) -> RequestsResponse:
        """Send a GET and follow its redirects."""
        with self.idle:
            return self._follow(request, self._send(request.url, request))

    def take_over(self, request: Request, connection: HTTPConnection, came: bytes) -> RequestsResponse:
        """Go on with an answer of which some bytes were read from its connection already, as if this client had asked.

        Raises:
            OriginError: as in `open`.
        """
        try:
            message = StrictResponse(Replayed(connection, came), method="GET")
            message.begin()
            raw = urllib3.HTTPResponse(
                message,
                urllib3.HTTPHeaderDict(message.msg.items()),
                message.status,
                message.version,
                decode_content=False,
                preload_content=False,
                original_response=message,
                request_method="GET",
            )
        except (OSError, HTTPException, urllib3.exceptions.HTTPError, ValueError) as error:
            connection.close()
            raise OriginError(self.explain(failure_of(error, request.access.timeouts))) from error
        self._keep_cookies(self._prepare(request.url, request), raw)
        return self._follow(request, raw)

    def _follow(self, request: Request, raw: Any) -> RequestsResponse:
        url, hops = request.url, list[tuple[Url, Url]]()
        while (location := _location(raw)) is not None:
            raw.close()
            following = location if isinstance(location, Failure) else next_url(url, location, len(hops))
            if isinstance(following, Failure):
                raise OriginError(following)
            hops.append((url, following))
            url = following
            if request.access.private_addresses == "refuse" and not self._leads_to_public(url):
                raise OriginError(PRIVATE)
            raw = self._send(url, request)
        answer = Answer(raw.status, _fields_of(raw), url, tuple(hops), _PROTOCOLS.get(raw.version, ""))
        return RequestsResponse(answer, raw, self._live, request.access.timeouts)

    def ahead(self, requests: Sequence[Request]) -> None:
        """Nothing: one request at a time."""

    def abort(self) -> None:
        """Wake every waiting thread with an error."""
        self._live.abort()

    def close(self) -> None:
        """Drop every idle connection."""
        self._session.close()
        self.idle.clear()

    def way_to(self, request: Request) -> Way | None:
        """How to ask a URL's origin directly; None where that would leave out something that this client does."""
        if self.has_cookies or any(name.lower() in _SPECIAL for name, _ in request.access.headers):
            return None
        prepared = self._prepare(request.url, replace(request, fields=()))
        settings = self._settings(request.url, request.access)
        if settings["proxies"]:
            return None
        adapter = self._session.get_adapter(request.url.text)
        assert isinstance(adapter, PoolAdapter)
        pool = adapter.get_connection_with_tls_context(prepared, settings["verify"], settings["proxies"], settings["cert"])
        headers = [("Host", request.url.authority), *((n, v) for n, v in _texts(prepared.headers) if n.lower() not in _OWN)]
        assert isinstance(pool, HTTPConnectionPool)
        try:
            return Way(pool, block_of(headers), self.idle)
        except ValueError:
            # http.client sends more than RFC 9110 allows in a field.
            return None

    def explain(self, failure: Failure) -> Failure:
        """The failure, or that the run was told to stop where that is what broke the connection."""
        return self._live.explain(failure)

    def _keep_cookies(self, prepared: requests.PreparedRequest, raw: Any) -> None:
        extract_cookies_to_jar(self._session.cookies, prepared, raw)  # type: ignore[no-untyped-call]  # requests' stubs leave it out
        self.has_cookies = self.has_cookies or bool(len(self._session.cookies))

    def _settings(self, url: Url, access: Access) -> Any:
        settings = self._session.merge_environment_settings(url.text, _proxies_of(access), True, access.verify, _cert_of(access))
        if access.verify is not True:
            # What the manifest says of TLS outranks REQUESTS_CA_BUNDLE and its kin.
            settings["verify"] = access.verify
        if access.proxies is not None:
            settings["proxies"] = _proxies_of(access)
        settings["proxies"] = _proxy_for(url, settings["proxies"])
        return settings

    def _send(self, url: Url, request: Request) -> Any:
        prepared = self._prepare(url, request)
        access = request.access
        try:
            settings = self._settings(url, access)
            # What a name meant when it was looked up and what it means when it is dialled may differ, so both are checked.
            self._live.public_only(request.access.private_addresses == "refuse" and url != request.url)
            while True:
                try:
                    # Not by Session.send, which would look at redirects by rules of its own.
                    adapter = self._session.get_adapter(url.text)
                    response = adapter.send(prepared, timeout=(access.timeouts.connect, access.timeouts.read), **settings)
                    self._keep_cookies(prepared, response.raw)
                    return response.raw
                except requests.ConnectionError as error:
                    # A kept-alive connection that the server closed meanwhile says nothing about the server: ask again at once. The next
                    # may have met the same end; a new one ends this.
                    if not is_closed(error) or not self._live.reused_by_this_thread():
                        raise
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise OriginError(self._live.explain(failure_of(error, access.timeouts))) from error
        finally:
            self._live.public_only(False)

    def _prepare(self, url: Url, request: Request) -> requests.PreparedRequest:
        own = headers_for(request.access, request.url, url) | dict(request.fields)
        # Any auth that is set keeps requests from looking in netrc, which `auth: netrc` alone asks for.
        auth = _auth_of(request) if sent_to(request.url, url) else _NoAuth()
        try:
            prepared = self._session.prepare_request(requests.Request("GET", url.text, headers=own, auth=auth))
            if parse_url(str(prepared.url)).origin != url.origin:
                raise ValueError("requests reads another origin")
        except (requests.RequestException, ValueError) as error:
            raise OriginError(Failure("redirect" if url != request.url else "connection", "not a URL that can be asked")) from error
        # With its path as it is written: requests decodes what need not be encoded.
        prepared.url = url.text
        if "%" in url.host:
            # Older versions of http.client write the zone into it.
            prepared.headers.setdefault("Host", url.authority)
        return prepared

    def _leads_to_public(self, url: Url) -> bool:
        try:
            return all(map(is_public, self._resolve(url.host, url.port)))
        except (OSError, ValueError):
            # A proxy may know a name that this machine does not; without one, the connection fails by itself.
            return True


class _NoAuth(AuthBase):
    def __call__(self, prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        return prepared


def _auth_of(request: Request) -> AuthBase:
    auth, url = request.access.auth, request.url
    if isinstance(auth, Basic):
        return _basic(auth.username, auth.password)
    if auth == "netrc":
        found = get_netrc_auth(url.text)
        return _basic(*found) if found else _NoAuth()
    return _NoAuth() if url.username is None else _basic(url.username, url.password or "")


def _basic(username: str, password: str) -> AuthBase:
    # In UTF-8 (RFC 7617 section 2.1); of text, requests makes Latin-1.
    return HTTPBasicAuth(username.encode(), password.encode())


def _proxies_of(access: Access) -> dict[str, Any]:
    # A None there is requests' way to say: no proxy for this scheme, whatever the environment says.
    return {} if access.proxies is None else {"http": access.proxies.http, "https": access.proxies.https}


def _proxy_for(url: Url, proxies: Mapping[str, Any]) -> dict[str, str]:
    """The proxy for a URL, read once; none where there is none."""
    found = select_proxy(url.text, proxies)
    try:
        return {url.scheme: parse_proxy(found).text_with_userinfo} if found else {}
    except ValueError as error:
        raise OriginError(Failure("proxy", f"the proxy's URL {error}")) from None


def _cert_of(access: Access) -> str | tuple[str, str] | None:
    if access.cert is None:
        return None
    return access.cert.cert if access.cert.key is None else (access.cert.cert, access.cert.key)


def _location(raw: Any) -> str | Failure | None:
    location = the_location(raw.headers.getlist("location")) if raw.status in _REDIRECTS else None
    if isinstance(location, str):
        with contextlib.suppress(UnicodeError):
            # http.client reads field values as Latin-1; servers send UTF-8 (as requests assumes in get_redirect_target).
            location = location.encode("latin-1").decode("utf-8")
    return location


def _texts(headers: Mapping[str, str | bytes]) -> Iterator[tuple[str, str]]:
    return ((name, value.decode("latin-1") if isinstance(value, bytes) else value) for name, value in headers.items())


def _fields_of(raw: Any) -> dict[str, str]:
    # Repeated fields are joined by a comma (RFC 9110 section 5.3).
    return {name.lower(): value for name, value in raw.headers.itermerged()}
