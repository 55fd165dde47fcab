"""The connections that urllib3 opens for us: they say which socket a thread waits on, so that another can end the wait.

Those that wait for the next request do so in one place for all pools (`idle`), since what a process may hold open is one number.
Everything that is changed here of urllib3 and http.client has a public name: `sock`, `connect`, `request`, `response_class`, `urlopen`,
`QueueCls`, `ConnectionCls`, `pool_classes_by_scheme`.
"""

from __future__ import annotations

import base64
import contextlib
import queue
import socket
import ssl
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from requests import PreparedRequest
from requests.adapters import HTTPAdapter
from requests.utils import select_proxy
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from marscore.adapters.http.requests_heads import StrictResponse
from marscore.adapters.http.requests_idle import Idle
from marscore.errors import OriginError
from marscore.policy.redirect import PRIVATE, is_public
from marscore.url import Url, parse_proxy, parse_url

#: Called with the socket that a thread waits on, or None, and with whether that is a copy, to be closed when the next is told of.
Tell: TypeAlias = Callable[[Any, bool], None]


class Here(threading.local):
    """What one thread wants of its connections, and what it has.

    `fresh`: none that carried something before; `public_only`: none to an address that is not public. `target` is what stands in its next
    request line; `reused` says whether its last request went out on a connection that had carried one before.
    """

    fresh = False
    public_only = False
    target = ""
    reused = False
    tell: Tell | None = None


class Connections:
    """What the threads have in common, at most `most` of whose connections are open; each has one request at a time."""

    def __init__(self, most: int) -> None:
        self.idle = Idle(most)
        self.here = Here()

    @contextlib.contextmanager
    def use(self, fresh: bool = False, tell: Tell | None = None) -> Iterator[None]:
        """Let this thread have a connection meanwhile, none that waits if `fresh`, and `tell` what it waits on."""
        self.here.fresh, self.here.tell = fresh, tell
        try:
            with self.idle:
                yield
        finally:
            self.here.fresh, self.here.tell = False, None

    def waits_on(self, sock: Any, is_copy: bool = False) -> None:
        """Say that this thread waits on a socket, or on none any more."""
        if self.here.tell is not None:
            self.here.tell(sock, is_copy)

    def dialled(self, sock: Any) -> None:
        """Say that this thread waits on a socket that was set just now: TLS may take over its descriptor, and is to be ended, too."""
        is_plain = isinstance(sock, socket.socket) and not isinstance(sock, ssl.SSLSocket)
        if self.here.tell is not None:
            self.waits_on(sock.dup() if is_plain else sock, is_plain)


class Queue:
    """In the place of the queue that urllib3 makes for each pool (`QueueCls`): its connections wait beside those of all other pools."""

    def __init__(self, live: Connections) -> None:
        self._live = live

    def get(self, block: bool = True, timeout: float | None = None) -> HTTPConnection:
        """Take a connection that waits, unless this thread wants none of those.

        Raises:
            queue.Empty: there is none.
        """
        connection = None if self._live.here.fresh else self._live.idle.take(self)
        if connection is None:
            raise queue.Empty
        return connection

    def put(self, connection: HTTPConnection | None, block: bool = True, timeout: float | None = None) -> None:
        """Let an open connection wait. urllib3 fills a new queue with None."""
        if connection is not None and connection.sock is not None:
            # It may be another thread's from here on.
            self._live.waits_on(None)
            self._live.idle.keep(self, connection)


class PoolAdapter(HTTPAdapter):
    """requests' adapter with pools whose connections register themselves. Whom they dial and what they ask is what `url.Url` says."""

    def __init__(self, live: Connections, **settings: Any) -> None:
        self._live = live
        self._pools = _pools_of(live)
        super().__init__(max_retries=0, **settings)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pool manager, with our pools."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Make the manager for a proxy, with our pools."""
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = _socks_pools_of(self._live) if proxy.startswith("socks") else self._pools
        return manager

    def build_connection_pool_key_attributes(self, request: PreparedRequest, verify: Any, cert: Any = None) -> Any:
        """Say which host and port the pool of a request connects to, and by which certificates."""
        host, settings = super().build_connection_pool_key_attributes(request, verify, cert)
        url = parse_url(str(request.url))
        if (password := getattr(cert, "password", None)) is not None:
            settings["key_password"] = password  # type: ignore[typeddict-unknown-key]  # urllib3 has it
        return {**host, "scheme": url.scheme, "host": _dialled(url), "port": url.port}, settings

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Say whom a pool's connections trust, whatever the scheme of the URL: that of a proxy may be https where the URL's is http."""
        super().cert_verify(conn, "https:", verify, cert)  # type: ignore[no-untyped-call]

    def request_url(self, request: PreparedRequest, proxies: Any) -> str:
        """The target of the request line: a whole URL for a proxy that is no tunnel (RFC 9112 section 3.2)."""
        url = parse_url(str(request.url))
        proxy = select_proxy(url.text, proxies)
        return url.text if proxy and url.scheme == "http" and not proxy.startswith("socks") else url.target

    def proxy_headers(self, proxy: str) -> dict[str, str]:
        """Credentials for a proxy, in UTF-8 as those for an origin."""
        url = parse_proxy(proxy)
        if url.username is None:
            return {}
        credentials = base64.b64encode(f"{url.username}:{url.password or ''}".encode()).decode()
        return {"Proxy-Authorization": f"Basic {credentials}"}


def _dialled(url: Url) -> str:
    """A URL's host with its zone as a number: of its names, some systems read those of link-local addresses only (getaddrinfo)."""
    address, percent, zone = url.host.partition("%")
    if percent and not zone.isdecimal():
        with contextlib.suppress(OSError, AttributeError):
            return f"[{address}%25{socket.if_nametoindex(zone)}]"
    return url.bracketed


def _socks_pools_of(live: Connections) -> Mapping[str, type[HTTPConnectionPool]]:
    from urllib3.contrib.socks import SOCKSConnection, SOCKSHTTPSConnection  # noqa: PLC0415 - it needs PySocks, which few have

    return _pools_of(live, SOCKSConnection, SOCKSHTTPSConnection)


def _pools_of(
    live: Connections, http: type[HTTPConnection] = HTTPConnection, https: type[HTTPSConnection] = HTTPSConnection
) -> Mapping[str, type[HTTPConnectionPool]]:
    ours = {"live": live}
    plain = type("PlainConnection", (_Connection, http), ours)
    secure = type("SecureConnection", (_Connection, https), ours)
    return {
        "http": type("PlainPool", (_Pool, HTTPConnectionPool), {**ours, "ConnectionCls": plain}),
        "https": type("SecurePool", (_Pool, HTTPSConnectionPool), {**ours, "ConnectionCls": secure}),
    }


class _Connection:
    """What both kinds of connection add: they say what is waited on, and whether they carried a request before."""

    live: Connections
    proxy: Any
    requests_before = 0
    response_class = StrictResponse
    _socket: Any = None

    @property
    def sock(self) -> Any:
        """The socket, as urllib3 and http.client set it: first the one that was dialled, then what speaks TLS over it."""
        return self._socket

    @sock.setter
    def sock(self, sock: Any) -> None:
        self._socket = sock
        if sock is not None:
            self.live.dialled(sock)

    def connect(self) -> None:
        self.live.idle.make_room()
        try:
            super().connect()  # type: ignore[misc]  # mixed into urllib3's connections above
        except OSError as error:
            _close_left_open(error)
            raise
        self.requests_before = 0
        # urllib3 warns where this is not said: to standard error between the log's lines, and where warnings are errors
        # (PYTHONWARNINGS) by an exception that ends the download. The run has a warning of its own for what is not verified.
        self.is_verified = True
        if hasattr(self.sock, "suppress_ragged_eofs"):
            # An end without close_notify may be an attacker's: a body that is as long as its connection would look whole.
            self.sock.suppress_ragged_eofs = False
        self._refuse_private()
        self.live.waits_on(self.sock)

    def request(self, method: str, _url: str, *args: Any, **kwargs: Any) -> None:
        # Without a socket it connects within, plain or anew.
        before = self.requests_before if self.sock is not None else 0
        self.live.here.reused = before > 0
        if self.sock is not None:
            self.live.waits_on(self.sock)
            self._refuse_private()
        super().request(method, self.live.here.target, *args, **kwargs)  # type: ignore[misc]  # mixed into urllib3's connections above
        self.requests_before = before + 1

    def _refuse_private(self) -> None:
        """Refuse an address that is not public, where that is asked. A proxy is the user's own choice."""
        if self.live.here.public_only and not self.proxy and not is_public(self.sock.getpeername()[0]):
            self.close()  # type: ignore[attr-defined]  # as above
            raise OriginError(PRIVATE)


class _Pool:
    """What both kinds of pool do otherwise: targets go out as they are, and connections wait where those of all pools do."""

    live: Connections

    def urlopen(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        # urllib3 sends what it made of a target: without segments of dots, and with other escapes.
        self.live.here.target = url
        return super().urlopen(method, "/" if url.startswith("/") else url, *args, **kwargs)  # type: ignore[misc]  # mixed into urllib3's pools

    def QueueCls(self, _maxsize: int) -> Queue:  # noqa: N802 - urllib3's name for it
        return Queue(self.live)


def _close_left_open(error: OSError) -> None:
    """Close the socket that the standard library takes over for TLS, and drops open where the other side reset it just before."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if isinstance(sock := frame.f_locals.get("self"), ssl.SSLSocket):
            sock.close()
