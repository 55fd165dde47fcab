"""A hook of MkDocs: adds the reference pages, made anew at every build, so that they cannot grow stale.

    JSON Schemas --tables--> manifest, report, log, lock     policy.failures, policy.remedies --kinds--> failures
    click's commands --mkdocs-click--> cli                   docstrings --mkdocstrings--> python

A link to a file of the source that is no page is only its name there.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

# MkDocs loads this file by its path.
ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import marscore  # noqa: E402 - after the line above
from docs.generate import kinds, tables  # noqa: E402 - as above

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

_CLI = """# The command line

::: mkdocs-click
    :module: marscore.cli.main
    :command: cli
    :prog_name: marscore
    :depth: 1
    :style: plain
"""
#: Files of the source, as pages link to them; a picture is not among them.
_SOURCE = re.compile(r"(?<!!)\[([^\]]+)\]\((?:\.\./)+(?:tests|bench|schemas|examples|CONTRIBUTING\.md|CHANGELOG\.md|README\.md)[^)]*\)")
#: Pictures that stand elsewhere in the source, by their paths on the site.
_PICTURES = {"bench/results/performance.png": "performance.png"}
_PYTHON = """# Python

What `import marscore` offers. [From Python](../howto/python.md) shows how it is used.

"""


def pages() -> dict[str, str]:
    """The text of each reference page, by its path under docs."""
    names = [name for name in marscore.__all__ if not name.startswith("_")]
    return {
        "reference/manifest.md": tables.manifest_page(),
        "reference/report.md": tables.report_page(),
        "reference/lock.md": tables.lock_page(),
        "reference/log.md": tables.log_page(),
        "reference/failures.md": kinds.page(),
        "reference/cli.md": _CLI,
        "reference/python.md": _PYTHON + "\n".join(f"::: marscore.{name}\n" for name in names),
    }


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add them; MkDocs calls this."""
    from mkdocs.structure.files import File  # noqa: PLC0415 - `pages` is also for those who have no MkDocs

    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    for source, path in _PICTURES.items():
        files.append(File.generated(config, path, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links that lead out of the site into names; MkDocs calls this for each page."""
    for source, path in _PICTURES.items():
        markdown = markdown.replace(f"(../{source})", f"({path})")
    return _SOURCE.sub(r"`\1`", markdown)
