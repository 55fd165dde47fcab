"""How many threads may work at once: more while they wait, fewer while they only take turns, and what did not help is undone."""

from __future__ import annotations

import pytest

from marscore.policy.hands import FAST, FIRST, GLANCE, PATIENCE, TRIAL, Hands, Reading

MIB = 1024 * 1024


class Process:
    """A process whose counters go on as a test says."""

    def __init__(self, most: int = 64, cores: int = 2) -> None:
        self.hands = Hands(most, cores)
        self.now = Reading(0.0, 0.0, 0)

    def files(self, seconds: float, used: float, rate: float = MIB, wanted: int = 1000) -> int:
        """Some time goes by in which this share of it was processor time; whole files wait."""
        self._go_on(seconds, used, rate)
        self.hands.look(self.now, wanted, True)
        return self.hands.allowed

    def parts(self, seconds: float, writing: float, rate: float, used: float = 0.1, wanted: int = 1000) -> int:
        """The same for the parts of a large file, all of them over one connection; `writing` is the share of its time."""
        self._go_on(seconds, used, rate, writing)
        self.hands.look(self.now, wanted, False)
        return self.hands.allowed

    def _go_on(self, seconds: float, used: float, rate: float, writing: float = 0.0) -> None:
        now = self.now
        came = now.came + round(rate * seconds)
        received, written = now.receiving + seconds * (1 - writing), now.writing + seconds * writing
        self.now = Reading(now.ticks + seconds, now.used + seconds * used, came, received, written)


@pytest.mark.parametrize(("files", "most", "allowed"), [(0, 8, 1), (1, 8, 1), (3, 8, 3), (100, 8, FIRST), (100, 2, 2)])
def test_many_files_begin_with_a_few_threads(files: int, most: int, allowed: int) -> None:
    hands = Hands(most, 1)
    assert hands.allowed == 1
    hands.begin(files)
    assert hands.allowed == allowed
    hands.begin(files + 100)
    assert hands.allowed == allowed, "it begins once"


def test_a_process_that_does_nothing_but_wait_gets_all_that_are_wanted() -> None:
    process = Process(most=64)
    assert process.files(0.0, 0.0) == 1, "there is nothing to compare with yet"
    assert process.files(1.0, 0.05, wanted=20) == 20
    assert process.files(1.0, 0.05) == 64


def test_a_process_that_waits_for_the_network_gets_twice_as_many_each_time_and_never_more_than_it_may() -> None:
    process = Process(most=6)
    process.files(0.0, 0.0)
    assert [process.files(1.0, 0.4) for _ in range(4)] == [2, 4, 6, 6]


def test_nobody_is_added_for_whom_there_is_nothing_to_do() -> None:
    process = Process()
    process.files(0.0, 0.0)
    assert process.files(1.0, 0.05, wanted=1) == 1


def test_a_process_without_processor_time_left_gets_half_as_many_each_time_but_one() -> None:
    process = Process()
    process.hands.begin(1000)
    process.files(0.0, 0.0)
    assert [process.files(1.0, 0.95) for _ in range(4)] == [2, 1, 1, 1]


def test_a_glance_is_too_short_to_tell() -> None:
    process = Process()
    process.files(0.0, 0.0)
    assert process.files(GLANCE / 2, 0.05) == 1
    assert process.files(GLANCE, 0.05) == 64, "the time before counts with it"


@pytest.mark.parametrize(("faster", "stays"), [(1.2, True), (1.1, False)])
def test_in_between_one_growth_is_tried_and_stays_if_it_helped(faster: float, stays: bool) -> None:
    process = Process()
    process.files(0.0, 0.0)
    assert process.files(1.0, 0.7, MIB) == 2
    if stays:
        assert process.files(1.0, 0.7, MIB * faster) == 4, "the next one is tried at once"
        return
    for _ in range(PATIENCE - 1):
        assert process.files(1.0, 0.7, MIB * faster) == 1
    assert process.files(1.0, 0.7, MIB * faster) == 2, "it is tried again after a while"


def test_what_is_tried_is_forgotten_once_it_is_plain_what_to_do() -> None:
    process = Process()
    process.files(0.0, 0.0)
    assert process.files(1.0, 0.7, MIB) == 2
    assert process.files(1.0, 0.4, MIB) == 4
    assert process.files(1.0, 0.7, MIB) == 8, "nothing is taken back for a growth that was not the trial's"
    assert process.files(1.0, 0.95, MIB) == 4
    assert process.files(1.0, 0.7, MIB) == 8


def test_connections_of_a_large_file_that_wait_get_company() -> None:
    process = Process(most=16)
    process.parts(0.0, 0.0, 0)
    assert process.parts(1.0, 0.15, MIB) == 2
    assert process.parts(1.0, 0.05, MIB, wanted=12) == 12
    assert process.parts(1.0, 0.05, MIB) == 16


@pytest.mark.parametrize(("writing", "used"), [(0.3, 0.1), (0.05, 1.9)], ids=["busy writing", "no processor time left"])
def test_connections_of_a_large_file_that_are_busy_get_none(writing: float, used: float) -> None:
    process = Process(cores=2)
    process.parts(0.0, 0.0, 0)
    assert process.parts(1.0, writing, MIB, used) == 1


def test_of_a_file_of_which_nothing_came_nothing_can_be_told() -> None:
    process = Process()
    process.parts(0.0, 0.0, 0)
    assert process.parts(1.0, 0.0, 0) == 1
    assert process.parts(GLANCE / 2, 0.0, MIB) > 1, "the time before counts with it"


def test_beside_a_fast_connection_another_is_tried_for_a_while() -> None:
    process = Process()
    process.parts(0.0, 0.0, 0)
    assert process.parts(TRIAL / 2, 0.1, 2 * FAST) == 1, "it has to be looked at for so long"
    assert process.parts(TRIAL / 2, 0.1, 2 * FAST) == 2
    assert process.parts(TRIAL, 0.1, 2 * FAST) == 1, "it did not help"


def test_beside_a_fast_connection_that_is_busy_nobody_is_tried() -> None:
    process = Process()
    process.parts(0.0, 0.0, 0)
    assert process.parts(TRIAL, 0.3, 2 * FAST) == 1
