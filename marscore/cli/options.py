"""The options of the verbs. Each one's name is that of the field of RunSettings that it fills."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, get_args

import click

from marscore.cli.complete import selections
from marscore.destination import is_url
from marscore.events import LogLevel
from marscore.settings import STANDARD_OUTPUT, EngineName, LogFormat, ProgressMode, ReportFormat
from marscore.values import parse_duration, parse_size

_F = TypeVar("_F", bound=Callable[..., Any])
_Option: TypeAlias = Callable[[Any], Any]


def size(_context: click.Context, _option: click.Parameter, value: str | None) -> int | None:
    """Read a number of bytes, as click's callback."""
    try:
        return None if value is None else parse_size(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def duration(_context: click.Context, _option: click.Parameter, value: str | None) -> float | None:
    """Read a number of seconds, as click's callback."""
    try:
        return None if value is None else parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _rate(context: click.Context, option: click.Parameter, value: str | None) -> int | None:
    rate = size(context, option, value)
    if rate == 0:
        raise click.BadParameter("must be more than 0")
    return rate


def _variables(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    return tuple(_variable(value) for value in values)


def _variable(value: str) -> tuple[str, str]:
    name, equals, text = value.partition("=")
    if not equals or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        # What was given may hold a secret, so the message does not repeat it.
        raise click.BadParameter("must be NAME=VALUE, with a NAME of letters, digits and _")
    return name, text


class Place(click.Path):
    """A path. An empty one, such as a shell makes of a variable that is not set, is none: a Path would make the current folder of it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """As click's, and refuse an empty one."""
        if value == "":
            self.fail("must not be empty", param, ctx)
        return super().convert(value, param, ctx)


class _File(Place):
    """Something to write to: a file, `-`, a pipe, a device."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False, readable=False, allow_dash=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        text = str(super().convert(value, param, ctx))
        # A Path makes `-` of `./-`, which is a file.
        return text if text != "-" and Path(text) == STANDARD_OUTPUT else Path(text)


_FILE = _File()
#: For the verbs that run.
_OBSERVING = (
    click.option(
        "--metrics",
        type=_FILE,
        metavar="FILE",
        help="Write metrics for Prometheus here, every five seconds and at the end; - is standard output, at the end.",
    ),
)


class _Folder(Place):
    """The folder for files, or the URL of a store: that stays text, since a Path makes one slash of two."""

    def __init__(self) -> None:
        super().__init__(file_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        text = str(super().convert(value, param, ctx))
        return text if is_url(text) else Path(text)


_FOLDER = _Folder()
_COUNT = click.IntRange(min=1)

_OUTPUT_DIR = click.option(
    "--output-dir",
    type=_FOLDER,
    metavar="DIR",
    help="Put the files here. Relative to the current folder; without it, the manifest's output_dir counts, and else `output`, "
    "both relative to the manifest's own folder.",
)
_SHARING = (
    click.option("--processes", type=_COUNT, metavar="N", help="Use at most N worker processes; 1 means no child process."),
    click.option("--threads", type=_COUNT, metavar="N", help="Open at most N connections in each process."),
)
_SELECTING = (
    click.option(
        "--only",
        multiple=True,
        metavar="GLOB_OR_TAG",
        shell_complete=selections,
        help="Take only downloads with this tag, or whose path matches this pattern; repeatable.",
    ),
)
_VARIABLES = click.option(
    "--var",
    "variables",
    callback=_variables,
    multiple=True,
    metavar="NAME=VALUE",
    help="Set ${NAME} for the manifest, before the environment; repeatable.",
)
_LOCKING = (
    click.option(
        "--lock",
        type=Place(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Hold downloads to this lock.  [default: downloads.lock beside downloads.yaml, if it is there]",
    ),
    click.option("--locked", is_flag=True, help="Start nothing unless the lock covers the manifest exactly."),
    click.option("--no-lock", is_flag=True, help="Look at no lock."),
    click.option(
        "--require-checksums",
        "checksums",
        flag_value="required",
        help="Start nothing unless manifest or lock name a checksum of each file.",
    ),
)
_CACHING = (
    click.option(
        "--cache",
        metavar="DIR|on|off",
        help="Take files from this cache by their sha256, and keep what is fetched there; on is the platform's folder.  [default: "
        "MARSCORE_CACHE, else the manifest's cache]",
    ),
    click.option("--offline", "network", flag_value="offline", help="Send no request: take what is in place or cached, and fail else."),
)
_WRITING = (
    click.option(
        "--report",
        type=_FILE,
        metavar="FILE",
        help="Write the JSON report here; - is standard output.  [default: .marscore/report.json in the output folder]",
    ),
    click.option("--log-file", type=_FILE, metavar="FILE", help="Append the log to this file too, as JSON lines; - is standard output."),
    click.option(
        "--log-format",
        type=click.Choice(get_args(LogFormat)),
        help="How the log on standard error looks.  [default: json; on a terminal what needs attention, in place of the log]",
    ),
    click.option(
        "--log-level",
        type=click.Choice(get_args(LogLevel)),
        help="Show nothing below this level; --log-file has everything.  [default: what needs attention on a terminal, info elsewhere]",
    ),
    click.option(
        "--progress",
        type=click.Choice(get_args(ProgressMode)),
        default="auto",
        show_default=True,
        help="rich draws on a terminal, plain writes a line every ten seconds; auto is rich on a terminal and none elsewhere.",
    ),
    click.option("--max-rate", callback=_rate, metavar="RATE", help="Receive at most so many bytes a second in all, such as 10MiB."),
)

_REPORT_FORMAT = click.option(
    "--report-format",
    type=click.Choice(get_args(ReportFormat)),
    default="json",
    show_default=True,
    help="jsonl: a small summary, and the entries beside it as JSON Lines, in a file of the same name that ends in .jsonl.",
)
_JUNIT = click.option(
    "--report-junit",
    type=_FILE,
    metavar="FILE",
    help="Write the report here as JUnit XML too, a test case for each download; - is standard output.",
)


_TALKING = (
    click.option("-q", "--quiet", is_flag=True, help="Show failures alone."),
    click.option(
        "-v", "--verbose", count=True, help="Show the whole log, also on a terminal; -vv with each request, its status and times."
    ),
)


def _all(*options: _Option) -> Callable[[_F], _F]:
    def decorate(verb: _F) -> _F:
        for option in reversed(options):
            verb = option(verb)
        return verb

    return decorate


def _unseen(option: _Option) -> _Option:
    def decorate(verb: Any) -> Any:
        verb = option(verb)
        verb.__click_params__[-1].hidden = True
        return verb

    return decorate


#: For the verb that writes a lock, and runs for what it does not know.
lock_options = _all(_OUTPUT_DIR, _LOCKING[0], _CACHING[0], *_WRITING[:5], *_TALKING, *_SHARING, _WRITING[5], _VARIABLES)
#: For the verb that looks at what is in place, and runs for what is not right.
verify_options = _all(
    _OUTPUT_DIR, _LOCKING[0], _LOCKING[2], _CACHING[0], _WRITING[1], _WRITING[4], *_TALKING, *_SHARING, _WRITING[5], *_SELECTING, _VARIABLES
)
#: For the verb that asks what has changed on the servers. What goes well is in what it prints.
outdated_options = _all(
    _OUTPUT_DIR,
    _LOCKING[0],
    _LOCKING[2],
    *_WRITING[1:3],
    click.option(
        "--log-level", type=click.Choice(get_args(LogLevel)), default="warning", show_default=True, help="Log nothing below this level."
    ),
    _SHARING[1],
    *_SELECTING,
    _VARIABLES,
)
#: For the verbs that download.
run_options = _all(
    *(_OUTPUT_DIR, *_LOCKING, *_CACHING, _WRITING[0], _REPORT_FORMAT, _JUNIT, _WRITING[1], *_OBSERVING, *_WRITING[2:5], *_TALKING),
    *(*_SHARING, _WRITING[5], *_SELECTING, _VARIABLES),
)
#: For the verb that takes bare URLs. What speaks of manifests is taken, as it was always, and not shown.
get_options = _all(
    click.option("--output-dir", type=_FOLDER, metavar="DIR", help="Put the files here.  [default: the current folder]"),
    *_CACHING,
    _LOCKING[3],
    click.option("--report", type=_FILE, metavar="FILE", help="Write the JSON report here; - is standard output.  [default: none]"),
    _JUNIT,
    _WRITING[1],
    *_OBSERVING,
    *_WRITING[2:5],
    *_TALKING,
    *_SHARING,
    _WRITING[5],
    *map(_unseen, (*_LOCKING[:3], *_SELECTING, _VARIABLES)),
)
#: For the verb that may have its workers on other machines, or several here.
engine_options = _all(
    click.option(
        "--worker-logs",
        type=Place(file_okay=False, path_type=Path),
        metavar="DIR",
        help="Write what each worker tells to a log of its own in this folder, as JSON lines.",
    ),
    click.option(
        "--engine",
        type=click.Choice(get_args(EngineName)),
        default="local",
        show_default=True,
        help="Have the workers run on the machines of a Dask or Ray cluster, which share the output folder.",
    ),
    click.option(
        "--engine-address",
        metavar="ADDRESS",
        help="Where that cluster is, such as tcp://scheduler:8786.  [default: what Dask or Ray is configured for, else a local one]",
    ),
)
#: For the verb that runs what a manifest names for the end.
hook_options = _all(click.option("--no-hooks", "hooks", flag_value="none", help="Run none of the programs that the manifest names."))
#: For the verb that only says what would be done.
plan_options = _all(_OUTPUT_DIR, *_LOCKING, *_CACHING, *_SHARING, *_SELECTING, _VARIABLES)
validate_options = _all(_VARIABLES)
#: For the verb that writes it for another program.
export_options = _all(_OUTPUT_DIR, _LOCKING[0], _LOCKING[2], *_SELECTING, _VARIABLES)
