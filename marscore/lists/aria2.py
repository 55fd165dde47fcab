"""aria2's input file, read (`aria2c -i`): URLs of one file in a line, its options in the indented lines below it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any

from marscore.frozen import dataclass
from marscore.lists.model import Item, Listing
from marscore.lists.words import folder_under_output, number, numbered, of_http
from marscore.resolve.checksum_lines import algorithm_of
from marscore.resolve.paths import relative

#: What changes nothing about which bytes are where in the end, or is what marscore does anyhow.
_OURS = frozenset(
    {"continue", "auto-file-renaming", "allow-overwrite", "file-allocation", "gid", "console-log-level", "summary-interval", "remote-time"}
    | {"always-resume", "min-split-size", "piece-length", "enable-http-keep-alive", "http-accept-gzip", "reuse-uri", "follow-torrent"}
    | {"follow-metalink", "realtime-chunk-checksum", "check-integrity", "conditional-get", "content-disposition-default-utf8", "pause"}
)
_MOST_CONNECTIONS = 64


@dataclass(slots=True)
class _Entry:
    """A file while its lines are read."""

    line: int
    urls: list[str]
    path: str | None = None
    folder: str | None = None
    checksums: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    auth: dict[str, str] = field(default_factory=dict)
    proxies: dict[str, str] = field(default_factory=dict)
    timeout: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)

    def item(self) -> Item:
        options = dict(self.options)
        for name in ("headers", "auth", "proxies", "timeout"):
            if written := getattr(self, name):
                options[name] = written
        first, *mirrors = self.urls
        return Item(self.line, first, self.path, tuple(mirrors), tuple(self.checksums), None, options, self.folder)


_Handler = Callable[[_Entry, str, int, Listing], None]


def read(text: str) -> Listing:
    """Read one."""
    listing = Listing()
    entry: _Entry | None = None
    # Options of what was left out belong to nothing that is taken.
    is_skipped = False
    for at, line in numbered(text):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line[0] not in " \t":
            if entry is not None:
                listing.items.append(entry.item())
            entry = _begun(at, line, listing)
            is_skipped = entry is None
        elif entry is not None:
            _option(entry, line, at, listing)
        elif not is_skipped:
            listing.warn(at, "is an option that stands below no URL")
    if entry is not None:
        listing.items.append(entry.item())
    return listing


def _begun(at: int, line: str, listing: Listing) -> _Entry | None:
    urls = of_http(((at, url) for url in line.split()), listing)
    if not urls:
        listing.leave_out(at, "only http and https are fetched, and no other source is named")
        return None
    return _Entry(at, urls)


def _option(entry: _Entry, line: str, at: int, listing: Listing) -> None:
    name, equals, value = line.strip().partition("=")
    name, value = name.strip().lower().removeprefix("--"), value.strip()
    if not equals:
        listing.warn(at, "is no option: name=value")
    elif name in _HANDLERS:
        _HANDLERS[name](entry, value, at, listing)
    elif name not in _OURS:
        listing.warn(at, f"aria2's option {name[:64]} has nothing that it could be here")


def _out(entry: _Entry, value: str, _at: int, _listing: Listing) -> None:
    entry.path = relative(value)


def _dir(entry: _Entry, value: str, at: int, listing: Listing) -> None:
    entry.folder = folder_under_output(value, at, listing)


def _checksum(entry: _Entry, value: str, at: int, listing: Listing) -> None:
    word, _, digest = value.partition("=")
    algorithm = algorithm_of(word)
    if algorithm is None:
        listing.warn(at, f"the checksum is not taken: {word[:32]} is not known here")
    else:
        entry.checksums.append(f"{algorithm}:{digest.lower()}")


def _header(entry: _Entry, value: str, at: int, listing: Listing) -> None:
    name, colon, text = value.partition(":")
    if not colon:
        listing.warn(at, "is no header: Name: value")
    else:
        add_header(entry.headers, name.strip(), text.strip())


def add_header(headers: dict[str, str], name: str, value: str) -> None:
    """Add a field. What a list gives twice is one field with both values (RFC 9110 section 5.3; cookies: RFC 6265 section 5.4)."""
    known = next((other for other in headers if other.lower() == name.lower()), None)
    if known is None:
        headers[name] = value
    else:
        headers[known] += ("; " if name.lower() == "cookie" else ", ") + value


def _named_header(field_name: str) -> _Handler:
    return lambda entry, value, _at, _listing: add_header(entry.headers, field_name, value)


def _kept(part: str, *keys: str) -> _Handler:
    """A value that stands as it is under these keys of a part of the entry."""

    def keep(entry: _Entry, value: str, _at: int, _listing: Listing) -> None:
        if value:
            getattr(entry, part).update(dict.fromkeys(keys, number(value) if part == "timeout" else value))

    return keep


def _connections(entry: _Entry, value: str, at: int, listing: Listing) -> None:
    count = number(value)
    if isinstance(count, str) or count < 1:
        listing.warn(at, "is no number of connections")
    else:
        entry.options["threads"] = min(_MOST_CONNECTIONS, count, entry.options.get("threads", _MOST_CONNECTIONS))


def _verify(entry: _Entry, value: str, _at: int, _listing: Listing) -> None:
    if value == "false":
        entry.options["verify"] = False


def _tries(entry: _Entry, value: str, at: int, listing: Listing) -> None:
    count = number(value)
    if isinstance(count, int) and count > 0:
        entry.options["retry"] = {"max_retries": count - 1}
    else:
        listing.warn(at, "tries without end are not taken: the manifest's own limits hold")


def _max_rate(_entry: _Entry, _value: str, at: int, listing: Listing) -> None:
    listing.warn(at, "a manifest limits the rate of the whole run (execution.max_rate) and not that of a file")


def _speed(entry: _Entry, value: str, at: int, listing: Listing) -> None:
    # aria2's K and M are 1024s.
    if value != "0":
        entry.options["min_speed"] = f"{value.upper()}iB" if value[-1:].upper() in ("K", "M") else number(value)


_HANDLERS: Mapping[str, _Handler] = {
    "out": _out,
    "dir": _dir,
    "checksum": _checksum,
    "header": _header,
    "referer": _named_header("Referer"),
    "user-agent": _named_header("User-Agent"),
    "http-user": _kept("auth", "username"),
    "http-passwd": _kept("auth", "password"),
    "all-proxy": _kept("proxies", "http", "https"),
    "http-proxy": _kept("proxies", "http"),
    "https-proxy": _kept("proxies", "https"),
    "connect-timeout": _kept("timeout", "connect"),
    "timeout": _kept("timeout", "read"),
    "split": _connections,
    "max-connection-per-server": _connections,
    "check-certificate": _verify,
    "max-tries": _tries,
    "max-download-limit": _max_rate,
    "lowest-speed-limit": _speed,
}
