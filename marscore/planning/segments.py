"""Ranges that tile a file: how a range is shared between connections.

range + how many hands --split--> contiguous ranges that cover exactly the same bytes
"""

from __future__ import annotations

from itertools import pairwise

from marscore.values import ByteRange

#: A range below twice this is not shared. One more request costs a round trip and, where a response is cut short to give its tail away,
#: a new connection; on a 10 MiB/s line 1 MiB is 100 ms of transfer, about what these cost.
MIN_SPLIT = 1024 * 1024


def split(whole: ByteRange, parts: int, minimum: int = MIN_SPLIT) -> tuple[ByteRange, ...]:
    """Cut a range into at most `parts` nearly equal ones, none smaller than `minimum` bytes unless the whole is."""
    parts = max(1, min(parts, len(whole) // minimum))
    bounds = [whole.start + len(whole) * i // parts for i in range(parts + 1)]
    return tuple(ByteRange(a, b) for a, b in pairwise(bounds))
