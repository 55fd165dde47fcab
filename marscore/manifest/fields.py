"""How the manifest's fields are read and checked: what may be written, and what it means. `field_types` makes pydantic's types of it.

Text is never guessed at: `is_plain` knows a scalar without quotes, and only a field that wants a number, a size, a duration or a boolean
looks into it. No message repeats a value, which may have come from the environment.

Nothing here imports pydantic: a manifest that needs no model is read by the same functions (`plain`, `plain_manifest`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from marscore.destination import parse_destination
from marscore.manifest.places import Scalar
from marscore.manifest.urls import check_proxy_text, check_url_text
from marscore.url import parse_url
from marscore.values import parse_checksum, parse_duration, parse_size

if TYPE_CHECKING:
    from pydantic import ValidationInfo

#: SQLite's and the file system's largest offset.
MAX_SIZE = 2**63 - 1
#: Ten years: within what every clock and socket takes.
MAX_DURATION = 10 * 366 * 86400

_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_NOT_PASSED = re.compile(r"[\x00\ud800-\udfff]")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_YES_NO = {"yes", "no", "on", "off", "y", "n"}
_DIRECT = "none"
_LIST_FILE = re.compile(r"(?i).*\.(?:(?:csv|tsv|jsonl|ndjson)(?:\.gz)?|parquet)")
_MODE = re.compile(r"(?:0o?)?([0-7]{3,4})")


class Plain(str):
    """A scalar that was written without quotes, with its names filled in."""

    __slots__ = ()


def is_plain(value: object) -> bool:
    """Whether a text was written without quotes, so that a field may read it as a number or a boolean."""
    return isinstance(value, Plain) or (isinstance(value, Scalar) and value.plain)


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def read_text(value: object) -> str:
    """Take text as it is."""
    if not isinstance(value, str):
        if not isinstance(value, PurePath):
            raise ValueError("must be text")
        value = str(value)
    if not value:
        raise ValueError("must not be empty")
    if not value.isprintable() and _CONTROL.search(value):
        raise ValueError("must not hold line breaks or other control characters")
    return str(value)


def read_whole(value: object) -> int:
    """Read a whole number from an int, or from digits without quotes."""
    if isinstance(value, str) and is_plain(value) and re.fullmatch(r"[-+]?[0-9]{1,18}", value):
        return int(value)
    if isinstance(value, int) and _is_int(value):
        return value
    raise ValueError("must be a whole number")


def read_number(value: object) -> float:
    """Read a number from a float or int, or from a scalar without quotes."""
    if isinstance(value, str) and is_plain(value) and re.fullmatch(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?", value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("must be a number")
    return float(value)


def read_size(value: object) -> int:
    """Read a size from a whole number of bytes or from text such as 10MiB."""
    if _is_int(value) or (isinstance(value, float) and value.is_integer()):
        return int(value)  # type: ignore[call-overload, no-any-return]
    # Longer digits than these are no size, and past 4300 Python refuses them in words of its own.
    return parse_size(value if isinstance(value, str) and len(value) <= 40 else "")


def read_duration(value: object) -> float:
    """Read a duration from a number of seconds or from text such as 30s."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(min(value, 2 * MAX_DURATION))
    return parse_duration(value if isinstance(value, str) and len(value) <= 40 else "")


def read_processes(value: object) -> int | str:
    """Read `auto` or how many."""
    if value == "auto":
        return "auto"
    try:
        count = read_whole(value)
    except ValueError:
        raise ValueError("must be auto or a whole number") from None
    if not 1 <= count <= 64:
        raise ValueError("must be auto, or from 1 to 64")
    return count


def read_verify(value: object) -> bool | str:
    """Read true, false or the path of a CA bundle."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        raise ValueError("must be true, false or the path of a CA bundle")
    text = read_text(value)
    lower = text.lower()
    if is_plain(value) and text in {lower, lower.title(), lower.upper()} and lower in {"true", "false"}:
        return lower == "true"
    if lower in _YES_NO | {"true", "false"}:
        raise ValueError("must be true or false, written so and without quotes, or the path of a CA bundle")
    return text


def read_mode(value: object) -> int:
    """Read permission bits from text in octal.

    A number is refused, also where YAML would read one: whether `0755` is octal depends on who reads it.
    """
    if _is_int(value) or (isinstance(value, Scalar) and value.plain and value[:1].isdigit()):
        raise ValueError('must be text in quotes, as in "0755": without them it is a number, and not everybody reads that one in octal')
    if not isinstance(value, str) or not (match := _MODE.fullmatch(value)):
        raise ValueError('must be permission bits in octal, as in "0755"')
    bits = int(match[1], 8)
    if bits > 0o777:
        raise ValueError("must not set the set-uid, set-gid or sticky bit")
    if not bits & 0o400:
        raise ValueError("must let the owner read the file (0400), or no later run could tell whether it is right")
    return bits


def read_yes_no(value: object) -> bool:
    """Read true or false."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and is_plain(value) and value in {"true", "True", "TRUE", "false", "False", "FALSE"}:
        return value.lower() == "true"
    raise ValueError("must be true or false, written so and without quotes")


def read_word(value: object) -> object:
    """Take text as it is, for a Literal to judge."""
    return str(value) if isinstance(value, str) else value


def read_version(value: object) -> object:
    """Take the name of a version, with quotes or without, for a Literal to judge."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else read_word(value)


def _is_template(info: ValidationInfo) -> bool:
    """Whether the text belongs to an entry with `each`, so that it can be judged only once it is filled in."""
    data: Mapping[str, Any] | None = info.data
    return data is not None and ("each" not in data or data["each"] is not None)


def check_url(url: str, info: ValidationInfo) -> str:
    """Refuse a URL that cannot be fetched, unless it is a template."""
    return url if _is_template(info) else check_url_text(url)


def check_checksum(text: str, info: ValidationInfo) -> str:
    """Refuse what is no checksum, unless it is a template."""
    if not _is_template(info):
        parse_checksum(text)
    return text


def read_algorithm(value: object) -> object:
    """Take the name of an algorithm in any case, with a hyphen or without, for a Literal to judge."""
    return str(value).lower().replace("-", "") if isinstance(value, str) else value


def read_list(value: object) -> object:
    """Take one value as a list of one."""
    return [value] if isinstance(value, str) else value


def read_proxy(value: object) -> str:
    """Read the URL of a proxy, or `none` for a direct connection."""
    text = read_text(value)
    return text if text == _DIRECT else check_proxy_text(text)


def read_header_value(value: object) -> str:
    """Take a header's value (RFC 9110 section 5.5), which may be empty."""
    return "" if isinstance(value, str) and not value else check_header_value(read_text(value))


def check_header_value(text: str) -> str:
    """Refuse what cannot be sent in a header field."""
    if text != text.strip(" \t"):
        raise ValueError("must not begin or end with a space")
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        raise ValueError("must hold only characters of ISO-8859-1, since it is sent in a header") from None
    return text


def check_header_name(name: str) -> str:
    """Refuse what is no field name (RFC 9110 section 5.1)."""
    if not _TOKEN.fullmatch(name):
        raise ValueError("must be a header name: letters, digits and - only, as in User-Agent")
    return name


def check_headers(headers: dict[str, str | None]) -> dict[str, str | None]:
    """Refuse two names that differ only in case, since to HTTP they are one."""
    if len({name.lower() for name in headers}) < len(headers):
        raise ValueError("names one header twice (upper and lower case are the same)")
    if any(name.lower() in ("range", "if-range") and value is not None for name, value in headers.items()):
        raise ValueError("must not hold Range or If-Range: they ask for a part, and which parts are asked for is marscore's own")
    return headers


def check_tag(text: str) -> str:
    """Refuse a tag that nobody could type after --only."""
    if text != text.strip() or len(text) > 200:
        raise ValueError("must be at most 200 characters, with no space at its ends")
    return text


def read_password(value: object) -> str:
    """Take a password, which may be empty, as where the user name is a token."""
    return "" if isinstance(value, str) and not value else read_text(value)


def check_username(text: str) -> str:
    """Refuse what the Basic scheme cannot carry (RFC 7617 section 2)."""
    if ":" in text:
        raise ValueError("must not hold a colon")
    return text


def read_argument(value: object) -> str:
    """Take an argument of a program, which may be empty, or a script of several lines; what the system cannot pass on is refused."""
    if not isinstance(value, str | PurePath):
        raise ValueError("must be text")
    if _NOT_PASSED.search(str(value)):
        raise ValueError("must not hold the character NUL, nor half a character")
    return str(value)


def check_argv(argv: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse a program without a name."""
    if not argv[0].strip():
        raise ValueError("must name a program first")
    return argv


def read_each_value(value: object) -> str:
    """Read one value of a template's name: text, or a whole number."""
    return str(value) if _is_int(value) else read_text(value)


def check_each_name(name: str) -> str:
    """Refuse a name that could not stand between braces."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError("must be a name of letters, digits and _")
    return name


def check_list_file(text: str) -> str:
    """Refuse a file of rows whose name does not say how it is to be read, and the URL of one that is none."""
    name = text
    if is_elsewhere(text):
        scheme = text.partition(":")[0].lower()
        if scheme in ("http", "https"):
            name = parse_url(text).target.partition("?")[0]
        elif scheme not in ("s3", "gs", "az", "memory"):
            raise ValueError("must be the path of a file, or a URL of http, https, s3, gs or az")
        else:
            parse_destination(text)
    if not _LIST_FILE.fullmatch(name):
        raise ValueError("must end in .csv, .tsv, .jsonl or .ndjson, or one of these and .gz, or in .parquet")
    return text


def is_elsewhere(place: str) -> bool:
    """Whether a file of rows is named by a URL."""
    return "://" in place


def check_variable_name(name: str) -> str:
    """Refuse what could not stand between `${` and `}`."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError("must be the name of a variable, without ${ and }: letters, digits and _, as in REGION")
    return name
