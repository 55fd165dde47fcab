"""The servers that README and docs speak of: every https host of a page, behind a proxy on loopback.

`https_proxy` leads each request into a tunnel to one origin, whose certificate has all names. What it answers is a function of host
and path:

- a host `busy.…` answers 503 the first time, a host `private.…` 401 without credentials, a path with `missing` 404;
- `SHA256SUMS` lists the files of its folder that the page names, `FILE.sha256` has the digest of FILE;
- `.tar.gz` and `.zip` are archives; anything else is 64 KiB (`.iso` 4 MiB) that no other URL has.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from tests.origin import Body, Good, Origin, Seen, Status, Step, busy
from tests.servers.tls import make_tls
from tests.servers.tunnel import tunnel

_URL = re.compile(r"https://([a-z0-9.-]+)(/[^\s\"'`<>)\]},]*)?")
_KIB = 1024


class World:
    """What the hosts of one page answer."""

    def __init__(self, text: str) -> None:
        found = _URL.findall(text)
        self.hosts = sorted({host for host, _ in found})
        self._urls = sorted({(host, path) for host, path in found if path})
        self._asked: set[str] = set()

    def answer(self, seen: Seen) -> Step:
        """Answer one request."""
        host, path = seen.fields.get("host", "").partition(":")[0], seen.path
        if host.startswith("private.") and "authorization" not in seen.fields:
            return Status(401, (("WWW-Authenticate", 'Basic realm="private"'),))
        if host.startswith("busy.") and path not in self._asked:
            self._asked.add(path)
            return busy(503, "0")
        return Status(404) if "missing" in path else Good(body=self.body(host, path))

    def body(self, host: str, path: str) -> Body:
        """The file at a URL."""
        if path.endswith("SHA256SUMS"):
            folder = path.removesuffix("SHA256SUMS")
            beside = sorted({p for at, p in self._urls if at == host and p.rpartition("/")[0] + "/" == folder} - {path, folder})
            return _text("".join(f"{self.body(host, other).sha256}  {other.rpartition('/')[2]}\n" for other in beside))
        if path.endswith(".sha256"):
            return _text(f"{self.body(host, path.removesuffix('.sha256')).sha256}\n")
        if path.endswith(".tar.gz"):
            return Body(text=_tar())
        if path.endswith(".zip"):
            return Body(text=_zip())
        return Body((4 * _KIB if path.endswith(".iso") else 64) * _KIB, seed=zlib.crc32(f"{host}{path}".encode()))


@contextlib.contextmanager
def world(text: str, folder: Path) -> Iterator[dict[str, str]]:
    """Serve the hosts that a page names; yields what the environment of its commands needs."""
    answers = World(text)
    tls = make_tls(folder, names=tuple(answers.hosts) or ("localhost",))
    with Origin(tls.server_context()) as origin, tunnel(None, origin.port) as proxy:
        origin.handle_rest(answers.answer)
        yield {"https_proxy": proxy, "no_proxy": "127.0.0.1,localhost", "REQUESTS_CA_BUNDLE": str(tls.authority)}


def _text(text: str) -> Body:
    return Body(text=text.encode(), content_type="text/plain")


_MEMBERS = {"bin/tool": b"#!/bin/sh\necho hello\n", "docs/readme.txt": b"Hello.\n"}


def _tar() -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        for name, content in _MEMBERS.items():
            member = tarfile.TarInfo(f"tool-1.2/{name}")
            member.size, member.mode = len(content), 0o755 if name == "bin/tool" else 0o644
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(held.getvalue(), mtime=0)


def _zip() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, content in _MEMBERS.items():
            archive.writestr(zipfile.ZipInfo(f"tool-1.2/{name}"), content)
    return held.getvalue()
