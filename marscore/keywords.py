"""The command's options as keywords of Python's functions: each by its own name, and by that of the setting that it fills.

offline=True, var={"A": "b"}, max_rate="10MiB" --settings_of--> RunSettings(network="offline", variables=(("A", "b"),), max_rate=10485760)
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from marscore import arguments
from marscore.settings import RunSettings

if TYPE_CHECKING:
    from marscore.events import LogLevel
    from marscore.settings import Checksums, EngineName, HookMode, Locking, LogChoice, Network, ProgressMode, ReportFormat, TraceMode

#: In a program nothing is drawn and nothing logged to standard error unless it is asked for.
_QUIET = RunSettings(log_level="warning", log_format="none", progress="none")
#: What options that are given or not say in settings.
FLAGS = {
    "offline": ("network", "offline"),
    "locked": ("locking", "exact"),
    "no_lock": ("locking", "none"),
    "require_checksums": ("checksums", "required"),
    "no_hooks": ("hooks", "none"),
}
#: Options that mean nothing in a program, and what to do there.
COMMAND_ALONE = {
    "quiet": "a call writes nothing to standard error that is not asked for",
    "verbose": "ask for a log by log_level, log_format or log_file",
    "github": "raise_for_failures() and the report say what failed",
}


class Options(TypedDict, total=False):
    """The command's options as keywords: the fields of `RunSettings`, which says what each means, and the options' own names."""

    output_dir: Path | str | None
    report: Path | str | None
    log_file: Path | str | None
    log_format: LogChoice | None
    log_level: LogLevel
    progress: ProgressMode
    processes: int | None
    threads: int | None
    max_rate: int | str | None
    only: Sequence[str]
    variables: Mapping[str, str] | Sequence[tuple[str, str]]
    lock: Path | str | None
    locking: Locking
    checksums: Checksums
    cache: Path | str | None
    network: Network
    hooks: HookMode
    report_junit: Path | str | None
    metrics: Path | str | None
    traces: TraceMode
    engine: EngineName
    engine_address: str | None
    report_format: ReportFormat
    log_file_level: LogLevel
    worker_logs: Path | str | None
    offline: bool
    locked: bool
    no_lock: bool
    require_checksums: bool
    no_hooks: bool
    var: Mapping[str, str] | Sequence[str | tuple[str, str]]


def settings_of(settings: object, options: Mapping[str, Any]) -> RunSettings:
    """The settings that keywords make, on top of those that are given as a value.

    Raises:
        TypeError, ValueError: one is not what it should be; the message names it.
    """
    _refuse_unknown(options)
    given = _in_settings(options)
    if settings is not None:
        if not isinstance(settings, RunSettings):
            arguments.refuse("settings", settings, "a RunSettings")
        return replace(settings, **given)
    if given.get("log_file") is not None:
        return replace(_QUIET, **{"log_level": "info", **given})
    # Whoever names a level and no file wants to see the lines.
    seen: dict[str, Any] = {"log_format": None} if "log_level" in given else {}
    return replace(_QUIET, **{**seen, **given})


def _refuse_unknown(options: Iterable[str]) -> None:
    known = [*(field.name for field in fields(RunSettings)), *FLAGS, "var"]
    for name in options:
        if name in COMMAND_ALONE:
            raise TypeError(f"{name} is an option of the command alone: {COMMAND_ALONE[name]}")
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise TypeError(f"{name} is no option of a run" + (f"; did you mean {near[0]}?" if near else ""))


def _in_settings(options: Mapping[str, Any]) -> dict[str, Any]:
    """What options say, by the names of settings."""
    given = {name: value for name, value in options.items() if name not in FLAGS and name != "var"}
    said = {name: name for name in given}
    flags = [name for name in FLAGS if name in options and _is_set(name, options[name])]
    for name, setting, value in [*((name, *FLAGS[name]) for name in flags), *_variables(options)]:
        if setting in said:
            raise ValueError(f"{said[setting]} and {name} say one thing twice, or two: give one of them")
        said[setting], given[setting] = name, value
    if "no_lock" in flags and given.get("lock") is not None:
        raise ValueError("no_lock looks at no lock, and lock names one")
    return given


def _is_set(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        arguments.refuse(name, value, "True or False")
    return value


def _variables(options: Mapping[str, Any]) -> Iterable[tuple[str, str, object]]:
    """Those of `var`, which may be written as on the command line; the value may be a secret, and no message shows it."""
    if "var" not in options:
        return ()
    given = options["var"]
    if isinstance(given, str):
        arguments.refuse("var", given, 'a mapping, or a list of "NAME=VALUE"')
    if isinstance(given, Mapping) or not isinstance(given, (list, tuple)):
        return [("var", "variables", arguments.pairs("var", given))]
    return [("var", "variables", arguments.pairs("var", [_pair(item) for item in given]))]


def _pair(item: object) -> object:
    if not isinstance(item, str):
        return item
    name, equals, value = item.partition("=")
    if not name or not equals:
        raise ValueError("var must hold NAME=VALUE")
    return name, value
