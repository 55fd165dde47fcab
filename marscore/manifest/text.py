"""YAML text -> a tree of nodes that know their places. Nothing is constructed and nothing is interpreted here.

    text --libyaml--> parse events --Builder--> Scalar | Map | Seq

It works on events with a stack of its own, since PyYAML's composer recurses in C: two hundred thousand opening brackets overflow
its stack. Anchors, aliases and merge keys are resolved here, and what they expand to is counted ("billion laughs").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import field
from functools import cache
from typing import Any

import yaml

from marscore.errors import Elsewhere, Problem
from marscore.frozen import dataclass
from marscore.manifest.places import Findings, Map, Node, Path, Places, Scalar, Seq, shown
from marscore.settings import MAX_MANIFEST

MAX_DEPTH = 64
#: Nodes of the text and of what its aliases stand for; 200,000 downloads with a path and a checksum each have 1,400,000.
MAX_NODES = 2_000_000
#: What null looks like in YAML 1.2's core schema.
NULLS = frozenset({"", "~", "null", "Null", "NULL"})

#: The characters of ASCII that YAML does not allow (YAML 1.2 section 5.1).
_FORBIDDEN_ASCII = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_TEXT_TAGS = {"!", "tag:yaml.org,2002:str"}
_PLAIN_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "bool", "null")}
_COLLECTION_TAGS = {None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _StopError(Exception):
    """The text cannot be read any further."""

    def __init__(self, path: Path, problem: Problem) -> None:
        super().__init__(path, problem)
        self.path, self.problem = path, problem


def compose(text: str) -> tuple[Node | None, Findings]:
    """Read YAML into nodes; the findings hold every problem that YAML itself has with the text."""
    builder = _Builder()
    try:
        builder.read(_events(text.removeprefix("\ufeff")))
        builder.finish()
    except _StopError as stop:
        builder.findings.note(stop.path, stop.problem)
        # What is there of it would only seem to lack the rest.
        builder.root = None
    return builder.root, builder.findings


@cache
def _forbidden() -> re.Pattern[str]:
    """What YAML does not allow, of all characters; to compile it takes 3 ms, which a manifest in ASCII is spared."""
    return re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _events(text: str) -> Iterator[Any]:
    if len(text) > MAX_MANIFEST:
        raise _StopError((), Problem("", "is larger than 64 MiB", 1, 1))
    if bad := (_FORBIDDEN_ASCII if text.isascii() else _forbidden()).search(text):
        line = text.count("\n", 0, bad.start()) + 1
        column = bad.start() - (text.rfind("\n", 0, bad.start()) + 1) + 1
        raise _StopError((), Problem("", f"holds the character U+{ord(bad[0]):04X}, which YAML does not allow", line, column))
    try:
        # As yaml.parse does, but without a second generator and a look ahead for each of a million events.
        next_event = _LOADER(text).get_event
        while (event := next_event()) is not None:
            yield event
    except yaml.MarkedYAMLError as error:
        from marscore.manifest.yaml_words import told  # noqa: PLC0415 - only where something is wrong

        raise _StopError((), told(error, text)) from None
    except (yaml.YAMLError, ValueError):
        raise _StopError((), Problem("", "is not valid YAML", 1, 1)) from None


@dataclass(slots=True)
class _Frame:
    """A collection under construction. `key` is the one that waits for its value, "" one whose value is to be dropped.

    `has_twice`: a key that was there already was told of.
    """

    node: Map | Seq
    anchor: str | None
    key: Scalar | str | None = None
    merges: list[Any] = field(default_factory=list)
    size: int = 1
    height: int = 1
    has_twice: bool = False


@dataclass(slots=True)
class _Anchored:
    """What an anchor stands for; `node` is None while it is still open."""

    node: Node | None = None
    size: int = 1
    height: int = 0


class _Builder:
    """Takes parse events in order and keeps the tree so far."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self.findings = Findings(Places())
        self._frames: list[_Frame] = []
        self._anchors: dict[str, _Anchored] = {}
        self._nodes = 0
        self._documents = 0

    def read(self, events: Iterable[Any]) -> None:
        """Take events; the table of their kinds is for speed, since there may be a million."""
        take: dict[type, Callable[[Any], None]] = {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: lambda event: self._open(event, Map(*_place(event))),
            yaml.SequenceStartEvent: lambda event: self._open(event, Seq(*_place(event))),
            yaml.MappingEndEvent: self._close,
            yaml.SequenceEndEvent: self._close,
            yaml.AliasEvent: self._alias,
            yaml.DocumentStartEvent: self._document,
        }
        for event in events:
            if (act := take.get(type(event))) is not None:
                act(event)

    def finish(self) -> None:
        if self.root is None or (isinstance(self.root, Scalar) and self.root.plain and self.root in NULLS):
            raise _StopError(
                (),
                Problem("", "is empty; a manifest has at least version and downloads", 1, 1, help="write version: 1, and downloads: [URL]"),
            )
        if not isinstance(self.root, Map):
            help_ = "begin with version: 1, then downloads: and the list below it"
            raise _StopError((), Problem("", "must be a mapping with version and downloads", self.root.line, self.root.column, help=help_))

    def _document(self, event: Any) -> None:
        self._documents += 1
        if self._documents > 1:
            raise self._stop(event, "holds a second document; a manifest is one", "remove the line, or make two files of it")

    def _scalar(self, event: Any) -> None:
        if event.tag is None and event.anchor is None:
            self._add(Scalar.at(event.value, *_place(event), event.implicit[0]), 1, 0)
            return
        plain = event.implicit[0] if event.tag is None else event.tag in _PLAIN_TAGS
        if event.tag is not None and event.tag not in _TEXT_TAGS | _PLAIN_TAGS:
            self._problem(event, "has a tag that is not supported", "put quotes around the value, or leave the tag away")
        node = Scalar.at(event.value, *_place(event), plain)
        if event.anchor:
            self._anchors[event.anchor] = _Anchored(node)
        self._add(node, 1, 0)

    def _open(self, event: Any, node: Map | Seq) -> None:
        if event.tag not in _COLLECTION_TAGS:
            self._problem(event, "has a tag that is not supported")
        if len(self._frames) >= MAX_DEPTH:
            raise self._stop(event, f"is nested deeper than {MAX_DEPTH} levels")
        if event.anchor:
            self._anchors[event.anchor] = _Anchored()
        self._frames.append(_Frame(node, event.anchor))

    def _close(self, _event: Any) -> None:
        frame = self._frames.pop()
        if isinstance(frame.node, Map):
            for merged in frame.merges:
                for key, value in merged.items():
                    frame.node.setdefault(key, value)
        if frame.anchor:
            self._anchors[frame.anchor] = _Anchored(frame.node, frame.size, frame.height)
        self._add(frame.node, frame.size, frame.height)

    def _alias(self, event: Any) -> None:
        anchored = self._anchors.get(event.anchor)
        if anchored is None or anchored.node is None:
            self._unknown(event, "refers to an anchor that is not above it" if anchored is None else "refers to what it is a part of")
            return self._add(Scalar.at("", *_place(event), plain=True), 1, 0)
        if len(self._frames) + anchored.height > MAX_DEPTH:
            raise self._stop(event, f"is nested deeper than {MAX_DEPTH} levels")
        self._count(anchored.size, *_place(event))
        return self._add(anchored.node, anchored.size, anchored.height)

    def _count(self, nodes: int, line: int, column: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise _StopError(self._path(), Problem(shown(self._path()), f"stands for more than {MAX_NODES:,} values", line, column))

    def _add(self, node: Node, size: int, height: int) -> None:
        """Put a finished node into the collection that it belongs to."""
        self._nodes += 1
        if self._nodes > MAX_NODES:
            self._count(0, node.line, node.column)
        if not self._frames:
            self.root = node
            return
        frame = self._frames[-1]
        frame.size += size
        if height >= frame.height:
            frame.height = height + 1
        if isinstance(frame.node, Seq):
            frame.node.append(node)
        elif frame.key is None:
            frame.key = self._key(frame.node, node)
        else:
            self._pair(frame, node)

    def _key(self, mapping: Map, node: Node) -> Scalar | str:
        if not isinstance(node, Scalar) or (node.plain and node in NULLS):
            self._problem_at(node, self._path(), "has a key that is not text")
            return ""
        if node in mapping or (node == "<<" and node.plain and self._frames[-1].merges):
            first = next((key for key in self._frames[-1].node if key == node), None)
            self._twice(node, first)
            return ""
        return node

    def _twice(self, node: Scalar, first: Scalar | None) -> None:
        """Tell of a key that is there already; once of an item of a list, whose further ones show that the next item begins unmarked."""
        frame, path = self._frames[-1], (*self._path(), str(node))
        if len(self._frames) > 1 and isinstance(self._frames[-2].node, Seq):
            if frame.has_twice:
                return
            frame.has_twice = True
        other = None if first is None else Elsewhere("the first one", first.line, first.column)
        help_ = "put `- ` in front of it if another download begins here" if len(path) == 3 and node == "url" else None
        self.findings.note(path, Problem(shown(path), "is given twice", node.line, node.column, help=help_, elsewhere=other))

    def _pair(self, frame: _Frame, value: Node) -> None:
        key, frame.key = frame.key, None
        if not isinstance(key, Scalar) or not isinstance(frame.node, Map):
            return
        if key == "<<" and key.plain:
            frame.merges = self._merges(value)
        else:
            frame.node[key] = value

    def _merges(self, value: Node) -> list[Any]:
        candidates = value if isinstance(value, Seq) else [value]
        for node in candidates:
            if not isinstance(node, Map):
                self._problem_at(node, (*self._path(), "<<"), "can merge only a mapping or a list of mappings")
        return [node for node in candidates if isinstance(node, Map)]

    def _path(self) -> Path:
        """The path of the collection under construction, with the key that waits for its value."""
        path: list[str | int] = []
        for frame in self._frames:
            if isinstance(frame.node, Seq):
                path.append(len(frame.node))
            elif frame.key:
                path.append(str(frame.key))
        return tuple(path)

    def _unknown(self, event: Any, message: str) -> None:
        self._problem(event, message, "if no anchor is meant, put quotes around the value")

    def _problem(self, event: Any, message: str, help_: str | None = None) -> None:
        self.findings.note(self._path(), Problem(shown(self._path()), message, *_place(event), help=help_))

    def _problem_at(self, node: Node, path: Path, message: str) -> None:
        self.findings.note(path, Problem(shown(path), message, node.line, node.column))

    def _stop(self, event: Any, message: str, help_: str | None = None) -> _StopError:
        return _StopError(self._path(), Problem(shown(self._path()), message, *_place(event), help=help_))


def _place(event: Any) -> tuple[int, int]:
    mark = event.start_mark
    return mark.line + 1, mark.column + 1
