"""Files that wait for a connection while large ones hold several: they get one, and the large ones come right all the same."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.disk import wrong_in
from tests.integration.command import fetch
from tests.origin import Body, Good, Origin, Seen, Step, busy

MIB = 1024 * 1024
LARGE = {f"large-{n}.bin": Body(12 * MIB, seed=n) for n in range(2)}
LATE = Body(3000, seed=9)


def held_until(origin: Origin, served: threading.Event) -> list[str]:
    """Large files, whose connections all stand still, each after half a megabyte, until that happens."""
    held = Good(stall_after=MIB // 2, stall_s=60, until=served)
    return [origin.serve(f"/{name}", body, [held]) for name, body in LARGE.items()]


@pytest.mark.parametrize("limit", [{"threads": 4}, {"per_host": 4}], ids=["threads", "per_host"])
def test_a_retry_that_is_due_gets_a_connection_from_a_file_that_holds_several(
    origin: Origin, tmp_path: Path, limit: dict[str, int]
) -> None:
    served = threading.Event()
    tries = iter([busy(503)])

    def late(seen: Seen) -> Step:
        step = next(tries, None)
        if step is None:
            served.set()
        return step or Good(body=LATE)

    urls = [origin.handle("/late.bin", late), *held_until(origin, served)]
    run = fetch(tmp_path, *urls, execution={"processes": 1, **limit}, defaults={"retry": {"backoff": {"initial": "1s", "jitter": "none"}}})
    assert run.code == 0, run.err[-2000:]
    # Of whom nobody takes a connection, they stand still for as long as the client waits.
    assert served.is_set()
    assert [entry["retries"] for entry in run.report["downloads"][1:]] == [[], []]
    assert wrong_in(run.folder, LARGE | {"late.bin": LATE}) == []
