"""What is secret in a list gets a name in the manifest: `${FILES_EXAMPLE_COM_PASSWORD}` in the place of the password.

    item --Secrets.hide--> item with references      Secrets.values: name -> value, for whoever checks the manifest

A manifest is kept, committed and shown; a list often is neither. One value has one name, however often it stands there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from marscore.lists.model import Listing, Secrecy, Typed
from marscore.manifest import escape
from marscore.public import WRITTEN, is_telling, is_token_like

_SCHEME_AND_REST = re.compile(r"([A-Za-z][A-Za-z0-9-]*) +(.+)")


class Secrets:
    """Gives names to the secrets of one list."""

    def __init__(self, secrecy: Secrecy, listing: Listing) -> None:
        self.values: dict[str, str] = {}
        self._names: dict[tuple[str, str], str] = {}
        self._secrecy = secrecy
        self._listing = listing

    def url(self, url: str, line: int) -> Typed:
        """A URL, with names for its password, or a user name that has none, and for values of token-like query names."""
        parts = WRITTEN.match(url)
        if parts is None or not (parts["userinfo"] or parts["query"]):
            return Typed(escape(url))
        host = parts["place"]
        before = f"{parts['scheme']}://"
        userinfo = self._userinfo(parts["userinfo"], host, line) if parts["userinfo"] is not None else ""
        query = "" if parts["query"] is None else f"?{self._query(parts['query'], host, line)}"
        return Typed(escape(before) + userinfo + escape(parts["place"] + parts["path"]) + query + escape(url[parts.end() :]))

    def _userinfo(self, userinfo: str, host: str, line: int) -> str:
        user, colon, password = userinfo.partition(":")
        if password:
            return f"{escape(user)}{colon}{self._secret(password, host, 'password', line)}@"
        return (self._secret(user, host, "user", line) if user else "") + f"{colon}@"

    def _query(self, query: str, host: str, line: int) -> str:
        pairs = [pair.partition("=") for pair in query.split("&")]
        return "&".join(
            escape(name) + equals + (self._secret(value, host, name, line) if value and is_token_like(name) else escape(value))
            for name, equals, value in pairs
        )

    def options(self, options: Mapping[str, Any], url: str, line: int) -> dict[str, Any]:
        """The options of an item, all texts as they are typed."""
        parts = WRITTEN.match(url)
        host = parts["place"] if parts else ""
        made = {key: _typed(value) for key, value in options.items()}
        if headers := options.get("headers"):
            made["headers"] = {name: self._header(name, value, host, line) for name, value in headers.items()}
        auth = options.get("auth")
        if isinstance(auth, Mapping):
            secret = "password" if auth.get("password") else "username"
            if auth.get(secret):
                made["auth"] = {**made["auth"], secret: Typed(self._secret(auth[secret], host, secret, line))}
        if isinstance(proxies := options.get("proxies"), Mapping):
            made["proxies"] = {scheme: self.url(proxy, line) for scheme, proxy in proxies.items()}
        elif proxies:
            made["proxies"] = self.url(proxies, line)
        certificate = options.get("cert")
        if isinstance(certificate, Mapping) and certificate.get("password"):
            made["cert"] = {**made["cert"], "password": Typed(self._secret(certificate["password"], host, "cert_password", line))}
        return made

    def _header(self, name: str, value: str, host: str, line: int) -> Typed:
        if not value or not is_telling(name):
            # As in Referer.
            return self.url(value, line)
        scheme = _SCHEME_AND_REST.fullmatch(value)
        # `Bearer abc`: the word in front is no secret, and helps who reads it.
        before, secret = (f"{scheme[1]} ", scheme[2]) if scheme else ("", value)
        return Typed(escape(before) + self._secret(secret, host, name, line))

    def _secret(self, value: str, host: str, what: str, line: int) -> str:
        if self._secrecy == "kept":
            self._listing.warn(line, "a secret stands in the manifest as it does in the list")
            return escape(value)
        name = self._names.get((host, value))
        if name is None:
            name = self._names[host, value] = self._new_name(f"{host}_{what}")
            self.values[name] = value
            self._listing.warn(line, f"a secret is not written: set {name} in the environment to what stands there")
        return f"${{{name}}}"

    def _new_name(self, wish: str) -> str:
        name = re.sub(r"[^A-Z0-9]+", "_", wish.upper()).strip("_")[:100] or "SECRET"
        name = name if name[0].isalpha() else f"HOST_{name}"
        number, candidate = 1, name
        while candidate in self.values:
            number += 1
            candidate = f"{name}_{number}"
        return candidate


def _typed(value: Any) -> Any:
    """A value whose texts mean themselves in a manifest."""
    if isinstance(value, Typed):
        return value
    if isinstance(value, str):
        return Typed(escape(value))
    if isinstance(value, Mapping):
        return {key: _typed(inner) for key, inner in value.items()}
    return [_typed(inner) for inner in value] if isinstance(value, (list, tuple)) else value
