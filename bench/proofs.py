"""`python -m bench.proofs`: what it takes to prove files that are in place, and to have them from a cache instead of the network.

Each tool gets the same files and their sha256. Before each run, untimed, they are put where that tool looks for them; each run is checked
like any other (bench/course.py).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import yaml

from bench import limit, record
from bench.course import Course
from bench.job import Job
from bench.limit import CACHE
from bench.measure import environment
from bench.origin import origin
from bench.tools import TOOLS, Tool
from bench.works import GIB, KIB, MIB, File, Work

_RESULTS = Path(__file__).parent / "results"


def works(quick: bool) -> list[Work]:
    """All works: what is proven, and what comes from a cache."""
    large = tuple(File(f"proof-large/large-{n}.bin", (4 if quick else 256) * MIB) for n in range(2 if quick else 8))
    small = tuple(File(f"proof-small/{n:06d}.bin", KIB) for n in range(200 if quick else 100_000))
    few = tuple(File(f"proof-few/{n:05d}.bin", 10 * KIB) for n in range(100 if quick else 5_000))
    one = (File("proof-one/one.bin", 8 * MIB if quick else GIB),)
    return [
        Work("verify-large", f"verify {len(large)} x {large[0].size // MIB} MiB", large, prove=True),
        Work("verify-small", f"verify {len(small):,} x 1 KiB", small, prove=True),
        Work("cached-small", f"{len(few):,} x 10 KiB from a cache", few, prove=True),
        Work("cached-large", f"{one[0].size // MIB} MiB from a cache", one, prove=True),
    ]


def _is_cached(work: Work) -> bool:
    return work.name.startswith("cached")


def _sums(job: Job, folder: Path) -> str:
    return job.write("sums", "".join(f"{job.digests[file.path]}  {folder / file.name}\n" for file in job.work.files))


def _fill(job: Job) -> Path:
    """Put the files in place by the barest copy, or for a work from a cache into a folder beside; returns that."""
    folder = job.desk.parent / "store" if _is_cached(job.work) else job.folder
    if not folder.exists() or not any(folder.iterdir()):
        folder.mkdir(parents=True, exist_ok=True)
        aside = Job(job.work, job.base, job.authority, job.digests, folder, job.desk)
        subprocess.run(limit.command(aside), cwd=job.desk, check=True, stdout=subprocess.DEVNULL)
    return folder


def _marscore(job: Job) -> list[str]:
    entries = [{"url": job.url(f), "checksum": f"sha256:{job.digests[f.path]}"} for f in job.work.files]
    manifest = {"version": 1, "output_dir": str(job.folder), "downloads": entries}
    path = job.write("downloads.yaml", yaml.dump(manifest, sort_keys=False, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper)))
    words = [sys.executable, "-m", "marscore"]
    if not _is_cached(job.work):
        _fill(job)
        return [*words, "verify", path]
    cache = job.desk.parent / "cache"
    if not cache.exists():
        # What fills it is an ordinary run, elsewhere.
        fill = [*words, "run", path, "--cache", str(cache), "--output-dir", str(job.desk / "first"), "--no-lock"]
        subprocess.run(fill, cwd=job.desk, env=environment(), check=True, capture_output=True)
        shutil.rmtree(job.desk / "first")
    return [*words, "run", path, "--cache", str(cache), "--offline"]


def _by_hand(at_once: int) -> Callable[[Job], list[str]]:
    """coreutils: sha256sum, after cp where the files come from a folder beside."""

    def command(job: Job) -> list[str]:
        store, sums = _fill(job), _sums(job, job.folder)
        copy = 'cp "$2"/* "$3"/ 2>/dev/null || cp -r "$2"/. "$3"/; ' if _is_cached(job.work) else ""
        check = 'sha256sum --quiet --check "$1"'
        if at_once > 1:
            check = f'split -e -n l/{at_once} "$1" "$1". && ls "$1".* | xargs -P {at_once} -n 1 sha256sum --quiet --check'
        return ["/bin/sh", "-c", copy + check, "sh", sums, str(store), str(job.folder)]

    return command


def _aria2(job: Job) -> list[str]:
    _fill(job)
    entries = [f"{job.url(f)}\n  out={f.name}\n  checksum=sha-256={job.digests[f.path]}\n" for f in job.work.files]
    words = ["aria2c", "--no-conf", "--quiet", "-V", "--hash-check-only=true", "-j16", "-x16"]
    return [*words, "--dir", str(job.folder), "--input-file", job.write("aria2.list", "".join(entries))]


def _pooch(job: Job) -> list[str]:
    """Its files in place, each hashed before it is handed out: its cache is the folder."""
    folder = job.folder
    if not any(folder.iterdir()):
        aside = Job(job.work, job.base, job.authority, job.digests, folder, job.desk)
        subprocess.run(limit.command(aside), cwd=job.desk, check=True, stdout=subprocess.DEVNULL)
    told = {
        "files": [{"url": job.url(f), "name": f.name, "sha256": job.digests[f.path]} for f in job.work.files],
        "folder": str(folder),
        "authority": None,
        "at_once": 1,
        "per_file": None,
        "prove": True,
        "again": True,
    }
    drive = str(Path(__file__).with_name("drive.py"))
    return [str(CACHE / "pooch" / "bin" / "python"), "-I", drive, "pooch", job.write("job.json", json.dumps(told))]


def _tools() -> list[Tool]:
    known = {tool.name: tool for tool in TOOLS}
    coreutils = ("sha256sum", "--version")

    def like(name: str, command: Callable[[Job], list[str]], cannot: Callable[[Work], str] = lambda work: "") -> Tool:
        of = known[name]
        return Tool(of.name, command, of.version, of.package, cannot, library=of.library)

    return [
        like("marscore", _marscore),
        Tool("sha256sum -c", _by_hand(1), coreutils, "apt-get install coreutils"),
        Tool("sha256sum -c x2", _by_hand(os.cpu_count() or 1), coreutils, "apt-get install coreutils"),
        like("aria2c", _aria2, lambda work: "it has no cache" if _is_cached(work) else ""),
        like("pooch", _pooch),
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the works, print a table and write a JSON file for each; 1 if marscore itself failed."""
    parser = argparse.ArgumentParser(prog="python -m bench.proofs", description=__doc__)
    parser.add_argument("--repeat", type=int, default=3, help="runs of each tool (3)")
    parser.add_argument("--limit", type=float, default=60, metavar="SECONDS", help="a run that takes longer is killed and failed (60)")
    parser.add_argument("--quick", action="store_true", help="small sizes: whether it works, no figures to quote")
    options = parser.parse_args(argv)
    here = Path(tempfile.mkdtemp(prefix="marscore-proofs-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    folder, results = _RESULTS / "quick" if options.quick else _RESULTS, []
    try:
        with origin(here) as server:
            course = Course(server, here, options.repeat, options.limit)
            for work in works(options.quick):
                results.append(record.record(work, course.run(work, _tools()), course.repeat, record.machine(here)))
                record.write(results[-1], folder)
    finally:
        shutil.rmtree(here, ignore_errors=True)
    (folder / "proofs.md").write_text(record.table(results))
    print(record.ratios(results))
    return int(any("failed" in result["tools"]["marscore"] for result in results))


if __name__ == "__main__":
    sys.exit(main())
