"""Credentials that no manifest holds but a request may carry: those of netrc and of the environment's proxies. They are secrets too."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterable, Mapping

from marscore.policy.redact import MASK
from marscore.resolve.model import Download
from marscore.resolve.secrets import basic_secrets, userinfo_secrets
from marscore.values import origin_of


def ambient_secrets(downloads: Iterable[Download]) -> Mapping[str, str]:
    """Map each of them to what is shown for it."""
    found = {text for proxy in urllib.request.getproxies().values() for text in userinfo_secrets(proxy)}
    urls = (url for download in downloads if download.options.auth == "netrc" for url in download.sources)
    origins = {origin_of(url): url for url in urls}
    if origins:
        from requests.utils import get_netrc_auth  # noqa: PLC0415 - it takes a tenth of a second, which few manifests need

        for url in origins.values():
            found.update(basic_secrets(*(get_netrc_auth(url) or ("", ""))))
    return dict.fromkeys(found, MASK)
