"""Where files of a run go that is told by a URL: a bucket of an object store and a prefix in it, or a folder of this machine.

    `s3://bucket/prefix` --parse_destination--> Destination        `file:///data/out` --> /data/out

The text is taken as it stands: nothing in it is percent-decoded but in a file URL (RFC 8089), as a key of an object may hold any character.
No message repeats it, since a key or a password may be written into it.
"""

from __future__ import annotations

import re
from typing import Literal, TypeAlias, get_args
from urllib.parse import unquote

from marscore.frozen import dataclass
from marscore.values import OWN_FOLDER

Scheme: TypeAlias = Literal["s3", "gs", "az", "memory"]
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)

#: How a URL begins, also where a Path has made one slash of two. A drive of Windows has one letter.
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(/+)(.*)", re.DOTALL)
#: A bucket of S3 or GCS, a container of Azure: letters, digits, dots, hyphens and underscores.
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,221}[A-Za-z0-9]")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
#: The longest key that all of them take, in bytes of UTF-8: S3 and GCS count bytes, Azure characters.
LONGEST_KEY = 1024
_ALLOWED = "must be a folder, or begin with s3://, gs://, az://, memory:// or file://"


@dataclass(frozen=True, slots=True)
class Destination:
    """A bucket of an object store and the prefix of all keys there, which has no slash at its ends and may be empty."""

    scheme: Scheme
    bucket: str
    prefix: str = ""

    def key(self, path: str) -> str:
        """The key of the object for an output path."""
        return f"{self.prefix}/{path}" if self.prefix else path

    def url(self, path: str = "") -> str:
        """What is shown of it, or of the object for an output path."""
        return f"{self.scheme}://{self.bucket}/{self.key(path) if path else self.prefix}".rstrip("/")

    @property
    def room(self) -> int:
        """Bytes that an output path may have."""
        return LONGEST_KEY - len(self.prefix.encode()) - (1 if self.prefix else 0)

    def __str__(self) -> str:
        return self.url()


def is_url(text: str) -> bool:
    """Whether this is meant as a URL, and not as a folder."""
    return _URL.match(text) is not None or text.lower() in [f"{scheme}:" for scheme in (*SCHEMES, "file")]


def parse_destination(text: str) -> Destination | str:
    """Read the URL of an output folder; returns the folder's path where it names one of this machine.

    Raises:
        ValueError: with what is wrong, as a sentence about "it", which repeats nothing of the text.
    """
    match = _URL.fullmatch(text)
    if match is None:
        raise ValueError(_ALLOWED)
    scheme, slashes, rest = match[1].lower(), len(match[2]), match[3]
    _check_text(rest)
    if scheme == "file":
        return _folder(slashes, rest)
    if scheme not in SCHEMES:
        raise ValueError(_ALLOWED)
    if "@" in rest.partition("/")[0]:
        raise ValueError("must hold no user name, key or token: the store's own variables (AWS_ACCESS_KEY_ID, ...) name them")
    bucket, _, prefix = rest.partition("/")
    if slashes > 2:
        bucket = ""
    if not _BUCKET.fullmatch(bucket):
        raise ValueError("must name a bucket behind ://, of three letters, digits, dots, hyphens or underscores and more")
    prefix = prefix.rstrip("/")
    _check_prefix(prefix)
    return Destination(scheme, bucket, prefix)


def _check_text(rest: str) -> None:
    if _CONTROLS.search(rest):
        raise ValueError("must not hold control characters")
    if "?" in rest or "#" in rest:
        raise ValueError("must have no query and no fragment: ? and # are not taken here")


def _check_prefix(prefix: str) -> None:
    parts = prefix.split("/") if prefix else []
    if any(part in ("", ".", "..") for part in parts):
        raise ValueError("must not have an empty part, . or .. behind its bucket")
    if OWN_FOLDER in parts:
        raise ValueError(f"must not be in {OWN_FOLDER}, which marscore keeps for itself")
    if len(prefix.encode()) > LONGEST_KEY // 2:
        raise ValueError(f"must have no more than {LONGEST_KEY // 2} bytes behind its bucket")


def _folder(slashes: int, rest: str) -> str:
    # Of two slashes the host follows (RFC 8089 section 2); one is what a Path leaves of three.
    if slashes == 2:
        host, _, rest = rest.partition("/")
        if host not in ("", "localhost"):
            raise ValueError("must be of this machine, as in file:///data/out: nothing may stand between its second and third slash")
    path = unquote(rest)
    _check_text(path.replace("?", "").replace("#", ""))
    return path if re.match(r"[A-Za-z]:(/|\Z)", path) else f"/{path}"
