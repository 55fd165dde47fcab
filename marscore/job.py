"""A manifest made ready for a run: text --read--> Manifest --expand--> Downloads, and what is secret of it."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from marscore.adapters.credentials import ambient_secrets
from marscore.adapters.files.archive_readers import demand_readers
from marscore.adapters.http.tls_check import TlsFiles, check_tls_files
from marscore.adapters.http.versions import unavailable
from marscore.caches import CacheChoice, choose_cache
from marscore.errors import ManifestError, Problem, StorageError
from marscore.frozen import dataclass
from marscore.held import held_to_lock
from marscore.hooks import Hooks, hooks_of
from marscore.manifest import Parsed, PlainExecution, of_manifest
from marscore.policy.redact import Redactor
from marscore.resolve.expand import expand, load, load_mapping
from marscore.resolve.model import Download
from marscore.resolve.secrets import secrets_of
from marscore.resolve.select import select
from marscore.resolve.suspicious import suspicions
from marscore.settings import EngineChoice, ManifestInput, Network, RunSettings
from marscore.values import OWN_FOLDER, Failure

if TYPE_CHECKING:
    from marscore.manifest import Execution


#: How a URL begins, also where a Path has made one slash of two. A drive of Windows has one letter.
_STORE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")


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


def prepare(manifest: ManifestInput, settings: RunSettings, tls_files: TlsFiles = "all") -> Job:
    """Read, check and expand a manifest, and look at the files of certificates that it names, and for what reads its archives.

    Raises:
        ManifestError: it is wrong, or its lock is; every problem is told.
        StorageError: the system has no such place as the output folder is to be.
    """
    parsed, everything = read(manifest, settings)
    check_whole(parsed, tls_files)
    held, lacking = held_to_lock(manifest, settings, parsed, everything)
    wanted = select(held, settings.only) if settings.only else held
    demand_readers(parsed, wanted)
    not_locked = tuple(download for download in wanted if download.id in lacking) if lacking else ()
    job = job_of(parsed, held, manifest, settings)
    ids = {download.id for download in wanted} if settings.only else set()
    unwanted = tuple(download.path for download in held if download.id not in ids) if settings.only else ()
    engine = _engine(settings, wanted)
    return replace(job, downloads=wanted, not_locked=not_locked, suspicions=suspicions(parsed), unwanted=unwanted, engine=engine)


def _engine(settings: RunSettings, downloads: tuple[Download, ...]) -> EngineChoice | None:
    if settings.engine == "local":
        return None
    from marscore.adapters.cluster.session import choice_of  # noqa: PLC0415 - few runs have any

    return choice_of(settings.engine, settings.engine_address, downloads)


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
    _refuse_stores(parsed, settings)
    root = _root(manifest.folder / parsed.manifest.output_dir if settings.output_dir is None else Path(settings.output_dir))
    ambient, own = ambient_secrets(downloads), secrets_of(parsed, downloads)
    return Job(
        name=parsed.manifest.name,
        source=parsed.source,
        sha256=None if manifest.text is None else hashlib.sha256(manifest.text.encode()).hexdigest(),
        execution=_execution(parsed.manifest.execution, settings),
        downloads=downloads,
        root=root,
        redactor=Redactor({**ambient, **own.shown}, own.words - ambient.keys()),
        cache=choose_cache(manifest, settings, parsed.manifest),
        network=settings.network,
        hooks=hooks_of(parsed.manifest, manifest.folder) if settings.hooks == "run" else None,
        folder=manifest.folder,
    )


def _refuse_stores(parsed: Parsed, settings: RunSettings) -> None:
    """A URL in the place of the output folder would make a folder `s3:` here."""
    message = "is a folder of this machine, and no URL: object stores are not written to"
    if settings.output_dir is not None:
        if _STORE.match(str(settings.output_dir)):
            raise ManifestError("--output-dir", (Problem("", message),))
    elif _STORE.match(parsed.manifest.output_dir):
        raise parsed.places.error(parsed.source, [parsed.places.problem(("output_dir",), message)])


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


def read(manifest: ManifestInput, settings: RunSettings) -> tuple[Parsed, tuple[Download, ...]]:
    """A manifest, and all its downloads.

    Raises:
        ManifestError: with every problem.
    """
    variables = dict(settings.variables)
    if manifest.text is not None:
        return load(manifest.text, manifest.source, os.environ, variables)
    if not isinstance(manifest.data, Mapping):
        parsed = of_manifest(manifest.data)
        return parsed, expand(parsed)
    return load_mapping(manifest.data, os.environ, variables, manifest.source)


def _execution(execution: Execution | PlainExecution, settings: RunSettings) -> PlainExecution:
    given = {"processes": settings.processes, "threads": settings.threads, "max_rate": settings.max_rate}
    written = {field.name: getattr(execution, field.name) for field in fields(PlainExecution)}
    return PlainExecution(**{**written, **{name: value for name, value in given.items() if value is not None}})
