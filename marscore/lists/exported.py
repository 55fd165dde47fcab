"""Downloads written as an input file of aria2, a config of curl, a Metalink or a list of checksums.

What the other format cannot say is told (`outgoing.Losses`), and what would take a secret of the environment is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from xml.sax.saxutils import escape, quoteattr

from marscore.lists.model import Target
from marscore.lists.outgoing import Losses, Outgoing, folder_and, is_written, tell_of_secrets, tell_unsaid
from marscore.resolve.model import Options
from marscore.values import Credentials
from marscore.version import __version__

_ARIA2_HASHES = {"sha512": "sha-512", "sha384": "sha-384", "sha256": "sha-256", "sha1": "sha-1", "md5": "md5"}
#: RFC 5854 section 4.2.4 names them as the registry of hash function names does (RFC 3230, RFC 5843).
_METALINK_HASHES = {"sha256": "sha-256", "sha512": "sha-512", "sha384": "sha-384", "sha1": "sha-1", "md5": "md5"}
_SOURCES = frozenset({"url", "mirrors", "path"})
_ACCESS = frozenset({"headers", "auth", "proxies"})
_CURL_ESCAPES = {"\\": "\\\\", '"': '\\"', "\t": "\\t"}
#: What XML 1.0 cannot hold, though a path may.
_NOT_XML = re.compile("[\ufffe\uffff]")

Writer = Callable[[Iterable[Outgoing], str | None, Losses], Iterator[str]]


def export(downloads: Iterable[Outgoing], target: Target, folder: str | None, losses: Losses) -> Iterator[str]:
    """Yield the text; `folder` is where its files go, for formats that say it."""
    return WRITERS[target](downloads, folder, losses)


def aria2(downloads: Iterable[Outgoing], folder: str | None, losses: Losses) -> Iterator[str]:
    """An input file of aria2."""
    said = frozenset({"url", "mirrors", "checksum", "headers", "auth", "proxies", "min_speed", "timeout", "verify"})
    for outgoing in downloads:
        if not is_written(outgoing, _SOURCES | _ACCESS, losses):
            continue
        download, options = outgoing.download, outgoing.download.options
        if download.path != download.path.strip():
            losses.leave_out("aria2 takes spaces away at the ends of a name", outgoing)
            continue
        tell_unsaid(outgoing, said, "aria2", losses)
        tell_of_secrets(outgoing, losses)
        yield "\t".join(download.sources) + "\n"
        lines = [f"out={download.path}", *([f"dir={folder}"] if folder else []), *_aria2_options(options)]
        checksum = outgoing.checksum(*_ARIA2_HASHES)
        if checksum is not None:
            lines.append(f"checksum={_ARIA2_HASHES[checksum.algorithm]}={checksum.hex}")
        if len(download.checksums) > (checksum is not None):
            losses.add("aria2 takes one checksum, and none of blake2b", outgoing)
        if isinstance(options.auth, Credentials) and options.auth.scheme != "basic":
            losses.add("aria2 sends a password by Basic alone", outgoing)
        if options.verify is not True:
            losses.add("aria2 is told of verify on its command line alone (--check-certificate, --ca-certificate)", outgoing)
        yield from (f"  {line}\n" for line in lines)


def _aria2_options(options: Options) -> Iterator[str]:
    yield from (f"header={name}: {value}" for name, value in options.headers)
    if isinstance(options.auth, Credentials):
        yield f"http-user={options.auth.username}"
        yield f"http-passwd={options.auth.password}"
    if options.proxies is not None:
        yield f"http-proxy={options.proxies.http or ''}"
        yield f"https-proxy={options.proxies.https or ''}"
    if options.min_speed is not None:
        yield f"lowest-speed-limit={options.min_speed}"
    if options.timeouts != Options().timeouts:
        yield f"connect-timeout={_seconds(options.timeouts.connect)}"
        yield f"timeout={_seconds(options.timeouts.read)}"


def _seconds(duration: float) -> int:
    return max(1, round(duration))


def curl(downloads: Iterable[Outgoing], folder: str | None, losses: Losses) -> Iterator[str]:
    """A config of curl, a section for each download."""
    said = frozenset({"url", "headers", "auth", "proxies", "verify", "cert", "min_speed", "max_size", "timeout"})
    lead = ""
    for outgoing in downloads:
        if not is_written(outgoing, _SOURCES - {"mirrors"} | _ACCESS | {"cert"}, losses):
            continue
        tell_unsaid(outgoing, said, "curl", losses)
        tell_of_secrets(outgoing, losses)
        yield lead + "".join(f"{line}\n" for line in _curl_section(outgoing, folder))
        lead = "next\n"


def _curl_section(outgoing: Outgoing, folder: str | None) -> Iterator[str]:
    download = outgoing.download
    yield f"url = {_quoted(download.url)}"
    # `-` alone is standard output.
    yield f"output = {_quoted('./-' if download.path == '-' and not folder else folder_and(folder, download.path))}"
    # What marscore does anyhow: an error is no file, redirects are followed, brackets are no pattern, dots in a path are sent.
    yield from ("create-dirs", "fail", "location", "globoff", "path-as-is")
    yield from _curl_access(download.options, download.url)
    yield from _curl_limits(download.options)


def _curl_access(options: Options, url: str) -> Iterator[str]:
    for name, value in options.headers:
        # `Name;` is curl's way to send an empty one.
        yield f"header = {_quoted(f'{name}: {value}' if value else f'{name};')}"
    if options.auth == "netrc":
        yield "netrc"
    elif isinstance(options.auth, Credentials):
        yield f"user = {_quoted(f'{options.auth.username}:{options.auth.password}')}"
        yield from {"basic": (), "digest": ("digest",), "auto": ("anyauth",)}[options.auth.scheme]
    if options.proxies is not None:
        proxy = options.proxies.https if url.lower().startswith("https") else options.proxies.http
        yield f"proxy = {_quoted(proxy or '')}"
    if options.verify is False:
        yield "insecure"
    elif isinstance(options.verify, str):
        yield f"cacert = {_quoted(options.verify)}"
    if options.cert is not None:
        yield f"cert = {_quoted(options.cert.cert)}"
        yield from (f"{key} = {_quoted(value)}" for key, value in (("key", options.cert.key), ("pass", options.cert.password)) if value)


def _curl_limits(options: Options) -> Iterator[str]:
    if options.min_speed is not None:
        yield f"speed-limit = {options.min_speed}"
        yield "speed-time = 30"
    if options.max_size is not None:
        yield f"max-filesize = {options.max_size}"
    if options.timeouts.connect != Options().timeouts.connect:
        yield f"connect-timeout = {_seconds(options.timeouts.connect)}"
    if options.timeouts.total is not None:
        yield f"max-time = {_seconds(options.timeouts.total)}"


def _quoted(text: str) -> str:
    return '"' + "".join([_CURL_ESCAPES.get(each, each) for each in text]) + '"'


def metalink(downloads: Iterable[Outgoing], _folder: str | None, losses: Losses) -> Iterator[str]:
    """A Metalink of version 4 (RFC 5854)."""
    said = frozenset({"url", "mirrors", "checksum", "size"})
    yield '<?xml version="1.0" encoding="UTF-8"?>\n<metalink xmlns="urn:ietf:params:xml:ns:metalink">\n'
    yield f"  <generator>marscore/{escape(__version__)}</generator>\n"
    for outgoing in downloads:
        if not is_written(outgoing, _SOURCES, losses):
            continue
        download = outgoing.download
        if _NOT_XML.search(download.path):
            losses.leave_out("XML cannot hold its path", outgoing)
            continue
        tell_unsaid(outgoing, said, "a Metalink", losses)
        # Of secrets, it holds those that URLs hold.
        tell_of_secrets(replace(outgoing, download=replace(download, options=Options())), losses)
        yield f"  <file name={quoteattr(download.path)}>\n"
        if download.size is not None:
            yield f"    <size>{download.size}</size>\n"
        for checksum in download.checksums:
            if checksum.algorithm in _METALINK_HASHES:
                yield f'    <hash type="{_METALINK_HASHES[checksum.algorithm]}">{checksum.hex}</hash>\n'
            else:
                losses.add(f"a Metalink has no name for {checksum.algorithm}", outgoing)
        for rank, url in enumerate(download.sources, 1):
            yield f'    <url priority="{rank}">{escape(url)}</url>\n'
        yield "  </file>\n"
    yield "</metalink>\n"


def sha256sums(downloads: Iterable[Outgoing], folder: str | None, losses: Losses) -> Iterator[str]:
    """A list for `sha256sum -c`."""
    for outgoing in downloads:
        checksum = outgoing.checksum("sha256")
        if checksum is None:
            losses.leave_out("it has no sha256, in the manifest or in a lock", outgoing)
        else:
            yield f"{checksum.hex}  {folder_and(folder, outgoing.download.path)}\n"


WRITERS: Mapping[Target, Writer] = {"aria2": aria2, "curl": curl, "metalink": metalink, "sha256sums": sha256sums}
