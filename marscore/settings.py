"""What a caller decides about one run: where things go, how much is shown, and which manifest it is.

The command line and the Python functions both end in these two values; None means that the manifest or the default decides.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from marscore import arguments
from marscore.events import LogLevel
from marscore.frozen import dataclass
from marscore.public import is_url
from marscore.values import parse_size

#: The largest manifest that is read, in bytes. A hundred thousand downloads with checksums take 20 MB.
MAX_MANIFEST = 64 * 1024 * 1024

#: As a report or a log file: standard output. A file of that name is `./-`, as text, since a Path forgets the dot.
STANDARD_OUTPUT = Path("-")

LogFormat: TypeAlias = Literal["json", "console"]
#: The same, or no log on standard error.
LogChoice: TypeAlias = Literal["json", "console", "none"]
ProgressMode: TypeAlias = Literal["auto", "rich", "plain", "none"]
#: What of a lock counts: one beside the manifest or named is used; it has to cover the manifest exactly; none is looked at.
Locking: TypeAlias = Literal["if_there", "exact", "none"]
Checksums: TypeAlias = Literal["optional", "required"]
Network: TypeAlias = Literal["used", "offline"]
#: How a report is written: all in one document, or its entries as JSON Lines beside a small summary.
ReportFormat: TypeAlias = Literal["json", "jsonl"]
#: Whether the programs are run that the manifest names for the end of a run.
HookMode: TypeAlias = Literal["run", "none"]
#: Whether spans are told, where the environment (OTEL_*) or the program around wants them.
TraceMode: TypeAlias = Literal["wanted", "none"]
#: Which cluster runs the workers; and the same, or this machine.
EngineKind: TypeAlias = Literal["dask", "ray"]
EngineName: TypeAlias = Literal["local", "dask", "ray"]

#: What a caller may name a file for, besides what goes into the output folder. All but the log tell of one run as a whole.
_FILES = ("report", "log_file", "report_junit", "metrics")

_WORDS: dict[str, tuple[str, ...]] = {
    "log_format": get_args(LogChoice),
    "log_level": get_args(LogLevel),
    "log_file_level": get_args(LogLevel),
    "progress": get_args(ProgressMode),
    "locking": get_args(Locking),
    "checksums": get_args(Checksums),
    "network": get_args(Network),
    "hooks": get_args(HookMode),
    "report_format": get_args(ReportFormat),
    "traces": get_args(TraceMode),
    "engine": get_args(EngineName),
}


def beside(report: Path | str) -> Path:
    """Where the entries are of a report that is a summary."""
    return Path(report).with_suffix(".jsonl")


@dataclass(frozen=True, slots=True)
class RunSettings:
    """The options of one run.

    `output_dir`, `report`, `log_file`, `report_junit` (the report once more, as JUnit XML) and `metrics` are relative to the caller's
    folder; all but the first may be `-`, a device or a pipe. `metrics` is a file for Prometheus, written every few seconds and at the end;
    a stream gets it at the end.
    `log_format` None means JSON lines elsewhere than on a terminal, and there what needs attention; the log, as console lines, from
    `log_level` info down; "none" is no log there. `log_level` None means what needs attention there, and info elsewhere; the log file has
    everything from `log_file_level` up. `max_rate` is bytes a second for the whole run, or text such as "10MiB".
    `only` holds globs of output paths and tags; none means all. `variables` are (name, value) pairs that
    go before the environment in `${name}`. `lock` is the lock's path, without it the one beside the manifest is meant; `checksums`
    "required" refuses a manifest of which a download has none, from itself or from the lock. `cache` is the folder of the cache, or `on`
    (the platform's), or `off`, before what the environment (MARSCORE_CACHE) and the manifest say; `network` "offline" sends no request;
    `report_format` "jsonl" writes the report's entries as JSON Lines beside it, where its name ends in `.jsonl`;
    `hooks` "none" runs none of the manifest's own programs; `traces` "none" tells no OpenTelemetry of the run.
    `engine` "dask" or "ray" has the workers run on the machines of such a cluster, which is at `engine_address`; None is the one that its
    own configuration names, or else one that is started on this machine. In the folder `worker_logs` each worker gets a file of its own of
    the log, with everything from `log_file_level` up.

    Raises TypeError or ValueError, naming the field, where one is not what it should be.
    """

    output_dir: Path | str | None = None
    report: Path | str | None = None
    log_file: Path | str | None = None
    log_format: LogChoice | None = None
    log_level: LogLevel | None = None
    log_file_level: LogLevel = "debug"
    progress: ProgressMode = "auto"
    processes: int | None = None
    threads: int | None = None
    max_rate: int | str | None = None
    only: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    lock: Path | str | None = None
    locking: Locking = "if_there"
    checksums: Checksums = "optional"
    cache: Path | str | None = None
    network: Network = "used"
    hooks: HookMode = "run"
    report_junit: Path | str | None = None
    metrics: Path | str | None = None
    traces: TraceMode = "wanted"
    engine: EngineName = "local"
    engine_address: str | None = None
    report_format: ReportFormat = "json"
    worker_logs: Path | str | None = None

    def __post_init__(self) -> None:
        for name in ("output_dir", "lock", "cache", "worker_logs", *_FILES):
            if (place := getattr(self, name)) is not None:
                arguments.path(name, place)
                if name != "output_dir" and is_url(str(place)):
                    # It would make a folder `s3:` here.
                    raise ValueError(f"{name} is a path of this machine, and no URL")
        # Python's own way to fill in a frozen value while it is made.
        object.__setattr__(self, "max_rate", _rate(self.max_rate))
        for name in ("processes", "threads", "max_rate"):
            if (count := getattr(self, name)) is not None:
                arguments.whole(name, count)
        for name, words in _WORDS.items():
            if name not in ("log_format", "log_level") or getattr(self, name) is not None:
                arguments.one_of(name, getattr(self, name), words)
        object.__setattr__(self, "only", arguments.texts("only", self.only))
        object.__setattr__(self, "variables", arguments.pairs("variables", self.variables))
        self._agree()

    @property
    def files(self) -> list[tuple[str, Path | str]]:
        """The files that are named, with the command's options for them."""
        named = [(f"--{name.replace('_', '-')}", path) for name in _FILES if (path := getattr(self, name)) is not None]
        return [*named, ("--report-format", beside(self.report))] if self.report_format == "jsonl" and self.report is not None else named

    def of_inner_run(self) -> RunSettings:
        """The same for a run within another, which writes the log alone and draws nothing."""
        documents: dict[str, Any] = {name: None for name in _FILES if name != "log_file"}
        return replace(self, **documents, report_format="json", worker_logs=None, progress="none")

    def _agree(self) -> None:
        if self.engine_address is not None:
            arguments.text("engine_address", self.engine_address)
            if self.engine == "local":
                raise ValueError("engine_address names a cluster, and engine is local")
        if self.lock is not None and self.locking == "none":
            raise ValueError("lock names a lock, and locking says to look at none")
        if self.report_format == "jsonl" and self.report is not None and Path(self.report).suffix in (".jsonl", ""):
            raise ValueError("report needs a name such as run.json with report_format jsonl: its entries go to run.jsonl beside it")
        both = [name for name in _FILES if str(getattr(self, name)) == str(STANDARD_OUTPUT)]
        if len(both) > 1:
            raise ValueError(f"{both[0]} and {both[1]} cannot both be standard output")


def _rate(given: object) -> object:
    if not isinstance(given, str):
        return given
    try:
        return parse_size(given)
    except ValueError as error:
        raise ValueError(f"max_rate {error}") from None


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """A cluster: its kind, and where it is; None as in RunSettings."""

    kind: EngineKind
    address: str | None = None


@dataclass(frozen=True, slots=True)
class LineStyle:
    """How lines of the log look: JSON, or for people with or without colours; and from which level up, where not from the log's own."""

    format: LogFormat
    colors: bool = False
    level: LogLevel | None = None


@dataclass(frozen=True, slots=True)
class LineSettings:
    """Which lines a run's log has: from `level` up, in each of `styles`. `run_id` stands in every one. Survives pickle.

    `tells` is the level from which on all events are passed on as well; None: those alone of which the run makes something.
    """

    run_id: str
    level: LogLevel = "info"
    styles: tuple[LineStyle, ...] = ()
    tells: LogLevel | None = None


@dataclass(frozen=True, slots=True)
class ManifestInput:
    """A manifest as it came: YAML `text`, or `data` (a mapping of Python objects, or a Manifest); exactly one of them.

    `source` is its name in messages; a relative `output_dir` in it is against `folder`.
    """

    source: str
    folder: Path
    text: str | None = None
    data: Any = None

    def __post_init__(self) -> None:
        if (self.text is None) == (self.data is None):
            raise ValueError("a manifest is either text or data")
