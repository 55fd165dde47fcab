"""Ports whose calls are counted, and of which one fails: so that every call of every port can be made to fail, one after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

#: What never raises, as its port says.
_SAFE = {("transport", "wake"), ("transport", "close"), ("transport", "cancel")}
#: What some calls return is a port itself.
_INNER = {("files", "create"): "partial"}


class Tripwire:
    """Counts calls over all ports. The one with number `at` raises what `fault` makes for its port."""

    def __init__(self, at: int | None = None, fault: Callable[[str], BaseException] = RuntimeError) -> None:
        self.calls: list[str] = []
        self.raised: BaseException | None = None
        self._at = at
        self._fault = fault
        self._lock = threading.Lock()

    def call(self, kind: str, name: str) -> None:
        """Count a call, and raise if it is the one."""
        with self._lock:
            self.calls.append(f"{kind}.{name}")
            number = len(self.calls)
        if number == self._at:
            self.raised = self._fault(kind)
            raise self.raised


class Tripping:
    """A port behind a tripwire: all its methods are there."""

    def __init__(self, port: Any, kind: str, wire: Tripwire) -> None:
        self._port = port
        self._kind = kind
        self._wire = wire

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if not callable(found) or (self._kind, name) in _SAFE:
            return found

        def call(*arguments: Any) -> Any:
            self._wire.call(self._kind, name)
            return self._wrapped(name, found(*arguments))

        return call

    def _wrapped(self, name: str, value: Any) -> Any:
        if (self._kind, name) == ("files", "reopen") and value is not None:
            return Tripping(value[0], "partial", self._wire), value[1]
        inner = _INNER.get((self._kind, name))
        return value if inner is None else Tripping(value, inner, self._wire)
