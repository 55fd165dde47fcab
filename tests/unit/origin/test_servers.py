"""The real servers start, serve, and say what they saw."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import requests

from tests.origin import Body, Origin
from tests.servers import Nginx, Tls, bad_proxy, make_tls, nginx, tinyproxy
from tests.servers.bad_proxy import ProxyFault


def fetch(url: str, proxy: str | None = None, verify: bool | str = True, **fields: str) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        proxies = {"http": proxy, "https": proxy} if proxy else {}
        return session.get(url, proxies=proxies, verify=verify, headers=fields, timeout=30)


def test_nginx_serves_ranges_and_logs_them(web: Nginx) -> None:
    (web.root / "unit-origin.txt").write_bytes(b"0123456789")
    answer = fetch(web.url("unit-origin.txt"), Range="bytes=2-4")
    assert (answer.status_code, answer.content) == (206, b"234")
    assert "GET /unit-origin.txt HTTP/1.1" in web.requests()


def test_nginx_over_tls(secure_web: Nginx, tls: Tls) -> None:
    (secure_web.root / "unit-origin.txt").write_bytes(b"hello")
    assert fetch(secure_web.url("unit-origin.txt"), verify=str(tls.authority)).content == b"hello"


def test_nginx_throttled_and_its_folder_left_as_it_was(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with nginx(tmp_path, throttle=100_000) as running:
        (running.root / "a").write_bytes(b"x" * 150_000)
        began = time.monotonic()
        assert len(fetch(running.url("a")).content) == 150_000
        assert time.monotonic() - began > 0.4
    assert tmp_path.stat().st_mode & 0o777 == 0o700


def test_a_proxy_with_a_password(tmp_path: Path, origin: Origin) -> None:
    url = origin.serve("/a", Body(10))
    with tinyproxy(tmp_path / "proxy", "word") as proxy:
        assert fetch(url, proxy.url).content == Body(10).read(0, 10)
        assert fetch(url, proxy.url.replace("word", "wrong")).status_code in (401, 407)
    assert len(origin.requests) == 1


def test_a_proxy_tunnels(tmp_path: Path) -> None:
    tls = make_tls(tmp_path)
    with Origin(tls.server_context()) as origin, tinyproxy(tmp_path / "proxy") as proxy:
        url = origin.serve("/a", Body(10))
        assert fetch(url, proxy.url, verify=str(tls.authority)).ok
        assert any(line.startswith("CONNECT ") for line in proxy.passed())


@pytest.mark.parametrize("fault", ["wants_password", "refuses", "unreachable", "dies", "dies_in_tunnel"])
def test_a_proxy_that_fails(fault: ProxyFault) -> None:
    with bad_proxy(fault) as proxy:
        with pytest.raises(requests.ConnectionError):
            fetch("https://127.0.0.1:9/a", proxy.url(""))
        assert [seen.method for seen in proxy.requests] == ["CONNECT"]


@pytest.mark.parametrize(("fault", "status"), [("wants_password", 407), ("refuses", 403), ("unreachable", 502)])
def test_a_proxy_that_refuses_plain_requests(fault: ProxyFault, status: int) -> None:
    with bad_proxy(fault) as proxy:
        assert fetch("http://127.0.0.1:9/a", proxy.url("")).status_code == status
