"""Reads what the user wrote: a manifest, a lock. Not more of it than may be, and in UTF-8."""

from __future__ import annotations

from pathlib import Path

from marscore.errors import ManifestError, Problem


def read_text(path: Path, source: str, most: int) -> str:
    """The text of a file of at most `most` bytes; `source` is its name in messages.

    Raises:
        FileNotFoundError: there is none.
        ManifestError: it cannot be read, is too large, or is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise ManifestError(source, (Problem("", cannot_read(error)),)) from error
    return text_of(data, source, most)


def text_of(data: bytes, source: str, most: int) -> str:
    """These bytes as text.

    Raises:
        ManifestError: they are too many, or not UTF-8.
    """
    if len(data) > most:
        raise ManifestError(source, (Problem("", f"is larger than {most // 2**20} MiB", 1, 1),))
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        told = f"is not UTF-8 text: byte {error.start} is 0x{error.object[error.start]:02x}"
        raise ManifestError(source, (Problem("", told, help=_help_of(data, error.start)),)) from error


def _help_of(data: bytes, at: int) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "it begins like UTF-16: save it as UTF-8"
    line = data.count(b"\n", 0, at) + 1
    return f"save it as UTF-8; that byte is in line {line}"


def cannot_read(error: OSError | ValueError) -> str:
    """What is said of a file that the system does not let us read. A path with a NUL in it is a ValueError."""
    return f"cannot be read: {error.strerror or error}" if isinstance(error, OSError) else f"cannot be read: {error}"
