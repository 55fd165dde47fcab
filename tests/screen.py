"""A terminal's window, as far as the display needs one: what is written to it, and what is to be seen then."""

from __future__ import annotations

import re

_PART = re.compile(r"\x1b\[(\??[0-9;]*)([A-Za-z])|\x1b([78])|([\r\n])|([^\x1b\r\n])")


class Screen:
    """Rows of characters, a cursor, and lines that have gone out at the top. Lines are folded at the edge, unless that is turned off."""

    def __init__(self, columns: int, rows: int = 24) -> None:
        self.columns, self.height = columns, rows
        self.rows = [""] * rows
        self.history: list[str] = []
        self.x = self.y = 0
        self.saved = 0, 0
        self.folds = self.cursor_shown = True

    def write(self, text: str) -> int:
        """Take what a program writes."""
        for parameters, command, cursor, control, character in _PART.findall(text):
            if command:
                self._obey(command, parameters)
            elif cursor == "7":
                self.saved = self.x, self.y
            elif cursor:
                self.x, self.y = self.saved
            elif control == "\r":
                self.x = 0
            elif control == "\n":
                # The terminal's driver makes CR LF of it.
                self.x = 0
                self._down()
            else:
                self._put(character)
        return len(text)

    def narrow(self, columns: int) -> None:
        """Make the window narrower: lines that are longer now are folded, and the cursor stays with its character."""
        folded: list[str] = []
        for number, row in enumerate(self.rows):
            if number == self.y:
                place = len(folded)
            folded += [row[start : start + columns] for start in range(0, max(1, len(row)), columns)]
        while len(folded) > self.height and not folded[-1]:
            folded.pop()
        gone = max(0, len(folded) - self.height)
        self.history += folded[:gone]
        self.rows = (folded[gone:] + [""] * self.height)[: self.height]
        self.columns, self.y = columns, max(0, place - gone)

    def shown(self) -> list[str]:
        """The lines that are to be seen, those included that one could scroll back to, without blanks at the end."""
        lines = [row.rstrip() for row in self.history + self.rows]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    def _put(self, character: str) -> None:
        if self.x >= self.columns:
            if not self.folds:
                self.x = self.columns - 1
            else:
                self.x = 0
                self._down()
        row = self.rows[self.y].ljust(self.x)
        self.rows[self.y] = row[: self.x] + character + row[self.x + 1 :]
        self.x += 1

    def _down(self) -> None:
        if self.y + 1 < self.height:
            self.y += 1
        else:
            self.history.append(self.rows.pop(0))
            self.rows.append("")

    def _obey(self, command: str, parameters: str) -> None:
        if command == "K":
            self.rows[self.y] = self.rows[self.y][: self.x]
        elif command == "J":
            if self.x == self.y == 0:
                # As tmux does.
                self.history += [row for row in self.rows if row]
            self.rows[self.y] = self.rows[self.y][: self.x]
            self.rows[self.y + 1 :] = [""] * (self.height - self.y - 1)
        elif command == "A":
            self.y = max(0, self.y - int(parameters))
        elif command == "B":
            self.y = min(self.height - 1, self.y + int(parameters))
        elif parameters == "?7":
            self.folds = command == "h"
        elif parameters == "?25":
            self.cursor_shown = command == "h"
        else:
            assert command == "m", f"nobody taught this screen {parameters}{command}"
