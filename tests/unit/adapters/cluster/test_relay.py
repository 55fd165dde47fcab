"""A relay in an engine's worker: what makes it unfit, what it answers twice, and that nothing it says can be read."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import pytest

from marscore.adapters.cluster import relay as module
from marscore.adapters.cluster.engine import LineError, Seat
from marscore.adapters.cluster.relay import Relay
from marscore.adapters.cluster.sealed import Answer, Ask, Begin, Sealed, Ticket, seal, unseal
from marscore.adapters.files.leases import Leases
from marscore.adapters.processes.frames import Call
from marscore.execute.supervisor.messages import Alive, Gone
from marscore.execute.worker.setup import Share, WorkerSettings
from marscore.version import __version__

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="engines are POSIX's alone")


class Line:
    """To a relay in this process; what goes wrong on the way is put in place of an exchange."""

    name = "here"

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.faults: list[str] = []

    def exchange(self, sealed: Sealed, within: float) -> Sealed:
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "request lost":
            raise TimeoutError
        answer = self.relay.exchange(sealed)
        if fault == "answer lost":
            raise TimeoutError
        return answer

    def close(self) -> None:
        self.relay.leave()


def ticket(root: Path, leases: Leases, version: str = __version__, token: str | None = None) -> Ticket:
    return Ticket("relay", version, f"{root}/{leases.place}", leases.token if token is None else token, "seen.1")


def settings(root: Path, own: str) -> WorkerSettings:
    return WorkerSettings(str(root), 2, 1024, Share(2), own_folder=own, leased=True)


def test_a_relay_of_another_version_serves_nobody(tmp_path: Path) -> None:
    leases = Leases(tmp_path, "run")
    relay = Relay(ticket(tmp_path, leases, version="0.0"))
    with pytest.raises(LineError, match=f"it has marscore {__version__}, and the run is of 0.0"):
        Seat(Line(relay)).ask((), 0.0)
    assert not leases.has_seen("seen.1")
    relay.leave()


def test_a_relay_that_sees_another_folder_serves_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEEN_WITHIN", 0.0)
    leases = Leases(tmp_path, "run")
    for wrong, told in (
        (ticket(tmp_path, leases, token="other"), "another folder"),
        (ticket(tmp_path / "x", leases), "all machines have to"),
    ):
        relay = Relay(wrong)
        with pytest.raises(LineError, match=told):
            Seat(Line(relay)).ask((Begin(1, settings(tmp_path, "x")),), 0.0)
        assert not leases.has_seen("seen.1")
        relay.leave()


def test_orders_are_obeyed_once_though_requests_and_answers_are_lost(tmp_path: Path) -> None:
    leases = Leases(tmp_path, "run")
    relay = Relay(ticket(tmp_path, leases))
    assert leases.has_seen("seen.1")
    line = Line(relay)
    seat = Seat(line)
    line.faults = ["answer lost", "request lost"]
    told = list(seat.ask([Begin(7, settings(tmp_path, leases.lend(7)))], 10.0).messages)
    while not any(isinstance(message, Alive) for message in told):
        told += seat.ask((), 10.0).messages
    line.faults = ["request lost", "answer lost"]
    told += seat.ask([Call("close")], 10.0).messages
    while not isinstance(told[-1], Gone):
        told += seat.ask((), 10.0).messages
    assert told[-1] == Gone(7)
    assert [type(message) for message in told].count(Gone) == 1
    leases.give_back(7)
    seat.close()
    assert relay.over.is_set()


def test_an_ask_that_arrives_after_it_was_asked_again_is_not_obeyed_twice(tmp_path: Path) -> None:
    leases = Leases(tmp_path, "run")
    relay = Relay(ticket(tmp_path, leases))
    late = seal(Ask(1, [Begin(1, settings(tmp_path, leases.lend(1)))], 0.0))  # type: ignore[arg-type]  # whatever has an order
    first, second = relay.exchange(late), relay.exchange(seal(Ask(2, (), 0.0)))
    child = relay._child
    assert unseal(first).turn == 1
    assert unseal(relay.exchange(late)) == unseal(second)
    assert relay._child is child
    relay.leave()


def test_a_line_on_which_nothing_comes_is_lost(tmp_path: Path) -> None:
    relay = Relay(ticket(tmp_path, Leases(tmp_path, "run")))
    line = Line(relay)
    line.faults = ["answer lost"] * 3
    with pytest.raises(LineError, match="has not answered"):
        Seat(line).ask((), 0.0)
    relay.leave()


def test_a_relay_that_nobody_asks_ends_its_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEASE", 0.5)
    leases = Leases(tmp_path, "run")
    relay = Relay(ticket(tmp_path, leases))
    Seat(Line(relay)).ask([Begin(1, settings(tmp_path, leases.lend(1)))], 0.0)
    assert relay.over.wait(30)
    answer: Answer = unseal(relay.exchange(seal(Ask(2, (), 10.0))))
    assert any(isinstance(message, Gone) for message in answer.messages)


def test_what_is_said_shows_nothing() -> None:
    sealed = seal(Ask(1, (Call("submit", ("a secret",)),)))
    assert "secret" not in repr(sealed) + str(sealed) + f"{[sealed]}"
    again = pickle.loads(pickle.dumps(sealed))
    assert unseal(again) == Ask(1, (Call("submit", ("a secret",)),))
