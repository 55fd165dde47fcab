"""Lets transfers decide, and performs their commands: what is told, hashed, placed and let go of.

fact --tell--> Transfer.step, under the desk's lock --commands--> carry_out, outside it --> the next fact, if one follows at once

Any number of threads use one Performer at once, also those that verify large files apart. So it holds nothing of what one of them is doing:
what a command needs stands in the command, and what its caller has to know is returned.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from marscore.errors import IntegrityError, OriginError, StorageError
from marscore.events import Warned
from marscore.execute.desk import Desk
from marscore.execute.protocol import (
    Broke,
    Command,
    Drop,
    Emit,
    Fact,
    Hashed,
    Identified,
    Identify,
    PauseHost,
    Place,
    Placed,
    Receive,
    Release,
    Segment,
    Store,
    Verify,
)
from marscore.execute.transfer import Transfer
from marscore.execute.writing import OpenFile
from marscore.exhaustive import assert_never
from marscore.ports import Partial
from marscore.values import Failure, internal

#: Files from this size on are hashed while they are written, and verified apart from the threads that receive.
LARGE = 4 * 1024 * 1024


_T = TypeVar("_T")


class Performed(NamedTuple):
    """What the caller of a performer has to know: whether the body of the answer is wanted, and whether a host is to be left alone."""

    receive: bool = False
    paused: bool = False


class Performer:
    """Performs commands, in whatever thread calls it."""

    def __init__(self, desk: Desk, files: dict[str, OpenFile]) -> None:
        self._desk = desk
        self._files = files

    def file(self, transfer: Transfer) -> OpenFile | None:
        """The file behind a transfer, which need not be on the disk yet; None once the transfer is over."""
        name = transfer.download.id
        # Under the lock, so that none is made anew for a transfer that has just let go of its own: it would remove what was kept.
        with self._desk.lock:
            if transfer.closed:
                return None
            return self._files.get(name) or self._files.setdefault(name, OpenFile(self._desk.files, transfer.download.path))

    def broke(self, transfer: Transfer, segment: Segment | None, failure: Failure) -> Performed:
        """Tell a transfer that a try failed."""
        # Once the run stops, what breaks breaks for that reason; the worker tells the transfers when its threads have left.
        if self._desk.stopped.is_set():
            return Performed()
        return self.tell(transfer, Broke(self._desk.moment(), segment, failure))

    def tell(self, transfer: Transfer, fact: Fact) -> Performed:
        """Let the transfer decide and do what it says."""
        with self._desk.lock:
            commands = transfer.step(fact)
            self.settle(transfer)
        return self.carry_out(transfer, commands)

    def carry_out(self, transfer: Transfer, commands: list[Command]) -> Performed:
        """Do these, and what follows from them at once."""
        receive = paused = False
        next_fact: Fact | None = None
        for command in commands:
            receive = receive or isinstance(command, Receive)
            paused = paused or isinstance(command, PauseHost)
            next_fact = self._do(transfer, command) or next_fact
        if next_fact is None:
            return Performed(receive, paused)
        then = self.tell(transfer, next_fact)
        return Performed(receive or then.receive, paused or then.paused)

    def settle(self, transfer: Transfer) -> None:
        """Take note of what a step changed, under the desk's lock."""
        # Only who has something to take is woken: waking costs more than a small file.
        if self._desk.board.settle(transfer) or transfer.can_share():
            self._desk.changed.notify_all()

    def _do(self, transfer: Transfer, command: Command) -> Fact | None:
        match command:
            case Emit():
                self._desk.sink(command.event)
            case PauseHost():
                self._desk.pause(command.host, command.seconds)
                self._desk.on_pause(command.host, command.seconds)
            case Verify():
                return None if self._verifies_apart(transfer, command) else self._verify(transfer, command)
            case Place() | Store():
                return self._placed(transfer, command)
            case Identify():
                return Identified(self._desk.moment(), self._desk.files.identify(transfer.download.path))
            case Release():
                self._close(transfer, command.keep)
            case Receive() | Drop():
                pass
            case _:
                assert_never(command)
        return None

    def _placed(self, transfer: Transfer, command: Place | Store) -> Fact:
        path = transfer.download.path
        if isinstance(command, Store):
            identity, digests = self._desk.files.store(path, command.content), command.content.digests
        else:
            identity, digests = self._partial(transfer, command.epoch).finish(path, command.size, command.digests), command.digests
        return Placed(self._desk.moment(), identity, digests)

    def _close(self, transfer: Transfer, keep: bool) -> None:
        file = self._files.pop(transfer.download.id, None)
        failure = file.release(keep) if file else None
        if failure:
            self._desk.sink(Warned(self._desk.clock.now(), transfer.download.id, f"what is left of it stays: {failure.message}"))

    def _verifies_apart(self, transfer: Transfer, command: Verify) -> bool:
        """Verify a large file in a thread of its own, as a connection is not to stand idle meanwhile. False: there are no more threads."""
        if command.size < LARGE:
            return False
        thread = threading.Thread(target=self._verify_apart, args=(transfer, command), name="marscore-verify", daemon=True)
        with self._desk.lock:
            self._desk.helpers = [helper for helper in self._desk.helpers if helper.is_alive()]
            try:
                thread.start()
            except RuntimeError:
                return False
            self._desk.helpers.append(thread)
        return True

    def _verify_apart(self, transfer: Transfer, command: Verify) -> None:
        try:
            self.guarded(transfer, None, lambda: self.tell(transfer, self._verify(transfer, command)))
            self._desk.on_verified()
        except BaseException as error:  # noqa: BLE001 - a thread that dies ends its download by name
            self._desk.on_death((transfer,), error)

    def guarded(self, transfer: Transfer, segment: Segment | None, act: Callable[[], _T]) -> _T | Performed:
        """Do something for a transfer; what goes wrong is told to it."""
        try:
            return act()
        except StorageError as error:
            return self.broke(transfer, None, error.failure)
        except (OriginError, IntegrityError) as error:
            return self.broke(transfer, segment, error.failure)
        except Exception as error:  # noqa: BLE001 - a defect fails its one download by name, and the run goes on
            return self.broke(transfer, None, internal(error))

    def _verify(self, transfer: Transfer, command: Verify) -> Fact:
        return Hashed(self._desk.moment(), self._partial(transfer, command.epoch).digests(command.size, command.algorithms))

    def _partial(self, transfer: Transfer, epoch: int) -> Partial:
        file = self.file(transfer)
        partial = file.of(epoch) if file else None
        if partial is None:
            raise StorageError(Failure("interrupted", "the run ended before the file got its name"))
        return partial
