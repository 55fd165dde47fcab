"""Which redirects are followed, and what may be sent along.

the URL that answered + its Location + hops so far --next_url--> the next URL | Failure
"""

from __future__ import annotations

from urllib.parse import urlsplit

from marscore.values import Failure, origin_of

#: As in curl's --max-redirs of browsers: Chrome, Firefox and requests stop at 20 to 30.
MAX_REDIRECTS = 20


def next_url(url: str, target: str, hops: int) -> str | Failure:
    """Say where a redirect leads, or why it is not followed. `target` is absolute."""
    try:
        there = urlsplit(target)
        host = there.hostname
    except ValueError:
        return Failure("redirect", "the server redirects to something that is no URL")
    if hops >= MAX_REDIRECTS:
        return Failure("redirect", f"more than {MAX_REDIRECTS} redirects")
    if there.scheme not in ("http", "https") or not host:
        return Failure("redirect", "the server redirects to something that is not http or https")
    if urlsplit(url).scheme == "https" and there.scheme == "http":
        return Failure("redirect", "the server redirects from https to http, where anyone could change the file")
    return target


def sent_to(written_for: str, url: str) -> bool:
    """Whether headers and credentials that the manifest gives for one URL may go to another: only within its origin."""
    return origin_of(written_for) == origin_of(url)
