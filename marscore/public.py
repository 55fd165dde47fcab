"""What of a text may be shown by whoever knows nothing of its secrets: which names open doors, and URLs, words and values without theirs.

name --is_token_like | is_telling--> whether what stands under it opens doors
URL --public_url--> the URL without userinfo and with token-like query values masked
fields of a value --public_fields--> the same fields, each without what may be secret of it

Every value's representation goes through here (`frozen`, `manifest.models`): pytest, loggers and crash reporters write down what they find
in variables. Where secrets are known, `policy.redact` does more: it finds them in any text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote_plus, unquote, unquote_plus, urlencode

MASK = "***"
#: How a URL is written: `scheme`, what is before the `userinfo`'s @, the `place` (host and port), `path`, `query`. A fragment is left out.
#: The authority ends at the first of / ? #, and the userinfo at the authority's last @ (RFC 3986 section 3.2).
WRITTEN = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?:(?P<userinfo>[^/?#]*)@)?(?P<place>[^/?#]*)(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?"
)
#: A reference to a variable, as `manifest.environment` reads it.
REFERENCE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*(?::-(?:[^}$]|\$(?!\{))*)?\}")
#: What begins a part of a URL that may be secret.
TELLING = re.compile("[@?#]")

#: Words that say so wherever they stand in a name: of a query, a header field, a key, a variable.
_OPENS_DOORS = (
    r"token|secret|pass[-_]?(?:w|phrase|code|key)|pwd|signature|credential|(?:api|access|private)[-_]?key"
    r"|auth|session|cookie|jwt|hmac|bearer"
)
#: Query names whose values open doors: signed URLs of the large stores, API keys, session ids.
_TOKEN_LIKE = re.compile(rf"(?i){_OPENS_DOORS}|(?<![a-z])pass(?![a-z])|^sig$|^key$|^code$|^pin$")
#: The same of header fields, and of keys of a manifest: few of them name a key that is none.
_TELLING_NAME = re.compile(rf"(?i){_OPENS_DOORS}|key")
#: Header fields whose values are no secrets.
_HARMLESS_HEADER = re.compile(r"(?i)accept(-.*)?|user-agent|referer|origin|range|if-.*|cache-control|pragma|dnt|content-.*|prefer")
_TYPED_USERINFO = re.compile(r"([^/]*//)([^/@]*(?:@[^/@]*)*)@")
_MARK = re.compile("[\0\1\2]")
#: How a URL begins on a command line, mistyped or not, and a user with a password and no scheme in front; no drive of Windows.
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/+")
_LOGIN = re.compile(r"\A(?![A-Za-z]:[\\/])[^/\\:@]+:[^@]*(?=@)")
#: How a URL begins whose scheme, or the colon behind it, was left away or mistyped.
_ADDRESS = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*)?(?:[:;]?//+|:/+)")
#: A proxy as some lists write it, HOST:PORT:USER:PASSWORD.
_PROXY = re.compile(r"\A([^/:@\s]+:\d+):[^/\s]+:[^/\s]+")
#: What may stand between the slashes of a URL without a login; an IPv6 address may be cut off.
_HOST_AND_PORT = re.compile(r"[^:]*(:\d*)?|\[.*")
_WORD = re.compile(r"[^\s'\"()<>]+")

#: Fields of values, among which `key` names a file.
_SECRET_FIELD = re.compile(rf"(?i){_OPENS_DOORS}")
#: Fields that hold header fields; those of `forward_headers` are names alone.
_HEADERS = re.compile(r"(?!forward).*headers?")
#: Fields whose values are others' secrets as often as not: variables, and words of a command, whose first names a program.
_VARIABLES = frozenset({"variables", "environment", "env", "vars", "login"})
_COMMANDS = frozenset({"on_success", "on_failure", "argv"})
_PROXIES = frozenset({"proxies", "proxy", "http", "https"})
#: Words that stand where credentials do, and are none.
_HARMLESS_WORDS = frozenset({"", "netrc", "none", "basic", "digest", "auto"})
_TEMPLATE_NAME = re.compile(r"\{(\w+)")
_Fields = Iterable[tuple[str, object]]


def is_token_like(name: str) -> bool:
    """Whether a query name is one whose values open doors, however it is percent-encoded."""
    return _TOKEN_LIKE.search(unquote(name)) is not None


def is_telling(name: str) -> bool:
    """Whether a header field, or a key of a manifest, is called like something that opens doors."""
    return _TELLING_NAME.search(name) is not None


def is_harmless_header(name: str) -> bool:
    """Whether the values of a header field are known to be no secrets."""
    return _HARMLESS_HEADER.fullmatch(name) is not None


def public_url(url: str) -> str:
    """A URL fit to be shown: userinfo is dropped, and values of token-like query names are masked."""
    if not TELLING.search(url):
        return url
    parts = WRITTEN.match(url)
    if parts is None:
        return MASK
    query = "" if parts["query"] is None else f"?{_public_query(parts['query'])}"
    return f"{parts['scheme']}://{parts['place']}{parts['path']}{query}"


def _public_query(query: str) -> str:
    pairs = parse_qsl(query, keep_blank_values=True)
    # Redirectors and proxies of images have whole URLs for values.
    shown = [(name, MASK if _TOKEN_LIKE.search(name) else public_url(value) if "://" in value else value) for name, value in pairs]
    return query if shown == pairs else urlencode(shown, safe="*")


def public_as_typed(url: str) -> str:
    """A URL of a manifest's text fit to be shown, byte for byte but for what is secret in it.

    A literal userinfo is dropped, and literal values of token-like query names are masked. References to variables stay; where they stand
    for a secret, without their defaults.
    """
    if not TELLING.search(url):
        return url
    # What a default holds ends no part of the URL. No text of a manifest has a NUL.
    references = REFERENCE.findall(url)
    text = REFERENCE.sub("\0", url)
    before, question, query = text.partition("#")[0].partition("?")
    userinfo = _TYPED_USERINFO.match(before)
    parts = [before]
    if userinfo is not None:
        secret = userinfo[2].replace("\0", "\1") if not userinfo[2].strip("\0:") else ""
        parts = [userinfo[1], secret + "@" if secret else "\2" * userinfo[2].count("\0"), before[userinfo.end() :]]
    parts += [question, "&".join(map(_public_pair, query.split("&"))), text[len(before) + len(question) + len(query) :]]
    left = iter(references)
    return _MARK.sub(lambda mark: _shown_reference(next(left), mark[0]), "".join(parts))


def is_url(word: str) -> bool:
    """Whether a word that stands for a path is a URL, also where a Path has made one slash of two. A drive of Windows has one letter."""
    return _SCHEME.match(word) is not None


def public_word(text: str) -> str:
    """A word of a command line fit to be shown, where a path was expected, and a URL or a part of one may have been given."""
    before, mark, query = text.partition("?")
    if written := _ADDRESS.match(before):
        start = written.end()
        authority = before[start:].partition("/")[0]
        at = authority.rfind("@")
        if at < 0 and not _HOST_AND_PORT.fullmatch(authority):
            # What follows the colon is no port: a password with a slash in it, or one that was cut off.
            at = before[start:].rfind("@")
        before = before if at < 0 else f"{before[:start]}{MASK}{before[start + at :]}"
    else:
        before = _PROXY.sub(rf"\1:{MASK}", _LOGIN.sub(MASK, before))
    return before + mark + "&".join(map(_public_pair, query.split("&")))


def public_words(text: str) -> str:
    """A message with each of its words so."""
    return _WORD.sub(lambda word: public_word(word[0]), text)


def _public_pair(pair: str) -> str:
    name, equals, value = pair.partition("=")
    if not value or not _TOKEN_LIKE.search(unquote(name)):
        inner = unquote_plus(value)
        shown = public_url(inner) if "://" in inner and "\0" not in inner else inner
        return pair if shown == inner else name + equals + quote_plus(shown, safe="*")
    if not value.strip("\0"):
        return name + equals + value.replace("\0", "\1")
    return name + equals + MASK + "\2" * value.count("\0")


def _shown_reference(reference: str, mark: str) -> str:
    """A reference as it is (NUL), without its default (1), or not at all (2)."""
    return {"\0": reference, "\1": reference.partition(":-")[0].removesuffix("}") + "}", "\2": ""}[mark]


def token_values(query: str) -> list[str]:
    """The values of token-like query names, as they are written and as they are meant."""
    pairs = [pair.partition("=") for pair in query.split("&")]
    written = [value for name, _, value in pairs if value and _TOKEN_LIKE.search(unquote(name))]
    inner = [unquote_plus(value).partition("?")[2] for _, _, value in pairs if "://" in unquote_plus(value)]
    return [*written, *map(unquote_plus, written), *(each for query in inner if query for each in token_values(query))]


# Representations


def public_repr(value: object, fields: _Fields) -> str:
    """How a value with these fields is represented."""
    return f"{type(value).__qualname__}({', '.join(f'{name}={shown!r}' for name, shown in public_fields(fields))})"


def public_fields(fields: _Fields) -> list[tuple[str, Any]]:
    """Fields of a value, or of a mapping, fit to be shown: judged by their names and by what URLs look like.

    Values among them represent themselves.
    """
    known = dict(fields)
    shown = {name: _public(str(name), value) for name, value in known.items()}
    if "username" in known and not known.get("password"):
        # A user name without a password is a token.
        shown["username"] = _masked(known["username"])
    if isinstance(each := known.get("each"), Mapping):
        hidden = _names_in(known.values()) - _names_in(shown.values())
        shown["each"] = {name: MASK if name in hidden or is_token_like(str(name)) else value for name, value in each.items()}
    return list(shown.items())


def _public(name: str, value: object) -> object:
    if isinstance(value, str):
        return _public_text(name, value)
    if isinstance(value, Mapping):
        return _public_mapping(name, value)
    if isinstance(value, (tuple, list)) and type(value) in (tuple, list):
        if name in _COMMANDS:
            return type(value)([*value[:1], *map(_masked, value[1:])])
        return type(value)(_public_pair_of(name, item) for item in value)
    return value


def _public_text(name: str, text: str) -> str:
    if (_SECRET_FIELD.search(name) and text not in _HARMLESS_WORDS) or _is_header(name) or name in _VARIABLES:
        return MASK if text else text
    if "\n" in text:
        # The text of a whole file, or a part of it.
        return f"{MASK} {len(text)} characters"
    if name in _PROXIES and "@" in text and "://" not in text:
        return f"{MASK}@{text.rpartition('@')[2]}"
    if found := _SCHEME.match(text):
        return _public_address(text, found[0])
    return public_words(text) if re.search(r"\s", text) else public_word(text)


def _public_address(text: str, scheme: str) -> str:
    """A text that begins as a URL, whatever else it is."""
    shown = public_word(text.partition("#")[0])
    place = re.split("[/?]", shown[len(scheme) :], maxsplit=1)[0].rpartition("@")[2]
    # What is no port is a password, of which a character ended what should have held it.
    return shown if _HOST_AND_PORT.fullmatch(place) else scheme + MASK


def _public_mapping(name: str, value: Mapping[Any, object]) -> dict[Any, object]:
    if _is_header(name):
        return {key: shown if is_harmless_header(str(key)) else _masked(shown) for key, shown in value.items()}
    if name in _VARIABLES:
        return {key: _masked(shown) for key, shown in value.items()}
    if name in _PROXIES:
        return {key: _public("proxies", shown) for key, shown in value.items()}
    return {public_word(key) if isinstance(key, str) else key: shown for key, shown in public_fields(value.items())}


def _public_pair_of(name: str, item: object) -> object:
    """An item of several, which may be a name with its value."""
    if isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str):
        key, value = item
        if _is_header(name) or is_telling(key) or name in _VARIABLES:
            return key, value if _is_header(name) and is_harmless_header(key) else _masked(value)
        return _public(name, key), _public(key, value)
    return _public(name, item)


def _is_header(name: str) -> bool:
    return _HEADERS.fullmatch(name) is not None


def _masked(value: object) -> str | None:
    return MASK if value else None if value is None else ""


def _names_in(values: Iterable[object]) -> set[str]:
    """The names of `each` that stand in any text of these."""
    return {name for value in values for name in _TEMPLATE_NAME.findall(value if isinstance(value, str) else str(value))}
