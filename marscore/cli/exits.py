"""How a command ends: expected errors as one clear message and an exit code, never a traceback.

0 all is well   1 a download failed   2 the manifest or the command line is wrong   3 the machine stands in the way
128 + n         ended by signal n, a reader that closed the pipe (SIGPIPE, 13) included
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence

import click

from marscore.adapters.terminal.painter import window
from marscore.adapters.terminal.runner import disarmed
from marscore.adapters.terminal.signals import told_to_stop
from marscore.adapters.terminal.streams import is_person, printable, wants_color
from marscore.adapters.terminal.writer import Writer, is_descriptor, target_of, write_all
from marscore.errors import Interrupted, ManifestError, MarscoreError, StorageError

_INTERRUPTED = 130
_BROKEN_PIPE = 141
#: Lines that are written at once: there may be a million.
_AT_ONCE = 1000
#: What a tone looks like.
_TONES = {tone: f"\x1b[{code}m{{}}\x1b[0m\n" for tone, code in {"good": 32, "warning": 33, "error": 31, "faint": 2}.items()}

_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
#: A line that `errors.told` quotes, or the one with the caret.
_QUOTED = re.compile(r" +\d* +\| ")


@contextlib.contextmanager
def exits() -> Iterator[None]:
    """Turn what marscore raises into a message on standard error and an exit code."""
    try:
        yield
    except ManifestError as error:
        leave(2, str(error))
    except StorageError as error:
        leave(3, f"marscore: {error.failure.message}")
    except Interrupted as error:
        leave(128 + error.signal, f"marscore: {error}")
    except MarscoreError as error:
        leave(1, f"marscore: {error}")
    except KeyboardInterrupt:
        leave(_INTERRUPTED, "marscore: interrupted")


def leave(code: int, message: str) -> None:
    """Say why and exit with this code."""
    complain(message)
    raise click.exceptions.Exit(code)


def complain(text: str) -> None:
    """Write lines to standard error; if that is broken, or nobody reads it, there is nobody to tell."""
    tell([(line, "") for line in text.split("\n")])


def tell(lines: Sequence[tuple[str, str]]) -> None:
    """The same with lines that have a tone, which is shown as a colour where there are any. On a terminal long ones are folded at words."""
    codes = _TONES if wants_color(sys.stderr) else {}
    columns = window(sys.stderr)[0] if is_person(sys.stderr) else None
    folded = ((part, tone) for line, tone in lines for part in _folded(printable(disarmed(line)), columns))
    _write(codes.get(tone, "{}\n").replace("{}", line) for line, tone in folded)


def tell_runner(lines: Iterable[str]) -> None:
    """The same with lines that may be commands to a CI's runner."""
    _write(printable(line) + "\n" for line in lines)


def _write(lines: Iterable[str]) -> None:
    writer = Writer(target_of(sys.stderr), told_to_stop)
    writer.write("".join(lines))
    writer.close()


def _folded(line: str, columns: int | None) -> list[str]:
    # A line of a manifest stays as it is: the caret below it counts its columns.
    if columns is None or len(line) <= columns or " " not in line.strip() or _QUOTED.match(line):
        return [line]
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    # A path or a URL stays whole, to be taken by a double click.
    return textwrap.wrap(line, max(20, columns), subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def say(text: str) -> None:
    """Write what the command was asked for to standard output. A reader that went away (`| head`) ends the command quietly.

    What the stream's encoding cannot hold is written as an escape.
    """
    _say(text + "\n")


def _say(text: str) -> None:
    try:
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        data = text.encode(encoding, "backslashreplace")
        if is_descriptor(sys.stdout):
            # Where Python does not buffer (-u), its stream takes a write of a part for one of the whole.
            sys.stdout.flush()
            write_all(sys.stdout.fileno(), data)
        else:
            click.echo(data.decode(encoding), nl=False)
    except BrokenPipeError:
        _give_up_stdout()
        raise click.exceptions.Exit(_BROKEN_PIPE) from None
    except OSError as error:
        _give_up_stdout()
        leave(3, f"marscore: cannot write to standard output: {error.strerror or error}")


def say_lines(lines: Iterable[str]) -> None:
    """The same with lines for people, in which text of strangers may stand: it neither steers a terminal nor commands a CI's runner."""
    left = iter(lines)
    some = list(itertools.islice(left, _AT_ONCE))
    while True:
        say("\n".join(printable(disarmed(line)) for line in some))
        if not (some := list(itertools.islice(left, _AT_ONCE))):
            return


def say_json(text: str) -> None:
    """The same with JSON, which has escapes of its own."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(json.loads(text), indent=2)
    say(disarmed(text))


def say_json_part(text: str) -> None:
    """The same with a part of a document, whose line endings are in it: whole strings and what stands between them."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        text = _NOT_ASCII.sub(lambda match: json.dumps(match[0])[1:-1], text)
    _say(disarmed(text))


def _give_up_stdout() -> None:
    # Python flushes standard output once more when it ends, and would complain then (docs.python.org, "Note on SIGPIPE").
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
