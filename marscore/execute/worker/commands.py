"""Lets transfers decide, and performs their commands, in the one thread that owns them.

fact --tell--> Transfer.step --commands--> events, files, pauses --> the next fact, if one follows at once
                                       --> a helper, where it takes its time; its answer is the next fact
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from http import HTTPStatus

from marscore.errors import IntegrityError, OriginError, StorageError
from marscore.events import Event, HostPaced, Warned
from marscore.execute.transfer.protocol import (
    Broke,
    Command,
    Drop,
    Emit,
    Extract,
    Extracted,
    Fact,
    Fingerprint,
    Fingerprinted,
    Hashed,
    Identified,
    Identify,
    Moment,
    PauseHost,
    Place,
    Placed,
    Receive,
    Release,
    Segment,
    Stopped,
    Store,
    Verify,
)
from marscore.execute.transfer.state_machine import Transfer
from marscore.execute.worker.board import Board
from marscore.execute.worker.helpers import Helpers
from marscore.execute.worker.placing import Item, Placing
from marscore.execute.worker.writing import OpenFile, fingerprint
from marscore.exhaustive import assert_never
from marscore.policy.failures import BUSY, parse_retry_after
from marscore.ports import Answer, Clock, FileStore, Partial, Unpacker
from marscore.state import FileIdentity
from marscore.values import Failure, internal

#: Bytes from which on hashing a file takes so long (0.2 ms) that it is worth the way to a helper and back.
WORTH_A_HELPER = 256 * 1024


class Commands:
    """Performs commands. `put` takes events, `let_go` ends the fetches of a transfer that is over."""

    def __init__(
        self,
        board: Board,
        files: FileStore,
        clock: Clock,
        helpers: Helpers,
        put: Callable[[Event], None],
    ) -> None:
        self._board = board
        self._store = files
        self._clock = clock
        self._helpers = helpers
        self._put = put
        self._placing: Placing | None = None
        #: Who places large files, and looks at finished ones, where that goes over a network.
        self.sending: Helpers | None = None
        self._unpacking: tuple[Unpacker, Helpers] | None = None
        #: What tells helpers that unpack an archive that nobody waits for that any more.
        self._given_up: dict[str, threading.Event] = {}
        self._files: dict[str, OpenFile] = {}
        self.tell_pause: Callable[[str, float], None] = lambda host, seconds: None
        self.tell_pace: Callable[[str], None] = lambda host: None
        self.let_go: Callable[[Transfer], None] = lambda transfer: None

    def place_by(self, placing: Placing) -> None:
        """Have small files placed by that; what it places is told to their transfers."""
        self._placing = placing
        placing.placed = self._placed

    def unpack_by(self, unpacker: Unpacker, helpers: Helpers) -> None:
        """Have archives unpacked by that, in these helpers."""
        self._unpacking = unpacker, helpers

    def _placed(self, item: Item, stored: FileIdentity | Exception) -> None:
        if isinstance(stored, Exception):
            self.helped(item.transfer, None, stored)
        else:
            self.tell(item.transfer, Placed(self.moment(), stored, item.content.digests))

    def moment(self) -> Moment:
        """Now."""
        return Moment(self._clock.now(), self._clock.ticks(), self._clock.draw())

    def stop(self, transfer: Transfer, reason: Failure) -> None:
        """End a transfer since the run ends; what was received is kept."""
        for command in transfer.step(Stopped(self.moment(), reason)):
            if isinstance(command, Emit):
                self._put(command.event)
        self._board.settle(transfer)
        self._give_up_unpacking(transfer)
        if file := self._files.pop(transfer.download.id, None):
            # Whatever it is worth, the next run decides.
            file.release(keep=True)

    def file(self, transfer: Transfer) -> OpenFile:
        """The file behind a transfer, which need not be on the disk yet."""
        return self._files.get(transfer.download.id) or self.adopt(transfer, None)

    def adopt(self, transfer: Transfer, partial: Partial | None) -> OpenFile:
        """Go on with what an earlier run left, if anything was."""
        file = self._files[transfer.download.id] = OpenFile(self._store, transfer.download.path, partial)
        return file

    def heard(self, transfer: Transfer, segment: Segment, host: str, answer: Answer) -> bool:
        """Let the pace of a host follow from its answer; says whether that is a refusal for the sake of the pace."""
        pace, ticks = self._board.slots.pace(host), self._clock.ticks()
        again = bool(segment.retry.failures or segment.retry.refusals)
        if answer.status not in BUSY or answer.status not in transfer.options.retry.statuses:
            pace.accepted(ticks, again=again)
            return False
        pause = parse_retry_after(answer.fields.get("retry-after"), self._clock.now())
        too_many = answer.status == HTTPStatus.TOO_MANY_REQUESTS
        if pause is not None and not too_many:
            # It is out of service, and says for how long.
            return False
        if pace.rate is None and segment.retry.failures:
            # One file's refusals, however many, are about the file.
            return False
        if pace.refused(ticks, explicit=bool(pause), too_many=too_many, again=again) and pace.rate is not None:
            self._board.changed = True
            self._put(HostPaced(self._clock.now(), transfer.download.id, host, round(pace.rate, 2)))
            self.tell_pace(host)
        return pace.rate is not None

    def tell(self, transfer: Transfer, fact: Fact) -> bool:
        """Let the transfer decide and do what it says; says whether it wants the body of the answer."""
        receive = self.carry_out(transfer, fact)
        self._board.settle(transfer)
        return receive

    def carry_out(self, transfer: Transfer, fact: Fact) -> bool:
        """Do as `tell`, for a caller that lets the board know itself what has changed."""
        receive, facts = False, [fact]
        while facts:
            for command in self._decided(transfer, facts.pop(0)):
                receive = receive or isinstance(command, Receive)
                try:
                    if (following := self._do(transfer, command)) is not None:
                        facts.append(following)
                except Exception as error:  # noqa: BLE001 - what goes wrong with a file is told to its transfer
                    facts.append(Broke(self.moment(), None, failure_of(error)))
        return receive

    def _decided(self, transfer: Transfer, fact: Fact) -> list[Command]:
        try:
            return transfer.step(fact)
        except Exception as error:  # noqa: BLE001 - a defect fails its one download by name, and the run goes on
            return transfer.step(Broke(self.moment(), None, internal(error)))

    def _do(self, transfer: Transfer, command: Command) -> Fact | None:  # noqa: C901 - one case for each command, nothing more
        match command:
            case Emit():
                self._put(command.event)
            case PauseHost():
                ticks = self._clock.ticks()
                self._board.pause(command.host, ticks + command.seconds, ticks)
                self.tell_pause(command.host, command.seconds)
            case Verify() | Fingerprint() | Place():
                return self._with_partial(transfer, command)
            case Store():
                assert self._placing is not None
                self._placing.store(transfer, command.content, command.attributes)
            case Identify():
                return self._identify(transfer)
            case Extract():
                self._extract(transfer, command)
            case Release():
                self._release(transfer, command.keep)
            case Receive() | Drop():
                pass
            case _:
                assert_never(command)
        return None

    def _with_partial(self, transfer: Transfer, command: Verify | Fingerprint | Place) -> Fact | None:
        partial = self.file(transfer).of(command.epoch)
        if partial is None:
            raise StorageError(Failure("interrupted", "the run ended before the file got its name"))
        path, moment = transfer.download.path, self.moment

        def act() -> Fact:
            if isinstance(command, Verify):
                return Hashed(moment(), partial.digests(command.size, command.algorithms))
            if isinstance(command, Fingerprint):
                return Fingerprinted(moment(), tuple(fingerprint(partial, span) or "" for span in command.ranges))
            return Placed(moment(), partial.finish(path, command.size, command.digests, command.attributes), command.digests)

        sending = self.sending if isinstance(command, Place) else None
        if sending is None and not isinstance(command, Fingerprint) and command.size < WORTH_A_HELPER:
            return act()
        (sending or self._helpers).do(act, lambda fact, error: self.helped(transfer, fact, error))
        return None

    def _identify(self, transfer: Transfer) -> Fact | None:
        files, path, moment = self._store, transfer.download.path, self.moment

        def act() -> Fact:
            return Identified(moment(), files.identify(path))

        if self.sending is None:
            return act()
        self.sending.do(act, lambda fact, error: self.helped(transfer, fact, error))
        return None

    def _extract(self, transfer: Transfer, command: Extract) -> None:
        assert self._unpacking is not None, "whoever has archives to unpack has what unpacks them"
        unpacker, helpers = self._unpacking
        given_up = self._given_up[transfer.download.id] = threading.Event()
        asked, moment = command.asked, self.moment

        def act() -> Fact:
            return Extracted(moment(), unpacker.unpack(asked, lambda: not given_up.is_set()))

        helpers.do(act, lambda fact, error: self.helped(transfer, fact, error))

    def _give_up_unpacking(self, transfer: Transfer) -> None:
        if given_up := self._given_up.pop(transfer.download.id, None):
            given_up.set()

    def helped(self, transfer: Transfer, fact: Fact | None, error: BaseException | None) -> None:
        """Tell a transfer what a helper has found out, or that it could not."""
        self.tell(transfer, fact or Broke(self.moment(), None, failure_of(error)))

    def _release(self, transfer: Transfer, keep: bool) -> None:
        self._give_up_unpacking(transfer)
        self.let_go(transfer)
        file = self._files.pop(transfer.download.id, None)
        failure = file.release(keep) if file else None
        if failure:
            self._put(Warned(self._clock.now(), transfer.download.id, f"what is left of it stays: {failure.message}"))


def failure_of(error: BaseException | None) -> Failure:
    """The failure that an error is told as."""
    if isinstance(error, (StorageError, OriginError, IntegrityError)):
        return error.failure
    return internal(error or RuntimeError())
