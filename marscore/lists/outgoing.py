"""What an export writes of each download, and how it tells what the other format cannot say: once for each kind, with a count."""

from __future__ import annotations

from collections.abc import Iterator

from marscore.frozen import dataclass
from marscore.public import is_telling, public_url
from marscore.resolve.model import Download, Options
from marscore.resolve.options import retry_rules
from marscore.values import Checksum, Credentials

#: What holds where a manifest says nothing.
_STANDARD = Options(retry=retry_rules(None))
#: Fields of Options that make a difference to what is fetched or where it ends up, and what a manifest calls them.
_WRITTEN = {name: name for name in ("headers", "proxies", "auth", "verify", "cert", "min_speed", "max_size", "forward_headers")}
_WRITTEN |= {name: name for name in ("if_exists", "mode", "mtime", "unpack")}
_WRITTEN |= {"timeouts": "timeout", "retry": "retry", "private_addresses": "security.private_addresses"}


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A download and the line of its entry; `hidden` are those of its fields in which secrets of the environment stand."""

    download: Download
    line: int | None
    hidden: frozenset[str] = frozenset()

    def checksum(self, *algorithms: str) -> Checksum | None:
        """Its checksum by the first of these algorithms of which it has one."""
        own = {checksum.algorithm: checksum for checksum in self.download.checksums}
        return next((own[name] for name in algorithms if name in own), None)


class Losses:
    """Collects what is not written, by what is said of it."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._told: dict[str, tuple[int | None, int]] = {}
        self.left_out = 0

    def add(self, message: str, outgoing: Outgoing) -> None:
        """Something of a download is not written."""
        first, count = self._told.get(message, (outgoing.line, 0))
        self._told[message] = first, count + 1

    def leave_out(self, message: str, outgoing: Outgoing) -> None:
        """A download is not written at all."""
        self.add(f"left out: {message}", outgoing)
        self.left_out += 1

    def lines(self) -> Iterator[str]:
        """A sentence for each kind, at the first line that has it."""
        for message, (first, count) in self._told.items():
            place = self._source if first is None else f"{self._source}:{first}"
            yield f"{place}: {message} ({count} {'download' if count == 1 else 'downloads'})"


def differing(options: Options) -> Iterator[str]:
    """The names of a download's options, as in a manifest, that are set to something.

    Not of threads, which make it faster alone, and of tags, by which it is chosen.
    """
    for name, written in _WRITTEN.items():
        if getattr(options, name) != getattr(_STANDARD, name):
            yield written


def tell_unsaid(outgoing: Outgoing, said: frozenset[str], tool: str, losses: Losses) -> None:
    """Tell of what a download asks for and this format does not say; `said` names what it does."""
    download = outgoing.download
    asked = list(differing(download.options))
    asked += ["mirrors"] if len(download.sources) > 1 else []
    asked += ["size"] if download.size is not None else []
    asked += ["checksum"] if download.checksums else []
    for name in asked:
        if name not in said:
            losses.add(f"{tool} cannot be told of {name}", outgoing)


def tell_of_secrets(outgoing: Outgoing, losses: Losses) -> None:
    """Tell where a secret that stands in the manifest stands in the export too, and that other programs show headers to more servers."""
    options = outgoing.download.options
    credentials = [name for name, _ in options.headers if is_telling(name)]
    typed = [public_url(url) != url.partition("#")[0] for url in outgoing.download.sources if any(mark in url for mark in "@?")]
    if credentials or isinstance(options.auth, Credentials) or any(typed):
        losses.add("a secret stands there as it does in the manifest", outgoing)
    if credentials:
        losses.add("headers with secrets go along with a redirect to another server, where marscore sends them nowhere else", outgoing)


def is_written(outgoing: Outgoing, fields: frozenset[str], losses: Losses) -> bool:
    """Whether a download can be written with these fields; not where a secret of the environment would be, or where it would be missing."""
    hidden = sorted(outgoing.hidden & fields)
    if hidden:
        losses.leave_out(f"{' and '.join(hidden)} would hold what comes from the environment, which is written nowhere", outgoing)
    return not hidden


def folder_and(folder: str | None, path: str) -> str:
    """A path below a folder, if one is named."""
    return path if folder is None else f"{folder.rstrip('/')}/{path}" if folder else path
