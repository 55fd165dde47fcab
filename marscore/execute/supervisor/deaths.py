"""Which downloads workers died over. A worker holds up to a thousand; most of them it has not begun when it dies, and they are innocent.

Only those count that were begun, as far as the worker had told of it, and the second time they fail (of workers that are lost with their
machines, the fifth: a large file may take longer than such a machine is there). Who dies over a download before it
can tell of it has begun none that is known: then workers are given less at once, an eighth of what the dead one held, so that the next
deaths narrow it down until one dies over a single download, which counts. With every outcome that comes they get twice as much again.
So each death is followed by outcomes, by less to hold, or by a download that counts, and none of these goes on for ever. That many
workers die one after the other without one outcome, whatever they hold, ends the run: it is not the downloads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Set

from marscore.execute.supervisor.members import DEEPEST

#: How much less workers hold after one died over nobody knows which download.
_NARROWER = 8
#: Deaths without an outcome between them after which nobody is hired any more; three poisonous downloads are found by then.
MOST_IN_A_ROW = 20
#: Workers in a row that died before they told anything, after which no more processes are tried.
MOST_UNBORN = 3


class Deaths:
    """Keeps account of deaths. `depth` is the most that a worker may hold at once; over a download `most` die, and then it fails."""

    def __init__(self, most: int = 2) -> None:
        self.depth = DEEPEST
        self._most = most
        self._over: Counter[str] = Counter()
        self._in_a_row = 0
        self._unborn = 0

    @property
    def hopeless(self) -> bool:
        """Whether it makes no sense to hire another."""
        return self._in_a_row >= MOST_IN_A_ROW

    @property
    def no_start(self) -> bool:
        """Whether worker processes do not even come to say that they live."""
        return self._unborn >= MOST_UNBORN

    def outcome(self) -> None:
        """A worker told of an outcome."""
        self._in_a_row = 0
        self.depth = min(DEEPEST, self.depth * 2)

    def died(self, held: Iterable[str], begun: Set[str], spoke: bool) -> list[str]:
        """Take note of the death of a worker that held these and had begun some; returns the downloads that no other is to die over."""
        held = list(held)
        self._in_a_row += 1
        self._unborn = 0 if spoke else self._unborn + 1
        counted = [each for each in held if each in begun or (spoke and len(held) == 1)]
        if spoke and not counted:
            self.depth = max(1, len(held) // _NARROWER)
        self._over.update(counted)
        return [each for each in counted if self._over[each] >= self._most]
