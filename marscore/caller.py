"""What a program brings along that runs marscore as a library: who hears of events, what stops the run, what sends the requests.

events of the run --Caller.tell, in the thread that called--> on_event, and `logging` where no log of marscore's own is asked for
cancel, set by any thread --watching--> Stop.ask, as the first signal does for a command
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, get_args

from marscore import arguments
from marscore.adapters.terminal.signals import Stop
from marscore.events import Event, LogLevel, UnloggedEvent, fields_of, level_of, located, name_of

if TYPE_CHECKING:
    import logging

    import requests

#: Readings, and what the report alone is made of.
_UNLOGGED = get_args(UnloggedEvent)
#: SIGTERM, which is what being told to stop counts as.
_TERM = 15
#: Seconds between two looks at what may be set.
_LOOK_EVERY = 0.05
#: As in `logging`, which a command has no use for.
_NUMBERS: dict[LogLevel, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class Caller:
    """The program's part in one run. Used by the thread that called; `cancels` are set by any."""

    def __init__(
        self,
        session: requests.Session | None = None,
        on_event: Callable[[Any], object] | None = None,
        cancels: Sequence[threading.Event] = (),
        logs: bool = False,
    ) -> None:
        """`logs` says that events go to the logger `marscore`."""
        self.session = session
        #: From which level on all events are wanted, and not those alone that others have a use for. None: none are.
        self.hears: LogLevel | None = "debug" if on_event is not None else _level_of_the_logger() if logs else None
        self._on_event = on_event
        self._cancels = cancels
        self._logs = logs
        self._stop: Stop | None = None
        self._error: BaseException | None = None

    def tell(self, events: Iterable[Event], path_of: Callable[[str], str | None]) -> None:
        """Pass events on, with the path that `path_of` gives for a download's id.

        What `on_event` raises ends the run in order, and is raised once that is done.
        """
        if self.hears is None or self._error is not None:
            return
        for event in events:
            if isinstance(event, _UNLOGGED):
                continue
            told = located(event, path_of)
            if self._logs:
                _log(told)
            if self._on_event is not None and not self._heard(self._on_event, told):
                return

    def _heard(self, on_event: Callable[[Any], object], event: Event) -> bool:
        try:
            arguments.refuse_awaitable("on_event", on_event(event))
        except KeyboardInterrupt:
            # It came while the program's own code ran: what it means is known already.
            raise
        except BaseException as error:  # noqa: BLE001 - it is raised, when all is in order
            self._error = error
            if self._stop is not None:
                self._stop.ask(_TERM)
            return False
        return True

    @contextlib.contextmanager
    def watching(self, stop: Stop) -> Iterator[None]:
        """While this lasts, what may be set is looked at. At the end, what was raised by `on_event` is raised."""
        self._stop = stop
        over = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(stop, over), name="marscore-cancel", daemon=True)
        if self._is_cancelled():
            stop.ask(_TERM)
        elif self._cancels:
            watcher.start()
        try:
            yield
        finally:
            over.set()
            if watcher.ident is not None:
                watcher.join()
        if self._error is not None:
            raise self._error

    def _is_cancelled(self) -> bool:
        return any(cancel.is_set() for cancel in self._cancels)

    def _watch(self, stop: Stop, over: threading.Event) -> None:
        while not over.wait(_LOOK_EVERY):
            if self._is_cancelled():
                stop.ask(_TERM)
                return


#: The command line, which brings nothing.
NOBODY = Caller()


@cache
def _logger() -> logging.Logger:
    """To whom events go that nobody else logs. As libraries do, it says nothing where the program has set up no logging."""
    import logging  # noqa: PLC0415 - as said

    logger = logging.getLogger("marscore")
    logger.addHandler(logging.NullHandler())
    return logger


def _level_of_the_logger() -> LogLevel | None:
    return next((level for level, number in _NUMBERS.items() if _logger().isEnabledFor(number)), None)


def _log(event: Event) -> None:
    number = _NUMBERS[level_of(type(event))]
    if not _logger().isEnabledFor(number):
        return
    name, fields = name_of(type(event)), fields_of(event)
    told = " ".join(f"{key}={value!r}" for key, value in fields.items() if key not in ("at", "download") and value not in (None, ()))
    about = f"{fields['download']}: " if fields.get("download") else ""
    extra = {"event": name, "download": fields.get("download"), "fields": fields}
    _logger().log(number, "%s%s %s", about, name, told, extra=extra)
