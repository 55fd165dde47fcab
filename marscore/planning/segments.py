"""Ranges that tile a file: how a range is shared between connections.

range + how many hands --share--> contiguous ranges that cover exactly the same bytes, several for each hand where it is large
"""

from __future__ import annotations

from itertools import pairwise

from marscore.values import ByteRange

#: A range below twice this is not shared. One more request costs a round trip and, where a response is cut short to give its tail away,
#: a new connection; on a 10 MiB/s line 1 MiB is 100 ms of transfer, about what these cost.
MIN_SPLIT = 1024 * 1024
#: A large range is cut in up to so many parts for each connection, none much smaller than this. They are asked for in the file's order, so
#: that its front, which is hashed meanwhile, advances at the speed of all connections; each costs a round trip. (256 MiB over eight
#: connections at 8 MiB/s: with one part for each, 0.2 s of hashing were left at the end.)
TURNS = 4
MIN_TURN = 8 * 1024 * 1024
_ALIGNED = 1024 * 1024


def share(whole: ByteRange, hands: int) -> tuple[ByteRange, ...]:
    """Cut what one connection has before it for `hands` of them: large parts begin at whole MiB, as storage likes them."""
    turns = min(hands * TURNS, len(whole) // MIN_TURN)
    if hands == 1 or turns <= hands:
        return split(whole, hands)
    inner = [(whole.start + len(whole) * i // turns) // _ALIGNED * _ALIGNED for i in range(1, turns)]
    return tuple(ByteRange(a, b) for a, b in pairwise([whole.start, *inner, whole.end]))


def split(whole: ByteRange, parts: int, minimum: int = MIN_SPLIT) -> tuple[ByteRange, ...]:
    """Cut a range into at most `parts` nearly equal ones, none smaller than `minimum` bytes unless the whole is."""
    parts = max(1, min(parts, len(whole) // minimum))
    bounds = [whole.start + len(whole) * i // parts for i in range(parts + 1)]
    return tuple(ByteRange(a, b) for a, b in pairwise(bounds))
