"""One instance of any event class, made from its type hints."""

from __future__ import annotations

from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from marscore.events import Brought, Event
from marscore.values import FetchedRange, MadeRequest, Unpacked

EVENT_KINDS: tuple[type, ...] = get_args(Event)
_PLAIN: dict[Any, Any] = {
    float: 1714564800.25,
    int: 7,
    str: "word",
    tuple[str, ...]: ("sha256:00", "md5:11"),
    tuple[FetchedRange, ...]: (FetchedRange(0, 7, 0.0, 0.125, 1.5, 0, "done", True),),
    tuple[MadeRequest, ...]: (MadeRequest(0, 0, 7, 1714564800.0, 1714564800.125, 1714564800.25, 206, "truncated"),),
    Unpacked: Unpacked("x", 3, 4),
    tuple[Brought, ...]: (Brought("http://a/x", 3), Brought("http://b/x", 1)),
}


def sample(kind: type, *, full: bool = True) -> Any:
    """An event of this class; without `full`, every field that may be None is."""
    return kind(**{name: _value(hint, full) for name, hint in get_type_hints(kind).items()})


def _value(hint: Any, full: bool) -> Any:
    if hint in _PLAIN:
        return _PLAIN[hint]
    if get_origin(hint) is Literal:
        return get_args(hint)[0]
    present = [choice for choice in get_args(hint) if choice is not NoneType]
    return _value(present[0], full) if full else None
