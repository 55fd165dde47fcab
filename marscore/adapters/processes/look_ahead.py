"""Processes that look ahead for a run that finds all in place: it hands them rows in turn, and takes what they found in the same order.

    pieces --next--> Asked --ask--> a process, one after the other --answer--> what was found, for the oldest piece that was handed out

What they say is of the moment. Where one dies, says nothing for long, or is listened to too late, since the run waits for other downloads,
the run looks at what was handed out by itself.
"""

from __future__ import annotations

import contextlib
import queue
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from marscore.adapters.processes.looking import Asked, InPlaceText, LookSettings
from marscore.adapters.processes.piped import Child
from marscore.resolve.streamed import Piece

#: Pieces that a process has at a time: the one that it looks at, and the next.
_AHEAD = 2
#: Seconds that a process has for one: a look at two thousand files takes a tenth of a second, on a disk that is awake.
PATIENCE = 10.0
#: Seconds after which nobody takes an answer: by then a file may have gone. The run itself tells of a file as soon as it has looked.
FRESH = 1.0
#: Seconds between two looks whether anybody still waits; and those that an idle process has to leave.
_CHECK_EVERY, _LEAVE = 0.1, 1.0


class Looks(Protocol):
    """Somebody who looks: what is asked first is answered first."""

    def ask(self, asked: Asked) -> None:
        """Have it look."""

    def answer(self, check: Callable[[], None]) -> tuple[float, list[InPlaceText]] | None:
        """What it found of what it was asked first, and how many seconds ago it said so; None where it is gone.

        `check` raises once nobody waits for it any more.
        """

    def leave(self) -> None:
        """Let it know that nobody wants more of it."""

    def close(self) -> None:
        """End it: it has nothing that could be lost."""


class LookingProcess:
    """Implements `Looks` by a process of its own."""

    def __init__(self, number: int, settings: LookSettings, patience: float = PATIENCE) -> None:
        """Start it; it is ended once it has said nothing for so many seconds.

        Raises:
            OSError: the system starts none.
        """
        self._answers: queue.SimpleQueue[tuple[float, list[InPlaceText]] | None] = queue.SimpleQueue()
        self._is_gone = False
        self._patience = patience
        # What goes wrong in it is nobody's matter: the run looks by itself.
        self._child = Child("look_child", f"look-{number}", self._heard, self._ended, errors=subprocess.DEVNULL)
        self._child.say(settings)

    def ask(self, asked: Asked) -> None:
        """As `Looks` says."""
        if not self._is_gone:
            self._child.say(asked)

    def answer(self, check: Callable[[], None]) -> tuple[float, list[InPlaceText]] | None:
        """As `Looks` says."""
        until = time.monotonic() + self._patience
        while not self._is_gone:
            check()
            with contextlib.suppress(queue.Empty):
                if (said := self._answers.get(timeout=_CHECK_EVERY)) is not None:
                    return time.monotonic() - said[0], said[1]
                self._is_gone = True
            if time.monotonic() >= until:
                self.close()
        return None

    def leave(self) -> None:
        """As `Looks` says."""
        self._is_gone = True
        self._child.close_input()

    def close(self) -> None:
        """As `Looks` says."""
        self.leave()
        self._child.reap(time.monotonic() + _LEAVE)

    def _heard(self, found: list[InPlaceText]) -> None:
        self._answers.put((time.monotonic(), found))

    def _ended(self, _code: int, _trouble: str | None) -> None:
        self._answers.put(None)


class LookAhead:
    """Pieces of a list in their order, each with what was found of its rows: None, where nobody has looked, or too long ago.

    `may_ask` says of which pieces processes may tell anything. `start` starts the process of this number; it raises OSError where the
    system gives none.
    """

    def __init__(
        self,
        pieces: Iterator[Piece],
        may_ask: Callable[[Piece], bool],
        check: Callable[[], None],
        start: Callable[[int, LookSettings], Looks] = LookingProcess,
    ) -> None:
        self._pieces = pieces
        self._may_ask = may_ask
        self._check = check
        self._start = start
        self._processes: list[Looks] = []
        self._turn = 0
        self._waiting: deque[tuple[Piece, Looks | None]] = deque()
        #: Why there is no next piece, told once those before it were taken.
        self._end: Exception | None = None
        self._is_over = False

    def next(self) -> tuple[Piece, Sequence[InPlaceText] | None] | None:
        """The next one; None after the last.

        Raises:
            ManifestError: as `Streamed.pieces`.
        """
        while not self._is_over and len(self._waiting) < max(1, _AHEAD * len(self._processes)):
            self._hand_out()
        if not self._waiting:
            if self._end is not None:
                raise self._end
            return None
        piece, process = self._waiting.popleft()
        return piece, None if process is None else self._answer_of(process)

    def hire(self, settings: LookSettings, count: int) -> None:
        """Have so many processes from now on, or as many as the system gives."""
        with contextlib.suppress(OSError):
            while len(self._processes) < count:
                self._processes.append(self._start(len(self._processes), settings))

    @property
    def has_processes(self) -> bool:
        """Whether somebody looks ahead."""
        return bool(self._processes)

    def close(self) -> None:
        """Do without them from now on."""
        for process in self._processes:
            process.leave()
        while self._processes:
            self._processes[-1].close()
            self._processes.pop()

    def _answer_of(self, process: Looks) -> Sequence[InPlaceText] | None:
        said = process.answer(self._check)
        if said is None:
            if process in self._processes:
                process.close()
                self._processes.remove(process)
            return None
        age, found = said
        if age <= FRESH:
            return found
        # The run has more to do than to look, and so little use for who looks ahead.
        self.close()
        return None

    def _hand_out(self) -> None:
        try:
            piece = next(self._pieces, None)
        except Exception as error:  # noqa: BLE001 - it is raised in its turn
            self._end, self._is_over = error, True
            return
        if piece is None:
            self._is_over = True
            return
        process = None
        if self._processes and piece.entry is not None and self._may_ask(piece):
            process = self._processes[self._turn % len(self._processes)]
            self._turn += 1
            process.ask(Asked(piece.index, piece.entry.columns, piece.rows))
        self._waiting.append((piece, process))
