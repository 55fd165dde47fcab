"""JSON with the line of everything in it, so that what a list says can be told at its place."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from typing import Any, NamedTuple

from marscore.lists.model import ListError

_MAX_DEPTH = 64
_SPACE = re.compile(r"[ \t\r\n]*")


class Node(NamedTuple):
    """A value: a dict or a list of nodes, or a text, a number, a boolean, None; and its line, from 1."""

    value: Any
    line: int


def located(text: str, first_line: int = 1) -> Node:
    """Read JSON; `first_line` is the number of the text's first line.

    Raises:
        ListError: it is none, nests too deep, or has a key twice in one object.
    """
    return _Reader(text, first_line).whole()


class _Reader:
    def __init__(self, text: str, first_line: int) -> None:
        self._text = text
        self._ends = [found.start() for found in re.finditer("\n", text)]
        self._first_line = first_line
        self._decode = json.JSONDecoder().raw_decode

    def whole(self) -> Node:
        node, at = self._value(self._space(0), 0)
        if self._space(at) < len(self._text):
            raise self._wrong(at, "has more behind its end")
        return node

    def _line(self, at: int) -> int:
        return bisect_right(self._ends, at - 1) + self._first_line

    def _wrong(self, at: int, message: str) -> ListError:
        return ListError(f"is not JSON: {message}", self._line(at))

    def _space(self, at: int) -> int:
        found = _SPACE.match(self._text, at)
        return at if found is None else found.end()

    def _value(self, at: int, depth: int) -> tuple[Node, int]:
        if depth > _MAX_DEPTH:
            raise self._wrong(at, f"nests deeper than {_MAX_DEPTH} levels")
        match self._text[at : at + 1]:
            case "{":
                return self._object(at, depth)
            case "[":
                return self._array(at, depth)
            case _:
                return self._scalar(at)

    def _scalar(self, at: int) -> tuple[Node, int]:
        try:
            value, end = self._decode(self._text, at)
        except json.JSONDecodeError as error:
            raise self._wrong(error.pos, error.msg) from None
        except ValueError:
            raise self._wrong(at, "a number is too long") from None
        return Node(value, self._line(at)), end

    def _array(self, start: int, depth: int) -> tuple[Node, int]:
        nodes: list[Node] = []
        at = self._space(start + 1)
        if self._text[at : at + 1] == "]":
            return Node(nodes, self._line(start)), at + 1
        while True:
            node, at = self._value(at, depth + 1)
            nodes.append(node)
            at, is_over = self._next(at, "]")
            if is_over:
                return Node(nodes, self._line(start)), at

    def _object(self, start: int, depth: int) -> tuple[Node, int]:
        nodes: dict[str, Node] = {}
        at = self._space(start + 1)
        if self._text[at : at + 1] == "}":
            return Node(nodes, self._line(start)), at + 1
        while True:
            if self._text[at : at + 1] != '"':
                raise self._wrong(at, "a key in double quotes is missing")
            key, colon = self._scalar(at)
            if key.value in nodes:
                raise self._wrong(at, "a key stands twice")
            if self._text[self._space(colon) : self._space(colon) + 1] != ":":
                raise self._wrong(colon, "a colon is missing")
            nodes[key.value], at = self._value(self._space(self._space(colon) + 1), depth + 1)
            at, is_over = self._next(at, "}")
            if is_over:
                return Node(nodes, self._line(start)), at

    def _next(self, at: int, close: str) -> tuple[int, bool]:
        """Behind a comma or the end."""
        at = self._space(at)
        found = self._text[at : at + 1]
        if found == close:
            return at + 1, True
        if found != ",":
            raise self._wrong(at, f"a comma or {close} is missing")
        return self._space(at + 1), False
