"""Puts an object on condition, also where the store refuses every condition instead of comparing what is there.

    bytes, condition --put with If-None-Match or If-Match--> the object, or TakenError
                     --501: this time, and from then on--> a look whether the condition holds
                                                           --put without one--> the object, or TakenError

Swift's S3 API answers 501 to each put that has a condition. obstore repeats a request after any 5xx, as often as `retry` says: so the first
that has a condition is sent without repetitions, until the store has answered one, and no run waits for what is refused for good. Between
the look and the put another may put the same object, as where a store ignores conditions: `lease` warns of both.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from marscore.adapters.stores.failures import RefusedError, TakenError
from marscore.adapters.stores.identity import bare
from marscore.errors import StorageError
from marscore.values import Failure

_TAKEN = Failure("store", "cannot put the object: another object is there")


class Conditions:
    """What is known of one store; safe to share between threads."""

    def __init__(self, is_repeated: bool) -> None:
        """`is_repeated` says whether obstore repeats a request that fails."""
        #: Whether the store has refused one. Known after the first put that had a condition.
        self.are_refused = False
        #: Whether it is known, or found out without delay.
        self._are_known = not is_repeated

    def put(self, put: Callable[[Any, bool], Any], mode: Any, look: Callable[[], Any]) -> Any:
        """Return what `put` returns.

        Args:
            put: puts the object, given obstore's `mode`, and whether that is to be tried once only.
            mode: the condition: "create", or the ETag and the version of what is there; "overwrite" is none.
            look: tells what is there (obstore's `meta`, None: nothing), right before it is put without a condition.

        Raises:
            TakenError: the condition does not hold. What `put` and `look` raise is passed on.
        """
        if mode == "overwrite":
            return put(mode, False)
        if not self._are_known:
            try:
                return self._asked(put, mode, True)
            except TakenError:
                raise
            except StorageError:
                # Refused, which is known by now; or what is in the way may pass, and it is put as always.
                pass
        if not self.are_refused:
            with contextlib.suppress(RefusedError):
                return self._asked(put, mode, False)
        if not _holds(mode, look()):
            raise TakenError(_TAKEN)
        return put("overwrite", False)

    def _asked(self, put: Callable[[Any, bool], Any], mode: Any, once: bool) -> Any:
        try:
            told = put(mode, once)
        except TakenError:
            self._are_known = True
            raise
        except RefusedError:
            self._are_known = self.are_refused = True
            raise
        self._are_known = True
        return told


def _holds(mode: Any, there: Any) -> bool:
    if mode == "create" or there is None:
        return mode == "create" and there is None
    return all(bare(there[name]) == bare(value) for name, value in mode.items())
