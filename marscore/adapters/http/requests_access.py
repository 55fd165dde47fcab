"""Credentials, proxies and certificates of a request, as requests takes them."""

from __future__ import annotations

import requests
from requests.auth import AuthBase

from marscore.adapters.http.access import shown_certificate
from marscore.adapters.http.challenges import Challenges
from marscore.ports import Request
from marscore.url import Url
from marscore.values import Access, ClientCertificate


class NoAuth(AuthBase):
    """No credentials, wherever requests might find some."""

    def __call__(self, prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        return prepared


class Written(AuthBase):
    """Credentials as they are sent."""

    def __init__(self, value: bytes) -> None:
        self._value = value

    def __call__(self, prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        # The stubs have text only; of text, http.client makes Latin-1.
        prepared.headers["Authorization"] = self._value  # type: ignore[assignment]
        return prepared


def auth_for(challenges: Challenges, request: Request, url: Url) -> AuthBase | None:
    """What is shown to `url`; None where there are no credentials for it, or it has not asked for them yet."""
    value = challenges.authorization(request, url)
    return None if value is None else Written(value)


class CertificateFiles(tuple[str, str]):
    """Paths of a certificate and its key, as requests takes them, with the key's password, which it does not know."""

    password: str

    @classmethod
    def of(cls, cert: ClientCertificate) -> CertificateFiles:
        """Those of a client certificate."""
        made = cls((cert.cert, cert.key or cert.cert))
        made.password = cert.password or ""
        return made


def cert_of(access: Access) -> CertificateFiles | None:
    """The certificate that the client shows.

    Raises:
        OriginError: it cannot be used.
    """
    cert = shown_certificate(access)
    return None if cert is None else CertificateFiles.of(cert)
