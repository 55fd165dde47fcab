"""Near the end: a worker with connections to spare takes over a part of what another holds and has not begun.

Once nothing waits any more, what a slow worker holds would keep the run, while the others have nothing to do: a machine with a bad
network, or one large file in front of many small ones. So the one that holds most is asked for a part of it. What it has not begun is for
it alone to say: it takes that off its own list first and then tells (`Returned`), and only then another gets it. Nobody else begins it
meanwhile, since until then the supervisor counts it as held; where the worker is lost before it is heard, it goes the way of all that a
lost worker held.

Each such move leaves less unevenness, or fewer workers without anything, so downloads that nobody may begin for now (a host that asked for
a pause) are not passed to and fro.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from marscore.execute.supervisor.members import Member
from marscore.frozen import dataclass

#: Seconds after which another worker is asked, where the one that was has not answered.
ANSWER_WITHIN = 1.0


@dataclass(frozen=True, slots=True)
class Request:
    """A worker, and how many downloads it is to give back at most."""

    member: Member
    most: int


def takers(members: Iterable[Member], threads: int) -> list[Member]:
    """Those that could begin more at once: the ones that hold fewest first."""
    spare = [member for member in members if not member.retiring and member.unbegun <= 0 and len(member.works) < threads]
    return sorted(spare, key=lambda member: len(member.works))


def request(members: Sequence[Member], threads: int, now: float) -> Request | None:
    """Who is to be asked now, in ticks, if anybody is."""
    if any(member.asked is not None and now - member.asked < ANSWER_WITHIN for member in members):
        return None
    found = takers(members, threads)
    donor = max(
        (member for member in members if member.asked is None and _may_give(member)), key=lambda member: member.unbegun, default=None
    )
    if donor is None or not found:
        return None
    # An even part for each. Whoever has nothing at all takes the last one, too; else that would go to and fro.
    parts = donor.unbegun * len(found)
    most = -(-parts // (len(found) + 1)) if not found[0].works else parts // (len(found) + 1)
    most = min(most, len(donor.works) - 1)
    return Request(donor, most) if most > 0 else None


def may_get(member: Member, members: Iterable[Member]) -> bool:
    """Whether one that has nothing to do may still take something over."""
    return any(other is not member and _may_give(other) for other in members)


def is_much(members: Iterable[Member], threads: int) -> bool:
    """Whether so much is held that nobody has begun that another worker would be of use."""
    return any(_may_give(member) and member.unbegun > threads for member in members)


def _may_give(member: Member) -> bool:
    # One is left to it.
    return member.unbegun > 0 and len(member.works) > 1 and not member.has_begun_all


def parts(count: int, among: int) -> list[int]:
    """So many as evenly as it can be among so many."""
    return [count // among + (number < count % among) for number in range(among)]
