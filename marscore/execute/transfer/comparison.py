"""What is done where a file that several have brought fails its checksum: who was wrong is found by fetching pieces again.

    shares --> Comparison --stage--> pieces of some --> looked at, fetched again `by` one source, looked at --> those that changed
                          --none left--> all bytes are of that one source

First the pieces of all other sources, then those of which nobody knows the source (an earlier run's, mostly). If the file is right then,
whoever brought other bytes before has lied, or damaged them. If it is still wrong, it is made of bytes of the one source alone, which the
checksum refuses: where all others agreed with it on their pieces, its own are fetched from another source, and only those.

It ends: a stage makes the pieces of others fewer, and there are three at most.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from marscore.execute.transfer.credits import UNKNOWN
from marscore.values import ByteRange


class Comparison:
    """One look for whoever was wrong. `by` is the URL of the source that all is compared with."""

    def __init__(self, shares: Mapping[str, tuple[ByteRange, ...]], by: str) -> None:
        self.by = by
        self._shares = shares
        others = [who for who in shares if who not in (UNKNOWN, by)]
        self._stages: list[list[str]] = [stage for stage in (others, [UNKNOWN] if UNKNOWN in shares else []) if stage]
        #: Who is looked at, the ranges in the order of their fingerprints, and those as they were before.
        self._looked_at: list[tuple[str, ByteRange]] = []
        self._before: Sequence[str] | None = None
        self._is_turned = False
        #: Who brought bytes that were others when they were fetched again, and how many bytes the pieces have.
        self.changed: dict[str, int] = {}

    @property
    def ranges(self) -> tuple[ByteRange, ...]:
        """What is looked at in this stage."""
        return tuple(piece for _, piece in self._looked_at)

    @property
    def is_fetched(self) -> bool:
        """Whether the pieces of this stage were looked at and are to be looked at again."""
        return self._before is not None

    def begin_stage(self) -> bool:
        """Go on to the next stage. False: there is none."""
        self._before = None
        names = self._stages.pop(0) if self._stages else []
        self._looked_at = [(who, piece) for who in names for piece in self._shares[who]]
        return bool(names)

    def turn_round(self) -> bool:
        """Look at the source's own pieces next, since nobody disagrees with it. False: somebody does, or it brought none."""
        if self._is_turned or self.changed or self.by not in self._shares:
            return False
        self._is_turned = True
        self._stages = [[self.by]]
        return True

    def look(self, fingerprints: Sequence[str]) -> None:
        """Take the fingerprints of this stage: those from before, and then those after its pieces were fetched again."""
        if self._before is None:
            self._before = fingerprints
            return
        for (who, piece), before, after in zip(self._looked_at, self._before, fingerprints, strict=True):
            if before != after:
                self.changed[who] = self.changed.get(who, 0) + len(piece)

    def is_about(self, who: str) -> bool:
        """Whether pieces of somebody are looked at in this stage."""
        return any(name == who for name, _ in self._looked_at)
