"""Which hosts are asked without the environment's proxy: the one reading of `no_proxy`, whatever HTTP client sends the request.

There is no standard. This is curl's reading, and of what others add what it leaves without a meaning: ports and brackets.

    *                       every host
    example.org             that host and those below it, with a dot before it or not
    192.0.2.7, 2001:db8::7  that address           [2001:db8::7]  the same
    192.0.2.0/24, fd00::/8  the addresses of that network
    any host or address, then :PORT                on that port only; an IPv6 address in brackets

Entries stand between commas or spaces, in upper or lower case. What is none of these means no host.
"""

from __future__ import annotations

import ipaddress
import re

from marscore.hostname import idna_of
from marscore.url import Url

_SEPARATORS = re.compile(r"[\s,]+")
#: A host or network, and a port; what has colons of its own stands in brackets before a port.
_ENTRY = re.compile(r"(?:\[(?P<bracketed>[^\[\]]*)\](?P<length>/[0-9]+)?|(?P<plain>[^:\[\]]*))(?::(?P<port>[0-9]{1,5}))?")


def is_direct(url: Url, no_proxy: str) -> bool:
    """Whether `no_proxy` names the host of a URL."""
    return any(_names(entry, url) for entry in _SEPARATORS.split(no_proxy) if entry)


def _names(entry: str, url: Url) -> bool:
    if entry == "*":
        return True
    match = _ENTRY.fullmatch(entry)
    if match is None:
        # An IPv6 address or network without brackets: all of its colons are its own.
        return _is_host(entry, url.host)
    if match["port"] and int(match["port"]) != url.port:
        return False
    named = match["plain"] if match["bracketed"] is None else match["bracketed"] + (match["length"] or "")
    return _is_host(named, url.host)


def _is_host(named: str, host: str) -> bool:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return _is_name(named, host.removesuffix("."))
    try:
        network = ipaddress.ip_network(named.partition("%")[0], strict=False)
    except ValueError:
        return False
    return address in network


def _is_name(named: str, host: str) -> bool:
    name = named.strip(".").lower()
    if not name.isascii():
        try:
            name = idna_of(name)
        except ValueError:
            return False
    return bool(name) and (host == name or host.endswith(f".{name}"))
