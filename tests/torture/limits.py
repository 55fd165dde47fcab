"""Runs under limits of the system, from too little to enough. Each ends with a report or by name, and the next one without them is right.

processes and threads (RLIMIT_NPROC, pids.max of a cgroup), memory (RLIMIT_AS), open files (RLIMIT_NOFILE), size of files (RLIMIT_FSIZE)
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.origin import Body
from tests.torture.trial import KIB, MIB, Here, Sweep, Trial

#: A large file, which is hashed and verified by threads of their own, and many small ones.
BODIES = {f"{n}.bin": Body(9 * MIB if n == 0 else 1000 * n, seed=n) for n in range(30)}
_CGROUPS = Path("/sys/fs/cgroup")


def missing_prlimit() -> str | None:
    """Why a run cannot have a limit here; None where it can."""
    return None if shutil.which("prlimit") else "needs prlimit"


def missing_user() -> str | None:
    """Why a run cannot be another user's: the superuser is not limited, and a user may have other processes."""
    can = hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("setpriv") and shutil.which("prlimit")
    if not can:
        return "needs the superuser, prlimit and setpriv"
    other = ["setpriv", "--reuid", "60000", "--clear-groups", sys.executable, "-c", "pass"]
    return "another user cannot run this interpreter" if subprocess.run(other, capture_output=True, check=False).returncode else None


def missing_cgroup() -> str | None:
    """Why a run cannot have a cgroup with a limit of its own."""
    with contextlib.suppress(OSError), _cgroup(100):
        return None
    return f"needs a cgroup with pids.max that may be made below {_CGROUPS}"


def threads(here: Here, most: int) -> Iterator[str]:
    """Run with so many processes and threads at most, as a user of its own."""
    user = str(60000 + os.getpid() % 5000)
    # The manifest's folder, whatever the umask made of it, becomes that user's.
    here.folder.chmod(0o755)
    os.chown(here.folder, int(user), -1)
    return _limited(here, ["prlimit", f"--nproc={most}:{most}", "setpriv", "--reuid", user, "--clear-groups"], {"resources"})


def tasks(here: Here, most: int) -> Iterator[str]:
    """The same, in a cgroup that allows no more."""
    with _cgroup(most) as group:
        yield from _limited(here, ["sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh"], {"resources"})


def memory(here: Here, most: int) -> Iterator[str]:
    """Run with so many bytes of memory at most for each process."""
    return _limited(here, ["prlimit", f"--as={most}:{most}"], {"resources"})


def open_files(here: Here, most: int) -> Iterator[str]:
    """Run with so many open files at most for each process."""
    return _limited(here, ["prlimit", f"--nofile={most}:{most}"], {"resources", "path", "connection"})


def file_size(here: Here, most: int) -> Iterator[str]:
    """Run with files of so many bytes at most."""
    return _limited(here, ["prlimit", f"--fsize={most}:{most}"], {"disk_full"})


def _limited(here: Here, limit: Sequence[str], kinds: set[str]) -> Iterator[str]:
    if subprocess.run([*limit, sys.executable, "-c", "pass"], capture_output=True, check=False).returncode:
        here.figures.counts["too little for Python itself"] += 1
        return
    downloads = [{"url": here.origin.serve(f"/{path}", body), "path": path} for path, body in BODIES.items()]
    trial = Trial(here.folder, BODIES, downloads, execution={"processes": here.chance.choice([1, 2, 2])})
    code = trial.end(trial.start(limit))
    if code is None and _hangs_in_python(trial.said):
        # Python's own defect; what is left has to be right all the same.
        here.figures.counts["hung in Thread.start of Python"] += 1
        yield from trial.follow()
        return
    here.figures.counts[f"ended with {code}"] += 1
    yield from trial.faults(code, {0, 1, 3}, kinds)
    yield from trial.follow()


def _hangs_in_python(said: str) -> bool:
    """Whether a thread waits for one that found no memory to begin with: github.com/python/cpython/issues/140746, open in 2026."""
    return bool(re.search(r'threading.py", line \d+ in wait\n.*threading.py", line \d+ in start\n', said))


@contextlib.contextmanager
def _cgroup(most: int) -> Iterator[Path]:
    """A cgroup with so many tasks at most: below the controller of version 1, or the one tree of version 2."""
    above = _CGROUPS / "pids" if (_CGROUPS / "pids").is_dir() else _CGROUPS
    group = above / f"marscore-torture-{os.getpid()}"
    group.mkdir()
    try:
        # Not made where it is missing: that would be a file in a folder, and no limit.
        with (group / "pids.max").open("r+") as limit:
            limit.write(str(most))
        yield group
    finally:
        with contextlib.suppress(OSError):
            group.rmdir()


SWEEPS = {
    "threads": Sweep(range(1, 41), threads, missing_user),
    "tasks": Sweep(range(1, 41), tasks, missing_cgroup),
    "memory": Sweep([most * MIB for most in range(20, 400, 5)], memory, missing_prlimit),
    "open files": Sweep(range(4, 65), open_files, missing_prlimit),
    "file size": Sweep(
        [0, 1, *(KIB * 2**step for step in range(15)), *(9 * MIB + near for near in (-1, 0, 1))], file_size, missing_prlimit
    ),
}
