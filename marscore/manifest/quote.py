"""The line of a problem, as it may be shown, and where the caret stands under it.

text + problems --spans--> what is secret --pieces--> Quote: tabs and control characters replaced, wide ones counted, cut around the caret
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from marscore.errors import Elsewhere, Problem, Quote
from marscore.frozen import dataclass
from marscore.manifest.header_keys import speaks_of_headers
from marscore.manifest.spans import Spans, Stretch, comment_in, is_reference, is_sensitive_text, scalar_at, secret_in, spans_of
from marscore.manifest.yaml_words import LINE_BREAK
from marscore.printable import cells, printable
from marscore.public import MASK

#: So many problems are shown with their lines; whoever has more of them reads the first.
MOST = 100
#: What of a long line is looked at and shown, before the caret and in all, in characters and in columns.
_BEFORE, _NEAR = 200, 600
_LEAD, _WIDTH = 40, 100
#: So far before the caret a key may stand that makes a secret of what is behind it, where the text is broken.
_LOOKED_AT = 2000
_CUT = "..."
_TAB = "    "


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some of a line: what is shown, and which of its characters that is, from `start` to before `end`."""

    shown: str
    start: int
    end: int


def quoted(problems: Iterable[Problem], text: str) -> tuple[Problem, ...]:
    """The problems with their lines, in the order of the text."""
    in_order = sorted(problems, key=lambda problem: (problem.line or 0, problem.column or 0))
    if not any(problem.line for problem in in_order):
        return tuple(in_order)
    lines = _Lines(text)
    return tuple(_with_lines(problem, lines) if number < MOST else problem for number, problem in enumerate(in_order))


def _with_lines(problem: Problem, lines: _Lines) -> Problem:
    other = problem.elsewhere
    if other is not None:
        other = Elsewhere(other.what, other.line, other.column, lines.quote(other.line, other.column))
    return replace(problem, quote=lines.quote(problem.line, problem.column), elsewhere=other)


class _Lines:
    """A text by its lines."""

    def __init__(self, text: str) -> None:
        self._text = text.removeprefix("\ufeff")
        self._breaks = [found.span() for found in LINE_BREAK.finditer(self._text)]
        self._spans: Spans = spans_of(self._text)
        self._secret = sorted(self._spans.secret)

    def quote(self, line: int | None, column: int | None) -> Quote | None:
        if line is None or column is None or not 1 <= line <= len(self._breaks) + 1:
            return None
        start = self._breaks[line - 2][1] if line > 1 else 0
        end = self._breaks[line - 1][0] if line <= len(self._breaks) else len(self._text)
        # A comment says nothing of what is wrong, and may hold what was once, or was to be, a secret.
        comment = comment_in(self._text, start, end, self._spans)
        if comment is not None and comment - start >= column:
            end = start + len(self._text[start:comment].rstrip())
        first = max(0, column - 1 - _BEFORE)
        last = min(end - start, column - 1 + _NEAR)
        hidden = [(max(a, first), min(b, last)) for a, b in self._hidden(start, end, comment, column) if a < last and b > first]
        pieces = _pieces(self._text[start : start + last], first, hidden)
        caret = (column - 1, max(column, self._end(line, column, end - start)))
        # An empty line, or a comment alone, says nothing.
        return _cut(line, pieces, caret, (first > 0, last < end - start)) if self._text[start:end].partition("#")[0].strip() else None

    def _end(self, line: int, column: int, length: int) -> int:
        found = self._spans.ends.get((line, column))
        if found is None:
            return column
        return found[1] - 1 if found[0] == line else length

    def _follows_secret(self, start: int, end: int) -> bool:
        """Whether a line has no key of its own, and one of the two above speaks of secrets."""
        above = self._text[max(0, start - _NEAR) : start].rstrip().splitlines()[-2:]
        if keyed := _KEYED.match(self._text, start, end):
            if keyed[1] not in _OWN_KEYS and speaks_of_headers(self._text[max(0, start - _NEAR) : start]):
                # A field that is indented wrongly.
                return True
            last = above[-1].strip() if above else ""
            return last.endswith(":") and not last.endswith("auth:") and is_sensitive_text(last)
        return is_sensitive_text(" ".join(above))

    def _hidden(self, start: int, end: int, comment: int | None, column: int) -> list[Stretch]:
        """What is secret of a line around a column, relative to its start."""
        known = self._spans.known
        found = [(a - start, b - start) for a, b in self._secret if a < end and b > start]
        if comment is not None and comment < end:
            found.append((comment + 1 - start, end - start))
        if known < end:
            rest = start if scalar_at(start, self._spans) else max(start, known)
            line = self._text[rest:end]
            # What is between a key and its value is shown.
            rest += len(line) - len(line.lstrip(" \t:"))
            is_pending = self._spans.pending or self._follows_secret(start, end)
            if is_pending and line.strip() and not is_reference(self._text[rest:end]):
                found.append((rest - start, end - start))
            # From before that, since the key may stand in what was understood.
            from_ = max(0, column - 1 - _LOOKED_AT)
            near = self._text[start + from_ : min(end, start + column + _NEAR)]
            found += [(max(from_ + a, rest - start), from_ + b) for a, b in secret_in(near) if from_ + b > rest - start]
        return _merged(found)


_KEYED = re.compile(r"\s*(?:- +)*[\"']?([\w.-]+)[\"']?\s*:(?:\s|$)")
#: A name and a value in a key.
_KEY_AND_VALUE = re.compile(r"[:=]\s*(?!\d{1,5}(?:/|$))(?=\S)")
#: What may follow the headers of a download, or those that all have, and is none of them.
_OWN_KEYS = {
    *("url", "path", "mirrors", "checksum", "size", "each", "headers", "threads", "timeout", "retry", "verify", "if_exists", "unpack"),
    *("tags", "downloads", "defaults", "execution", "cache", "security"),
}


def public_key(text: str) -> str:
    """A key that is no plain name, without what may be secret in it: of `X-Thing: abc` what stands before the colon."""
    hidden = sorted(secret_in(text))
    if "://" not in text:
        hidden += [(found.end(), len(text)) for found in _KEY_AND_VALUE.finditer(text)]
    start = min((start for start, end in hidden if end > start), default=len(text))
    end = max((end for start, end in hidden if end > start), default=start)
    return text[:start] + MASK + text[end:] if end > start else text


def _merged(stretches: Iterable[Stretch]) -> list[Stretch]:
    merged: list[Stretch] = []
    for start, end in sorted(stretches):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _pieces(line: str, first: int, hidden: list[Stretch]) -> list[_Piece]:
    pieces: list[_Piece] = []
    at = first
    for start, end in [*hidden, (len(line), len(line))]:
        pieces += [_Piece(_TAB if line[n] == "\t" else printable(line[n]), n, n + 1) for n in range(at, start)]
        if start < end:
            pieces.append(_Piece(MASK, start, end))
        at = end
    return pieces


def _cut(line: int, pieces: list[_Piece], caret: Stretch, more: tuple[bool, bool]) -> Quote:
    """The pieces around the caret, as wide as may be."""
    before = sum(cells(piece.shown) for piece in pieces if piece.end <= caret[0])
    cut_before, cut_behind = more
    skipped = 0
    if before > _WIDTH - _LEAD // 2 or cut_before:
        cut_before = True
        while pieces and before - skipped > _LEAD and pieces[0].end <= caret[0]:
            skipped += cells(pieces.pop(0).shown)
    text, indent, width = _CUT if cut_before else "", before - skipped, 0
    indent += len(text)
    taken = len(text)
    for piece in pieces:
        taken += cells(piece.shown)
        if taken > _WIDTH:
            cut_behind = True
            break
        text += piece.shown
        if piece.start < caret[1] and piece.end > caret[0]:
            width += cells(piece.shown)
    return Quote(line, text + _CUT if cut_behind else text, indent, max(1, width))
