"""Names what requests and urllib3 raise, in the vocabulary of failure kinds.

The cause is searched along `__cause__`, `__context__`, `args` and urllib3's `reason`, since each layer wraps the one below. Messages are
our own words: a library's text may quote the URL with all that is secret in it.
"""

from __future__ import annotations

import errno
import http.client
import os
import re
import socket
import ssl
from collections.abc import Iterator

import requests
from urllib3 import exceptions as u3

from marscore.adapters.http.requests_heads import BadHead
from marscore.extras import installing
from marscore.policy.failures import failure_of_connect
from marscore.values import Failure, Timeouts

#: How a connection shows that the other side has closed it.
CLOSED = (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
#: What http.client says of a proxy's answer to CONNECT.
_REFUSED_TUNNEL = re.compile("Tunnel connection failed: ([0-9]{3})")


def is_closed(error: BaseException) -> bool:
    """Whether a request failed since its connection was closed before anything of an answer came."""
    return any(isinstance(layer, CLOSED) for layer in _layers(error))


def failure_of(error: BaseException, timeouts: Timeouts) -> Failure:
    """The Failure for an exception out of a request or a body."""
    layers = list(_layers(error))
    for find in (_tls, _tunnel, _proxy, _dns, _timeout, _truncated, _connection):
        for layer in layers:
            failure = find(layer, timeouts)
            if failure:
                return failure
    if any(isinstance(layer, requests.exceptions.InvalidProxyURL | requests.exceptions.InvalidSchema) for layer in layers):
        # The scheme of the URL itself was checked.
        return Failure("proxy", f"SOCKS proxies take PySocks here: {installing('socks')}", lasting=True)
    return Failure("connection", f"the connection failed ({type(layers[-1]).__name__})")


def body_failure_of(error: BaseException, timeouts: Timeouts) -> Failure:
    """The Failure for an exception in the middle of a body: over TLS too, an end before its time has broken it off."""
    cut = any(isinstance(layer, ssl.SSLEOFError) for layer in _layers(error))
    return Failure("truncated", "the body broke off inside the TLS stream") if cut else failure_of(error, timeouts)


def _layers(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    queue: list[object] = [error]
    while queue:
        layer = queue.pop(0)
        if not isinstance(layer, BaseException) or id(layer) in seen:
            continue
        seen.add(id(layer))
        yield layer
        queue += [getattr(layer, "reason", None), *layer.args, layer.__cause__, layer.__context__]
        queue.append(getattr(layer, "original_error", None))


def _tls(layer: BaseException, timeouts: Timeouts) -> Failure | None:
    if isinstance(layer, ssl.SSLCertVerificationError):
        return Failure("tls", f"the server's certificate is not trusted: {layer.verify_message}")
    if isinstance(layer, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return Failure("connection", "the connection was cut inside the TLS stream")
    if isinstance(layer, ssl.SSLError) and not isinstance(layer, ssl.SSLWantReadError):
        return Failure("tls", f"TLS failed: {layer.reason or type(layer).__name__}")
    return None


def _tunnel(layer: BaseException, timeouts: Timeouts) -> Failure | None:
    match = _REFUSED_TUNNEL.match(str(layer.args[0])) if isinstance(layer, OSError) and layer.args else None
    if match is None:
        return None
    return failure_of_connect(int(match[1]))


def _proxy(layer: BaseException, timeouts: Timeouts) -> Failure | None:
    if isinstance(layer, requests.exceptions.ProxyError | u3.ProxyError):
        return Failure("proxy", "the proxy cannot be reached")
    # PySocks is not everywhere.
    errors = {kind.__name__ for kind in type(layer).__mro__ if kind.__module__ == "socks"}
    if "ProxyError" in errors and not isinstance(getattr(layer, "socket_err", None), TimeoutError):
        return Failure("proxy", "the proxy cannot be reached" if "ProxyConnectionError" in errors else "the proxy refuses the connection")
    return None


def _dns(layer: BaseException, timeouts: Timeouts) -> Failure | None:
    if isinstance(layer, socket.gaierror | u3.NameResolutionError):
        return Failure("dns", "the host name cannot be resolved")
    return None


def _timeout(layer: BaseException, timeouts: Timeouts) -> Failure | None:
    if isinstance(layer, u3.ConnectTimeoutError | requests.exceptions.ConnectTimeout) and not isinstance(layer, u3.NewConnectionError):
        return Failure("timeout", f"no connection within {timeouts.connect:g} s")
    if isinstance(layer, u3.ReadTimeoutError | requests.exceptions.ReadTimeout | TimeoutError):
        return Failure("timeout", f"nothing came for {timeouts.read:g} s")
    return None


def _truncated(layer: BaseException, timeouts: Timeouts) -> Failure | None:
    if isinstance(layer, u3.IncompleteRead):
        return Failure("truncated", f"the body broke off after {layer.args[0] if layer.args else '?'} bytes")
    if isinstance(layer, http.client.IncompleteRead):
        return Failure("truncated", "the body broke off")
    return None


def _connection(layer: BaseException, timeouts: Timeouts) -> Failure | None:
    if isinstance(layer, http.client.RemoteDisconnected):
        return Failure("connection", "the server closed the connection without an answer")
    if isinstance(layer, BadHead):
        return layer.failure
    if isinstance(layer, http.client.HTTPException):
        return Failure("connection", f"the server does not speak HTTP properly ({type(layer).__name__})")
    if isinstance(layer, OSError) and layer.errno:
        words = {errno.ECONNREFUSED: "the connection was refused", errno.ECONNRESET: "the connection was reset"}
        return Failure("connection", words.get(layer.errno, os.strerror(layer.errno)))
    return None
