"""Words for people that all share who tell of a run: numbers with their nouns, how downloads ended, times, hosts, why a server refused."""

from __future__ import annotations

import math
from typing import Any

from marscore.public import WRITTEN

#: How a download ends that is in place.
IN_PLACE = ("downloaded", "up_to_date", "cached")
#: Ports that a scheme implies; nobody wants to read them.
_IMPLIED = (":443", ":80")


def counted(count: int, one: str, many: str) -> str:
    """A number with its noun: `1 retry`, `2 retries`."""
    return f"{count:,} {one if count == 1 else many}"


def endings(totals: Any) -> dict[str, int]:
    """How many downloads ended in each way (`model.Totals`, or `head.Sums` as a run has them)."""
    return {
        "downloaded": totals.downloaded,
        "up to date": totals.up_to_date,
        "from the cache": totals.cached,
        "failed": totals.failed,
        "interrupted": totals.interrupted,
        "not started": totals.skipped,
    }


def in_place(totals: Any) -> int:
    """How many of them are in place."""
    return sum(getattr(totals, status) for status in IN_PLACE)


def seconds(wait: float) -> str:
    """A wait for people: `0.4 s`, `12 s`, `2 min`, `1 h 5 min`. Rounded up, since nothing happens before."""
    if wait < 1:
        return f"{max(0.1, math.ceil(wait * 10) / 10):.1f} s"
    whole = math.ceil(wait - 1e-9)
    if whole < 120:
        return f"{whole} s"
    minutes = math.ceil(whole / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def duration(seconds: float) -> str:
    """A time for people: `1.3 s`, `2 min 5 s`, `3 h 12 min`."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, second = divmod(round(seconds), 60)
    return f"{minutes} min {second} s" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def reason_of(message: str) -> str:
    """A failure's message, short: a status alone says that a server answered."""
    return message.removeprefix("the server answered ")


def host_in(url: str) -> str:
    """The `host:port` of a URL that is shown, as events name hosts; empty where what is secret hides it."""
    written = WRITTEN.match(url)
    place = written["place"] if written else ""
    if not place or place.rpartition("]")[2].rpartition(":")[1]:
        return place.lower()
    return f"{place.lower()}:{443 if url[:6].lower() == 'https:' else 80}"


def shown_host(host: str) -> str:
    """A host for people, without a port that goes without saying."""
    name, colon, port = host.rpartition(":")
    return name if colon + port in _IMPLIED and name else host
