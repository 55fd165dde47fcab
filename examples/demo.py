"""What `make demo` runs: a small real origin on loopback that also misbehaves, the quickstart manifest against it, and the report.

python -m examples.demo
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
MANIFEST = ROOT / "examples" / "manifests" / "quickstart.yaml"
OUTPUT = ROOT / "demo-output"


def main() -> int:
    """Run the demonstration. Returns marscore's exit code."""
    shutil.rmtree(OUTPUT, ignore_errors=True)
    origin = subprocess.Popen(
        [sys.executable, "-m", "tests.origin", "--until-eof"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with origin:
        assert origin.stdin
        assert origin.stdout
        url = origin.stdout.readline().strip()
        say(f"An origin serves on {url}: one of its files is cut in the middle at first, one is answered by 503 at first.")
        codes = [run(url, "first run"), run(url, "second run: nothing is left to do, so no request is sent")]
        origin.stdin.close()
    return max(codes)


def run(url: str, title: str) -> int:
    """Run marscore on the quickstart manifest and show the report."""
    say(f"\n--- {title}\n$ marscore run {MANIFEST.relative_to(ROOT)} --output-dir {OUTPUT.name}")
    # Where nobody sits at a terminal, its output may still be read by people.
    shown = [] if sys.stderr.isatty() else ["--log-format", "console"]
    command = [sys.executable, "-m", "marscore", "run", str(MANIFEST), "--output-dir", str(OUTPUT), *shown]
    code = subprocess.run(command, env=os.environ | {"ORIGIN": url}, check=False).returncode  # noqa: S603 - our own interpreter
    report = json.loads((OUTPUT / ".marscore" / "report.json").read_text())
    say(f"\nexit code {code}; {OUTPUT.name}/.marscore/report.json says:")
    say(json.dumps({name: report[name] for name in ("status", "duration_s", "plan", "totals")}, indent=2))
    for entry in report["downloads"]:
        retries = "".join(f"  retried: {retry['kind']} ({retry['message']})" for retry in entry["retries"])
        say(f"  {entry['status']:<11} {entry['path']:<24} {entry['size']:>10} bytes  {entry['checksum'][:23]}...{retries}")
    return code


def say(text: str) -> None:
    """Print for the person who watches."""
    print(text, flush=True)  # noqa: T201 - a program whose output is its purpose


if __name__ == "__main__":
    sys.exit(main())
