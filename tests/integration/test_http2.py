"""HTTP/2 with a real server: small files ride streams, and what is large gets connections of its own."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.disk import wrong_in
from tests.integration.command import Run, fetch, marscore, write
from tests.long import long
from tests.origin import Body
from tests.servers import Nginx, Tls, have_nginx, nginx
from tests.servers.streams import Errors, Plain, Reply, streams

pytest.importorskip("pycurl", reason="pycurl has no wheel for this system")
pytestmark = [
    pytest.mark.skipif(not have_nginx(), reason="needs nginx (Debian: nginx-light)"),
    pytest.mark.skipif(os.environ.get("MARSCORE_LANE") == "requests", reason="requests speaks HTTP/1.1 alone"),
]

MIB = 1024 * 1024
SMALL = {f"{n}.bin": Body(2000 + 531 * (n % 40), seed=n) for n in range(400)}
LARGE = {f"large{n}.bin": Body(20 * MIB + n, seed=1000 + n) for n in range(3)}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, tls: Tls) -> Iterator[Nginx]:
    with nginx(tmp_path_factory.mktemp("nginx"), tls, http="2") as running:
        for name, body in (SMALL | LARGE).items():
            (running.root / name).write_bytes(body.read(0, body.length))
        yield running


def run(
    server: Nginx, tls: Tls, folder: Path, names: list[str], http: str | None, **execution: object
) -> tuple[Run, list[tuple[str, int]]]:
    """Fetch these files; returns the run, and each request line with its connection's number."""
    before = len(server.connections())
    named = {} if http is None else {"http": http}
    done = fetch(
        folder,
        *[server.url(name) for name in names],
        execution={"processes": 1, "threads": 8, **named, **execution},
        defaults={"verify": str(tls.authority), "retry": {"max_retries": 0}},
    )
    assert done.code == 0, done.err
    assert wrong_in(done.folder, {name: (SMALL | LARGE)[name] for name in names}) == []
    return done, server.connections()[before:]


def versions(requests: list[tuple[str, int]]) -> set[str]:
    return {line.split()[-1] for line, _ in requests}


def by_connection(requests: list[tuple[str, int]]) -> dict[int, int]:
    numbers = [connection for _, connection in requests]
    return {number: numbers.count(number) for number in numbers}


@pytest.mark.parametrize("http", [None, pytest.param("auto", marks=long), "2"])
def test_small_files_ride_streams_of_few_connections(server: Nginx, tls: Tls, tmp_path: Path, http: str | None) -> None:
    _, requests = run(server, tls, tmp_path, [*SMALL], http)
    assert versions(requests) == {"HTTP/2.0"}
    assert len(requests) == len(SMALL)
    # As many as are asked for at first may have a connection each, where nothing is known of the server; what follows rides on them.
    assert len(by_connection(requests)) <= (1 if http == "2" else 8)
    assert max(by_connection(requests).values()) > len(SMALL) * 0.9


def test_with_1_1_there_are_no_streams(server: Nginx, tls: Tls, tmp_path: Path) -> None:
    _, requests = run(server, tls, tmp_path, [*SMALL], "1.1")
    assert versions(requests) == {"HTTP/1.1"}
    assert len(by_connection(requests)) <= 8


@pytest.mark.parametrize("http", ["auto", "2"])
def test_ranges_of_a_large_file_have_connections_of_their_own(tls: Tls, tmp_path: Path, http: str) -> None:
    # So slow that further connections help.
    with nginx(tmp_path / "nginx", tls, throttle=8 * MIB, http="2") as server:
        (server.root / "large0.bin").write_bytes(LARGE["large0.bin"].read(0, LARGE["large0.bin"].length))
        done, requests = run(server, tls, tmp_path, ["large0.bin"], http)
    assert done.entry()["segments"] > 1
    assert len(requests) > 1
    assert versions(requests) == ({"HTTP/2.0"} if http == "2" else {"HTTP/2.0", "HTTP/1.1"})
    # The first request is the whole, and nothing else rides with it.
    assert by_connection(requests)[requests[-1][1]] >= 1
    assert len(by_connection(requests)) == len(requests) or http == "auto"


def test_large_files_ride_no_streams_together(server: Nginx, tls: Tls, tmp_path: Path) -> None:
    _, requests = run(server, tls, tmp_path, [*LARGE], "auto")
    whole = [connection for line, connection in requests if line.endswith("HTTP/2.0")]
    assert len(whole) == len(set(whole))


def test_files_of_all_sizes_together_in_any_order(server: Nginx, tls: Tls, tmp_path: Path) -> None:
    names = [*SMALL, *LARGE]
    random.Random(1).shuffle(names)
    for number, http in enumerate(("auto", "2")):
        (tmp_path / str(number)).mkdir()
        run(server, tls, tmp_path / str(number), names, http, processes=2)


def test_a_rate_is_kept_over_streams(server: Nginx, tls: Tls, tmp_path: Path) -> None:
    done, _ = run(server, tls, tmp_path, ["large0.bin", *[*SMALL][:40]], "2", max_rate="8MiB")
    assert done.report["duration_s"] > 1.5


def test_a_version_is_refused_at_its_place_where_nothing_speaks_it(tmp_path: Path) -> None:
    for http in ("2", "3"):
        name = write(tmp_path, ["https://127.0.0.1:9/a"], execution={"lane": "requests", "http": http})
        refused = marscore("run", name, cwd=tmp_path)
        assert refused.code == 2
        assert "execution.http: must be auto or 1.1 with lane: requests" in refused.err
    refused = marscore("run", write(tmp_path, ["https://127.0.0.1:9/a"], execution={"http": "4"}), cwd=tmp_path)
    assert refused.code == 2
    assert "downloads.yaml:4:9: execution.http: must be auto, 1.1, 2 or 3" in refused.err


@pytest.mark.parametrize("written", ["auto", "1.1", "2", "'2'", '"1.1"', '"${VERSION}"'])
def test_a_version_is_written_with_quotes_or_without(tmp_path: Path, written: str) -> None:
    (tmp_path / "downloads.yaml").write_text(f"version: 1\nexecution: {{http: {written}}}\ndownloads: ['https://127.0.0.1:9/a']\n")
    assert marscore("validate", "downloads.yaml", cwd=tmp_path, env={"VERSION": "2"}).code == 0


def test_http_3_is_an_error_at_its_place_unless_libcurl_has_it(tmp_path: Path) -> None:
    import pycurl  # noqa: PLC0415 - not everywhere

    name = write(tmp_path, ["https://127.0.0.1:9/a"], execution={"http": "3"}, defaults={"retry": {"max_retries": 0}, "timeout": "2s"})
    done = marscore("run", name, cwd=tmp_path)
    if pycurl.version_info()[4] & pycurl.VERSION_HTTP3:
        assert (done.code, done.entry()["error"]["kind"]) == (1, "connection")
    else:
        assert done.code == 2
        assert "downloads.yaml:4:9: execution.http: must be auto, 1.1 or 2 here" in done.err


def test_a_server_that_goes_away_after_some_requests_costs_no_retry(tls: Tls, tmp_path: Path) -> None:
    with nginx(tmp_path / "nginx", tls, more="keepalive_requests 40;", http="2") as server:
        for name, body in SMALL.items():
            (server.root / name).write_bytes(body.read(0, body.length))
        for http in ("auto", "2"):
            (tmp_path / http).mkdir()
            done, requests = run(server, tls, tmp_path / http, [*SMALL], http)
            assert done.report["totals"]["retries"] == 0
            assert len(by_connection(requests)) >= 10


@pytest.mark.parametrize("http", ["auto", "2"])
def test_streams_that_break_off_are_retried_and_go_on_where_they_broke(tls: Tls, tmp_path: Path, http: str) -> None:
    body = Body(3 * MIB, seed=7)
    whole = body.read(0, body.length)

    def answer(_path: str, nth: int) -> Reply:
        return Reply(whole, sent=2 * MIB, reset=Errors.INTERNAL_ERROR) if nth == 0 else Reply(whole)

    plain = Plain(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", whole)
    with streams(tls, answer, plain=plain) as server:
        done = fetch(
            tmp_path,
            {"url": server.url("/a.bin"), "checksum": f"sha256:{body.sha256}", "threads": 1},
            execution={"http": http},
            defaults={"verify": str(tls.authority), "retry": {"max_retries": 2, "backoff": {"initial": "1ms"}}},
        )
    assert done.code == 0, done.err
    assert [retry["kind"] for retry in done.entry()["retries"]] == ["truncated"]
    assert wrong_in(done.folder, {"a.bin": body}) == []
