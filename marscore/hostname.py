"""The hosts of URLs, each in the one form that all readers take for the same.

A host is one of: a name of letters, digits, - and _ between dots (after IDNA, UTS 46); an IPv4 address of four decimal numbers; an IPv6
address in brackets, with a zone or without (RFC 6874). A part of a name may be longer than DNS allows, and then it cannot be resolved.
"""

from __future__ import annotations

import re

_NAME = re.compile(r"(?=.{1,253}\.?\Z)[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?")
#: Bytes between two dots that a name of DNS may have (RFC 1035 section 2.3.4).
LONGEST_LABEL = 63
#: What IDNA takes for a dot (RFC 3490 section 3.1).
_IDNA_DOTS = re.compile("[.\u3002\uff0e\uff61]")
#: What ends in a number is an address to some readers (inet_aton reads octal, hexadecimal and fewer parts; others do not): it is an address
#: here too, and in the one form that all of them read alike.
_NUMERIC = re.compile(r"(?:\A|\.)(?:[0-9]+|0x[0-9a-f]*)\.?\Z")
_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_BYTE}(?:\.{_BYTE}){{3}}")
_ZONE = re.compile("[A-Za-z0-9._~-]+")


def parse_host(text: str) -> str:
    """The one form of a host: ASCII in lower case, an IPv6 address without its brackets.

    Raises:
        ValueError: it is none.
    """
    if text.startswith("["):
        return _ipv6(text[1:-1])
    host = (text if text.isascii() else idna_of(text)).lower()
    if not _NAME.fullmatch(host):
        raise ValueError("must name a host of letters, digits, - and _ between dots, and, if any, a port from 1 to 65535")
    if _NUMERIC.search(host) and not _IPV4.fullmatch(host):
        raise ValueError("must write an IPv4 address as four decimal numbers, as in 192.0.2.1")
    return host


def idna_of(text: str) -> str:
    """A host's name, or a part of one, in ASCII (UTS 46, RFC 5891); its parts may be longer than DNS allows.

    Raises:
        ValueError: there is no such form.
    """
    import idna  # noqa: PLC0415 - its tables take a tenth of a start, and few hosts need them

    if len(text) > 253:
        # Its rules take their time on what is longer than any name.
        raise ValueError("must name a host that IDNA can write")
    try:
        mapped = idna.uts46_remap(text, std3_rules=False, transitional=False)
        return ".".join([_alabel(label) if label else "" for label in _IDNA_DOTS.split(mapped)])
    except UnicodeError:
        raise ValueError("must name a host that IDNA can write") from None


def _alabel(label: str) -> str:
    """One part of a name in ASCII, as `idna.alabel` makes it, of any length."""
    import idna  # noqa: PLC0415 - as above

    if label.isascii():
        return label if len(label) > LONGEST_LABEL else idna.alabel(label).decode("ascii")
    idna.check_label(label)
    return f"xn--{label.encode('punycode').decode('ascii')}"


def _ipv6(text: str) -> str:
    import ipaddress  # noqa: PLC0415 - few hosts are written so

    address, percent, zone = text.partition("%")
    zone = zone.removeprefix("25")
    try:
        host = ipaddress.IPv6Address(address).compressed
    except ValueError:
        raise ValueError("must have an IPv6 address between its brackets") from None
    if percent and not _ZONE.fullmatch(zone):
        raise ValueError("must name an IPv6 zone after %25")
    return f"{host}%{zone}" if percent else host


def has_short_labels(host: str) -> bool:
    """Whether no part of a host's name is longer than DNS allows."""
    return len(host) <= LONGEST_LABEL or ":" in host or max(map(len, host.split("."))) <= LONGEST_LABEL
