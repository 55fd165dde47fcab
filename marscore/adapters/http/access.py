"""What a request needs besides its URL: the header fields it carries, credentials, the proxy, the certificates that are trusted.

Both transports ask here, so that what is sent to whom does not depend on which of them sends it.
"""

from __future__ import annotations

import netrc
import os
import sys
from functools import lru_cache
from pathlib import Path

from marscore.adapters.http.tls_files import bundle_fault, certificate_fault
from marscore.errors import OriginError
from marscore.policy.no_proxy import is_direct
from marscore.policy.redirect import headers_for, says_public, sent_to
from marscore.ports import Request
from marscore.url import Url, parse_proxy
from marscore.values import Access, ClientCertificate, Credentials, Failure
from marscore.version import __version__

USER_AGENT = f"marscore/{__version__}"
#: As requests has them, then OpenSSL's own.
_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")


def fields_of(request: Request, url: Url) -> tuple[tuple[str, str], ...]:
    """The header fields of a request for `url`, which a redirect may have led to.

    Those of the request itself, and credentials, outrank the manifest's.
    """
    own = {name.lower() for name, _ in request.fields}
    if credentials_of(request, url) is not None:
        own.add("authorization")
    written = [(name, value) for name, value in headers_for(request.access, request.url, url).items() if name.lower() not in own]
    if not any(name.lower() == "user-agent" for name, _ in written):
        written.append(("User-Agent", USER_AGENT))
    return (*written, *request.fields)


def credentials_of(request: Request, url: Url) -> Credentials | None:
    """Who asks, as far as `url` may hear of it."""
    if not sent_to(request.url, url):
        return None
    auth = request.access.auth
    if isinstance(auth, Credentials):
        return auth
    if auth == "netrc":
        # Whoever else writes a URL may not have what netrc has for its host sent in clear.
        is_in_clear = url.scheme == "http" and not request.access.is_chosen(url.origin)
        return None if is_in_clear else netrc_of(url.host)
    return None if request.url.username is None else Credentials(request.url.username, request.url.password or "")


@lru_cache(maxsize=4)
def _read(path: Path, _version: tuple[int, ...]) -> netrc.netrc:
    """Read a netrc file, each version of it once: every request asks."""
    return netrc.netrc(path)


def refused_before(request: Request, url: Url, proxy: Url | None) -> bool:
    """Whether what may only be public is refused for what it says of itself: through a proxy, nobody here sees what address is dialled."""
    if proxy is None or not request.access.public_only(url.origin, url != request.url):
        return False
    return not says_public(url.host)


def netrc_of(host: str) -> Credentials | None:
    """What netrc holds for a host: the file that NETRC names, or the user's own. What cannot be read holds nothing."""
    named = os.environ.get("NETRC")
    for path in [Path(named)] if named else [Path.home() / ".netrc", Path.home() / "_netrc"]:
        try:
            status = path.stat()
            found = _read(path, (status.st_mtime_ns, status.st_size, status.st_ino)).authenticators(host)
        except (OSError, netrc.NetrcParseError, UnicodeError):
            continue
        return Credentials(found[0] or found[1] or "", found[2] or "") if found else None
    return None


def proxy_of(access: Access, url: Url) -> Url | None:
    """The proxy for a URL: the manifest's, else the environment's, as far as `no_proxy` does not name the host.

    Raises:
        OriginError: its URL is none.
    """
    if access.proxies is not None:
        found = access.proxies.http if url.scheme == "http" else access.proxies.https
    else:
        found, no_proxy = _from_environment(url.scheme)
        found = None if found and is_direct(url, no_proxy) else found
    return read_proxy(found) if found else None


def read_proxy(text: str) -> Url:
    """Read the URL of a proxy.

    Raises:
        OriginError: it is none.
    """
    try:
        return parse_proxy(text)
    except ValueError as error:
        raise OriginError(Failure("proxy", f"the proxy's URL {error}", lasting=True)) from None


def _from_environment(scheme: str) -> tuple[str | None, str]:
    if sys.platform in ("win32", "darwin"):
        from urllib.request import getproxies  # noqa: PLC0415 - it knows the system's settings too, and takes its time

        proxies = getproxies()
        return proxies.get(scheme) or proxies.get("all"), proxies.get("no", "")
    found = _variable(f"{scheme}_proxy") or _variable("all_proxy")
    return found, _variable("no_proxy") or ""


def _variable(name: str) -> str | None:
    value = os.environ.get(name)
    if value is None and not (name == "http_proxy" and "REQUEST_METHOD" in os.environ):
        # In CGI, HTTP_PROXY is a field of the request (httpoxy, CVE-2016-5385).
        value = os.environ.get(name.upper())
    return value or None


def trusted(access: Access) -> str | None:
    """The file or folder of certificates that servers are verified by; None where they are not.

    Raises:
        OriginError: it cannot be used.
    """
    if access.verify is False:
        return None
    if isinstance(access.verify, str):
        return _usable("verify", access.verify)
    for name in _BUNDLES:
        if path := os.environ.get(name):
            return _usable(name, _folder_of(path) if name == "SSL_CERT_DIR" else path)
    import certifi  # noqa: PLC0415 - not needed for http

    return certifi.where()


def _folder_of(folders: str) -> str:
    # OpenSSL takes several; the clients here take one, and know fewer authorities then.
    return next((folder for folder in folders.split(os.pathsep) if Path(folder).is_dir()), folders)


def _usable(name: str, path: str) -> str:
    if (fault := bundle_fault(path)) is not None:
        raise OriginError(Failure("tls", f"{name} names {path}, which {fault}", lasting=True))
    return path


def shown_certificate(access: Access) -> ClientCertificate | None:
    """The certificate that this client shows; None where it shows none.

    Raises:
        OriginError: it cannot be used.
    """
    cert = access.cert
    if cert is not None and (fault := certificate_fault(cert)) is not None:
        named = {"cert": f"names {cert.cert}, which ", "key": f"names {cert.key}, which ", "password": ""}[fault.part]
        raise OriginError(Failure("tls", f"cert.{fault.part} {named}{fault.message}", lasting=True))
    return cert
