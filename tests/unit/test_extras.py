"""What messages say about packages that are missing is what pyproject.toml names, and nothing sends anybody to another project."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from marscore.extras import PACKAGES, installing

ROOT = Path(__file__).parents[2]
#: The index's marscore is another project: what is installed from there is not this.
_FROM_THE_INDEX = re.compile(r"\b(?:pip|pipx|uv|uvx)\b[\w ]*\binstall\b[^\n`]*?['\" ]marscore(?:\[[\w,]+\])?(?![\w.\[-]| @)")


@pytest.mark.skipif(sys.version_info < (3, 11), reason="tomllib came with 3.11")
def test_the_packages_are_those_of_the_extras() -> None:
    import tomllib  # noqa: PLC0415 - as said

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = {extra: tuple(re.split("[<>=]", package)[0] for package in extras[extra]) for extra in PACKAGES}
    assert named == PACKAGES
    assert installing("socks") == "pip install PySocks"


def test_nobody_is_told_to_install_another_project() -> None:
    files = [*ROOT.glob("marscore/**/*.py"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*.md")]
    told = [f"{path.relative_to(ROOT)}: {found[0]}" for path in files for found in _FROM_THE_INDEX.finditer(path.read_text())]
    assert not told
    assert _FROM_THE_INDEX.search("pip install 'marscore[socks]'")
    assert _FROM_THE_INDEX.search("pip install marscore\n")
    assert not _FROM_THE_INDEX.search("pip install 'marscore[curl] @ git+https://example.com/marscore'")
