"""What servers may not make a run do, and what a run never tells."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from marscore.adapters.http.requests_client import RequestsClient
from marscore.errors import OriginError
from marscore.ports import Request
from marscore.url import parse_url
from marscore.values import Access
from tests.integration.command import command, environment, fetch, marscore, read_report, write
from tests.integration.test_interrupt_and_resume import stop_midway
from tests.origin import Body, Good, Origin, Seen, Status, Step, busy, redirect

REFUSE = {"private_addresses": "refuse"}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "１２７.0.0.1", "[::ffff:127.0.0.1]"])
def test_a_redirect_to_a_private_address_is_refused_where_the_manifest_says_so(origin: Origin, tmp_path: Path, host: str) -> None:
    with Origin() as inner:
        port = inner.serve("/there.bin", Body(10)).split(":")[2].split("/")[0]
        here = origin.handle("/here.bin", lambda seen: redirect(f"http://{host}:{port}/there.bin".encode().decode("latin-1")))
        plain = origin.serve("/plain.bin", Body(10))
        run = fetch(tmp_path, here, plain, security=REFUSE)
        assert run.code == 1
        assert run.entry(0)["error"]["kind"] == "redirect"
        assert "private_addresses" in run.entry(0)["error"]["message"]
        assert run.entry(1)["status"] == "downloaded", "the manifest's own URL is its author's choice"
        # Who redirects learns nothing of what is there, not even whether somebody listens.
        assert inner.connections_accepted == 0
        assert run.entry(0)["retries"] == []


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f.1", "0177.0.0.1"])
def test_an_address_in_another_form_is_no_host_to_anybody(origin: Origin, tmp_path: Path, host: str) -> None:
    with Origin() as inner:
        here = origin.handle("/here.bin", lambda seen: redirect(f"http://{host}:{inner.port}/there.bin"))
        run = fetch(tmp_path, here, security=REFUSE)
        assert run.entry()["error"]["kind"] == "redirect"
        assert inner.connections_accepted == 0


def test_a_redirect_to_a_private_address_is_followed_by_default(origin: Origin, tmp_path: Path) -> None:
    with Origin() as inner:
        there = inner.serve("/there.bin", Body(10))
        assert fetch(tmp_path, origin.handle("/here.bin", lambda seen: redirect(there))).code == 0


def test_a_name_that_becomes_private_after_it_was_looked_up_is_refused_before_the_request(origin: Origin) -> None:
    with Origin() as inner:
        there = inner.serve("/there.bin", Body(10))
        here = origin.handle("/here.bin", lambda seen: redirect(there))
        client = RequestsClient(1, resolve=lambda host, port: ["93.184.216.34"])
        with pytest.raises(OriginError) as caught:
            client.open(Request(parse_url(here), Access(private_addresses="refuse")))
        assert caught.value.failure.kind == "redirect"
        assert not inner.requests
        client.close()


def test_headers_that_are_named_go_along_to_another_origin_and_no_others(origin: Origin, tmp_path: Path) -> None:
    with Origin() as other:
        other.serve("/there.bin", Body(10))
        here = origin.handle("/here.bin", lambda seen: redirect(other.url("/there.bin")))
        headers = {"X-Build": "7", "Authorization": "Bearer abcdefgh", "Cookie": "sid=abcdefgh"}
        assert fetch(tmp_path, {"url": here, "headers": headers, "forward_headers": ["x-build"]}).code == 0
        assert other.requests[0].fields["x-build"] == "7"
        assert not {"authorization", "cookie"} & set(other.requests[0].fields)


def test_a_wrong_security_section_is_an_error_at_its_place(tmp_path: Path) -> None:
    write(tmp_path, ["http://h/a"], security={"private_addresses": "maybe"})
    run = marscore("validate", "downloads.yaml", cwd=tmp_path)
    assert run.code == 2
    assert "security.private_addresses" in run.err


SECRETS = {
    "ENV": "env-0123456789",
    "HEADER": "header-0123456789",
    "COOKIE": "cookie-0123456789",
    "USERINFO": "userinfo-0123456789",
    "BASIC": "basic-0123456789",
    "NETRC": "netrc-0123456789",
    "QUERY": "query-0123456789",
    "PROXY": "proxy-0123456789",
}


class Echo:
    """A handler that tells each header back wherever a server's words go: first with a 503, then with the file."""

    def __init__(self) -> None:
        self._answered = False

    def __call__(self, seen: Seen) -> Step:
        told = "; ".join(f"{name}={value}" for name, value in seen.fields.items())
        if self._answered:
            return Good(fields=(("ETag", f'"{told}"'), ("Last-Modified", told)))
        self._answered = True
        return Status(503, (("ETag", f'"{told}"'), ("Location", f"/x?{told}")), told.encode(), retry_after="0")


def test_no_secret_is_ever_written_or_shown(origin: Origin, tmp_path: Path) -> None:
    for path in ("/env", "/header", "/userinfo", "/basic", "/netrc", "/query"):
        origin.serve(path, Body(50))
        origin.handle(path, Echo())
    origin.handle("/denied", lambda seen: busy(403))
    origin.handle("/moved", lambda seen: redirect(origin.url(f"/query?again=1&X-Amz-Signature={SECRETS['QUERY']}")))
    (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login me password {SECRETS['NETRC']}\n")
    (tmp_path / "netrc").chmod(0o600)
    with_user = origin.url("/userinfo").replace("http://", f"http://me:{SECRETS['USERINFO']}@")
    entries = [
        {"url": origin.url("/env?v=${MY_ENV}"), "headers": {"X-Mine": "${MY_ENV}"}},
        {"url": origin.url("/header"), "headers": {"Authorization": f"Bearer {SECRETS['HEADER']}", "Cookie": f"sid={SECRETS['COOKIE']}"}},
        {"url": with_user},
        {"url": origin.url("/basic"), "auth": {"username": "me", "password": SECRETS["BASIC"]}},
        {"url": origin.url("/netrc"), "auth": "netrc"},
        {"url": origin.url(f"/query?access_token={SECRETS['QUERY']}")},
        {"url": origin.url(f"/denied?sig={SECRETS['QUERY']}")},
        {"url": origin.url("/moved"), "path": "moved"},
    ]
    write(tmp_path, entries, execution={"processes": 2}, defaults={"retry": {"max_retries": 2, "backoff": {"initial": "1ms"}}})
    own = {"MY_ENV": SECRETS["ENV"], "NETRC": str(tmp_path / "netrc"), "FTP_PROXY": f"http://me:{SECRETS['PROXY']}@127.0.0.1:1"}
    process = subprocess.Popen(
        command("run", "downloads.yaml", "--log-file", "log.jsonl", "--log-level", "debug", "--github", "--report-junit", "junit.xml"),
        cwd=tmp_path,
        env=environment({**own, "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    command_lines = watch_command_lines(process)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1, err
    assert [entry["status"] for entry in read_report(tmp_path / "data")["downloads"]] == ["downloaded"] * 6 + ["failed", "downloaded"]
    plan = marscore("plan", "downloads.yaml", cwd=tmp_path, env=own)
    kept = b"".join(p.read_bytes() for p in (tmp_path / "data" / ".marscore").rglob("*") if p.is_file())
    written = {"out": out, "err": err, "log": (tmp_path / "log.jsonl").read_text(), "plan": plan.out + plan.err}
    written |= {"JUnit": (tmp_path / "junit.xml").read_text(), "summary": (tmp_path / "summary.md").read_text()}
    assert "::error file=" in err
    written |= {"kept": kept.decode("latin-1"), "command lines": command_lines}
    forms = {name: (value, base64.b64encode(f"me:{value}".encode()).decode()) for name, value in SECRETS.items()}
    shown = [(where, name) for where, text in written.items() for name, values in forms.items() if any(value in text for value in values)]
    assert shown == []


def test_no_secret_is_in_a_journal(origin: Origin, tmp_path: Path) -> None:
    size, secret = 12 * 1024 * 1024, SECRETS["HEADER"]
    told = (("ETag", f'"{secret}"'), ("Last-Modified", secret), ("Date", secret))
    url = origin.serve("/file.bin", Body(size), [Good(fields=told, stall_after=size // 2, stall_s=120)])
    entry = {"url": url, "headers": {"Authorization": f"Bearer {secret}"}}
    stop_midway(tmp_path, write(tmp_path, [entry], execution={"processes": 1, "threads": 1}), signal.SIGTERM, size // 2)
    [journal] = (tmp_path / "data" / ".marscore" / "partial").glob("*.journal")
    assert secret not in journal.read_text()


def watch_command_lines(process: subprocess.Popen[str]) -> str:
    """Everything that the process list shows of this process and its children while it runs."""
    seen = set[str]()
    while process.poll() is None:
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                text = entry.read_text(errors="replace")
            except OSError:
                continue
            if "marscore" in text:
                seen.add(text)
        time.sleep(0.05)
    return json.dumps(sorted(seen))
