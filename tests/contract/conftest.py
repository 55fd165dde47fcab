"""Where the contract of HTTP clients is tried: each client, against a plain origin and one over TLS."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from marscore.values import Access
from tests.contract.http_kinds import PATIENCE, TURNED, Kind
from tests.long import ALL
from tests.origin import Origin
from tests.servers import Tls


@pytest.fixture(params=["plain", "tls"])
def place(request: pytest.FixtureRequest, tls: Tls) -> Iterator[Origin]:
    with Origin(tls=tls.server_context() if request.param == "tls" else None) as origin:
        yield origin


@pytest.fixture(params=[*TURNED])
def kind(request: pytest.FixtureRequest) -> Iterator[Kind]:
    made = Kind(request.param)
    yield made
    made.close()


@pytest.fixture
def access(tls: Tls) -> Access:
    return Access(timeouts=PATIENCE, verify=str(tls.authority))


#: The transport by requests leaves a socket of TLS to the garbage collector now and then when a wait is ended.
_LONG_OVER_TLS = ("session", "session again")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is for long tests."""
    left_out = set() if ALL else {item for item in items if isinstance(item, pytest.Function) and _is_long(item)}
    if left_out:
        config.hook.pytest_deselected(items=[*left_out])
        items[:] = [item for item in items if item not in left_out]


def _is_long(item: pytest.Function) -> bool:
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    return parameters.get("place") == "tls" and parameters.get("kind") in _LONG_OVER_TLS
