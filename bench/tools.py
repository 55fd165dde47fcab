"""The tools: for each its name, how its command for a job is built, and what it cannot do."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from bench import limit
from bench.job import Job
from bench.limit import CACHE
from bench.measure import environment
from bench.works import File, Work

#: Files at once, and connections to one server, of aria2 and wget2: the most connections that aria2 takes.
_AT_ONCE = 16


def _can_all(work: Work) -> str:
    return ""


def _by_name(folder: Path, file: File) -> Path:
    return folder / file.name


@dataclass(frozen=True)
class Tool:
    """A downloader.

    Attributes:
        command: builds the command line for a job, and writes the lists that it reads.
        version: the command that says its version.
        package: what to install, for the message where it is missing; for a library what pip installs.
        cannot: why it cannot do a work; empty where it can.
        place: where a file is found afterwards.
        library: whether it lives in a venv of its own, made by `ready`.
    """

    name: str
    command: Callable[[Job], Sequence[str]]
    version: tuple[str, ...]
    package: str
    cannot: Callable[[Work], str] = _can_all
    place: Callable[[Path, File], Path] = _by_name
    library: bool = False

    def ready(self) -> str:
        """Make what it needs; the reason why it is missing, or nothing."""
        if self.library:
            return _install(self.name, self.package)
        return "" if shutil.which(self.version[0]) else f"not installed: {self.package}"

    @functools.cache  # noqa: B019  # the tools live as long as the program
    def said_version(self) -> str:
        """Its version, as it says it."""
        if not shutil.which(self.version[0]):
            return "missing"
        done = subprocess.run(self.version, capture_output=True, text=True, check=False, env=environment())
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        said = lines[0].split(" (")[0] if lines else "unknown"
        return f"{said}{_revision()}" if said.startswith("marscore 1") else said


@functools.cache
def _revision() -> str:
    """The commit that this checkout is of, with a mark where it was changed; nothing where there is no git."""
    if not shutil.which("git"):
        return ""
    words = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    said = subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()
    return f" ({said})" if said else ""


def _install(name: str, requirement: str) -> str:
    """A venv for a library, kept for the next time. Its marker holds what was installed."""
    folder = CACHE / name
    marker = folder / "installed"
    if marker.exists() and marker.read_text() == requirement:
        return ""
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", requirement]
    for words in ([sys.executable, "-m", "venv", "--clear", str(folder)], pip):
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"cannot be installed: {' '.join((done.stderr.strip() or done.stdout.strip()).splitlines()[-1:])[:200]}"
    marker.write_text(requirement)
    return ""


def _only_many(work: Work) -> str:
    return "" if len(work.files) > 1 else "one file: the same as curl"


def _curl_list(job: Job) -> str:
    """A config file with each URL and its output. To ask only for what is newer, each is an operation of its own, with its own options."""
    options = f"fail\nsilent\nshow-error\n{_curl_tls(job)}"
    entries = [f'url = "{job.url(file)}"\noutput = "{job.folder / file.name}"\n' for file in job.work.files]
    if not job.work.again:
        return job.write("curl.conf", options + "".join(entries))
    there = ((entry, job.folder / file.name) for entry, file in zip(entries, job.work.files, strict=True))
    operations = [options + entry + (f'time-cond = "{place}"\n' if place.exists() else "") for entry, place in there]
    return job.write("curl.conf", "next\n".join(operations))


def _curl_tls(job: Job) -> str:
    return f'cacert = "{job.authority}"\n' if job.work.secure else ""


def _curl(job: Job) -> list[str]:
    words = ["curl", "-q", "--config", _curl_list(job)]
    return _then_sha256sum(job, words) if job.work.prove else words


def _curl_parallel(job: Job) -> list[str]:
    return ["curl", "-q", "--parallel", "--parallel-max", "50", "--config", _curl_list(job)]


def _aria2(job: Job) -> list[str]:
    work = job.work
    entries = []
    for file in work.files:
        proof = f"  checksum=sha-256={job.digests[file.path]}\n" if work.prove else ""
        entries.append(f"{job.url(file)}\n  out={file.name}\n{proof}")
    words = [
        "aria2c",
        "--no-conf",
        "--quiet",
        "--file-allocation=none",
        "--dir",
        str(job.folder),
        "--input-file",
        job.write("aria2.list", "".join(entries)),
    ]
    words += [f"--max-concurrent-downloads={_AT_ONCE}", f"--max-connection-per-server={_AT_ONCE}", f"--split={_AT_ONCE}"]
    words += ["--min-split-size=1M", f"--ca-certificate={job.authority}"]
    # What comes nearest to finding nothing to do: it asks for each file whether there is a newer one.
    return [*words, "--conditional-get=true", "--allow-overwrite=true"] if work.again else words


def _wget2(job: Job) -> list[str]:
    work = job.work
    urls = job.write("wget2.list", "".join(f"{job.url(file)}\n" for file in work.files))
    words = ["wget2", "--no-config", "--no-hsts", "--quiet", f"--ca-certificate={job.authority}", "-P", str(job.folder), "-i", urls]
    words += [f"--max-threads={_AT_ONCE}"]
    if work.per_file:
        words += [f"--chunk-size={-(-work.files[0].size // work.per_file)}"]
    if work.again:
        words += ["--timestamping"]
    return _then_sha256sum(job, words) if work.prove else words


def _then_sha256sum(job: Job, words: Sequence[str]) -> list[str]:
    """The tool, and then coreutils' proof of what it fetched."""
    sums = job.write("sums", "".join(f"{job.digests[file.path]}  {job.folder / file.name}\n" for file in job.work.files))
    return ["/bin/sh", "-c", 'sums="$1"; shift; "$@" && sha256sum --quiet --check "$sums"', "sh", sums, *words]


def _marscore(job: Job) -> list[str]:
    """A manifest with a plain list of URLs, and only those options that the work names."""
    work = job.work
    entries = [{"url": job.url(f), "checksum": f"sha256:{job.digests[f.path]}"} if work.prove else job.url(f) for f in work.files]
    manifest: dict[str, object] = {"version": 1, "output_dir": str(job.folder), "downloads": entries}
    defaults: dict[str, object] = {"verify": str(job.authority)} if work.secure else {}
    if work.per_file:
        defaults["threads"] = work.per_file
    connections = max(work.at_once, work.per_file or 1)
    if connections > 1:
        manifest["execution"] = {"threads": connections, "per_host": connections}
    if defaults:
        manifest["defaults"] = defaults
    return [sys.executable, "-m", "marscore", "run", job.write("downloads.yaml", yaml.safe_dump(manifest, sort_keys=False))]


def _driven(library: str) -> Callable[[Job], list[str]]:
    """The command of a Python library: drive.py under the Python of its venv."""

    def command(job: Job) -> list[str]:
        work = job.work
        told = {
            "files": [{"url": job.url(f), "name": f.name, "sha256": job.digests[f.path]} for f in work.files],
            "folder": str(job.folder),
            "authority": str(job.authority) if work.secure else None,
            "at_once": work.at_once,
            "per_file": work.per_file,
            "prove": work.prove,
            "again": work.again,
        }
        drive = str(Path(__file__).with_name("drive.py"))
        return [str(CACHE / library / "bin" / "python"), "-I", drive, library, job.write("job.json", json.dumps(told))]

    return command


def _library(name: str, requirement: str, **more: object) -> Tool:
    package = requirement.partition("=")[0]
    say = f"import importlib.metadata as m; print('{package}', m.version('{package}'))"
    version = (str(CACHE / name / "bin" / "python"), "-I", "-c", say)
    return Tool(name, _driven(name), version, requirement, library=True, **more)  # type: ignore[arg-type]  # fields of Tool, by name


LIMIT = Tool("limit", limit.command, (sys.executable, "--version"), "", lambda work: "nothing is copied" if work.again else "")

TOOLS = [
    Tool("marscore", _marscore, (sys.executable, "-m", "marscore", "--version"), "pip install marscore"),
    Tool("curl", _curl, ("curl", "--version"), "apt-get install curl"),
    Tool("curl -Z", _curl_parallel, ("curl", "--version"), "apt-get install curl", _only_many),
    Tool("aria2c", _aria2, ("aria2c", "--version"), "apt-get install aria2"),
    Tool("wget2", _wget2, ("wget2", "--version"), "apt-get install wget2"),
    _library("pypdl", "pypdl"),
    _library("parfive", "parfive"),
    _library("pooch", "pooch"),
    _library(
        "original",
        "marscore==0.2.1",
        cannot=lambda work: "it has no checksums" if work.prove else "",
        place=lambda folder, file: folder / file.name / file.name,
    ),
]
