"""What `--report`, `--log-file` and `--metrics` name is written through: links stay links, nodes stay nodes, and `-` is standard output."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import socket
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import marscore
import marscore.app  # what it brings, the plain user below may not be let to
from marscore.values import Failure
from tests.integration.command import LIMIT_S, command, ended, environment, started, write
from tests.integration.command import marscore as called
from tests.integration.command import marscore as run_command
from tests.origin import Body, Origin, Status
from tests.unprivileged import NOBODY, own_folder

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pipes, devices, links and modes as POSIX has them")

OPTIONS = ["--report", "--log-file", "--report-junit", "--metrics"]


@pytest.fixture
def manifest(origin: Origin, tmp_path: Path) -> str:
    return write(tmp_path, [origin.serve("/a.bin", Body(1000))])


def run(folder: Path, *arguments: str, stdout: int = subprocess.PIPE, **more: Any) -> subprocess.CompletedProcess[bytes]:
    if not more:
        return ended("run", "downloads.yaml", *arguments, cwd=folder, stdout=stdout)
    return subprocess.run(
        command("run", "downloads.yaml", *arguments),
        cwd=folder,
        env=environment(),
        stdout=stdout,
        stderr=subprocess.PIPE,
        timeout=LIMIT_S,
        check=False,
        **more,
    )


def is_right(option: str, data: bytes) -> bool:
    """Whether these bytes are a whole report, a whole log, or the metrics of a run that is over, and nothing else."""
    if option == "--report":
        return bool(json.loads(data)["schema"] == "marscore/report/v1")
    if option == "--report-junit":
        return [case.get("name") for case in ElementTree.fromstring(data).iter("testcase")] == ["a.bin"]
    if option == "--metrics":
        return b"\nmarscore_run_exit_code{" in data and data.count(b"# TYPE marscore_run_active gauge\n") == 1
    events = [json.loads(line)["event"] for line in data.splitlines()]
    return events[0] == "run_started" and events[-1] == "run_finished"


def kind_of(path: Path) -> tuple[int, int, int]:
    status = path.lstat()
    return stat.S_IFMT(status.st_mode), status.st_rdev, status.st_ino


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("target", ["there", "missing", "missing/folder/too", "over/another"])
def test_a_symbolic_link_stays_and_what_it_leads_to_is_written(tmp_path: Path, manifest: str, option: str, target: str) -> None:
    behind = tmp_path / "elsewhere" / target
    (tmp_path / "elsewhere").mkdir()
    if target == "there":
        behind.touch()
    if target == "over/another":
        behind.parent.mkdir()
        behind.symlink_to("../last")
        behind = tmp_path / "elsewhere" / "last"
    link = tmp_path / "link"
    link.symlink_to(f"elsewhere/{target}")
    before = kind_of(link)
    done = run(tmp_path, option, "link")
    assert done.returncode == 0, done.stderr
    assert kind_of(link) == before
    assert is_right(option, behind.read_bytes())
    assert not behind.is_symlink()
    assert not list(tmp_path.rglob(".marscore-*")), "nothing is left beside it"


@pytest.mark.parametrize("option", OPTIONS)
def test_a_loop_of_links_is_an_error_of_the_machine_before_anything_starts(
    origin: Origin, tmp_path: Path, manifest: str, option: str
) -> None:
    (tmp_path / "loop").symlink_to("loop")
    done = run(tmp_path, option, "loop")
    assert done.returncode == 3
    assert b"marscore: cannot write the " in done.stderr.splitlines()[-1]
    assert (tmp_path / "loop").is_symlink()


@pytest.mark.parametrize("option", OPTIONS)
def test_a_pipe_is_written_and_stays(tmp_path: Path, manifest: str, option: str) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    before, received = kind_of(pipe), []
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()), daemon=True)
    reader.start()
    assert run(tmp_path, option, "pipe").returncode == 0
    reader.join(LIMIT_S)
    assert kind_of(pipe) == before
    assert is_right(option, received[0])


def device(path: Path, minor: int) -> Path:
    """A memory device of our own, since a rename by the superuser would replace the system's: 3 takes all, 7 is always full."""
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, minor))
        path.open("wb").close()
    except (AttributeError, OSError):
        pytest.skip("no devices can be made here")
    return path


@pytest.mark.parametrize("options", [["--report"], ["--log-file"], OPTIONS], ids=" ".join)
@pytest.mark.parametrize("name", ["null", "link"])
def test_a_device_is_written_and_stays(tmp_path: Path, manifest: str, options: list[str], name: str) -> None:
    node = device(tmp_path / "null", 3)
    (tmp_path / "link").symlink_to("null")
    before = kind_of(node)
    done = run(tmp_path, *(word for option in options for word in (option, name)))
    assert done.returncode == 0, done.stderr
    assert kind_of(node) == before
    assert before[:2] == (stat.S_IFCHR, os.makedev(1, 3))


def test_a_report_that_does_not_fit_is_told_and_the_rest_of_the_outcome_too(tmp_path: Path, manifest: str) -> None:
    node = device(tmp_path / "full", 7)
    done = run(tmp_path, "--report", "full")
    lines = done.stderr.decode().splitlines()
    assert done.returncode == 3
    assert lines[-1] == "marscore: cannot write the report full: No space left on device"
    assert lines[-2].startswith("1 download: 1 downloaded;"), "and names no report"
    events = {line["event"]: line for line in map(json.loads, lines[:-2])}
    assert "report" not in events["run_finished"]
    assert events["download_finished"]["status"] == "downloaded"
    assert "cannot write the report" in events["warned"]["message"]
    assert (events["run_finished"]["downloaded"], events["run_finished"]["exit_code"]) == (1, 3)
    assert (tmp_path / "data" / "a.bin").stat().st_size == 1000
    assert stat.S_ISCHR(node.stat().st_mode)


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("name", ["/proc/self/fd/1", "/dev/fd/1", "-", "link"])
@pytest.mark.parametrize("kind", ["pipe", "file", "socket"])
def test_standard_output_by_any_name_carries_only_that(tmp_path: Path, manifest: str, option: str, name: str, kind: str) -> None:
    if name.startswith("/") and not os.path.lexists(name):
        pytest.skip(f"{name} is not on this system")
    (tmp_path / "link").symlink_to("/dev/stdout")
    with ExitStack() as stack:
        writing, read = end_of(kind, tmp_path, stack)
        done = run(tmp_path, option, name, stdout=writing)
        assert done.returncode == 0, done.stderr
        written = read()
    if kind == "file":
        assert written.startswith(b"before\n"), "what another program wrote there stays"
        written = written.removeprefix(b"before\n")
    assert is_right(option, written)
    assert not (tmp_path / "-").exists()


def end_of(kind: str, folder: Path, stack: ExitStack) -> tuple[int, Callable[[], bytes]]:
    """A descriptor to write to, and how to read what was written once it is over."""
    if kind == "file":
        file = stack.enter_context((folder / "out").open("wb"))
        file.write(b"before\n")
        file.flush()
        return file.fileno(), (folder / "out").read_bytes
    if kind == "pipe":
        reading, writing = os.pipe()
        stack.callback(os.close, reading)
        return writing, lambda: (os.close(writing), os.read(reading, 1 << 16))[1]
    ours, theirs = socket.socketpair()
    stack.enter_context(ours)
    stack.enter_context(theirs)
    return theirs.fileno(), lambda: ours.recv(1 << 16)


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("name", ["/dev/fd/{}", "/proc/self/fd/{}"])
def test_a_descriptor_that_the_caller_opened_is_written_to(tmp_path: Path, manifest: str, option: str, name: str) -> None:
    with (tmp_path / "opened").open("ab") as file:
        file.write(b"first\n")
        file.flush()
        before = kind_of(tmp_path / "opened")
        done = run(tmp_path, option, name.format(file.fileno()), pass_fds=[file.fileno()])
        assert done.returncode == 0, done.stderr
        file.write(b"last\n")
    text = (tmp_path / "opened").read_bytes()
    assert kind_of(tmp_path / "opened") == before
    assert text.startswith(b"first\n")
    assert text.endswith(b"last\n"), "the same open file, where others go on to write"
    assert is_right(option, text.removeprefix(b"first\n").removesuffix(b"last\n"))


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("number", [3, 5, 7, 9])
def test_a_descriptor_that_nobody_opened_is_refused_before_the_run_opens_one(
    origin: Origin, tmp_path: Path, manifest: str, option: str, number: int
) -> None:
    done = run(tmp_path, option, f"/dev/fd/{number}")
    assert done.returncode == 3
    assert done.stderr.decode().endswith(f" /dev/fd/{number}: Bad file descriptor\n")
    assert not origin.requests


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="Linux shows open files of other processes")
@pytest.mark.parametrize("removed", [False, True])
def test_an_open_file_of_another_process_stays_the_one_that_is_open(tmp_path: Path, manifest: str, removed: bool) -> None:
    with (tmp_path / "opened").open("w+b") as file:
        file.write(b"old text " * 1000)
        file.flush()
        if removed:
            (tmp_path / "opened").unlink()
        done = run(tmp_path, "--report", f"/proc/{os.getpid()}/fd/{file.fileno()}")
        assert done.returncode == 0, done.stderr
        file.seek(0)
        assert is_right("--report", file.read())


def test_a_report_on_standard_output_is_utf8_whatever_the_streams_encoding(origin: Origin, tmp_path: Path) -> None:
    write(tmp_path, [origin.serve("/a.bin", Body(10))], name="grün")
    done = run_command("run", "downloads.yaml", "--report", "-", cwd=tmp_path, env={"PYTHONIOENCODING": "ascii"})
    assert done.code == 0
    assert json.loads(done.out)["name"] == "grün"


def test_a_report_on_standard_output_whose_reader_is_gone_is_told(tmp_path: Path, manifest: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = run(tmp_path, "--report", "-", stdout=writing)
    os.close(writing)
    assert done.returncode == 3
    assert done.stderr.decode().splitlines()[-1] == "marscore: cannot write the report to standard output: Broken pipe"


def test_a_pipe_that_is_full_and_does_not_block_is_waited_for(origin: Origin, tmp_path: Path) -> None:
    write(tmp_path, [{"url": origin.serve("/a.bin", Body(10)), "path": f"{n}.bin"} for n in range(1000)])
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    process = started("run", "downloads.yaml", "--report", "-", cwd=tmp_path, stdout=writing, stderr=subprocess.DEVNULL)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        data = pipe.read()
    assert process.wait(LIMIT_S) == 0
    assert len(json.loads(data)["downloads"]) == 1000


@pytest.mark.parametrize("option", OPTIONS)
def test_closed_standard_output_is_refused_before_anything_starts(origin: Origin, tmp_path: Path, manifest: str, option: str) -> None:
    line = f"exec {shlex.join(command('run', manifest, option, '-'))} >&-"
    done = subprocess.run(["sh", "-c", line], cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 3
    assert "to standard output: Bad file descriptor" in done.stderr
    assert not origin.requests


@pytest.mark.parametrize("option", OPTIONS)
def test_a_file_named_by_a_dash_in_this_folder_is_a_file(tmp_path: Path, manifest: str, option: str) -> None:
    done = run(tmp_path, option, "./-")
    assert (done.returncode, done.stdout) == (0, b"")
    assert is_right(option, (tmp_path / "-").read_bytes())


def test_report_and_log_cannot_both_be_standard_output(origin: Origin, tmp_path: Path, manifest: str) -> None:
    done = run(tmp_path, "--report", "-", "--log-file", "-")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"standard output" in done.stderr
    assert not origin.requests


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o604])
def test_a_report_that_is_replaced_keeps_its_mode(tmp_path: Path, manifest: str, mode: int) -> None:
    report = tmp_path / "report.json"
    report.write_text("old")
    report.chmod(mode)
    inode = report.stat().st_ino
    assert run(tmp_path, "--report", "report.json").returncode == 0
    assert stat.S_IMODE(report.stat().st_mode) == mode
    assert report.stat().st_ino != inode, "written beside it and renamed"
    assert is_right("--report", report.read_bytes())


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only the superuser gives files away")
def test_a_report_that_the_superuser_replaces_stays_its_owners(tmp_path: Path, manifest: str) -> None:
    report = tmp_path / "report.json"
    report.write_text("old")
    os.chown(report, 65534, 65534)
    assert run(tmp_path, "--report", "report.json").returncode == 0
    assert (report.stat().st_uid, report.stat().st_gid) == (65534, 65534)


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o022, 0o077])
def test_new_files_have_the_mode_that_the_umask_gives(tmp_path: Path, manifest: str, umask: int) -> None:
    assert run(tmp_path, "--report", "r/report.json", "--log-file", "l/run.log", umask=umask).returncode == 0
    for file in ("r/report.json", "l/run.log", "data/.marscore/report.json"):
        path = tmp_path / file
        assert path.exists() is (file != "data/.marscore/report.json")
        assert not path.exists() or stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


@pytest.mark.parametrize("case", ["a folder that takes no new file", "a file that takes no writing", "a folder of others' files"])
def test_a_file_is_written_where_its_user_may_write_it(origin: Origin, case: str) -> None:
    with own_folder() as folder:
        write(folder, [origin.serve("/a.bin", Body(10))])
        (folder / "data").mkdir()
        place = folder / "place"
        place.mkdir()
        report = place / "report.json"
        report.write_text("old" * 10_000)
        inode = report.stat().st_ino
        if case == "a file that takes no writing":
            report.chmod(0o400)
        elif case == "a folder that takes no new file":
            place.chmod(0o500)
        else:
            place.chmod(0o1777)
            if os.getuid():
                pytest.skip("only the superuser gives files away")
            os.seteuid(0)
            os.chown(place, 0, 0)
            os.chown(report, 0, 0)
            report.chmod(0o666)
            os.seteuid(NOBODY)
        settings = marscore.RunSettings(processes=1, report=report, log_level="error")
        if case == "a file that takes no writing":
            with pytest.raises(marscore.StorageError) as caught:
                marscore.run(folder / "downloads.yaml", settings)
            assert caught.value.failure == Failure("permission", f"cannot write the report {report}: Permission denied")
            assert report.read_text() == "old" * 10_000
        else:
            assert marscore.run(folder / "downloads.yaml", settings).exit_code == 0
            assert is_right("--report", report.read_bytes())
            assert report.stat().st_ino == inode, "there was no other way than to write it in place"
        assert [path.name for path in place.iterdir()] == ["report.json"]
        with contextlib.suppress(PermissionError):
            place.chmod(0o700)


def test_a_program_that_puts_a_stream_of_its_own_in_place_of_standard_output_gets_it_there(
    origin: Origin, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = {"version": 1, "output_dir": str(tmp_path / "data"), "downloads": [origin.serve("/a.bin", Body(10))]}
    assert marscore.run(data, marscore.RunSettings(report="-", log_level="error")).exit_code == 0
    assert is_right("--report", capsys.readouterr().out.encode())


def test_a_program_learns_that_its_report_cannot_be_written(origin: Origin, tmp_path: Path) -> None:
    data = {"version": 1, "output_dir": str(tmp_path / "data"), "downloads": [origin.serve("/a.bin", Body(10))]}
    with pytest.raises(marscore.StorageError, match="cannot write the report"):
        marscore.run(data, marscore.RunSettings(report=tmp_path))
    assert not origin.requests, "a folder is no file, and that is known before"


def test_a_failed_download_and_a_report_that_cannot_be_written_are_both_told(origin: Origin, tmp_path: Path) -> None:
    write(tmp_path, [origin.script("/gone.bin", [Status(404)])])
    (tmp_path / "file").write_text("")
    done = run(tmp_path, "--report", "file/report.json")
    assert done.returncode == 3
    assert b"download_failed" in done.stderr
    assert done.stderr.decode().splitlines()[-1] == "marscore: cannot write the report file/report.json: Not a directory"


def test_a_pipe_that_nobody_reads_can_be_given_up(tmp_path: Path, manifest: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    process = started("run", manifest, "--report", "pipe", cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    for line in lines_of(process.stderr):
        if "download_finished" in line:
            break
    process.send_signal(signal.SIGINT)
    # 3 where the wish to stop came before the report's turn: then nobody is waited for.
    assert process.wait(LIMIT_S) in (3, 130)
    process.stderr.close()
    assert (tmp_path / "data" / "a.bin").stat().st_size == 1000


def lines_of(stream: Any) -> Iterator[str]:
    while line := stream.readline():
        yield line


@pytest.mark.parametrize("option", ["--report", "--log-file"])
def test_what_would_be_written_over_another_file_of_the_run_is_refused(origin: Origin, tmp_path: Path, option: str) -> None:
    manifest = write(tmp_path, [origin.serve("/a.bin", Body(10))])
    (tmp_path / "link").symlink_to(manifest)
    before = (tmp_path / manifest).read_bytes()
    for place in ("data/a.bin", manifest, "link", "downloads.lock", "s3://k:hunter2@b/x"):
        run = run_command("run", manifest, option, place, cwd=tmp_path)
        assert "hunter2" not in run.err
        assert (run.code, option in run.err) == (2, True), place
    assert run_command("run", manifest, "--report", "x", "--log-file", "x", cwd=tmp_path).code == 2
    assert (tmp_path / manifest).read_bytes() == before
    assert not (tmp_path / "data").exists()
    assert not origin.requests


@pytest.mark.parametrize("option", OPTIONS)
def test_of_what_the_folder_keeps_for_itself_a_report_alone_is_replaced_by_a_report(option: str, origin: Origin, tmp_path: Path) -> None:
    write(tmp_path, [origin.serve("/a.bin", Body(1000))])
    assert called("run", "downloads.yaml", cwd=tmp_path).code == 0
    for name, allowed in (("partial/x", False), ("unpacked/x.json", False), ("report.json", option == "--report"), ("my.log", True)):
        run = called("run", "downloads.yaml", option, f"data/.marscore/{name}", cwd=tmp_path)
        assert (name, run.code, "would be written over" in run.err) == (name, 0 if allowed else 2, not allowed)


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("name", ["data/.marscore/state.db", "data/b.bin"])
def test_what_the_folder_knows_and_files_that_are_not_wanted_now_are_not_written_over(
    option: str, name: str, origin: Origin, tmp_path: Path
) -> None:
    for file in "ab":
        origin.serve(f"/{file}.bin", Body(1000))
    write(tmp_path, [origin.url("/a.bin"), origin.url("/b.bin")])
    assert called("run", "downloads.yaml", cwd=tmp_path).code == 0
    before = (tmp_path / name).read_bytes()
    run = called("run", "downloads.yaml", "--only", "a.bin", option, name, cwd=tmp_path)
    assert (run.code, "would be written over" in run.err) == (2, True)
    assert (tmp_path / name).read_bytes() == before


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("https://u:secret@example.com/", "must be a folder, or begin with s3://"),
        ("gs://u:secret@bucket/", "must hold no user name"),
        ("s3://bucket/../other", "must not have an empty part"),
        ("s3://b/c", "must name a bucket"),
        ("s3://bucket/a?token=secret", "no query"),
        ("s3://bucket/.marscore/other", "keeps for itself"),
        ("file://host/data", "must be of this machine"),
    ],
)
def test_a_url_that_names_no_place_for_files_is_refused(place: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "downloads.yaml").write_text(f"version: 1\noutput_dir: {place}\ndownloads: [http://127.0.0.1:9/a.bin]\n")
    run = called("run", "downloads.yaml", cwd=tmp_path)
    assert (run.code, why in run.err, "secret" in run.err) == (2, True, False), run.err
    assert "downloads.yaml:2:13: output_dir: " in run.err
    if not place.startswith("file:"):
        # A Path makes one slash of two: what a folder's URL has before it is lost.
        for verb in (("run", "downloads.yaml"), ("get", "http://127.0.0.1:9/a.bin"), ("verify",)):
            run = called(*verb, "--output-dir", place, cwd=tmp_path)
            assert (run.code, why in run.err, "secret" in run.err) == (2, True, False), run.err
    assert [path.name for path in tmp_path.iterdir()] == ["downloads.yaml"]


def test_a_file_url_is_that_folder(origin: Origin, tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    write(tmp_path, [origin.serve("/a.bin", Body(1000))], output_dir=f"file://{str(folder).replace(' ', '%20')}")
    assert called("run", "downloads.yaml", cwd=tmp_path).code == 0
    assert (folder / "a.bin").read_bytes() == Body(1000).read(0, 1000)
    assert called("run", "downloads.yaml", "--output-dir", f"file://{tmp_path}/other", cwd=tmp_path).code == 0
    assert (tmp_path / "other" / "a.bin").is_file()
