"""Which cache a run uses: what the caller says, else the environment, else the manifest; off unless one of them asks for it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from marscore.adapters.files.cache import Cache, Link, Match
from marscore.errors import StorageError
from marscore.frozen import dataclass
from marscore.settings import ManifestInput, RunSettings
from marscore.values import Failure

if TYPE_CHECKING:
    from marscore.manifest import AnyManifest

#: The variable that names a cache for all runs.
VARIABLE = "MARSCORE_CACHE"


@dataclass(frozen=True, slots=True)
class CacheChoice:
    """A cache and how it is used; `max_size` is how many bytes are kept at the end of a run, None all."""

    folder: Path
    link: Link = "auto"
    match: Match = "url"
    max_size: int | None = None

    def open(self) -> Cache:
        """The cache, which need not be there yet."""
        return Cache(self.folder, self.match, self.link)


def choose_cache(
    manifest: ManifestInput, settings: RunSettings, parsed: AnyManifest, environment: Mapping[str, str] = os.environ
) -> CacheChoice | None:
    """The cache that a run of the manifest uses; None where it uses none."""
    written = parsed.cache
    said = _word(str(settings.cache) if settings.cache is not None else environment.get(VARIABLE))
    if said == "off" or (said is None and written is None):
        return None
    folder = _folder(said) if said is not None else None
    if folder is None:
        folder = manifest.folder / written.dir if written is not None and written.dir is not None else platform_folder()
    if said is not None and folder.is_file():
        raise StorageError(Failure("path", "the cache that --cache or MARSCORE_CACHE names is a file, and has to be a folder"))
    # Without the network, a file is what its digest says, whatever URL brought it.
    match: Match = "digest" if settings.network == "offline" else written.match if written is not None else "url"
    link: Link = written.link if written is not None else "auto"
    return CacheChoice(folder.absolute(), link, match, written.max_size if written is not None else None)


def named_cache(said: str | None, environment: Mapping[str, str] = os.environ) -> Path:
    """The folder of the cache that a caller or the environment names, else the platform's."""
    said = _word(said) or _word(environment.get(VARIABLE)) or "on"
    return (None if said == "off" else _folder(said)) or platform_folder()


def platform_folder() -> Path:
    """Where this system wants the caches of programs to be.

    Raises:
        StorageError: it has no such place.
    """
    import platformdirs  # noqa: PLC0415 - for those who name no place of their own

    try:
        return Path(platformdirs.user_cache_dir("marscore", appauthor=False))
    except (OSError, RuntimeError) as error:
        raise StorageError(Failure("path", f"there is no folder for caches: {error}")) from error


def _word(said: str | None) -> str | None:
    """What is said, `on` and `off` in whatever case; None where it is nothing."""
    if said is None or not said.strip():
        return None
    return said.strip().lower() if said.strip().lower() in ("on", "off") else said


def _folder(said: str) -> Path | None:
    """The folder that is named; None where the platform's is meant."""
    return None if said == "on" else Path(said).absolute()
