"""What somebody means who writes a URL, a file or a misspelt verb in the place of a verb."""

from __future__ import annotations

import difflib
import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from marscore.printable import printable
from marscore.public import public_url, public_word

#: Verbs of other tools -> what to write here.
_OTHERS = {
    word: verb
    for verb, words in (
        ("run or get", "download fetch"),
        ("run", "sync start up apply pull install"),
        ("validate or verify", "check"),
        ("validate", "lint test"),
        ("plan", "dry-run diff preview"),
        ("get", "wget curl"),
        ("outdated or lock --upgrade", "update"),
        ("lock --upgrade", "upgrade"),
        ("lock", "freeze"),
        ("--version", "version"),
        ("--help", "help"),
        ("import or export", "convert"),
    )
    for word in words.split()
}


def command_meant(word: str, verbs: Sequence[str]) -> str | None:
    """What is said of a word that is no verb; None where nobody knows what is meant."""
    if re.match(r"(?i)https?:/", word):
        return f"to download a URL: marscore get {_shown(public_url(public_word(word)))}"
    if word == "-" or Path(word).suffix.lower() in (".yaml", ".yml", ".json"):
        return f"to download what a manifest lists: marscore run {_shown(word)}"
    if re.fullmatch(r"[\w.-]+\.[\w-]{2,}(:\d+)?/\S*", word) and not os.path.exists(word):  # noqa: PTH110 - of a name too long to be one, a Path raises
        return f"to download a URL: marscore get {_shown(public_url('https://' + word))}"
    if word.startswith("-"):
        return None
    near = difflib.get_close_matches(word.lower(), verbs, n=1)
    meant = _OTHERS.get(word.lower()) or (near[0] if near else None)
    return f"No such command {printable(word)!r}. Did you mean {meant}?" if meant else None


def _shown(word: str) -> str:
    return printable(shlex.quote(word))
