"""What `get` was asked for, as the manifest that says so; and what is wrong with that manifest, as said of the command line.

Of what -u and -H bring, nothing may be shown: it goes into the manifest as variables, whose values are secrets, or stands where
credentials stand.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from marscore.cli.inputs import read_list
from marscore.errors import ManifestError, Problem
from marscore.frozen import dataclass
from marscore.public import is_harmless_header, public_word
from marscore.settings import ManifestInput
from marscore.url import parse_url
from marscore.values import COMMAND_LINE

_INDEX = re.compile(r"downloads\[(\d+)\]\.?(\w*)")
#: A field name (RFC 9110 5.1), and what of a value none may hold.
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SAME = re.compile(r"the same file as downloads\[(\d+)\]")
#: A host that somebody may have meant who gave no scheme.
_HOST = re.compile(r"(localhost|[\w-]+(\.[\w-]+)+)(:\d+)?(/.*)?")


@dataclass(frozen=True, slots=True)
class GivenUrl:
    """A URL as it was given, and the place of that where it is a list's."""

    text: str
    place: str = ""

    @property
    def shown(self) -> str:
        """What to call it: without what may be secret of it."""
        text = public_word(self.text).partition("?")[0]
        return f"{self.place}: {text}" if self.place else text


@dataclass(frozen=True, slots=True)
class Wanted:
    """One call of `get`. `headers` are (name, value) pairs, `login` a name and a password."""

    urls: Sequence[GivenUrl]
    name: str | None = None
    headers: Sequence[tuple[str, str]] = ()
    login: tuple[str, str] | None = None
    checksum: str | None = None
    retry: int | None = None

    @property
    def variables(self) -> tuple[tuple[str, str], ...]:
        """The values that stand in the manifest by name."""
        # The others may be words of URLs and messages: hiding those would hide what is told.
        secret = [(f"HEADER_{number}", value) for number, (name, value) in enumerate(self.headers, 1) if not is_harmless_header(name)]
        return (*secret, *([("PASSWORD", self.login[1])] if self.login else ()))

    def manifest(self) -> ManifestInput:
        """The manifest that says the same."""
        data: dict[str, Any] = {"version": 1, "downloads": [self._entry(given) for given in self.urls]}
        if defaults := self._defaults():
            data["defaults"] = defaults
        return ManifestInput(COMMAND_LINE, Path(), data=data)

    def _entry(self, given: GivenUrl) -> Any:
        # What stands on the command line is what it is: `$` names no variable there.
        own = {"path": self.name, "checksum": self.checksum}
        told = {key: _literal(value) for key, value in own.items() if value is not None}
        return {"url": _literal(given.text), **told} if told else _literal(given.text)

    def _defaults(self) -> dict[str, Any]:
        defaults: dict[str, Any] = {}
        if self.checksum is None:
            # What an earlier call left finished is of that time: only its server knows whether it still has the same.
            defaults["if_exists"] = "refresh"
        if self.headers:
            named = dict(self.variables)
            defaults["headers"] = {
                name: f"${{HEADER_{number}}}" if f"HEADER_{number}" in named else _literal(value)
                for number, (name, value) in enumerate(self.headers, 1)
            }
        if self.login:
            defaults["auth"] = {"username": _literal(self.login[0]), "password": "${PASSWORD}"}
        if self.retry is not None:
            defaults["retry"] = {"max_retries": self.retry}
        return defaults


def _literal(text: str) -> str:
    return text.replace("$", "$$")


def distinct(given: Iterable[GivenUrl]) -> list[GivenUrl]:
    """Each URL once, at its first place."""
    found: dict[str, GivenUrl] = {}
    for each in given:
        found.setdefault(each.text, each)
    return list(found.values())


def listed(text: str, source: str) -> list[GivenUrl]:
    """The URLs of a list, one a line, with blank lines and comments between them.

    Raises:
        ManifestError: a line holds more than a URL.
    """
    given, wrong, others = list[GivenUrl](), list[Problem](), list[Problem]()
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) > 1 and not words[1].startswith("#"):
            wrong.append(Problem("", "holds more than a URL: one a line, and # begins a comment", number, line.index(words[1]) + 1))
        given.append(GivenUrl(words[0], f"{source}:{number}"))
        if problem := _not_a_url(words[0]):
            others.append(Problem("", _of_url(problem, words[0]), number, line.index(words[0]) + 1))
    if wrong:
        # What is wrong with URLs alone is said once all are known, those of the command line included.
        wrong = sorted([*wrong, *others], key=lambda each: (each.line or 0, each.column or 0))
        raise ManifestError(source, tuple(wrong))
    return given


def _not_a_url(text: str) -> str | None:
    try:
        parse_url(text)
    except ValueError as error:
        return str(error)
    return None


def headers_of(given: Iterable[str]) -> list[tuple[str, str]]:
    """Header fields, as they are given or as the files hold them that are.

    Raises:
        UsageError: one is none, or is there twice. What was given may be a secret, so it is not repeated.
        ManifestError: a file cannot be read.
    """
    fields: list[tuple[str, str]] = []
    for each in given:
        fields += _fields_in(each[1:]) if each.startswith("@") else [_field(each)]
    names = [name.lower() for name, _ in fields]
    for name, _ in fields:
        if names.count(name.lower()) > 1:
            raise click.UsageError(f"--header: {name} is given twice")
    return fields


def _fields_in(file: str) -> list[tuple[str, str]]:
    lines = enumerate(read_list(file).splitlines(), 1)
    return [_field(line, f" ({public_word(file)}, line {number})") for number, line in lines if line.strip()]


def _field(line: str, place: str = "") -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not _NAME.fullmatch(name) or not value.strip():
        raise click.UsageError(f"--header must be 'NAME: VALUE'{place}")
    return name, value.strip()


def login_of(given: str | None) -> tuple[str, str] | None:
    """Name and password; the latter is asked for where it is not given.

    Raises:
        UsageError: it would have to be, and nobody is there.
    """
    if given is None:
        return None
    name, colon, password = given.partition(":")
    if colon:
        return name, password
    if sys.stdin is None or not sys.stdin.isatty():
        raise click.UsageError("--user needs USER:PASSWORD where nobody can be asked")
    return name, click.prompt(f"Password of {name}", hide_input=True, err=True, default="", show_default=False)


def named(error: ManifestError, wanted: Wanted) -> ManifestError:
    """The error of a manifest that `wanted` made, as one of the command line."""
    if error.source != COMMAND_LINE:
        return error
    return ManifestError("marscore get", tuple(_named(problem, wanted) for problem in error.problems))


def _named(problem: Problem, wanted: Wanted) -> Problem:
    for place, option in (("defaults.headers", "--header"), ("defaults.auth", "--user"), ("defaults.retry", "--retry")):
        if problem.path.startswith(place):
            return Problem(option, problem.message)
    field = problem.path.rpartition(".")[2]
    if field == "checksum":
        return Problem("--checksum", problem.message)
    if field == "path" and wanted.name is not None:
        return Problem("--output", problem.message)
    return named_of(problem, wanted.urls)


def named_of(problem: Problem, urls: Sequence[GivenUrl]) -> Problem:
    """A problem of a manifest that lists these URLs, as one of the URL that was meant."""
    found = _INDEX.match(problem.path)
    if found is None:
        return problem
    given = urls[int(found[1])]
    return Problem(given.shown, _of_path(problem.message, urls) if found[2] == "path" else _of_url(problem.message, given.text))


def _of_path(message: str, urls: Sequence[GivenUrl]) -> str:
    if same := _SAME.match(message):
        return f"its file has the name of that of {urls[int(same[1])].shown}: get them one by one, with --output"
    return f"{message.removeprefix('is needed, since ')}: name one with --output"


def _of_url(message: str, url: str) -> str:
    return f"{message}; did you mean https://{url.partition('?')[0]}?" if _HOST.fullmatch(url) else message
