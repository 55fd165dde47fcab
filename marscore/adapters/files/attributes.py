"""Gives files their mode and their modification time: by their descriptors, or by their names where a system has no such calls.

Windows knows nothing of a mode but whether a file may be written. The portable way is used there; tests force it on.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from typing import TypeAlias

from marscore.adapters.files.system import System
from marscore.state import Attributes

#: Gives attributes to a file: its descriptor, if it is open, its name, and what it gets.
Give: TypeAlias = Callable[["int | None", str, Attributes], None]


def giver(system: System, portable: bool = False) -> Give:
    """What gives files their attributes. With `portable` it uses no POSIX-only call.

    It raises OSError where a mode is asked for and the system does not give it. A file system that keeps no times is no reason to fail.
    """
    by_name = portable or not {os.utime, os.chmod} <= os.supports_fd

    def give(fd: int | None, path: str, attributes: Attributes) -> None:
        file = path if by_name or fd is None else fd
        if attributes.mtime_ns is not None:
            with contextlib.suppress(OSError):
                # That a file was last read now is true, and keeps it from programs that remove what nobody read for long.
                system.utime(file, ns=(time.time_ns(), attributes.mtime_ns))
        if attributes.mode is not None:
            system.chmod(file, attributes.mode)

    return give
