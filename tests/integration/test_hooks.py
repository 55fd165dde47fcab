"""`on_success` and `on_failure`: a program of the manifest's own, once the run is over, seen from outside."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import marscore as package
from tests.integration.command import Process, Run, command, environment, fetch, marscore, started, write
from tests.origin import Body, Origin, Status

ONE = Body(3_000, seed=1)
SECRET = "s3cret-t0ken-value"


def python(code: str, *arguments: str) -> list[str]:
    """A hook that is a few lines of Python."""
    return [sys.executable, "-c", code, *arguments]


TELL = """
import json, os, sys
names = ("MARSCORE_STATUS", "MARSCORE_REPORT", "MARSCORE_OUTPUT_DIR")
report = os.environ.get("MARSCORE_REPORT")
told = {name: os.environ.get(name) for name in names}
told |= {"argv": sys.argv[1:], "cwd": os.getcwd(), "stdin": sys.stdin.read()}
told["report"] = json.load(open(report))["status"] if report else None
json.dump(told, open(sys.argv[1], "w"))
print("printed by the hook")
"""


def told(folder: Path, name: str = "told.json") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / name).read_text())
    return found


def test_a_hook_runs_once_in_the_manifest_s_folder_when_the_report_is_written(origin: Origin, tmp_path: Path) -> None:
    folder = tmp_path / "jobs"
    folder.mkdir()
    write(folder, [origin.serve("/one.bin", ONE)], on_success=python(TELL, "told.json", "$$HOME;*"), on_failure=python(TELL, "no"))
    run = marscore("run", "jobs/downloads.yaml", cwd=tmp_path)
    assert (run.code, run.out) == (0, ""), run.err
    output = folder / "data"
    assert told(folder) == {
        "MARSCORE_STATUS": "succeeded",
        "MARSCORE_REPORT": str(output / ".marscore" / "report.json"),
        "MARSCORE_OUTPUT_DIR": str(output),
        "argv": ["told.json", "$HOME;*"],
        "cwd": str(folder),
        "stdin": "",
        "report": "succeeded",
    }
    assert not (folder / "no").exists()
    assert "printed by the hook" in run.err.splitlines()
    started, finished = run.events("hook_started"), run.events("hook_finished")
    assert [(line["hook"], line["program"]) for line in started] == [("on_success", sys.executable)]
    assert [(line["exit_code"], line["duration_s"] > 0) for line in finished] == [(0, True)]
    assert run.events()[-1]["event"] == "run_finished"


def test_a_failure_has_its_own_hook_and_keeps_its_exit_code(origin: Origin, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    write(
        tmp_path,
        [origin.script("/gone", [Status(404)])],
        on_success=python(TELL, "no"),
        on_failure=python(TELL + "sys.exit(7)", "told.json"),
    )
    run = marscore("run", "downloads.yaml", "--report", "elsewhere/r.json", cwd=tmp_path)
    assert run.code == 1
    assert (told(tmp_path)["MARSCORE_STATUS"], told(tmp_path)["report"]) == ("failed", "failed")
    assert told(tmp_path)["MARSCORE_REPORT"] == str(tmp_path / "elsewhere" / "r.json")
    assert not (tmp_path / "no").exists()
    assert run.events("hook_finished")[0]["exit_code"] == 7
    assert "on_failure: " in run.err
    assert "ended with exit code 7" in run.err


@pytest.mark.parametrize(
    ("hook", "code", "why"),
    [
        (python("import sys; sys.exit(3)"), 3, "ended with exit code 3"),
        (python("import os; os.kill(os.getpid(), 9)"), 137, "was ended by SIGKILL"),
        (["no-such-program-anywhere"], None, "cannot be started: No such file or directory"),
        (["./not-executable"], None, "cannot be started: Permission denied"),
    ],
)
def test_a_hook_that_fails_is_exit_1_and_told(hook: list[str], code: int | None, why: str, origin: Origin, tmp_path: Path) -> None:
    (tmp_path / "not-executable").write_text("#!/bin/sh\n")
    run = fetch(tmp_path, origin.serve("/one.bin", ONE), on_success=hook)
    assert run.code == 1
    assert run.report["status"] == "succeeded", "the report tells of the downloads, and was there before"
    [finished] = run.events("hook_finished")
    assert (finished.get("exit_code"), finished["reason"]) == (code, why)
    assert [line["exit_code"] for line in run.events("run_finished")] == [1]
    assert f"marscore: on_success: {hook[0]} {why}" in run.err.splitlines()
    assert run.data("one.bin") == ONE.read(0, ONE.length)


def test_a_path_to_the_program_is_relative_to_the_manifest(origin: Origin, tmp_path: Path) -> None:
    folder = tmp_path / "jobs"
    folder.mkdir()
    script = folder / "hook.sh"
    script.write_text("#!/bin/sh\necho ran >ran\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    write(folder, [origin.serve("/one.bin", ONE)], on_success=["./hook.sh"])
    assert marscore("run", "jobs/downloads.yaml", cwd=tmp_path).code == 0
    assert (folder / "ran").read_text() == "ran\n"


def test_secrets_are_not_told_of_a_hook(origin: Origin, tmp_path: Path) -> None:
    hook = python("import sys; assert sys.argv[1] == 's3cret-t0ken-value'; sys.exit(1)", "${API_TOKEN}")
    write(tmp_path, [origin.serve("/one.bin", ONE)], on_success=hook, on_failure=["${API_TOKEN}"])
    env = {"API_TOKEN": SECRET}
    run = marscore("run", "downloads.yaml", cwd=tmp_path, env=env)
    assert run.code == 1
    failing = marscore("run", "downloads.yaml", "--offline", "--output-dir", "other", cwd=tmp_path, env=env)
    assert "on_failure: ${API_TOKEN} cannot be started" in failing.err
    checked = marscore("validate", "downloads.yaml", cwd=tmp_path, env=env)
    assert "downloads.yaml: on_failure runs '${API_TOKEN}'" in checked.out
    planned = marscore("plan", "downloads.yaml", "--format", "json", cwd=tmp_path, env=env)
    assert json.loads(planned.out)["on_failure"] == ["${API_TOKEN}"]
    table = marscore("plan", "downloads.yaml", cwd=tmp_path, env=env)
    assert "on_success runs " in table.out
    for each in (run, failing, checked, planned, table):
        assert SECRET not in each.out + each.err.replace("assert sys.argv[1] == 's3cret-t0ken-value'", "")


def test_no_hooks_runs_none_and_neither_do_other_verbs(origin: Origin, tmp_path: Path) -> None:
    url = origin.serve("/one.bin", ONE)
    write(tmp_path, [url], on_success=python(TELL, "told.json"), on_failure=python(TELL, "told.json"))
    for verb in (
        ("run", "downloads.yaml", "--no-hooks"),
        ("lock", "downloads.yaml"),
        ("verify", "downloads.yaml", "--fix"),
        ("plan", "downloads.yaml"),
        ("validate", "downloads.yaml"),
    ):
        (tmp_path / "data" / "one.bin").unlink(missing_ok=True)
        assert marscore(*verb, cwd=tmp_path).code == 0, verb
    assert not (tmp_path / "told.json").exists()
    assert marscore("get", url, "--no-hooks", cwd=tmp_path).code == 2


def test_a_manifest_on_standard_input_has_hooks_in_the_current_folder(origin: Origin, tmp_path: Path) -> None:
    write(tmp_path, [origin.serve("/one.bin", ONE)], on_success=python(TELL, "told.json"))
    text = (tmp_path / "downloads.yaml").read_text()
    (tmp_path / "here").mkdir()
    assert marscore("run", "-", cwd=tmp_path / "here", stdin=text).code == 0
    assert told(tmp_path / "here")["cwd"] == str(tmp_path / "here")


def test_a_report_on_standard_output_is_whole_and_names_no_file(origin: Origin, tmp_path: Path) -> None:
    write(tmp_path, [origin.serve("/one.bin", ONE)], on_success=python(TELL, "told.json"))
    run = marscore("run", "downloads.yaml", "--report", "-", cwd=tmp_path, env={"MARSCORE_REPORT": "of another run"})
    assert json.loads(run.out)["status"] == "succeeded"
    assert told(tmp_path)["MARSCORE_REPORT"] is None


def test_a_program_gets_the_hooks_too(origin: Origin, tmp_path: Path) -> None:
    write(tmp_path, [origin.serve("/one.bin", ONE)], on_success=python(TELL + "sys.exit(4)", "told.json"))
    report = package.run(tmp_path / "downloads.yaml")
    assert (report.exit_code, report.status) == (1, "failed")
    assert told(tmp_path)["cwd"] == str(tmp_path)
    quiet = package.run(tmp_path / "downloads.yaml", package.RunSettings(hooks="none"))
    assert quiet.exit_code == 0


def test_a_hook_may_look_at_the_folder_but_not_run_there_again(origin: Origin, tmp_path: Path) -> None:
    url = origin.serve("/one.bin", ONE)
    write(tmp_path, [url], on_success=command("verify", "downloads.yaml"))
    assert marscore("run", "downloads.yaml", cwd=tmp_path).code == 0
    write(tmp_path, [url], on_success=command("run", "downloads.yaml", "--no-hooks"))
    again = marscore("run", "downloads.yaml", cwd=tmp_path)
    assert again.code == 1
    assert again.events("hook_finished")[0]["exit_code"] == 3


def test_a_signal_before_a_hook_begins_is_no_success(tmp_path: Path, origin: Origin) -> None:
    write(tmp_path, [origin.serve("/one.bin", ONE)], on_success=python(TELL, "told.json"))
    # The audit hook of Popen's module comes when all is in place, and the hook is about to begin.
    signalled = Path(__file__).with_name("signalled.py")
    done = subprocess.run(
        [sys.executable, str(signalled), "import marscore.adapters.processes.program", "15", "1", "run", "downloads.yaml"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 143, done.stderr


@pytest.mark.parametrize("hook", ["echo x", [], [""], {"a": "b"}, [["a"]], ["a", "b\0"]])
def test_what_is_no_program_is_an_error_at_its_place(hook: object, tmp_path: Path) -> None:
    write(tmp_path, ["https://e.com/a"], on_success=hook)
    checked = marscore("validate", "downloads.yaml", cwd=tmp_path)
    assert checked.code == 2
    assert checked.err.startswith("downloads.yaml:")
    assert "on_success" in checked.err


def begun(folder: Path, *arguments: str) -> Process:
    """A run whose hook has written `began`."""
    (folder / "began").unlink(missing_ok=True)
    process = started("run", "downloads.yaml", *arguments, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until = time.monotonic() + 60
    while not (folder / "began").exists():
        assert time.monotonic() < until
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    return process


def ended(process: Process, folder: Path) -> Run:
    out, err = process.communicate(timeout=60)
    return Run(process.returncode, out.decode(), err.decode(), folder / "data")


def is_alive(folder: Path) -> bool:
    """Whether the hook that wrote `began` still runs: one that was killed takes a moment to go."""
    state = Path(f"/proc/{(folder / 'began').read_text()}/stat")
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            if state.read_text().rpartition(")")[2].split()[0] == "Z":
                return False
        except (FileNotFoundError, ProcessLookupError):
            return False
        time.sleep(0.01)
    return True


BEGIN = "import os, signal, sys, time; {}; open('new', 'w').write(str(os.getpid())); os.rename('new', 'began'); time.sleep(100)"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_is_passed_on_to_the_hook_and_ends_the_run(number: int, code: int, origin: Origin, tmp_path: Path) -> None:
    note = "signal.signal(signal.SIGTERM, lambda *_: (open('heard', 'w').write('15'), sys.exit(0)))"
    write(tmp_path, [origin.serve("/one.bin", ONE)], on_success=python(BEGIN.format(note)))
    process = begun(tmp_path)
    process.send_signal(number)
    run = ended(process, tmp_path)
    assert run.code == code
    assert (tmp_path / "heard").exists() == (number == signal.SIGTERM)
    assert not is_alive(tmp_path)
    assert "on_success was told to stop" in run.err
    assert [line["exit_code"] for line in run.events("run_finished")] == [code]


def test_a_hook_that_ignores_signals_is_ended_within_two_seconds_with_what_it_started(origin: Origin, tmp_path: Path) -> None:
    ignore = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    hook = BEGIN.format(f"{ignore}; os.fork() or time.sleep(100)")
    write(tmp_path, [origin.serve("/one.bin", ONE)], on_success=python(hook))
    process = begun(tmp_path)
    began = time.monotonic()
    process.terminate()
    run = ended(process, tmp_path)
    assert run.code == 143
    assert time.monotonic() - began < 10, "two seconds, and as many as a busy machine takes"
    assert not is_alive(tmp_path)


def test_a_second_signal_ends_the_hook_at_once_too(origin: Origin, tmp_path: Path) -> None:
    write(tmp_path, [origin.serve("/one.bin", ONE)], on_success=python(BEGIN.format("signal.signal(signal.SIGTERM, signal.SIG_IGN)")))
    process = begun(tmp_path)
    process.terminate()
    time.sleep(0.2)
    process.terminate()
    assert ended(process, tmp_path).code == 143
    assert not is_alive(tmp_path)


def test_a_failed_run_keeps_its_exit_code_when_its_hook_is_stopped(origin: Origin, tmp_path: Path) -> None:
    write(tmp_path, [origin.script("/gone", [Status(404)])], on_failure=python(BEGIN.format("0")))
    process = begun(tmp_path)
    process.terminate()
    assert ended(process, tmp_path).code == 1


def test_an_interrupted_run_has_no_hook(origin: Origin, tmp_path: Path) -> None:
    url = origin.serve("/one.bin", ONE)
    origin.script("/one.bin", [Status(503, retry_after="100")])
    write(tmp_path, [url], on_success=python(TELL, "told.json"), on_failure=python(TELL, "told.json"))
    process = started("run", "downloads.yaml", cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert origin.wait_for_requests(1)
    process.send_signal(signal.SIGINT)
    assert ended(process, tmp_path).code == 130
    assert not (tmp_path / "told.json").exists()


def test_a_program_s_own_interrupt_ends_the_hook_and_comes_back_to_it(origin: Origin, tmp_path: Path) -> None:
    write(tmp_path, [origin.serve("/one.bin", ONE)], on_success=python(BEGIN.format("signal.signal(signal.SIGINT, signal.SIG_DFL)")))
    script = "import marscore\ntry:\n    marscore.run('downloads.yaml')\nexcept KeyboardInterrupt:\n    print('interrupted')\n"
    process = subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path, env=environment(), stdout=subprocess.PIPE)
    until = time.monotonic() + 60
    while not (tmp_path / "began").exists():
        assert time.monotonic() < until
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert out == b"interrupted\n"
    assert not is_alive(tmp_path)


def test_the_lists_of_checksums_that_a_run_looks_up_have_no_hook_of_their_own(origin: Origin, tmp_path: Path) -> None:
    sums = Body(text=f"{ONE.sha256}  one.bin\n".encode(), content_type="text/plain")
    entry = {"url": origin.serve("/one.bin", ONE), "checksum": {"from": origin.serve("/SHA256SUMS", sums)}}
    hook = python("open('runs', 'a').write('one ')")
    write(tmp_path, [entry], on_success=hook, on_failure=hook)
    assert marscore("run", "downloads.yaml", cwd=tmp_path).code == 0
    assert (tmp_path / "runs").read_text() == "one "


PRINT = "import sys; sys.stdout.write('printed without an end'); sys.stdout.flush()"


@pytest.mark.parametrize("place", ["pipe", "file"])
@pytest.mark.parametrize("code", [PRINT, PRINT + "; print()", ""])
def test_what_a_hook_prints_without_an_end_spoils_no_line_of_the_log(place: str, code: str, origin: Origin, tmp_path: Path) -> None:
    write(tmp_path, [origin.serve("/one.bin", ONE)], on_success=python(code))
    printed = tmp_path / "printed"
    with printed.open("wb") as file:
        done = subprocess.run(
            command("run", "downloads.yaml", "--log-format", "json"),
            cwd=tmp_path,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=file if place == "file" else subprocess.PIPE,
            timeout=60,
            check=True,
        )
    lines = (printed.read_bytes() if place == "file" else done.stderr).decode().splitlines()
    assert lines.count("printed without an end") == (1 if code else 0)
    others = [json.loads(line)["event"] for line in lines if not line.startswith("printed")]
    assert others[-3:] == ["hook_started", "hook_finished", "run_finished"]


def test_what_a_hook_leaves_in_the_background_is_not_waited_for(origin: Origin, tmp_path: Path) -> None:
    code = "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).pid)"
    write(tmp_path, [origin.serve("/one.bin", ONE)], on_success=python(code))
    # It holds our own pipes open as well if it is given them; a file nobody waits for.
    with (tmp_path / "printed").open("wb") as file:
        reading, writing = os.pipe()
        process = started("run", "downloads.yaml", "--log-format", "json", cwd=tmp_path, stdout=file, stderr=writing)
        os.close(writing)
        assert process.wait(30) == 0
    with os.fdopen(reading) as text:
        lines = text.read().splitlines()
    [pid] = [int(line) for line in lines if line.isdigit()]
    os.kill(pid, signal.SIGKILL)
    assert json.loads(lines[-1])["event"] == "run_finished"
