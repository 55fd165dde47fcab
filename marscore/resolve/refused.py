"""What ends the expansion of one entry, or of one row of its list."""

from __future__ import annotations

from marscore.manifest.places import NO_ADVICE, Advice, Path


class RefusedError(Exception):
    """A filled-in text is wrong: where it is written, and why; and what helps with it."""

    def __init__(self, where: Path, message: str, advice: Advice = NO_ADVICE) -> None:
        super().__init__(where, message)
        self.where, self.message, self.advice = where, message, advice


class HiddenError(Exception):
    """What is wrong follows from something else that is."""
