"""One run per destination: a lock object beside the files, put on condition, which its run renews for as long as it lives.

    <destination>/.marscore/lock    JSON: who holds it (host, pid), by what token, and for how many seconds after it was put

Nobody is asked whether the holder lives. A lock that was put longer ago than its lease says is a dead run's, by the store's own clock: the
time of a probe object is compared with that of the lock, so that it does not matter what the clocks of two machines say. Where the holder
worked in this very folder of this machine, whose lock of the kernel we hold, it is dead already, and its lock is taken at once.

Who takes, renews or gives back a lock, puts it on condition that it still is the one that was read (If-Match), or that there is none
(If-None-Match); of two that try, the store takes one. Where a store ignores or refuses conditions, a run says so: then a second look a
moment later is all that there is. A run whose lock was taken, or could not be renewed in time, is told, and puts nothing any more.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from marscore.adapters.files.failures import naming
from marscore.adapters.stores.failures import MissingError, TakenError
from marscore.adapters.stores.fence import Fence, now
from marscore.adapters.stores.identity import if_still
from marscore.adapters.stores.objects import Objects
from marscore.adapters.stores.waiting import patiently
from marscore.errors import StorageError
from marscore.frozen import dataclass
from marscore.values import OWN_FOLDER, Failure

_NAME = "lock"
#: Seconds that a lock holds after it was put; it is renewed three times as often.
LEASE = 60.0
#: The part of it after which a run that could not renew it stops, so that it has stopped when the lock is another's to take.
_IN_DOUBT = 0.75
#: Seconds after which one that was put without a condition is looked at again.
_SETTLE = 1.0
#: The part of it that is taken to ask once where no time is left: a run that was stopped for long may hold its lock all the same.
_ONCE = 1 / 6
#: Seconds that the end of a run waits for its lock to be given back: it runs out by itself.
_GIVE_BACK = 10.0
#: The longest lock object that is read.
_MOST = 4096


@dataclass(frozen=True, slots=True)
class Record:
    """What a lock object says; `token` is of this holding, `place` of the folder that its run works in, `free` that nobody holds it."""

    host: str
    pid: int
    token: str
    place: str
    lease_s: float = LEASE
    free: bool = False
    #: How often it was renewed. The ETag of equal bytes is the same, and would not tell a lock that was renewed from what it was before.
    renewals: int = 0

    def data(self) -> bytes:
        """The object."""
        told = {"schema": "marscore/lock-object/v1", "host": self.host, "pid": self.pid, "token": self.token, "place": self.place}
        return (json.dumps({**told, "lease_s": self.lease_s, "free": self.free, "renewals": self.renewals}) + "\n").encode()


def record_of(data: bytes) -> Record | None:
    """What an object says; None where it is no lock of ours."""
    try:
        told = json.loads(data)
        return Record(
            str(told["host"])[:255], int(told["pid"]), str(told["token"]), str(told["place"]), float(told["lease_s"]), bool(told["free"])
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


class Lease:
    """The lock of a destination, held. `lost` says why it is not any more; `on_lost` hears of it, in a thread of its own."""

    def __init__(self, objects: Objects, place: str, seconds: float = LEASE) -> None:
        """Hold nothing yet; `place` names the folder that this run works in, whose own lock it holds."""
        self.objects = objects
        self._record = Record(socket.gethostname(), os.getpid(), secrets.token_hex(16), place, seconds)
        self._seconds = seconds
        self._etag: Any = None
        self._renewed = 0.0
        #: Whether the next renewal is not to be waited for.
        self._soon = False
        self._over = threading.Event()
        self.warnings: list[str] = []
        self.lost: Failure | None = None
        self.on_lost: Callable[[Failure], None] = lambda why: None
        #: Seconds that the end waits for the lock to be given back.
        self.patience = _GIVE_BACK
        #: Where the processes of the run read whether they may put something.
        self.fence: Fence | None = None
        #: What is done with each renewal, in its thread.
        self.meanwhile: Callable[[], None] = lambda: None

    def take(self, check: Callable[[], None] = lambda: None) -> None:
        """Take the lock and go on to renew it.

        Raises:
            StorageError: another run holds it, which the message names; or the store is in the way.
        """
        patiently(self._take, check)
        threading.Thread(target=self._renew, name="marscore-lease", daemon=True).start()

    def _take(self) -> None:
        began = now()
        found = self._read()
        if found is None:
            self._put("create")
        else:
            holder, meta = found
            if holder is None:
                raise StorageError(
                    Failure("store", f"{OWN_FOLDER}/{_NAME} is no lock of marscore's: remove that object if no run is going on")
                )
            if not (holder.free or self._is_here(holder) or self._is_over(holder, meta)):
                raise StorageError(_held(holder))
            self._put(if_still(meta))
        self._look_at_conditions()
        with naming("cannot note that the lock is held"):
            self._hold_since(began)

    def _hold_since(self, began: float) -> None:
        self._renewed = began
        if self.fence is not None and not self._over.is_set():
            self.fence.stand(began + _IN_DOUBT * self._seconds)

    def _put(self, mode: Any) -> None:
        try:
            self._etag = self.objects.put_own(_NAME, self._record.data(), mode)
        except TakenError:
            # Or it is our own: a request that was sent twice meets what it put the first time.
            found = self._read()
            if found is None or found[0] is None or found[0].token != self._record.token:
                raise StorageError(_held(found[0] if found else None)) from None
            self._etag = found[1]

    def _look_at_conditions(self) -> None:
        """Put it once more as if there were none: a store that knows conditions says that there is one."""
        if not self.objects.conditions.are_refused:
            try:
                self._etag = self.objects.put_own(_NAME, self._record.data(), "create")
            except TakenError:
                return
        time.sleep(_SETTLE)
        found = self._read()
        if found is None or found[0] is None or found[0].token != self._record.token:
            raise StorageError(_held(found[0] if found else None))
        self._etag = found[1]
        self.warnings.append(
            "the store takes no conditions with what is put: two runs that begin in the same second are not kept apart, and a request that "
            "comes late, after its run has lost the lock, may replace what another has put"
        )

    def _read(self) -> tuple[Record | None, Any] | None:
        for last in (False, False, True):
            try:
                found = self.objects.read(f"{OWN_FOLDER}/{_NAME}", _MOST)
            except MissingError:
                return None
            except TakenError:
                # It was renewed between a look at it and the reading.
                if last:
                    raise
            else:
                break
        return None if found is None else (record_of(found[0]), found[1])

    def _is_here(self, holder: Record) -> bool:
        return holder.place == self._record.place and holder.host == self._record.host

    def _is_over(self, holder: Record, meta: Any) -> bool:
        """Whether a lock's time is over, by the clock of the store."""
        name = f"clock-{self._record.token}"
        self.objects.put_own(name, b"")
        try:
            probe = self.objects.read(f"{OWN_FOLDER}/{name}", _MOST)
        finally:
            with contextlib.suppress(StorageError):
                self.objects.delete_own(name)
        # Both are whole seconds.
        return probe is not None and (probe[1]["last_modified"] - meta["last_modified"]).total_seconds() > min(holder.lease_s, 3600.0) + 2

    def _renew(self) -> None:
        beside: threading.Thread | None = None
        while not self._over.wait(self._seconds / (60 if self._soon else 3)):
            self._soon = False
            if not self._renewed_once():
                return
            if beside is None or not beside.is_alive():
                # A copy of much may take longer than a lock holds.
                beside = threading.Thread(target=self._do_meanwhile, name="marscore-lease-copies", daemon=True)
                beside.start()

    def _do_meanwhile(self) -> None:
        with contextlib.suppress(StorageError):
            self.meanwhile()

    def _renewed_once(self) -> bool:
        """Renew it, or see whether that can be tried again; False where it is lost."""
        began = now()
        self._record = replace(self._record, renewals=self._record.renewals + 1)
        data, condition = self._record.data(), if_still(self._etag)
        left = self._renewed + _IN_DOUBT * self._seconds - began
        try:
            self._etag = patiently(lambda: self.objects.put_own(_NAME, data, condition), seconds=max(left, _ONCE * self._seconds))
            self._hold_since(began)
        except OSError:
            # What cannot be noted holds for nobody: it is tried again with the next renewal.
            self._renewed = began
        except TakenError:
            if not self._is_mine(left):
                self._lose(Failure("store", "another run took the lock of this destination, since it was not renewed in time"))
                return False
            self._soon = True
        except StorageError as error:
            if now() - self._renewed >= _IN_DOUBT * self._seconds:
                self._lose(replace(error.failure, message=f"the lock of this destination cannot be renewed: {error.failure.message}"))
                return False
        return True

    def _is_mine(self, seconds: float) -> bool:
        """Whether the lock is this run's all the same: an answer may have been lost on its way."""
        try:
            found = patiently(self._read, seconds=max(seconds, _ONCE * self._seconds))
        except StorageError:
            # Nobody knows; the next renewal says, if there is time for one.
            return now() - self._renewed < _IN_DOUBT * self._seconds
        if found is None or found[0] is None or found[0].token != self._record.token or found[0].free:
            return False
        # Since when, its next renewal says: the one that arrived may have been put long ago.
        self._etag = found[1]
        return True

    def _lose(self, why: Failure) -> None:
        if not self._over.is_set():
            if self.fence is not None:
                self.fence.fall()
            self.lost = why
            self.on_lost(why)

    def give_back(self) -> None:
        """Let others have it."""
        self._over.set()
        if self.fence is not None:
            self.fence.fall()
        if self.lost is None and self._etag is not None:
            free = replace(self._record, free=True).data()
            with contextlib.suppress(StorageError):
                patiently(lambda: self.objects.put_own(_NAME, free, if_still(self._etag)), seconds=self.patience)


def _held(holder: Record | None) -> Failure:
    named = "" if holder is None else f" (on {holder.host!r}, pid {holder.pid})"
    return Failure("store", f"another run{named} holds this destination")
