"""Runs marscore with the recorder under it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.command import LIMIT_S, command, environment
from tests.power.disk import Operation, read_record

_SOURCE = Path(__file__).with_name("recorder.c")


def build(folder: Path) -> Path:
    """Compile the recorder, or leave the test out."""
    # CC names one for the interpreter's own C library, where that is not the machine's.
    compiler = next(filter(None, map(shutil.which, (os.environ.get("CC", "cc"), "cc", "gcc"))), None)
    if not sys.platform.startswith("linux") or compiler is None:
        pytest.skip("the recorder of writes needs Linux and a C compiler: apt-get install gcc")
    library = folder / "recorder.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-U_FORTIFY_SOURCE", "-o", library, _SOURCE, "-ldl", "-lpthread"], check=True)
    return library


@dataclass
class Recording:
    """Recorded runs in one folder; `root` holds the output folder, `keep` a second name of every file there ever was."""

    library: Path
    folder: Path

    def __post_init__(self) -> None:
        self.root.mkdir()
        self.keep.mkdir()

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def keep(self) -> Path:
        return self.folder / "keep"

    def run(self, manifest: str, output: str = "data", *options: str) -> list[Operation]:
        """Run marscore and return everything done so far."""
        return self.have(*command("run", manifest, "--output-dir", str(self.root / output), *options))

    def have(self, *line: str) -> list[Operation]:
        """Run any program and return everything done so far."""
        record = self.folder / "record"
        env = {"LD_PRELOAD": self.library, "RECORD_LOG": record, "RECORD_ROOT": self.root, "RECORD_KEEP": self.keep}
        done = subprocess.run(
            line,
            cwd=self.folder,
            env=environment({k: os.fspath(v) for k, v in env.items()}),
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return read_record(record, self.root)
