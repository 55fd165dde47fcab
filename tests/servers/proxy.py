"""tinyproxy as a forward proxy, with or without a password."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.servers.process import need, running

_CONFIGURATION = """
Listen 127.0.0.1
Port {port}
Timeout 60
MaxClients 64
LogLevel Connect
LogFile "{here}/proxy.log"
Allow 127.0.0.1
{password}
"""


@dataclass(frozen=True)
class Proxy:
    """A running proxy; `url` holds the password, where there is one."""

    url: str
    log: Path

    def passed(self) -> list[str]:
        """The requests that it was asked for, as it logged them."""
        return [line.split("): ", 1)[1] for line in self.log.read_text().splitlines() if "Request (file descriptor" in line]


@contextlib.contextmanager
def tinyproxy(here: Path, password: str | None = None) -> Iterator[Proxy]:
    """Run tinyproxy on a free port. With a password the user is `user`."""
    program = need("tinyproxy", "tinyproxy")
    here.mkdir(parents=True, exist_ok=True)

    def command(port: int) -> list[str]:
        line = f"BasicAuth user {password}" if password else ""
        (here / "proxy.conf").write_text(_CONFIGURATION.format(port=port, here=here, password=line))
        return [program, "-d", "-c", str(here / "proxy.conf")]

    with running(command, here / "proxy.out") as port:
        yield Proxy(f"http://{f'user:{password}@' if password else ''}127.0.0.1:{port}", here / "proxy.log")
