"""Short forms of a manifest: one value that stands for a mapping."""

from __future__ import annotations


def argv(value: object) -> object:
    """A program and its arguments."""
    if isinstance(value, str):
        raise ValueError("must be a list, the program and then its arguments: no shell reads it")
    return value


def auth_word(value: object) -> object:
    """One of the words that stand for credentials."""
    if value not in ("netrc", "none"):
        raise ValueError("must be netrc, none, or a mapping with username and password")
    return str(value)


def ends(value: object) -> object:
    """One duration for both ends of a timeout: to connect and to read."""
    return {"connect": value, "read": value} if isinstance(value, str | int | float) else value


def schemes(value: object) -> object:
    """One proxy for both schemes."""
    return {"http": value, "https": value} if isinstance(value, str) else value


def cert(value: object) -> object:
    """One file that holds certificate and key."""
    return {"cert": value} if isinstance(value, str) else value
