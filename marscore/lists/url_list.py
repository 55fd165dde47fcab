"""A list of URLs: one a line, with blank lines and `#` comments between them."""

from __future__ import annotations

from marscore.lists.model import Item, Listing
from marscore.lists.words import has_scheme, is_http, numbered


def read(text: str) -> Listing:
    """Read one."""
    listing = Listing()
    for number, line in numbered(text):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) > 1 and not words[1].startswith("#"):
            listing.leave_out(number, "holds more than a URL; several URLs of one file in a line are what aria2 takes (--from aria2)")
        elif has_scheme(words[0]) and not is_http(words[0]):
            listing.leave_out(number, "only http and https are fetched")
        else:
            listing.items.append(Item(number, words[0]))
    return listing
