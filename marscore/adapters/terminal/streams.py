"""Standard streams as a place for people: what may be written to them, and how a closed or broken one is borne.

Light on purpose: the command line imports it before it knows whether rich will be needed.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TextIO

from marscore.printable import printable

__all__ = ["QuietStream", "is_terminal", "occupy_standard_descriptors", "printable", "start_again_in_utf8", "wants_color"]


def occupy_standard_descriptors() -> None:
    """Open the null device where standard input, output or error was closed (`2>&-`).

    Else the next file to be opened gets that number: what a library prints would go into it, and a child would find nothing there.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is the one that is missing, as those below it are open by now.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def start_again_in_utf8() -> None:
    """Begin this command anew in Python's UTF-8 mode where the system's names are said to be ASCII.

    That is said by the C locale where PYTHONUTF8=0 keeps Python from knowing better (PEP 540): arguments, the environment and the names of
    files could not be what a manifest in UTF-8 says. The standard streams keep the encoding that PYTHONIOENCODING gives them.
    """
    if sys.getfilesystemencoding() == "ascii" and not sys.flags.ignore_environment and os.environ.get("PYTHONUTF8") != "1":
        with contextlib.suppress(OSError):
            # Our own interpreter, and what it was started with.
            os.execve(sys.executable, sys.orig_argv, {**os.environ, "PYTHONUTF8": "1"})  # noqa: S606


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person reads this stream on a terminal that can move its cursor."""
    try:
        return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"
    except (OSError, ValueError):
        return False


def is_person(stream: TextIO | None) -> bool:
    """Whether a person reads this stream, on whatever kind of terminal."""
    try:
        return stream is not None and stream.isatty()
    except (OSError, ValueError):
        return False


def wants_color(stream: TextIO | None) -> bool:
    """Whether to write colours there: on a terminal, unless NO_COLOR is set (no-color.org)."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR")


class QuietStream:
    """A text stream that goes silent for good when the one behind it is closed or broken: a lost terminal must not end a run.

    What the stream's encoding cannot hold is written as an escape. None, as `sys.stderr` is where it was closed at the start, is silent.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self.encoding = getattr(stream, "encoding", None) or "utf-8"

    def write(self, text: str) -> int:
        if self._stream is not None:
            try:
                self._stream.write(text.encode(self.encoding, "backslashreplace").decode(self.encoding))
            except (OSError, ValueError):
                self._stream = None
        return len(text)

    def flush(self) -> None:
        if self._stream is not None:
            try:
                self._stream.flush()
            except (OSError, ValueError):
                self._stream = None
