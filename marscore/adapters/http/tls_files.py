"""What is wrong with files of certificates and keys, found before anybody is asked: a sentence, or None.

A library below tells such things late and in words of its own, takes them for a fault of the connection, or asks the terminal for a
password. Each version of a file is read once.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from marscore.frozen import dataclass
from marscore.values import ClientCertificate

_Version = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """Which part of a client certificate is wrong (`cert`, `key` or `password`), and what is wrong with it."""

    part: str
    message: str


def bundle_fault(path: str) -> str | None:
    """What is wrong with the file or folder of certificates that servers are verified by."""
    try:
        return _bundle_fault(path, _version(path))
    except (OSError, ValueError) as error:
        return _unreadable(error)


def certificate_fault(cert: ClientCertificate) -> Fault | None:
    """What is wrong with a client's certificate, key and password."""
    versions: list[_Version] = []
    for part, path in (("cert", cert.cert), ("key", cert.key)):
        try:
            versions.append(() if path is None else _version(path))
        except (OSError, ValueError) as error:
            return Fault(part, _unreadable(error))
    return _certificate_fault(cert, tuple(versions))


def _version(path: str) -> _Version:
    status = Path(path).stat()
    return status.st_mtime_ns, status.st_size, status.st_ino


def _unreadable(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "is not there"
    return f"cannot be read: {error.strerror}" if isinstance(error, OSError) and error.strerror else "cannot be read"


@lru_cache(maxsize=64)
def _bundle_fault(path: str, _version: _Version) -> str | None:
    import ssl  # noqa: PLC0415 - it takes its time, and few runs name such files

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if Path(path).is_dir():
            os.scandir(path).close()
            return None
        with Path(path).open("rb"):
            context.load_verify_locations(path)
    except ssl.SSLError:
        return "holds no certificates"
    except OSError as error:
        return _unreadable(error)
    return None


@lru_cache(maxsize=64)
def _certificate_fault(cert: ClientCertificate, _versions: tuple[_Version, ...]) -> Fault | None:
    return _text_fault(cert) or _pair_fault(cert)


def _text_fault(cert: ClientCertificate) -> Fault | None:
    """What a look at the texts tells."""
    for part, path, mark, what in (
        ("cert", cert.cert, b"CERTIFICATE-----", "holds no certificate"),
        ("key" if cert.key else "cert", cert.key or cert.cert, b"PRIVATE KEY-----", "holds no private key"),
    ):
        try:
            if mark not in Path(path).read_bytes():
                return Fault(part, what)
        except OSError as error:
            return Fault(part, _unreadable(error))
    return None


def _pair_fault(cert: ClientCertificate) -> Fault | None:
    """What OpenSSL says when it takes them."""
    import ssl  # noqa: PLC0415 - as above

    asked: list[bool] = []

    def password() -> bytes:
        asked.append(True)
        return (cert.password or "").encode()

    key = "key" if cert.key else "cert"
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(cert.cert, cert.key, password)
    except (OSError, ValueError) as error:
        if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
            return Fault(key, "is the private key of another certificate")
        if not asked:
            return Fault("cert", "holds what cannot be used as a certificate and its private key")
        if cert.password:
            return Fault("password", "does not decrypt the private key")
        return Fault(key, "holds an encrypted private key, whose password cert.password gives")
    return None
