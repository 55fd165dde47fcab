"""`python -m bench.twins`: what the second ways bring that exist for speed alone. A property test holds each to the way it stands for.

    a manifest of plain downloads, read without models       `manifest/plain_manifest.py`
    lines and entries of files in place, written once        `adapters/unchanged_records.py`
    lines of JSON for the two events that every file has     `adapters/terminal/log_lines.py`
    dataclasses made without `inspect`                       `frozen.py`

Processor time, each pair in turns, the least of several rounds: what else runs on the machine makes them longer, not shorter.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.measure import environment
from marscore.adapters.records import RecordMaker
from marscore.adapters.terminal.log_lines import LineMaker
from marscore.adapters.unchanged_records import UnchangedRecords
from marscore.events import DownloadFinished, DownloadStarted
from marscore.execute.transfer.protocol import Work
from marscore.policy.redact import Redactor
from marscore.report.outcome import outcome_of
from marscore.resolve.model import Download, Options
from marscore.resolve.reconcile import UpToDate
from marscore.settings import LineSettings, LineStyle
from marscore.state import FileIdentity

_ROUNDS, _FILES = 9, 20_000
_JSON = LineSettings("run", styles=(LineStyle("json"),))
_PLAIN = "version: 1\noutput_dir: {here}\ndownloads: [https://example.com/a.bin]\n"
#: One line more, which only the models read.
_MODELLED = _PLAIN.replace("downloads:", "name: a\ndefaults: {{headers: {{X: y}}}}\ndownloads:")


def _spent(act: Callable[[], object]) -> float:
    before = time.process_time()
    act()
    return time.process_time() - before


def _pair(title: str, quick: Callable[[], float], slow: Callable[[], float], unit: str, scale: float) -> None:
    rounds = [(quick(), slow()) for _ in range(_ROUNDS)]
    fast, other = (min(each) * scale for each in zip(*rounds, strict=True))
    print(f"{title:46} {fast:8.2f} {unit}, without it {other:8.2f} {unit}", flush=True)


def _command(text: str) -> Callable[[], float]:
    """The processor time of `marscore validate` of a manifest."""

    def act() -> float:
        with tempfile.TemporaryDirectory() as here:
            path = Path(here) / "downloads.yaml"
            path.write_text(text.format(here=here))
            process = subprocess.Popen(
                [sys.executable, "-m", "marscore", "validate", str(path)], env=environment(), stdout=subprocess.DEVNULL
            )
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            assert process.returncode == 0, "the manifest is refused"
            return used.ru_utime + used.ru_stime

    return act


def _in_place() -> tuple[Callable[[], float], Callable[[], float]]:
    redactor, digest = Redactor({}), ("sha256:" + "a" * 64,)
    downloads = [Download(f"downloads[{n}]", (f"https://example.com/{n}.bin",), f"{n}.bin", Options()) for n in range(_FILES)]
    decisions = [
        UpToDate(d, "fetched before and unchanged since", FileIdentity(7, n, n), digest, noted=True) for n, d in enumerate(downloads)
    ]

    def one_by_one() -> object:
        maker = RecordMaker(redactor, _JSON)
        maker.expect(Work(decision.download) for decision in decisions)
        return maker.tell([outcome for decision in decisions if (outcome := outcome_of(decision, 1.7e9))])

    return lambda: _spent(lambda: UnchangedRecords(redactor, _JSON).tell(decisions, 1.7e9)), lambda: _spent(one_by_one)


def _lines() -> tuple[Callable[[], float], Callable[[], float]]:
    digests = ("sha256:" + "a" * 64,)
    events = [
        event
        for n in range(_FILES)
        for event in (
            DownloadStarted(1.7e9, f"downloads[{n}]", f"https://example.com/{n}.bin"),
            DownloadFinished(1.7e9, f"downloads[{n}]", "downloaded", "fetched", size=7, digests=digests, mtime_ns=n, inode=n),
        )
    ]
    maker = LineMaker(_JSON)
    ((_, slow),) = maker._styles  # the way that a property test compares it with
    return lambda: _spent(lambda: maker.texts(events)), lambda: _spent(lambda: list(map(slow, events)))


def _frozen() -> tuple[Callable[[], float], Callable[[], float]]:
    """The import of the values, with the house's dataclass and with the library's."""
    many = "\n".join(
        f"@dataclass(frozen=True, slots=True)\nclass C{n}:\n    a: int\n    b: str = ''\n    c: tuple = ()" for n in range(130)
    )

    def made(module: str) -> Callable[[], float]:
        code = f"from {module} import dataclass\nimport time\nbefore = time.process_time()\n{many}\nprint(time.process_time() - before)"
        return lambda: float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)

    return made("marscore.frozen"), made("dataclasses")


def main() -> int:
    """Measure each pair and print a line."""
    _pair("a plain manifest, `validate`", _command(_PLAIN), _command(_MODELLED), "ms", 1e3)
    _pair("a file in place, its line and entry", *_in_place(), "us", 1e6 / _FILES)
    _pair("a fetched file's two lines", *_lines(), "us", 1e6 / _FILES)
    _pair("130 frozen classes", *_frozen(), "ms", 1e3)
    return 0


if __name__ == "__main__":
    sys.exit(main())
