"""Names libcurl's errors in the vocabulary of failure kinds. Messages are our own words: libcurl's may quote what is secret in a URL."""

from __future__ import annotations

import errno
import os
import re

import pycurl

from marscore.frozen import dataclass
from marscore.policy.failures import failure_of_connect
from marscore.policy.redirect import TWO_PLACES
from marscore.values import Failure, Timeouts

_NO_ANSWER = Failure("connection", "the server closed the connection without an answer")
_REFUSED = Failure("connection", "the server refused the request, or closed its connection, again and again")
_STRANGE = Failure("connection", "the server does not speak HTTP properly")
#: 97 is CURLE_PROXY and 100 CURLE_TOO_LARGE, for which pycurl has no names.
_FIXED: dict[int, Failure] = {
    pycurl.E_COULDNT_RESOLVE_HOST: Failure("dns", "the host name cannot be resolved"),
    pycurl.E_COULDNT_RESOLVE_PROXY: Failure("proxy", "the proxy's host name cannot be resolved"),
    pycurl.E_GOT_NOTHING: _NO_ANSWER,
    pycurl.E_UNSUPPORTED_PROTOCOL: _STRANGE,
    100: Failure("connection", "the server sends a header field of more than 100 KiB, or more than 256 KiB of them"),
    pycurl.E_OUT_OF_MEMORY: Failure("resources", "the system gives too little memory"),
    pycurl.E_SSL_CERTPROBLEM: Failure("tls", "the client certificate cannot be used"),
    pycurl.E_SSL_CACERT_BADFILE: Failure("tls", "the certificates that servers are verified by cannot be read"),
    pycurl.E_SSL_CIPHER: Failure("tls", "TLS failed: no cipher in common"),
    pycurl.E_SSL_ISSUER_ERROR: Failure("tls", "the server's certificate is not trusted: its issuer is another one"),
}
#: What goes wrong with a stream, or with all of a connection that has streams: CURLE_HTTP2, CURLE_HTTP2_STREAM, CURLE_HTTP3.
STREAM_ERRORS = frozenset({pycurl.E_HTTP2, 92, 95})
#: How nghttp2 and ngtcp2 name the code of an error, in libcurl's messages (RFC 9113 section 7).
_STREAM_CODE = re.compile("(?:NGHTTP2_)?([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)")
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
    return _known(code, message) or _by_what_is_known(code, message, tried)


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
    return _in_the_body(code, message, tried) if tried.answered else _before_an_answer(code, message, tried)


def _known(code: int, message: str) -> Failure | None:
    """The failure of a code that means one thing; of a strange answer libcurl says what is strange about it."""
    if code == pycurl.E_FTP_WEIRD_SERVER_REPLY:
        return TWO_PLACES if "Location" in message else None
    return _FIXED.get(code)


def _stream(message: str) -> Failure:
    """Why a stream brought no answer, as its server says."""
    named = _STREAM_CODE.search(message)
    if named is None:
        return Failure("connection", "the server does not speak HTTP/2 or 3 properly")
    if named[1] == "ENHANCE_YOUR_CALM":
        return Failure("rate_limited", "the server asks for fewer requests (ENHANCE_YOUR_CALM)")
    return Failure("connection", f"the server ended the request's stream without an answer ({named[1]})")


def _in_the_body(code: int, message: str, tried: Try) -> Failure:
    if tried.system == errno.ECONNRESET:
        return Failure("connection", "the connection was reset")
    if code == pycurl.E_PARTIAL_FILE:
        return Failure("truncated", "the body broke off")
    if code in STREAM_ERRORS and (named := _STREAM_CODE.search(message)):
        return Failure("truncated", f"the body broke off: its stream was ended ({named[1]})")
    return Failure("truncated", "the body broke off, or its framing is wrong")


def _before_an_answer(code: int, message: str, tried: Try) -> Failure:
    if code in STREAM_ERRORS:
        return _stream(message)
    if tried.system:
        return Failure("connection", _CLOSED.get(tried.system, os.strerror(tried.system)))
    if code in (pycurl.E_RECV_ERROR, pycurl.E_SEND_ERROR):
        # It asks again by itself where a stream was refused, or a kept connection closed, before anything was done about the request.
        return _REFUSED if "tried" in message else _NO_ANSWER
    if code == pycurl.E_COULDNT_CONNECT:
        return Failure("connection", "no connection can be made")
    return Failure("connection", f"{_STRANGE.message} (libcurl error {code})")


def _reason(message: str) -> str:
    """What OpenSSL says of the matter, without what libcurl puts before it."""
    return message.rpartition(": ")[2].strip() or "unknown"
