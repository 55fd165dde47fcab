"""A forward proxy that fails as told, for what tinyproxy never does."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Literal, TypeAlias

from tests.origin import HangUp, Origin, Raw, Status, Step

ProxyFault: TypeAlias = Literal["wants_password", "refuses", "unreachable", "dies", "dies_in_tunnel", "silent"]

_STEPS: dict[ProxyFault, Step] = {
    "wants_password": Status(407, (("Proxy-Authenticate", 'Basic realm="proxy"'),)),
    "refuses": Status(403),
    "unreachable": Status(502),
    "dies": HangUp(reset=True),
    "dies_in_tunnel": Raw(b"HTTP/1.1 200 Connection established\r\n\r\n"),
    "silent": Raw(b"", hold_s=3600),
}


@contextlib.contextmanager
def bad_proxy(fault: ProxyFault) -> Iterator[Origin]:
    """Run a proxy that does this to every request, CONNECT included. Its `url("")` is the proxy's URL, its `requests` what it saw."""
    with Origin() as origin:
        origin.handle_rest(lambda seen: _STEPS[fault])
        yield origin
