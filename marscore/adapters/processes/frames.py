"""What a run and its worker processes say to each other: frames of pickle, each behind its length."""

from __future__ import annotations

import pickle
import struct
from typing import IO, Any

from marscore.frozen import dataclass

#: The exit code of a child that the system gives too little to work with: os.EX_OSERR, where there is one.
TOO_LITTLE = 71
#: That of one whose loop broke by a defect: os.EX_SOFTWARE.
BROKEN = 70
_LENGTH = struct.Struct("!I")


@dataclass(frozen=True, slots=True)
class Call:
    """What the parent asks of a worker in a child: a method of Worker and its arguments."""

    method: str
    arguments: tuple[Any, ...] = ()


def write_frame(stream: IO[bytes], value: Any) -> None:
    """Write one value."""
    data = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


def read_frame(stream: IO[bytes]) -> Any | None:
    """Read one value; None at the end of the stream, also within a value. The other end is this program itself, so pickle is safe."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    length = _LENGTH.unpack(head)[0]
    data = stream.read(length)
    return pickle.loads(data) if len(data) == length else None  # noqa: S301 - written by write_frame in our own parent or child
