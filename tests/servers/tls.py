"""Certificates for loopback servers, from an authority made for the test (trustme)."""

from __future__ import annotations

import datetime as dt
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import trustme


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


def make_tls(folder: Path, flaw: Literal["none", "wrong_host", "expired"] = "none") -> Tls:
    """Make an authority and a certificate for 127.0.0.1, ::1 and localhost, or one with a flaw."""
    folder.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA()
    names = ("elsewhere.example",) if flaw == "wrong_host" else ("127.0.0.1", "::1", "localhost")
    after = dt.datetime.now(dt.timezone.utc) - dt.timedelta(days=1) if flaw == "expired" else None
    issued = authority.issue_cert(*names, not_before=after and after - dt.timedelta(days=30), not_after=after)
    tls = Tls(folder / "authority.pem", folder / "server.pem", folder / "server.key")
    authority.cert_pem.write_to_path(tls.authority)
    tls.certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(tls.key)
    return tls
