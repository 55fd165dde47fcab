"""Text of strangers in Markdown as GitHub reads it: it shows what it is, and neither links, mentions nor breaks out of its cell."""

from __future__ import annotations

import re

from marscore.printable import UNSAFE

#: What begins Markdown or HTML, a mention (@), a reference to an issue (#), an emoji (:name:) or math ($).
_ACTIVE = re.compile(r"[\\`*_{}\[\]<>|~&@#$!]|:(?=\S)|(?<=www)\.", re.IGNORECASE)
#: Addresses become links even where they are written so, unless a comment stands in them.
_ENTITIES = {"@": "&#64;<!---->"}


def text_cell(text: str) -> str:
    """A sentence as the text of a cell: all on one line, whatever means something to Markdown written as an entity."""
    return _ACTIVE.sub(lambda match: _ENTITIES.get(match[0]) or f"&#{ord(match[0])};", UNSAFE.sub(" ", text).strip())


def code_cell(text: str) -> str:
    """A path or a URL as code, or as text where code could not hold it."""
    plain = UNSAFE.sub("\ufffd", text)
    if not plain.strip() or plain != plain.strip() or "|" in plain or "`" in plain or plain.endswith("\\"):
        return text_cell(plain)
    return f"`{plain}`"
