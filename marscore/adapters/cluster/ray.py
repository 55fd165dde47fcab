"""Workers of a Ray cluster: an actor for each, which has a processor of the cluster for as long as the run lasts.

    run --frames--> gateway process: Ray's client --actor call--> RayRelay: Relay --pipe--> worker process
                                                   (Ask, sealed)

Why actors, and not a task for each shard: as for Dask (`dask`). Of what users of Ray report: tasks that wait are memory (its docs' pattern
"limit pending tasks"), so there are none here, and at most one call of each actor is under way. An actor that needs no processor is put
anywhere, as many of them as one likes, so each asks for one. None is restarted, and no call of one is repeated by Ray (`max_restarts=0`,
`max_task_retries=0`): where one is lost, the supervisor says what becomes of its downloads.

A driver whose cluster is gone is ended by Ray itself, in the middle of whatever it does (`Failed to connect to GCS within 60 seconds`); so
it is no part of the run's process (`gateway`).

Calls whose arguments are larger than 100 KiB go through Ray's object store, which may write what it holds to a disk; orders with headers
are no matter for that, so they are sent in smaller pieces.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import itertools
import logging
import os
from collections.abc import Sequence
from typing import Any

from marscore.adapters.cluster.engine import EngineError, LineError
from marscore.adapters.cluster.gateway import Gateway, Outcome, serve
from marscore.adapters.cluster.relay import Relay
from marscore.adapters.cluster.sealed import Sealed, Ticket
from marscore.errors import StorageError
from marscore.values import Failure

#: Seconds to reach the cluster, or to start one here.
CONNECT_WITHIN = 60.0
#: Seconds in which the cluster says who is there.
PLACES_WITHIN = 10.0
#: Bytes of a call's argument that is kept out of the object store.
_PIECE = 64 * 1024


class RayRelay:
    """The actor: a relay for whoever calls through Ray."""

    def __init__(self, ticket: Ticket) -> None:
        self._relay = Relay(ticket)
        # It has its processor by now.
        self._relay.seated.set()
        #: Of what is going to be asked, and which call that is.
        self._pieces: tuple[int, list[bytes]] = (-1, [])

    async def hold(self, call: int, piece: Sealed) -> None:
        """Take a piece of what is going to be asked by this call."""
        if self._pieces[0] != call:
            self._pieces = call, []
        self._pieces[1].append(piece.data)

    async def exchange(self, call: int, last: Sealed) -> Sealed:
        """As the relay's, with the pieces that came before."""
        before = self._pieces[1] if self._pieces[0] == call else []
        return await asyncio.to_thread(self._relay.exchange, Sealed(b"".join([*before, last.data])))


class RayEngine:
    """Implements `engine.Engine`: the cluster at `address`, or that of RAY_ADDRESS, or else one on this machine."""

    def __init__(self, address: str | None, processes: int) -> None:
        """Reach the cluster.

        Args:
            address: of its head.
            processes: how many processors it has where it is started here.

        Raises:
            StorageError: it is not to be reached.
        """
        address = address or os.environ.get("RAY_ADDRESS") or None
        self.name = f"the Ray cluster at {address}" if address else "the Ray cluster on this machine"
        gateway: Gateway | None = None
        try:
            gateway = Gateway(__name__, self.name)
            gateway.call("init", address, processes, within=CONNECT_WITHIN)
        except (OSError, EngineError, LineError) as error:
            if gateway is not None:
                gateway.close()
            reason = f"no answer within {CONNECT_WITHIN:g} s" if isinstance(error, TimeoutError) else _reason(error)
            if address is not None and "RAY_AUTH_MODE" not in os.environ:
                reason += " (one that asks for a token wants RAY_AUTH_MODE=token here too)"
            raise StorageError(Failure("resources", f"cannot reach {self.name}: {reason}")) from error
        self._gateway = gateway

    def places(self) -> Sequence[str]:
        """A name for each of its processors."""
        try:
            count: int = self._gateway.call("processors", within=PLACES_WITHIN)
        except TimeoutError:
            raise EngineError(f"{self.name} does not answer any more; run again to go on") from None
        return [f"Ray worker {number}" for number in range(1, count + 1)]

    def open(self, place: str, ticket: Ticket) -> RayLine:
        """Open a relay on any of its processors, once one is free."""
        try:
            return RayLine(self._gateway, place, self._gateway.call("open", ticket))
        except EngineError as error:
            raise LineError(str(error)) from error
        except LineError as error:
            raise LineError(f"{place}: no relay can be opened there: {error}") from error

    def close(self) -> None:
        """Leave the cluster; what is left of ours there ends with that."""
        self._gateway.close()


class RayLine:
    """Implements `engine.Line`."""

    def __init__(self, gateway: Gateway, name: str, relay: int) -> None:
        self.name = name
        self._gateway = gateway
        self._relay = relay

    def exchange(self, sealed: Sealed, within: float) -> Sealed:
        """Ask, and be answered."""
        try:
            answer: Sealed = self._gateway.call("exchange", self._relay, sealed, within, within=within + 1)
            return answer
        except EngineError as error:
            raise LineError(str(error)) from error
        except LineError as error:
            raise LineError(f"{self.name} was lost: {error}") from error

    def close(self) -> None:
        """Let the relay go."""
        with contextlib.suppress(TimeoutError, LineError, EngineError):
            self._gateway.call("close", self._relay, within=0.0)


class _Client:
    """What the gateway's process does: Ray's calls, each of which may take its time."""

    def __init__(self) -> None:
        self._ray: Any = None
        self._relays: dict[int, Any] = {}
        self._numbers = itertools.count()

    def answer(self, operation: str, arguments: tuple[Any, ...]) -> tuple[Outcome, Any]:
        """Do it, and say what came of it."""
        try:
            return "done", getattr(self, operation)(*arguments)
        except TimeoutError:
            return "late", None
        except BaseException as error:  # noqa: BLE001 - whoever asked is told
            return "lost", _reason(error)

    def init(self, address: str | None, processes: int) -> None:
        """Reach a cluster, or start one that only this machine can reach, and that tells nobody of its use."""
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        self._ray = importlib.import_module("ray")
        quiet = {"log_to_driver": False, "configure_logging": False, "logging_level": logging.CRITICAL}
        if address is None:
            self._ray.init(address="local", num_cpus=processes, include_dashboard=False, _node_ip_address="127.0.0.1", **quiet)
        else:
            self._ray.init(address=address, **quiet)

    def processors(self) -> int:
        """How many there are."""
        return int(sum(node["Resources"].get("CPU", 0) for node in self._ray.nodes() if node["Alive"]))

    def open(self, ticket: Ticket) -> int:
        """Have an actor, once there is a place for it."""
        options = {"num_cpus": 1, "max_restarts": 0, "max_task_retries": 0, "scheduling_strategy": "SPREAD"}
        relay = self._ray.remote(RayRelay).options(**options).remote(ticket)
        # An actor without a place answers nothing, for however long.
        self._ray.get(relay.hold.remote(-1, Sealed(b"")))
        number = next(self._numbers)
        self._relays[number] = relay
        return number

    def exchange(self, number: int, sealed: Sealed, within: float) -> Sealed:
        """Call an actor."""
        relay = self._relays[number]
        pieces = [sealed.data[at : at + _PIECE] for at in range(0, len(sealed.data), _PIECE)]
        call = next(self._numbers)
        for piece in pieces[:-1]:
            relay.hold.remote(call, Sealed(piece))
        answer: Sealed = self._ray.get(relay.exchange.remote(call, Sealed(pieces[-1])), timeout=within)
        return answer

    def close(self, number: int) -> None:
        """End an actor."""
        if (relay := self._relays.pop(number, None)) is not None:
            self._ray.kill(relay, no_restart=True)

    def leave(self) -> None:
        """Leave the cluster."""
        if self._ray is not None:
            self._ray.shutdown()


def main() -> None:
    """Serve a run until it wants no more."""
    client = _Client()
    serve(client.answer)
    client.leave()
    os._exit(0)


def _reason(error: BaseException) -> str:
    # Ray explains at length; the first sentence says it.
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else f"{text[:300]}…"
