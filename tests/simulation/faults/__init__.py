"""What goes wrong. A fault is one class, and is tried as soon as it is there: it is drawn with a chance of its `weight`.

    Fault.draw(chance, files) --> a fault with all that it depends on --begin(play)--> it lies in wait for what it spoils

Those of a run begin with it and are gone with it. `repr` of one says all that it does.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from tests.simulation.play import Play
    from tests.simulation.scenario import File

FAULTS: list[type[Fault]] = []


class Fault:
    """One thing that goes wrong in one run. `weight` is how often it is drawn, beside others; 0: it is the base of others."""

    weight: ClassVar[int] = 0

    def __init_subclass__(cls) -> None:
        if cls.weight and "weight" in vars(cls):
            FAULTS.append(cls)

    @classmethod
    def draw(cls, chance: random.Random, files: Sequence[File]) -> Fault:
        """One of these."""
        raise NotImplementedError

    def begin(self, play: Play) -> None:
        """Lie in wait."""
        raise NotImplementedError


from tests.simulation.faults import disks, machine, mirrors, origins, versions  # noqa: E402, F401 - what they define, they add here
