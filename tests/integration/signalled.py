"""Runs the command in this process and sends it a signal at one moment: `python signalled.py MOMENT SIGNAL TIMES ARGUMENTS...`.

MOMENT is what Python's audit hooks tell of (`import click`, `open downloads.yaml`, `import pycurl`), by the start of its name and the end
of what it is about, or `fsync`. Nothing of marscore is changed.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

#: More than the seconds within which a second signal says nothing new (`adapters/terminal/signals.py`).
APART_S = 0.7
#: pathlib lists a folder by the one or the other, as Python's version has it.
_ALIKE = {"os.listdir": ("os.listdir", "os.scandir")}


def send_at(moment: str, number: int, times: int) -> None:
    """Send this process a signal when that comes for the first time, so many times, each as a wish of its own."""
    name, _, about = moment.partition(" ")
    left = [times]

    def send() -> None:
        while left[0]:
            left[0] -= 1
            if left[0] < times - 1:
                time.sleep(APART_S)
            os.kill(os.getpid(), number)

    def hear(event: str, arguments: tuple[object, ...]) -> None:
        if event in _ALIKE.get(name, (name,)) and any(_names(argument, about) for argument in arguments):
            send()

    if name == "fsync":
        os.fsync = _before(os.fsync, send)
    else:
        sys.addaudithook(hear)


def _names(argument: object, about: str) -> bool:
    text = os.fsdecode(argument) if isinstance(argument, str | bytes | os.PathLike) else ""
    return text.endswith(about.rstrip("*")) if not about.endswith("*") else about.rstrip("*") in text


def _before(call: Callable[[int], None], act: Callable[[], None]) -> Callable[[int], None]:
    def both(descriptor: int) -> None:
        act()
        call(descriptor)

    return both


if __name__ == "__main__":
    from marscore.__main__ import main

    moment, number, times = sys.argv[1:4]
    sys.argv[:4] = ["marscore"]
    send_at(moment, int(number), int(times))
    main()
