"""A signal ends a run of a long list within seconds, also while the store does not answer what is asked to prove objects."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from marscore.resolve.streamed import BATCH, MOST
from tests.integration.test_stores import Started, manifest, report, until
from tests.long import long
from tests.origin import Body, Origin
from tests.origin.steps import Good
from tests.servers.store import Bucket, Gate, bucket_of, gate, moto

SMALL = Body(70, seed=1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    with moto(tmp_path_factory.mktemp("moto")) as bucket:
        yield bucket


@pytest.fixture
def gated(server: Bucket, request: pytest.FixtureRequest) -> Iterator[tuple[Bucket, Gate]]:
    with bucket_of(server, f"signals-{len(request.node.name)}") as bucket, gate(bucket) as found:
        yield found
        found[0].client.close()


@pytest.mark.parametrize("stalled", [pytest.param("GET", marks=long), "HEAD"])
def test_a_signal_ends_a_long_list_while_objects_are_proven(
    origin: Origin, tmp_path: Path, gated: tuple[Bucket, Gate], stalled: str
) -> None:
    bucket, passing = gated
    held = threading.Event()
    # The first of the rows is on its way while one of the next some thousand is proven.
    first = origin.serve("/first.bin", SMALL, [Good(stall_after=10, stall_s=60, until=held)])
    bucket.put("data/there.bin", SMALL.read(0, SMALL.size))
    bad = "none,x{},sha256:" + "0" * 64 + "\n"
    rows = [f"{first},first.bin,sha256:{SMALL.sha256}\n", *(bad.format(number) for number in range(MOST + BATCH))]
    rows[BATCH + 10] = f"{origin.url('/there.bin')},there.bin,sha256:{SMALL.sha256}\n"
    (tmp_path / "rows.csv").write_text("link,name,sum\n" + "".join(rows))
    entry = {"from": "rows.csv", "url": "link", "path": "{name}", "checksum": "{sum}", "on_bad_row": "skip"}
    manifest(tmp_path, bucket, [entry])
    arrived = threading.Event()

    def meet(method: str, target: str) -> threading.Event | None:
        if method != stalled or not target.endswith("/there.bin"):
            return None
        arrived.set()
        return held

    passing.meet = meet
    started = Started(tmp_path, bucket)
    try:
        assert arrived.wait(25)
        until(lambda: len(origin.requests) > 0)
        began = time.monotonic()
        code, err = started.end(signal.SIGINT)
        took = time.monotonic() - began
    finally:
        held.set()
    assert (code, took < 5) == (130, True), f"{took} {err}"
    assert report(bucket)["status"] == "interrupted"
