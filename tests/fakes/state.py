"""A state store in memory, whose commits a test can count."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from marscore.state import Claim, Claims, Row, claim_of, row_of


class MemoryState:
    """Implements `ports.StateStore`. `commits` holds each batch that was recorded."""

    def __init__(self) -> None:
        self.kept: dict[str, Claim] = {}
        self.commits: list[tuple[Claim, ...]] = []

    def claims(self) -> Claims:
        """Every claim, by path key."""
        return Claims({key: row_of(claim) for key, claim in self.kept.items()})

    def record(self, rows: Iterable[Row]) -> None:
        """Replace the claims for these paths."""
        batch = tuple(claim for row in rows if (claim := claim_of(row)))
        self.commits.append(batch)
        self.kept.update((claim.path_key, claim) for claim in batch)

    def flushed(self, path_keys: Iterable[str]) -> None:
        """Mark the claims for these paths durable."""
        for key in path_keys:
            if key in self.kept:
                self.kept[key] = replace(self.kept[key], durable=True)
