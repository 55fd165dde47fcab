"""The lines of the display, for a window of any width: spans of text with a style, fitted to columns, and only then to a terminal's codes.

Overall, FileProgress... + columns --layout--> lines of spans --rendered--> text with or without colours
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from rich.cells import cell_len, set_cell_size

from marscore.adapters.terminal.progress import clock, of_total, percent, proving
from marscore.adapters.terminal.streams import printable
from marscore.frozen import dataclass
from marscore.report.progress_model import FileProgress, Overall
from marscore.report.words import counted, seconds, shown_host
from marscore.values import format_size

Style: TypeAlias = Literal["", "strong", "faint", "good", "warning", "error", "bar"]
Line: TypeAlias = "list[tuple[str, Style]]"

_CODES: dict[Style, str] = {"strong": "1", "faint": "2", "good": "32", "warning": "33", "error": "31", "bar": "36"}
#: The bar's columns, and from how many on there is room for one: by the window alone, so that it does not come and go.
_BAR, _WITH_BAR = 10, 70
_NAME_LEAST, _NAME_MOST = 12, 60
#: The columns of a file's line in their order, each with its least width, so that numbers stand still while they change; and those besides
#: percent in the order in which they are given room.
_LEAST = {"percent": 4, "size": 11, "speed": 10, "eta": 5, "connections": 7}
_BY_WORTH = ("speed", "size", "eta", "connections")
#: Columns from which on there is room for whole words.
_WIDE = 110
_GAP = 2


@dataclass(frozen=True, slots=True)
class Looks:
    """What the terminal can show: colours or not, lines and dots beyond ASCII or not, and the characters of which encoding."""

    colors: bool = True
    unicode: bool = True
    encoding: str = "utf-8"

    @property
    def ellipsis(self) -> str:
        return "…" if self.unicode else "..."

    def shown(self, text: str) -> str:
        """Text from elsewhere as the terminal can show it: what it cannot is an escape."""
        return printable(text).encode(self.encoding, "backslashreplace").decode(self.encoding)


def styled(text: str, style: Style, looks: Looks) -> str:
    """The text in a style, where there are colours."""
    code = _CODES.get(style, "") if looks.colors else ""
    return f"\x1b[{code}m{text}\x1b[0m" if code else text


def rendered(line: Line, columns: int, looks: Looks) -> str:
    """A line of at most so many columns."""
    left, parts = columns, list[str]()
    for text, style in line:
        shown = text if cell_len(text) <= left else _cut(text, left, looks)
        parts.append(styled(shown, style, looks))
        left -= cell_len(shown)
    return "".join(parts)


def _cut(text: str, columns: int, looks: Looks) -> str:
    room = columns - cell_len(looks.ellipsis)
    return set_cell_size(text, room).rstrip() + looks.ellipsis if room > 0 else set_cell_size(text, max(0, columns))


def cropped(text: str, columns: int, looks: Looks) -> str:
    """The text in so many columns: of a longer one the beginning and the end, where a suffix is."""
    if cell_len(text) <= columns:
        return text
    room = columns - cell_len(looks.ellipsis)
    if room < 2:
        return set_cell_size(text, max(0, columns)).rstrip()
    end = min(10, room // 2)
    tail = text[-end:]
    while cell_len(tail) > end:
        tail = tail[1:]
    return set_cell_size(text, room - cell_len(tail)).rstrip() + looks.ellipsis + tail


def total_line(overall: Overall, columns: int, looks: Looks, stopping: bool = False) -> Line:
    """The whole run: what fits of it, the most important first, and a bar where there is room."""
    if overall.proof:
        return _fitted([(text, "", rank) for rank, text in enumerate(proving(overall.proof))], columns)
    bar = _bar(overall.fraction or 0.0, looks) if columns >= _WITH_BAR and not stopping else []
    parts: list[tuple[str, Style, int]] = [
        (percent(overall.fraction).rjust(4) if overall.fraction is not None else "", "strong", 0),
        (f"{overall.files_done:,} of {counted(overall.files_total, 'file', 'files')}", "", 1),
        (of_total(overall.bytes_done, overall.bytes_total) if overall.bytes_done else "", "", 4),
        (f"{format_size(overall.speed)}/s".rjust(10), "", 3),
        (f"{clock(overall.eta)} left" if overall.eta is not None and not stopping else "", "", 5),
        (counted(overall.threads_active, "connection", "connections") if overall.threads_active else "", "faint", 7),
        (counted(overall.retries, "retry", "retries") if overall.retries else "", "warning", 6),
        (f"{overall.failed:,} failed" if overall.failed else "", "error", 2),
    ]
    if stopping:
        parts.insert(0, ("stopping", "warning", -1))
    return bar + _fitted([part for part in parts if part[0]], columns - sum(cell_len(text) for text, _ in bar))


def _fitted(parts: Sequence[tuple[str, Style, int]], columns: int) -> Line:
    """The parts in their order, without the ones of highest rank that there is no room for."""
    chosen = list(parts)
    while len(chosen) > 1 and sum(cell_len(text) + _GAP for text, _, _ in chosen) > columns:
        chosen.remove(max(chosen, key=lambda part: part[2]))
    line: Line = []
    for text, style, _ in chosen:
        line += [(" " * (_GAP if line else 0), ""), (text, style)]
    return line


def _bar(fraction: float, looks: Looks) -> Line:
    done = min(_BAR, int(fraction * _BAR))
    full, rest = ("━", "─") if looks.unicode else ("#", "-")
    return [(full * done, "bar"), (rest * (_BAR - done), "faint"), (" ", "")]


def file_lines(files: Sequence[FileProgress], columns: int, looks: Looks) -> list[Line]:
    """One line for each file: its name, and what there is room for of percent, size, speed, time to go and connections."""
    rows = [_numbers(file, columns) for file in files]
    widths = {name: max([least, *(len(row[name]) for row in rows)]) for name, least in _LEAST.items()}
    shown = ["percent"]
    for name in _BY_WORTH:
        if 1 + _NAME_LEAST + sum(widths[each] + _GAP for each in [*shown, name]) <= columns:
            shown.append(name)
    room = columns - 1 - sum(widths[name] + _GAP for name in shown)
    longest = max((cell_len(looks.shown(file.path)) for file in files), default=0)
    room = max(1, min(room, _NAME_MOST, max(longest, _NAME_LEAST)))
    kept = {name: width for name, width in widths.items() if name in shown}
    return [_file_line(file, row, room, kept, looks) for file, row in zip(files, rows, strict=True)]


def _numbers(file: FileProgress, columns: int) -> dict[str, str]:
    """What the columns say of a file, in the order in which a person reads them."""
    connections = counted(file.threads_active, "connection", "connections") if columns >= _WIDE else f"{file.threads_active} conn."
    return {
        "percent": percent(file.fraction) if file.fraction is not None else "",
        "size": f"of {format_size(file.size)}" if file.size is not None else format_size(file.bytes_done),
        "speed": f"{format_size(file.speed)}/s",
        "eta": clock(file.eta),
        "connections": connections if file.threads_active else "",
    }


def _file_line(file: FileProgress, row: dict[str, str], room: int, widths: dict[str, int], looks: Looks) -> Line:
    path = looks.shown(file.path)
    name = path if cell_len(path) <= room else cropped(looks.shown(file.name), room, looks)
    gap = " " * _GAP
    line: Line = [(" ", ""), (set_cell_size(name, room), ""), (gap, ""), (row["percent"].rjust(widths["percent"]), "strong")]
    if file.at not in ("receiving", "starting"):
        return [*line, (gap, ""), (waiting(file, looks), "warning" if file.at in ("retry", "host", "silent") else "faint")]
    for column, width in list(widths.items())[1:]:
        line.append((gap + (row[column].ljust(width) if column == "size" else row[column].rjust(width)), ""))
    return line


def waiting(file: FileProgress, looks: Looks) -> str:
    """What a file waits for that receives nothing, and how long."""
    if file.at == "retry" and file.retry is not None:
        return f"retry {file.retry.attempt} of {file.retry.limit} in {seconds(file.wait)}: {looks.shown(file.retry.why)}"
    return {
        "retry": f"retry in {seconds(file.wait)}",
        "host": f"waits {seconds(file.wait)} for {looks.shown(shown_host(file.host))}",
        "connection": f"waits for a connection, {seconds(file.wait)} so far",
        "silent": f"nothing has come for {seconds(file.wait)}",
        "verifying": "is checked",
    }.get(file.at, "")


def host_line(host: str, wait: float, others: int, looks: Looks) -> Line:
    """That a host is asked nothing for a while, and how many others are not."""
    more = f", and {others} more" if others else ""
    return [(" ", ""), (f"{looks.shown(shown_host(host))}{more} asked to wait: {seconds(wait)}", "warning")]


def more_line(hidden: int, listed: int, looks: Looks) -> Line:
    """How many files are on their way without a line of their own."""
    words = counted(hidden, "file", "files") if not listed else f"{hidden:,} more"
    return [(" ", ""), (f"{words} on the way{looks.ellipsis}" if not listed else f"{looks.ellipsis} and {words}", "faint")]
