"""Which output paths are allowed.

The rules hold on every system alike, so that a manifest means the same everywhere. What only Windows dislikes about a character
(`:`, `?`, `*` ...) is allowed, since a Linux user may need it; a drive letter is not.
"""

from __future__ import annotations

import re
import unicodedata

from marscore.values import OWN_FOLDER

#: The longest name that ext4, APFS and NTFS all take.
MAX_NAME_BYTES = 255

_UNSPEAKABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_ABSOLUTE = re.compile(r"[/\\]|[A-Za-z]:")
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\..*)?", re.DOTALL)
#: A path that no rule below concerns: the usual case, in one step.
_NOT_RESERVED = r"(?!(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:[./]|$))"
_ORDINARY = re.compile(
    rf"(?:{_NOT_RESERVED}[a-z0-9_][a-z0-9_-]{{0,99}}/)*{_NOT_RESERVED}[a-z0-9_][a-z0-9_.-]{{0,99}}[a-z0-9_]", re.IGNORECASE | re.ASCII
)


def check_output(path: str) -> None:
    """Refuse a path that is not a file under the output folder, on any system.

    Raises:
        ValueError: with what is wrong, as a sentence about "it".
    """
    if _ORDINARY.fullmatch(path):
        return
    _check_whole(path)
    parts = path.split("/")
    for part in parts:
        _check_part(part)
    if collision_key(parts[0]) == OWN_FOLDER:
        raise ValueError(f"must not be in {OWN_FOLDER}, which marscore keeps for itself")


def _check_whole(path: str) -> None:
    if not path:
        raise ValueError("must not be empty")
    if _UNSPEAKABLE.search(path):
        raise ValueError("must not hold control characters")
    if _ABSOLUTE.match(path):
        raise ValueError("must be relative to output_dir, with no drive letter")
    if "\\" in path:
        raise ValueError("must have / between its parts, not a backslash")


def _check_part(part: str) -> None:
    if not part:
        raise ValueError("must not have an empty part, as in a//b or a/")
    if part in (".", ".."):
        raise ValueError("must not have . or .. as a part: it must stay under output_dir")
    if part[-1] in ". ":
        raise ValueError("must not have a part that ends in a dot or a space, which Windows drops")
    if _RESERVED.fullmatch(part):
        raise ValueError("must not have a part that Windows reserves, such as CON, NUL or COM1")
    if len(part.encode()) > MAX_NAME_BYTES:
        raise ValueError(f"must not have a part of more than {MAX_NAME_BYTES} bytes")


def collision_key(path: str) -> str:
    """What two paths have in common if some file system takes them for one: case and Unicode normal form are ignored."""
    if path.isascii():
        lower = path.lower()
        # The same object where it is the same text: there may be a million.
        return path if lower == path else lower
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())
