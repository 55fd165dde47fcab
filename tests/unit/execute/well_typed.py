"""Whether a value that the engine tells holds what its class says, field by field: nothing there checks it, and a None may travel far."""

from __future__ import annotations

from functools import cache
from typing import Any, get_type_hints

from pydantic import TypeAdapter

from marscore.events import Event
from marscore.execute.transfer.protocol import Command, Drop, Emit, PauseHost, Receive, Release, Verify


@cache
def _types_of(kind: type) -> dict[str, TypeAdapter[Any]]:
    return {name: TypeAdapter(hint) for name, hint in get_type_hints(kind).items()}


def told(event: Event) -> Event:
    """The event, once every field was found to be of its type."""
    _check(event)
    return event


def commanded(command: Command) -> Command:
    """The command, once it was found to be well typed as far as it is made of plain values."""
    if isinstance(command, Emit):
        told(command.event)
    elif isinstance(command, Receive | Drop | PauseHost | Verify | Release):
        _check(command)
    return command


def _check(value: Any) -> None:
    for name, adapter in _types_of(type(value)).items():
        adapter.validate_python(getattr(value, name), strict=True)
