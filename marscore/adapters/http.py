"""The general HTTP client: requests over urllib3's connection pools, behind `ports.HttpClient`.

    Request --prepare--> requests.PreparedRequest --send, one hop at a time--> Answer + body as it arrives

requests brings proxies, authentication, netrc, cookies and TLS settings. Its retries are off, so that there is one retry budget, and its
redirects are followed here, since the rules are ours: never from https to http, and manifest headers go to no other origin.

One Session serves all threads of a process: its pools are thread-safe, and a connection that one thread is done with serves the next.
Connections register themselves, so that `abort` can wake threads that wait for bytes.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase, HTTPBasicAuth
from requests.utils import get_auth_from_url, get_netrc_auth
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from marscore.adapters.http_failures import failure_of
from marscore.errors import OriginError
from marscore.policy.redirect import PRIVATE, headers_for, is_public, next_url, sent_to
from marscore.ports import Answer, Request
from marscore.values import Access, Basic, Failure, Timeouts
from marscore.version import __version__

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
USER_AGENT = f"marscore/{__version__}"


def _addresses(host: str, port: int | None) -> Iterable[str]:
    return [str(address[0]) for *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class RequestsClient:
    """Implements `ports.HttpClient`. `connections` is how many may be kept alive to one host; `resolve` looks addresses up."""

    def __init__(self, connections: int, resolve: Callable[[str, int | None], Iterable[str]] = _addresses) -> None:
        self._live = _Live()
        self._resolve = resolve
        self._session = requests.Session()
        self._session.headers = requests.structures.CaseInsensitiveDict({"User-Agent": USER_AGENT})
        adapter = _Adapter(self._live, pool_connections=64, pool_maxsize=connections)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def open(self, request: Request) -> RequestsResponse:
        """Send a GET and follow its redirects."""
        url, hops = request.url, list[tuple[str, str]]()
        while True:
            response = self._send(url, request)
            target = self._target(response, url)
            if target is None:
                answer = Answer(response.status_code, _fields_of(response.raw), url, tuple(hops))
                return RequestsResponse(answer, response.raw, self._live, request.access.timeouts)
            response.close()
            following = next_url(url, target, len(hops))
            if isinstance(following, Failure):
                raise OriginError(following)
            hops.append((url, following))
            url = following
            if request.access.private_addresses == "refuse" and not self._leads_to_public(url):
                raise OriginError(PRIVATE)

    def abort(self) -> None:
        """Wake every waiting thread with an error."""
        self._live.abort()

    def close(self) -> None:
        """Drop every idle connection."""
        self._session.close()

    def _send(self, url: str, request: Request) -> requests.Response:
        prepared = self._prepare(url, request)
        access = request.access
        try:
            settings = self._session.merge_environment_settings(url, _proxies_of(access), True, access.verify, _cert_of(access))
            if access.verify is not True:
                # What the manifest says of TLS outranks REQUESTS_CA_BUNDLE and its kin.
                settings["verify"] = access.verify
            if access.proxies is not None:
                settings["proxies"] = _proxies_of(access)
            # What a name meant when it was looked up and what it means when it is dialled may differ, so both are checked.
            self._live.public_only(request.access.private_addresses == "refuse" and url != request.url)
            for fresh in (False, True):
                try:
                    return self._session.send(
                        prepared, allow_redirects=False, timeout=(access.timeouts.connect, access.timeouts.read), **settings
                    )
                except requests.ConnectionError:
                    # A kept-alive connection that the server closed meanwhile says nothing about the server: ask again at once.
                    if fresh or not self._live.reused_by_this_thread():
                        raise
            raise AssertionError("unreachable")
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise OriginError(self._live.explain(failure_of(error, access.timeouts))) from error
        finally:
            self._live.public_only(False)

    def _prepare(self, url: str, request: Request) -> requests.PreparedRequest:
        own = headers_for(request.access, request.url, url) | dict(request.fields)
        # Any auth that is set keeps requests from looking in netrc, which `auth: netrc` alone asks for.
        auth = _auth_of(request.access, url) if sent_to(request.url, url) else _NoAuth()
        try:
            return self._session.prepare_request(requests.Request("GET", url, headers=own, auth=auth))
        except (requests.RequestException, ValueError) as error:
            raise OriginError(Failure("redirect" if url != request.url else "connection", "not a URL that can be asked")) from error

    def _leads_to_public(self, url: str) -> bool:
        parts = urlsplit(url)
        try:
            return all(map(is_public, self._resolve(str(parts.hostname), parts.port)))
        except (OSError, ValueError):
            # A proxy may know a name that this machine does not; without one, the connection fails by itself.
            return True

    def _target(self, response: requests.Response, url: str) -> str | None:
        location = response.headers.get("location")
        if response.status_code not in _REDIRECTS or location is None:
            return None
        with contextlib.suppress(UnicodeError):
            # requests reads field values as Latin-1; servers send UTF-8 (as requests itself assumes in get_redirect_target).
            location = location.encode("latin-1").decode("utf-8")
        return urljoin(url, location)


class RequestsResponse:
    """Implements `ports.Response` on a urllib3 response."""

    def __init__(self, answer: Answer, raw: Any, live: _Live, timeouts: Timeouts) -> None:
        self.answer = answer
        self._timeouts = timeouts
        self._raw = raw
        self._live = live
        self._ended = False

    def read(self, limit: int) -> bytes:
        """Return what has arrived of the body, up to `limit` bytes."""
        try:
            # read1 returns after one receive; read would wait until `limit` bytes are there, however slowly they drip.
            data: bytes = self._raw.read1(limit, decode_content=False) or b""
        except (urllib3.exceptions.HTTPError, OSError, ValueError, AttributeError) as error:
            raise OriginError(self._live.explain(failure_of(error, self._timeouts))) from error
        if self._live.aborted:
            raise OriginError(self._live.explain(Failure("interrupted", "")))
        self._ended = not data
        return data

    def close(self) -> None:
        """Give the connection back after a whole body; drop it otherwise."""
        with contextlib.suppress(Exception):
            if self._ended or self._raw.length_remaining == 0:
                self._raw.release_conn()
            else:
                self._raw.close()


class _Live:
    """The connections that are open, so that they can be shut down from another thread."""

    def __init__(self) -> None:
        self.aborted = False
        self._lock = threading.Lock()
        self._connections: weakref.WeakSet[HTTPConnection] = weakref.WeakSet()
        self._here = threading.local()

    def connected(self, connection: HTTPConnection) -> None:
        """Take note of a connection that was opened just now."""
        with self._lock:
            self._connections.add(connection)
        if self.aborted:
            _shut_down(connection)

    def used(self, connection: HTTPConnection, requests_before: int) -> None:
        """Take note of which connection this thread sends its request on."""
        self._here.reused = requests_before > 0
        self.check(connection)

    def public_only(self, yes: bool) -> None:
        """Let this thread's next requests go only to public addresses, or to any again."""
        self._here.public_only = yes

    def check(self, connection: HTTPConnection) -> None:
        """Refuse a connection that leads to an address that is not public, where that is asked. A proxy is the user's own choice."""
        if not getattr(self._here, "public_only", False) or connection.sock is None or connection.proxy:
            return
        if not is_public(connection.sock.getpeername()[0]):
            connection.close()
            raise OriginError(PRIVATE)

    def reused_by_this_thread(self) -> bool:
        """Whether this thread's last request went out on a connection that had served one before."""
        return bool(getattr(self._here, "reused", False)) and not self.aborted

    def abort(self) -> None:
        """Shut all connections down."""
        self.aborted = True
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            _shut_down(connection)

    def explain(self, failure: Failure) -> Failure:
        """The failure, or that the run was told to stop where that is what broke the connection."""
        return Failure("interrupted", "the run was told to stop") if self.aborted else failure


def _shut_down(connection: HTTPConnection) -> None:
    sock = connection.sock
    # A TLS socket's own shutdown would pull its state from under a thread that reads: the plain one wakes that thread with an error.
    with contextlib.suppress(OSError, ValueError):
        if isinstance(sock, socket.socket):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)


class _Adapter(HTTPAdapter):
    """requests' adapter with pools whose connections register themselves."""

    def __init__(self, live: _Live, **settings: Any) -> None:
        self._pools = _pools_of(live)
        super().__init__(max_retries=0, **settings)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pool manager, with our pools."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """Make the manager for a proxy, with our pools."""
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager


def _pools_of(live: _Live) -> Mapping[str, type[HTTPConnectionPool]]:
    class Registered:
        """What both kinds of connection add: they say when they connect and when they are used again."""

        requests_before = 0

        def connect(self) -> None:
            super().connect()  # type: ignore[misc]  # mixed into urllib3's connections below
            self.requests_before = 0
            live.check(self)  # type: ignore[arg-type]  # mixed into urllib3's connections below
            live.connected(self)  # type: ignore[arg-type]  # mixed into urllib3's connections below

        def request(self, *args: Any, **kwargs: Any) -> None:
            live.used(self, self.requests_before)  # type: ignore[arg-type]  # mixed into urllib3's connections below
            self.requests_before += 1
            super().request(*args, **kwargs)  # type: ignore[misc]  # mixed into urllib3's connections below

    plain = type("Connection", (Registered, HTTPConnection), {})
    secure = type("SecureConnection", (Registered, HTTPSConnection), {})
    return {
        "http": type("Pool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("SecurePool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
    }


class _NoAuth(AuthBase):
    def __call__(self, prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        return prepared


def _auth_of(access: Access, url: str) -> AuthBase:
    if isinstance(access.auth, Basic):
        return HTTPBasicAuth(access.auth.username, access.auth.password)
    if access.auth == "netrc":
        found = get_netrc_auth(url)
        return HTTPBasicAuth(*found) if found else _NoAuth()
    user, password = get_auth_from_url(url)
    return HTTPBasicAuth(user, password) if user or password else _NoAuth()


def _proxies_of(access: Access) -> dict[str, Any]:
    # A None there is requests' way to say: no proxy for this scheme, whatever the environment says.
    return {} if access.proxies is None else {"http": access.proxies.http, "https": access.proxies.https}


def _cert_of(access: Access) -> str | tuple[str, str] | None:
    if access.cert is None:
        return None
    return access.cert.cert if access.cert.key is None else (access.cert.cert, access.cert.key)


def _fields_of(raw: Any) -> dict[str, str]:
    # Repeated fields are joined by a comma (RFC 9110 section 5.3).
    return {name.lower(): value for name, value in raw.headers.items()}
