"""What is drawn in a tmux whose window is resized: a terminal that folds and joins lines anew, and moves the cursor with them."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.command import LIMIT_S

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="there is no tmux")

#: Draws and writes what it is told by lines of its standard input's pipe, and says after each how wide its window is.
_PROGRAM = """
import os, sys
from marscore.adapters.terminal.painter import Painter, folds_at_once
from marscore.adapters.terminal.writer import Writer, target_of
from marscore.adapters.terminal.display import Display, looks_of
from marscore.events import DownloadStarted, PlanCompiled, ProgressMade
from marscore.report.progress import ProgressFold
writer = Writer(target_of(sys.stderr))
painter = Painter(sys.stderr, writer, folds_at_once(os.environ))
now = 0.0
def ticks():
    return now
display = Display(painter, looks_of(sys.stderr), ProgressFold(now), ticks)
display(PlanCompiled(0.0, 1, 4, 6, 0))
for n in range(6):
    display(DownloadStarted(0.0, str(n), "http://h/" + ("with-a-rather-long-name-" * 4 if n % 2 else "short-") + str(n)))
    display(ProgressMade(0.0, str(n), 1000 * n, 5000, 1000 * n, 1, 1))
for line in open(sys.argv[1]):
    what, _, text = line.rstrip().partition(" ")
    if what == "draw":
        painter.draw(lambda columns, rows: [f"{text}{n}".ljust(columns - 1, "=") for n in range(4)])
    elif what == "run":
        now += 0.125
        display.draw()
    elif what == "above":
        painter.above(text + "\\n")
    else:
        painter.clear()
    writer.drain()
    with open(sys.argv[2], "w") as told:
        print(painter.size()[0], file=told)
"""


class Tmux:
    """A window of tmux with a program in it that draws."""

    def __init__(self, folder: Path, columns: int, before: int = 30) -> None:
        """`before` lines are in the window already."""
        self._before = before
        self._socket = str(folder / "tmux")
        self._to, self._back = folder / "to", folder / "back"
        os.mkfifo(self._to)
        os.mkfifo(self._back)
        program = shlex.join([sys.executable, "-c", _PROGRAM, str(self._to), str(self._back)])
        self.run("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", "20", f"seq {before}; {program}; sleep 100")
        self.run("set", "-g", "window-size", "manual")
        self._out = self._to.open("w")

    def run(self, *arguments: str) -> str:
        done = subprocess.run(["tmux", "-S", self._socket, *arguments], capture_output=True, text=True, timeout=LIMIT_S, check=True)
        return done.stdout

    def tell(self, line: str) -> int:
        """Have it drawn; the columns that the program knows of."""
        print(line, file=self._out, flush=True)
        return int(self._back.read_text())

    def draw(self, text: str, columns: int) -> None:
        """Draw until the window is known to be so wide; tmux takes its time to say so."""
        until = time.monotonic() + LIMIT_S
        while self.tell(f"draw {text}") != columns or self.tell(f"draw {text}") != columns:
            assert time.monotonic() < until

    def resize(self, columns: int, rows: int) -> None:
        self.run("resize-window", "-x", str(columns), "-y", str(rows))

    def everything(self) -> list[str]:
        """All of window and history up to the last line, free ones too."""
        return [line.rstrip() for line in self.run("capture-pane", "-p", "-J", "-S", "-").rstrip().split("\n")][self._before :]

    def shown(self, holds: Callable[[list[str]], bool]) -> list[str]:
        """The lines of window and history behind the first thirty, each whole, once they are so."""
        until = time.monotonic() + LIMIT_S
        while True:
            lines = [line.rstrip() for line in self.run("capture-pane", "-p", "-J", "-S", "-").splitlines()]
            lines = [line for line in lines if line][self._before :]
            if holds(lines):
                return lines
            assert time.monotonic() < until, lines
            time.sleep(0.02)

    def close(self) -> None:
        self._out.close()
        self.run("kill-server")


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Tmux]:
    window = Tmux(tmp_path, 120)
    try:
        yield window
    finally:
        window.close()


@pytest.mark.parametrize("known_at_once", [True, False])
def test_no_piece_of_what_was_drawn_stays_where_a_window_is_resized(tmux: Tmux, known_at_once: bool) -> None:
    tmux.draw("first", 120)
    notices: list[str] = []
    for number, columns in enumerate((100, 60, 50, 90, 70, 40, 110, 120)):
        tmux.resize(columns, 20)
        if known_at_once:
            tmux.draw(f"frame{number}.", columns)
        for part in "ab":
            notices.append(f"notice {number}{part} {'which is long ' * (number % 3) * 2}to its end")
            tmux.tell(f"above {notices[-1]}")
        tmux.draw(f"frame{number}.", columns)
        frame = [f"frame{number}.{n}".ljust(columns - 1, "=") for n in range(4)]
        assert tmux.shown(lambda lines, last=frame: lines[-4:] == last) == [*notices, *frame]  # type: ignore[misc]
    tmux.tell("clear")
    assert tmux.shown(lambda lines: lines[-1] == notices[-1]) == notices


#: Narrower and wider, lower and higher, both at once.
_SIZES = ["100x20", "80x20", "60x24", "40x10", "70x20", "110x40", "30x20", "150x50", "120x8", "90x30", "120x20", "60x12", "30x30", "200x20"]


@pytest.mark.parametrize("before", [0, 30])
@pytest.mark.parametrize("frames", [1, 4])
def test_a_run_in_a_window_that_is_resized_leaves_its_notices_and_nothing_else(tmp_path: Path, before: int, frames: int) -> None:
    window = Tmux(tmp_path, 120, before)
    try:
        for _ in range(8):
            window.tell("run")
        notices: list[str] = []
        for number, (columns, rows) in enumerate(tuple(map(int, size.split("x"))) for size in _SIZES):
            window.resize(columns, rows)
            for _ in range(frames):
                # The program may know the new size by now or not.
                window.tell("run")
            if number % 3 == 0:
                notices.append(f"notice {number} {'which is long ' * number}to its end")
                window.tell(f"above {notices[-1]}")
        until = time.monotonic() + LIMIT_S
        while window.tell("run") != columns:
            assert time.monotonic() < until
        window.tell("clear")
        assert window.everything() == notices
    finally:
        window.close()
