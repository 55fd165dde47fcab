"""The server's side: the files, one nginx with its sites, and the relays that put 40 ms before two of them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.works import KIB, SECURE, File, Site
from tests.origin.content import content
from tests.servers import Tls, make_tls
from tests.servers.process import find, free_port, running

_STEP = 8 * 1024**2
#: What every path under /same/ leads to.
SAME = File("tiny/tiny-00000.bin", KIB)

# A file as new as the server's or newer is answered with 304 (`before`), as most servers do. As root,
# nginx's workers would drop to a user who may not read the folder.
_CONFIGURATION = """
daemon off;
{user}
worker_processes auto;
pid {here}/pid;
error_log {here}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 10000000;
    if_modified_since before;
    client_body_temp_path {here}/t1;
    proxy_temp_path {here}/t2;
    fastcgi_temp_path {here}/t3;
    uwsgi_temp_path {here}/t4;
    scgi_temp_path {here}/t5;
    default_type application/octet-stream;
    root {root};
    server {{ listen 127.0.0.1:{plain}; location /same/ {{ try_files /{same} =404; }} }}
    server {{ listen 127.0.0.1:{tls} ssl; ssl_certificate {certificate}; ssl_certificate_key {key}; }}
    server {{ listen 127.0.0.1:{h2} ssl http2; ssl_certificate {certificate}; ssl_certificate_key {key}; }}
    server {{ listen 127.0.0.1:{throttled}; limit_rate 8m; }}
}}
"""


@dataclass
class Origin:
    """A running server.

    Attributes:
        ports: the port of each site.
        authority: the PEM file that every client verifies the TLS site against.
        digests: the sha256 of each file that was made, by its path.
    """

    root: Path
    ports: dict[Site, int]
    authority: Path
    digests: dict[str, str] = field(default_factory=dict)

    def base(self, site: Site) -> str:
        """The URL of a site, without a slash at its end."""
        return f"{'https' if site in SECURE else 'http'}://127.0.0.1:{self.ports[site]}"

    def make(self, files: Iterable[File]) -> None:
        """Write the files that are not there yet."""
        for file in files:
            if file.path not in self.digests:
                self.digests[file.path] = _write(self.root / file.path, file.size)


def _write(path: Path, size: int) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    running_digest, seed = hashlib.sha256(), zlib.crc32(path.name.encode()) % 32
    with path.open("wb") as output:
        # Two files of one seed and size still differ: the name comes first.
        block = path.name.encode()[:size].ljust(min(64, size), b".")
        output.write(block)
        running_digest.update(block)
        for start in range(len(block), size, _STEP):
            block = content(seed, start, min(size, start + _STEP))
            output.write(block)
            running_digest.update(block)
    return running_digest.hexdigest()


@contextlib.contextmanager
def origin(here: Path) -> Iterator[Origin]:
    """Run nginx with all its sites, and the relay, on free ports."""
    program = find("nginx")
    if not program:
        raise SystemExit("bench needs nginx: apt-get install nginx-light")
    root = here / "root"
    root.mkdir(parents=True)
    tls = make_tls(here / "tls")
    with contextlib.ExitStack() as stack:
        others: dict[Site, int] = {"tls": free_port(), "h2": free_port(), "throttled": free_port()}

        def command(port: int) -> Sequence[str]:
            _configure(here, root, tls, {"plain": port, **others})
            return [program, "-e", str(here / "error.log"), "-c", str(here / "nginx.conf"), "-p", str(here)]

        plain = stack.enter_context(running(command, here / "nginx.out"))
        distant = stack.enter_context(_relay(plain, here / "relay.out"))
        distant_tls = stack.enter_context(_relay(others["tls"], here / "relay-tls.out"))
        yield Origin(root, {"plain": plain, **others, "distant": distant, "distant-tls": distant_tls}, tls.authority)


def _configure(here: Path, root: Path, tls: Tls, ports: dict[Site, int]) -> None:
    user = "user root;" if os.geteuid() == 0 else ""
    text = _CONFIGURATION.format(here=here, root=root, user=user, certificate=tls.certificate, key=tls.key, same=SAME.path, **ports)
    (here / "nginx.conf").write_text(text)


@contextlib.contextmanager
def _relay(target: int, log: Path) -> Iterator[int]:
    program = str(Path(__file__).with_name("relay.py"))
    with running(lambda port: [sys.executable, "-I", program, str(port), str(target)], log) as port:
        yield port
