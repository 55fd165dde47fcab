"""A report that was written, read again and shown: as a page, as a table, as Markdown.

REPORT --report_at--> text --report.reading--> Report --page, with the assets of the wheel--> a file, or standard output
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from marscore.adapters.files.text import cannot_read
from marscore.adapters.terminal.named_outputs import Output
from marscore.errors import ManifestError, Problem
from marscore.public import public_word
from marscore.report.model import Report
from marscore.report.page import ASSETS, page
from marscore.values import OWN_FOLDER


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


def page_of(report: Report) -> Iterator[str]:
    """The page, in pieces."""
    folder = files("marscore.report") / "assets"
    return page(report, {name: folder.joinpath(*name.split("/")).read_text(encoding="utf-8") for name in ASSETS})


def write_page(report: Report, target: Path) -> None:
    """Write the page where the user says: a file whole or not at all, through links; a pipe or a device as it is.

    Raises:
        StorageError: it cannot be written.
    """
    Output(target, "the page").write_whole(lambda: page_of(report))
