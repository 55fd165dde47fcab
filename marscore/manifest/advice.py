"""What helps with a problem that the models found: which keys there are, what was meant, how it is written.

path + what stands there + pydantic's words --> Advice; no text of it repeats what may be secret
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from marscore.frozen import dataclass
from marscore.manifest import models as m
from marscore.manifest.described import description_of, example_of
from marscore.manifest.foreign import Meant, meant, meant_value, normal, words_of
from marscore.manifest.places import NO_ADVICE, Advice, Path, Scalar, shown_key
from marscore.values import FAILURE_KINDS

#: Which keys a mapping may have, by the name under which it stands.
_MODELS: dict[str, type[BaseModel]] = {
    "": m.Manifest,
    "execution": m.Execution,
    "security": m.Security,
    "cache": m.Cache,
    "defaults": m.Defaults,
    "downloads": m.DownloadEntry,
    "timeout": m.Timeout,
    "retry": m.Retry,
    "backoff": m.Backoff,
    "proxies": m.Proxies,
    "auth": m.Auth,
    "cert": m.Certificate,
    "checksum": m.PublishedChecksum,
    "from": m.ListSource,
    "unpack": m.Unpack,
    "range": m.Range,
}
#: Where a key may belong that is none here, the likeliest first, and how that is written.
_ELSEWHERE: tuple[tuple[type[BaseModel], str], ...] = (
    (m.Manifest, "stands at the top of the manifest"),
    (m.DownloadEntry, "is an option of a download, or of all: defaults: {{{key}: ...}}"),
    (m.Execution, "is written execution: {{{key}: ...}} at the top"),
    (m.Retry, "is written retry: {{{key}: ...}}"),
    (m.Backoff, "is written retry: {{backoff: {{{key}: ...}}}}"),
    (m.Timeout, "is written timeout: {{{key}: ...}}"),
    (m.Auth, "is written auth: {{{key}: ...}}"),
    (m.Unpack, "is written unpack: {{{key}: ...}}"),
    (m.PublishedChecksum, "is written checksum: {{{key}: ...}}"),
    (m.Cache, "is written cache: {{{key}: ...}} at the top"),
    (m.Security, "is written security: {{{key}: ...}} at the top"),
)
#: Options that only a single download has.
_OWN = frozenset(m.DownloadEntry.model_fields) - frozenset(m.DownloadOptions.model_fields)
_KINDS_BY_STATUS = {"429": "rate_limited", "5": "server_error", "4": "http_status"}
#: A key that looks like the name of a header field, and what those of one mapping have in common.
_HEADER = re.compile(r"[A-Z][A-Za-z]*(-[A-Z][A-Za-z]*)+")
_FIELD = "header field"
#: How alike a word of another tool is to be, if it is to be what was meant.
_NEARLY = 0.85
_DIGITS = {32: "md5", 40: "sha1", 64: "sha256", 96: "sha384", 128: "sha512"}
_WANTS_PLAIN = re.compile("whole number|a number|true or false")
_PLAIN = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)|true|false")
_UNITS = {"sec": "s", "min": "m", "hour": "h", "hr": "h", "day": "d", "milli": "ms", "msec": "ms"}


def kind_of(path: Path) -> str:
    """Of what kind the mapping at a path is: the name under which it stands, `range` for one in `each`, "" for the whole."""
    names = [segment for segment in path if isinstance(segment, str)] or [""]
    return "range" if names[-2:-1] == ["each"] else names[-1]


@dataclass(frozen=True, slots=True)
class Unknown:
    """What is said of a key that there is not.

    `key` is the one of the same mapping that was meant, if any; `is_open`: nobody knows what was meant. Keys of one mapping with the same
    `one_of` are one mistake.
    """

    message: str
    advice: Advice
    key: str | None = None
    one_of: str | None = None
    is_open: bool = False


def unknown_key(path: Path, beside: Iterable[object]) -> Unknown:
    """What is said of a key that there is not.

    Args:
        path: of the key.
        beside: the keys of its mapping.
    """
    text, kind = str(path[-1]), kind_of(path[:-1])
    beside = tuple(beside)
    known = _keys(m.ListEntry if kind == "downloads" and m.names_a_file_of_rows(beside) else _MODELS.get(kind))
    allowed = ", ".join(known) or None
    guess = _guess(kind, text, known)
    said = f"unknown key {shown_key(text)!r}"
    if guess is None:
        return Unknown(said, Advice(allowed=allowed), is_open=True)
    if guess.key is None:
        return Unknown(said, Advice(help=guess.help or None), one_of=guess.where)
    if guess.key in beside:
        if normal(text) not in known and (found := _elsewhere(kind, normal(text))):
            return Unknown(said, Advice(help=found.help), one_of=found.where)
        of_header = f"indent it, so that it stands below {guess.key}" if guess.where == _FIELD else guess.help or None
        return Unknown(f"{said}; {guess.key!r} is there already", Advice(allowed=allowed, help=of_header), one_of=guess.where)
    one_of = f"auth {guess.help}" if guess.key == "auth" else guess.where
    return Unknown(f"{said}; did you mean {guess.key!r}?", Advice(help=guess.help or None), guess.key, one_of)


def unknown_kind(key: str) -> tuple[str, Advice]:
    """What is said of a kind of failure that there is not."""
    kind = _KINDS_BY_STATUS.get(key) or (_KINDS_BY_STATUS.get(key[:1]) if re.fullmatch(r"[45](\d\d|xx)", key) else None)
    near = [kind] if kind else difflib.get_close_matches(normal(key), FAILURE_KINDS, n=1)
    said = f"unknown key {shown_key(key)!r}" + (f"; did you mean {near[0]!r}?" if near else "")
    return said, Advice(allowed=", ".join(FAILURE_KINDS))


def _guess(kind: str, text: str, known: Sequence[str]) -> Meant | None:
    word = normal(text)
    if word in known:
        return Meant(word, "")
    if "headers" in known and _HEADER.fullmatch(text):
        return Meant("headers", "write headers: {NAME: VALUE}", _FIELD)
    if found := meant(kind, text) or _elsewhere(kind, word):
        return found
    [near, *_] = (*difflib.get_close_matches(word, [*known, *words_of(kind)], n=1), None)
    if near is not None and near not in known and difflib.SequenceMatcher(None, near, word).ratio() >= _NEARLY:
        return meant(kind, near)
    close = difflib.get_close_matches(word, known, n=1)
    return Meant(close[0], "") if close else None


def _elsewhere(kind: str, word: str) -> Meant | None:
    if kind == "defaults" and word in _OWN:
        return Meant(None, f"{word} belongs to a single download: it cannot be the same for all")
    for model, where in _ELSEWHERE:
        if word in _keys(model) and not (model is m.DownloadEntry and kind == "" and word in _OWN):
            return Meant(None, f"{word} {where.format(key=word)}", where)
    return Meant(None, f"{word} belongs to a download: downloads: [{{url: ..., {word}: ...}}]") if kind == "" and word in _OWN else None


def _keys(model: type[BaseModel] | None) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()] if model else []


def of_key(path: Path) -> Advice:
    """What helps with a key that is no name, no header field or no URL: it may be one that stands at the top, and is indented too far."""
    text = str(path[-1])
    known = kind_of(path[:-1]) == "mirrors" and text in m.Manifest.model_fields
    return Advice(help=f"{text} stands at the top of the manifest") if known else NO_ADVICE


def of_missing(path: Path) -> Advice:
    """What helps where something is required."""
    model, field = _field(path)
    examples = [] if model is None else example_of(model.__name__, field)
    return Advice(_about(model, field), help=f"for example {field}: {_flow(examples[0])}" if examples else None)


def of_value(path: Path, reached: Path, node: Any, error: Mapping[str, Any]) -> Advice:
    """What helps with the value at a path. Of what names of the environment are in, nothing is told.

    Args:
        path: where a value is wrong.
        reached: how much of that stands in the text, where one value may stand for a mapping or a list.
        node: what stands there.
        error: pydantic's; `msg` in the words of this tool.
    """
    is_bare_url = len(reached) == 2 and reached[0] == "downloads"
    model, field = _field(path if is_bare_url else reached)
    # What a list of checksums is called by, is no help with a file of rows.
    is_file_of_rows = model is m.ListEntry and field == "from"
    typed = node if isinstance(node, Scalar) and "$" not in node and not is_file_of_rows else None
    help_ = _of_shape(field, node, error) or (None if typed is None else _of_text(field, typed, error))
    examples = [] if model is None else example_of(model.__name__, field)
    if help_ is None and examples and error["type"] not in ("literal_error", "value_error"):
        help_ = f"for example {field}: {_flow(examples[0])}"
    return Advice(_about(model, field), help=help_)


def _about(model: type[BaseModel] | None, field: str) -> str | None:
    text = None if model is None else description_of(model.__name__, field)
    return f"{field}: {text}" if text else None


def _field(path: Path) -> tuple[type[BaseModel] | None, str]:
    """The model and the field that a path leads to, the field of the list where it leads into one."""
    names = [segment for segment in path if isinstance(segment, str)]
    if not names:
        return None, ""
    model = _MODELS.get(kind_of(tuple(names[:-1])))
    if model is m.DownloadEntry and names[-1] in ("from", "on_bad_row"):
        model = m.ListEntry
    if model is m.Manifest and len(path) == 2 and names == ["downloads"]:
        return None, "downloads"
    return (model, names[-1]) if names[-1] in _keys(model) else (None, names[-1])


def _flow(value: Any) -> str:
    """A value as YAML on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, str) and (not re.fullmatch(r"[\w./:+-]+", value) or re.fullmatch(r"[0-9.]+", value)):
        return json.dumps(value, ensure_ascii=False)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _of_shape(field: str, node: Any, error: Mapping[str, Any]) -> str | None:
    if isinstance(node, Mapping) and node and all(isinstance(value, Scalar) and value.plain and not value for value in node.values()):
        return "put quotes around it: a value that begins with { is a mapping to YAML"
    if field == "downloads" and isinstance(node, Mapping | Scalar):
        return "put `- ` in front of each download: - url: https://example.com/file.zip"
    if isinstance(node, Scalar) and not node.plain and re.fullmatch(r"\$\{\w+(:-[^}]*)?\}", node) and _would_be_plain(error):
        return f"write it without quotes: {node.partition(':-')[0].removesuffix('}')}}}"
    if field == "version":
        return None if isinstance(node, Scalar) and node == "1" else "write version: 1"
    if field == "auth" and isinstance(node, Scalar):
        return 'write auth: {username: NAME, password: "${PASSWORD}"}'
    if field == "headers" and isinstance(node, list | Scalar):
        return "write headers: {NAME: VALUE}"
    return None


def _would_be_plain(error: Mapping[str, Any]) -> bool:
    """Whether what came from the environment would be right if it were no text."""
    value = error.get("input")
    return isinstance(value, str) and bool(_PLAIN.fullmatch(value) and _WANTS_PLAIN.search(str(error["msg"])))


def _of_text(field: str, text: Scalar, error: Mapping[str, Any]) -> str | None:
    words = error.get("ctx", {}).get("expected", "")
    if error["type"] == "literal_error" and words:
        return _near_word(field, text, re.findall(r"'([^']*)'", words))
    message = str(error.get("msg", ""))
    if not text.plain and _PLAIN.fullmatch(text) and "checksum" not in message:
        return None if field == "mode" else f"write it without quotes: {text}"
    if field in ("checksum", "from"):
        return _of_checksum(text)
    if text and "list" in message and field != "downloads":
        return f"put it into brackets: [{text}]" if re.fullmatch(r"[\w.-]+", text) else "put it into brackets, as in [A, B]"
    for pattern, read in ((r"\s*([\d.]+)\s*([A-Za-z/]+)\s*", _of_unit), (r"(.+)", _of_word)):
        if (found := re.fullmatch(pattern, text)) and (told := read(field, message, found)):
            return told
    return None


def _near_word(field: str, text: str, words: Sequence[str]) -> str | None:
    guess = meant_value(field, text) or next(iter(difflib.get_close_matches(text.lower(), words, n=1)), None)
    return f"did you mean {guess!r}?" if guess in words else None


def _of_checksum(text: str) -> str | None:
    if re.fullmatch("[0-9A-Fa-f]+", text) and (name := _DIGITS.get(len(text))):
        return f"write {name}: in front of it, if it is that: {name}:{text[:8].lower()}..."
    if "://" in text or text.lower().endswith((".sha256", ".md5", "sums", ".txt")):
        return "a list of checksums is written checksum: {from: URL_OR_PATH}"
    if found := re.match(r"(?i)(md5|sha-?(?:1|256|384|512)|blake2b)\s*[=\s]", text):
        return f"write a colon behind the algorithm: {found[1].lower().replace('-', '')}:HEX"
    return None


def _of_unit(field: str, message: str, found: re.Match[str]) -> str | None:
    number, unit = found[1], found[2]
    if "duration" in message:
        short = next((to for word, to in _UNITS.items() if unit.lower().startswith(word)), None)
        return f"write {number}{short}" if short else None
    if "size" in message:
        prefix = re.match(r"(?i)([kmgtp])(i?)", unit)
        if prefix and re.fullmatch(r"(?i)[kmgtp]i?(bits?|bps)(/s|ps)?", unit):
            number = f"{_bytes_of(number)}"
        return f"write {number}{prefix[1].upper() if prefix[2] or prefix[1] not in 'kK' else 'k'}{prefix[2]}B" if prefix else None
    return None


def _bytes_of(bits: str) -> str:
    try:
        return f"{float(bits) / 8:g}"
    except ValueError:
        return bits


def _of_word(field: str, message: str, found: re.Match[str]) -> str | None:
    text = found[1]
    if "true or false" in message and text.lower() in ("yes", "on", "y", "no", "off", "n"):
        return f"write {'true' if text.lower() in ('yes', 'on', 'y') else 'false'}"
    if field in ("url", "mirrors") and "http://" in message:
        return _of_scheme(text)
    if field in ("path", "into") and ("output_dir" in message):
        return "the folder for all files is output_dir at the top, and it may be anywhere"
    return None


def _of_scheme(text: str) -> str | None:
    if text.lower().startswith(("/", "./", "../", "~", "file:")):
        return "files of this machine are not fetched"
    if re.match(r"(?i)(ftps?|sftp|s3|gs|az|ssh|git|magnet|data|rsync|scp)[:+]", text):
        return "only http and https are spoken"
    if re.match(r"(?i)h?t+p+s?:?/*", text) and not re.match(r"(?i)https?://", text) and re.match(r"(?i)h?t*p*s?:?/+", text):
        return "begin it with http:// or https://, spelt so"
    return "write https:// in front of it" if re.match(r"[\w-]+(\.[\w-]+)+([:/?]|$)|localhost", text) else None
