"""Finds the code blocks of a page, and makes of them one script for bash.

    page.md --blocks_of--> Block... --script_of--> Step... and a script

What is done with a block is said by its language:

- `console`: each line that begins with `$ ` is a command, `> ` continues it; the lines below it are what it has to print, in which
  `…` stands for anything, and a line of `…` alone for any lines. A command has to end with 0, but where the page says otherwise
  (`|| echo "exit code $?"`).
- `yaml` with a title is written as the file of that name; a manifest without one, or a part of a manifest, has to be right by itself.
- `python` is run. `json` has to be JSON, but where `…` stands in it. `text` and others are not looked at.

All commands of a page are run by one shell, in one empty folder, in their order.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

_TITLE = re.compile(r'title="([^"]+)"')


@dataclass(frozen=True)
class Block:
    """A code block: its language, the name of the file that it is, its text, and the line at which it begins."""

    language: str
    title: str | None
    text: str
    line: int


@dataclass(frozen=True)
class Step:
    """A command of a page, the lines that it has to print, and the line at which it stands."""

    command: str
    expected: tuple[str, ...]
    line: int


def blocks_of(page: Path) -> list[Block]:
    """The fenced blocks of a page, in their order."""
    found = []
    for token in MarkdownIt("commonmark").parse(page.read_text()):
        if token.type == "fence":
            language, _, rest = token.info.partition(" ")
            title = _TITLE.search(rest)
            assert token.map is not None
            found.append(Block(language, title and title[1], token.content, token.map[0] + 1))
    return found


def steps_of(block: Block) -> list[Step]:
    """The commands of a block: of `console` as above; a file or a program is one command."""
    if block.language == "console":
        return _commands(block)
    if block.language == "python":
        return [Step(f"python - <<'PYTHON'\n{block.text}PYTHON", (), block.line)]
    if block.title is not None:
        name = shlex.quote(block.title)
        return [Step(f"mkdir -p $(dirname {name}); cat >{name} <<'TEXT'\n{block.text}TEXT", (), block.line)]
    return []


def _commands(block: Block) -> list[Step]:
    commands: list[tuple[list[str], list[str], int]] = []
    for number, line in enumerate(block.text.splitlines(), block.line + 1):
        if line.startswith("$ "):
            commands.append(([line[2:]], [], number))
        elif line.startswith("> ") and commands and not commands[-1][1]:
            commands[-1][0].append(line[2:])
        else:
            assert commands, f"line {number}: a console block begins with a command"
            commands[-1][1].append(line)
    return [Step("\n".join(command), tuple(expected), number) for command, expected, number in commands]


def script_of(steps: list[Step], results: Path) -> str:
    """A script that runs the steps one after the other in one shell, and leaves of each what it printed and how it ended."""
    # What installs, and what belongs to a checkout, is not ours to try here.
    lines = ['pip() { :; }; pipx() { :; }; uv() { :; }; make() { :; }; git() { mkdir -p "${2##*/}"; }']
    for number, step in enumerate(steps):
        lines.append(f"{{ {step.command}\n}} >{results}/{number}.out 2>&1 </dev/null\necho $? >{results}/{number}.code")
    return "\n".join(lines) + "\n"


def matches(printed: str, expected: tuple[str, ...]) -> bool:
    """Whether what was printed is what the page shows."""
    lines = ["(?:.*\n)*" if line.strip() == "…" else re.escape(line.rstrip()).replace("…", ".*") + "[ ]*\n" for line in expected]
    return re.fullmatch("".join(lines), printed if printed.endswith("\n") or not printed else f"{printed}\n") is not None
