"""A manifest made ready for a run: text --read--> Manifest --expand--> Downloads, and what is secret of it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from marscore.adapters.credentials import ambient_secrets
from marscore.adapters.files.archive_readers import demand_readers
from marscore.adapters.files.folder import Folder
from marscore.adapters.files.row_folder import RowFiles
from marscore.adapters.http.tls_check import TlsFiles, check_tls_files
from marscore.adapters.http.versions import unavailable
from marscore.adapters.stores.folder import StoreFolder
from marscore.caches import CacheChoice, choose_cache
from marscore.destination import Destination
from marscore.errors import Problem, StorageError
from marscore.frozen import dataclass
from marscore.held import held_to_lock, lock_of
from marscore.hooks import Hooks, hooks_of
from marscore.manifest import Examined, Parsed, PlainExecution, examine_mapping, examine_text, of_manifest
from marscore.manifest.fields import is_elsewhere
from marscore.policy.redact import Redactor
from marscore.policy.retry import Patience
from marscore.resolve.expand import expand, loaded
from marscore.resolve.model import Download
from marscore.resolve.secrets import secrets_of
from marscore.resolve.select import select
from marscore.resolve.suspicious import bad_rows, held_at_once, suspicions
from marscore.settings import EngineChoice, ManifestInput, Network, RunSettings
from marscore.stores import check_store, in_memory, output_of, store_secrets, work_folder
from marscore.values import OWN_FOLDER, Failure

if TYPE_CHECKING:
    from marscore.manifest import Execution
    from marscore.resolve.streamed import Streamed


@dataclass(slots=True)
class Rows:
    """How files of rows are had that are elsewhere. `have` is given the job that fetches them; `files` are those that open them."""

    have: Callable[[Job], None] | None = None
    missing: Literal["refused", "empty"] = "refused"
    files: list[RowFiles] = field(default_factory=list)

    def unread(self) -> list[str]:
        """Those that are not here, as they are shown."""
        return sorted({files.shown(place) for files in self.files for place in files.unread})


#: What becomes of the downloads of long lists: all are made at once, or they are made while the run goes on.
Lists: TypeAlias = Literal["kept", "streamed"]


@dataclass(frozen=True, slots=True)
class ReadList:
    """A list of checksums that was read: its URL or path, how many files it names, and how it came (as a download does; `read`: a path)."""

    place: str
    digests: int
    status: str


@dataclass(frozen=True, slots=True)
class Job:
    """A manifest made ready: everything decided that can be decided without looking at the output folder."""

    name: str | None
    source: str
    sha256: str | None
    execution: PlainExecution
    downloads: tuple[Download, ...]
    root: Path
    redactor: Redactor
    #: Those that the lock in use does not name.
    not_locked: tuple[Download, ...] = ()
    cache: CacheChoice | None = None
    network: Network = "used"
    #: What runs when all is over; None: nothing does.
    hooks: Hooks | None = None
    #: The manifest's own folder.
    folder: Path = Path()
    #: Those that cannot be fetched for want of a checksum that was to be looked up, by id; and the lists that were read.
    refused: Mapping[str, Failure] = field(default_factory=dict)
    lists: tuple[ReadList, ...] = ()
    #: Where marscore keeps things while the run works, below `root`.
    own: str = OWN_FOLDER
    #: Of a run that leaves nothing but its files, `own` goes when all is whole; of one that replaces no others, files that it does not know
    #: fail their downloads.
    leaves: Literal["state", "nothing"] = "state"
    replaces_others: bool = True
    #: When the run began, in Unix time and in ticks, where something had to be done first.
    began: tuple[float, float] | None = None
    #: What is right and may be a mistake.
    suspicions: tuple[Problem, ...] = ()
    #: The paths of downloads that are not wanted this time.
    unwanted: tuple[str, ...] = ()
    #: The cluster that runs the workers; None: this machine does.
    engine: EngineChoice | None = None
    #: Where the files go, if that is an object store: then `root` is a folder of this machine to work in.
    store: Destination | None = None
    #: Those of long lists, which are read while the run goes on. Then there are no `downloads`.
    rows: Streamed | None = None
    #: The lists that are read.
    inputs: tuple[Path, ...] = ()

    @property
    def output_dir(self) -> str:
        """Where the files go, for people."""
        return str(self.root) if self.store is None else self.store.url()

    @property
    def patience(self) -> Patience:
        """How a store is asked: by the rules of the downloads that try most often."""
        some = self.downloads if self.rows is None else self.rows.first
        options = max((each.options for each in some), key=lambda each: each.retry.max_retries, default=None)
        return Patience() if options is None else Patience(options.retry, options.access.timeouts)

    def output_folder(self) -> Folder:
        """What holds the finished files."""
        if self.store is None:
            return Folder(self.root, own=self.own)
        return StoreFolder(self.root, self.store, self.patience, own=self.own)


def prepare(
    manifest: ManifestInput, settings: RunSettings, tls_files: TlsFiles = "all", lists: Lists = "kept", rows: Rows | None = None
) -> Job:
    """Read, check and expand a manifest, and look at the files of certificates that it names, and for what reads its archives.

    `rows` is how its files of rows are had that are elsewhere: without it, those that an earlier run has fetched are read.

    Raises:
        ManifestError: it is wrong, or its lock is; every problem is told.
        StorageError: the system has no such place as the output folder is to be.
    """
    takes_all = _what_takes_all(manifest, settings) if lists == "streamed" else None
    may_stream = lists == "streamed" and takes_all is None
    parsed, everything = (_read_or_stream if may_stream else read)(manifest, settings, rows)
    check_whole(parsed, tls_files)
    if not isinstance(everything, tuple):
        job = job_of(parsed, everything.first, manifest, settings)
        return replace(job, downloads=(), rows=everything, suspicions=suspicions(parsed), engine=_engine(settings, ()))
    held, lacking = held_to_lock(manifest, settings, parsed, everything)
    wanted = select(held, settings.only) if settings.only else held
    demand_readers(parsed, wanted)
    not_locked = tuple(download for download in wanted if download.id in lacking) if lacking else ()
    job = job_of(parsed, held, manifest, settings)
    ids = {download.id for download in wanted} if settings.only else set()
    unwanted = tuple(download.path for download in held if download.id not in ids) if settings.only else ()
    told = (*suspicions(parsed), *bad_rows(parsed, wanted), *(held_at_once(parsed, everything, takes_all) if lists == "streamed" else ()))
    engine = _engine(settings, wanted)
    return replace(job, downloads=wanted, not_locked=not_locked, suspicions=told, unwanted=unwanted, engine=engine)


def _engine(settings: RunSettings, downloads: tuple[Download, ...]) -> EngineChoice | None:
    if settings.engine == "local":
        return None
    from marscore.adapters.cluster.session import choice_of  # noqa: PLC0415 - few runs have any

    return choice_of(settings.engine, settings.engine_address, downloads)


def _what_takes_all(manifest: ManifestInput, settings: RunSettings) -> str | None:
    """What of all that is asked for takes all downloads at once, for people; None: nothing does."""
    if settings.only:
        return "--only"
    if settings.checksums == "required":
        return "--require-checksums"
    if settings.locking == "exact":
        return "--locked"
    return None if settings.locking == "none" or lock_of(manifest, settings) is None else "the lock"


def check_whole(parsed: Parsed, tls_files: TlsFiles = "all") -> None:
    """Check what needs a look at this machine: whether it speaks the HTTP that is asked for, and the files of certificates.

    Raises:
        ManifestError: something of that is wrong.
    """
    if reason := unavailable(parsed.manifest.execution.http):
        raise parsed.places.error(parsed.source, [parsed.places.problem(("execution", "http"), reason)])
    check_tls_files(parsed, tls_files)


def job_of(parsed: Parsed, downloads: tuple[Download, ...], manifest: ManifestInput, settings: RunSettings) -> Job:
    """The job that fetches these downloads of a manifest.

    Raises:
        StorageError: the system has no such place as the output folder is to be.
    """
    place = output_of(manifest, settings, parsed)
    if isinstance(place, Destination):
        check_store(place, parsed, downloads, settings)
    root = _root(work_folder(place) if isinstance(place, Destination) else place)
    ambient, own = (
        {**ambient_secrets(downloads), **(store_secrets() if isinstance(place, Destination) else {})},
        secrets_of(parsed, downloads),
    )
    return Job(
        name=parsed.manifest.name,
        source=parsed.source,
        sha256=None if manifest.text is None else hashlib.sha256(manifest.text.encode()).hexdigest(),
        execution=_execution(parsed.manifest.execution, replace(settings, processes=1) if in_memory(place) else settings),
        downloads=downloads,
        root=root,
        redactor=Redactor({**ambient, **own.shown}, own.words - ambient.keys()),
        store=place if isinstance(place, Destination) else None,
        cache=None if isinstance(place, Destination) else choose_cache(manifest, settings, parsed.manifest),
        network=settings.network,
        hooks=hooks_of(parsed.manifest, manifest.folder) if settings.hooks == "run" else None,
        folder=manifest.folder,
        inputs=tuple(
            manifest.folder / each.from_.url for each in parsed.manifest.downloads if each.from_ and not is_elsewhere(each.from_.url)
        ),
    )


def _root(folder: Path) -> Path:
    try:
        # Not resolved: a symbolic link in the path of the output folder is the user's own.
        root = folder.absolute()
        os.fsencode(root)
    except FileNotFoundError as error:
        raise StorageError(Failure("path", "the output folder is relative to the current folder, which is gone")) from error
    except UnicodeEncodeError as error:
        raise StorageError(Failure("path", f"the output folder's name cannot be written in this system's {error.encoding}")) from error
    return root


def read(manifest: ManifestInput, settings: RunSettings, rows: Rows | None = None) -> tuple[Parsed, tuple[Download, ...]]:
    """A manifest, and all its downloads.

    Raises:
        ManifestError: with every problem.
    """
    examined = _examined(manifest, settings)
    if examined is None:
        parsed = of_manifest(manifest.data)
        return parsed, expand(parsed, _row_files(manifest, settings, parsed, rows))
    return loaded(examined, _row_files(manifest, settings, examined, rows))


def _read_or_stream(
    manifest: ManifestInput, settings: RunSettings, rows: Rows | None = None
) -> tuple[Parsed, tuple[Download, ...] | Streamed]:
    examined = _examined(manifest, settings)
    if examined is None:
        return read(manifest, settings, rows)
    files = _row_files(manifest, settings, examined, rows)
    if all(entry.from_ is None for entry in examined.entries.values()):
        return loaded(examined, files)
    from marscore.resolve.streamed import load_or_stream  # noqa: PLC0415 - few manifests have lists

    return load_or_stream(examined, files)


def _row_files(manifest: ManifestInput, settings: RunSettings, found: Parsed | Examined, rows: Rows | None) -> RowFiles:
    """What opens the files of rows, once those that are elsewhere are had."""
    entries = found.entries.values() if isinstance(found, Examined) else found.manifest.downloads
    is_wrong = isinstance(found, Examined) and (found.manifest is None or found.findings.found)
    if is_wrong or not any(entry.from_ is not None and is_elsewhere(entry.from_.url) for entry in entries):
        return RowFiles(manifest.folder)
    from marscore.row_places import kept_at, remote_lists, shown_url  # noqa: PLC0415 - few manifests have any

    parsed = found.parsed() if isinstance(found, Examined) else found
    try:
        remote_lists(parsed, settings.network)
    except ValueError:
        # Options that are none, which are told at their place when the entry's downloads are made.
        return RowFiles(manifest.folder)
    if rows is not None and rows.have is not None:
        rows.have(replace(job_of(parsed, remote_lists(parsed, settings.network), manifest, settings), store=None))
    files = RowFiles(
        manifest.folder, kept_at(manifest, settings, parsed), shown_url(parsed).url, "refused" if rows is None else rows.missing
    )
    if rows is not None:
        rows.files.append(files)
    return files


def _examined(manifest: ManifestInput, settings: RunSettings) -> Examined | None:
    """What stands in a manifest; None of one that a program made."""
    variables = dict(settings.variables)
    if manifest.text is not None:
        return examine_text(manifest.text, manifest.source, os.environ, variables)
    if isinstance(manifest.data, Mapping):
        return examine_mapping(manifest.data, os.environ, variables, manifest.source)
    return None


def _execution(execution: Execution | PlainExecution, settings: RunSettings) -> PlainExecution:
    given = {"processes": settings.processes, "threads": settings.threads, "max_rate": settings.max_rate}
    written = {field.name: getattr(execution, field.name) for field in fields(PlainExecution)}
    return PlainExecution(**{**written, **{name: value for name, value in given.items() if value is not None}})
