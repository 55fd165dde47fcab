"""Credentials, proxies and certificates of a request, as requests takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests
from requests.auth import AuthBase, HTTPBasicAuth
from requests.utils import get_netrc_auth, select_proxy

from marscore.errors import OriginError
from marscore.ports import Request
from marscore.url import Url, parse_proxy
from marscore.values import Access, Credentials, Failure


class NoAuth(AuthBase):
    """No credentials, wherever requests might find some."""

    def __call__(self, prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        return prepared


def auth_of(request: Request) -> AuthBase | None:
    """The credentials that the manifest gives; None where there are none."""
    auth, url = request.access.auth, request.url
    if isinstance(auth, Credentials):
        return _basic(auth.username, auth.password)
    if auth == "netrc":
        found = get_netrc_auth(url.text)
        return _basic(*found) if found else None
    return None if url.username is None else _basic(url.username, url.password or "")


def _basic(username: str, password: str) -> AuthBase:
    # In UTF-8 (RFC 7617 section 2.1); of text, requests makes Latin-1.
    return HTTPBasicAuth(username.encode(), password.encode())


def proxies_of(access: Access) -> dict[str, Any]:
    """The proxies that the manifest gives, by scheme."""
    # A None there is requests' way to say: no proxy for this scheme, whatever the environment says.
    return {} if access.proxies is None else {"http": access.proxies.http, "https": access.proxies.https}


def proxy_for(url: Url, proxies: Mapping[str, Any]) -> dict[str, str]:
    """The proxy for a URL, read once; none where there is none.

    Raises:
        OriginError: its URL is none.
    """
    found = select_proxy(url.text, proxies)
    try:
        return {url.scheme: parse_proxy(found).text_with_userinfo} if found else {}
    except ValueError as error:
        raise OriginError(Failure("proxy", f"the proxy's URL {error}")) from None


def cert_of(access: Access) -> str | tuple[str, str] | None:
    """The certificate that the client shows."""
    if access.cert is None:
        return None
    return access.cert.cert if access.cert.key is None else (access.cert.cert, access.cert.key)
