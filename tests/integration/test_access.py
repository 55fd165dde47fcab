"""Credentials, proxies and files of certificates, as a manifest and the environment give them: what comes of it, and what is told."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

import pytest

from tests.integration.command import Run, fetch, marscore, write
from tests.origin import Body, Good, Origin, Status
from tests.origin.faults import basic_auth, digest_auth
from tests.servers import Tls, bad_proxy
from tests.servers.socks import socks
from tests.servers.tls_files import client_files

pytest.importorskip("pycurl", reason="pycurl has no wheel for this system")

MIB = 1024 * 1024
BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
QUICK: dict[str, Any] = {"retry": {"max_retries": 2, "backoff": {"initial": "1ms"}}}


def told(run: Run) -> str:
    """All that a run has written, but for the files themselves."""
    return run.out + run.err + json.dumps(run.report)


# Credentials


@pytest.mark.parametrize("processes", [1, 2])
def test_digest_brings_whole_files_and_costs_no_retry(origin: Origin, tmp_path: Path, processes: int) -> None:
    bodies = {"large.bin": Body(20 * MIB + 7, seed=1), **{f"{n}.bin": Body(3000 + n, seed=n) for n in range(20)}}
    for name, body in bodies.items():
        origin.serve(f"/{name}", body)
        origin.handle(f"/{name}", digest_auth("me", "pa55word-läng"))
    auth = {"username": "me", "password": "${PASS}", "scheme": "digest"}
    manifest = write(
        tmp_path, [origin.url(f"/{name}") for name in bodies], execution={"processes": processes}, defaults={**QUICK, "auth": auth}
    )
    run = marscore("run", manifest, cwd=tmp_path, env={"PASS": "pa55word-läng"})
    assert run.code == 0, run.err
    for number, body in enumerate(bodies.values()):
        assert run.entry(number)["checksum"] == f"sha256:{body.sha256}"
        assert run.entry(number)["retries"] == []
        # Nothing of what was refused counts as a small file's.
        assert run.entry(number)["bytes_downloaded"] == body.length or body.length > MIB
    assert "pa55word" not in told(run)


def test_digest_resumes(origin: Origin, tmp_path: Path) -> None:
    body = Body(12 * MIB, seed=3)
    origin.serve("/a.bin", body)
    cut = iter([Good(cut_after=7 * MIB)])
    handler = digest_auth("me", "pa55word")
    origin.handle("/a.bin", lambda seen: next(cut, step) if isinstance(step := handler(seen), Good) else step)
    auth = {"username": "me", "password": "pa55word", "scheme": "auto"}
    run = fetch(tmp_path, {"url": origin.url("/a.bin"), "auth": auth, "threads": 1}, defaults=QUICK)
    assert run.code == 0, run.err
    assert run.entry()["checksum"] == f"sha256:{body.sha256}"
    assert [retry["kind"] for retry in run.entry()["retries"]] == ["truncated"]


@pytest.mark.parametrize(("scheme", "named"), [("basic", True), ("digest", True)])
def test_a_401_tells_that_digest_is_wanted(origin: Origin, tmp_path: Path, scheme: str, named: bool) -> None:
    origin.handle("/a.bin", digest_auth("me", "right"))
    run = fetch(tmp_path, {"url": origin.url("/a.bin"), "auth": {"username": "me", "password": "wr0ng-word", "scheme": scheme}})
    error = run.entry()["error"]
    assert (error["kind"], error["status"], run.entry()["retries"]) == ("http_status", 401, [])
    assert ("wants Digest authentication" in error["message"]) is named
    assert "wr0ng" not in told(run)


@pytest.mark.parametrize("written", ["auth", "url", "environment"])
def test_a_user_name_alone_is_a_secret_that_is_sent(origin: Origin, tmp_path: Path, written: str) -> None:
    origin.serve("/a.bin", Body(10))
    origin.handle("/a.bin", basic_auth("t0ken-of-mine", ""))
    origin.handle("/b.bin", lambda seen: Status(403))
    entries: list[dict[str, Any]] = [{"url": origin.url(path)} for path in ("/a.bin", "/b.bin")]
    for entry in entries:
        if written == "url":
            entry["url"] = entry["url"].replace("http://", "http://t0ken-of-mine@")
        else:
            entry["auth"] = {"username": "t0ken-of-mine" if written == "auth" else "${TOKEN}"}
    run = marscore("run", write(tmp_path, entries), cwd=tmp_path, env={"TOKEN": "t0ken-of-mine"})
    assert [entry["status"] for entry in run.report["downloads"]] == ["downloaded", "failed"]
    assert "t0ken" not in told(run)
    planned = marscore("plan", "downloads.yaml", "--format", "json", cwd=tmp_path, env={"TOKEN": "t0ken-of-mine"})
    assert planned.code == 0
    assert "t0ken" not in planned.out + planned.err


@pytest.mark.parametrize("scheme", ["Digest", "negotiate", "1"])
def test_a_scheme_that_is_none_is_told_at_its_place(tmp_path: Path, scheme: str) -> None:
    manifest = write(tmp_path, [{"url": "http://a.example/x", "auth": {"username": "me", "scheme": scheme}}])
    run = marscore("validate", manifest, cwd=tmp_path)
    assert run.code == 2
    assert "downloads[0].auth.scheme: must be basic, digest or auto" in run.err


# Proxies


@pytest.mark.parametrize("status", [403, 407])
def test_a_tunnel_that_is_refused_is_not_asked_for_again(tmp_path: Path, status: int) -> None:
    with bad_proxy("wants_password" if status == 407 else "refuses") as proxy:
        run = fetch(tmp_path, {"url": "https://there.invalid/a.bin", "proxies": proxy.url("")}, defaults=QUICK)
        assert (run.entry()["error"]["kind"], run.entry()["error"]["status"]) == ("proxy", status)
        assert run.entry()["retries"] == []
        assert len(proxy.requests) == 1


def test_no_proxy_names_networks_and_ports(origin: Origin, tmp_path: Path) -> None:
    url = origin.serve("/a.bin", Body(10))
    with Origin() as proxy:
        proxy.handle_rest(lambda seen: Good(Body(20)))
        for number, (no_proxy, direct) in enumerate([("127.0.0.0/8", True), (f"127.0.0.1:{origin.port}", True), ("127.0.0.1:1", False)]):
            manifest = write(tmp_path, [{"url": url, "path": str(number)}])
            run = marscore("run", manifest, cwd=tmp_path, env={"http_proxy": proxy.url(""), "no_proxy": no_proxy})
            assert run.code == 0, run.err
            assert run.entry()["size"] == (10 if direct else 20)


def test_a_socks_proxy_of_the_environment_is_used_and_its_password_not_written(origin: Origin, tmp_path: Path) -> None:
    manifest = write(tmp_path, [origin.serve("/a.bin", Body(10)).replace("127.0.0.1", "localhost")])
    with socks(b"who:pr0xy-pass") as proxy:
        run = marscore("run", manifest, cwd=tmp_path, env={"all_proxy": f"socks5h://who:pr0xy-pass@127.0.0.1:{proxy.port}"})
        assert run.code == 0, run.err
        assert proxy.asked == ["localhost"]
        wrong = marscore("run", manifest, cwd=tmp_path, env={"all_proxy": f"socks5h://pr0xy-pass@127.0.0.1:{proxy.port}"})
    assert "pr0xy-pass" not in told(run) + told(wrong)


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_a_socks_proxy_of_the_manifest_is_used(origin: Origin, tmp_path: Path, scheme: str) -> None:
    with socks(b"who:pr0xy-pass") as proxy:
        proxies = f"{scheme}://who:pr0xy-pass@127.0.0.1:{proxy.port}"
        run = fetch(tmp_path, {"url": origin.serve("/a.bin", Body(10)), "proxies": proxies})
        assert run.code == 0, run.err
        assert proxy.asked == ["127.0.0.1"]
        assert "pr0xy-pass" not in told(run)


@pytest.mark.parametrize("proxy", ["ftp://a.example:1", "a.example:3128", "socks5://", "socks5://a b", "socks5h://a:99999"])
def test_a_proxy_that_is_none_is_told_at_its_place(tmp_path: Path, proxy: str) -> None:
    run = marscore("validate", write(tmp_path, [{"url": "http://a.example/x", "proxies": proxy}]), cwd=tmp_path)
    assert run.code == 2
    assert "downloads[0].proxies: must " in run.err


# Files of certificates


def test_what_a_manifest_names_is_looked_at_before_anything_starts(origin: Origin, tmp_path: Path) -> None:
    files = client_files(tmp_path / "tls")
    (tmp_path / "downloads.yaml").write_text(
        f"""version: 1
output_dir: data
defaults:
  verify: {tmp_path}/none.pem
downloads:
  - url: {origin.serve("/a.bin", Body(10))}
    verify: {files.key}
  - url: https://b.example/b
    cert: {{cert: {files.cert}, key: {files.encrypted}}}
  - url: https://c.example/c
    cert: {{cert: {files.cert}, key: {files.encrypted}, password: wr0ng-word}}
  - url: https://d.example/d
    cert: {files.cert}
"""
    )
    lines = (tmp_path / "downloads.yaml").read_text().splitlines()
    encrypted, password = lines[8].index("key: ") + 6, lines[10].index("password: ") + 11
    for verb in ("run", "validate", "plan"):
        run = marscore(verb, "downloads.yaml", cwd=tmp_path)
        assert run.code == 2
        assert [line.partition(":")[2] for line in run.err.splitlines() if line.startswith("downloads.yaml:")] == [
            "4:11: defaults.verify: names a file of certificates that is not there",
            "7:13: downloads[0].verify: names a file of certificates that holds no certificates",
            f"9:{encrypted}: downloads[1].cert.key: names a file that holds an encrypted private key, whose password cert.password gives",
            f"11:{password}: downloads[2].cert.password: does not decrypt the private key",
            "13:11: downloads[3].cert: names a file that holds no private key",
        ]
        assert "wr0ng" not in told(run)
    assert not origin.requests
    assert not (tmp_path / "data").exists()


def test_a_file_that_the_environment_names_may_be_elsewhere_until_the_run(tmp_path: Path) -> None:
    entry = {"url": "https://a.example/a", "verify": "${CA_FILE}", "cert": {"cert": "${CERT}", "password": "${WORD}"}}
    manifest, env = write(tmp_path, [entry]), {"CA_FILE": "/none/s3cret-place.pem", "CERT": "/none/c3rt.pem", "WORD": "w0rd-of-mine"}
    assert marscore("validate", manifest, cwd=tmp_path, env=env).code == 0
    run = marscore("run", manifest, cwd=tmp_path, env=env)
    assert run.code == 2
    assert "downloads[0].verify: names a file of certificates that is not there" in run.err
    assert "downloads[0].cert.cert: names a file that is not there" in run.err
    assert not any(secret in told(run) for secret in ("s3cret", "c3rt", "w0rd"))


@pytest.mark.parametrize("variable", BUNDLES)
def test_what_the_environment_names_fails_at_once_by_name(tmp_path: Path, tls: Tls, variable: str) -> None:
    with Origin(tls=tls.server_context()) as origin:
        manifest = write(tmp_path, [origin.serve("/a.bin", Body(10))], defaults=QUICK)
        env = dict.fromkeys(BUNDLES, "") | {variable: str(tmp_path / "none.pem")}
        run = marscore("run", manifest, cwd=tmp_path, env=env)
        error = run.entry()["error"]
        assert (run.code, error["kind"], run.entry()["retries"]) == (1, "tls", [])
        assert error["message"] == f"{variable} names {tmp_path / 'none.pem'}, which is not there"
        assert origin.connections_accepted == 0


def test_an_encrypted_key_is_used_and_its_password_not_written(tmp_path: Path, tls: Tls) -> None:
    files, context = client_files(tmp_path / "tls"), tls.server_context()
    context.load_verify_locations(files.authority)
    context.verify_mode = ssl.CERT_REQUIRED
    with Origin(context) as origin:
        cert = {"cert": str(files.cert), "key": str(files.encrypted), "password": "${WORD}"}
        manifest = write(tmp_path, [{"url": origin.serve("/a.bin", Body(10)), "verify": str(tls.authority), "cert": cert}])
        run = marscore("run", manifest, cwd=tmp_path, env={"WORD": files.password})
        assert run.code == 0, run.err
        assert files.password not in told(run)
