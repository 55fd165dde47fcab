"""Waiting for something in a queue, for a while."""

from __future__ import annotations

import contextlib
import queue
from typing import TypeVar

_T = TypeVar("_T")


def taken(source: queue.SimpleQueue[_T], seconds: float | None) -> _T:
    """Remove and return the first of what is there; wait so many seconds for it, without end where None. For a queue that one thread reads.

    CPython 3.10 may wait for ever in `get` with a timeout where nobody waited since the last `put`: it takes that for news, finds nothing,
    and waits on with what is left of the time, which counts as no limit once it is negative (7 of 240,000 calls with 0 on busy cores;
    none on 3.11 and later). A look without waiting takes note that there is no news.

    Raises:
        queue.Empty: there was none in time.
    """
    with contextlib.suppress(queue.Empty):
        return source.get_nowait()
    if seconds is not None and seconds <= 0:
        raise queue.Empty
    return source.get(timeout=seconds)
