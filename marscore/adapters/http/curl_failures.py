"""Names libcurl's errors in the vocabulary of failure kinds. Messages are our own words: libcurl's may quote what is secret in a URL."""

from __future__ import annotations

import errno
import os

import pycurl

from marscore.frozen import dataclass
from marscore.policy.failures import failure_of_connect
from marscore.values import Failure, Timeouts

_NO_ANSWER = Failure("connection", "the server closed the connection without an answer")
_STRANGE = Failure("connection", "the server does not speak HTTP properly")
#: 97 is CURLE_PROXY and 100 CURLE_TOO_LARGE, for which pycurl has no names.
_FIXED: dict[int, Failure] = {
    pycurl.E_COULDNT_RESOLVE_HOST: Failure("dns", "the host name cannot be resolved"),
    pycurl.E_COULDNT_RESOLVE_PROXY: Failure("proxy", "the proxy's host name cannot be resolved"),
    pycurl.E_GOT_NOTHING: _NO_ANSWER,
    pycurl.E_UNSUPPORTED_PROTOCOL: _STRANGE,
    100: Failure("connection", "the server sends more than a head may hold"),
    pycurl.E_OUT_OF_MEMORY: Failure("resources", "the system gives too little memory"),
    pycurl.E_SSL_CERTPROBLEM: Failure("tls", "the client certificate cannot be used"),
    pycurl.E_SSL_CACERT_BADFILE: Failure("tls", "the certificates that servers are verified by cannot be read"),
    pycurl.E_SSL_CIPHER: Failure("tls", "TLS failed: no cipher in common"),
    pycurl.E_SSL_ISSUER_ERROR: Failure("tls", "the server's certificate is not trusted: its issuer is another one"),
}
_PROXY = 97
_CLOSED = {errno.ECONNREFUSED: "the connection was refused", errno.ECONNRESET: "the connection was reset"}
#: What OpenSSL says where the other side went away in the middle of a handshake.
_CUT = ("unexpected eof", "SSL_ERROR_SYSCALL", "Connection reset", "errno 104", "Broken pipe")


@dataclass(frozen=True, slots=True)
class Try:
    """What is known of an exchange that broke: whether a head came, by a proxy or not, and the system's last error there.

    `tunnel` is the status with which a proxy answered CONNECT, 0 where it did not.
    """

    timeouts: Timeouts
    answered: bool
    proxied: bool
    system: int = 0
    tunnel: int = 0


def failure_of(code: int, message: str, tried: Try) -> Failure:
    """The failure that libcurl means by a code, and by its message where codes are not enough."""
    if tried.tunnel >= 300:
        return failure_of_connect(tried.tunnel)
    return _FIXED.get(code) or _by_what_is_known(code, message, tried)


def _by_what_is_known(code: int, message: str, tried: Try) -> Failure:
    if code == pycurl.E_OPERATION_TIMEDOUT:
        return Failure("timeout", f"no connection within {tried.timeouts.connect:g} s")
    if code in (pycurl.E_PEER_FAILED_VERIFICATION, pycurl.E_SSL_CACERT):
        return Failure("tls", f"the server's certificate is not trusted: {_reason(message)}")
    if code == _PROXY or (tried.proxied and not tried.answered and code == pycurl.E_COULDNT_CONNECT):
        return Failure("proxy", "the proxy cannot be reached" if code == pycurl.E_COULDNT_CONNECT else "the proxy refuses the connection")
    if code == pycurl.E_SSL_CONNECT_ERROR:
        if any(text in message for text in _CUT) or tried.system:
            return Failure("connection", "the connection was cut inside the TLS stream")
        return Failure("tls", f"TLS failed: {_reason(message)}")
    if tried.answered:
        return _in_the_body(code, tried)
    return Failure("connection", _connection(code, message, tried))


def _in_the_body(code: int, tried: Try) -> Failure:
    if tried.system == errno.ECONNRESET:
        return Failure("connection", "the connection was reset")
    if code == pycurl.E_PARTIAL_FILE:
        return Failure("truncated", "the body broke off")
    return Failure("truncated", "the body broke off, or its framing is wrong")


def _connection(code: int, message: str, tried: Try) -> str:
    if tried.system:
        return _CLOSED.get(tried.system, os.strerror(tried.system))
    if code in (pycurl.E_RECV_ERROR, pycurl.E_SEND_ERROR):
        return _NO_ANSWER.message
    if code == pycurl.E_COULDNT_CONNECT:
        return "no connection can be made"
    return f"{_STRANGE.message} (libcurl error {code})"


def _reason(message: str) -> str:
    """What OpenSSL says of the matter, without what libcurl puts before it."""
    return message.rpartition(": ")[2].strip() or "unknown"
