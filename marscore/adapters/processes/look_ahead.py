"""Processes that look ahead for a run that finds all in place: it hands them rows in turn, and takes what they found in the same order.

    pieces --next--> Asked --say--> helper, one after the other --> found, for the oldest piece that was handed out

A helper that dies, or says nothing for a while, is done without: the run looks at what it was handed by itself.
"""

from __future__ import annotations

import contextlib
import queue
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

from marscore.adapters.processes.looking import Asked, Found, LookSettings, is_plain
from marscore.adapters.processes.piped import Child
from marscore.resolve.streamed import Piece

#: Pieces that a helper has at a time: the one that it looks at, and the next.
_AHEAD = 2
#: Seconds that a helper has for one: a look at two thousand files takes a tenth of one, on a disk that is awake.
_PATIENCE = 60.0
#: Seconds between two looks whether anybody still waits.
_LOOK_EVERY = 0.1


class LookingProcess:
    """Implements `Looks` by a process of its own."""

    def __init__(self, number: int, settings: LookSettings) -> None:
        """Start it.

        Raises:
            OSError: the system starts none.
        """
        self._answers: queue.SimpleQueue[list[Found] | None] = queue.SimpleQueue()
        self._is_gone = False
        self._child = Child("look_child", f"look-{number}", self._answers.put, lambda code, trouble: self._answers.put(None))
        self._child.say(settings)

    def ask(self, asked: Asked) -> None:
        """As `Looks` says."""
        if not self._is_gone:
            self._child.say(asked)

    def answer(self, check: Callable[[], None], patience: float = _PATIENCE) -> list[Found] | None:
        """As `Looks` says. One that says nothing for so many seconds is ended."""
        until = time.monotonic() + patience
        while not self._is_gone:
            check()
            with contextlib.suppress(queue.Empty):
                if (found := self._answers.get(timeout=_LOOK_EVERY)) is not None:
                    return found
                self._is_gone = True
            if time.monotonic() >= until:
                self.close()
        return None

    def close(self) -> None:
        """As `Looks` says."""
        self._is_gone = True
        self._child.kill()
        self._child.close_input()
        self._child.reap(time.monotonic())


class Looks(Protocol):
    """Somebody who looks: what is asked first is answered first."""

    def ask(self, asked: Asked) -> None:
        """Have it look."""

    def answer(self, check: Callable[[], None]) -> list[Found] | None:
        """What it found of what it was asked first; None where it is gone. `check` raises once nobody waits for it any more."""

    def close(self) -> None:
        """End it: it has nothing that could be lost."""


class LookAhead:
    """Pieces of a list in their order, each with what helpers found of its rows: None, where none looked.

    `start` starts the helper of this number; it raises OSError where the system gives none.
    """

    def __init__(
        self, pieces: Iterator[Piece], check: Callable[[], None], start: Callable[[int, LookSettings], Looks] = LookingProcess
    ) -> None:
        self._pieces = pieces
        self._start = start
        self._helpers: list[Looks] = []
        self._check = check
        self._turn = 0
        self._waiting: deque[tuple[Piece, Looks | None]] = deque()
        #: Why there is no next piece, told once those before it were taken.
        self._end: Exception | None = None
        self._is_over = False

    def next(self) -> tuple[Piece, list[Found] | None] | None:
        """The next one; None after the last.

        Raises:
            ManifestError: as `Streamed.pieces`.
        """
        while not self._is_over and len(self._waiting) < max(1, _AHEAD * len(self._helpers)):
            self._hand_out()
        if not self._waiting:
            if self._end is not None:
                raise self._end
            return None
        piece, helper = self._waiting.popleft()
        return piece, None if helper is None else helper.answer(self._check)

    def hire(self, settings: LookSettings, count: int) -> None:
        """Have so many helpers from now on, or as many as the system gives."""
        with contextlib.suppress(OSError):
            while len(self._helpers) < count:
                self._helpers.append(self._start(len(self._helpers), settings))

    @property
    def has_helpers(self) -> bool:
        """Whether somebody looks ahead."""
        return bool(self._helpers)

    def close(self) -> None:
        """Do without helpers from now on."""
        while self._helpers:
            self._helpers.pop().close()

    def _hand_out(self) -> None:
        try:
            piece = next(self._pieces, None)
        except Exception as error:  # noqa: BLE001 - it is raised in its turn
            self._end, self._is_over = error, True
            return
        if piece is None:
            self._is_over = True
            return
        helper = None
        if self._helpers and piece.entry is not None and is_plain(piece.entry.shared):
            helper = self._helpers[self._turn % len(self._helpers)]
            self._turn += 1
            helper.ask(Asked(piece.index, piece.entry.columns, piece.rows))
        self._waiting.append((piece, helper))
