"""A large file as the parts of one upload, which is given up the moment its run may not hold the destination's lock any more.

    file --read, hashed--> parts --obstore: one request each, some at a time--> the store --last look, completed--> the object

The request that completes an upload takes no condition: obstore has no way to pass one on (as of 0.12), though S3 knows it. So what is
there is looked at once more right before, and while an upload is under way somebody looks whether the lock still is held. Where it may not
be, the task is cancelled: its connections are closed, and neither is one of its requests repeated nor the upload completed. Its parts stay
in the store, as those of a run that was killed. What is left to chance is the time between two looks, and a request to complete that was
sent by then.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

from marscore.errors import StorageError
from marscore.values import Failure

#: Bytes of a part, at least: the least that S3 takes. A larger file has larger ones, since it may have no more than 10,000.
PART = 5 * 1024 * 1024
_MOST_PARTS = 5000
#: Seconds between two looks at the lock.
_LOOK_EVERY = 0.1
CHANGED = Failure("path", "another program changed the partial file after it was verified")

#: Begins an upload of parts; what it returns is awaited for what the store says of the object.
Start: TypeAlias = Callable[[AsyncIterator[bytes]], Awaitable[Any]]


async def _nothing() -> None:
    return


class LapsedError(Exception):
    """The lock may not be held at the moment. Who holds it again may begin anew."""


class Parts:
    """A file as the parts of an upload. At its end the whole is compared with what was verified; `etag` is what S3 says of the object."""

    def __init__(
        self,
        source: Path,
        known: tuple[int, str],
        wanted: Callable[[], bool] = lambda: True,
        stands: Callable[[], bool] = lambda: True,
        look: Callable[[], Awaitable[None]] = _nothing,
    ) -> None:
        """Prepare it.

        Args:
            source: the file.
            known: its size and its SHA-256.
            wanted: says whether the object still is to appear.
            stands: says whether the lock is held for now.
            look: is awaited before the upload is completed; what it raises gives it up.
        """
        self._source = source
        self._length, self._sha256 = known
        self._wanted, self._stands, self._look = wanted, stands, look
        self.size = max(PART, -(-self._length // _MOST_PARTS))
        self.etag = ""
        self.are_whole = False

    def send(self, start: Start) -> Any:
        """Send them; returns what the store says of the object.

        Raises:
            LapsedError: the lock may not have been held meanwhile.
            StorageError: the file is another than was verified, or the object is not wanted any more. What obstore raises is passed on.
        """
        return asyncio.run(self._sent(start))

    async def _sent(self, start: Start) -> Any:
        sending = asyncio.ensure_future(start(self._read()))
        while not sending.done():
            if not self._stands():
                sending.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await sending
                raise LapsedError
            await asyncio.wait([sending], timeout=_LOOK_EVERY)
        if not self.are_whole and sending.exception() is None:
            raise StorageError(Failure("internal", "the store took an object before all of it was read"))
        return sending.result()

    async def _read(self) -> AsyncIterator[bytes]:
        whole, md5s, length = hashlib.sha256(), [], 0
        with self._source.open("rb") as file:
            while data := file.read(self.size):
                self._go_on()
                whole.update(data)
                length += len(data)
                md5s.append(hashlib.md5(data, usedforsecurity=False).digest())
                if length > self._length:
                    break
                yield data
        if length != self._length or whole.hexdigest() != self._sha256:
            raise StorageError(CHANGED)
        await self._look()
        self._go_on()
        self.etag = f"{hashlib.md5(b''.join(md5s), usedforsecurity=False).hexdigest()}-{len(md5s)}"
        self.are_whole = True

    def _go_on(self) -> None:
        if not self._wanted():
            raise StorageError(Failure("interrupted", "the run ended before the object was whole"))
        if not self._stands():
            raise LapsedError
