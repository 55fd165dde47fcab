"""Starting, ending, TLS, and the origin as a program."""

from __future__ import annotations

import gc
import hashlib
import http.client
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest

from tests.origin import Body, Good, Origin, Raw, Step, content
from tests.origin.server import wrapped
from tests.servers import Tls, make_tls
from tests.unit.origin.wire_client import LIMIT_S, get

#: What is left of a minute that something would have lasted; and a thread that does not end is waited for as long.
PROMPT_S = 5

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    "step", [Good(delay_s=60), Good(stall_after=10, stall_s=60), Good(head_every_s=60), Raw(b"", hold_s=60), Good(rate=1)]
)
def test_closing_is_prompt_whatever_is_going_on(step: Step) -> None:
    before = set(threading.enumerate())
    with Origin() as origin, socket.create_connection((origin.host, origin.port)) as sock:
        origin.serve("/a", Body(10**9), [step])
        sock.sendall(b"GET /a HTTP/1.1\r\n\r\n")
        assert origin.wait_for_requests(1)
        began = time.monotonic()
        origin.close()
        assert time.monotonic() - began < PROMPT_S
        assert origin.open_connections == 0
    assert set(threading.enumerate()) <= before


def test_closing_while_the_client_does_not_read() -> None:
    with Origin() as origin, socket.create_connection((origin.host, origin.port)) as sock:
        origin.serve("/a", Body(10**9))
        sock.sendall(b"GET /a HTTP/1.1\r\n\r\n")
        assert sock.recv(1)
        began = time.monotonic()
        origin.close()
        assert time.monotonic() - began < PROMPT_S


def test_closing_in_the_middle_of_a_handshake(tls: Tls) -> None:
    with Origin(tls.server_context()) as origin, socket.create_connection((origin.host, origin.port)):
        began = time.monotonic()
        origin.close()
        assert time.monotonic() - began < PROMPT_S


def test_on_ipv6() -> None:
    with Origin(host="::1") as origin:
        origin.serve("/a", Body(10))
        assert origin.url("/a") == f"http://[::1]:{origin.port}/a"
        assert get(origin, "/a").body == content(1, 0, 10)


def secure(origin: Origin, authority: Path) -> http.client.HTTPSConnection:
    context = ssl.create_default_context(cafile=str(authority))
    return http.client.HTTPSConnection(origin.host, origin.port, timeout=LIMIT_S, context=context)


@pytest.mark.parametrize("length", ["true", "none"])
def test_over_tls(tls: Tls, length: str) -> None:
    with Origin(tls.server_context()) as origin:
        origin.serve("/a", Body(100_000), [Good(length=length)])  # type: ignore[arg-type]  # one of its literals
        connection = secure(origin, tls.authority)
        connection.request("GET", "/a")
        assert connection.getresponse().read() == content(1, 0, 100_000)
        connection.close()


def test_an_end_over_tls_is_told_and_a_cut_is_not(tls: Tls) -> None:
    with Origin(tls.server_context()) as origin:
        context = ssl.create_default_context(cafile=str(tls.authority))
        for step, ragged in ((Good(length="none"), False), (Good(length="none", cut_after=10), True)):
            origin.serve("/a", Body(100), [step])
            plain = socket.create_connection((origin.host, origin.port), LIMIT_S)
            with context.wrap_socket(plain, server_hostname=origin.host, suppress_ragged_eofs=False) as sock:
                sock.sendall(b"GET /a HTTP/1.1\r\n\r\n")
                assert is_ragged(sock) is ragged


def is_ragged(sock: ssl.SSLSocket) -> bool:
    try:
        while sock.recv(65_536):
            pass
    except ssl.SSLEOFError:
        return True
    return False


@pytest.mark.parametrize(("flaw", "says"), [("wrong_host", "mismatch"), ("expired", "expired"), ("self_signed", "self.signed")])
def test_flawed_certificates_are_refused(tmp_path: Path, flaw: str, says: str) -> None:
    tls = make_tls(tmp_path, flaw)  # type: ignore[arg-type]  # one of its literals
    with Origin(tls.server_context()) as origin:
        connection = secure(origin, tls.authority)
        with pytest.raises(ssl.SSLCertVerificationError, match=says):
            connection.request("GET", "/")
        connection.close()


def program(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.origin", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("end", ["sigterm", "sigint", "eof"])
def test_as_a_program(end: str) -> None:
    with program("--port", "0", "--demo", *(["--until-eof"] if end == "eof" else [])) as process:
        assert process.stdout
        url = process.stdout.readline().strip()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{url}/files/hello.txt") as response:
            assert response.read() == b"Hello from the origin.\n"
        if end != "eof":
            process.send_signal({"sigterm": signal.SIGTERM, "sigint": signal.SIGINT}[end])
        _, errors = process.communicate(timeout=LIMIT_S)
        assert (process.returncode, errors) == (0, "")


def test_its_list_tells_the_truth() -> None:
    out, _ = program("--list").communicate(timeout=30)
    digests = {path: digest for digest, _, path in (line.split() for line in out.splitlines())}
    assert digests["/files/hello.txt"] == "sha256:" + hashlib.sha256(b"Hello from the origin.\n").hexdigest()
    assert len(digests) == 14


def test_a_client_that_goes_before_the_handshake_leaves_no_socket_open(tls: Tls) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client = socket.create_connection(listening.getsockname())
        taken, _ = listening.accept()
        client.sendall(b"hello")
        # A reset.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        time.sleep(0.05)
        stream = wrapped(tls.server_context(), taken)
        if stream is not None:
            stream.close()
    gc.collect()
