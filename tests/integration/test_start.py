"""What a start imports. Each module here took milliseconds of every start once (`python -X importtime`), and nothing of the run used it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.command import LIMIT_S, environment, fetch, read_report, write
from tests.origin import Body, Origin
from tests.servers import Tls

pytestmark = pytest.mark.skipif(os.environ.get("MARSCORE_LANE") == "requests", reason="what a start by libcurl imports")

#: A run over libcurl has no use for another client, and a manifest of plain downloads none for the models.
UNUSED = {"requests", "urllib3", "charset_normalizer", "certifi", "idna", "rich", "structlog"}
MODELS = {"pydantic", "pydantic_core", "annotated_types", "marscore.manifest.models"}
#: Nor has it for these of the standard library.
UNUSED_OF_PYTHON = {"ssl", "asyncio", "email", "http.client", "http.cookiejar", "multiprocessing", "urllib.request"}
#: One process starts no other.
FOR_PROCESSES = {"pickle", "marscore.adapters.processes.piped"}
ALL = UNUSED | MODELS | UNUSED_OF_PYTHON | FOR_PROCESSES
#: Hides a module from every import: Python's own way (docs.python.org, "The module cache").
HIDDEN = "import sys; sys.modules['pycurl'] = None; sys.argv = ['marscore', *sys.argv[1:]]\n"


def imported(folder: Path, *downloads: Any, **more: Any) -> set[str]:
    """The modules that a run imports, each with the packages that it is in; of a run that went well."""
    manifest = write(folder, list(downloads), **more)
    words = [sys.executable, "-X", "importtime", "-m", "marscore", "run", str(manifest)]
    done = subprocess.run(words, cwd=folder, env=environment(), capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, done.stderr
    names = [line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {name[:end] for name in names for end in (*(at for at, char in enumerate(name) if char == "."), len(name))}


def test_a_run_of_one_plain_file_imports_only_what_it_uses(origin: Origin, tmp_path: Path) -> None:
    pytest.importorskip("pycurl", reason="pycurl has no wheel for this system")
    found = imported(tmp_path, origin.serve("/a.bin", Body(1000)))
    assert {"pycurl", "marscore.adapters.http.curl_transport", "yaml", "sqlite3"} <= found
    assert sorted(found & ALL) == []


def test_single_options_of_the_run_and_of_all_downloads_need_no_model_and_https_no_ssl_of_python(tmp_path: Path, tls: Tls) -> None:
    pytest.importorskip("pycurl", reason="pycurl has no wheel for this system")
    body = Body(1000)
    with Origin(tls=tls.server_context()) as origin:
        entry = {"url": origin.serve("/a.bin", body), "checksum": f"sha256:{body.sha256}", "size": "1000"}
        more: dict[str, Any] = {"execution": {"threads": 4, "per_host": 4, "chunk_size": "64KiB", "deadline": "5m"}}
        # A file of certificates that is named is looked at by Python's ssl, before anybody is asked.
        found = imported(tmp_path, entry, **more, defaults={"verify": False, "threads": 2, "if_exists": "keep"})
    assert sorted(found & ALL) == []


def test_what_needs_a_model_has_it(origin: Origin, tmp_path: Path) -> None:
    pytest.importorskip("pycurl", reason="pycurl has no wheel for this system")
    found = imported(tmp_path, {"url": origin.serve("/a.bin", Body(1000)), "retry": {"max_retries": 1}})
    assert "pydantic" in found
    assert sorted(found & {"requests", "urllib3", "rich", "structlog", "ssl", "pickle"}) == []


def test_a_worker_process_imports_only_what_it_uses() -> None:
    pytest.importorskip("pycurl", reason="pycurl has no wheel for this system")
    lines = [
        "import sys",
        "from marscore.adapters.imports import only_needed",
        "with only_needed():",
        "    from marscore.adapters.processes.child import main",
        "from marscore.adapters.processes.assembly import make_worker",
        "from marscore.execute.worker.setup import Share, WorkerSettings",
        "from marscore.settings import LineSettings, LineStyle",
        "log = LineSettings('r', styles=(LineStyle('json'),))",
        "settings = WorkerSettings('.', 1, 1024, Share(1, None), log=log)",
        "make_worker(settings, 0, print, print)",
        "assert 'pycurl' in sys.modules",
        "print(*sorted(name for name, module in sys.modules.items() if module is not None))",
    ]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], env=environment(), capture_output=True, text=True, check=True)
    not_here = UNUSED | MODELS | UNUSED_OF_PYTHON | {"click", "yaml", "sqlite3", "filelock", "marscore.manifest"}
    assert sorted(set(done.stdout.split()) & not_here) == []


def without_pycurl(line: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", HIDDEN + line]
    return subprocess.run(words, cwd=folder, env=environment(), capture_output=True, text=True, timeout=LIMIT_S, check=False)


@pytest.mark.parametrize(
    "line",
    [
        "import marscore; marscore.downloader, marscore.run, marscore.Manifest, marscore.Report, marscore.PlanDocument",
        "sys.argv += ['--version']; from marscore.__main__ import main; main()",
        "sys.argv += ['schema', 'manifest']; from marscore.__main__ import main; main()",
    ],
    ids=["import", "version", "schema"],
)
def test_what_fetches_nothing_works_without_pycurl(line: str) -> None:
    done = without_pycurl(line)
    assert (done.returncode, done.stderr) == (0, "")


def test_files_are_fetched_without_pycurl(origin: Origin, tmp_path: Path) -> None:
    manifest = write(tmp_path, [origin.serve("/a.bin", Body(1000))])
    line = f"sys.argv += ['run', {str(manifest)!r}]; from marscore.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", HIDDEN + line], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert read_report(tmp_path / "data")["status"] == "succeeded"


def test_the_report_of_a_plain_manifest_is_what_the_models_make_of_the_same(origin: Origin, tmp_path: Path) -> None:
    url = origin.serve("/a.bin", Body(1000))
    plain = fetch(tmp_path, url, defaults={}).report
    (tmp_path / "data" / "a.bin").unlink()
    # An option of its own, though it says what holds anyway, takes the models.
    modelled = fetch(tmp_path, {"url": url, "max_size": "1GiB"}, defaults={}).report
    of_a_moment = ("run_id", "started_at", "finished_at", "duration_s", "manifest", "throughput", "downloads")
    assert {k: v for k, v in plain.items() if k not in of_a_moment} == {k: v for k, v in modelled.items() if k not in of_a_moment}
