"""What a command says where the system gives it too little memory: a line that takes none."""

from __future__ import annotations

import os

#: What a loader says of a library for which there is no memory.
_NO_ROOM = ("failed to map segment", "cannot allocate memory", "Cannot allocate memory")


def is_scarcity(error: BaseException) -> bool:
    """Whether it is for want of memory that something was raised."""
    return isinstance(error, MemoryError) or (isinstance(error, ImportError) and any(words in str(error) for words in _NO_ROOM))


def tell_of_scarcity() -> None:
    """Say so on standard error, by nothing that takes memory, such as a traceback."""
    os.write(2, b"marscore: the system gives too little memory\n")
