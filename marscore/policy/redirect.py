"""Which redirects are followed, and what may be sent along.

the URL that answered + its Location + hops so far --next_url--> the next URL | Failure

Everything here looks at parsed URLs, and what is asked is made of the same value: there is no second reading that could find another host.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection

from marscore.url import Url, resolve
from marscore.values import Access, Failure

#: As in curl's --max-redirs of browsers: Chrome, Firefox and requests stop at 20 to 30.
MAX_REDIRECTS = 20
#: What in a query signs or dates the way to a file, and is another each time: AWS, Google, Azure (SAS), CloudFront.
_SIGNING = re.compile(
    "x-amz-.+|x-goog-.+|sv|sr|st|se|sp|spr|sig|sip|skoid|sktid|skt|ske|sks|skv|expires|signature|key-pair-id|policy|awsaccesskeyid|googleaccessid",
    re.IGNORECASE,
)
_OTHER_SCHEME = re.compile("(?!https?:)[A-Za-z][A-Za-z0-9+.-]*:", re.IGNORECASE)


TWO_PLACES = Failure("redirect", "the server redirects to two places at once")


def the_location(values: Collection[str]) -> str | Failure | None:
    """The one Location of an answer; None where there is none. Each reader would take another one of several."""
    found = {value.strip() for value in values}
    if len(found) > 1:
        return TWO_PLACES
    return found.pop() if found else None


def next_url(url: Url, location: str, hops: int) -> Url | Failure:
    """Say where a redirect leads, or why it is not followed. `location` is the field's value, absolute or not."""
    if not location.strip():
        # As a reference it means the same URL (RFC 3986 section 4.4), which would lead here again.
        return Failure("redirect", "the server redirects, and does not say where to")
    if hops >= MAX_REDIRECTS:
        return Failure("redirect", f"more than {MAX_REDIRECTS} redirects")
    if _OTHER_SCHEME.match(location):
        return Failure("redirect", "the server redirects to something that is not http or https")
    try:
        there = resolve(url, location)
    except ValueError as error:
        return Failure("redirect", f"the server redirects to something that is no URL: it {error}")
    if url.scheme == "https" and there.scheme == "http":
        return Failure("redirect", "the server redirects from https to http, where anyone could change the file")
    return there


def sent_to(written_for: Url, url: Url) -> bool:
    """Whether headers and credentials that the manifest gives for one URL may go to another: only within its origin."""
    return written_for.origin == url.origin


def headers_for(access: Access, written_for: Url, url: Url) -> dict[str, str]:
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


def says_public(host: str) -> bool:
    """Whether a host's own text does not say that it is not public, as localhost (RFC 6761) and private addresses do."""
    return host.removesuffix(".").rpartition(".")[2] != "localhost" if is_name(host) else is_public(host)


def is_name(host: str) -> bool:
    """Whether a host is a name, and no address."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return True
    return False


def _nat64(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    # RFC 6052 section 2.1: the well-known prefix.
    return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in ipaddress.IPv6Network("64:ff9b::/96") else None


PRIVATE = Failure("redirect", "the server redirects to an address that is not public, which private_addresses refuses")
_PRIVATE_ROW = Failure("redirect", "a list that is elsewhere leads to an address that is not public, which private_addresses refuses")


def private(is_redirect: bool) -> Failure:
    """What is said of a request that may go to public addresses alone."""
    return PRIVATE if is_redirect else _PRIVATE_ROW


def resource_of(url: Url) -> str:
    """What a validator belongs to: the URL that answered, without what signs or dates it.

    The same strong validator may be in use for several resources, and says nothing of whether they are equal (RFC 9110 section 8.8.1).
    """
    path, mark, query = url.target.partition("?")
    if not mark:
        return url.origin + path
    return f"{url.origin}{path}?{'&'.join(part for part in query.split('&') if not _SIGNING.fullmatch(part.partition('=')[0]))}"
