"""What helpers do where the system gives them too little."""

from __future__ import annotations

import pytest

from marscore.adapters.files.hashing import FrontDigest
from marscore.events import Event, Warned
from marscore.execute.worker.outbox import Outbox
from marscore.values import internal


def test_events_that_could_not_be_sent_are_sent_with_the_next() -> None:
    sent: list[list[Event]] = []

    def send(batch: list[Event]) -> None:
        sent.append(batch)
        if len(sent) == 1:
            raise MemoryError

    outbox = Outbox(send)
    events = [Warned(0.0, None, str(n)) for n in range(3)]
    outbox.extend(events[:2])
    with pytest.raises(MemoryError):
        outbox.flush()
    outbox.put(events[2])
    outbox.flush()
    outbox.flush()
    assert sent == [events[:2], events]


def test_a_hash_whose_thread_dies_is_none_instead_of_a_wait_without_end() -> None:
    def read_into(buffer: memoryview, offset: int) -> int:
        raise MemoryError

    follower = FrontDigest(read_into, ["sha256"])
    follower.wrote(0, 10)
    assert follower.digests(10) is None


@pytest.mark.parametrize(
    ("error", "kind"),
    [(MemoryError(), "resources"), (RuntimeError("can't start new thread"), "resources"), (RuntimeError("another"), "internal")],
)
def test_what_the_system_does_not_give_is_no_defect_of_ours(error: Exception, kind: str) -> None:
    assert internal(error).kind == kind
