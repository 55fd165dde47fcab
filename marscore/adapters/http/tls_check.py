"""The files of certificates and keys that a manifest names: looked at before anything starts, each fault told at its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

from marscore.manifest import Findings, Parsed
from marscore.manifest.plain import PlainEntry
from marscore.values import ClientCertificate

if TYPE_CHECKING:
    from marscore.manifest import DownloadOptions, PlainDefaults

#: All files, or those alone whose paths the manifest writes itself: what the environment says may hold elsewhere only.
TlsFiles: TypeAlias = Literal["all", "written"]
_Path: TypeAlias = tuple[str | int, ...]


def check_tls_files(parsed: Parsed, which: TlsFiles) -> None:
    """Look at them.

    Raises:
        ManifestError: with every one that cannot be used.
    """
    findings = Findings(parsed.places)
    for where, options in _with_options(parsed):
        for at, message in _faults(options):
            path = (*where, *at)
            if which == "all" or not _is_open(parsed, path):
                findings.add(path, message)
    if findings.found:
        raise findings.error(parsed.source)


def _with_options(parsed: Parsed) -> Iterator[tuple[_Path, DownloadOptions | PlainDefaults]]:
    yield ("defaults",), parsed.manifest.defaults
    downloads: Sequence[DownloadOptions | PlainEntry] = parsed.manifest.downloads
    for index, entry in enumerate(downloads):
        if not isinstance(entry, PlainEntry):
            yield ("downloads", index), entry


def _faults(options: DownloadOptions | PlainDefaults) -> Iterator[tuple[_Path, str]]:
    if not isinstance(options.verify, str) and options.cert is None:
        return
    from marscore.adapters.http.tls_files import bundle_fault, certificate_fault  # noqa: PLC0415 - it brings OpenSSL along

    if isinstance(options.verify, str) and (message := bundle_fault(options.verify)):
        yield ("verify",), f"names a file of certificates that {message}"
    if options.cert is not None:
        cert = options.cert
        fault = certificate_fault(ClientCertificate(cert.cert, cert.key, cert.password))
        if fault is not None:
            subject = "" if fault.part == "password" else "names a file that "
            yield ("cert", fault.part), subject + fault.message


def _is_open(parsed: Parsed, path: _Path) -> bool:
    """Whether the environment has a part in what stands at a place, or at what it depends on."""
    *above, last = (part for part in path if isinstance(part, str))
    whole = tuple(above) if "cert" in above else (*above, last)
    return any(place[: len(whole)] == whole for used in parsed.used.values() for place in used.places)
