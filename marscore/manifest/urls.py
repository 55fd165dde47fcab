"""Which URLs can be fetched."""

from __future__ import annotations

from marscore.url import parse_url


def check_url_text(url: str) -> str:
    """Refuse what no request can be sent to, or what two readers might take for two places."""
    parse_url(url)
    return url
