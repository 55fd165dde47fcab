"""What `marscore plan` tells of sizes and of what an earlier run left, and the exit codes that pipelines go by."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.integration.command import Run, marscore, write
from tests.integration.test_interrupt_and_resume import BIG, HELD, MIB, stop_midway
from tests.origin import Body, Origin


def planned(folder: Path, manifest: str, *arguments: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The totals, and the downloads by their paths."""
    run = marscore("plan", manifest, "--format", "json", *arguments, cwd=folder)
    assert run.code == 0, run.err
    document = json.loads(run.out)
    return document["totals"], {each["path"]: each for each in document["downloads"]}


def interrupted(origin: Origin, folder: Path) -> tuple[str, Run]:
    url = origin.serve("/big.bin", BIG, [HELD])
    manifest = write(folder, [url, {"url": origin.serve("/b.bin", Body(1000)), "size": 1000}, origin.serve("/c.bin", Body(10))])
    return manifest, stop_midway(folder, manifest, signal.SIGINT)[0]


def test_the_bytes_that_a_resume_has_are_those_that_the_run_resumes(origin: Origin, tmp_path: Path) -> None:
    manifest, stopped = interrupted(origin, tmp_path)
    assert stopped.code == 130
    requests = len(origin.requests)
    totals, files = planned(tmp_path, manifest, "--only", "big.bin")
    assert len(origin.requests) == requests
    big = files["big.bin"]
    assert (big["action"], big["size"]) == ("resume", BIG.length)
    assert big["bytes_kept"] >= 8 * MIB
    assert totals["bytes_to_fetch"] == BIG.length - big["bytes_kept"]
    origin.serve("/big.bin", BIG)
    again = marscore("run", manifest, "--only", "big.bin", cwd=tmp_path)
    assert again.entry()["bytes_resumed"] == big["bytes_kept"]
    # A range that was cut while it came may have brought more.
    assert again.entry()["bytes_downloaded"] >= totals["bytes_to_fetch"]


@pytest.mark.parametrize("changed", ["url", "size", "journal"])
def test_what_cannot_be_built_on_is_fetched_and_the_plan_says_why(origin: Origin, tmp_path: Path, changed: str) -> None:
    manifest, _ = interrupted(origin, tmp_path)
    download = {"url": origin.url("/big.bin"), "path": "big.bin"}
    if changed == "journal":
        for journal in (tmp_path / "data" / ".marscore" / "partial").glob("*.journal"):
            journal.write_bytes(b"")
    else:
        download |= {"url": origin.url("/other.bin")} if changed == "url" else {"size": 5}
    write(tmp_path, [download])
    _, files = planned(tmp_path, manifest)
    assert (files["big.bin"]["action"], files["big.bin"]["bytes_kept"]) == ("fetch", 0)
    why = {"url": "another URL", "size": f"it is of a file of {BIG.length} bytes", "journal": "which cannot be read"}[changed]
    assert why in files["big.bin"]["reason"]


def test_sizes_come_from_manifest_lock_and_state(origin: Origin, tmp_path: Path) -> None:
    urls = [origin.serve(f"/{name}.bin", Body(1000 * number)) for number, name in enumerate("abc", 1)]
    manifest = write(tmp_path, [urls[0], {"url": urls[1], "size": 2000}, urls[2]])
    assert marscore("run", manifest, "--only", "a.bin", cwd=tmp_path).code == 0
    totals, files = planned(tmp_path, manifest)
    assert {path: (each["action"], each["size"]) for path, each in files.items()} == {
        "a.bin": ("up_to_date", 1000),
        "b.bin": ("fetch", 2000),
        "c.bin": ("fetch", None),
    }
    assert totals == {
        "downloads": 3,
        "to_do": 2,
        "bytes_to_fetch": 2000,
        "size_unknown": 1,
        "bytes_kept": 0,
        "bytes_up_to_date": 1000,
    }
    assert marscore("lock", manifest, "--output-dir", "elsewhere", cwd=tmp_path).code == 0
    assert planned(tmp_path, manifest)[1]["c.bin"]["size"] == 3000


def test_a_pipeline_goes_by_the_exit_code(origin: Origin, tmp_path: Path) -> None:
    manifest = write(tmp_path, [origin.serve("/a.bin", Body(1000))])

    def code(*arguments: str) -> int:
        return marscore("plan", *arguments, cwd=tmp_path).code

    assert (code(manifest), code(manifest, "--detailed-exitcode")) == (0, 2)
    assert marscore("run", manifest, cwd=tmp_path).code == 0
    assert code(manifest, "--detailed-exitcode") == 0
    # Whether it is right is not known before it is hashed, so there is something to do.
    (tmp_path / "data" / "a.bin").touch()
    assert code(manifest, "--detailed-exitcode") == 2
    (tmp_path / "wrong.yaml").write_text("version: 1\ndownload: []\n")
    assert (code("wrong.yaml"), code("wrong.yaml", "--detailed-exitcode")) == (2, 1)
    assert (code(manifest, "--nonsense"), code(manifest, "--nonsense", "--detailed-exitcode")) == (2, 1)
    (tmp_path / "other" / ".marscore" / "state.db").mkdir(parents=True)
    assert code(manifest, "--detailed-exitcode", "--output-dir", "other") == 3
