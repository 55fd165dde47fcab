"""`run` and `arun` as programs call them: keywords, events, the end by `cancel`, logging, and what a report can be asked."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import json
import logging
import pickle
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import click
import pytest

import marscore
from marscore.cli.main import run
from marscore.events import DownloadFinished, DownloadStarted, HookStarted, LoggedEvent, RunFinished, RunStarted, name_of
from marscore.keywords import COMMAND_ALONE, FLAGS, Options, settings_of
from tests.integration.command import LIMIT_S, environment
from tests.long import few, long
from tests.origin import Body, Good, Origin, Seen, busy

MIB = 1024 * 1024
SMALL = Body(20_000, seed=81)
BIG = Body(200 * MIB, seed=82)
#: Nothing more comes after so much, for longer than any test lasts.
HELD = Good(rate=20 * MIB, stall_after=8 * MIB, stall_s=120)
SECRET = "t0k-en-f0r-nobody"


def manifest(folder: Path, *downloads: object, **more: object) -> dict[str, Any]:
    return {"version": 1, "output_dir": str(folder / "data"), **more, "downloads": list(downloads)}


def journals(folder: Path) -> list[Path]:
    return list((folder / "data" / ".marscore" / "partial").glob("*.journal"))


def test_keywords_are_the_command_s_options(origin: Origin, tmp_path: Path) -> None:
    data = manifest(tmp_path, {"url": origin.serve("/a.bin", SMALL), "tags": ["a"]}, origin.url("/b.bin"))
    report = marscore.run(data, output_dir=tmp_path / "other", only=["a"], report=tmp_path / "r.json", processes=1)
    assert (report.ok, [entry.path for entry in report.downloads]) == (True, ["a.bin"])
    assert (tmp_path / "other" / "a.bin").read_bytes() == SMALL.read(0, SMALL.size)
    assert json.loads((tmp_path / "r.json").read_text())["run_id"] == report.run_id
    settings = marscore.RunSettings(only=("a",), log_level="error")
    assert marscore.run(data, settings, output_dir=tmp_path / "third").ok
    assert marscore.plan(data, only=["a"]).downloads[0].action == "fetch"


def test_a_type_checker_knows_all_of_them_and_the_docstring_names_them() -> None:
    known = {field.name for field in dataclasses.fields(marscore.RunSettings)}
    assert set(Options.__annotations__) == {*known, *FLAGS, "var"}
    docs = (Path(__file__).parents[2] / "docs" / "howto" / "python.md").read_text()
    for told in (marscore.run.__doc__ or "", docs[docs.index("## Options") : docs.index("## Events")]):
        assert not {name for name in Options.__annotations__ if not re.search(rf"\b{name}\b", told)}


def test_every_option_of_the_command_is_a_keyword_by_its_own_name_or_says_why_not() -> None:
    names = {max(option.opts, key=len).lstrip("-").replace("-", "_") for option in run.params if isinstance(option, click.Option)}
    assert {"offline", "no_lock", "var", "max_rate"} <= names
    assert not names - set(Options.__annotations__) - COMMAND_ALONE.keys()


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({"offline": True, "no_lock": True, "no_hooks": True}, {"network": "offline", "locking": "none", "hooks": "none"}),
        ({"locked": True, "require_checksums": True}, {"locking": "exact", "checksums": "required"}),
        ({"offline": False, "locked": False}, {"network": "used", "locking": "if_there"}),
        ({"var": {"A": "b"}}, {"variables": (("A", "b"),)}),
        ({"var": ["A=b=c", ("D", "e")]}, {"variables": (("A", "b=c"), ("D", "e"))}),
        ({"max_rate": "10MiB"}, {"max_rate": 10 * MIB}),
    ],
)
def test_a_keyword_means_what_the_option_does(given: Any, meant: dict[str, object]) -> None:
    settings = settings_of(None, given)
    assert {name: getattr(settings, name) for name in meant} == meant
    assert settings_of(marscore.RunSettings(only=("a",)), given).only == ("a",)


def test_offline_sends_nothing(origin: Origin, tmp_path: Path) -> None:
    report = marscore.run(manifest(tmp_path, origin.serve("/a.bin", SMALL)), offline=True, no_lock=True)
    assert [entry.error.kind for entry in report.downloads if entry.error] == ["offline"]
    assert not origin.requests


async def async_listener(event: object) -> None:
    """What is easily passed beside a loop, and never awaited."""


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"output": "x"}, TypeError, "output is no option of a run; did you mean output_dir"),
        ({"threads": 0}, ValueError, "threads must be 1 or more"),
        ({"threads": "4"}, TypeError, "threads must be a whole number"),
        ({"offline": 1}, TypeError, "offline must be True or False, not int"),
        ({"offline": True, "network": "used"}, ValueError, "network and offline say one thing twice"),
        ({"locked": True, "no_lock": True}, ValueError, "locked and no_lock say one thing twice, or two"),
        ({"no_lock": True, "lock": "x.lock"}, ValueError, "no_lock looks at no lock, and lock names one"),
        ({"var": "A=b"}, TypeError, 'var must be a mapping, or a list of "NAME=VALUE", not str'),
        ({"var": [SECRET]}, ValueError, "^var must hold NAME=VALUE$"),
        ({"var": {"A": 1}}, TypeError, r"var\['A'\] must be a string, not int"),
        ({"quiet": True}, TypeError, "quiet is an option of the command alone"),
        ({"github": True}, TypeError, "github is an option of the command alone"),
        ({"max_rate": "fast"}, ValueError, "max_rate must be a size such as 10MiB"),
        ({"max_rate": "0"}, ValueError, "max_rate must be 1 or more"),
        ({"log_format": "yaml"}, ValueError, "log_format must be one of json, console, none"),
        ({"only": "ci"}, TypeError, "only must be a list or tuple of strings, not str"),
        ({"only": ["a", 1]}, TypeError, r"only\[1\] must be a string, not int"),
        ({"variables": {"A": 1}}, TypeError, r"variables\['A'\] must be a string, not int"),
        ({"on_event": async_listener}, TypeError, "on_event must not be async"),
        ({"on_event": functools.partial(async_listener)}, TypeError, "on_event must not be async"),
        ({"on_event": 1}, TypeError, "on_event must be something that can be called"),
        ({"cancel": True}, TypeError, r"cancel must be a threading\.Event"),
        ({"settings": {}}, TypeError, "settings must be a RunSettings"),
        ({"session": 1}, TypeError, r"session must be a requests\.Session"),
    ],
)
@pytest.mark.parametrize("function", ["run", "arun"])
def test_what_is_wrong_is_named_and_nothing_started(tmp_path: Path, function: str, given: Any, error: type[Exception], words: str) -> None:
    data = manifest(tmp_path, "http://127.0.0.1:9/a")
    with pytest.raises(error, match=words):
        marscore.run(data, **given) if function == "run" else asyncio.run(marscore.arun(data, **given))
    assert not (tmp_path / "data").exists()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("function", ["run", "arun"])
def test_a_listener_that_returns_what_nobody_awaits_ends_the_run(origin: Origin, tmp_path: Path, function: str) -> None:
    data = manifest(tmp_path, origin.serve("/a.bin", SMALL))
    given: dict[str, Any] = {"on_event": lambda event: async_listener(event)}
    with pytest.raises(TypeError, match="on_event must not be async"):
        marscore.run(data, **given) if function == "run" else asyncio.run(marscore.arun(data, **given))


@pytest.mark.parametrize("processes", [1, 2])
def test_on_event_hears_all_that_the_log_tells_in_the_thread_that_called(origin: Origin, tmp_path: Path, processes: int) -> None:
    heard: list[tuple[LoggedEvent, int]] = []
    urls = [origin.serve(f"/{n}.bin", Body(60_000, seed=n)) for n in range(20)]
    urls += [origin.serve("/retried.bin", SMALL, [busy(503, "0"), Good()]), origin.url(f"/missing?token={SECRET}")]
    for again in ("first", "second"):
        heard.clear()
        log = tmp_path / again
        data = manifest(tmp_path, *urls)
        marscore.run(
            data, processes=processes, log_file=log, log_level="debug", on_event=lambda event: heard.append((event, threading.get_ident()))
        )
        assert {thread for _, thread in heard} == {threading.get_ident()}
        lines = [json.loads(line)["event"] for line in log.read_text().splitlines()]
        assert Counter(name_of(type(event)) for event, _ in heard) == Counter(lines)
        assert SECRET not in str([event for event, _ in heard])
        paths = {record["download"]: record.get("path") for record in map(json.loads, log.read_text().splitlines()) if "download" in record}
        assert {about.download: about.path for event, _ in heard if (about := cast(Any, event)) and hasattr(event, "download")} == paths
        assert paths["downloads[20]"] == "retried.bin"
        assert isinstance(heard[0][0], RunStarted)
        assert isinstance(heard[-1][0], RunFinished)


def test_a_listener_that_raises_ends_the_run_in_order_and_hears_no_more(origin: Origin, tmp_path: Path) -> None:
    heard: list[object] = []

    def listen(event: object) -> None:
        heard.append(event)
        if isinstance(event, DownloadFinished):
            raise LookupError("enough")

    def once_much_is_there(seen: Seen) -> Good:
        until = time.monotonic() + LIMIT_S
        while not journals(tmp_path) and time.monotonic() < until:
            time.sleep(0.01)
        return Good(body=SMALL)

    data = manifest(tmp_path, origin.serve("/big.bin", BIG, [HELD]), origin.handle("/a.bin", once_much_is_there))
    with pytest.raises(LookupError, match="enough"):
        marscore.run(data, on_event=listen, processes=1)
    assert isinstance(heard[-1], DownloadFinished)
    report = json.loads((tmp_path / "data" / ".marscore" / "report.json").read_text())
    assert (report["status"], [each["status"] for each in report["downloads"]]) == ("interrupted", ["interrupted", "downloaded"])
    origin.serve("/big.bin", BIG)
    assert marscore.run(data).downloads[0].bytes_resumed >= 4 * MIB


def test_a_listener_that_raises_at_once_or_last_is_heard_as_well(origin: Origin, tmp_path: Path) -> None:
    for kind, status in ((RunStarted, "interrupted"), (RunFinished, "succeeded")):

        def listen(event: object, kind: type = kind) -> None:
            if isinstance(event, kind):
                raise LookupError(kind.__name__)

        with pytest.raises(LookupError, match=kind.__name__):
            marscore.run(manifest(tmp_path, origin.serve("/a.bin", SMALL)), on_event=listen)
        assert json.loads((tmp_path / "data" / ".marscore" / "report.json").read_text())["status"] == status


@pytest.mark.parametrize("processes", [pytest.param(1, marks=long), 2])
def test_cancel_ends_the_run_as_a_signal_does(origin: Origin, tmp_path: Path, processes: int) -> None:
    cancel = threading.Event()
    data = manifest(tmp_path, *(origin.serve(f"/{n}.bin", BIG, [HELD]) for n in "ab"))
    watcher = when(lambda: len(journals(tmp_path)) == 2, cancel.set)
    report = marscore.run(data, cancel=cancel, processes=processes)
    watcher.join()
    assert (report.status, report.exit_code, report.ok) == ("interrupted", 143, False)
    assert {entry.status for entry in report.failed} == {"interrupted"}
    with pytest.raises(marscore.DownloadError):
        report.raise_for_failures()
    for name in "ab":
        origin.serve(f"/{name}.bin", BIG)
    again = marscore.run(data)
    assert again.ok
    assert again.totals.bytes_resumed >= 4 * MIB


def when(holds: Callable[[], bool], act: Callable[[], object]) -> threading.Thread:
    """Do something once something holds; in a thread."""
    over = threading.Event()

    def wait() -> None:
        while not holds() and not over.wait(0.02):
            pass
        act()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def test_one_that_is_set_before_ends_the_run_before_a_request(origin: Origin, tmp_path: Path) -> None:
    cancel = threading.Event()
    cancel.set()
    report = marscore.run(manifest(tmp_path, origin.serve("/a.bin", SMALL)), cancel=cancel)
    assert (report.status, origin.requests) == ("interrupted", [])


def test_one_that_is_set_while_files_are_hashed_ends_that(origin: Origin, tmp_path: Path) -> None:
    data = manifest(tmp_path, *(origin.serve(f"/{n}.bin", Body(2 * MIB, seed=n)) for n in range(8)))
    assert marscore.run(data).ok
    for path in (tmp_path / "data").glob("*.bin"):
        path.touch()
    cancel = threading.Event()
    report = marscore.run(data, cancel=cancel, on_event=lambda event: cancel.set() if name_of(type(event)) == "proving_started" else None)
    # The last of them may have been hashed by the time that it is looked at.
    assert report.status in ("interrupted", "succeeded")
    assert marscore.run(data).ok


def ours() -> set[threading.Thread]:
    """Threads of runs that are there now; tests before this one may have left some that nobody reads from."""
    return {thread for thread in threading.enumerate() if thread.name.startswith("marscore")}


def test_nothing_works_on_where_ctrl_c_comes_while_a_run_is_put_in_order(origin: Origin, tmp_path: Path) -> None:
    before = ours()

    def listen(event: object) -> None:
        if isinstance(event, HookStarted):
            raise KeyboardInterrupt

    data = manifest(tmp_path, origin.serve("/a.bin", SMALL), on_success=["true"])
    with pytest.raises(KeyboardInterrupt):
        marscore.run(data, on_event=listen, metrics=tmp_path / "run.prom")
    until = time.monotonic() + 2
    while ours() - before and time.monotonic() < until:
        time.sleep(0.01)
    assert not ours() - before


def test_one_that_is_never_set_changes_nothing(origin: Origin, tmp_path: Path) -> None:
    before = ours()
    assert marscore.run(manifest(tmp_path, origin.serve("/a.bin", SMALL)), cancel=threading.Event()).ok
    assert not ours() - before


def test_arun_goes_on_beside_the_loop_which_hears_the_events(origin: Origin, tmp_path: Path) -> None:
    heard: list[tuple[str, int]] = []
    asked = asyncio.Event()

    def answer(seen: Seen) -> Good:
        loop.call_soon_threadsafe(asked.set)
        assert let_go.wait(LIMIT_S)
        return Good(body=SMALL)

    async def main() -> marscore.Report:
        nonlocal loop
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(
            marscore.arun(
                manifest(tmp_path, origin.handle("/a.bin", answer)),
                on_event=lambda event: heard.append((name_of(type(event)), threading.get_ident())),
            )
        )
        # The loop turns while the run waits for the origin, which waits for the loop.
        await asked.wait()
        let_go.set()
        return await task

    let_go = threading.Event()
    loop: asyncio.AbstractEventLoop
    report = asyncio.run(main())
    assert report.ok
    assert [name for name, _ in heard][:: len(heard) - 1] == ["run_started", "run_finished"]
    assert {thread for _, thread in heard} == {threading.get_ident()}


def test_two_at_once_in_one_loop(origin: Origin, tmp_path: Path) -> None:
    async def main() -> list[marscore.Report]:
        runs = (marscore.arun(manifest(tmp_path / n, origin.serve(f"/{n}.bin", SMALL))) for n in "ab")
        return await asyncio.gather(*runs)

    assert [report.ok for report in asyncio.run(main())] == [True, True]


def test_a_task_that_is_cancelled_ends_its_run_before_it_ends(origin: Origin, tmp_path: Path) -> None:
    data = manifest(tmp_path, origin.serve("/big.bin", BIG, [HELD]))
    before = ours()

    async def main() -> None:
        task = asyncio.create_task(marscore.arun(data))
        while not journals(tmp_path):
            await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    for thread in ours() - before:
        # Who hashes what is written beside it ends with its next step.
        assert thread.name == "marscore-hash"
        thread.join(10)
        assert not thread.is_alive()
    assert json.loads((tmp_path / "data" / ".marscore" / "report.json").read_text())["status"] == "interrupted"
    origin.serve("/big.bin", BIG)
    assert marscore.run(data).downloads[0].bytes_resumed >= 4 * MIB


def test_what_arun_and_its_listener_raise_is_the_task_s(origin: Origin, tmp_path: Path) -> None:
    def listen(event: object) -> None:
        if isinstance(event, DownloadStarted | DownloadFinished):
            raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        asyncio.run(marscore.arun(manifest(tmp_path, origin.serve("/a.bin", SMALL)), on_event=listen))
    with pytest.raises(marscore.ManifestError):
        asyncio.run(marscore.arun({"version": 2}))
    with pytest.raises(FileNotFoundError):
        asyncio.run(marscore.arun(tmp_path / "missing.yaml"))
    cancel = threading.Event()
    cancel.set()
    assert asyncio.run(marscore.arun(manifest(tmp_path, origin.url("/b.bin")), cancel=cancel)).status == "interrupted"


def test_logging_gets_the_events_at_their_levels(origin: Origin, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    url = origin.serve("/a.bin", SMALL, [busy(503, "0"), Good()])
    with caplog.at_level(logging.INFO, "marscore"):
        marscore.run(manifest(tmp_path, url, origin.url(f"/missing?token={SECRET}")))
    told: dict[str, Any] = {record.event: record for record in caplog.records}  # type: ignore[attr-defined]
    assert {record.name for record in caplog.records} == {"marscore"}
    assert (told["retry_scheduled"].levelname, told["download_failed"].levelname) == ("WARNING", "ERROR")
    assert (told["download_finished"].levelname, told["run_finished"].levelname) == ("INFO", "INFO")
    assert (told["retry_scheduled"].download, told["retry_scheduled"].fields["status"]) == ("downloads[0]", 503)
    assert told["retry_scheduled"].fields["path"] == "a.bin"
    assert "path='missing'" in told["download_failed"].getMessage()
    assert "404" in told["download_failed"].getMessage()
    assert SECRET not in caplog.text
    caplog.clear()
    with caplog.at_level(logging.DEBUG, "marscore"):
        marscore.run(manifest(tmp_path, url), log_file=tmp_path / "log")
    assert not caplog.records, "a log of its own was asked for"


PROGRAM = """
import sys, marscore
folder, url, how = sys.argv[1:]
data = {"version": 1, "output_dir": folder, "downloads": [{"url": url, "verify": False}, url + "missing"]}
report = marscore.run(data, **eval(how))
print(report.status, marscore.downloader(url, output_dir=folder + "2", verify=False))
"""


@pytest.mark.parametrize(
    ("how", "is_told"),
    few([("{}", False), ("{'log_level': 'warning'}", True), ("{'log_format': 'json'}", True), ("{'log_file': 'l'}", False)], 2),
)
def test_standard_error_is_the_program_s_unless_a_log_is_asked_for(origin: Origin, tmp_path: Path, how: str, is_told: bool) -> None:
    url = origin.serve("/a.bin", SMALL)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "data"), url, how],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=True,
    )
    assert done.stdout == "failed [True]\n"
    assert ("download_failed" in done.stderr) == is_told
    assert bool(done.stderr) == is_told


def test_a_report_says_what_failed_and_where_the_files_are(origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    url, gone = origin.serve(f"/a.bin?token={SECRET}", SMALL), origin.url("/<b>missing</b>.bin")
    origin.serve("/a.bin", SMALL)
    report = marscore.run({"version": 1, "output_dir": "data", "downloads": [url, {"url": gone, "path": "<b>.bin"}]})
    place = tmp_path / "data" / "a.bin"
    assert report.path(url) == report.path("downloads[0]") == report.path("a.bin") == place
    assert place.read_bytes() == SMALL.read(0, SMALL.size)
    assert report.downloads[0].url != url
    assert report.path(report.downloads[0].url) == place, "as the report shows it"
    with pytest.raises(TypeError, match="url_or_id must be a string, not int"):
        report.path(0)  # type: ignore[arg-type]
    assert SECRET not in repr(report) + str(report) + report.model_dump_json() + str(pickle.dumps(report))
    assert (report.ok, [entry.path for entry in report.failed]) == (False, ["<b>.bin"])
    with pytest.raises(marscore.DownloadError, match=r"1 download is not in place: <b>\.bin: http_status: .*404") as raised:
        report.raise_for_failures()
    assert raised.value.failed == report.failed
    assert pickle.loads(pickle.dumps(raised.value)).failed == report.failed
    with pytest.raises(marscore.DownloadError):
        report.path(gone)
    with pytest.raises(KeyError):
        report.path("http://nobody.example/")
    with pytest.raises(ValueError, match="only the report that a run returned"):
        marscore.Report.model_validate_json(report.model_dump_json()).path(url)
    assert repr(report).startswith("<Report failed: 1 downloaded, 1 failed; 19.5 KiB in ")
    page = report._repr_html_()
    assert "check the URL&#x27;s spelling" in page
    assert "<td>&lt;b&gt;.bin</td><td>failed</td>" in page
    assert page.index("&lt;b&gt;") < page.index("a.bin")
    assert "<b>.bin" not in page


def test_a_report_of_all_in_place_raises_nothing_and_one_url_may_be_meant_twice(origin: Origin, tmp_path: Path) -> None:
    url = origin.serve("/a.bin", SMALL)
    report = marscore.run(manifest(tmp_path, {"url": url, "path": "1"}, {"url": url, "path": "2"}))
    assert report.raise_for_failures() is report
    assert report.path("downloads[1]").name == "2"
    with pytest.raises(ValueError, match=r"2 downloads are meant: downloads\[0\], downloads\[1\]"):
        report.path(url)


def test_every_public_name_is_there_and_says_what_it_is() -> None:
    for name in marscore.__all__:
        value = getattr(marscore, name)
        assert name == "__version__" or value.__doc__, name
    assert set(marscore.__all__) <= set(dir(marscore))
    for function in (marscore.run, marscore.arun, marscore.plan, marscore.downloader):
        assert ">>> " in (function.__doc__ or ""), function
    assert (Path(marscore.__file__).parent / "py.typed").exists()


IN_ORDER = {
    "run": """
import signal, sys, threading
import marscore
told = threading.Event()
signal.signal(signal.SIGTERM, lambda number, frame: told.set())
report = marscore.run(sys.argv[1], cancel=told)
print(report.status, bool(report))
""",
    "arun": """
import asyncio, signal, sys
import marscore

async def main():
    task = asyncio.create_task(marscore.arun(sys.argv[1]))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        print("interrupted", False)

asyncio.run(main())
""",
}


@pytest.mark.parametrize("function", IN_ORDER)
def test_a_program_that_is_told_to_end_ends_its_run_in_order(origin: Origin, tmp_path: Path, function: str) -> None:
    script, listed = tmp_path / "script.py", tmp_path / "downloads.yaml"
    script.write_text(IN_ORDER[function])
    listed.write_text(json.dumps(manifest(tmp_path, origin.serve("/big.bin", BIG, [HELD]))))
    program = subprocess.Popen([sys.executable, script, listed], env=environment(), stdout=subprocess.PIPE, text=True)
    while not journals(tmp_path):
        assert program.poll() is None
        time.sleep(0.02)
    program.terminate()
    out, _ = program.communicate(timeout=LIMIT_S)
    assert (out, program.returncode) == ("interrupted False\n", 0)
    report = json.loads((tmp_path / "data" / ".marscore" / "report.json").read_text())
    assert (report["status"], report["downloads"][0]["size"]) == ("interrupted", BIG.size)


def test_a_report_that_was_read_from_its_file_is_the_one_that_was_returned(origin: Origin, tmp_path: Path) -> None:
    report = marscore.run(manifest(tmp_path, origin.serve("/a.bin", SMALL), origin.url("/missing")), report=tmp_path / "r.json")
    again = marscore.Report.model_validate_json((tmp_path / "r.json").read_text())
    assert again == report
    assert {again} == {report}
    assert not report
    assert not again.ok
    assert again.downloads[0] == report.downloads[0]
    assert again != report.model_copy(update={"run_id": "another"})
    assert report.path("a.bin").is_file()
    with pytest.raises(ValueError, match="only the report that a run returned"):
        again.path("a.bin")


def test_a_url_in_the_place_of_a_manifest_is_told_without_its_password() -> None:
    with pytest.raises(ValueError, match=r"manifest is a URL, .*marscore\.downloader") as told:
        marscore.run("http://u:hunter2@h.example/x?token=hunter2")
    assert "hunter2" not in str(told.value)
