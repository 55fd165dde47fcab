"""Which URLs can be fetched, and which proxies asked."""

from __future__ import annotations

from marscore.url import check_url, parse_proxy


def check_url_text(url: str) -> str:
    """Refuse what no request can be sent to, or what two readers might take for two places."""
    check_url(url)
    return url


def check_proxy_text(url: str) -> str:
    """Refuse what is no proxy's URL, with its scheme, and what two readers might take for two places."""
    if "://" not in url:
        raise ValueError("must begin with http://, https:// or socks5://")
    parse_proxy(url)
    return url
