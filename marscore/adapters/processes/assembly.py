"""A worker with real adapters, for whatever process it is to run in. Only what it uses is imported: requests takes a fifth of a start."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from marscore.adapters.clock import SystemClock
from marscore.adapters.files.folder import Folder
from marscore.adapters.http.redacted_answers import clean
from marscore.adapters.processes.allocator import keep_what_is_freed
from marscore.adapters.processes.shared_progress import SharedProgress
from marscore.adapters.records import RecordMaker
from marscore.events import Event
from marscore.execute.supervisor.messages import Alive, Batch
from marscore.execute.worker.engine import Ports
from marscore.execute.worker.setup import WorkerSettings
from marscore.execute.worker.thread import Worker
from marscore.policy.redact import Redactor
from marscore.ports import Transport, Unpacking
from marscore.values import Failure, Unpacked

if TYPE_CHECKING:
    import requests


def make_worker(
    settings: WorkerSettings,
    number: int,
    send: Callable[[Batch | Alive], None],
    give_up: Callable[[Failure | None], None],
    session: requests.Session | None = None,
) -> Worker:
    """A worker with real adapters, whose events are told as the run's log wants them; `give_up` as in `Ports`.

    A caller's `session` sends its requests, if there is one.
    """
    redactor = _redactor(settings)
    teller = RecordMaker(redactor, settings.log)

    def tell(events: list[Event]) -> None:
        send(Batch(number, *teller.tell(events)))

    keep_what_is_freed()
    ports = Ports(
        _transport(settings, session),
        _folder(settings),
        SystemClock(),
        lambda exchange, answer: clean(redactor, exchange.request, answer),
        SharedProgress(settings.shared).show if settings.shared is not None else None,
        teller.expect,
        lambda: send(Alive(number)),
        give_up,
        unpacker=_Unpacker(Path(settings.output_dir), settings.output_identity),
        is_far=settings.store is not None,
    )
    return Worker(settings, ports, tell)


def _redactor(settings: WorkerSettings) -> Redactor:
    secrets = dict(settings.secrets)
    if settings.leased:
        from marscore.adapters.credentials import secrets_here  # noqa: PLC0415 - of runs on several machines

        # Those of this machine, which its run knows nothing of.
        secrets = {**secrets_here(), **secrets}
    return Redactor(secrets, settings.words)


def _folder(settings: WorkerSettings) -> Folder:
    root, identity, own = Path(settings.output_dir), settings.output_identity, settings.own_folder
    if settings.leased:
        from marscore.adapters.files.leased import LeasedFolder  # noqa: PLC0415 - of runs on several machines

        return LeasedFolder(root, own)
    if settings.store is not None:
        from marscore.adapters.stores.folder import StoreFolder  # noqa: PLC0415 - most runs write to a folder

        return StoreFolder(root, settings.store, settings.patience, identity, own)
    return Folder(root, identity=identity, own=own)


class _Unpacker:
    """Implements `ports.Unpacker`; what reads archives is imported for the first one."""

    def __init__(self, root: Path, identity: tuple[int, int] | None) -> None:
        self._root = root
        self._identity = identity

    def unpack(self, asked: Unpacking, wanted: Callable[[], bool]) -> Unpacked:
        """Unpack an archive."""
        from marscore.adapters.files.unpacker import Unpacker  # noqa: PLC0415 - as said

        return Unpacker(self._root, self._identity).unpack(asked, wanted)


def _transport(settings: WorkerSettings, session: requests.Session | None) -> Transport:
    """The transport by libcurl, where it is there and wanted, else the one by requests."""
    if settings.lane == "auto" and session is None:
        with contextlib.suppress(ImportError):
            from marscore.adapters.http.curl_transport import CurlTransport  # noqa: PLC0415 - pycurl is not everywhere

            return CurlTransport(max(1, settings.threads), http=settings.http, buffer=settings.chunk)
    from marscore.adapters.http.requests_transport import SessionTransport  # noqa: PLC0415 - requests takes its time to be imported

    return SessionTransport(max(1, settings.threads), session)
