"""The physical limit: a copy of a work's bytes by the barest loop, `nginx -> recv -> write`, that any tool has to do as well.

In C (bare.c) where there is a compiler. Over TLS, and without a compiler, in Python (bare.py): `recv_into` and `pwrite`, whose insides
are C too.
"""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
from pathlib import Path

from bench.job import Job
from bench.works import Work

CACHE = Path(__file__).parent / ".cache"


def language(work: Work) -> str:
    """What the copy of a work is written in."""
    return "C" if not work.secure and shutil.which("cc") else "Python"


def command(job: Job) -> list[str]:
    """The command that copies the files of a work."""
    parts = job.write("parts", "".join(_parts(job)))
    connections = str(max(job.work.at_once, job.work.per_file or 1))
    bare = [_compiled()] if language(job.work) == "C" else [sys.executable, "-I", str(Path(__file__).with_name("bare.py"))]
    words = [*bare, job.base.rpartition(":")[2], connections, *([str(job.authority)] if job.work.secure else [])]
    # Paths are handed over as arguments, so that none is read as shell.
    return ["/bin/sh", "-c", 'parts="$1"; shift; exec "$@" <"$parts"', "sh", parts, *words]


def _parts(job: Job) -> list[str]:
    lines = []
    for file in job.work.files:
        pieces = job.work.per_file or 1
        edges = [file.size * piece // pieces for piece in range(pieces + 1)]
        lines += [f"{file.path} {job.folder / file.name} {a} {b - a}\n" for a, b in itertools.pairwise(edges)]
    return lines


def _compiled() -> str:
    source, program = Path(__file__).with_name("bare.c"), CACHE / "bare"
    if not (program.exists() and program.stat().st_mtime > source.stat().st_mtime):
        CACHE.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cc", "-O2", "-D_GNU_SOURCE", "-o", str(program), str(source)], check=True)
    return str(program)
