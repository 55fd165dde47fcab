"""Where the files of a job go: a folder of this machine, or an object store, and what of a manifest a store cannot do.

output_dir | --output-dir --output_of--> a folder | Destination --check_store--> refused at its place, or taken
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from marscore.adapters.stores.folder import keys_too_long
from marscore.adapters.stores.opened import SECRET_VARIABLES, is_installed, named_by
from marscore.caches import platform_folder
from marscore.destination import LONGEST_KEY, Destination, is_url, parse_destination
from marscore.errors import ManifestError, Problem
from marscore.extras import installing
from marscore.public import MASK
from marscore.settings import ManifestInput, RunSettings

if TYPE_CHECKING:
    from marscore.manifest import Parsed
    from marscore.resolve.model import Download

#: The variable that names the folder in which runs into stores work.
VARIABLE = "MARSCORE_WORK_DIR"
_NUMBER = re.compile(r"downloads\[([0-9]+)\]")
_Path = tuple[str | int, ...]


def output_of(manifest: ManifestInput, settings: RunSettings, parsed: Parsed) -> Path | Destination:
    """Where the caller, else the manifest, wants the files.

    Raises:
        ManifestError: that is a URL of nothing that can be written to.
    """
    if settings.output_dir is not None:
        return _place(settings.output_dir)
    written = parsed.manifest.output_dir
    if not is_url(written):
        return manifest.folder / written
    try:
        found = parse_destination(written)
    except ValueError as error:
        raise parsed.places.error(parsed.source, [parsed.places.problem(("output_dir",), str(error))]) from None
    return Path(found) if isinstance(found, str) else found


def in_memory(place: Path | Destination) -> bool:
    """Whether the files go into the memory of this process, which no other reaches."""
    return isinstance(place, Destination) and place.scheme == "memory"


def named_output(settings: RunSettings) -> Path | Destination:
    """Where the caller says that the files are, with no manifest.

    Raises:
        ManifestError: as above.
    """
    return _place(settings.output_dir or "output")


def _place(said: Path | str) -> Path | Destination:
    if not is_url(str(said)):
        return Path(said)
    try:
        found = parse_destination(str(said))
    except ValueError as error:
        raise ManifestError("--output-dir", (Problem("", str(error)),)) from None
    return Path(found) if isinstance(found, str) else found


def check_store(where: Destination, parsed: Parsed, downloads: Sequence[Download], settings: RunSettings) -> None:
    """Refuse what a store cannot do, each at its place.

    Raises:
        ManifestError: with all of it.
    """
    if not is_installed():
        message = f"is an object store, which needs obstore: {installing('stores')}"
        if settings.output_dir is not None:
            raise ManifestError("--output-dir", (Problem("", message),))
        raise parsed.places.error(parsed.source, [parsed.places.problem(("output_dir",), message)])
    if settings.cache is not None and str(settings.cache).strip().lower() != "off":
        raise ManifestError("--cache", (Problem("", "is of no use where output_dir is an object store: leave it away"),))
    if settings.engine != "local":
        message = "has its workers write to a folder that all machines share, and output_dir is an object store: run it without an engine"
        raise ManifestError("--engine", (Problem("", message),))
    problems = [parsed.places.problem(path, message) for path, message in _refused(where, parsed, downloads)]
    if problems:
        raise parsed.places.error(parsed.source, problems)


def _refused(where: Destination, parsed: Parsed, downloads: Sequence[Download]) -> Iterator[tuple[_Path, str]]:
    if parsed.manifest.cache is not None:
        yield ("cache",), "is of no use where output_dir is an object store: leave it away"
    for number in keys_too_long(where, [download.path for download in downloads]):
        yield _place_of(downloads[number], "path"), f"makes a key of more than {LONGEST_KEY} bytes, with the prefix of output_dir"
    for download in downloads:
        if download.into is not None:
            yield _place_of(download, "unpack"), "cannot be done in an object store: unpack in a folder of this machine"
    # Of a long list, not all downloads are known yet.
    for index, entry in enumerate(parsed.manifest.downloads):
        if getattr(entry, "mode", None) is not None or parsed.manifest.defaults.mode is not None:
            yield ("downloads", index, "mode"), "is nothing that an object has: leave it away where output_dir is an object store"


def _place_of(download: Download, key: str) -> _Path:
    match = _NUMBER.match(download.id)
    return ("downloads", int(match[1]), key) if match else ("downloads",)


def work_folder(where: Destination, environment: Mapping[str, str] = os.environ) -> Path:
    """The folder of this machine in which runs into a destination work: one of its own for each."""
    base = environment.get(VARIABLE)
    folder = Path(base) if base else platform_folder() / "stores"
    key = hashlib.sha256(f"{named_by(where, environment)} {where.url()}".encode()).hexdigest()[:16]
    return folder / f"{re.sub(r'[^A-Za-z0-9-]', '-', where.bucket)[:40]}-{key}"


def store_secrets(environment: Mapping[str, str] = os.environ) -> Mapping[str, str]:
    """The keys and tokens of stores that the environment holds, each with what is shown for it."""
    return {value: MASK for name in SECRET_VARIABLES if len(value := environment.get(name, "")) >= 8}
