"""Whatever a server refuses, and in whatever order: no byte in a wrong place, no tries without end, and an outcome."""

from __future__ import annotations

import random

import pytest

from marscore.execute.transfer.protocol import Segment
from tests.unit.execute.story import MIB, Story
from tests.unit.execute.test_transfer import part, whole

SIZE, THREADS = 64 * MIB, 4
#: Most turns that a file may take here: each brings something, or counts.
TURNS = 5000


class Server:
    """Answers by chance: it refuses parts in its own way, now and then or always, and cuts bodies."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.refusals = self.chance.choice([[403], [503], [429], [416], [None], [404, 500, 501], [403, 503, None, 416, 500]])
        self.refuses = self.chance.choice([0.1, 0.5, 1.0])
        self.refuses_whole = self.chance.choice([0.0, 0.0, 0.2])
        self.cuts = self.chance.choice([0.0, 0.02, 0.2])
        #: Where the next byte of each body lies that is on its way.
        self.bodies: dict[int, int] = {}
        self.got: dict[int, set[int]] = {}

    def answer(self, story: Story, segment: Segment) -> None:
        refuses = self.refuses if segment.asked else self.refuses_whole
        if self.chance.random() < refuses:
            status = self.chance.choice(self.refusals)
            if status is None:
                story.breaks(segment)
            else:
                story.answer(segment, status)
            return
        start, end = segment.asked or (0, SIZE)
        head = part(start, end or SIZE, SIZE) if segment.asked else whole(SIZE)
        if story.answer(segment, 206 if segment.asked else 200, **head):
            assert segment.position == start, "the first byte of a body goes to its own place"
            self.bodies[id(segment)] = start

    def send(self, story: Story, segment: Segment) -> None:
        if segment.cancelled or segment.position == segment.end:
            del self.bodies[id(segment)]
            story.end(segment)
        elif self.chance.random() < self.cuts:
            del self.bodies[id(segment)]
            story.breaks(segment, "truncated")
        else:
            at = self.bodies[id(segment)]
            assert segment.position == at
            count = story.receive(segment, min(MIB // 2, (segment.end or SIZE) - at))
            self.got.setdefault(segment.epoch, set()).update(range(at // 1024, (at + count) // 1024))
            self.bodies[id(segment)] = at + count


@pytest.mark.parametrize("seed", range(60))
def test_every_byte_has_its_place_and_every_file_its_end(seed: int) -> None:
    server, story = Server(seed), Story(threads=THREADS).open()
    asked: list[Segment] = []
    for _ in range(TURNS):
        transfer = story.transfer
        if transfer.closed or story.complete:
            break
        assert len(transfer.ledger.active) <= THREADS
        if transfer.ledger.active and transfer.can_share() and (transfer.free_at or 0.0) <= story.ticks:
            transfer.share(server.chance.randint(1, 4))
        while (segment := transfer.take(story.ticks)) is not None:
            asked.append(segment)
        step = server.chance.choice(asked) if asked else None
        if step is None:
            assert transfer.due is not None, "nobody would ever ask for anything more"
            story.ticks = max(story.ticks, transfer.due)
            continue
        story.ticks += 0.01
        if id(step) in server.bodies:
            server.send(story, step)
        else:
            server.answer(story, step)
        asked = [s for s in asked if id(s) in server.bodies or (s is not step and not s.cancelled)]
    assert story.transfer.closed or story.complete
    if story.complete:
        assert server.got[story.transfer.ledger.epoch] >= set(range(SIZE // 1024))
