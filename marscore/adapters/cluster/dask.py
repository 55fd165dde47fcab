"""Workers of a Dask cluster: one relay (`relay`) in each, and one task that says it is in use.

    client --actor call--> scheduler --> Dask worker: Relay --pipe--> worker process
           (Ask, sealed)                 a task, `occupy`, that lasts for as long as the relay does

Why not one task for each shard, which is what Dask is made for? A task tells nothing before its end: no event, no progress, no pause of a
host, no new share of a limit. Its connections, and what was learned of how fast a host may be asked, would go with it. A scheduler that
loses a worker runs its tasks again by itself, wherever it likes, and knows nothing of what is in place; one that merely lost sight of a
worker has two of them at work on one task. And each task stays in the logs of scheduler and workers (dask/distributed#2371 and #5570, and
16 KiB of memory for each in #3898), where a plan has millions of downloads. So there are two tasks for each worker, whatever the plan.

An actor is what can be called while it works. Dask gives it no place of its own: to the scheduler a worker that has one is idle, and
whatever scales a cluster ends idle workers. (Executors that were ended while idle are why a run of img2dataset lost shards:
rom1504/img2dataset#159.) The second task takes a thread of the worker from the start of its relay to the end. Neither is retried, neither
may move: `workers`, `allow_other_workers=False`, `retries=0`, `pure=False`.

What else there would be for messages: queues, variables, Pub/Sub and logged events pass all data through the scheduler's memory, where it
stays and is shown; `Client.run` writes a line into each worker's log, at the level info, for each call.

What can be seen: keys `marscore-relay-RUN-N` and `marscore-worker-RUN-N`, and tickets, which hold a path and a random token. Orders and
answers are arguments of calls, and closed (`sealed`).
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import threading
import time
from collections.abc import Sequence
from typing import Any

from marscore.adapters.cluster.engine import EngineError, LineError
from marscore.adapters.cluster.relay import Relay
from marscore.adapters.cluster.sealed import Sealed, Ticket
from marscore.errors import StorageError
from marscore.values import Failure

#: Seconds to reach the scheduler.
CONNECT_WITHIN = 10.0
#: Seconds after which an answer that is still awaited is looked after: whether its worker, and the scheduler, are still there.
_LOOK = 0.5
#: Seconds that a client, or a cluster of its own, gets to close.
_CLOSE_WITHIN = 3.0
#: What of Dask's log at a client is shown, where nobody says.
_QUIET = dict.fromkeys(("distributed", "distributed.client", "tornado", "tornado.application"), "critical")
#: The relays of this process, a Dask worker's, by the names of their tickets.
_RELAYS: dict[str, Relay] = {}


class DaskRelay:
    """The actor: a relay for whoever calls through Dask."""

    def __init__(self, ticket: Ticket) -> None:
        self._relay = _RELAYS[ticket.name] = Relay(ticket)

    async def exchange(self, sealed: Sealed) -> Sealed:
        """As the relay's, without holding up the worker's own loop."""
        return await asyncio.to_thread(self._relay.exchange, sealed)


def occupy(name: str) -> None:
    """Last for as long as the relay of this name has something to do."""
    relay = _RELAYS.get(name)
    if relay is None:
        # Of a worker that took the place of one that was lost.
        return
    relay.seated.set()
    relay.over.wait()
    _RELAYS.pop(name, None)


def leave(name: str) -> None:
    """Let the relay of this name go."""
    relay = _RELAYS.pop(name, None)
    if relay is not None:
        threading.Thread(target=relay.leave, name="marscore-leave", daemon=True).start()


class DaskEngine:
    """Implements `engine.Engine`: the cluster at `address`, or that of Dask's own configuration, or else one on this machine."""

    def __init__(self, address: str | None, processes: int) -> None:
        """Reach the scheduler.

        Args:
            address: the scheduler's.
            processes: how many workers there are where a cluster is started here.

        Raises:
            StorageError: it is not to be reached.
        """
        import dask.config  # noqa: PLC0415 - an extra, and it takes half a second

        # What it has to say of a run's end, the run says; unless its log is configured by somebody.
        with dask.config.set({"logging": dask.config.get("logging", None) or _QUIET}):
            # Its types are not whole.
            distributed: Any = importlib.import_module("distributed")
        self._local: Any = None
        address = address or dask.config.get("scheduler-address", None)
        try:
            if address is None:
                self._local = distributed.LocalCluster(
                    n_workers=processes, threads_per_worker=1, dashboard_address=None, silence_logs=logging.CRITICAL
                )
            self.name = f"the Dask scheduler at {self._local.scheduler_address if self._local else address}"
            self._client = distributed.Client(self._local or address, timeout=CONNECT_WITHIN, set_as_default=False)
        except (OSError, ValueError, RuntimeError) as error:
            if self._local is not None:
                _briefly(self._local.close)
            where = f"the Dask scheduler at {address}" if address else "a Dask cluster on this machine"
            raise StorageError(Failure("resources", f"cannot reach {where}: {_reason(error)}")) from error

    def places(self) -> Sequence[str]:
        """The addresses of its workers."""
        self.demand()
        try:
            workers = self._client.scheduler_info(n_workers=-1)["workers"]
        except Exception as error:
            raise EngineError(f"{self.name} does not answer any more: {_reason(error)}") from error
        return [address for address, told in workers.items() if told.get("status", "running") == "running"]

    def demand(self) -> None:
        """Raise EngineError where the scheduler has gone."""
        if self._client.status != "running":
            # A client that comes back to it has lost all that it had there.
            raise EngineError(f"{self.name} is gone; run again to go on")

    def open(self, place: str, ticket: Ticket) -> DaskLine:
        """Open a relay in the worker at this address, once that has a thread for it."""
        only: dict[str, Any] = {"workers": [place], "allow_other_workers": False, "pure": False, "retries": 0}
        name = ticket.name.removeprefix("marscore-")
        relay = self._client.submit(DaskRelay, ticket, actor=True, key=f"marscore-relay-{name}", **only)
        try:
            with self._client.as_current():
                actor = relay.result()
        except Exception as error:
            relay.cancel()
            raise LineError(f"{place}: no relay can be opened there: {_reason(error)}") from error
        task = self._client.submit(occupy, ticket.name, key=f"marscore-worker-{name}", **only)
        return DaskLine(self, self._client, place, ticket.name, (actor, relay, task))

    def close(self) -> None:
        """Leave the scheduler, and end a cluster of our own."""
        _briefly(self._client.close)
        if self._local is not None:
            _briefly(self._local.close)


class DaskLine:
    """Implements `engine.Line`."""

    def __init__(self, engine: DaskEngine, client: Any, place: str, relay: str, held: tuple[Any, Any, Any]) -> None:
        self.name = place
        self._engine = engine
        self._client = client
        self._relay = relay
        self._actor, self._future, self._task = held

    def exchange(self, sealed: Sealed, within: float) -> Sealed:
        """Ask, and be answered."""
        until = time.monotonic() + within
        try:
            answer = self._actor.exchange(sealed)
            while True:
                try:
                    told: Sealed = answer.result(timeout=max(0.01, min(_LOOK, until - time.monotonic())))
                    return told
                except TimeoutError:
                    self._demand()
                    if time.monotonic() >= until:
                        raise
        except (TimeoutError, LineError):
            raise
        except Exception as error:
            # Whatever Dask raises for a worker, or a scheduler, that it cannot speak with.
            raise LineError(f"the Dask worker {self.name} was lost: {_reason(error)}") from error

    def _demand(self) -> None:
        try:
            self._engine.demand()
        except EngineError as error:
            raise LineError(str(error)) from error
        if self._future.status != "finished":
            raise LineError(f"the Dask worker {self.name} was lost")

    def close(self) -> None:
        """Let the relay and its task go."""
        threading.Thread(target=self._let_go, name="marscore-leave", daemon=True).start()

    def _let_go(self) -> None:
        with contextlib.suppress(Exception):
            # A task that runs is not ended by being cancelled.
            self._client.run(leave, self._relay, workers=[self.name], on_error="ignore")
        with contextlib.suppress(Exception):
            self._client.cancel([self._task, self._future], force=True)


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _briefly(act: Any) -> None:
    """Do what may take its time where the other end is gone; for seconds at most."""

    def tried() -> None:
        with contextlib.suppress(BaseException):
            act()

    thread = threading.Thread(target=tried, name="marscore-close", daemon=True)
    thread.start()
    thread.join(_CLOSE_WITHIN)
