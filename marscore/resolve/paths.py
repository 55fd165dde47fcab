"""Output paths: which are allowed, what a URL names its file, and whether two downloads want the same place.

The rules hold on every system alike, so that a manifest means the same everywhere. What only Windows dislikes about a character
(`:`, `?`, `*` ...) is allowed, since a Linux user may need it; a drive letter is not.
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote, urlsplit

#: The folder inside output_dir that marscore keeps for itself.
OWN_FOLDER = ".marscore"
#: The longest name that ext4, APFS and NTFS all take.
MAX_NAME_BYTES = 255

_UNSPEAKABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_ABSOLUTE = re.compile(r"[/\\]|[A-Za-z]:")
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\..*)?", re.DOTALL)
#: A path that no rule below concerns: the usual case, in one step.
_ORDINARY = re.compile(r"(?:[a-z0-9_][a-z0-9_-]{0,99}/)*[a-z0-9_][a-z0-9_.-]{0,99}[a-z0-9_]", re.IGNORECASE | re.ASCII)


def check_output(path: str) -> None:
    """Refuse a path that is not a file under the output folder, on any system.

    Raises:
        ValueError: with what is wrong, as a sentence about "it".
    """
    if _ORDINARY.fullmatch(path) and not any(_RESERVED.fullmatch(part) for part in path.split("/")):
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


def name_in(url: str) -> str:
    """The file name in a URL: the last part of its path, percent-decoded.

    Raises:
        ValueError: there is none, or it breaks a rule.
    """
    last = urlsplit(url).path.rpartition("/")[2]
    if not last:
        raise ValueError("is needed, since the URL names no file")
    try:
        name = unquote(last, errors="strict")
        _check_name(name)
    except UnicodeDecodeError:
        raise ValueError("is needed, since the name in the URL is not UTF-8") from None
    except ValueError as error:
        raise ValueError(f"is needed, since the name in the URL would not do: it {error}") from None
    return name


def _check_name(name: str) -> None:
    if "/" in name:
        raise ValueError("must not hold a /")
    check_output(name)


def collision_key(path: str) -> str:
    """What two paths have in common if some file system takes them for one: case and Unicode normal form are ignored."""
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())


class Outputs:
    """Remembers which download has which path."""

    def __init__(self) -> None:
        self._files: dict[str, str] = {}
        self._folders: dict[str, str] = {}

    def claim(self, path: str, owner: str) -> str | None:
        """Take a path for a download; None, or in words which earlier one stands in the way."""
        key = collision_key(path)
        if key in self._files:
            return f"the same file as {self._files[key]}"
        if key in self._folders:
            return f"a file where {self._folders[key]} needs a folder"
        parent = key.rpartition("/")[0]
        if above := self._file_above(parent):
            return f"inside of what is a file of {above}"
        self._files[key] = owner
        while parent and parent not in self._folders:
            self._folders[parent] = owner
            parent = parent.rpartition("/")[0]
        return None

    def _file_above(self, folder: str) -> str | None:
        # A known folder was checked when it became one, and no file can have taken its place since.
        while folder and folder not in self._folders:
            if folder in self._files:
                return self._files[folder]
            folder = folder.rpartition("/")[0]
        return None
