"""Small files on their way to their places: stored by the loop itself where that is fast, by helpers in batches where it is not.

    content --store--> FileStore.store, at once                    --> identity
                       batch --hand_over, once a turn--> helpers, a share each --Done--> identities | errors

Creating, writing and renaming a file takes 0.05 ms on a local disk and milliseconds over a network (NFS), where nothing but many at once
makes it faster.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from marscore.execute.transfer.state_machine import Transfer
from marscore.execute.worker.helpers import Helpers
from marscore.ports import Clock, FileStore
from marscore.state import AS_MADE, Attributes, Content, FileIdentity

#: Seconds that storing a file takes, in the mean, above which it is left to helpers, and below which it is the loop's own again.
SLOW_STORE, FAST_STORE = 0.001, 0.0005
#: What a new measurement counts for in the mean.
_WEIGHT = 0.1
#: Files of one share, at least: the way to a helper and back costs as much as storing one on a local disk.
_SHARE = 4
#: Files that may wait for their places; while there are so many, no new download begins.
MOST_WAITING = 256


class Item(NamedTuple):
    """A file that waits for its place."""

    transfer: Transfer
    content: Content
    attributes: Attributes


_Stored: TypeAlias = "FileIdentity | Exception"


class Placing:
    """Stores files; `placed` takes each one that a helper stored, with its identity or what was raised instead."""

    def __init__(self, files: FileStore, clock: Clock, helpers: Helpers, most: int, is_far: bool = False) -> None:
        """Use at most so many helpers, and always where files are stored over a network."""
        self._files = files
        self._ticks = clock.ticks
        self._helpers = helpers
        self._most = most
        self.placed: Callable[[Item, FileIdentity | Exception], None] = lambda item, stored: None
        self._mean, self._is_slow, self._is_far = 0.0, is_far, is_far
        self._batch: list[Item] = []
        #: Files that wait for their places, or are on their way there.
        self.waiting = 0

    def store(self, transfer: Transfer, content: Content, attributes: Attributes = AS_MADE) -> FileIdentity | None:
        """Store a file; returns what identifies it there, or None where that is told later.

        Raises:
            StorageError: as in `FileStore.store`.
        """
        if self._is_slow:
            self._batch.append(Item(transfer, content, attributes))
            self.waiting += 1
            return None
        began = self._ticks()
        identity = self._files.store(transfer.download.path, content, attributes)
        self._note(self._ticks() - began)
        return identity

    def hand_over(self) -> None:
        """Leave what a turn has brought to helpers."""
        batch, self._batch = self._batch, []
        share = max(1 if self._is_far else _SHARE, -(-len(batch) // self._most))
        for at in range(0, len(batch), share):
            self._hand_over(batch[at : at + share])

    def _hand_over(self, items: list[Item]) -> None:
        files, ticks = self._files, self._ticks
        tasks = [(item.transfer.download.path, item.content, item.attributes) for item in items]

        def act() -> tuple[list[_Stored], float]:
            began = ticks()
            return [_stored(files, *task) for task in tasks], ticks() - began

        def then(result: tuple[list[_Stored], float] | None, error: BaseException | None) -> None:
            self.waiting -= len(items)
            stored, seconds = result or ([error if isinstance(error, Exception) else RuntimeError()] * len(items), 0.0)
            self._note(seconds / len(items))
            for item, one in zip(items, stored, strict=True):
                self.placed(item, one)

        self._helpers.do(act, then)

    def _note(self, seconds: float) -> None:
        self._mean += _WEIGHT * (seconds - self._mean)
        self._is_slow = self._is_far or self._mean > (FAST_STORE if self._is_slow else SLOW_STORE)


def _stored(files: FileStore, path: str, content: Content, attributes: Attributes) -> _Stored:
    try:
        return files.store(path, content, attributes)
    except Exception as error:  # noqa: BLE001 - whatever it is, its download hears of it
        return error
