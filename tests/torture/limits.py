"""Runs under limits of the system: processes and threads (RLIMIT_NPROC), memory (RLIMIT_AS). Each ends, with a report or by name."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from tests.disk import contradictions, report_in, wrong_in
from tests.integration.command import command, environment
from tests.origin import Body, Origin

MIB = 1024 * 1024
#: Seconds after which a run counts as hung.
HUNG = 60
#: A large file, which is hashed and verified by threads of their own, and many small ones.
BODIES = {f"{n}.bin": Body(9 * MIB if n == 0 else 1000 * n, seed=n) for n in range(30)}


def can_limit_processes() -> bool:
    """Whether a run can be another user's here, as the superuser is not limited, and a user may have other processes."""
    return hasattr(os, "geteuid") and os.geteuid() == 0 and bool(shutil.which("setpriv") and shutil.which("prlimit"))


@dataclass
class Limits:
    """Runs a manifest under one limit after the other, and keeps what was wrong."""

    origin: Origin
    runs: int = 0
    whole: int = 0
    wrong: list[str] = field(default_factory=list)

    def processes(self, most: int) -> None:
        """Run with so many processes and threads at most, as a user of its own."""
        user = str(60000 + os.getpid() % 5000)
        self._run(f"{most} threads", ["prlimit", f"--nproc={most}:{most}", "setpriv", "--reuid", user, "--clear-groups"], int(user))

    def memory(self, most: int) -> None:
        """Run with so many bytes of memory at most for each process."""
        self._run(f"{most} bytes", ["prlimit", f"--as={most}:{most}"], os.geteuid())

    def _run(self, name: str, limit: list[str], user: int) -> None:
        self.runs += 1
        with tempfile.TemporaryDirectory() as folder:
            here = Path(folder)
            downloads = [{"url": self.origin.serve(f"/{path}", body), "path": path} for path, body in BODIES.items()]
            manifest = {"version": 1, "output_dir": "data", "execution": {"processes": 2}, "downloads": downloads}
            (here / "downloads.yaml").write_text(json.dumps(manifest))
            os.chown(here, user, -1)
            line = [*limit, *command("run", "downloads.yaml")]
            try:
                done = subprocess.run(line, cwd=here, env=environment(), capture_output=True, text=True, timeout=HUNG, check=False)
            except subprocess.TimeoutExpired:
                self.wrong.append(f"{name}: it hangs")
                return
            self.whole += done.returncode == 0
            self.wrong += [f"{name}: {line}" for line in self._faults(here / "data", done)]

    def _faults(self, data: Path, done: subprocess.CompletedProcess[str]) -> list[str]:
        report = report_in(data)
        faults = contradictions(data, report) + wrong_in(data, BODIES, all_there=done.returncode == 0)
        if "Traceback" in done.stderr:
            faults.append(f"a traceback: {done.stderr[-300:]}")
        if not report and done.returncode != 3:
            faults.append(f"exit code {done.returncode} without a report: {done.stderr[-300:]}")
        kinds = {entry["error"]["kind"] for entry in report.get("downloads", []) if entry["error"]}
        return faults + [f"failed as {kind}" for kind in kinds - {"resources"}]
