"""Where the contract of HTTP clients is tried: each client, against a plain origin and one over TLS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from marscore.values import Access
from tests.contract.http_kinds import PATIENCE, TURNED, Kind
from tests.long import ALL
from tests.origin import Origin
from tests.servers import Tls

#: Of clients, each cold and warm, plainly and over TLS, these hold each pair of two of the three.
PAIRS = {("curl", "plain"), ("curl again", "tls"), ("session", "tls"), ("session again", "plain")}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the other half, but in a long test."""
    spared = {item for item in items if _is_spared(item)}
    config.hook.pytest_deselected(items=[item for item in items if item in spared])
    items[:] = [item for item in items if item not in spared]


def _is_spared(item: pytest.Item) -> bool:
    drawn = getattr(item, "callspec", None)
    if ALL or drawn is None or not {"kind", "place"} <= drawn.params.keys():
        return False
    return item.path.parent == Path(__file__).parent and (drawn.params["kind"], drawn.params["place"]) not in PAIRS


@pytest.fixture(params=["plain", "tls"])
def place(request: pytest.FixtureRequest, tls: Tls) -> Iterator[Origin]:
    with Origin(tls=tls.server_context() if request.param == "tls" else None) as origin:
        yield origin


@pytest.fixture(params=["plain", "tls"] if ALL else ["plain"])
def patient_place(request: pytest.FixtureRequest, tls: Tls) -> Iterator[Origin]:
    """For what takes its time: clocks and timers, to which TLS is nothing."""
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
