"""Every code block of README and docs is run, or is right by itself."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.blocks import Block, Step, blocks_of, matches, script_of, steps_of
from tests.docs.world import world
from tests.integration.command import marscore
from tests.integration.forks import forks
from tests.origin import Origin
from tests.origin.__main__ import dressed

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
#: What `make origin` serves, as pages name it.
ORIGIN = "http://127.0.0.1:8000"
LIMIT_S = 120
#: What multiprocessing says where Dask had to kill a worker that did not leave in time: only a machine that is very busy sees it.
_OF_PYTHON = re.compile(r"^.*resource_tracker\.py:\d+: UserWarning: .*\n( +warnings\.warn\(.*\n)?", re.MULTILINE)

needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="commands of the docs are run by bash")


def _named(page: Path) -> str:
    return str(page.relative_to(ROOT))


@needs_bash
@pytest.mark.parametrize("page", [page for page in PAGES if any(map(steps_of, blocks_of(page)))], ids=_named)
def test_what_a_page_shows_is_what_happens(page: Path, tmp_path: Path) -> None:
    steps = [step for block in blocks_of(page) for step in steps_of(block)]
    results, here = tmp_path / "results", tmp_path / "here"
    results.mkdir()
    here.mkdir()
    with world(page.read_text(), tmp_path / "tls") as environment, dressed(Origin()) as origin:
        own = origin.url("")
        script = script_of([Step(step.command.replace(ORIGIN, own), step.expected, step.line) for step in steps], results)
        parent = forks()
        path = os.pathsep.join([*([parent.in_front()] if parent else []), str(Path(sys.executable).parent), os.environ["PATH"]])
        kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy") and not name.startswith("GITHUB_")}
        home = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache"), "PATH": path}
        subprocess.run(["bash"], input=script.encode(), cwd=here, env=kept | environment | home, timeout=LIMIT_S, check=False)
    wrong = [told for number, step in enumerate(steps) if (told := _wrong(step, results, number, own))]
    assert not wrong, "\n\n".join(f"{_named(page)}:{each}" for each in wrong)


def _wrong(step: Step, results: Path, number: int, own: str) -> str | None:
    """What a command did that the page does not say."""
    out, code = results / f"{number}.out", results / f"{number}.code"
    if not code.exists():
        return f"{step.line}: was not run: {step.command}"
    printed = _OF_PYTHON.sub("", out.read_text()).replace(own, ORIGIN)
    tail = printed[-3000:]
    if code.read_text().strip() != "0":
        return f"{step.line}: exit code {code.read_text().strip()}: {step.command}\n{tail}"
    if step.expected and not matches(printed, step.expected):
        return f"{step.line}: {step.command}\nprinted:\n{tail}\nand not:\n" + "\n".join(step.expected)
    return None


def _untried(language: str) -> list[Any]:
    """Blocks of a language that are no file of a story."""
    found = [(page, block) for page in PAGES for block in blocks_of(page) if block.language == language and block.title is None]
    return [pytest.param(block, id=f"{_named(page)}:{block.line}") for page, block in found]


@pytest.mark.parametrize("block", _untried("yaml"))
def test_a_manifest_or_a_part_of_one_is_right(block: Block, tmp_path: Path) -> None:
    said = yaml.safe_load(block.text)
    rest: dict[str, Any] = {"version": 1, "downloads": ["https://example.com/a.bin"]}
    whole = rest | said if isinstance(said, dict) else rest | {"downloads": said}
    (tmp_path / "downloads.yaml").write_text(yaml.safe_dump(whole))
    # What a manifest's list has is its reader's own; that all columns are there is what is tried.
    (tmp_path / "images.csv").write_text("id,link,digest,bytes,page,kind\n")
    run = marscore("validate", "--allow-unset", "downloads.yaml", cwd=tmp_path)
    assert run.code == 0, run.err


@pytest.mark.parametrize("block", [block for block in _untried("json") if "…" not in block.values[0].text])
def test_json_is_json(block: Block) -> None:
    json.loads(block.text)


def test_no_block_goes_without_a_language() -> None:
    bare = [f"{_named(page)}:{block.line}" for page in PAGES for block in blocks_of(page) if not block.language]
    assert bare == []
