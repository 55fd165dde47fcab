"""`run`, `arun` and `plan` for programs: what is said by keywords made settings, and one run carried out as the command does it.

keywords --settings_of--> RunSettings    on_event, cancel, session --> Caller    both + manifest --app.run--> Ended --> Report
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from marscore import arguments
from marscore.errors import StorageError
from marscore.keywords import Options, settings_of
from marscore.public import is_url, public_url, public_word
from marscore.settings import ManifestInput, RunSettings

if TYPE_CHECKING:
    import requests
    from typing_extensions import Unpack

    from marscore.events import Event
    from marscore.manifest import Manifest
    from marscore.planning.document import PlanDocument
    from marscore.report.model import Report


def run(
    manifest: str | Path | Mapping[str, Any] | Manifest,
    settings: RunSettings | None = None,
    *,
    session: requests.Session | None = None,
    on_event: Callable[[Event], object] | None = None,
    cancel: threading.Event | None = None,
    **options: Unpack[Options],
) -> Report:
    """Fetch what a manifest lists.

    Args:
        manifest: the path of a YAML file, its content as a mapping, or a Manifest. A mapping's output_dir is relative to the current
            folder, a file's to its own.
        settings: what is to be otherwise than the manifest says, as one value, with the command's defaults.
        session: what sends the requests, with its adapters, auth and cookies, in place of libcurl; all in this process. It is not closed.
        on_event: is called with each event (`marscore.events`), secrets replaced, in this thread and one after the other. The run waits
            for it. What it raises ends the run in order, and is raised here.
        cancel: set from another thread, it ends the run as SIGTERM ends the command: within two seconds, keeping what came, with a report
            whose status is `interrupted`.
        options: the same as `settings` by name: output_dir, report, log_file, log_format, log_level, progress, processes, threads,
            max_rate, only, variables, lock, locking, checksums, cache, network, hooks, report_junit, metrics, traces, engine,
            engine_address, log_file_level, report_format, worker_logs;
            and what the command calls otherwise: offline, locked, no_lock, require_checksums and no_hooks (True), and var, a mapping or
            a list of "NAME=VALUE". max_rate may be text, such as "10MiB".

    Without `settings`, nothing goes to standard error unless log_format, log_level or progress ask for it; events then go to the logger
    `marscore` of Python's `logging`, if no log is asked for at all.

    Returns:
        The report; `report.ok` says whether every download is in place. Failed downloads do not raise.

    Raises:
        TypeError, ValueError: an argument is not what it should be; the message names it.
        ManifestError: the manifest is wrong; nothing was started.
        StorageError: the output folder cannot be used, or another run holds it, or the report cannot be written.
        OSError: the manifest cannot be read.

    Example:
        >>> report = marscore.run("downloads.yaml", output_dir="data", only=["nightly"])
        >>> report.raise_for_failures().path("https://example.com/file1.zip")
        PosixPath('/home/me/data/file1.zip')
    """
    cancels = () if cancel is None else (cancel,)
    wanted = settings_of(settings, options)
    _check_wishes(session, on_event, cancel, wanted)
    return _carried_out(manifest, wanted, _Wishes(session, on_event, cancels, _is_unlogged(settings, options)))


async def arun(
    manifest: str | Path | Mapping[str, Any] | Manifest,
    settings: RunSettings | None = None,
    *,
    session: requests.Session | None = None,
    on_event: Callable[[Event], object] | None = None,
    cancel: threading.Event | None = None,
    **options: Unpack[Options],
) -> Report:
    """Fetch what a manifest lists, while the event loop goes on: the run is in a thread of its own.

    Arguments, what is returned and what is raised are those of `run`. `on_event` is called in the loop's thread, and nothing waits for it.
    Where the task is cancelled, the run ends as by `cancel`, and CancelledError is raised once it has.

    Example:
        >>> async with asyncio.timeout(60):
        ...     report = await marscore.arun("downloads.yaml")
    """
    wanted, logs = settings_of(settings, options), _is_unlogged(settings, options)
    own = threading.Event()
    cancels = (own,) if cancel is None else (own, cancel)
    _check_wishes(session, on_event, cancel, wanted)
    import asyncio  # noqa: PLC0415 - it takes its time, and whoever has a loop has imported it

    from marscore.beside import Beside  # noqa: PLC0415 - as above

    beside: Beside[Report] = Beside(asyncio.get_running_loop(), on_event, own)
    wishes = _Wishes(session, None if on_event is None else beside.tell, cancels, logs)
    return await beside.carry_out(partial(_carried_out, manifest, wanted, wishes))


def plan(
    manifest: str | Path | Mapping[str, Any] | Manifest, settings: RunSettings | None = None, **options: Unpack[Options]
) -> PlanDocument:
    """Say what `run` would do now, without fetching or writing anything. Arguments and errors are those of `run`.

    Example:
        >>> [entry.path for entry in marscore.plan("downloads.yaml").downloads if entry.action == "fetch"]
        ['file1.zip']
    """
    from marscore import app  # noqa: PLC0415 - as in _carried_out

    return app.plan(input_of(manifest), settings_of(settings, options))


def _is_unlogged(settings: object, options: Mapping[str, Any]) -> bool:
    return settings is None and not options.keys() & {"log_file", "log_format", "log_level"}


class _Wishes:
    """What of a caller's arguments is no setting."""

    def __init__(self, session: Any, on_event: Any, cancels: Sequence[threading.Event], logs: bool) -> None:
        self.session = session
        self.on_event = on_event
        self.cancels = cancels
        self.logs = logs


def _carried_out(manifest: object, settings: RunSettings, wishes: _Wishes) -> Report:
    from marscore import app  # noqa: PLC0415 - loads pydantic, requests and yaml only when there is something to do
    from marscore.caller import Caller  # noqa: PLC0415 - as above

    caller = Caller(wishes.session, wishes.on_event, wishes.cancels, wishes.logs)
    ended = app.run(input_of(manifest), settings, caller=caller)
    if ended.trouble is not None:
        raise StorageError(ended.trouble)
    return ended.report()


def _check_wishes(session: object, on_event: object, cancel: object, settings: RunSettings) -> None:
    if on_event is not None and not callable(on_event):
        arguments.refuse("on_event", on_event, "something that can be called with an event")
    if _is_async(on_event):
        raise TypeError(arguments.NOT_AWAITED.format(name="on_event"))
    if cancel is not None and not isinstance(cancel, threading.Event):
        arguments.refuse("cancel", cancel, "a threading.Event")
    if session is None:
        return
    import requests  # noqa: PLC0415 - whoever has a session has imported it

    if not isinstance(session, requests.Session):
        arguments.refuse("session", session, "a requests.Session")
    if settings.processes not in (None, 1):
        raise ValueError("session is used in this process alone, so processes must be 1")
    if settings.engine != "local":
        raise ValueError("session is used in this process alone, so engine must be local")


def _is_async(listener: object) -> bool:
    """Whether a call of it gives something to be awaited: a function, a method, a partial of one, or a value with such a `__call__`."""
    if listener is None:
        return False
    import inspect  # noqa: PLC0415 - as in _carried_out

    while isinstance(listener, partial):
        listener = listener.func
    kinds = (inspect.iscoroutinefunction, inspect.isasyncgenfunction)
    return any(is_kind(each) for is_kind in kinds for each in (listener, getattr(listener, "__call__", None)))  # noqa: B004 - to look at it


def input_of(manifest: object) -> ManifestInput:
    """A manifest as an argument gives it.

    Raises:
        TypeError, ValueError: it is no path and no mapping.
        OSError: it cannot be read.
    """
    if isinstance(manifest, (str, Path)):
        arguments.path("manifest", manifest)
        if isinstance(manifest, str) and is_url(manifest):
            raise ValueError(f"manifest is a URL, {public_url(public_word(manifest))}: marscore.downloader fetches one")
        path = Path(manifest)
        return ManifestInput(str(manifest), path.parent, text=path.read_text(encoding="utf-8"))
    from marscore.manifest import Manifest  # noqa: PLC0415 - as in _carried_out

    if not isinstance(manifest, (Mapping, Manifest)):
        arguments.refuse("manifest", manifest, "a path, a mapping or a Manifest")
    return ManifestInput("<dict>", Path(), data=manifest)
