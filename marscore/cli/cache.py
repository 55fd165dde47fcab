"""`marscore cache dir | stats | verify | prune`: the cache of finished files."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from marscore.adapters.files.failures import naming
from marscore.cli.exits import complain, say
from marscore.cli.options import duration, size
from marscore.cli.summary import counted
from marscore.cli.verb import VerbGroup
from marscore.values import format_size

if TYPE_CHECKING:
    from marscore.adapters.files.cache import Cache

_CACHE = click.option("--cache", "said", metavar="DIR", help="The cache's folder.  [default: MARSCORE_CACHE, else the platform's]")


@click.group(cls=VerbGroup)
def cache() -> None:
    """Look at the cache of finished files, which runs share by --cache, MARSCORE_CACHE or the manifest's `cache`."""


def _opened(said: str | None) -> Cache:
    from marscore.adapters.files.cache import Cache  # noqa: PLC0415 - for the verb that looks into it
    from marscore.caches import named_cache  # noqa: PLC0415 - as above

    return Cache(named_cache(said))


@cache.command(name="dir")
@_CACHE
def folder(said: str | None) -> None:
    """Print the cache's folder."""
    say(str(_opened(said).root))


@cache.command()
@_CACHE
def stats(said: str | None) -> None:
    """Print how many files there are, and how large they are together."""
    with naming("cannot look into the cache"):
        found = _opened(said).stats()
    say(f"{counted(found.entries, 'file', 'files')}, {format_size(found.bytes)}")


@cache.command()
@_CACHE
@click.pass_context
def verify(context: click.Context, said: str | None) -> None:
    """Hash every file; what has other bytes than its name says is set aside, and exit code 1 says so."""
    with naming("cannot look into the cache"):
        found = _opened(said).verify()
    for sha256 in found.damaged:
        complain(f"damaged: {sha256}")
    say(f"{counted(found.entries, 'file', 'files')}, {format_size(found.bytes)}: {len(found.damaged)} damaged")
    context.exit(1 if found.damaged else 0)


@cache.command()
@_CACHE
@click.option("--max-size", callback=size, metavar="SIZE", help="Remove what was used longest ago until no more is left than this.")
@click.option("--older-than", callback=duration, metavar="DURATION", help="Remove what was not used for so long, such as 30d.")
def prune(said: str | None, max_size: int | None, older_than: float | None) -> None:
    """Remove files that were not used for long, and what broken runs left; without a limit, only the latter."""
    now = time.time()
    with naming("cannot look into the cache"):
        removed = _opened(said).prune(max_size, None if older_than is None else now - older_than, now)
    say(f"removed {counted(removed.entries, 'file', 'files')}, {format_size(removed.bytes)}")
