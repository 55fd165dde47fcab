"""What the built wheel and sdist hold, against what the checkout has.

dist/*.whl, dist/*.tar.gz + files that git knows --problems_of--> a sentence for each thing that is wrong
"""

from __future__ import annotations

import email.message
import email.parser
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from marscore.version import __version__

#: Nobody's business but the checkout's.
_NOT_IN_SDIST = (".ci/", ".github/", ".gitignore", ".pre-commit-hooks.yaml", "bench/results/")
#: What hatchling adds.
_ADDED = {"PKG-INFO", ".gitignore"}
_IN_SDIST_BESIDE = ("SECURITY.md", "action.yml", "mkdocs.yml")


def problems_of(dist: Path, checkout: Path) -> Iterator[str]:
    """Yield what is wrong with the wheel and the sdist in a folder that holds nothing else."""
    wheels, sdists = list(dist.glob("*.whl")), list(dist.glob("*.tar.gz"))
    if (len(wheels), len(sdists)) != (1, 1):
        yield f"{dist} holds {len(wheels)} wheels and {len(sdists)} sdists"
        return
    known = _known(checkout)
    with zipfile.ZipFile(wheels[0]) as wheel:
        names = set(wheel.namelist())
        yield from _wheel(wheel, names, known)
    with tarfile.open(sdists[0]) as sdist:
        files = {member.name.partition("/")[2] for member in sdist.getmembers() if member.isfile()}
    yield from _sdist(files, known)


def _known(checkout: Path) -> set[str]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=checkout, capture_output=True, check=True)
    return {name for name in done.stdout.decode().split("\0") if name}


def _wheel(wheel: zipfile.ZipFile, names: set[str], known: set[str]) -> Iterator[str]:
    info = f"marscore-{__version__}.dist-info"
    package = {name for name in known if name.startswith("marscore/")}
    yield from (f"the wheel lacks {name}" for name in sorted(package - names))
    yield from (f"the wheel has {name}" for name in sorted(names - package) if not name.startswith(f"{info}/"))
    yield from (f"the wheel lacks {name}" for name in ("marscore/py.typed", f"{info}/licenses/LICENSE") if name not in names)
    if f"{info}/METADATA" in names:
        yield from _metadata(email.parser.BytesParser().parsebytes(wheel.read(f"{info}/METADATA")))
    else:
        yield f"the wheel is not of version {__version__}"


def _metadata(said: email.message.Message) -> Iterator[str]:
    wanted = {"Name": "marscore", "Version": __version__, "License-Expression": "MIT", "Requires-Python": ">=3.10"}
    for name, value in wanted.items():
        if said[name] != value:
            yield f"the wheel says {name}: {said[name]}, not {value}"
    for requirement in said.get_all("Requires-Dist", []):
        if requirement.startswith("pycurl") and "extra ==" not in requirement:
            yield "pycurl is no extra, and has no wheel for musl"


def _sdist(files: set[str], known: set[str]) -> Iterator[str]:
    wanted = {name for name in known if not name.startswith(_NOT_IN_SDIST)}
    yield from (f"the sdist lacks {name}" for name in sorted(wanted - files) if name not in _IN_SDIST_BESIDE)
    yield from (f"the sdist has {name}" for name in sorted(files - wanted - _ADDED))
