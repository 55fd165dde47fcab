"""What tells one object from another at the same key, and the conditions (RFC 9110 section 13.1) that are made of it.

what obstore says of an object (`meta`: size, last_modified, e_tag, version) --identity_of--> FileIdentity, as the state keeps it
                                                                             --mode_for--> `mode` of obstore's `put`
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from marscore.state import FileIdentity

_NANO = 10**9


def identity_of(meta: Mapping[str, Any]) -> FileIdentity:
    """What identifies an object: its size, when it was put, in whole seconds (HEAD tells no more), and its ETag, hashed to a number."""
    # A list has it without its quotes where a HEAD has them (Azure).
    tag = bare(meta["e_tag"]) or meta["version"] or ""
    number = int.from_bytes(hashlib.sha256(tag.encode()).digest()[:8], "big") >> 1
    return FileIdentity(meta["size"], int(meta["last_modified"].timestamp()) * _NANO, number)


def if_still(meta: Mapping[str, Any]) -> Any:
    """The condition that an object still is this one."""
    return {name: meta[name] for name in ("e_tag", "version") if meta[name] is not None}


def mode_for(there: Any) -> Any:
    """The condition that this is what is there, or nothing is; what has no name (ETag, version) is replaced without one."""
    return "create" if there is None else if_still(there) or "overwrite"


def is_another(there: Any, replaces: FileIdentity | None) -> bool:
    """Whether there is another object than the one that is to be replaced. One that went meanwhile is in nobody's way."""
    if there is None or replaces is None:
        return there is not None
    found = identity_of(there)
    # When it was put says nothing that its ETag does not.
    return (found.size, found.inode) != (replaces.size, replaces.inode)


def bare(etag: str | None) -> str:
    """An ETag without its quotes, empty where there is none."""
    return (etag or "").strip('"')
