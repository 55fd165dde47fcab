"""Looks at what was built, and tries it where nothing else is installed.

python -m tests.release look DIST            what is in wheel and sdist; exit 1 where something is wrong
python -m tests.release try DIST [PYTHON]... install the wheel with each Python, with and without libcurl, and fetch from a loopback origin;
                                             look whether all that it needs has wheels for musl; with an interpreter on musl,
                                             here or named by MUSL_PYTHON, fetch with it from wheels alone
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.origin import Body, Good, Origin, busy
from tests.release.contents import problems_of

VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
EXTRAS = ("", "[curl]")
#: pycurl has no wheel for musl.
EXTRAS_ON_MUSL = ("",)
ON_MUSL = "import ctypes, sys; sys.exit(not sys.platform.startswith('linux') or hasattr(ctypes.CDLL(None), 'gnu_get_libc_version'))"
MACHINES = ("x86_64", "aarch64")
LIMIT_S = 300
MIB = 1024 * 1024


def pythons() -> Iterator[str]:
    """One interpreter of each version that is here, on PATH or of pyenv, and the one on musl that MUSL_PYTHON names."""
    if named := os.environ.get("MUSL_PYTHON"):
        yield named
    else:
        print("MUSL_PYTHON: names none")
    for version in VERSIONS:
        places = [Path.home() / ".pyenv" / "versions", Path(os.environ.get("PYENV_ROOT", "/nowhere")) / "versions"]
        found = [path for place in places for path in sorted(place.glob(f"{version}.*/bin/python"))]
        on_path = shutil.which(f"python{version}")
        for candidate in [*map(str, found), *([on_path] if on_path else [])]:
            # Where pyenv stands in for a version that is not chosen, it fails.
            if subprocess.run([candidate, "-c", "import venv, ensurepip"], capture_output=True, check=False).returncode == 0:
                yield candidate
                break
        else:
            print(f"{version}: not here")


def on_musl(python: str) -> bool:
    """Whether an interpreter's C library is musl: on Linux, and not glibc."""
    return subprocess.run([python, "-c", ON_MUSL], capture_output=True, check=False).returncode == 0


def try_wheel(wheel: Path, python: str, extra: str) -> str:
    """Install a wheel in an environment of its own and fetch three files with it; returns what was tried. Raises where that goes wrong.

    On musl nothing is compiled for it.
    """
    musl = on_musl(python)
    with tempfile.TemporaryDirectory(prefix="marscore-") as name:
        folder = Path(name)
        run([python, "-m", "venv", str(folder / "venv")], folder)
        own = str(folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python")
        wheels = ["--only-binary", ":all:"] if musl else []
        run([own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wheels, f"{wheel}{extra}"], folder)
        version = run([own, "-c", "import sys; print(sys.version.split()[0])"], folder).strip()
        lane = run([own, "-c", "import importlib.util as u; print('libcurl' if u.find_spec('pycurl') else 'requests')"], folder).strip()
        said = run([own, "-m", "marscore", "--version"], folder).strip()
        fetch(own, folder)
        return f"{version} {'on musl, ' if musl else ''}{lane}: {said}, get and run fetched, and tried again what failed"


def fetch(python: str, folder: Path) -> None:
    """`get` and `run` of a small file, of one that is refused at first, and of one that is cut, then `run` again without a request.

    What lands is held against what was served.
    """
    bodies = {"small.txt": Body(text=b"Hello.\n"), "flaky.bin": Body(MIB, seed=2), "cut.bin": Body(6 * MIB, seed=3)}
    for verb in ("get", "run"):
        scripts = {"flaky.bin": [busy(503, "0"), Good()], "cut.bin": [Good(cut_after=2 * MIB), Good()]}
        with Origin() as origin:
            urls = [origin.serve(f"/{name}", body, scripts.get(name, ())) for name, body in bodies.items()]
            (folder / "downloads.yaml").write_text(f"version: 1\ndownloads: {urls}\n")
            wanted = urls if verb == "get" else ["downloads.yaml"]
            run([python, "-m", "marscore", verb, *wanted, "--output-dir", verb, "--metrics", f"{verb}.prom"], folder)
            asked = [seen.path for seen in origin.requests]
            if asked.count("/flaky.bin") < 2 or asked.count("/cut.bin") < 2:
                raise SystemExit(f"{verb}: nothing was tried again: {asked}")
            if verb == "run":
                run([python, "-m", "marscore", "run", "downloads.yaml", "--output-dir", "run"], folder)
                if len(origin.requests) != len(asked):
                    raise SystemExit("what is in place was asked for again")
        for name, body in bodies.items():
            if hashlib.sha256((folder / verb / name).read_bytes()).hexdigest() != body.sha256:
                raise SystemExit(f"{verb}: {name} has other bytes than were served")
        if "marscore_downloads_total{" not in (folder / f"{verb}.prom").read_text():
            raise SystemExit(f"{verb}: no metrics")


def try_musl(wheel: Path, version: str, machine: str) -> str:
    """Look whether all that the wheel needs has wheels for musl (Alpine) too, so that nothing there wants a compiler. Raises where not.

    That is asked of the index alone: nothing is installed, and nothing run.
    """
    with tempfile.TemporaryDirectory(prefix="marscore-") as name:
        folder = Path(name)
        platforms = [part for minor in (2, 1) for part in ("--platform", f"musllinux_1_{minor}_{machine}")]
        wanted = ["--python-version", version, "--only-binary", ":all:", "--target", str(folder / "there"), *platforms]
        asked = ["--dry-run", "--ignore-installed", "--quiet", "--disable-pip-version-check", "--report", str(folder / "report.json")]
        run([sys.executable, "-m", "pip", "install", *asked, *wanted, str(wheel)], folder)
        chosen = json.loads((folder / "report.json").read_text())["install"]
        files = [one["download_info"]["url"].rpartition("/")[2] for one in chosen]
    if strange := [file for file in files if not file.endswith("-none-any.whl") and "musllinux" not in file]:
        raise SystemExit(f"{version} on musl, {machine}: {', '.join(strange)}")
    return f"{version} on musl, {machine}: {len(files)} wheels, {sum('musllinux' in file for file in files)} of them for musl (not run)"


def run(command: list[str], folder: Path) -> str:
    """Run a program to its end, without what this environment would bring to Python. Raises SystemExit with what it said where it fails."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON") and not name.lower().endswith("_proxy")}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def main() -> None:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m tests.release")
    parser.add_argument("what", choices=["look", "try"])
    parser.add_argument("dist", type=Path)
    parser.add_argument("pythons", nargs="*")
    arguments = parser.parse_args()
    problems = list(problems_of(arguments.dist, Path(__file__).parents[2]))
    if problems:
        sys.exit("\n".join(problems))
    [wheel] = arguments.dist.resolve().glob("*.whl")
    if arguments.what == "try":
        for python in arguments.pythons or pythons():
            for extra in EXTRAS_ON_MUSL if on_musl(python) else EXTRAS:
                began = time.monotonic()
                print(f"{try_wheel(wheel, python, extra)} ({time.monotonic() - began:.0f} s)", flush=True)
        for version in () if arguments.pythons else (VERSIONS[0], VERSIONS[-1]):
            for machine in MACHINES:
                print(try_musl(wheel, version, machine), flush=True)


if __name__ == "__main__":
    main()
