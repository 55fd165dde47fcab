"""The command's first lines."""

from __future__ import annotations

import subprocess
import sys

import pytest

STARTED = "import marscore.__main__ as entry\ndef run():\n    raise ImportError({words!r})\nentry._run = run\nentry.main()\n"


def start(words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", STARTED.format(words=words)], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("words", ["a.so: failed to map segment from shared object", "a.so: cannot allocate memory in static TLS block"])
def test_a_library_for_which_there_is_no_memory_is_told_in_a_sentence(words: str) -> None:
    done = start(words)
    assert (done.returncode, done.stderr) == (3, "marscore: the system gives too little memory\n")


def test_any_other_import_that_fails_is_shown_as_it_is() -> None:
    done = start("No module named 'yaml'")
    assert done.returncode == 1
    assert "ImportError: No module named 'yaml'" in done.stderr
