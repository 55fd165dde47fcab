"""A report that was written, read again and shown: as a page, as a table, as Markdown.

REPORT --report_at--> text --report.reading--> Report --page, with the assets of the wheel--> a file, or standard output
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from importlib.resources import files
from itertools import islice
from pathlib import Path

from marscore.adapters.files.text import cannot_read
from marscore.adapters.stores.objects import Objects
from marscore.adapters.stores.opened import is_installed
from marscore.adapters.stores.waiting import patiently
from marscore.adapters.terminal.named_outputs import Output
from marscore.destination import is_url, parse_destination
from marscore.errors import ManifestError, Problem
from marscore.extras import installing
from marscore.policy.retry import Patience
from marscore.public import public_word
from marscore.report.lines import report_of_lines, summary_in
from marscore.report.model import Report
from marscore.report.page import ASSETS, page
from marscore.report.reading import report_of
from marscore.report.words import IN_PLACE
from marscore.values import OWN_FOLDER

#: So many downloads a browser shows without a long wait.
MOST_ON_A_PAGE = 100_000


def brought(source: str, kept: contextlib.ExitStack) -> str:
    """Where a report can be read: `source` itself, or, of a run into an object store, a folder that is there as long as `kept`.

    Raises:
        ManifestError: it is no URL of a store, or no run has left a report there.
        StorageError: the store is in the way.
    """
    if not is_url(source):
        return source
    shown = public_word(source)
    try:
        where = parse_destination(source)
    except ValueError as error:
        raise ManifestError(shown, (Problem("", str(error)),)) from None
    if isinstance(where, str):
        return where
    if not is_installed():
        raise ManifestError(shown, (Problem("", f"is an object store, which needs obstore: {installing('stores')}"),))
    objects = Objects(where, Patience())
    folder = Path(kept.enter_context(tempfile.TemporaryDirectory(prefix="marscore-")))
    report = folder / "report.json"
    if patiently(lambda: objects.save(f"{OWN_FOLDER}/{report.name}", report)) is None:
        raise ManifestError(shown, (Problem("", "holds no report of a run"),))
    entries = (summary_in(report.read_text("utf-8", "replace")) or {}).get("entries")
    match entries:
        case {"file": str(name)} if name and "/" not in name and "\\" not in name:
            # Where it is not there, who reads the report says so.
            patiently(lambda: objects.save(f"{OWN_FOLDER}/{name}", folder / "entries"))
            (folder / "entries").replace(folder / name)
        case _:
            pass
    return str(report)


def report_at(source: str) -> tuple[Path, str]:
    """Where the report is that a person names, and its text: a file, or the output folder of a run.

    Raises:
        ManifestError: there is none, or it cannot be read, or it is not UTF-8.
    """
    path = Path(source)
    try:
        if path.is_dir():
            path = (path if path.name == OWN_FOLDER else path / OWN_FOLDER) / "report.json"
        return path, path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ManifestError(str(path), (Problem("", f"is not UTF-8 text: byte {error.start}"),)) from error
    except (OSError, ValueError) as error:
        raise ManifestError(str(path) if path.exists() else public_word(source), (Problem("", cannot_read(error)),)) from error


def report_from(text: str, place: Path | None, source: str) -> Report:
    """The report of a text; where that is a summary, with its entries, which are read from beside it when they are asked for.

    Raises:
        ManifestError: it is none, or something in it is wrong, or its entries are not there.
    """
    summary = summary_in(text)
    if summary is None:
        return report_of(text, source)

    def opened(name: str, size: int) -> Callable[[], Iterator[str]]:
        if place is None:
            raise ManifestError(source, (Problem("entries", "are in a file beside the summary: name that one"),))
        listed = place.parent / name
        try:
            found = listed.stat().st_size
        except OSError as error:
            raise ManifestError(str(listed), (Problem("", cannot_read(error)),)) from error
        if found != size:
            raise ManifestError(str(listed), (Problem("", f"has {found:,} bytes, and the summary says {size:,}: it is another run's"),))
        return lambda: _lines_of(listed)

    return report_of_lines(summary, source, opened)


def _lines_of(path: Path) -> Iterator[str]:
    try:
        # A text may hold what else Python takes for the end of a line.
        with path.open(encoding="utf-8", newline="\n") as file:
            yield from file
    except (OSError, UnicodeDecodeError) as error:
        told = cannot_read(error) if isinstance(error, OSError) else "is not UTF-8 text"
        raise ManifestError(str(path), (Problem("", told),)) from error


def _fit_for_a_page(report: Report) -> Report:
    """The report with as many entries as a page may hold, what is not in place before all else."""
    count = len(report.downloads)
    if count <= MOST_ON_A_PAGE:
        return report
    wrong = list(islice((entry for entry in report.downloads if entry.status not in IN_PLACE), MOST_ON_A_PAGE))
    right = islice((entry for entry in report.downloads if entry.status in IN_PLACE), MOST_ON_A_PAGE - len(wrong))
    told = f"this page lists {MOST_ON_A_PAGE:,} of {count:,} downloads, those that are not in place before all others"
    return report.model_copy(update={"downloads": (*wrong, *right), "warnings": (*report.warnings, told)})


def page_of(report: Report) -> Iterator[str]:
    """The page, in pieces."""
    report = _fit_for_a_page(report)
    folder = files("marscore.report") / "assets"
    return page(report, {name: folder.joinpath(*name.split("/")).read_text(encoding="utf-8") for name in ASSETS})


def write_page(report: Report, target: Path) -> None:
    """Write the page where the user says: a file whole or not at all, through links; a pipe or a device as it is.

    Raises:
        StorageError: it cannot be written.
    """
    Output(target, "the page").write_whole(lambda: page_of(report))
