"""Two downloads that want one place: where the other one is written, and what would help."""

from __future__ import annotations

import re

from marscore.manifest.places import NO_ADVICE, Advice, Path
from marscore.resolve.paths import Taken

_INDEX = re.compile(r"downloads\[(\d+)\](\[\d+\])?")
_OTHER_PATH = "give one of them another path"


def between(taken: Taken, name: str) -> Advice:
    """What helps the download of this name."""
    own, other = _INDEX.match(name), _INDEX.match(taken.owner)
    if own is None or other is None:
        return NO_ADVICE
    if own[1] == other[1]:
        return Advice(help="write the names of each into path too, as in path: files/{i}.bin" if own[2] else None)
    where: Path = ("downloads", int(other[1]), "path")
    help_ = _OTHER_PATH
    if taken.message.startswith("the same file"):
        help_ = f"{_OTHER_PATH}; upper and lower case are the same. Other URLs of one file are its mirrors"
    return Advice(help=help_, elsewhere=(where, taken.owner))


def of_path(message: str) -> Advice:
    """What helps where the URL does not say what a file is to be called."""
    return Advice(help="write path: NAME") if message.startswith("is needed") else NO_ADVICE
