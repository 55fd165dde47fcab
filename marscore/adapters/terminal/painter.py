"""Keeps a few lines at the bottom of a terminal, drawn over and over, and writes others above them.

    lines --draw--> frame --writer--> terminal          text --above--> text, then the lines again

Between two frames the cursor rests where the next text goes, and each frame begins there: whatever is below is of the last one.
So it does not matter into how many rows a narrower window has folded it (rich's Live goes up by as many lines as it wrote, and leaves what
was folded), and where the process is killed, the shell's prompt comes in its place. Lines are written over, and not erased first, so that
nothing flickers; what is drawn is shorter than the window is wide, so that no terminal wraps it.

Usually the lines stand right there. A terminal that folds rows moves others out at the top, before anybody is told: to where one scrolls
back to, and nobody can erase them. Most take free rows below first; tmux does not, and a few lines below the top of a new window would go.
So there, and anywhere once a window was resized, they stand in the window's last rows, and what is between is free. Then those of text and
free ones go, and none of the display's as long as all of its folded rows have room (`display.py` sees to that).

A terminal that has folded a line keeps in mind that its rows belong together, also where they are written over: in a wider window it would
join what stands there then, and move the cursor with it. It forgets that of rows that are erased whole. So they are erased before what
stays is written over them, where the window has another size, and about every second, as tmux tells of a size only 0.25 s later.
"""

from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TextIO

from marscore.adapters.terminal.writer import Writer

#: From the second column on, since tmux takes what is erased from the first cell of the window for a screen to be kept in its history.
_ERASE = "\r \x1b[J\r\x1b[K"
#: The cursor hidden, and lines cut at the edge in place of folded (DECAWM): a window may be narrower than the system says yet.
_BEGIN, _END = "\x1b[?25l\x1b[?7l", "\x1b[?7h\x1b[?25h"
#: Save and restore the cursor (DECSC, DECRC); down to the window's last row.
_SAVE, _RESTORE, _LAST = "\x1b7", "\x1b8", "\x1b[9999B"
#: Frames after which all below the text is erased.
_ANEW = 8
#: What is taken for a window where the system does not know.
_USUAL = (80, 24)


class Painter:
    """Draws at the bottom of one terminal. Safe to share between threads."""

    def __init__(self, stream: TextIO | None, writer: Writer, lowest: bool = False) -> None:
        """Draw nothing yet; `writer` writes to `stream`, the terminal, and lines are its `lowest` from the first on."""
        self._stream = stream
        self._writer = writer
        self._lock = threading.Lock()
        self._lines: Sequence[str] = ()
        self._size: tuple[int, int] | None = None
        self._frames = 0
        self._lowest = lowest

    def size(self) -> tuple[int, int]:
        """Columns and rows of the window as it is now."""
        return window(self._stream)

    def draw(self, make: Callable[[int, int], Sequence[str]]) -> None:
        """Draw the lines that are made for this many columns and rows; none longer than the columns. Left out where nobody takes them."""
        with self._lock:
            size, before = self.size(), len(self._lines)
            resized = before > 0 and size != self._size
            self._lowest = self._lowest or resized
            self._lines, self._size, self._frames = make(*size), size, self._frames + 1
            # Lines at the bottom are not written over by fewer, nor what has moved since.
            anew = resized or (self._lowest and (len(self._lines) != before or self._frames % _ANEW == 0))
            self._writer.write((_ERASE if before and anew else "") + self._frame(), wait=False)

    def above(self, text: str) -> bool:
        """Write whole lines above what is drawn; says whether they will be written."""
        with self._lock:
            return self._writer.write(_ERASE + text + self._frame() if self._lines else text)

    def clear(self) -> None:
        """Take away what is drawn."""
        with self._lock:
            if self._lines:
                self._lines = ()
                self._writer.write(_ERASE, wait=False)

    def _frame(self) -> str:
        up = f"\x1b[{len(self._lines) - 1}A" if len(self._lines) > 1 else ""
        drawn = "\x1b[K\n".join(self._lines)
        if self._lowest:
            room = "\n" * (len(self._lines) - 1) + up
            drawn = f"{room}{_SAVE}{_LAST}{up}\r{drawn}\x1b[K{_RESTORE}"
        else:
            drawn += f"\x1b[J{up}"
        # All is as it was behind each frame: a process may be killed at any time.
        return f"{_BEGIN}\r{drawn}\r{_END}"

    def clear_at_once(self) -> None:
        """The same for a process that ends in this moment, from a signal's handler: takes no lock and waits for nobody."""
        if not self._lines or self._stream is None:
            return
        try:
            number = self._stream.fileno()
            if os.name != "posix" or select.select([], [number], [], 0)[1]:
                os.write(number, (_ERASE + _END).encode())
        except (OSError, ValueError):
            return


def folds_at_once(environment: Mapping[str, str]) -> bool:
    """Whether the terminal is one that moves rows out at the top while there are free ones below: tmux, from another machine too."""
    return bool(environment.get("TMUX")) or environment.get("TERM", "").startswith(("tmux", "screen"))


def window(stream: TextIO | None) -> tuple[int, int]:
    """Columns and rows of a terminal: as the system has them, else as COLUMNS and LINES say."""
    try:
        columns, rows = os.get_terminal_size(stream.fileno()) if stream is not None else (0, 0)
    except (OSError, ValueError, AttributeError):
        columns, rows = 0, 0
    return columns or _of_environment("COLUMNS", _USUAL[0]), rows or _of_environment("LINES", _USUAL[1])


def _of_environment(name: str, usual: int) -> int:
    value = os.environ.get(name, "")
    return int(value) if value.isascii() and value.isdigit() and 0 < int(value) < 10_000 else usual


def understands_escapes(stream: TextIO | None) -> bool:
    """Whether a terminal moves its cursor when it is told to. Windows' own has to be asked first; where it refuses, it is an old one."""
    if sys.platform != "win32":
        return stream is not None
    import ctypes  # noqa: PLC0415 - there alone
    import msvcrt  # noqa: PLC0415 - there alone

    try:
        handle = msvcrt.get_osfhandle(stream.fileno()) if stream is not None else -1
        mode = ctypes.c_ulong()
        kernel = ctypes.windll.kernel32
        # ENABLE_VIRTUAL_TERMINAL_PROCESSING
        return bool(kernel.GetConsoleMode(handle, ctypes.byref(mode)) and kernel.SetConsoleMode(handle, mode.value | 4))
    except (OSError, ValueError):
        return False
