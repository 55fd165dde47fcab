"""A signal at any moment of a command's life: the code is 128 + the signal where it cut the run short, and the report says the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.disk import wrong_in
from tests.integration.command import LIMIT_S, Run, environment, marscore, read_report, write
from tests.long import some
from tests.origin import Body, Good, Origin

SCRIPT = Path(__file__).with_name("signalled.py")
MIB = 1024 * 1024
BODIES = {"small.bin": Body(30_000, seed=61), "large.bin": Body(9 * MIB, seed=62)}
#: Nothing ends by itself in the time that a test takes.
HELD = Good(stall_after=10_000, stall_s=120)

#: Before a run has begun.
BEFORE = [
    "import click",
    "import marscore.cli.options",
    "import marscore.app",
    "import yaml",
    "open downloads.yaml",
    "os.mkdir data/.marscore",
    "open .marscore/lock",
]
#: Of a run that has everything before it.
DURING = [
    "sqlite3.connect state.db*",
    "os.listdir .marscore/partial",
    "import marscore.adapters.processes.workers",
    *([] if os.environ.get("MARSCORE_LANE") == "requests" else ["import pycurl"]),
    "open .part",
]
#: Once every download has its outcome.
AT_THE_END = ["fsync", "open .marscore/.marscore-*", "os.rename .marscore/report.json", "os.remove lock.pid"]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX has them")
both_signals = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


def at_moments(moments: list[str]) -> pytest.MarkDecorator:
    """Each moment with one of the two signals, in turn; in a long test with both. One handler takes them all."""
    rows = {f"{moment}-{number.name}": (moment, number) for moment in moments for number in (signal.SIGINT, signal.SIGTERM)}
    chosen = some(rows, *(f"{moment}-{('SIGINT', 'SIGTERM')[n % 2]}" for n, moment in enumerate(moments)))
    return pytest.mark.parametrize(("moment", "number"), chosen.values(), ids=chosen)


def signalled(folder: Path, moment: str, number: signal.Signals, *arguments: str, times: int = 1) -> Run:
    """Run the command and send it a signal at one moment, which has to come."""
    done = subprocess.run(
        [sys.executable, SCRIPT, moment, str(int(number)), str(times), *arguments],
        cwd=folder,
        env=environment({"PYTHONPATH": str(Path.cwd())}),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return Run(done.returncode, done.stdout, done.stderr, folder / "data", read_report(folder / "data"))


def served(origin: Origin, *script: Good) -> list[str]:
    return [origin.serve(f"/{name}", body, list(script)) for name, body in BODIES.items()]


def assert_next_run_ends_well(origin: Origin, folder: Path) -> None:
    for name, body in BODIES.items():
        origin.serve(f"/{name}", body)
    again = marscore("run", "downloads.yaml", cwd=folder)
    assert again.code == 0, again.err
    assert wrong_in(again.folder, BODIES) == []
    assert again.partials() == []
    assert not again.events("warned")


@at_moments(BEFORE)
def test_before_a_run_has_begun_a_signal_is_one_line(origin: Origin, tmp_path: Path, moment: str, number: signal.Signals) -> None:
    manifest = write(tmp_path, served(origin), execution={"processes": 1})
    run = signalled(tmp_path, moment, number, "run", manifest)
    assert run.code == 128 + number
    assert run.err == f"marscore: interrupted by {number.name}\n"
    assert (run.report, origin.requests) == ({}, [])
    assert_next_run_ends_well(origin, tmp_path)


@both_signals
@pytest.mark.parametrize("verb", ["plan", "validate", "run"])
def test_a_command_that_waits_for_its_manifest_ends_in_one_line(tmp_path: Path, verb: str, number: signal.Signals) -> None:
    write(tmp_path, ["http://origin.example/a"])
    run = signalled(tmp_path, "open downloads.yaml", number, verb, "downloads.yaml")
    assert (run.code, run.out, run.err) == (128 + number, "", f"marscore: interrupted by {number.name}\n")


@at_moments(DURING)
def test_a_run_that_is_cut_short_says_so_in_its_report(origin: Origin, tmp_path: Path, moment: str, number: signal.Signals) -> None:
    manifest = write(tmp_path, served(origin, HELD), execution={"processes": 1})
    run = signalled(tmp_path, moment, number, "run", manifest)
    assert run.code == 128 + number, run.err
    assert (run.report["status"], run.report["exit_code"]) == ("interrupted", 128 + number)
    # Of two files that are taken up one after the other, the second may not have begun.
    assert {entry["status"] for entry in run.report["downloads"]} <= {"interrupted", "skipped"}
    assert run.events()[-1]["event"] == "run_finished"
    assert_next_run_ends_well(origin, tmp_path)


@both_signals
def test_a_signal_while_files_in_place_are_proven_is_in_the_report(origin: Origin, tmp_path: Path, number: signal.Signals) -> None:
    manifest = write(tmp_path, served(origin), execution={"processes": 1})
    assert marscore("run", manifest, cwd=tmp_path).code == 0
    for name in BODIES:
        (tmp_path / "data" / name).touch()
    run = signalled(tmp_path, "open data/large.bin", number, "run", manifest)
    assert run.code == 128 + number, run.err
    assert (run.report["status"], run.report["exit_code"]) == ("interrupted", 128 + number)
    assert_next_run_ends_well(origin, tmp_path)


@at_moments(AT_THE_END)
def test_a_signal_that_comes_when_all_is_in_place_changes_nothing(
    origin: Origin, tmp_path: Path, moment: str, number: signal.Signals
) -> None:
    manifest = write(tmp_path, served(origin), execution={"processes": 1})
    run = signalled(tmp_path, moment, number, "run", manifest)
    assert run.code == 0, run.err
    assert (run.report["status"], run.report["exit_code"]) == ("succeeded", 0)
    assert wrong_in(run.folder, BODIES) == []
    assert not run.events("warned")
    asked = len(origin.requests)
    assert_next_run_ends_well(origin, tmp_path)
    assert len(origin.requests) == asked, "what is in place is claimed, and claimed to be on the disk"


@at_moments(AT_THE_END)
def test_at_the_end_of_a_run_that_failed_report_and_code_say_the_same(
    origin: Origin, tmp_path: Path, moment: str, number: signal.Signals
) -> None:
    manifest = write(tmp_path, [*served(origin), origin.url("/missing.bin")], execution={"processes": 1})
    run = signalled(tmp_path, moment, number, "run", manifest)
    told = ("interrupted", 128 + number) if moment == "fsync" else ("failed", 1)
    assert (run.report["status"], run.report["exit_code"]) == told
    assert run.code == told[1]
    assert run.entry(2)["status"] == "failed"


@pytest.mark.parametrize(
    "moment", ["import click", "import marscore.adapters.processes.workers", "fsync", "os.rename .marscore/report.json"]
)
def test_the_second_signal_ends_at_once_whatever_is_going_on(origin: Origin, tmp_path: Path, moment: str) -> None:
    manifest = write(tmp_path, served(origin), execution={"processes": 1})
    run = signalled(tmp_path, moment, signal.SIGTERM, "run", manifest, times=2)
    assert run.code == 143
    assert run.report == {}
    assert_next_run_ends_well(origin, tmp_path)
