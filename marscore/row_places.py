"""Files of rows that are elsewhere: what is fetched for them, and where it is kept.

    from: URL --remote_lists--> Download into .marscore/lists      --kept_at--> what `RowFiles` opens in its place

A list may be of another origin than its rows, and which theirs is, is known once it is read. So of what the manifest sends for its
downloads it gets what the target of a redirect to elsewhere would; what it needs itself stands beside its URL.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from marscore.destination import Destination
from marscore.errors import Problem
from marscore.manifest import Parsed
from marscore.manifest.fields import is_elsewhere
from marscore.policy.redact import Redactor
from marscore.policy.redirect import headers_for
from marscore.resolve.model import Download, IfExists, Options
from marscore.resolve.options import OptionsMaker, credentials_of, merge_headers
from marscore.resolve.rewriting import Rewriting
from marscore.resolve.secrets import secrets_of
from marscore.settings import ManifestInput, Network, RunSettings
from marscore.state import key_of
from marscore.stores import output_of, work_folder
from marscore.url import parse_url
from marscore.values import OWN_FOLDER, Checksum, parse_checksum

if TYPE_CHECKING:
    from marscore.manifest import ListEntry, RowSource

#: Bytes that a list may have where its entry says nothing of that: some thirty million rows.
MOST = 4 * 1024**3
#: What all entries must say alike of one list, which is asked for once.
_OF_ONE_LIST = ("headers", "auth", "verify", "proxies", "max_size")
#: What stands for the origin of rows, which is none that a list could have (RFC 2606 section 2).
_OF_ROWS = parse_url("https://of-rows.invalid/")


def remote_lists(parsed: Parsed, network: Network = "used") -> tuple[Download, ...]:
    """The files of rows that are elsewhere, each once, as what is fetched for them.

    Raises:
        ManifestError: two entries want the same one asked for in different ways.
    """
    manifest = parsed.manifest
    wanted: dict[str, tuple[int, ListEntry, list[Checksum]]] = {}
    options, rewriting = OptionsMaker(manifest.defaults, manifest.security.private_addresses), Rewriting(manifest.mirrors)
    problems: list[Problem] = []
    for index, each in enumerate(manifest.downloads):
        if each.from_ is not None and is_elsewhere(each.from_.url):
            # All that is said of one file must hold, whoever says it.
            first, entry, checksums = wanted.setdefault(each.from_.url, (index, each, []))
            checksums += map(parse_checksum, each.from_.checksum or ())
            asked_by = [_options(options.of(one, {}, ()), one.from_, "keep") for one in (entry, each)]
            if entry is not each and (name := _differs(*asked_by)):
                message = (
                    f"is asked for with other {name} than the same list at downloads[{first}].from: it is fetched once, so say the same"
                )
                problems.append(parsed.places.problem(("downloads", index, "from"), message))
    if problems:
        raise parsed.places.error(parsed.source, problems)
    found: list[Download] = []
    for url, (index, entry, checksums) in wanted.items():
        asked = rewriting.sources_of((url,)) if url.lower().startswith("http") else (url,)
        must = tuple(dict.fromkeys(checksums))
        path = f"{key_of(chr(10).join([url, *map(str, must)]))}.txt"
        asks = network != "offline" and not must
        how = _options(options.of(entry, {}, ()), entry.from_, "refresh" if asks else "keep")
        found.append(Download(f"downloads[{index}].from", asked, path, how, must, original=None if asked[0] == url else url))
    return tuple(found)


def _options(usual: Options, source: RowSource, if_exists: IfExists) -> Options:
    """How a list is asked for; `usual` is how its rows are."""
    passed_on = headers_for(usual.access, _OF_ROWS, parse_url("https://of-lists.invalid/"))
    auth = credentials_of(source.auth) if source.auth is not None else ("netrc" if usual.auth == "netrc" else None)
    return Options(
        headers=merge_headers(passed_on, source.headers or {}),
        threads=usual.threads,
        timeouts=usual.timeouts,
        retry=usual.retry,
        proxies=usual.proxies,
        auth=auth,
        verify=usual.verify,
        min_speed=usual.min_speed,
        if_exists=if_exists,
        private_addresses=usual.private_addresses,
        max_size=MOST if source.max_size is None else source.max_size,
    )


def _differs(one: Options, other: Options) -> str | None:
    """What two entries say otherwise of who asks for their list, and how much of it is taken."""
    return next((name for name in _OF_ONE_LIST if getattr(one, name) != getattr(other, name)), None)


def kept_at(manifest: ManifestInput, settings: RunSettings, parsed: Parsed) -> Mapping[str, Path]:
    """Where files of rows that are elsewhere are kept, by their URLs.

    Raises:
        ManifestError: the output folder is none.
    """
    lists = remote_lists(parsed)
    if not lists:
        return {}
    place = output_of(manifest, settings, parsed)
    root = work_folder(place) if isinstance(place, Destination) else place
    return {each.url: root / OWN_FOLDER / "lists" / each.path for each in lists}


def shown_url(parsed: Parsed) -> Redactor:
    """What makes the URL of a list fit to be shown."""
    return Redactor(secrets_of(parsed, remote_lists(parsed)).shown)
