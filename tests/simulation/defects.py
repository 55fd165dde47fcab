"""Puts defects back that marscore once had (CHANGELOG), one at a time and in a copy, and says after how many seeds each is found.

`python -m tests.simulation.defects [--seeds N] [NAME...]`
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Defect:
    """What was wrong, and the changes (file, before, after) that bring it back."""

    name: str
    told: str
    changes: tuple[tuple[str, str, str], ...]


DEFECTS = (
    Defect(
        "bytes-of-another",
        "a large file got the bytes of a small one that was placed meanwhile, and was reported with the right checksum",
        (
            (
                "execute/worker/commands.py",
                "                assert self._placing is not None\n",
                "                assert self._placing is not None\n                self._latest = command.content\n",
            ),
            (
                "execute/worker/commands.py",
                "            return Placed(moment(), partial.finish(path, command.size, command.digests, command.attributes), command.digests)\n",
                "            latest, self._latest = self._latest, None\n"
                "            if latest is not None:\n"
                "                return Placed(moment(), self._store.store(path, latest), command.digests)\n"
                "            return Placed(moment(), partial.finish(path, command.size, command.digests, command.attributes), command.digests)\n",
            ),
            (
                "execute/worker/commands.py",
                "        self._placing: Placing | None = None\n",
                "        self._placing: Placing | None = None\n        self._latest = None\n",
            ),
            ("execute/transfer/state_machine.py", "        if identity.size != self.known.size:\n", "        if False:\n"),
        ),
    ),
    Defect(
        "two-versions",
        "bytes of two versions were joined, where a file changed while it was fetched",
        (
            (
                "execute/transfer/knowledge.py",
                '        if self.proof == "checksum":\n            return False\n        known =',
                "        return False\n        known =",
            ),
            (
                "execute/transfer/knowledge.py",
                '        return self.proof == "checksum" or bool(self.validator.strong)\n',
                "        return True\n",
            ),
        ),
    ),
    Defect(
        "two-resources",
        "bytes of two files were joined, where one URL led to both and they had one ETag",
        (("execute/transfer/knowledge.py", "return known not in (None, version.resource) or not self", "return not self"),),
    ),
    Defect(
        "stranger",
        "headers and credentials went along on a redirect to another origin",
        (("policy/redirect.py", "    return written_for.origin == url.origin\n", "    return True\n"),),
    ),
    Defect(
        "forgotten",
        "of several files of one host that wait for a connection, one was forgotten: the run never ended",
        (
            (
                "execute/worker/waiting.py",
                "            if heap:\n                yield heap[0]\n",
                "            if heap:\n                yield heapq.heappop(heap)\n",
            ),
        ),
    ),
    Defect(
        "not-woken",
        "a connection that came free woke nobody: the run never ended",
        (
            (
                "execute/worker/board.py",
                '        """Give a slot back."""\n        self.changed = True\n',
                '        """Give a slot back."""\n',
            ),
            (
                "execute/worker/board.py",
                "        self.changed = True\n        if transfer.closed:\n",
                "        if transfer.closed:\n",
            ),
        ),
    ),
    Defect(
        "cleaning",
        "an error while cleaning up took a download's outcome with it",
        (
            (
                "execute/worker/writing.py",
                "        except StorageError as error:\n            return error.failure\n        except Exception as error:  "
                "# noqa: BLE001 - an outcome is told whatever happens to the cleaning\n            return internal(error)\n",
                "        except ZeroDivisionError:\n            return None\n",
            ),
            (
                "execute/worker/commands.py",
                "                except Exception as error:  # noqa: BLE001 - what goes wrong with a file is told to its transfer\n",
                "                except ZeroDivisionError as error:\n",
            ),
        ),
    ),
    Defect(
        "durable-too-early",
        "a claim was durable before its file was flushed: after a power cut it was believed",
        (
            (
                "adapters/state/claim_writer.py",
                "if self._written and self._folder.flush([path for path in self._written.values() if path is not None]):",
                "if self._written:",
            ),
        ),
    ),
    Defect(
        "unproven-resume",
        "what a journal tells of was built on without being read back",
        (("execute/worker/writing.py", "if _holds(partial, piece.range, piece.hash)]", "]"),),
    ),
    Defect(
        "retry-of-proven",
        "what an earlier run left was fetched again",
        (
            (
                "execute/transfer/state_machine.py",
                "        self.ledger.resume(fact.proven, fact.size)\n",
                "        self.ledger.resume((), fact.size)\n",
            ),
        ),
    ),
    Defect(
        "checksum-of-another",
        "parts that one checksum was to prove were joined without any",
        (("execute/transfer/knowledge.py", '        if found.proof == "checksum" and not', '        if found.proof == "nothing" and not'),),
    ),
    Defect(
        "per-host",
        "more connections to a host than it may have",
        (("policy/pacing.py", "if self._used[host] >= self.capacity else", "if self._used[host] > self.capacity else"),),
    ),
    Defect(
        "name-taken-away",
        "after a kill between a file's rename and its claim, the next run did not know it",
        (("adapters/files/decisions.py", "        journal = folder.finished(download.path)\n", "        journal = None\n"),),
    ),
    Defect(
        "torn-journal",
        "a piece was recorded behind half a line, and lost with it",
        (("adapters/files/folder.py", "            if journal.torn:\n", "            if False:\n"),),
    ),
    Defect(
        "half-a-line",
        "of a line that a disk took in part, the part stayed before what the same run recorded later, and that was lost with it",
        (("adapters/files/appended.py", "            if self._half:\n", "            if False:\n"),),
    ),
    Defect(
        "too-few-files",
        "what an earlier run left was thrown away where there were too few open files to look at it",
        (
            (
                "adapters/files/folder.py",
                '"cannot look at the partial file")).failure.kind == "resources":',
                '"")).failure.kind == "nothing":',
            ),
        ),
    ),
    Defect(
        "wrong-part",
        "a part was taken for the one that was asked for, whatever the answer said",
        (
            (
                "execute/transfer/answer.py",
                "    if first != start or (end is not None and last >= end):\n",
                "    if False:\n",
            ),
        ),
    ),
)


def tried(defect: Defect, seeds: int) -> str:
    """Put a defect back and play; returns what is to be told."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in ("marscore", "tests"):
            shutil.copytree(_ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        for file, before, after in defect.changes:
            path = root / "marscore" / file
            text = path.read_text()
            if text.count(before) != 1:
                return f"cannot be put back: {file} does not have once: {before.strip()}"
            path.write_text(text.replace(before, after))
        line = [sys.executable, "-m", "tests.simulation", "--seeds", str(seeds), "--whole"]
        done = subprocess.run(line, cwd=root, capture_output=True, text=True, check=False)
    found = re.search(r"^seed (\d+): (.*)", done.stdout, re.MULTILINE)
    if done.returncode == 0 or found is None:
        return f"not found in {seeds} seeds {done.stderr[-500:]}"
    return f"found after {found[1]} seeds: {found[2][:150]}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Try them all, or those that are named."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.defects", description=__doc__)
    parser.add_argument("--seeds", type=int, default=3000, help="how many seeds at most")
    parser.add_argument("names", nargs="*", help="which ones")
    options = parser.parse_args(arguments)
    missed = 0
    for defect in DEFECTS:
        if not options.names or defect.name in options.names:
            told = tried(defect, options.seeds)
            missed += not told.startswith("found")
            print(f"{defect.name:<20} {told}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
