"""A disk that is full, a folder that may not be written, limits of the system: each is named, and the other downloads go on."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from marscore.app import get
from marscore.app import run as run_here
from marscore.errors import StorageError
from marscore.journal import Header, PieceHasher, encode_header, encode_piece
from marscore.settings import ManifestInput, RunSettings
from marscore.state import key_of
from marscore.validator import Validator
from marscore.values import ByteRange
from tests.disk import wrong_in
from tests.integration.command import LIMIT_S, Run, command, environment, fetch, marscore, read_report, write
from tests.long import ALL, long
from tests.origin import Body, Good, Origin
from tests.unprivileged import own_folder

MIB = 1024 * 1024
SMALL = Body(40_000, seed=31)
#: C libraries have words of their own for it.
TOO_MANY = os.strerror(errno.EMFILE)

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mounts and limits as Linux has them")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder with an output folder `data` on a disk of 8 MiB of its own."""
    (tmp_path / "data").mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", tmp_path / "data"], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("a small disk needs the right to mount one: run the tests as root")
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", "--lazy", tmp_path / "data"], check=True)


@pytest.fixture
def mounted_below(tmp_path: Path) -> Iterator[Path]:
    """A folder whose output folder `data` has a file system of its own mounted at `data/mount`."""
    below = tmp_path / "data" / "mount"
    below.mkdir(parents=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", below], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("a file system of its own needs the right to mount one: run the tests as root")
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", "--lazy", below], check=True)


def limited(folder: Path, manifest: str, *arguments: str, before: Callable[[], object]) -> Run:
    """Run marscore in a process that was changed first: by a limit, or by being another user."""
    done = subprocess.run(
        command("run", manifest, *arguments),
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
        preexec_fn=before,
    )
    return Run(done.returncode, done.stdout, done.stderr, folder / "data", read_report(folder / "data"))


def path_that_ends_at(root: Path, length: int) -> str:
    """A path under `root` with which an absolute path becomes so many bytes long."""
    missing = length - len(os.fsencode(root)) - 1
    return ("/".join(["x" * 200] * (missing // 201 + 1)))[: missing - 1] + "y"


def entries_of(run: Run) -> dict[str, tuple[str, str | None]]:
    """Status and kind of failure of each file."""
    return {e["path"]: (e["status"], e["error"] and e["error"]["kind"]) for e in run.report["downloads"]}


def test_a_file_that_is_known_not_to_fit_is_refused_before_its_first_byte(origin: Origin, small_disk: Path) -> None:
    large = origin.serve("/large.bin", Body(100 * MIB, seed=32), [Good(rate=5 * MIB)])
    run = fetch(small_disk, large, origin.serve("/small.bin", SMALL))
    assert run.code == 3
    assert entries_of(run) == {"large.bin": ("failed", "disk_full"), "small.bin": ("downloaded", None)}
    assert run.entry(0)["bytes_downloaded"] == 0
    assert "space" in run.entry(0)["error"]["message"].lower()
    assert run.data("small.bin") == SMALL.read(0, SMALL.length)
    assert not (run.folder / "large.bin").exists()


def test_a_disk_that_fills_up_midway_fails_what_does_not_fit_and_the_report_is_written(origin: Origin, small_disk: Path) -> None:
    large = Body(12 * MIB, seed=33)
    urls = [origin.serve("/large.bin", large, [Good(length="none", ranges="ignore")]), origin.serve("/small.bin", SMALL)]
    manifest = write(small_disk, urls, execution={"processes": 2})
    run = marscore("run", manifest, "--report", "report.json", cwd=small_disk)
    run.report = json.loads((small_disk / "report.json").read_text())
    assert run.code == 3, run.err
    assert entries_of(run)["large.bin"] == ("failed", "disk_full")
    assert entries_of(run)["small.bin"] in [("downloaded", None), ("failed", "disk_full")]
    assert not (run.folder / "large.bin").exists()
    assert "Traceback" not in run.err
    # With room for it the next run ends well.
    subprocess.run(["mount", "-o", "remount,size=64m", run.folder], check=True)
    again = marscore("run", manifest, cwd=small_disk)
    assert again.code == 0
    assert again.data("large.bin") == large.read(0, large.length)
    assert again.data("small.bin") == SMALL.read(0, SMALL.length)


def test_a_disk_without_any_room_left_is_told_and_nothing_is_lost(origin: Origin, small_disk: Path) -> None:
    ballast = small_disk / "data" / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    run = fetch(small_disk, origin.serve("/small.bin", SMALL))
    assert run.code == 3
    assert "disk is full" in run.err or "No space left" in run.err
    assert "Traceback" not in run.err
    ballast.unlink()
    assert fetch(small_disk, origin.serve("/small.bin", SMALL)).code == 0


def test_a_file_larger_than_the_process_may_write_fails_by_name_and_the_others_go_on(origin: Origin, tmp_path: Path) -> None:
    urls = [origin.serve("/large.bin", Body(5 * MIB, seed=34)), origin.serve("/small.bin", SMALL)]
    manifest = write(tmp_path, urls, execution={"processes": 1})
    run = limited(tmp_path, manifest, before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, MIB)))
    assert run.code == 3
    assert entries_of(run) == {"large.bin": ("failed", "disk_full"), "small.bin": ("downloaded", None)}
    assert not (run.folder / "large.bin").exists()
    assert marscore("run", manifest, cwd=tmp_path).code == 0


@pytest.mark.parametrize("limit", [18, pytest.param(20, marks=long)])
def test_too_few_open_files_make_a_run_with_fewer_processes_and_whatever_fails_has_a_name(
    origin: Origin, tmp_path: Path, limit: int
) -> None:
    bodies = {f"{n}.bin": Body(MIB, seed=n) for n in range(24)}
    urls = [origin.serve(f"/{name}", body, [Good(rate=8 * MIB)]) for name, body in bodies.items()]
    manifest = write(
        tmp_path, urls, execution={"processes": 4, "threads": 16}, defaults={"threads": 1, "retry": {"backoff": {"max": "50ms"}}}
    )
    run = limited(tmp_path, manifest, before=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)))
    assert run.code in (0, 1), run.err
    assert "Traceback" not in run.err
    assert any(f"cannot start a worker process: {TOO_MANY}" in warned["message"] for warned in run.events("warned"))
    for name, (status, kind) in entries_of(run).items():
        assert (status, kind) in [("downloaded", None), ("failed", "resources"), ("failed", "connection")]
        assert (status == "downloaded") == (run.folder / name).exists()
    assert run.report["totals"]["downloaded"] > 0
    assert marscore("run", manifest, cwd=tmp_path).code == 0
    assert all((run.folder / name).read_bytes() == body.read(0, body.length) for name, body in bodies.items())


@pytest.mark.parametrize("limit", range(9, 20) if ALL else (9, 12, 16))
def test_whatever_there_are_too_few_open_files_for_has_a_name(origin: Origin, tmp_path: Path, limit: int) -> None:
    manifest = write(tmp_path, [origin.serve("/small.bin", SMALL)], execution={"processes": 1}, defaults={"retry": {"max_retries": 1}})
    run = limited(tmp_path, manifest, before=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)))
    assert "Traceback" not in run.err
    assert run.code in (0, 1, 3)
    assert (run.code == 0) == (run.folder / "small.bin").exists()
    if run.code != 0:
        assert TOO_MANY in run.err + str(run.report) or run.report["downloads"][0]["error"]["kind"] == "connection"


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user takes the superuser, who alone can")
def test_a_folder_that_may_not_be_written_fails_its_files_and_the_others_go_on(origin: Origin) -> None:
    with own_folder() as folder:
        (folder / "data" / "closed").mkdir(parents=True)
        (folder / "data" / "closed").chmod(0o500)
        downloads = [{"url": origin.serve("/a.bin", SMALL), "path": "closed/a.bin"}, origin.serve("/b.bin", SMALL)]
        # In this process, which is a plain user now: the interpreter itself may lie where only its owner can read.
        manifest = ManifestInput("<dict>", folder, data={"version": 1, "output_dir": "data", "downloads": downloads})
        report = run_here(manifest, RunSettings()).report()
        assert report.exit_code == 3
        assert [(d.status, d.error and d.error.kind) for d in report.downloads] == [("failed", "permission"), ("downloaded", None)]
        assert (folder / "data" / "b.bin").read_bytes() == SMALL.read(0, SMALL.length)
        assert list((folder / "data" / "closed").iterdir()) == []

        shutil.rmtree(folder / "data" / ".marscore")
        (folder / "data").chmod(0o500)
        with pytest.raises(StorageError, match="Permission denied") as caught:
            run_here(manifest, RunSettings())
        assert caught.value.failure.kind == "permission"
        (folder / "data").chmod(0o700)
        (folder / "data" / "closed").chmod(0o700)


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user takes the superuser, who alone can")
def test_a_get_whose_own_folder_may_not_be_read_says_so(origin: Origin) -> None:
    with own_folder() as folder:
        (folder / "data" / ".marscore" / "get").mkdir(parents=True)
        (folder / "data" / ".marscore" / "get").chmod(0o300)
        manifest = ManifestInput("<dict>", folder, data={"version": 1, "output_dir": "data", "downloads": [origin.serve("/a.bin", SMALL)]})
        with pytest.raises(StorageError, match="cannot make a folder to work in: Permission denied"):
            get(manifest, RunSettings())
        (folder / "data" / ".marscore" / "get").chmod(0o700)


def test_a_folder_where_the_file_should_be_fails_before_a_request(origin: Origin, tmp_path: Path) -> None:
    (tmp_path / "data" / "folder.bin").mkdir(parents=True)
    run = fetch(tmp_path, origin.url("/folder.bin"), origin.serve("/small.bin", SMALL))
    assert run.code in (1, 3)
    assert entries_of(run) == {"folder.bin": ("failed", "path"), "small.bin": ("downloaded", None)}
    assert [seen.path for seen in origin.requests] == ["/small.bin"]
    assert run.data("small.bin") == SMALL.read(0, SMALL.length)


@pytest.mark.parametrize("fits", ["not even the folder", "the folder alone"])
def test_a_path_too_long_for_the_system_fails_before_its_first_byte_is_read(origin: Origin, tmp_path: Path, fits: str) -> None:
    most = os.pathconf("/", "PC_PATH_MAX") - 1
    folder = path_that_ends_at(tmp_path / "data", most + 1 if fits == "not even the folder" else most - len("/long.bin") + 1)
    long = f"{folder}/long.bin"
    origin.handle("/long", lambda seen: Good(body=SMALL))
    run = fetch(tmp_path, {"url": origin.url("/long"), "path": long}, origin.serve("/small.bin", SMALL))
    assert run.code in (1, 3), run.err
    assert [status for status, _ in entries_of(run).values()] == ["failed", "downloaded"]
    assert run.entry(0)["error"]["kind"] == "path"
    assert "too long" in run.entry(0)["error"]["message"]
    assert run.entry(0)["bytes_downloaded"] == 0
    assert len(origin.requests_for("/long")) == 1, "a retry would not help"
    assert sorted(p.name for p in run.folder.iterdir()) == [".marscore", "small.bin"]


def test_a_name_too_long_is_a_fault_of_the_manifest_and_nothing_is_started(origin: Origin, tmp_path: Path) -> None:
    run = fetch(tmp_path, {"url": origin.url("/long"), "path": "x" * 256}, origin.serve("/small.bin", SMALL))
    assert run.code == 2
    assert "must not have a part of more than 255 bytes" in run.err
    assert origin.requests == []


def test_garbage_in_the_state_a_cut_part_and_a_journal_of_another_file_cost_only_what_they_are(origin: Origin, tmp_path: Path) -> None:
    large = Body(12 * MIB, seed=35)
    url = origin.serve("/large.bin", large, [Good(rate=60 * MIB, cut_after=9 * MIB), Good(cut_after=0)])
    downloads = [url, origin.serve("/small.bin", SMALL)]
    settings = {"defaults": {"threads": 1, "retry": {"max_retries": 0}}}
    assert fetch(tmp_path, *downloads, **settings).code == 1
    own = tmp_path / "data" / ".marscore"
    base = own / "partial" / key_of("large.bin")
    (own / "state.db").write_bytes(b"garbage" * 1000)
    # The second of three pieces is damaged, the third lost.
    with base.with_suffix(".part").open("r+b") as part:
        part.seek(5 * MIB)
        part.write(b"damage")
        part.truncate(8 * MIB + 100)
    # The journal of one file where that of another should be.
    shutil.copy(base.with_suffix(".journal"), own / "partial" / f"{key_of('small.bin')}.journal")
    (own / "partial" / f"{key_of('small.bin')}.part").write_bytes(SMALL.read(0, 1000))
    origin.serve("/large.bin", large)
    run = fetch(tmp_path, *downloads, **settings)
    assert run.code == 0
    assert [warned["message"] for warned in run.events("warned") if "state database was damaged" in warned["message"]]
    told = {e["download"]: e["bytes_discarded"] for e in run.events("resume_discarded")}
    assert told["downloads[0]"] == 5 * MIB, "the damaged piece and the one that was cut off"
    assert run.entry(0)["bytes_resumed"] == 4 * MIB
    assert "downloads[1]" in told, "what belongs to another file is not used, and the log says so"
    assert run.entry(1)["bytes_resumed"] == 0
    assert run.data("large.bin") == large.read(0, large.length)
    assert run.data("small.bin") == SMALL.read(0, SMALL.length)
    assert run.partials() == []


@pytest.mark.parametrize("checksum", [True, False])
def test_files_of_every_size_go_onto_a_file_system_mounted_below_the_folder(origin: Origin, mounted_below: Path, checksum: bool) -> None:
    bodies = {f"mount/{n}.bin": Body(size, seed=n) for n, size in enumerate([0, 2000, 300_000, 5 * MIB, 13 * MIB])}
    entries = [
        {"url": origin.serve(f"/{path}", body), "path": path} | ({"checksum": f"sha256:{body.sha256}"} if checksum else {})
        for path, body in bodies.items()
    ]
    run = fetch(mounted_below, *entries)
    assert run.code == 0
    assert wrong_in(run.folder, bodies) == []
    assert sorted(path.name for path in (run.folder / "mount").iterdir()) == sorted(path.rpartition("/")[2] for path in bodies)
    assert run.partials() == []
    again = fetch(mounted_below, *entries)
    assert {entry["status"] for entry in again.report["downloads"]} == {"up_to_date"}
    assert not again.events("download_started")


def test_a_file_system_mounted_below_the_folder_that_is_full_fails_its_files_and_leaves_nothing_there(
    origin: Origin, mounted_below: Path
) -> None:
    large = {"url": origin.serve("/large.bin", Body(40 * MIB)), "path": "mount/large.bin"}
    run = fetch(mounted_below, large, origin.serve("/small.bin", SMALL))
    assert run.code == 3
    assert entries_of(run) == {"mount/large.bin": ("failed", "disk_full"), "small.bin": ("downloaded", None)}
    assert list((run.folder / "mount").iterdir()) == []


MIDDLE = Body(3 * MIB, seed=77)
PLANTED = {
    "beyond the size": (Header("", MIDDLE.length, Validator('"v1"')), [ByteRange(0, MIB), ByteRange(3 * MIB, 5 * MIB)]),
    "no size": (Header("", None, Validator('"v1"')), [ByteRange(0, MIB), ByteRange(4 * MIB, 5 * MIB)]),
    "no size, all beyond": (Header("", None, Validator('"v1"')), [ByteRange(0, 5 * MIB)]),
    "size 0": (Header("", 0, Validator('"v1"')), [ByteRange(0, MIB)]),
    "a line's end in its ETag": (Header("", MIDDLE.length, Validator('"v1"\r\nX-Own: 1')), [ByteRange(0, MIB)]),
    "an ETag that is not Latin-1": (Header("", MIDDLE.length, Validator('"v\u20ac"')), [ByteRange(0, MIB)]),
    "no such date": (Header("", MIDDLE.length, Validator(None, "yesterday", "today")), [ByteRange(0, MIB)]),
}


@pytest.mark.parametrize("checksum", [True, False])
def test_a_journal_that_was_planted_ends_in_the_right_file(origin: Origin, tmp_path: Path, checksum: bool) -> None:
    entries = []
    partials = tmp_path / "data" / ".marscore" / "partial"
    partials.mkdir(parents=True)
    for number, (header, spans) in enumerate(PLANTED.values()):
        url, path = origin.serve(f"/{number}.bin", MIDDLE), f"{number}.bin"
        entries.append({"url": url, "checksum": f"sha256:{MIDDLE.sha256}"} if checksum else url)
        content = MIDDLE.read(0, MIDDLE.length).ljust(6 * MIB, b"x")
        (partials / f"{key_of(path)}.part").write_bytes(content[: max(span.end for span in spans)])
        lines = [encode_header(replace(header, url_key=key_of(url)))]
        for span in spans:
            hasher = PieceHasher(span.start)
            hasher.update(content[span.start : span.end])
            lines.append(encode_piece(hasher.piece()))
        (partials / f"{key_of(path)}.journal").write_bytes(b"".join(lines))
    run = fetch(tmp_path, *entries)
    assert run.code == 0
    assert wrong_in(run.folder, {f"{number}.bin": MIDDLE for number in range(len(PLANTED))}) == []
    assert not any("x-own" in seen.fields for seen in origin.requests)
