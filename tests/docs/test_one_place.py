"""What a key means is said where it is defined: no page repeats the reference, which is made from there."""

from __future__ import annotations

import re
from pathlib import Path

PAGES = sorted((Path(__file__).parents[2] / "docs").glob("**/*.md"))


def test_no_page_has_a_table_of_keys_of_its_own() -> None:
    assert PAGES
    assert not [str(page) for page in PAGES if re.search(r"^\| *key *\|", page.read_text(), re.MULTILINE)]
