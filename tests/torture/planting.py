"""Journals and partial files that are changed at random between runs: the next run ends well and with the right bytes.

Changed are the files as bytes and, with checksums of lines that hold, what their lines say. A journal and a part that were made to fit
each other are left out: no one can tell those of a stranger from our own, as docs/security.md says.
"""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.origin import Good
from tests.torture.trial import MIB, Here, Sweep, Trial, entry, mixture


def _line(record: Any) -> bytes:
    body = json.dumps(record, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def _truncate(chance: random.Random, file: Path) -> None:
    with file.open("r+b") as opened:
        opened.truncate(chance.choice([0, 1, chance.randint(0, file.stat().st_size)]))


def _lengthen(chance: random.Random, file: Path) -> None:
    with file.open("ab") as opened:
        opened.write(chance.randbytes(chance.choice([1, 40, 100_000])))


def _flip(chance: random.Random, file: Path) -> None:
    data = bytearray(file.read_bytes())
    for _ in range(chance.choice([1, 1, 20]) if data else 0):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    file.write_bytes(data)


def _remove(chance: random.Random, file: Path) -> None:
    file.unlink()


def _swap(chance: random.Random, file: Path) -> None:
    """Give two downloads each other's journal, or each other's part."""
    other = chance.choice(sorted(file.parent.glob(f"*{file.suffix}")))
    mine, theirs = file.read_bytes(), other.read_bytes()
    file.write_bytes(theirs)
    other.write_bytes(mine)


def _header(**changes: Any) -> Callable[[random.Random, Path], None]:
    """Change what a journal's header says, in a line that holds."""

    def change(chance: random.Random, file: Path) -> None:
        first, *others = file.read_bytes().splitlines(keepends=True) or [b""]
        try:
            record = json.loads(first[9:])
        except ValueError:
            return
        file.write_bytes(b"".join([_line(record | changes), *others]))

    change.__name__ = f"_header {changes}"
    return change


def _lines(*records: Any) -> Callable[[random.Random, Path], None]:
    """Add lines that hold to a journal."""

    def add(chance: random.Random, file: Path) -> None:
        with file.open("ab") as opened:
            opened.write(b"".join(map(_line, records)))

    add.__name__ = f"_lines {str(records)[:60]}"
    return add


def _again(chance: random.Random, file: Path) -> None:
    """Pieces in another order, some of them twice."""
    first, *others = file.read_bytes().splitlines(keepends=True) or [b""]
    chance.shuffle(others)
    file.write_bytes(b"".join([first, *others, *others[:2]]))


_OF_BOTH = [_truncate, _lengthen, _flip, _remove, _swap]
_OF_JOURNALS = [
    _header(size=0),
    _header(size=1),
    _header(size=2**63 - 1),
    _header(size=None),
    _header(url="0" * 64),
    _header(marscore_journal=1),
    _header(marscore_journal=99),
    _header(etag='"other"'),
    _header(etag=None, last_modified=None, date=None),
    _header(etag=None, last_modified="Thu, 01 Jan 2026 00:00:00 GMT", date="Fri, 02 Jan 2026 00:00:00 GMT"),
    _header(encoding="gzip"),
    _header(proof="checksum", checksums=["0" * 64]),
    _header(resource="0" * 64),
    _lines([0, 2**62, "0" * 32]),
    _lines([100 * MIB, 101 * MIB, "0" * 32]),
    _lines([0, 1, "0" * 32], [0, 5 * MIB, "1" * 32], [5, 4, "2" * 32]),
    _lines({"finished": "0" * 64}),
    _lines({"marscore_journal": 2, "proof": "checksum", "checksums": []}),
    _lines(None, 5, "text", {}),
    _again,
]


def _trial(here: Here, number: int) -> Iterator[str]:
    chance = here.chance
    bodies = mixture(chance, 2, [300_000, MIB, 3 * MIB, 5 * MIB, 6 * MIB, 9 * MIB])
    entries = [entry(here.origin.url(f"/{name}"), body, chance.random() < 0.4) for name, body in bodies.items()]
    threads, execution = chance.choice([1, 3]), {"processes": chance.choice([1, 1, 2])}
    once = {"threads": threads, "retry": {"max_retries": 0}}
    trial = Trial(here.folder, bodies, entries, execution=execution, defaults=once)
    changed: list[str] = []
    for _ in range(chance.randint(1, 3)):
        for name, body in bodies.items():
            here.origin.serve(f"/{name}", body, [Good(cut_after=chance.randint(0, body.size))])
        yield from (f"{changed}: {line}" for line in trial.faults(trial.end(trial.start()), {0, 1}, kinds={"truncated"}))
        changed += _plant(chance, trial.own / "partial")
    for name, body in bodies.items():
        here.origin.serve(f"/{name}", body)
    here.figures.counts["changes"] += len(changed)
    # What a checksum disproves is fetched again, which is a retry.
    trial = Trial(here.folder, bodies, entries, execution=execution, defaults={"threads": threads})
    yield from (f"{changed}: {line}" for line in trial.follow())
    here.figures.counts["bytes resumed"] += trial.report.get("totals", {}).get("bytes_resumed", 0)


def _plant(chance: random.Random, partial: Path) -> list[str]:
    """Change some of the files that are there; says how."""
    done = []
    for _ in range(chance.randint(1, 8)):
        files = sorted(partial.glob("*.*"))
        if not files:
            break
        file = chance.choice(files)
        change = chance.choice(_OF_BOTH + (_OF_JOURNALS if file.suffix == ".journal" else []))
        change(chance, file)
        done.append(f"{change.__name__} {file.suffix}")
    return done


SWEEP = Sweep(120, _trial)
