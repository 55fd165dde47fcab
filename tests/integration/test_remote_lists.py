"""`downloads: {from: URL}`: a list of rows is fetched before it is read, and the kept one is read where nobody is asked."""

from __future__ import annotations

import gzip
import hashlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import obstore
import pytest
import requests

import marscore as library
from marscore.adapters.stores.objects import Objects
from marscore.adapters.stores.opened import open_store
from marscore.destination import Destination
from marscore.policy.retry import Patience
from marscore.resolve.streamed import MOST
from tests.integration.command import marscore, write
from tests.integration.test_interrupt_and_resume import end, start, wait_until
from tests.origin import Body, Good, Origin, Seen, Step, busy, redirect

FILES = [Body(2_000 + number, seed=number) for number in range(3)]
FAST = {"retry": {"max_retries": 1, "backoff": {"initial": "1ms"}}}


@pytest.fixture
def other() -> Iterator[Origin]:
    """Where the list is, of another origin than its rows."""
    with Origin() as origin:
        yield origin


def rows(origin: Origin, more: str = "") -> bytes:
    links = [origin.serve(f"/{number}.bin", body) for number, body in enumerate(FILES)]
    return ("link\n" + "".join(f"{link}\n" for link in links) + more).encode()


def listed(text: bytes) -> Body:
    return Body(text=text, etag=f'"{hash(text)}"', content_type="text/csv")


def manifest(folder: Path, source: object, defaults: dict[str, Any] | None = None, **more: Any) -> None:
    write(folder, [{"from": source, "url": "link", **more}], defaults={**FAST, **(defaults or {})})


def test_a_list_is_fetched_read_and_asked_about_by_the_next_run(origin: Origin, other: Origin, tmp_path: Path) -> None:
    packed = listed(gzip.compress(rows(origin), mtime=0))
    url = other.serve("/lists/rows.csv.gz", packed, [busy(), Good(packed)])
    manifest(tmp_path, url)
    assert "0 downloads" in (before := marscore("validate", "downloads.yaml", cwd=tmp_path)).out
    assert f"the list {url} is not here yet: its rows are not checked" in before.err
    assert marscore("plan", "downloads.yaml", cwd=tmp_path).code == 2
    run = marscore("run", "downloads.yaml", cwd=tmp_path)
    assert run.code == 0, run.err
    assert run.report["totals"]["downloaded"] == 3
    assert [run.data(f"{number}.bin") == body.read(0, body.length) for number, body in enumerate(FILES)] == [True] * 3
    assert len(other.requests) == 2, "the first was told to come again"
    assert sorted(path.name for path in run.folder.iterdir()) == [".marscore", "0.bin", "1.bin", "2.bin"]
    again = marscore("run", "downloads.yaml", cwd=tmp_path)
    assert again.report["totals"]["up_to_date"] == 3
    assert other.requests[2].fields["if-none-match"]
    assert len(origin.requests) == 3
    # Others read the one that is here, and ask nobody.
    for verb in ("validate", "plan", "verify"):
        assert marscore(verb, "downloads.yaml", cwd=tmp_path).code == 0
    assert marscore("run", "downloads.yaml", "--offline", cwd=tmp_path).report["totals"]["up_to_date"] == 3
    assert len(other.requests) == 3


def test_a_long_list_is_streamed_as_one_of_this_machine(origin: Origin, other: Origin, tmp_path: Path) -> None:
    url = other.serve("/rows.csv", listed(rows(origin, "none\n" * MOST)))
    manifest(tmp_path, url, on_bad_row="skip")
    run = marscore("run", "downloads.yaml", cwd=tmp_path)
    assert (run.code, run.report["totals"]["downloaded"], run.report["totals"]["failed"]) == (1, 3, MOST)
    assert run.entry(3)["error"]["message"].startswith(f"{url}:5:1: downloads[0][3].url: must begin with http")
    assert run.entry(3)["path"] == "rows.csv, line 5"


def test_what_is_wrong_with_a_row_is_told_at_the_lists_url(origin: Origin, other: Origin, tmp_path: Path) -> None:
    url = other.serve("/rows.csv", listed(rows(origin, "none\n")))
    manifest(tmp_path, url)
    run = marscore("run", "downloads.yaml", cwd=tmp_path)
    assert run.code == 2
    assert f"{url}:5:1: downloads[0][3].url: must begin with http" in run.err
    assert origin.requests == []


def test_a_list_that_cannot_be_had_ends_the_run_and_offline_takes_the_last(origin: Origin, other: Origin, tmp_path: Path) -> None:
    url = other.serve("/rows.csv", listed(rows(origin)))
    manifest(tmp_path, url)
    offline = marscore("run", "downloads.yaml", "--offline", cwd=tmp_path)
    assert (offline.code, "could not be had" in offline.err, other.requests) == (3, True, [])
    assert marscore("run", "downloads.yaml", cwd=tmp_path).code == 0
    other.handle("/rows.csv", lambda seen: busy(500))
    run = marscore("run", "downloads.yaml", cwd=tmp_path)
    assert run.code == 3
    assert f"the list {url} could not be had: " in run.err
    assert "--offline takes the one of the last run" in run.err
    assert marscore("run", "downloads.yaml", "--offline", cwd=tmp_path).report["totals"]["up_to_date"] == 3


def test_a_list_may_have_a_checksum(origin: Origin, other: Origin, tmp_path: Path) -> None:
    body = listed(rows(origin))
    url = other.serve("/rows.csv", body)
    wrong = Body(text=body.read(0, body.length).replace(b"/0.bin", b"/1.bin")).sha256
    # A second entry that has none is held to it as well.
    entries = [{"from": {"url": url, "checksum": f"sha256:{wrong}"}, "url": "link"}, {"from": url, "url": "link", "path": "b/{key}"}]
    write(tmp_path, entries, defaults=FAST)
    run = marscore("run", "downloads.yaml", cwd=tmp_path)
    assert (run.code, "could not be had" in run.err, origin.requests) == (3, True, [])
    entries[0]["from"] = {"url": url, "checksum": f"sha256:{body.sha256}"}
    write(tmp_path, entries, defaults=FAST)
    assert marscore("run", "downloads.yaml", cwd=tmp_path).code == 0
    count = len(other.requests)
    # A list that is known to be right is not asked about.
    assert marscore("run", "downloads.yaml", cwd=tmp_path).code == 0
    assert len(other.requests) == count


def test_credentials_go_where_they_are_written_for(origin: Origin, other: Origin, tmp_path: Path) -> None:
    env = {"FILES_TOKEN": "token-of-the-files", "LIST_TOKEN": "token-of-the-list", "IN_URL": "word-in-the-url"}
    served = listed(rows(origin))

    def lists(seen: Seen) -> Step:
        return redirect(origin.url("/elsewhere.csv")) if seen.fields.get("authorization") == "Bearer token-of-the-list" else busy(403)

    origin.serve("/elsewhere.csv", served)
    other.handle_rest(lists)
    source = {"url": other.url("/${IN_URL}/rows.csv?sig=of-the-url"), "headers": {"Authorization": "Bearer ${LIST_TOKEN}"}}
    headers = {"Authorization": "Bearer ${FILES_TOKEN}", "User-Agent": "ci/1.0"}
    manifest(tmp_path, source, {"headers": headers})
    refused = marscore("run", "downloads.yaml", cwd=tmp_path, env=env)
    assert refused.code == 2
    assert "would have what the manifest sends (headers, auth, cert) sent to another origin" in refused.err
    assert [seen.fields.get("authorization") for seen in origin.requests] == [None], "the redirect of the list"
    # The author says where the files are, or what the list is.
    names = listed(b"link\n0.bin\n1.bin\n2.bin\n")
    origin.serve("/elsewhere.csv", names)
    write(tmp_path, [{"from": source, "url": origin.url("/{link}")}], defaults={**FAST, "headers": headers})
    run = marscore("run", "downloads.yaml", "--log-level", "debug", cwd=tmp_path, env=env)
    assert run.code == 0, run.err
    assert {seen.fields.get("authorization") for seen in origin.requests_for("/0.bin")} == {"Bearer token-of-the-files"}
    assert {seen.fields.get("authorization") for seen in origin.requests_for("/elsewhere.csv")} == {None}
    assert {seen.fields["authorization"] for seen in other.requests} == {"Bearer token-of-the-list"}
    assert {seen.fields["user-agent"] for seen in other.requests} == {"ci/1.0"}
    shown = refused.out + refused.err + run.out + run.err + (run.folder / ".marscore/report.json").read_text()
    for secret in (*env.values(), "of-the-url"):
        assert secret not in shown
        assert all(secret.encode() not in path.read_bytes() for path in (run.folder / ".marscore").rglob("*") if path.is_file())


@pytest.mark.parametrize("tampered", [False, True])
def test_an_object_of_a_store_is_a_list_as_well(origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tampered: bool) -> None:
    text = rows(origin)
    where = Destination("memory", f"lists-of-{tmp_path.name[-20:].strip('-_.')}")
    obstore.put(open_store(where, Patience()), "a/rows.csv", text + (b"none\n" if tampered else b""))
    source = {"url": f"{where.url()}/a/rows.csv", "checksum": f"sha256:{Body(text=text).sha256}"}
    job = {"version": 1, "output_dir": os.fspath(tmp_path / "data"), "downloads": {"from": source, "url": "link"}}
    if tampered:
        with pytest.raises(library.StorageError, match=r"rows\.csv could not be had: its sha256 is"):
            library.run(job)
        assert origin.requests == []
        return
    assert library.run(job).totals.downloaded == 3
    obstore.delete(open_store(where, Patience()), "a/rows.csv")
    with pytest.raises(library.StorageError, match="there is no such object"):
        library.run(job)
    assert library.run(job, network="offline").totals.up_to_date == 3


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("https://example.com/rows.txt", "must end in .csv"),
        ("ftp://example.com/rows.csv", "must be the path of a file, or a URL of http"),
        ("file:///rows.csv", "must be the path of a file, or a URL of http, https, s3, gs or az"),
        ({"url": "rows.csv", "checksum": "sha256:" + 64 * "0"}, "must be a URL where it has checksum"),
        ({"url": "s3://bucket/rows.csv", "auth": "netrc"}, "must have no auth"),
        ({"url": "https://example.com/rows.csv", "auth": {"password": "x"}}, "must have a username in auth"),
    ],
)
def test_what_is_no_list_is_told_at_its_place(tmp_path: Path, source: object, told: str) -> None:
    manifest(tmp_path, source)
    run = marscore("validate", "downloads.yaml", cwd=tmp_path)
    assert (run.code, told in run.err) == (2, True), run.err


def test_a_signal_ends_a_run_that_fetches_its_list(origin: Origin, tmp_path: Path) -> None:
    held = threading.Event()
    manifest(tmp_path, origin.serve("/rows.csv", listed(b"link\n" * 5_000), [Good(stall_after=10, stall_s=60, until=held)]))
    process = start(tmp_path, "downloads.yaml")
    wait_until(lambda: bool(origin.requests), "the request")
    process.send_signal(signal.SIGINT)
    run = end(tmp_path, process)
    held.set()
    assert (run.code, "Traceback" in run.err) == (130, False), run.err


def test_what_a_session_sends_goes_to_no_list_and_not_where_one_leads(origin: Origin, other: Origin, tmp_path: Path) -> None:
    session = requests.Session()
    session.auth = ("me", "secret")
    body = listed(b"link,name\n%s,a\n" % other.serve("/a", Body(100)).encode())
    url = origin.serve("/rows.csv", body)
    entry = {"url": "link", "path": "{name}"}
    with pytest.raises(library.ManifestError, match="not pinned by a checksum"):
        library.run({"version": 1, "output_dir": str(tmp_path / "data"), "downloads": {"from": url, **entry}}, session=session)
    assert origin.requests == other.requests == []
    pinned = {"from": {"url": url, "checksum": f"sha256:{body.sha256}"}, **entry}
    assert library.run({"version": 1, "output_dir": str(tmp_path / "data"), "downloads": pinned}, session=session).ok
    assert "authorization" not in origin.requests[0].fields
    assert "authorization" in other.requests[0].fields


@pytest.mark.parametrize("length", ["told", "not told"])
def test_a_list_may_be_too_large(origin: Origin, other: Origin, tmp_path: Path, length: str) -> None:
    text = rows(origin, "https://example.invalid/\n" * 200_000)
    body = listed(text)
    url = other.serve("/rows.csv", body, [Good(length="true" if length == "told" else "chunked")] * 4)
    manifest(tmp_path, {"url": url, "max_size": "1MiB"})
    run = marscore("run", "downloads.yaml", cwd=tmp_path)
    assert run.code == 3, run.err
    assert f"the list {url} could not be had: the file has more than max_size, 1048576 bytes" in run.err
    assert origin.requests == []
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) < 2 * 2**20


def test_an_object_that_is_a_list_may_be_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = Objects(Destination("memory", "lists-of-this-size", ""), Patience())
    objects.put("rows.csv", bytes(100), hashlib.sha256(bytes(100)).hexdigest())
    assert objects.save("rows.csv", tmp_path / "rows.csv", 100)
    with pytest.raises(library.StorageError, match="more than max_size, 99 bytes"):
        objects.save("rows.csv", tmp_path / "other.csv", 99)
    assert not (tmp_path / "other.csv").exists()


@pytest.mark.parametrize("lane", ["auto", "requests"])
@pytest.mark.parametrize("pinned", ["no", "by a checksum", "by its url"])
def test_rows_of_a_list_from_elsewhere_lead_to_no_private_address(
    origin: Origin, other: Origin, tmp_path: Path, lane: str, pinned: str
) -> None:
    port = origin.url("/").rpartition(":")[2].strip("/")
    origin.serve("/0.bin", FILES[0])
    links = [
        f"http://127.0.0.1:{port}/0.bin",
        f"http://localhost:{port}/0.bin",
        "http://169.254.169.254/latest",
        other.serve("/1.bin", FILES[1]),
    ]
    if pinned != "no":
        links = [links[0], links[3]] if pinned == "by a checksum" else [links[0]]
    text = (
        "link,name\n" + "".join(f"{link if pinned != 'by its url' else '0.bin'},{number}\n" for number, link in enumerate(links))
    ).encode()
    source: dict[str, Any] = {"url": other.serve("/rows.csv", listed(text))}
    if pinned == "by a checksum":
        source["checksum"] = f"sha256:{hashlib.sha256(text).hexdigest()}"
    link = f"http://127.0.0.1:{port}/{{link}}" if pinned == "by its url" else "link"
    write(
        tmp_path,
        [{"from": source, "url": link, "path": "{name}"}],
        defaults={**FAST, "timeout": {"connect": "2s"}},
        security={"private_addresses": "refuse"},
        execution={"lane": lane},
    )
    run = marscore("run", "downloads.yaml", cwd=tmp_path)
    if pinned != "no":
        # What the manifest's author has chosen may be on any address.
        assert run.code == 0, run.err
        return
    told = [(entry["status"], (entry["error"] or {}).get("message", "")) for entry in run.report["downloads"]]
    refused = "a list that is elsewhere leads to an address that is not public, which private_addresses refuses"
    assert told == [("failed", refused)] * 3 + [("downloaded", "")]
    assert origin.requests == []


@pytest.mark.parametrize("lane", ["auto", "requests"])
def test_what_netrc_has_is_not_sent_in_clear_where_only_a_list_leads(origin: Origin, other: Origin, tmp_path: Path, lane: str) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password from-netrc\n")
    (tmp_path / "netrc").chmod(0o600)
    url = other.serve("/rows.csv", listed(rows(origin) + other.serve("/own.bin", FILES[0]).encode() + b"\n"))
    write(tmp_path, [{"from": url, "url": "link"}], defaults={**FAST, "auth": "netrc"}, execution={"lane": lane})
    run = marscore("run", "downloads.yaml", cwd=tmp_path, env={"NETRC": str(tmp_path / "netrc")})
    assert run.code == 0, run.err
    assert [seen.fields.get("authorization") for seen in origin.requests] == [None] * 3
    # To its own origin, which stands in the manifest, a list may lead with them.
    assert all(seen.fields.get("authorization") for seen in other.requests)


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ({"headers": {"X-Token": "one"}}, {"headers": {"X-Token": "two"}}, "headers"),
        ({}, {"auth": "netrc"}, "auth"),
        ({"max_size": "1MiB"}, {}, "max_size"),
        ({"headers": {"X-Token": "one"}}, {"headers": {"X-Token": "one"}}, None),
    ],
)
def test_two_entries_ask_for_one_list_in_one_way(
    origin: Origin, other: Origin, tmp_path: Path, first: dict[str, Any], second: dict[str, Any], told: str | None
) -> None:
    url = other.serve("/rows.csv", listed(rows(origin)))
    entries = [{"from": {"url": url, **more}, "url": "link", "path": f"{name}/{{key}}"} for name, more in (("a", first), ("b", second))]
    write(tmp_path, entries, defaults=FAST)
    run = marscore("run", "downloads.yaml", cwd=tmp_path)
    if told is None:
        assert (run.code, len(other.requests)) == (0, 1), run.err
        return
    assert run.code == 2
    assert f"downloads[1].from: is asked for with other {told} than the same list at downloads[0].from" in run.err

    assert other.requests == []


@pytest.mark.parametrize(
    "entry",
    [
        {"url": "{link}/${A_TOKEN}"},
        {"url": "link", "mirrors": ["{link}/${A_TOKEN}/b"]},
        {"url": "link", "checksum": {"from": "{url}.sha256?key=${A_TOKEN}"}},
    ],
)
@pytest.mark.parametrize("count", [1, MOST + 1])
def test_a_secret_in_a_path_goes_to_no_origin_that_a_list_names(
    entry: dict[str, Any], count: int, origin: Origin, other: Origin, tmp_path: Path
) -> None:
    text = "link,name\n" + "".join(f"{origin.url('/x')},{number}\n" for number in range(count))
    url = other.serve("/rows.csv", listed(text.encode()))
    manifest(tmp_path, url, path="{name}", **entry)
    run = marscore("run", "downloads.yaml", cwd=tmp_path, env={"A_TOKEN": "token-of-the-environment"})
    assert (run.code, "sent to another origin" in run.err, origin.requests) == (2, True, []), run.err[-2000:]
