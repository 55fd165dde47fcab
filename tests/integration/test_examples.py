"""Every manifest under examples/ does what it says, against the origin of the demonstration."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import jsonschema
import pytest
import yaml

from schemas.__main__ import stale
from tests.integration.command import marscore
from tests.origin import Origin
from tests.origin.__main__ import FILES, dressed

ROOT = Path(__file__).parents[2]
MANIFESTS = sorted((ROOT / "examples" / "manifests").glob("*.yaml"))


def test_there_are_examples() -> None:
    assert len(MANIFESTS) >= 10


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_an_example_runs(path: Path, tmp_path: Path) -> None:
    for each in (path, *path.parent.glob("*.csv")):
        shutil.copy(each, tmp_path)
    with dressed(Origin()) as origin:
        run = marscore("run", path.name, "--output-dir", "data", cwd=tmp_path, env={"ORIGIN": origin.url("")})
    assert run.code == 0, run.err
    known = {body.sha256 for body in FILES.values()}
    for entry in run.report["downloads"]:
        assert entry["checksum"].removeprefix("sha256:") in known


@cache
def validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads((ROOT / "schemas" / "manifest.v1.schema.json").read_text()))


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_an_example_follows_the_schema_that_it_names(path: Path) -> None:
    text = path.read_text()
    assert text.startswith("# yaml-language-server: $schema=../../schemas/manifest.v1.schema.json\n")
    validator().validate(yaml.safe_load(text))


def test_the_schemas_are_fresh() -> None:
    assert stale() == [], "run `make schemas`"


def test_the_demonstration_reads_well_where_nobody_sits_at_a_terminal() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "examples.demo"],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0
    assert not re.search(rb"[^\n -~]", done.stdout + done.stderr)
