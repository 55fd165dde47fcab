"""Which redirects are followed, and what may be sent along.

the URL that answered + its Location + hops so far --next_url--> the next URL | Failure
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from marscore.values import Access, Failure, origin_of

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


def headers_for(access: Access, written_for: str, url: str) -> dict[str, str]:
    """The manifest's header fields that a request for `url` carries: all within the origin that they were written for.

    Elsewhere only those that `forward_headers` names, and User-Agent, which tells nothing that the server before did not hear.
    """
    if sent_to(written_for, url):
        return dict(access.headers)
    forwarded = {"user-agent", *access.forward_headers}
    return {name: value for name, value in access.headers if name.lower() in forwarded}


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet: no loopback, private, link-local, reserved or multicast one.

    An IPv6 address that carries an IPv4 one (mapped, 6to4, Teredo, NAT64) is as public as that.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        carried = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None) or _nat64(ip)
        if carried is not None:
            ip = carried
    return ip.is_global and not ip.is_multicast


def _nat64(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    # RFC 6052 section 2.1: the well-known prefix.
    return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in ipaddress.IPv6Network("64:ff9b::/96") else None


PRIVATE = Failure("redirect", "the server redirects to an address that is not public, which private_addresses refuses")
