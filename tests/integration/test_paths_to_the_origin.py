"""TLS, proxies, credentials and cookies: the ways that lead to an origin."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from tests.integration.command import fetch, marscore, write
from tests.origin import Body, Good, Origin, Seen, Status, Step
from tests.servers import Nginx, Proxy, Tls, make_tls, tinyproxy

MIB = 1024 * 1024


def test_nginx_over_tls_with_a_ca_bundle_of_ones_own(secure_web: Nginx, tls: Tls, tmp_path: Path) -> None:
    (secure_web.root / "a.bin").write_bytes(Body(20 * MIB).read(0, 20 * MIB))
    run = fetch(tmp_path, {"url": secure_web.url("a.bin"), "verify": str(tls.authority)})
    assert run.code == 0
    assert run.entry()["checksum"] == f"sha256:{Body(20 * MIB).sha256}"


def test_the_environments_ca_bundle_is_used(secure_web: Nginx, tls: Tls, tmp_path: Path) -> None:
    (secure_web.root / "b.bin").write_bytes(b"b")
    run = marscore("run", write(tmp_path, [secure_web.url("b.bin")]), cwd=tmp_path, env={"REQUESTS_CA_BUNDLE": str(tls.authority)})
    assert run.code == 0


@pytest.mark.parametrize("flaw", ["none", "wrong_host", "expired"])
def test_a_certificate_that_is_not_trusted_fails_at_once_by_name(tmp_path: Path, flaw: str) -> None:
    bad = make_tls(tmp_path / "tls", flaw)  # type: ignore[arg-type]  # one of its literals
    with Origin(bad.server_context()) as origin:
        url = origin.serve("/a.bin", Body(10))
        # A good chain that nobody trusts, or a trusted one with a flaw.
        run = fetch(tmp_path, url if flaw == "none" else {"url": url, "verify": str(bad.authority)})
        assert run.code == 1
        assert run.entry()["error"]["kind"] == "tls"
        assert run.entry()["retries"] == []
        assert origin.requests == []


@pytest.mark.parametrize("python_warnings", ["default", "error", "ignore"])
@pytest.mark.parametrize("lane", ["auto", "requests"])
def test_verify_false_works_and_warns(tmp_path: Path, tls: Tls, python_warnings: str, lane: str) -> None:
    with Origin(tls.server_context()) as origin:
        manifest = write(tmp_path, [{"url": origin.serve("/a.bin", Body(10)), "verify": False}], execution={"lane": lane})
        run = marscore("run", manifest, cwd=tmp_path, env={"PYTHONWARNINGS": python_warnings})
        assert run.code == 0
        assert all(line.startswith("{") for line in run.err.splitlines()[:-2]), "the log's lines, and then the summary's two"
        [warned] = run.events("warned")
        assert "verify is false" in warned["message"]


def test_a_client_certificate_is_shown(tmp_path: Path, tls: Tls) -> None:
    context = tls.server_context()
    context.load_verify_locations(tls.authority)
    context.verify_mode = __import__("ssl").CERT_REQUIRED
    with Origin(context) as origin:
        url = origin.serve("/a.bin", Body(10))
        entry = {"url": url, "verify": str(tls.authority), "cert": {"cert": str(tls.certificate), "key": str(tls.key)}}
        assert fetch(tmp_path, entry).code == 0
        assert fetch(tmp_path, {**entry, "cert": None, "if_exists": "replace"}).code == 1


def test_a_redirect_from_https_to_http_is_refused(origin: Origin, tmp_path: Path, tls: Tls) -> None:
    with Origin(tls.server_context()) as secure:
        url = secure.handle("/a.bin", lambda seen: Status(302, (("Location", origin.serve("/a.bin", Body(10))),)))
        run = fetch(tmp_path, {"url": url, "verify": str(tls.authority)})
        assert run.entry()["error"]["kind"] == "redirect"
        assert origin.requests == []


def test_a_proxy_of_the_manifest_carries_http_and_https(origin: Origin, proxy: Proxy, secure_web: Nginx, tls: Tls, tmp_path: Path) -> None:
    (secure_web.root / "c.bin").write_bytes(b"c" * 1000)
    run = fetch(
        tmp_path,
        {"url": origin.serve("/a.bin", Body(1000)), "proxies": proxy.url},
        {"url": secure_web.url("c.bin"), "proxies": {"https": proxy.url}, "verify": str(tls.authority)},
    )
    assert run.code == 0
    assert len(proxy.passed()) == 2
    assert any("CONNECT" in line for line in proxy.passed())


def test_a_proxy_of_the_environment_is_used_unless_the_manifest_says_none(origin: Origin, proxy: Proxy, tmp_path: Path) -> None:
    origin.serve("/a.bin", Body(10))
    # NO_PROXY of the machine would leave loopback out.
    env = {"http_proxy": proxy.url, "NO_PROXY": "", "no_proxy": ""}
    run = marscore("run", write(tmp_path, [origin.url("/a.bin")]), cwd=tmp_path, env=env)
    assert (run.code, len(proxy.passed())) == (0, 1)
    run = marscore("run", write(tmp_path, [{"url": origin.url("/a.bin"), "path": "b", "proxies": "none"}]), cwd=tmp_path, env=env)
    assert (run.code, len(proxy.passed())) == (0, 1)


def test_a_proxy_with_a_password_is_used_and_the_password_is_never_written(origin: Origin, tmp_path: Path) -> None:
    url = origin.serve("/a.bin", Body(10))
    with tinyproxy(tmp_path / "proxy", password="pr0xy-pass") as proxy:
        good = fetch(tmp_path, {"url": url, "proxies": proxy.url})
        assert good.code == 0
        wrong = fetch(tmp_path, {"url": url, "path": "b", "proxies": proxy.url.replace("pr0xy-pass", "wr0ng-pass")})
        # tinyproxy answers 401 to wrong credentials, though it is 407 that proxies answer (RFC 9110 section 15.5.8).
        assert wrong.entry()["error"]["status"] == 401
        none = fetch(tmp_path, {"url": url, "path": "c", "proxies": proxy.url.replace("user:pr0xy-pass@", "")})
        assert none.entry()["error"]["kind"] == "proxy"
    for run in (good, wrong):
        assert "-pass" not in run.err + json.dumps(run.report)


def test_a_dead_proxy_is_named(origin: Origin, tmp_path: Path) -> None:
    run = fetch(tmp_path, {"url": origin.serve("/a.bin", Body(10)), "proxies": "http://127.0.0.1:9", "retry": {"max_retries": 1}})
    assert run.entry()["error"]["kind"] == "proxy"
    assert origin.requests == []


def guarded(user: str) -> Step:
    """What only the right user gets."""
    right = "Basic " + base64.b64encode(user.encode()).decode()

    def answer(seen: Seen) -> Step:
        return Good(Body(10)) if seen.fields.get("authorization") == right else Status(401, (("WWW-Authenticate", 'Basic realm="x"'),))

    return answer  # type: ignore[return-value]  # a handler


def test_basic_credentials_of_the_manifest(origin: Origin, tmp_path: Path) -> None:
    url = origin.handle("/a.bin", guarded("me:pa55word"))  # type: ignore[arg-type]  # a handler
    manifest = write(tmp_path, [{"url": url, "auth": {"username": "me", "password": "${PASS}"}}])
    run = marscore("run", manifest, cwd=tmp_path, env={"PASS": "pa55word"})
    assert run.code == 0
    assert "pa55word" not in run.err
    assert fetch(tmp_path, {"url": url, "path": "b"}).entry()["error"]["status"] == 401


def test_netrc_is_read_only_where_the_manifest_asks_for_it(origin: Origin, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password pa55word\n")
    netrc.chmod(0o600)
    url = origin.handle("/a.bin", guarded("me:pa55word"))  # type: ignore[arg-type]  # a handler
    manifest = write(tmp_path, [{"url": url, "auth": "netrc"}, {"url": url, "path": "b"}])
    run = marscore("run", manifest, cwd=tmp_path, env={"NETRC": str(netrc)})
    assert [entry["status"] for entry in run.report["downloads"]] == ["downloaded", "failed"]


def test_credentials_in_a_url_are_used_and_never_written(origin: Origin, tmp_path: Path) -> None:
    origin.handle("/a.bin", guarded("me:pa55word"))  # type: ignore[arg-type]  # a handler
    run = fetch(tmp_path, origin.url("/a.bin").replace("http://", "http://me:pa55word@"))
    assert run.code == 0
    assert "pa55word" not in run.err + json.dumps(run.report)


def test_cookies_are_kept_between_the_requests_of_a_file(origin: Origin, tmp_path: Path) -> None:
    def answer(seen: Seen) -> Step:
        if seen.fields.get("cookie") == "session=1":
            return Good(Body(10))
        return Status(302, (("Location", "/a.bin"), ("Set-Cookie", "session=1; Path=/")))

    assert fetch(tmp_path, origin.handle("/a.bin", answer)).code == 0


@pytest.mark.parametrize(("url", "kind"), [("http://127.0.0.1:9/a.bin", "connection"), ("http://no-such-host.invalid/a.bin", "dns")])
def test_hosts_that_are_not_there(tmp_path: Path, url: str, kind: str) -> None:
    run = fetch(tmp_path, url, defaults={"retry": {"max_retries": 1, "backoff": {"initial": "1ms"}}})
    assert run.code == 1
    assert run.entry()["error"]["kind"] == kind
    assert len(run.entry()["retries"]) == 1


@pytest.mark.parametrize("lane", ["auto", "requests"])
@pytest.mark.parametrize("host", ["a" * 64 + ".example", "ü" * 60])
def test_a_name_longer_than_dns_holds_fails_at_once_by_name(origin: Origin, tmp_path: Path, host: str, lane: str) -> None:
    mirror = origin.serve("/a.bin", Body(10))
    run = fetch(
        tmp_path, f"http://{host}/a.bin", {"url": f"http://{host}/a.bin", "mirrors": [mirror], "path": "b.bin"}, execution={"lane": lane}
    )
    assert run.code == 1
    assert run.entry()["error"]["kind"] == "dns"
    assert "63" in run.entry()["error"]["message"]
    assert run.entry()["retries"] == []
    # A mirror of another name may serve it.
    assert run.entry(1)["status"] == "downloaded"


def test_ipv6_is_an_address_like_any_other(tmp_path: Path) -> None:
    try:
        origin = Origin(host="::1")
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with origin:
        url = origin.serve("/a.bin", Body(10))
        assert fetch(tmp_path, url, {"url": url.replace("::1", "::1%251"), "path": "by its zone"}).code == 0
        # A zone means something on this machine only (RFC 6874 section 4).
        assert {seen.fields["host"] for seen in origin.requests} == {f"[::1]:{origin.port}"}
