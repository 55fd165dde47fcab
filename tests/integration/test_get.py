"""`marscore get` in a folder where a person stands: the files are there, and nothing else is."""

from __future__ import annotations

import hashlib
import html
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.integration.command import LIMIT_S, Process, ended, started
from tests.integration.test_interrupt_and_resume import HELD, bytes_in, wait_until
from tests.long import long
from tests.origin import Body, Good, Origin, Seen, Status

MIB = 1024 * 1024
ONE, TWO = Body(3 * MIB, seed=71), Body(20_000, seed=72)
BIG = Body(200 * MIB, seed=73)
SECRET = "t0k-en-f0r-nobody"


def content(body: Body) -> bytes:
    return body.read(0, body.size)


def names(folder: Path) -> list[str]:
    """Everything below a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


class Got:
    """One call of `get`."""

    def __init__(self, folder: Path, *arguments: str, stdin: str = "", env: dict[str, str] | None = None) -> None:
        report = folder.parent / "report.json"
        report.unlink(missing_ok=True)
        done = ended("get", *arguments, "--report", str(report), cwd=folder, stdin=stdin.encode(), env=env)
        self.code, self.out, self.err = done.returncode, done.stdout.decode(), done.stderr.decode()
        self.report: dict[str, Any] = json.loads(report.read_text()) if report.exists() else {}

    @property
    def statuses(self) -> list[str]:
        return [entry["status"] for entry in self.report["downloads"]]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """The folder where the user stands."""
    folder = tmp_path / "here"
    folder.mkdir()
    return folder


def start(folder: Path, *arguments: str) -> Process:
    return started("get", *arguments, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def received(folder: Path) -> int:
    return sum(bytes_in(place) for place in folder.glob(".marscore/get/*/partial"))


def stop(folder: Path, *urls: str, number: int = signal.SIGINT, bytes_first: int = 20 * MIB) -> int:
    """Interrupt a get once so many bytes are on the disk; its exit code."""
    process = start(folder, *urls)
    wait_until(lambda: received(folder) >= bytes_first, "bytes on disk")
    process.send_signal(number)
    return process.wait(timeout=LIMIT_S)


@pytest.mark.parametrize("processes", ["1", "2"])
def test_files_land_where_one_stands_and_nothing_else_is_left(origin: Origin, here: Path, processes: str) -> None:
    urls = [origin.serve("/one.bin", ONE), origin.serve("/sub/two.bin", TWO)]
    done = ended("get", *urls, "--processes", processes, cwd=here)
    assert done.returncode == 0, done.stderr
    assert names(here) == ["one.bin", "two.bin"]
    assert ((here / "one.bin").read_bytes(), (here / "two.bin").read_bytes()) == (content(ONE), content(TWO))


def test_an_output_folder_is_made_and_holds_the_files_alone(origin: Origin, here: Path) -> None:
    assert Got(here, origin.serve("/one.bin", ONE), "--output-dir", "new/er").code == 0
    assert names(here) == ["new", "new/er", "new/er/one.bin"]


def test_a_report_is_where_it_was_asked_for_alone(origin: Origin, here: Path) -> None:
    got = Got(here, origin.serve("/one.bin", ONE))
    assert (got.statuses, names(here)) == (["downloaded"], ["one.bin"])


def test_an_output_names_the_whole_path(origin: Origin, here: Path) -> None:
    url = origin.serve("/", TWO)
    assert Got(here, url, "-o", "sub/$HOME-{i}.bin").code == 0
    assert Got(here, url, "--output", str(here / "abs.bin")).code == 0
    assert names(here) == ["abs.bin", "sub", "sub/$HOME-{i}.bin"]


@pytest.mark.parametrize(
    ("output", "path", "folder"),
    [("sub/x.bin", "sub/x.bin", "here"), ("./x.bin", "x.bin", "here"), ("../x.bin", "x.bin", ""), ("link/x.bin", "x.bin", "here/link")],
)
def test_an_output_is_told_so_that_it_is_found(origin: Origin, here: Path, output: str, path: str, folder: str) -> None:
    (here.parent / "real").mkdir()
    (here / "link").symlink_to(here.parent / "real")
    got = Got(here, origin.serve("/", TWO), "-o", output)
    last = json.loads([line for line in got.err.splitlines() if line.startswith("{")][-1])
    assert (got.code, got.report["downloads"][0]["path"]) == (0, path)
    assert Path(last["output_dir"]) == here.parent / folder
    assert Path(last["output_dir"], path).read_bytes() == content(TWO)
    failed = Got(here, origin.url("/missing"), "-o", output.replace("x.bin", "y.bin"))
    assert f"failed: {path.replace('x.bin', 'y.bin')}: " in failed.err


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=long), signal.SIGKILL])
def test_after_an_end_too_early_the_same_call_resumes_and_leaves_nothing(origin: Origin, here: Path, number: int) -> None:
    url = origin.serve("/big.bin", BIG, [HELD])
    assert stop(here, url, number=number) == (128 + number if number != signal.SIGKILL else -number)
    assert not (here / "big.bin").exists()
    origin.serve("/big.bin", BIG)
    got = Got(here, url)
    assert got.code == 0
    assert got.report["downloads"][0]["bytes_resumed"] >= 8 * MIB
    assert names(here) == ["big.bin"]
    assert hashlib.sha256((here / "big.bin").read_bytes()).hexdigest() == hashlib.sha256(content(BIG)).hexdigest()


@pytest.mark.parametrize("more", [(), ("--overwrite",)], ids=["as it was", "--overwrite"])
@pytest.mark.parametrize("etag", ['"v1"', None], ids=["with a validator", "without"])
def test_what_an_earlier_call_finished_is_never_taken_for_what_the_server_has_now(
    origin: Origin, here: Path, more: tuple[str, ...], etag: str | None
) -> None:
    urls = [origin.serve("/one.bin", replace(ONE, etag=etag, last_modified=None)), origin.url("/late.bin")]
    assert Got(here, *urls).code == 1
    assert (here / "one.bin").read_bytes() == content(ONE)
    other = Body(ONE.length, seed=77, etag=etag and '"v2"', last_modified=None)
    origin.serve("/one.bin", other)
    origin.serve("/late.bin", TWO)
    got = Got(here, *urls, *more)
    # Without a validator nobody can tell that an earlier call made it, which is no reason to replace it.
    is_new = etag is not None or more
    assert (got.code, (here / "one.bin").read_bytes()) == ((0, content(other)) if is_new else (1, content(ONE)))


def test_who_interrupts_it_is_told_how_much_is_kept(origin: Origin, here: Path) -> None:
    url = origin.serve("/big.bin", BIG, [HELD])
    process = started("get", url, cwd=here, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    wait_until(lambda: received(here) >= 20 * MIB, "bytes on disk")
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=LIMIT_S)
    assert re.search(r"0 of 1 file is in place, kept \d+\.\d MiB of 1 more; run the same command again", told.decode())


def test_what_is_left_of_two_calls_is_one_calls_to_resume(origin: Origin, here: Path) -> None:
    small = origin.serve("/small.bin", TWO)
    urls = [origin.serve(f"/{name}.bin", BIG, [HELD]) for name in "ab"]
    processes = [start(here, urls[0], small), start(here, urls[1])]
    wait_until(lambda: all(bytes_in(here / f".marscore/get/{n}/partial") >= 20 * MIB for n in (1, 2)), "bytes of both")
    wait_until((here / "small.bin").exists, "the small file")
    for process in processes:
        process.send_signal(signal.SIGTERM)
    assert [process.wait(timeout=LIMIT_S) for process in processes] == [143, 143]
    for name in "ab":
        origin.serve(f"/{name}.bin", BIG)
    got = Got(here, *urls, small)
    assert (got.code, got.statuses) == (0, ["downloaded", "downloaded", "up_to_date"])
    assert all(entry["bytes_resumed"] >= 8 * MIB for entry in got.report["downloads"][:2])
    assert names(here) == ["a.bin", "b.bin", "small.bin"]


def test_a_call_for_something_else_leaves_what_another_can_resume(origin: Origin, here: Path) -> None:
    url = origin.serve("/big.bin", BIG, [HELD])
    stop(here, url)
    assert Got(here, origin.serve("/one.bin", ONE)).code == 0
    assert (here / "one.bin").exists()
    origin.serve("/big.bin", BIG)
    assert Got(here, url).report["downloads"][0]["bytes_resumed"] >= 8 * MIB
    assert names(here) == ["big.bin", "one.bin"]


def test_two_calls_at_once_fetch_different_files_and_never_the_same(origin: Origin, here: Path) -> None:
    url = origin.serve("/big.bin", BIG, [HELD])
    process = start(here, url)
    wait_until(lambda: received(here) >= MIB, "bytes on disk")
    assert Got(here, origin.serve("/one.bin", ONE)).code == 0
    refused = ended("get", url, origin.serve("/two.bin", TWO), cwd=here)
    assert refused.returncode == 3
    assert f"another run (pid {process.pid}) is fetching the same file to the same place".encode() in refused.stderr
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=LIMIT_S) == 143
    assert not (here / "two.bin").exists()


def test_many_calls_at_once_leave_their_files_alone(origin: Origin, here: Path) -> None:
    urls = [origin.serve(f"/{n}.bin", TWO) for n in range(6)]
    processes = [start(here, url) for url in urls]
    assert [process.wait(timeout=LIMIT_S) for process in processes] == [0] * 6
    assert names(here) == sorted(f"{n}.bin" for n in range(6))


def test_a_run_in_the_same_folder_keeps_what_is_its_own(origin: Origin, here: Path) -> None:
    (here / "downloads.yaml").write_text(f"version: 1\noutput_dir: .\ndownloads: [{origin.serve('/one.bin', ONE)}]\n")
    assert ended("run", "downloads.yaml", cwd=here).returncode == 0
    before = names(here)
    assert Got(here, origin.serve("/two.bin", TWO)).code == 0
    assert names(here) == sorted([*before, "two.bin"])
    seen = len(origin.requests)
    assert ended("run", "downloads.yaml", cwd=here).returncode == 0
    assert len(origin.requests) == seen, "the run still knows its file"


@pytest.mark.parametrize(
    ("arguments", "asked"), [([], 1), (["-o", "one.bin"], 1), (["--checksum", "sha256:" + "0" * 64], 0), (["--offline"], 0)]
)
def test_a_file_that_was_there_is_not_replaced(origin: Origin, here: Path, arguments: list[str], asked: int) -> None:
    (here / "one.bin").write_bytes(b"mine")
    got = Got(here, origin.serve("/one.bin", ONE), *arguments)
    assert (got.code, got.statuses, got.report["downloads"][0]["error"]["kind"]) == (
        1,
        ["failed"],
        "offline" if "--offline" in arguments else "path",
    )
    assert "a file" in got.report["downloads"][0]["error"]["message"]
    # What replaces it would have to be fetched.
    assert ("--overwrite" in got.report["downloads"][0]["error"]["message"]) is ("--offline" not in arguments)
    assert ((here / "one.bin").read_bytes(), names(here)) == (b"mine", ["one.bin"])
    assert len(origin.requests) == asked


@pytest.mark.parametrize("body", [TWO, Body(9 * MIB)], ids=["small", "large"])
@pytest.mark.parametrize("told", ["true", "chunked", "none"])
def test_the_same_get_again_finds_the_same_content_and_touches_nothing(
    origin: Origin, here: Path, body: Body, told: Literal["true", "chunked", "none"]
) -> None:
    url = origin.serve("/a.bin", body, [Good(length=told)] * 9)
    assert Got(here, url).code == 0
    os.utime(here / "a.bin", (1, 1))
    before = (here / "a.bin").stat()
    got = Got(here, url)
    assert (got.code, got.statuses, names(here)) == (0, ["up_to_date"], ["a.bin"])
    assert got.report["downloads"][0]["reason"] == "the server has the same content"
    after = (here / "a.bin").stat()
    assert (after.st_ino, after.st_mtime_ns, after.st_ctime_ns) == (before.st_ino, before.st_mtime_ns, before.st_ctime_ns)


@pytest.mark.parametrize("body", [TWO, Body(9 * MIB)], ids=["small", "large"])
@pytest.mark.parametrize("told", ["true", "chunked", "none"])
@pytest.mark.parametrize("other", ["byte", "longer", "shorter", "empty"])
def test_a_file_with_other_content_stays_and_is_told(
    origin: Origin, here: Path, body: Body, told: Literal["true", "chunked", "none"], other: str
) -> None:
    url = origin.serve("/a.bin", body, [Good(length=told)] * 9)
    right = content(body)
    mine = {"byte": right[:-1] + bytes([right[-1] ^ 1]), "longer": right + b"x", "shorter": right[:-1], "empty": b""}[other]
    (here / "a.bin").write_bytes(mine)
    before = (here / "a.bin").stat()
    got = Got(here, url)
    error = got.report["downloads"][0]["error"]
    assert (got.code, error["kind"], got.report["totals"]["retries"]) == (1, "path", 0)
    assert error["message"] == "a file with other content is there already, and is not replaced without --overwrite"
    assert (here / "a.bin").read_bytes() == mine
    assert (here / "a.bin").stat().st_mtime_ns == before.st_mtime_ns
    assert Got(here, url, "--overwrite").code == 0
    assert ((here / "a.bin").read_bytes(), names(here)) == (right, ["a.bin"])


def test_a_file_that_another_program_writes_to_while_it_is_compared_stays(origin: Origin, here: Path) -> None:
    url = origin.serve("/a.bin", ONE, [Good(rate=MIB)] * 9)
    (here / "a.bin").write_bytes(content(ONE))
    process = start(here, url)
    wait_until(lambda: received(here) >= MIB, "bytes on disk")
    with (here / "a.bin").open("r+b") as file:
        file.write(b"other")
    assert process.wait(timeout=LIMIT_S) == 1
    assert (here / "a.bin").read_bytes()[:5] == b"other"


def test_a_header_that_asks_for_a_part_is_refused_before_anything_is_asked(origin: Origin, here: Path) -> None:
    got = Got(here, origin.serve("/one.bin", TWO), "-H", "range: bytes=0-5")
    assert (got.code, got.err.startswith("marscore get: --header: must not hold Range"), names(here), origin.requests) == (2, True, [], [])


def test_a_folder_that_cannot_be_made_is_named(here: Path) -> None:
    (here / "file").write_text("")
    for arguments in (["-o", "file/sub/x"], ["--output-dir", "file/sub"]):
        got = Got(here, "http://a.example/x", *arguments)
        assert (got.code, got.err.strip()) == (3, "marscore: cannot make a folder to work in: Not a directory (file/sub)")


def test_a_wrong_line_of_a_file_of_headers_is_named_and_not_shown(here: Path) -> None:
    (here / "headers.txt").write_text(f"A: b\n\n{SECRET}\n")
    got = Got(here, "http://a.example/x", "-H", "@headers.txt")
    assert (got.code, "(headers.txt, line 3)" in got.err, SECRET in got.err) == (2, True, False)


def test_everything_that_is_wrong_with_a_list_is_told_at_once(here: Path) -> None:
    (here / "urls.txt").write_text("http://a.example/x and more\nftp://a.example/y\nhttp://a.example/z\n")
    told = Got(here, "-i", "urls.txt").err.splitlines()
    assert [line.partition(": ")[0] for line in told] == ["urls.txt:1:20", "urls.txt:2:1"]


def test_what_to_do_is_said_in_options_of_get(origin: Origin, here: Path) -> None:
    (here / "mine.bin").write_bytes(b"mine")
    urls = [origin.script(f"/{status}.bin", [Status(status)] * 9) for status in (401, 429, 410)]
    got = Got(here, *urls, origin.serve("/mine.bin", TWO), "--retry", "0")
    assert got.code == 1
    told = [line.removeprefix("  to do: ") for line in got.err.splitlines() if "to do: " in line]
    assert told == [
        "give credentials: -u USER, netrc, or -H @FILE with an Authorization header; a token may have expired",
        "run again later, or with a higher --retry",
        "look for the file's new URL: the server says that it is gone for good",
        "replace the file that is there with --overwrite, or choose another path with -o",
    ]
    shown = [
        ended("report", str(here.parent / "report.json"), "--format", style, cwd=here).stdout.decode() for style in ("table", "markdown")
    ]
    assert not [(remedy, text) for text in shown for remedy in told[1:] if remedy not in html.unescape(text)]


def test_it_is_replaced_where_that_is_asked_for_once_the_new_one_is_whole(origin: Origin, here: Path) -> None:
    (here / "one.bin").write_bytes(b"mine")
    gone = origin.serve("/one.bin", ONE, [Status(404)])
    assert Got(here, gone, "--overwrite").code == 1
    assert (here / "one.bin").read_bytes() == b"mine"
    assert Got(here, origin.serve("/one.bin", ONE), "--overwrite").code == 0
    assert ((here / "one.bin").read_bytes(), names(here)) == (content(ONE), ["one.bin"])


def test_one_that_has_the_checksum_is_up_to_date(origin: Origin, here: Path) -> None:
    (here / "one.bin").write_bytes(content(ONE))
    got = Got(here, origin.serve("/one.bin", ONE), "--checksum", f"sha256:{hashlib.sha256(content(ONE)).hexdigest()}")
    assert (got.code, got.statuses, names(here), origin.requests) == (0, ["up_to_date"], ["one.bin"], [])


def test_the_cache_replaces_no_file_either(origin: Origin, here: Path) -> None:
    url, digest = origin.serve("/one.bin", ONE), f"sha256:{hashlib.sha256(content(ONE)).hexdigest()}"
    cache = str(here.parent / "cache")
    assert Got(here, url, "--checksum", digest, "--cache", cache).code == 0
    (here / "one.bin").write_bytes(b"mine")
    assert Got(here, url, "--checksum", digest, "--cache", cache).code == 1
    assert (here / "one.bin").read_bytes() == b"mine"


def test_wrong_bytes_never_get_the_name(origin: Origin, here: Path) -> None:
    got = Got(here, origin.serve("/one.bin", ONE), "--checksum", "sha256:" + "0" * 64)
    assert (got.code, got.report["downloads"][0]["error"]["kind"]) == (1, "checksum")
    assert names(here) == []


def test_what_failed_can_be_called_again_with_what_did_not(origin: Origin, here: Path) -> None:
    one, gone = origin.serve("/one.bin", ONE), origin.serve("/two.bin", TWO, [Status(404)])
    assert Got(here, one, gone).code == 1
    origin.serve("/two.bin", TWO)
    got = Got(here, one, gone)
    assert (got.code, got.statuses, names(here)) == (0, ["up_to_date", "downloaded"], ["one.bin", "two.bin"])


def test_a_failure_with_nothing_to_resume_leaves_nothing(origin: Origin, here: Path) -> None:
    assert Got(here, origin.url("/missing.bin")).code == 1
    assert names(here) == []


def test_a_list_of_urls_is_taken_from_a_file_or_standard_input(origin: Origin, here: Path) -> None:
    urls = [origin.serve("/one.bin", ONE), origin.serve("/two.bin", TWO)]
    text = f"\ufeff# what we need\n\n{urls[0]}\r\n  {urls[1]}   # the second\n{urls[0]}\n"
    (here.parent / "urls.txt").write_text(text)
    assert len(Got(here, "-i", "../urls.txt", urls[1]).report["downloads"]) == 2
    (here / "one.bin").unlink()
    (here / "two.bin").unlink()
    assert Got(here, "--input-file", "-", stdin=text).code == 0
    assert names(here) == ["one.bin", "two.bin"]


def test_the_same_url_twice_is_fetched_once(origin: Origin, here: Path) -> None:
    url = origin.serve("/two.bin", TWO)
    got = Got(here, url, url)
    assert (got.code, len(got.report["downloads"]), len(origin.requests)) == (0, 1, 1)


def guarded(request: Seen) -> Good | Status:
    """Lets in who says it all, and repeats what was said where it might be noted."""
    sent = request.fields.get("authorization", ""), request.fields.get("x-anything", "")
    if "nobody" in sent[1] and sent[0].startswith("Basic"):
        return Good(body=TWO)
    return Status(403, (("X-Echo", sent[1]),), text=sent[1].encode())


def test_secrets_are_sent_and_written_nowhere(origin: Origin, here: Path) -> None:
    origin.handle("/two.bin", guarded)
    url = origin.url("/two.bin")
    (here.parent / "fields").write_text(f"X-Anything: {SECRET}\n")
    log = here.parent / "log"
    options = ["-u", f"me:{SECRET}", "-H", "@../fields", "--log-file", str(log), "--log-level", "debug"]
    got = Got(here, url, *options)
    assert (got.code, names(here)) == (0, ["two.bin"])
    refused = Got(here, origin.url(f"/missing?x={SECRET}"), *options, "-o", "n.bin")
    assert refused.code == 1
    assert SECRET not in got.out + got.err + json.dumps(got.report) + log.read_text() + refused.err + json.dumps(refused.report)


def test_nothing_secret_is_in_what_is_kept_for_the_next_call(origin: Origin, here: Path) -> None:
    url = origin.serve("/big.bin", BIG, [HELD])
    stop(here, url, "-u", f"me:{SECRET}", "-H", f"X-Anything: {SECRET}")
    kept = [path.read_bytes() for path in (here / ".marscore").rglob("*") if path.is_file() and path.suffix != ".part"]
    assert kept
    assert not [data for data in kept if SECRET.encode() in data]


def test_credentials_do_not_follow_to_another_origin(origin: Origin, other: Origin, here: Path) -> None:
    origin.script("/two.bin", [Status(302, (("Location", other.serve("/two.bin", TWO)),))])
    assert Got(here, origin.url("/two.bin"), "-u", f"me:{SECRET}", "-H", f"X-Api-Key: {SECRET}").code == 0
    assert SECRET in str(origin.requests[-1].raw)
    assert not [request for request in other.requests if SECRET in str(request.raw) or "authorization" in request.fields]


def test_retries_are_as_many_as_one_says(origin: Origin, here: Path) -> None:
    url = origin.serve("/two.bin", TWO, [Status(503), Status(503), Good()])
    assert Got(here, url, "--retry", "0").code == 1
    assert len(origin.requests) == 1
    assert Got(here, url, "--retry", "5").code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["htp://x/a"], "marscore get: htp://x/a: must begin with http:// or https://"),
        (
            ["example.com/a?token=abcdefgh"],
            "marscore get: example.com/a: must begin with http:// or https://; did you mean https://example.com/a?",
        ),
        (["http://h/"], "marscore get: http://h/: the URL names no file: name one with --output"),
        (
            ["http://me:hunter2@h/a%2Fb"],
            "marscore get: http://***@h/a%2Fb: the name in the URL would not do: it must not hold a /: name one with",
        ),
        (
            ["http://h/a/x", "http://g/x"],
            "marscore get: http://g/x: its file has the name of that of http://h/a/x: get them one by one, with --output",
        ),
        (["http://h/x", "--checksum", "sha256:12"], "marscore get: --checksum: "),
        (["http://h/x", "-o", "CON"], "marscore get: --output: must not have a part that Windows reserves"),
        (["http://h/x", "-o", "a" * 300], "marscore get: --output: must not have a part of more than 255 bytes"),
        (["http://h/x", "-o", "/"], "--output names a file, and / is a folder"),
        (["http://h/x", "-o", "-"], "--output - would print what is not verified yet"),
        (["http://h/x", "-o", "a", "--output-dir", "b"], "leave --output-dir away"),
        (["http://h/x", "http://h/y", "-o", "a"], "--output is for one file, and there are 2 URLs"),
        (["http://h/x", "http://h/y", "--checksum", "md5:0"], "--checksum is for one file"),
        (["http://h/x", "-H", "hunter2"], "--header must be 'NAME: VALUE'"),
        (["http://h/x", "-H", "Cookie: a", "-H", "cookie: hunter2"], "--header: Cookie is given twice"),
        (["http://h/x", "-u", "hunter2"], "--user needs USER:PASSWORD where nobody can be asked"),
        ([], "name a URL"),
        (["-i", "missing.txt"], "missing.txt: cannot be read"),
        (["-i", "-"], "standard input lists no URL"),
    ],
    ids=lambda value: " ".join(value) or "nothing" if isinstance(value, list) else "",
)
def test_what_is_wrong_is_said_of_what_was_typed(here: Path, arguments: list[str], words: str) -> None:
    got = Got(here, *arguments)
    assert (got.code, got.out, names(here)) == (2, "", [])
    assert words in got.err
    assert "hunter2" not in got.err
    assert "abcdefgh" not in got.err


def test_every_wrong_line_of_a_list_is_named(here: Path) -> None:
    got = Got(here, "-i", "-", stdin="http://h/a\nftp://h/b\n\nhttp://h/\n")
    assert got.code == 2
    assert got.err.splitlines() == [
        "marscore get: standard input:2: ftp://h/b: must begin with http:// or https://",
        "marscore get: standard input:4: http://h/: the URL names no file: name one with --output",
    ]
    assert "standard input:1:12: holds more than a URL" in Got(here, "-i", "-", stdin="http://h/a out.bin\n").err


@pytest.fixture
def other() -> Iterator[Origin]:
    """Another origin."""
    with Origin() as origin:
        yield origin


def test_two_ways_to_say_who_you_are_are_one_too_many(here: Path) -> None:
    run = Got(here, "http://127.0.0.1:9/a", "-u", "me:secret", "-H", "authorization: Bearer x")
    assert run.code == 2
    assert "give one of them" in run.err
