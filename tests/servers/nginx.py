"""nginx with a configuration of its own in a temporary folder: plain, over TLS, or with a rate limit for each connection."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.servers.process import need, running
from tests.servers.tls import Tls

_CONFIGURATION = """
daemon off;
{user}
worker_processes 1;
pid {here}/pid;
error_log {here}/error.log;
events {{ worker_connections 512; }}
http {{
    log_format with_connection '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent $connection';
    access_log {here}/access.log with_connection;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 100000;
    client_body_temp_path {here}/t1;
    proxy_temp_path {here}/t2;
    fastcgi_temp_path {here}/t3;
    uwsgi_temp_path {here}/t4;
    scgi_temp_path {here}/t5;
    default_type application/octet-stream;
    {zone}
    server {{
        listen 127.0.0.1:{port}{tls};
        root {root};
        {more}
    }}
}}
"""


@dataclass(frozen=True)
class Nginx:
    """A running nginx. `root` is the folder that it serves, `access_log` a line for each request."""

    base: str
    root: Path
    access_log: Path

    def url(self, path: str) -> str:
        """The URL of a file under the root."""
        return f"{self.base}/{path.lstrip('/')}"

    def requests(self) -> list[str]:
        """The request lines that it logged so far."""
        return [line.split('"')[1] for line in self.access_log.read_text().splitlines()]

    def connections(self) -> list[tuple[str, int]]:
        """Each request line that it logged so far, with the number of its connection."""
        return [(line.split('"')[1], int(line.split()[-1])) for line in self.access_log.read_text().splitlines()]


@contextlib.contextmanager
def nginx(
    here: Path, tls: Tls | None = None, more: str = "", throttle: int | None = None, http: Literal["1.1", "2"] = "1.1", zone: str = ""
) -> Iterator[Nginx]:
    """Run nginx on a free port, serving `here`/root.

    Args:
        here: a folder of its own; nothing is written elsewhere.
        tls: serve over TLS only.
        more: configuration for the server block.
        throttle: bytes a second for each connection.
        http: the latest version that it speaks, over TLS.
        zone: configuration for all servers, such as the zone of a rate limit.
    """
    program = need("nginx", "nginx-light")
    root = here / "root"
    root.mkdir(parents=True, exist_ok=True)
    # Started as root, its worker would take a user who may not read pytest's temporary folders.
    user = "user root;" if os.geteuid() == 0 else ""
    limit = f"limit_rate {throttle}; " if throttle else ""
    secure = (
        f" ssl{' http2' if http == '2' else ''};\n        ssl_certificate {tls.certificate};\n        ssl_certificate_key {tls.key}"
        if tls
        else ""
    )

    def command(port: int) -> list[str]:
        configuration = here / "nginx.conf"
        places = {"here": here, "root": root, "port": port}
        configuration.write_text(_CONFIGURATION.format(**places, tls=secure, more=limit + more, zone=zone, user=user))
        return [program, "-e", str(here / "error.log"), "-c", str(configuration), "-p", str(here)]

    with running(command, here / "nginx.out") as port:
        yield Nginx(f"{'https' if tls else 'http'}://127.0.0.1:{port}", root, here / "access.log")
