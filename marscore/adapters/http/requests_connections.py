"""The connections that urllib3 opens for us: registered, so that they can be shut down from another thread.

Connections register themselves when they connect; `abort` wakes threads that wait for their bytes. Those that wait for the next request
do so in one place for all pools (`idle`), since what a process may hold open is one number.
"""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import threading
import traceback
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from requests import PreparedRequest
from requests.adapters import HTTPAdapter
from requests.utils import select_proxy
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.poolmanager import PoolManager
from urllib3.util.connection import is_connection_dropped

from marscore.adapters.http.requests_heads import StrictResponse
from marscore.adapters.http.requests_idle import Idle, Waiting
from marscore.errors import OriginError
from marscore.policy.redirect import PRIVATE, is_public
from marscore.url import Url, parse_proxy, parse_url
from marscore.values import Failure


class Connections:
    """The connections that are open, so that they can be shut down from another thread; at most `most` of them."""

    def __init__(self, most: int) -> None:
        self.aborted = False
        self.idle = Idle(most)
        self._lock = threading.Lock()
        # Not the connections: http.client's let go of a socket that is to be closed behind its answer, before that was read.
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._here = threading.local()

    @contextlib.contextmanager
    def use(self, fresh: bool, tell: Callable[[socket.socket, bool], None] | None) -> Iterator[None]:
        """Let this thread meanwhile use no connection that waits, if `fresh`, and tell of each socket that it uses, if anybody asks.

        `tell` is called with the socket, and with whether that is a copy, to be closed when the next is told of.
        """
        self._here.fresh, self._here.tell = fresh, tell
        try:
            yield
        finally:
            self._here.fresh, self._here.tell = False, None

    @property
    def fresh(self) -> bool:
        """Whether this thread wants a connection that carried nothing before."""
        return getattr(self._here, "fresh", False)

    def dialled(self, sock: socket.socket) -> None:
        """Say that this thread uses a socket, whose descriptor TLS may take over: as a copy, so that a handshake too can be ended."""
        if (tell := getattr(self._here, "tell", None)) is not None:
            tell(sock.dup(), True)

    def tell(self, sock: object) -> None:
        """Say that this thread uses a socket."""
        if (tell := getattr(self._here, "tell", None)) is not None and isinstance(sock, socket.socket):
            tell(sock, False)

    def connected(self, connection: HTTPConnection) -> None:
        """Take note of a connection that was opened just now."""
        sock = connection.sock
        if isinstance(sock, socket.socket):
            with self._lock:
                self._sockets.add(sock)
        self.tell(sock)
        if self.aborted:
            shut_down(sock)

    def used(self, connection: HTTPConnection, requests_before: int) -> None:
        """Take note of which connection this thread sends its request on."""
        self._here.reused = requests_before > 0
        self.tell(connection.sock)
        self.check(connection)

    @property
    def target(self) -> str:
        """What stands in this thread's next request line."""
        target: str = self._here.target
        return target

    @target.setter
    def target(self, target: str) -> None:
        self._here.target = target

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
            sockets = list(self._sockets)
        for sock in sockets:
            shut_down(sock)

    def explain(self, failure: Failure) -> Failure:
        """The failure, or that the run was told to stop where that is what broke the connection."""
        return Failure("interrupted", "the run was told to stop") if self.aborted else failure


def shut_down(sock: object) -> None:
    """Wake a thread that waits for bytes of this socket, which is of no use from then on."""
    # A TLS socket's own shutdown would pull its state from under a thread that reads: the plain one wakes that thread with an error.
    with contextlib.suppress(OSError, ValueError):
        if isinstance(sock, socket.socket):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)


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

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """Make the manager for a proxy, with our pools."""
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _socks_pools_of(self._live) if _is_socks(manager) else self._pools
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


def _is_socks(manager: PoolManager) -> bool:
    return "_socks_options" in manager.connection_pool_kw


def _socks_pools_of(live: Connections) -> Mapping[str, type[HTTPConnectionPool]]:
    from urllib3.contrib.socks import SOCKSConnection, SOCKSHTTPSConnection  # noqa: PLC0415 - it needs PySocks, which few have

    return _pools_of(live, SOCKSConnection, SOCKSHTTPSConnection)


def _pools_of(
    live: Connections, http: type[HTTPConnection] = HTTPConnection, https: type[HTTPSConnection] = HTTPSConnection
) -> Mapping[str, type[HTTPConnectionPool]]:
    class Registered:
        """What both kinds of connection add: they say when they connect and when they are used again."""

        requests_before = 0
        response_class = StrictResponse
        sock: socket.socket | None

        def connect(self) -> None:
            live.idle.make_room()
            try:
                super().connect()  # type: ignore[misc]  # mixed into urllib3's connections below
            except OSError as error:
                _close_left_open(error)
                raise
            self.requests_before = 0
            if isinstance(self.sock, ssl.SSLSocket):
                # An end without close_notify may be an attacker's: a body that is as long as its connection would look whole.
                self.sock.suppress_ragged_eofs = False  # type: ignore[attr-defined]  # the type stubs leave it out
            live.check(self)  # type: ignore[arg-type]  # mixed into urllib3's connections below
            live.connected(self)  # type: ignore[arg-type]  # mixed into urllib3's connections below

        def request(self, method: str, _url: str, *args: Any, **kwargs: Any) -> None:
            # Without a socket it connects within, plain or anew.
            before = self.requests_before if self.sock is not None else 0
            live.used(self, before)  # type: ignore[arg-type]  # mixed into urllib3's connections below
            super().request(method, live.target, *args, **kwargs)  # type: ignore[misc]  # mixed into urllib3's connections below
            self.requests_before = before + 1

        def _new_conn(self) -> socket.socket:
            sock: socket.socket = super()._new_conn()  # type: ignore[misc]  # mixed into urllib3's connections below
            live.dialled(sock)
            return sock

    plain = type("Connection", (Registered, http), {})
    secure = type("SecureConnection", (Registered, https), {})
    return {
        "http": type("Pool", (_keeping(live), HTTPConnectionPool), {"ConnectionCls": plain}),
        "https": type("SecurePool", (_keeping(live), HTTPSConnectionPool), {"ConnectionCls": secure, "_validate_conn": _validate}),
    }


def _close_left_open(error: OSError) -> None:
    """Close the socket that the standard library takes over for TLS, and drops open where the other side reset it just before."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if isinstance(sock := frame.f_locals.get("self"), ssl.SSLSocket):
            sock.close()


def _validate(_pool: HTTPSConnectionPool, connection: HTTPSConnection) -> None:
    """Connect, and leave out urllib3's warning where nothing is verified: the run has a warning of its own for that.

    It would go to standard error between the log's lines, and where warnings are errors (PYTHONWARNINGS) it would be the download's end.
    """
    if connection.is_closed:
        connection.connect()


def _keeping(live: Connections) -> type:
    idle = live.idle

    class Keeping:
        """What both kinds of pool do otherwise: targets go out as they are, and connections wait beside those of all other pools."""

        def urlopen(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
            # urllib3 sends what it made of a target: without segments of dots, and with other escapes.
            live.target = url
            return super().urlopen(method, "/" if url.startswith("/") else url, *args, **kwargs)  # type: ignore[misc]  # mixed into urllib3's pools

        def _get_conn(self, timeout: float | None = None) -> Any:
            while not live.fresh and (waiting := idle.take(self)) is not None:
                if not is_connection_dropped(waiting.connection):
                    return waiting.connection
                waiting.connection.close()
            return self._new_conn()  # type: ignore[attr-defined]  # mixed into urllib3's pools

        def _put_conn(self, conn: HTTPConnection | None) -> None:
            if conn is not None and conn.sock is not None:
                idle.keep(Waiting(self, conn))

    return Keeping
