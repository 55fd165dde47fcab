"""What a child process runs that looks at files for the run: rows in, what was found of them out.

frames of Asked --stdin--> Looker --stdout--> frames of lists of InPlaceText
"""

from __future__ import annotations

import contextlib
import os
import sys

from marscore.adapters.processes.frames import read_frame, write_frame
from marscore.adapters.processes.looking import Asked, Looker, LookSettings
from marscore.adapters.terminal.streams import occupy_standard_descriptors


def main() -> None:
    """Serve the parent until its input ends. Where looking fails nothing is found: the parent looks for itself, and tells what is wrong."""
    occupy_standard_descriptors()
    # As a worker's (`child`): whatever is printed goes to standard error and not between the frames.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    settings = read_frame(sys.stdin.buffer)
    looker = Looker(settings) if isinstance(settings, LookSettings) else None
    # The parent is gone where it reads no more.
    with contextlib.suppress(OSError):
        while looker is not None and isinstance(asked := read_frame(sys.stdin.buffer), Asked):
            try:
                found = looker.look(asked)
            except Exception:  # noqa: BLE001 - see above
                found = [None] * len(asked.rows)
            write_frame(out, found)
    os._exit(0)
