"""What is to be seen of lines that are drawn over and over, with others above them."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marscore.adapters.terminal.painter import Painter, folds_at_once, window
from marscore.adapters.terminal.writer import Writer
from tests.screen import Screen


class Target:
    """Writes to a screen."""

    def __init__(self, screen):
        self.screen = screen

    def write(self, text):
        self.screen.write(text)

    def close(self):
        pass


class Drawn:
    """A painter and its screen."""

    def __init__(self, columns=40, rows=24, lowest=False):
        self.screen = Screen(columns, rows)
        self.writer = Writer(Target(self.screen))
        self.painter = Painter(None, self.writer, lowest)

    def draw(self, *lines):
        self.painter.draw(lambda columns, rows: lines)
        self.writer.drain()

    def above(self, text):
        assert self.painter.above(text)
        self.writer.drain()

    def clear(self):
        self.painter.clear()
        self.writer.drain()


def test_each_frame_takes_the_place_of_the_last():
    drawn = Drawn()
    drawn.screen.write("$ marscore run\n")
    drawn.draw("one", "two", "three")
    drawn.draw("1", "2")
    assert drawn.screen.shown() == ["$ marscore run", "1", "2"]
    drawn.draw("one", "two", "three", "four")
    assert drawn.screen.shown() == ["$ marscore run", "one", "two", "three", "four"]


def test_lines_go_above_and_stay():
    drawn = Drawn(columns=20)
    drawn.draw("total", "file")
    drawn.above("a.bin: 503\n")
    drawn.draw("total", "file")
    drawn.above("a line that is longer than the window\nand another\n")
    assert drawn.screen.shown() == ["a.bin: 503", "a line that is longe", "r than the window", "and another", "total", "file"]


def test_in_the_end_nothing_of_it_is_left():
    drawn = Drawn()
    drawn.draw("total", "file")
    drawn.above("a.bin: 503\n")
    drawn.clear()
    drawn.screen.write("summary\n")
    assert drawn.screen.shown() == ["a.bin: 503", "summary"]
    drawn.clear()
    drawn.above("as it is\n")
    assert drawn.screen.shown() == ["a.bin: 503", "summary", "as it is"]


def test_what_is_erased_does_not_go_to_the_history():
    drawn = Drawn(rows=5)
    for _ in range(3):
        drawn.draw("total", "file")
        drawn.clear()
    assert (drawn.screen.history, drawn.screen.shown()) == ([], [])


def test_at_the_bottom_of_the_window_all_above_moves_up():
    drawn = Drawn(rows=5)
    drawn.screen.write("".join(f"{n}\n" for n in range(8)))
    drawn.draw("total", "file", "file")
    drawn.draw("total")
    assert drawn.screen.shown() == [*map(str, range(8)), "total"]


def test_a_window_that_was_made_narrower_shows_no_rubbish():
    drawn = Drawn(columns=40)
    drawn.screen.write("".join(f"{n}\n" for n in range(30)))
    drawn.draw("t" * 39, "f" * 39, "f" * 39)
    drawn.screen.narrow(15)
    # The system does not say so yet.
    drawn.draw("T" * 39, "F" * 39)
    drawn.draw("total", "file")
    assert drawn.screen.shown() == [*map(str, range(30)), "total", "file"]


def test_behind_each_frame_the_terminal_is_as_it_was():
    drawn = Drawn()
    drawn.draw("total", "file")
    assert (drawn.screen.cursor_shown, drawn.screen.folds, drawn.screen.x, drawn.screen.y) == (True, True, 0, 0)


steps = st.one_of(
    st.tuples(st.just("draw"), st.lists(st.text("ab", min_size=1, max_size=19), min_size=1, max_size=5)),
    st.tuples(st.just("above"), st.lists(st.text("xy", min_size=1, max_size=19), min_size=1, max_size=3)),
    st.tuples(st.just("clear"), st.just([])),
)


def test_in_tmux_the_lines_are_the_last_of_the_window():
    drawn = Drawn(rows=8, lowest=True)
    drawn.screen.write("$ marscore run\n")
    drawn.draw("total", "file", "file")
    assert drawn.screen.shown() == ["$ marscore run", "", "", "", "", "total", "file", "file"]
    drawn.above("a.bin: 503\n")
    drawn.draw("total", "file")
    assert drawn.screen.shown() == ["$ marscore run", "a.bin: 503", "", "", "", "", "total", "file"]
    drawn.clear()
    drawn.screen.write("summary\n")
    assert drawn.screen.shown() == ["$ marscore run", "a.bin: 503", "summary"]


def test_they_are_wherever_a_window_was_resized(monkeypatch):
    monkeypatch.setenv("LINES", "6")
    monkeypatch.setenv("COLUMNS", "40")
    drawn = Drawn(rows=6)
    drawn.draw("total", "file")
    assert drawn.screen.shown() == ["total", "file"]
    monkeypatch.setenv("COLUMNS", "39")
    drawn.draw("total", "file")
    assert drawn.screen.shown() == ["", "", "", "", "total", "file"]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"TMUX": "/tmp/tmux-0/default,1,0", "TERM": "xterm"}, True),
        ({"TERM": "tmux-256color"}, True),
        ({"TERM": "xterm-256color"}, False),
        ({}, False),
    ],
)
def test_which_terminals_fold_before_they_take_what_is_free(environment, expected):
    assert folds_at_once(environment) is expected


@given(st.lists(steps, max_size=12), st.integers(6, 12), st.booleans())
def test_whatever_comes_only_the_last_frame_and_all_above_it_is_seen(story, rows, lowest):
    drawn, said, frame, gone = Drawn(20, rows, lowest), [], [], 0
    for step, lines in story:
        if step == "draw":
            frame = lines
            drawn.draw(*lines)
        elif step == "above":
            said += lines
            drawn.above("".join(f"{line}\n" for line in lines))
        else:
            frame = []
            drawn.clear()
        # Rows that have left at the top do not come back when fewer are drawn.
        gone = max(gone, len(said) + max(1, len(frame)) - rows)
    free = max(0, rows + gone - len(said + frame)) if lowest and frame else 0
    assert drawn.screen.shown() == said + [""] * free + frame


@pytest.mark.parametrize(("columns", "size"), [("100", (100, 24)), ("", (80, 24)), ("many", (80, 24)), ("0", (80, 24))])
def test_a_window_of_unknown_size_is_as_the_environment_says(monkeypatch, columns, size):
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.delenv("LINES", raising=False)
    assert window(io.StringIO()) == size
    assert window(None) == size
