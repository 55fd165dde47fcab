"""Certificates for loopback servers, from an authority made for the test (trustme)."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Flaw: TypeAlias = Literal["none", "wrong_host", "expired", "self_signed"]


@dataclass(frozen=True)
class Tls:
    """PEM files: the authority to trust, and the server's certificate and key."""

    authority: Path
    certificate: Path
    key: Path

    def server_context(self) -> ssl.SSLContext:
        """For a Python server."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


def make_tls(folder: Path, flaw: Flaw = "none", names: tuple[str, ...] = ("127.0.0.1", "::1", "localhost")) -> Tls:
    """Make an authority and a certificate for these names, or one with a flaw.

    A self-signed one has an authority beside it that knows nothing of it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA()
    names = ("elsewhere.example",) if flaw == "wrong_host" else names
    after = dt.datetime.now(dt.timezone.utc) - dt.timedelta(days=1) if flaw == "expired" else None
    issued = authority.issue_cert(*names, not_before=after and after - dt.timedelta(days=30), not_after=after)
    tls = Tls(folder / "authority.pem", folder / "server.pem", folder / "server.key")
    authority.cert_pem.write_to_path(tls.authority)
    if flaw == "self_signed":
        _write_self_signed(tls, names)
        return tls
    tls.certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(tls.key)
    return tls


def _write_self_signed(tls: Tls, names: tuple[str, ...]) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    now = dt.datetime.now(dt.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
    )
    tls.certificate.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    tls.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
