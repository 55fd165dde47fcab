"""Finds secrets in a text however they are written there: as they are, or percent-encoded, in part or in whole, once or more than once.

    secrets --spellings--> values --a pattern for texts without % and +, and one for texts with--> where they stand

A server may repeat what it was sent in another encoding than it was sent in: lower-case hex, `+` for a space, letters encoded that need
not be. So in a text that may be encoded each character of a secret is sought in every form that it can have there (RFC 3986 section 2.1).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from urllib.parse import unquote, unquote_plus

from marscore.hostname import idna_of

#: A shorter secret is replaced only where it stands alone: the digit 8 in every number would tell more than it hides.
SHORT = 8
#: A percent sign: itself, encoded, or encoded again.
_PERCENT = "%(?:25)*"


class SecretText:
    """Knows secrets by what is shown for them. `words` are those that are replaced only where they stand alone, as short ones are.

    To stand alone is not to be a part of a longer word, as `eu` is in `neutral` and not in `eu-west`.
    """

    def __init__(self, shown: Mapping[str, str], words: Collection[str] = ()) -> None:
        self._shown: dict[str, str] = {}
        everywhere = set[str]()
        for secret, replacement in shown.items():
            for value in spellings(secret):
                self._shown.setdefault(value, replacement)
                if len(value) >= SHORT and secret not in words:
                    everywhere.add(value)
        self._alone = self._shown.keys() - everywhere
        # A longer secret may begin with a shorter one.
        self._values = sorted(self._shown, key=len, reverse=True)
        self._plain = re.compile("|".join(map(self._as_it_is, self._values))) if self._values else None
        self._encoded: re.Pattern[str] | None = None

    def replaced(self, text: str) -> str:
        """The text with what is shown for each secret in its place."""
        if self._plain is None:
            return text
        if "%" in text or "+" in text:
            return self._in_any_form().sub(self._shown_for_group, text)
        return self._plain.sub(self._shown_for_text, text)

    def is_in(self, text: str) -> bool:
        """Whether the text holds any secret."""
        if self._plain is None:
            return False
        pattern = self._in_any_form() if "%" in text or "+" in text else self._plain
        return pattern.search(text) is not None

    def _shown_for_text(self, match: re.Match[str]) -> str:
        return self._shown[match[0]]

    def _shown_for_group(self, match: re.Match[str]) -> str:
        assert match.lastindex
        return self._shown[self._values[match.lastindex - 1]]

    def _as_it_is(self, value: str) -> str:
        text = re.escape(value)
        # What stands before is looked at last, so that the pattern begins with a letter, which `re` finds four times as fast.
        return rf"{text}(?!\w)(?<!\w{text})" if value in self._alone else text

    def _in_any_form(self) -> re.Pattern[str]:
        # Made when the first such text comes: it takes 20 us for each character of a secret.
        if self._encoded is None:
            first = {char for value in self._values for char in value[0]} | set("%+")
            alternatives = "|".join(f"({self._encodable(value)})" for value in self._values)
            # Most places in a text are none where a secret could begin, and are passed by this one look.
            self._encoded = re.compile(f"(?=[{re.escape(''.join(sorted(first)))}])(?:{alternatives})")
        return self._encoded

    def _encodable(self, value: str) -> str:
        pattern = "".join(map(_any_form, value))
        return rf"{_NOT_IN_WORD}{pattern}(?!\w)" if value in self._alone else pattern


#: Where no word goes on: after no letter or digit, unless these encode a character, and not between a percent sign and its digits.
_NOT_IN_WORD = r"(?:(?<!\w)|(?<=%[0-9A-Fa-f]{2})|(?<=%25[0-9A-Fa-f]{2}))(?<!%(?=[0-9A-Fa-f]{2}))(?<!%[0-9A-Fa-f](?=[0-9A-Fa-f]))"


def spellings(secret: str) -> Iterator[str]:
    """The texts that a secret may have become before it was encoded, the secret first.

    It may be percent-encoded itself and be decoded by a server; host names are written in lower case and in ASCII; and header fields are
    bytes of UTF-8 that are read as ISO-8859-1.
    """
    if not secret:
        return
    yield secret
    for value in (unquote(secret), unquote_plus(secret)):
        # What is no UTF-8 is no text that would be written so.
        if value != secret and "\ufffd" not in value and not value.isspace():
            yield value
    if len(secret) >= SHORT and secret.lower() != secret:
        yield secret.lower()
    if not secret.isascii():
        yield secret.encode("utf-8", "surrogatepass").decode("latin-1")
        with contextlib.suppress(ValueError):
            yield idna_of(secret)


def any_in(secrets: Iterable[str], text: str) -> bool:
    """Whether a text holds any of these secrets. For secrets that are asked about once."""
    # No form of a secret is shorter than it. Nearly always nothing is left, and no pattern has to be made.
    values = [value for secret in secrets for value in spellings(secret) if len(value) <= len(text)]
    if "%" not in text:
        values = [value for value in values if value in text or ("+" in text and " " in value)]
    return bool(values) and SecretText(dict.fromkeys(values, "")).is_in(text)


def _any_form(char: str) -> str:
    """A pattern for a character that may be percent-encoded, and for a space that may be a plus sign (of HTML forms)."""
    forms = [re.escape(char), _escapes(char.encode("utf-8", "surrogatepass"))]
    if char == " ":
        forms += [r"\+", _escapes(b"+")]
    elif "\x80" <= char <= "\xff":
        forms.append(_escapes(char.encode("latin-1")))
    elif char == "%":
        forms = [_PERCENT]
    return f"(?:{'|'.join(forms)})"


def _escapes(data: bytes) -> str:
    return "".join(_PERCENT + "".join(map(_in_either_case, f"{byte:02x}")) for byte in data)


def _in_either_case(digit: str) -> str:
    return f"[{digit}{digit.upper()}]" if digit.isalpha() else digit
