"""Pieces come in their order, whoever looked at them, and those whose helper is gone without an answer."""

from __future__ import annotations

import itertools
import sys
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from marscore.adapters.processes.look_ahead import FRESH, LookAhead, LookingProcess, Looks
from marscore.adapters.processes.looking import Asked, InPlaceText, LookSettings, look_settings
from marscore.errors import ManifestError, Problem
from marscore.policy.redact import Redactor
from marscore.resolve.streamed import Piece
from marscore.settings import LineSettings
from tests.unit.adapters.processes.test_looking import asked_of, examined, piece_of

LIMIT_S = 60


class Fake:
    """Answers with the numbers of the rows, as long as it lives."""

    def __init__(self, lives: float = float("inf"), age: float = 0.0) -> None:
        self.lives, self.age = lives, age
        self.asked: deque[Asked] = deque()
        self.is_closed = False

    def ask(self, asked: Asked) -> None:
        self.asked.append(asked)

    def answer(self, check: Callable[[], None]) -> tuple[float, list[InPlaceText]] | None:
        check()
        asked = self.asked.popleft()
        self.lives -= 1
        return None if self.lives < 0 or self.is_closed else (self.age, [(str(number), "", "") for number, _, _ in asked.rows])

    def leave(self) -> None:
        self.is_closed = True

    def close(self) -> None:
        self.is_closed = True


def settings() -> LookSettings:
    return look_settings(examined(), Path("/nowhere"), ".marscore", Redactor({}), LineSettings("r1"))


def pieces(count: int) -> Iterator[Piece]:
    """Pieces of one row each."""
    whole = piece_of(examined())
    for number in range(count):
        yield Piece(0, (), [(number, number, whole.rows[0][2])], whole.entry)


def ahead_with(fakes: list[Fake], of: Iterator[Piece]) -> LookAhead:
    there: list[Looks] = [*fakes]
    ahead = LookAhead(of, lambda _: True, lambda: None, lambda number, _: there[number])
    ahead.hire(settings(), len(fakes))
    return ahead


def taken(ahead: LookAhead) -> list[tuple[int, bool]]:
    """The numbers of the rows that come, and whether somebody has looked at them."""
    found = []
    while (one := ahead.next()) is not None:
        piece, answer = one
        number = piece.rows[0][0]
        assert answer is None or answer == [(str(number), "", "")]
        found.append((number, answer is not None))
    return found


@pytest.mark.parametrize("count", [0, 1, 2, 3])
@pytest.mark.parametrize("rows", [0, 1, 5, 12])
def test_they_come_in_their_order_however_many_look(rows: int, count: int) -> None:
    assert taken(ahead_with([Fake() for _ in range(count)], pieces(rows))) == [(number, count > 0) for number in range(rows)]


def test_nobody_has_more_than_two_at_a_time() -> None:
    fakes = [Fake(), Fake()]
    ahead = ahead_with(fakes, pieces(100))
    for _ in range(20):
        ahead.next()
        assert all(len(fake.asked) <= 2 for fake in fakes)
    assert all(fake.asked for fake in fakes)


def test_what_was_handed_to_one_that_is_gone_comes_all_the_same() -> None:
    found = taken(ahead_with([Fake(lives=2), Fake()], pieces(10)))
    assert [number for number, _ in found] == list(range(10))
    assert [number for number, looked in found if not looked] == [4, 6]


@pytest.mark.parametrize("age", [FRESH, FRESH + 0.1, 3600.0])
def test_what_was_found_too_long_ago_is_looked_at_anew_and_nobody_looks_ahead_any_more(age: float) -> None:
    fakes = [Fake(), Fake(age=age)]
    ahead = ahead_with(fakes, pieces(6))
    found = taken(ahead)
    assert [number for number, _ in found] == list(range(6))
    assert [looked for _, looked in found] == ([True] * 6 if age <= FRESH else [True] + [False] * 5)
    assert ahead.has_processes == (age <= FRESH)
    assert [fake.is_closed for fake in fakes] == [age > FRESH] * 2


def test_one_that_is_gone_is_asked_no_more_and_the_others_are() -> None:
    fakes = [Fake(lives=0), Fake()]
    found = taken(ahead_with(fakes, pieces(12)))
    assert [number for number, looked in found if not looked] == [0, 2]
    assert len(fakes[0].asked) == 0


def test_pieces_of_which_nobody_may_tell_are_nobodys() -> None:
    ahead = LookAhead(pieces(4), lambda piece: piece.rows[0][0] % 2 == 0, lambda: None, lambda number, _: Fake())
    ahead.hire(settings(), 2)
    assert taken(ahead) == [(0, True), (1, False), (2, True), (3, False)]


def test_once_all_are_dismissed_nobody_looks_at_what_follows() -> None:
    fakes = [Fake(), Fake()]
    ahead = ahead_with(fakes, pieces(10))
    ahead.next()
    ahead.close()
    assert not ahead.has_processes
    assert all(fake.is_closed for fake in fakes)
    # What they have been asked is theirs to answer, or not.
    assert [number for number, _ in taken(ahead)] == list(range(1, 10))


def test_where_the_system_gives_one_alone_that_one_looks() -> None:
    def start(number: int, _: LookSettings) -> Looks:
        if number:
            raise OSError
        return Fake()

    ahead = LookAhead(pieces(4), lambda _: True, lambda: None, start)
    ahead.hire(settings(), 3)
    assert taken(ahead) == [(number, True) for number in range(4)]


def test_what_is_wrong_with_the_list_is_told_behind_what_came_before() -> None:
    def broken() -> Iterator[Piece]:
        yield from pieces(3)
        raise ManifestError("rows.csv", (Problem("downloads[0]", "is cut", 4, 1),))

    ahead = ahead_with([Fake(), Fake()], broken())
    assert [ahead.next() is not None for _ in range(3)] == [True] * 3
    for _ in range(2):
        with pytest.raises(ManifestError, match="is cut"):
            ahead.next()


def test_who_waits_for_nothing_any_more_is_heard() -> None:
    calls = itertools.count()

    def check() -> None:
        if next(calls):
            raise KeyboardInterrupt

    ahead = LookAhead(pieces(3), lambda _: True, check, lambda number, _: Fake())
    ahead.hire(settings(), 1)
    ahead.next()
    with pytest.raises(KeyboardInterrupt):
        ahead.next()


def looks(process: LookingProcess) -> list[InPlaceText] | None:
    said = process.answer(lambda: None)
    assert said is None or 0 <= said[0] < LIMIT_S
    return said and said[1]


def test_a_process_looks_and_ends_when_it_is_told_to(tmp_path: Path) -> None:
    manifest = examined()
    piece = piece_of(manifest)
    process = LookingProcess(0, look_settings(manifest, tmp_path, ".marscore", Redactor({}), LineSettings("r1")), LIMIT_S)
    try:
        for _ in range(3):
            process.ask(asked_of(piece))
        assert [looks(process) for _ in range(3)] == [[None] * len(piece.rows)] * 3
    finally:
        process.close()
    process.ask(asked_of(piece))
    assert looks(process) is None


def test_a_process_that_says_nothing_is_done_without(tmp_path: Path) -> None:
    manifest = examined()
    process = LookingProcess(0, look_settings(manifest, tmp_path, ".marscore", Redactor({}), LineSettings("r1")), 0.0)
    # It was asked for nothing, so that it has nothing to say.
    assert looks(process) is None
    assert looks(process) is None


def test_a_program_that_python_is_a_part_of_has_no_process_to_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", None)
    with pytest.raises(OSError, match="No such file"):
        LookingProcess(0, settings())
