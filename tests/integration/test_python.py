"""marscore as a library: in this process, and in plain scripts of others."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import requests
import yaml

import marscore
from tests.integration.command import environment
from tests.long import ALL
from tests.origin import Body, Good, Origin, busy, redirect

MIB = 1024 * 1024


def test_downloader_says_of_each_url_whether_its_file_is_in_place(origin: Origin, tmp_path: Path) -> None:
    urls = [origin.serve("/a.bin", Body(1000)), origin.url("/missing"), origin.serve("/b.bin", Body(9 * MIB))]
    assert marscore.downloader(urls, output_dir=tmp_path, process=1) == [True, False, True]
    assert (tmp_path / "b.bin").read_bytes() == Body(9 * MIB).read(0, 9 * MIB)


def test_the_same_url_twice_is_fetched_once(origin: Origin, tmp_path: Path) -> None:
    url = origin.serve("/a.bin", Body(1000))
    assert marscore.downloader(urls=[url, url], output_dir=tmp_path) == [True, True]
    assert len(origin.requests) == 1


def test_every_parameter_of_downloader_is_in_effect(origin: Origin, tmp_path: Path) -> None:
    url = origin.serve("/a.bin", Body(20 * MIB), [busy(503), Good(rate=20 * MIB)])
    origin.watch_connections()
    done = marscore.downloader(
        url=url,
        output_dir=tmp_path / "o",
        output_filename="named.bin",
        threads=3,
        process=1,
        buffer_size_mb=1,
        chunk_size=4096,
        retry_num=1,
        headers={"X-Own": "$HOME stays"},
        timeout=(20, 30),
        proxies={},
        verify=True,
    )
    assert done == [True]
    assert (tmp_path / "o" / "named.bin").stat().st_size == 20 * MIB
    assert origin.requests[0].fields["x-own"] == "$HOME stays"
    assert 2 <= origin.peak_connections <= 3


def test_retry_num_is_the_number_of_retries(origin: Origin, tmp_path: Path) -> None:
    url = origin.serve("/a.bin", Body(10), [busy(503, "0")])
    assert marscore.downloader(url, output_dir=tmp_path, retry_num=2) == [False]
    assert len(origin.requests) == 3


def test_downloader_refuses_what_makes_no_sense(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        marscore.downloader()
    with pytest.raises(ValueError, match="several URLs"):
        marscore.downloader(["http://h/a", "http://h/b"], output_dir=tmp_path, output_filename="x")
    for given, words in (
        (
            {"urls": ["http://h/1/a", "http://h/2/a"]},
            "downloader: urls[1]: its file has the name of that of urls[0]: fetch them by two calls",
        ),
        ({"url": ""}, "downloader: url: must not be empty"),
        ({"url": ["http://h/a", "http://h/a", "ftp://h/b"]}, "downloader: url[2]: must begin with http:// or https://"),
        (
            {"urls": ["http://h/a", "http://h/"]},
            "downloader: urls[1]: has to be fetched by itself, with output_filename, since it names no file",
        ),
    ):
        with pytest.raises(marscore.ManifestError, match=re.escape(words)):
            marscore.downloader(**given, output_dir=tmp_path)
    assert marscore.downloader([], output_dir=tmp_path) == []


def test_run_takes_a_path_a_mapping_or_a_manifest(origin: Origin, tmp_path: Path) -> None:
    data = {"version": 1, "output_dir": str(tmp_path / "out"), "downloads": [origin.serve("/a.bin", Body(10))]}
    (tmp_path / "m.yaml").write_text(yaml.safe_dump(data))
    assert marscore.run(tmp_path / "m.yaml").exit_code == 0
    assert marscore.run(data).downloads[0].status == "up_to_date"
    assert marscore.run(marscore.Manifest.model_validate(data)).status == "succeeded"
    assert marscore.plan(data).downloads[0].action == "up_to_date"
    assert len(origin.requests) == 1


SCRIPT = """
import multiprocessing, sys
import marscore
if {method!r}:
    multiprocessing.set_start_method({method!r})
print("the script runs")
print(marscore.downloader(urls={urls!r}, process=4, threads=4, output_dir={out!r}))
"""


@pytest.mark.parametrize("method", ["", "spawn", "forkserver", "fork"] if ALL else ["", "spawn"])
def test_a_plain_script_without_a_guard_works_with_several_processes(origin: Origin, tmp_path: Path, method: str) -> None:
    urls = [origin.serve(f"/{n}.bin", Body(100_000, seed=n)) for n in range(12)]
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(urls=urls, out=str(tmp_path / "out"), method=method))
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False, env=environment())
    assert done.stdout.splitlines() == ["the script runs", str([True] * 12)], done.stderr
    assert len(origin.requests) == 12


def test_import_is_cheap() -> None:
    code = "import sys, marscore; print(sorted({'pydantic', 'requests', 'yaml', 'rich', 'structlog'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_an_interrupt_reaches_the_caller_after_everything_is_in_order(origin: Origin, tmp_path: Path) -> None:
    url = origin.serve("/a.bin", Body(200 * MIB), [Good(rate=20 * MIB, stall_after=8 * MIB, stall_s=120)])
    script = (
        "import marscore, os, pathlib, signal, threading, time\n"
        "def interrupt():\n"
        f"    while not list(pathlib.Path({str(tmp_path)!r}).glob('.marscore/partial/*.journal')): time.sleep(0.01)\n"
        # To the process, as a terminal sends it; raised in this thread alone, it would not wake the one that waits.
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "threading.Thread(target=interrupt, daemon=True).start()\n"
        f"try:\n    marscore.downloader({url!r}, output_dir={str(tmp_path)!r})\n"
        "except KeyboardInterrupt:\n    print('interrupted')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False, env=environment())
    assert done.stdout.strip() == "interrupted", done.stderr
    assert list((tmp_path / ".marscore" / "partial").glob("*.journal"))


class Signed(requests.auth.AuthBase):
    """Signs each request by its path."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["X-Signature"] = request.path_url[::-1]
        return request


def test_a_session_of_the_caller_s_sends_the_requests_and_stays_open(origin: Origin, tmp_path: Path) -> None:
    large = Body(9 * MIB, seed=3)
    urls = [origin.serve("/a.bin", Body(1000)), origin.serve("/large.bin", large, [Good(cut_after=MIB), Good()])]
    with requests.Session() as session:
        session.headers["X-Own"] = "of the session"
        session.auth = Signed()
        data = {"version": 1, "output_dir": str(tmp_path), "execution": {"processes": 4}, "downloads": urls}
        report = marscore.run(data, session=session)
        assert report.exit_code == 0
        assert report.plan is not None
        assert report.plan.processes == 1, "no other process could have it"
        assert session.get(origin.url("/a.bin"), timeout=20).content == Body(1000).read(0, 1000)
        assert marscore.downloader(origin.serve("/b.bin", Body(10)), output_dir=tmp_path, session=session) == [True]
    assert (tmp_path / "large.bin").read_bytes() == large.read(0, large.length)
    assert {seen.fields["x-own"] for seen in origin.requests} == {"of the session"}
    assert all(seen.fields["x-signature"] == seen.target[::-1] for seen in origin.requests)


def test_what_is_no_session_or_cannot_be_used_is_refused(tmp_path: Path) -> None:
    data = {"version": 1, "output_dir": str(tmp_path), "downloads": ["http://origin.example/a"]}
    with pytest.raises(TypeError, match=r"session must be a requests\.Session"):
        marscore.run(data, session="a session")  # type: ignore[arg-type]
    with requests.Session() as session, pytest.raises(ValueError, match="session is used in this process alone"):
        marscore.run(data, marscore.RunSettings(processes=2), session=session)


def test_the_parameters_of_a_session_are_for_the_first_request_alone(origin: Origin, tmp_path: Path) -> None:
    with Origin() as stranger, requests.Session() as session:
        session.params = {"api_key": "hunter2-secret"}
        stranger.serve("/there.bin", Body(10))
        url = origin.handle("/a.bin", lambda seen: redirect(stranger.url("/there.bin?own=1")))
        assert marscore.downloader(url, output_dir=tmp_path, session=session) == [True]
        assert [seen.target for seen in stranger.requests] == ["/there.bin?own=1"]
    assert [seen.target for seen in origin.requests] == ["/a.bin?api_key=hunter2-secret"]
