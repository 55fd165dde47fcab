"""What a supervisor asks of one process's loop: pauses, another pace, a smaller share, and how far its files are. Turned by hand."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import replace

from marscore.adapters.clock import SystemClock
from marscore.events import DownloadFinished, DownloadSkipped, Event, ProgressMade
from marscore.execute.worker.engine import Ports
from marscore.execute.worker.setup import Share
from marscore.execute.worker.thread import Worker
from marscore.ports import Unpacking
from marscore.resolve.model import Unpack
from marscore.state import key_of
from marscore.url import host_of
from marscore.values import ByteRange, Failure, Unpacked
from tests.fakes.clock import FakeClock
from tests.fakes.files import MemoryFolder
from tests.fakes.transport import CHUNK
from tests.unit.execute.alone import HOST, SETTINGS, Alone, Origin
from tests.unit.execute.working import wanted


def test_a_host_that_another_process_was_asked_to_leave_alone_is_for_so_long() -> None:
    alone = Alone(1)
    alone.clock.elapsed = 100.0
    alone.loop.engine.pause(host_of(f"{HOST}/"), 10.0)
    assert alone.turns() == 0
    alone.clock.elapsed = 109.9
    assert alone.turns() == 0
    alone.clock.elapsed = 110.0
    assert alone.turns() == 1


def test_a_pause_of_one_host_is_none_of_others() -> None:
    alone = Alone(1)
    alone.loop.engine.pause("b.example", 10.0)
    assert alone.turns() == 1


def test_a_host_that_refused_another_process_is_asked_at_a_pace() -> None:
    alone = Alone(8)
    alone.clock.elapsed = 100.0
    alone.loop.engine.pace(host_of(f"{HOST}/"))
    assert alone.turns() == 0
    # Ten requests a second, to begin with.
    alone.clock.elapsed = 100.11
    assert alone.turns() == 1


def test_a_smaller_share_says_what_is_still_in_use_and_closes_what_is_idle() -> None:
    alone = Alone(5, size=20 * CHUNK)
    assert alone.turns() == 2
    assert alone.loop.engine.narrow(Share(1, None)) == 2
    assert alone.transport.closed == 1
    alone.turns(60)
    assert alone.loop.engine.narrow(Share(1, None)) == 1


def test_a_larger_share_is_used_at_once() -> None:
    alone = Alone(5, size=20 * CHUNK)
    assert alone.turns() == 2
    alone.loop.engine.widen(Share(4, None))
    assert alone.turns() == 4


def test_how_far_each_open_file_is() -> None:
    alone = Alone(2, size=20 * CHUNK)
    alone.turns(4)
    readings = {reading.download: reading for reading in alone.loop.engine.progress_made()}
    assert set(readings) == {"downloads[0]", "downloads[1]"}
    for name, reading in readings.items():
        assert CHUNK <= reading.bytes_done < 20 * CHUNK
        assert reading == ProgressMade(alone.clock.now(), name, reading.bytes_done, 20 * CHUNK, reading.bytes_done, 1, 0)


def test_what_came_is_recorded_when_the_run_ends() -> None:
    alone = Alone(1, size=20 * CHUNK)
    alone.turns()
    [reading] = alone.loop.engine.progress_made()
    alone.loop.stop(Failure("interrupted", "stopped"), "stopped")
    journal = alone.folder.reopen("0")
    assert journal is not None
    assert [piece.range for piece in journal[1].pieces] == [ByteRange(0, reading.bytes_done)]


class Unpacks:
    """Notes what it is asked, and whether that is wanted once `over` was called."""

    def __init__(self, over: Callable[[], None] = lambda: None) -> None:
        self.asked: list[Unpacking] = []
        self.wanted: list[bool] = []
        self._over = over

    def unpack(self, asked: Unpacking, wanted: Callable[[], bool]) -> Unpacked:
        self.asked.append(asked)
        self.wanted.append(wanted())
        self._over()
        self.wanted.append(wanted())
        return Unpacked(asked.into, 3, 99)


def unpacking(unpacker: Unpacks) -> Alone:
    options = {"unpack": Unpack(strip=1, only=("*.txt",))}
    return Alone(1, unpacker=unpacker, change=lambda work: replace(work, download=replace(work.download, into="folder")), **options)


def test_an_archive_is_unpacked_once_it_is_in_place() -> None:
    unpacker = Unpacks()
    alone = unpacking(unpacker)
    alone.turns()
    alone.loop.flush()
    [asked] = unpacker.asked
    assert (asked.path, asked.into, asked.strip, asked.only) == ("0", "folder", 1, ("*.txt",))
    assert (asked.is_proven, asked.stays) == (False, True)
    assert (asked.archive.path_key, asked.archive.identity) == (key_of("0"), alone.folder.identify("0"))
    assert unpacker.wanted == [True, True]
    [outcome] = [event for event in alone.told if isinstance(event, DownloadFinished)]
    assert outcome.unpacked == Unpacked("folder", 3, 99)


def test_an_archive_is_not_unpacked_further_than_the_run_goes() -> None:
    unpacker = Unpacks(lambda: alone.loop.stop(Failure("interrupted", "stopped"), "stopped"))
    alone = unpacking(unpacker)
    alone.turns()
    assert unpacker.wanted == [True, False]


def test_a_worker_says_from_any_thread_what_of_its_share_is_in_use() -> None:
    told = threading.Event()
    transport = Origin({f"{HOST}/0": b"x"})
    worker = Worker(replace(SETTINGS, progress="none"), Ports(transport, MemoryFolder(), SystemClock()), lambda events: told.set())
    worker.start()
    try:
        assert worker.narrow(Share(1, None)) == 0
        worker.pace("a.example")
        worker.pause("a.example", 0.01)
        worker.widen(Share(4, None))
        worker.submit([wanted(0, f"{HOST}/0", "0")])
        assert told.wait(20)
    finally:
        worker.close()


def test_a_worker_that_is_stopped_tells_an_outcome_of_what_it_had_not_begun() -> None:
    told: queue.SimpleQueue[list[Event]] = queue.SimpleQueue()
    clock = FakeClock()
    transport = Origin({f"{HOST}/0": b"x"}, clock.ticks)
    worker = Worker(replace(SETTINGS, progress="none"), Ports(transport, MemoryFolder(), clock), told.put)
    worker.start()
    worker.pause("a.example", 1000.0)
    worker.submit([wanted(0, f"{HOST}/0", "0")])
    worker.stop(Failure("interrupted", "the run was stopped"), "not begun")
    assert told.get(timeout=20) == [DownloadSkipped(clock.now(), "downloads[0]", "not begun")]
    assert transport.asked == 0
