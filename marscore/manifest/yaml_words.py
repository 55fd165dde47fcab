"""YAML's own errors in this tool's words: what libyaml says, and the text around it, become what was probably meant.

libyaml's problem, context and marks + the lines there --> a message, its place, and what to write instead
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeAlias

from marscore.errors import Problem
from marscore.frozen import dataclass

#: What libyaml takes for the end of a line.
LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_QUOTES = "put quotes around the value"


@dataclass(frozen=True, slots=True)
class _Fault:
    """What libyaml says, and the lines of the text; `line` and `column` count from 0."""

    said: str
    context: str
    lines: list[str]
    line: int
    column: int
    context_line: int
    context_column: int

    def text(self, line: int) -> str:
        """A line; libyaml's marks may be behind the last one."""
        return self.lines[line] if line < len(self.lines) else ""

    @property
    def here(self) -> str:
        return self.text(self.line)

    @property
    def above(self) -> tuple[int, str]:
        """The last line above that is not empty or a comment, and its number."""
        for number in range(min(self.line, len(self.lines)) - 1, -1, -1):
            if self.lines[number].strip() and not self.lines[number].lstrip().startswith("#"):
                return number, self.lines[number]
        return 0, ""


@dataclass(frozen=True, slots=True)
class _Told:
    message: str
    help: str | None = None
    line: int | None = None
    column: int | None = None


def told(error: Any, text: str) -> Problem:
    """What a `yaml.MarkedYAMLError` means."""
    mark = error.problem_mark or error.context_mark
    context = error.context_mark or mark
    if mark is None:
        return Problem("", "is not valid YAML", 1, 1)
    lines = LINE_BREAK.split(text)
    said, about = str(error.problem or ""), str(error.context or "")
    fault = _Fault(said, about, lines, mark.line, mark.column, context.line, context.column)
    found = next((told for rule in _RULES if (told := rule(fault)) is not None), None)
    if found is None:
        message = f"{said} ({about})" if about else said
        return Problem("", f"is not valid YAML: {message}", fault.line + 1, fault.column + 1)
    line = fault.line if found.line is None else found.line
    column = fault.column if found.column is None else found.column
    return Problem("", f"is not valid YAML: {found.message}", line + 1, column + 1, help=found.help)


_Rule: TypeAlias = Callable[[_Fault], "_Told | None"]


def _tab(fault: _Fault) -> _Told | None:
    """A tab in front of a line, or behind the spaces there."""
    for number, before in ((fault.line, " \t"), (fault.above[0], " \t"), (fault.line, " \t-")):
        line = fault.text(number)
        lead = line[: len(line) - len(line.lstrip(before))]
        if "\t" in lead:
            return _Told("a line begins with a tab; YAML is indented by spaces", "put spaces in its place", number, lead.index("\t"))
    return None


def _unclosed_quote(fault: _Fault) -> _Told | None:
    if "quoted scalar" not in fault.context:
        return None
    if "escape" in fault.said:
        help_ = "write \\\\ for a backslash, or put single quotes around the value"
        return _Told("a backslash in double quotes begins an escape, and there is none like this", help_)
    return _Told("a quote is not closed", "put the same quote behind the value", fault.context_line, fault.context_column)


def _first_character(fault: _Fault) -> _Told | None:
    """A value that begins with what has a meaning in YAML."""
    if "cannot start any token" in fault.said and fault.column < len(fault.here):
        char = fault.here[fault.column]
        return _Told(f"a value must not begin with {char}", f"{_QUOTES}")
    for word, char, what in (("alias", "*", "refers to an anchor"), ("anchor", "&", "is the name of an anchor"), ("tag", "!", "is a tag")):
        if f"scanning an {word}" in fault.context or f"a {word}" in fault.context:
            column = fault.context_column
            return _Told(f"a value that begins with {char} {what}", _QUOTES, fault.context_line, column)
    return None


def _opened_bracket(fault: _Fault) -> _Told | None:
    """A value that begins with a bracket and goes on behind it, as in `path: {i}.bin`."""
    for number in dict.fromkeys((fault.line, fault.above[0])):
        line = fault.text(number)
        found = re.match(r"^\s*(?:- +)*(?:[\w.-]+:\s+)?(?P<value>([{\[])[^{}\[\]]*[}\]](?!\s*(?:#.*)?$)[^,}\]].*)$", line)
        if found is not None and "flow" not in fault.context:
            what = "mapping" if found["value"][0] == "{" else "list"
            return _Told(
                f"a value that begins with {found['value'][0]} is a {what}, and nothing may stand behind it",
                _QUOTES,
                number,
                found.start("value"),
            )
    return None


def _in_flow(fault: _Fault) -> _Told | None:
    """Something in brackets."""
    if "nesting depth" in fault.said:
        return _Told("is nested far too deep", "leave brackets away: no value of a manifest is deeper than a few of them")
    if "flow" not in fault.context:
        return None
    open_line = fault.text(fault.context_line)
    bracket = "[" if open_line[fault.context_column : fault.context_column + 1] == "[" else "{"
    for number in dict.fromkeys((fault.line, fault.context_line)):
        start = fault.context_column if number == fault.context_line else 0
        if found := _bare_reference(fault.text(number), start):
            message = "${ stands without quotes inside of brackets, where { begins a mapping"
            return _Told(message, f'{_QUOTES}, as in "Bearer ${{TOKEN}}"', number, found)
    close = {"{": "}", "[": "]"}.get(bracket, "}")
    if "node content" in fault.said and fault.here[fault.column : fault.column + 1] == ",":
        return _Told("a comma stands where a value was to come", "remove it")
    if fault.line >= len(fault.lines) - 1 or fault.line > fault.context_line:
        return _Told(f"a {bracket} is not closed", f"put {close} at its end", fault.context_line, fault.context_column)
    if fault.column > 0 and re.match(r"['\"]", fault.here[fault.column - 1 : fault.column]):
        return _Told("something stands behind a closing quote", f"put a comma or {close} there")
    return _Told(f"a comma or {close} is missing", "put one between the values; those that hold one of { } [ ] , need quotes")


def _bare_reference(line: str, start: int) -> int | None:
    """The column of a `${` outside of quotes."""
    quote = ""
    for column in range(start, len(line)):
        char = line[column]
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'" and (column == 0 or line[column - 1] in " :,{["):
            quote = char
        elif line.startswith("${", column):
            return column
    return None


def _second_colon(fault: _Fault) -> _Told | None:
    """`: ` in a value, or a key without its colon above."""
    if "mapping values are not allowed" not in fault.said:
        return None
    number, above = fault.above
    before = fault.here[: fault.column]
    if re.match(r"^\s*(?:- +)*[^\s'\"][^:]*:\s", before):
        value = re.match(r"^\s*(?:- +)*[^\s'\"][^:]*:\s+", before)
        assert value
        return _Told("a value without quotes holds a colon and a space, which YAML takes for another key", _QUOTES, None, value.end())
    if found := re.match(r"^\s*(?:- +)*(?P<url>https?://\S+)\s*$", above):
        return _Told("options stand below a URL that has no key", "write url: in front of it", number, found.start("url"))
    if found := re.match(r"^\s*(?:- +)*[\w.-]+(:)\S+\s*$", above):
        return _Told("a key's colon has no space behind it", "put a space behind the colon", number, found.start(1))
    if re.fullmatch(r"\s*(?:- +)*[\w.-]+\s*", above):
        return _Told("a key has no colon", "put a colon behind it", number, len(above) - len(above.lstrip(" -")))
    if _indent(fault.here) > _indent(above) and re.match(r"^\s*(?:- +)*[\w.-]+:\s+\S", above):
        return _Told(
            "a line is indented further than the one above, which has its value already",
            "give it the same indentation",
            None,
            _indent(fault.here),
        )
    return _Told("a colon and a space stand where no key can be", f"{_QUOTES}, or give the line the indentation of the one above")


def _missing_colon(fault: _Fault) -> _Told | None:
    """A line of a mapping that has no `: `."""
    if "could not find expected ':'" not in fault.said:
        return None
    line = fault.text(fault.context_line)
    if found := re.match(r"^\s*(?:- +)*[\w.-]+(:)\S", line):
        return _Told("a key's colon has no space behind it", "put a space behind the colon", fault.context_line, found.start(1))
    return _Told("a key has no colon", "put a colon and a space behind it", fault.context_line, fault.context_column)


def _indentation(fault: _Fault) -> _Told | None:
    """A line that fits to none of those above."""
    if "<document start>" in fault.said:
        return _Told("a line is indented less than the first one", "give the keys at the top no indentation")
    if not fault.context.startswith("while parsing a block"):
        return None
    here = fault.here[fault.column :]
    if fault.column > 0 and re.search(r"[\"']$", fault.here[: fault.column].rstrip()) and here.strip():
        return _Told(
            "something stands behind a closing quote", "put quotes around the whole value; inside of single quotes, ' is written twice"
        )
    opened = f"line {fault.context_line + 1}"
    if here.startswith("- ") or here == "-":
        return _Told(
            f"a - is indented otherwise than the keys of its mapping, which begins in {opened}",
            "give the lines of a mapping the same indentation",
        )
    if "collection" in fault.context:
        return _Told(
            f"a line is indented otherwise than the list that begins in {opened}",
            "begin it with `- `, or give it the indentation of what it belongs to",
        )
    return _Told(
        f"a line is indented otherwise than the mapping that begins in {opened}",
        "give the lines of a mapping the same indentation, by spaces",
    )


def _directive(fault: _Fault) -> _Told | None:
    if "directive" in fault.context or "directive" in fault.said or "incompatible" in fault.said:
        return _Told("a line that begins with % speaks to the reader of YAML, and is not understood", "remove it")
    return None


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


_RULES: tuple[_Rule, ...] = (
    _tab,
    _unclosed_quote,
    _first_character,
    _opened_bracket,
    _in_flow,
    _second_colon,
    _missing_colon,
    _indentation,
    _directive,
)
