"""Credentials that no manifest holds but a request may carry: those of netrc and of the environment's proxies. They are secrets too."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Mapping

from marscore.public import MASK
from marscore.resolve.model import Download
from marscore.resolve.secrets import basic_secrets, userinfo_secrets
from marscore.url import parse_url


def ambient_secrets(downloads: Iterable[Download]) -> Mapping[str, str]:
    """Map each of them to what is shown for it."""
    found = {text for proxy in _proxies() for text in userinfo_secrets(proxy)}
    asked = (download for download in downloads if download.options.auth == "netrc")
    urls = (
        parse_url(url) for download in asked for url in (*download.sources, *(u for each in download.awaited for u in each.source.urls))
    )
    origins = {url.origin: url for url in urls}
    if origins:
        from requests.utils import get_netrc_auth  # noqa: PLC0415 - it takes a tenth of a second, which few manifests need

        for url in origins.values():
            found.update(basic_secrets(*(get_netrc_auth(url.text) or ("", ""))))
    return dict.fromkeys(found, MASK)


def secrets_here() -> Mapping[str, str]:
    """The same of all that this machine has, for a worker that runs elsewhere than where the manifest was read."""
    import netrc  # noqa: PLC0415 - for workers on other machines

    found = {text for proxy in _proxies() for text in userinfo_secrets(proxy)}
    named = (os.environ["NETRC"],) if "NETRC" in os.environ else ("~/.netrc", "~/_netrc")
    for path in map(os.path.expanduser, named):
        # Of one that cannot be read, requests takes nothing either.
        with contextlib.suppress(OSError, netrc.NetrcParseError, UnicodeError):
            for login, account, password in netrc.netrc(path).hosts.values():
                found.update(basic_secrets(login or account or "", password or ""))
    return dict.fromkeys(found, MASK)


def _proxies() -> Iterable[str]:
    """The proxies of the environment; those of the system too, where it has any."""
    if sys.platform not in ("win32", "darwin") and not any(name.lower().endswith("_proxy") for name in os.environ):
        return ()
    from urllib.request import getproxies  # noqa: PLC0415 - it brings an HTTP client along, which a run with nothing to do has no use for

    return getproxies().values()
