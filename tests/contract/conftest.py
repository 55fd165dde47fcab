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
