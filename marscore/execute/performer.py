"""Lets transfers decide, and performs their commands: what is told, hashed, placed and let go of.

fact --tell--> Transfer.step, under the desk's lock --commands--> carry_out, outside it --> the next fact, if one follows at once
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from typing_extensions import assert_never

from marscore.errors import StorageError
from marscore.execute.desk import Desk
from marscore.execute.protocol import Broke, Command, Drop, Emit, Fact, Hashed, PauseHost, Place, Placed, Receive, Release, Segment, Verify
from marscore.execute.transfer import Transfer
from marscore.execute.writing import OpenFile
from marscore.ports import Partial
from marscore.state import FileIdentity
from marscore.values import Failure

#: Files from this size on are hashed while they are written, and verified apart from the threads that receive.
LARGE = 4 * 1024 * 1024


class Performer:
    """Performs commands for one thread. `on_pause` is called before a host's pause holds."""

    def __init__(self, desk: Desk, files: dict[str, OpenFile], on_pause: Callable[[], None]) -> None:
        self._desk = desk
        self._files = files
        self.on_pause = on_pause
        #: The whole of the small file at hand, where that is all there is of it.
        self.body: bytes | memoryview | None = None

    def file(self, transfer: Transfer) -> OpenFile:
        """The file behind a transfer, which need not be on the disk yet."""
        name = transfer.download.id
        file = self._files.get(name)
        return file or self._files.setdefault(name, OpenFile(self._desk.files, transfer.download.path))

    def broke(self, transfer: Transfer, segment: Segment | None, failure: Failure) -> None:
        """Tell a transfer that a try failed."""
        # Once the run stops, what breaks breaks for that reason; the worker tells the transfers when its threads have left.
        if not self._desk.stopped.is_set():
            self.tell(transfer, Broke(self._desk.moment(), segment, failure))

    def tell(self, transfer: Transfer, fact: Fact) -> bool:
        """Let the transfer decide and do what it says. Returns whether it wants the body of the answer."""
        with self._desk.lock:
            commands = transfer.step(fact)
            self.settle(transfer)
        return self.carry_out(transfer, commands)

    def carry_out(self, transfer: Transfer, commands: list[Command]) -> bool:
        """Do these. Returns whether the body of the answer is wanted."""
        receive = False
        next_fact: Fact | None = None
        for command in commands:
            receive = receive or isinstance(command, Receive)
            next_fact = self._do(transfer, command) or next_fact
        return receive or (next_fact is not None and self.tell(transfer, next_fact))

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
                self.on_pause()
                self._desk.pause(command.host, command.seconds)
                self._desk.on_pause(command.host, command.seconds)
            case Verify():
                if command.size < LARGE:
                    return self._verify(transfer, command)
                # In a thread of its own: a connection is not to stand idle while a file is hashed.
                threading.Thread(target=self._verify_apart, args=(transfer, command), name="marscore-verify", daemon=True).start()
            case Place():
                return Placed(self._desk.moment(), self._placed(transfer, command))
            case Release():
                self._close(transfer, command.keep)
            case Receive() | Drop():
                pass
            case _:
                assert_never(command)
        return None

    def _placed(self, transfer: Transfer, command: Place) -> FileIdentity:
        if self.body is not None and not transfer.closed:
            return self._desk.files.store(transfer.download.path, self.body)
        return self._partial(transfer).finish(transfer.download.path, command.size, command.digests)

    def _close(self, transfer: Transfer, keep: bool) -> None:
        file = self._files.pop(transfer.download.id, None)
        if file is not None:
            file.release(keep)

    def _verify_apart(self, transfer: Transfer, command: Verify) -> None:
        try:
            self.tell(transfer, self._verify(transfer, command))
        except StorageError as error:
            self.broke(transfer, None, error.failure)
        except Exception as error:  # noqa: BLE001 - as in perform
            self.broke(transfer, None, Failure("internal", f"{type(error).__name__}: {error}"))
        self._desk.on_verified()

    def _verify(self, transfer: Transfer, command: Verify) -> Fact:
        return Hashed(self._desk.moment(), self._partial(transfer).digests(command.size, command.algorithms))

    def _partial(self, transfer: Transfer) -> Partial:
        partial = None if transfer.closed else self.file(transfer).of(transfer.ledger.epoch)
        if partial is None:
            raise StorageError(Failure("interrupted", "the run ended before the file got its name"))
        return partial
