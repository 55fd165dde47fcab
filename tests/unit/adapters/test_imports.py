"""What a start leaves out is only put off: whoever asks for it later gets it. Each test is a fresh interpreter, since imports last."""

from __future__ import annotations

import subprocess
import sys

import pytest

LEAN = "import sys, gc\nfrom marscore.adapters.imports import only_needed\nwith only_needed():\n    from marscore import app\n"


def python(*lines: str) -> str:
    return subprocess.run([sys.executable, "-W", "error", "-c", "\n".join(lines)], check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("module", ["rich", "asyncio", "pygments", "requests", "charset_normalizer", "pydantic", "structlog"])
def test_a_start_does_not_import_it(module: str) -> None:
    assert python(LEAN, f"print(sys.modules.get({module!r}))") == "None\n"


def test_what_was_put_off_is_there_when_it_is_wanted() -> None:
    lines = [
        "import asyncio, rich.console, importlib.metadata",
        "print(asyncio.run(asyncio.sleep(0, 'slept')), rich.console.Console.__name__)",
    ]
    assert python(LEAN, *lines, "print(importlib.metadata.version('rich') > '1', gc.isenabled())") == "slept Console\nTrue True\n"


def test_a_module_that_stood_in_finds_the_real_one() -> None:
    lines = ["with only_needed():", "    from structlog import stdlib", "print(stdlib.asyncio.Event.__module__)"]
    assert python(LEAN, *lines) == "asyncio.locks\n"


def test_lines_for_people_take_no_rich_in_a_process_of_our_own() -> None:
    lines = [
        "from marscore.adapters.terminal.log_lines import LineMaker",
        "from marscore.settings import LineSettings, LineStyle",
        "LineMaker(LineSettings('r', styles=(LineStyle('console'),)))",
        "print('structlog' in sys.modules, sys.modules.get('rich'))",
    ]
    assert python(LEAN, *lines) == "True None\n"
    assert python("import sys", *lines).startswith("True <module")


def test_functions_imported_by_name_are_called_in_the_end() -> None:
    lines = ["with only_needed():", "    from importlib.metadata import version", "print(version('rich') > '1')"]
    assert python("import sys", "from marscore.adapters.imports import only_needed", *lines) == "True\n"


def test_requests_works_without_what_guesses_encodings() -> None:
    assert python(LEAN, "import requests", "print(requests.Session.__name__)") == "Session\n"


def test_what_is_loaded_already_is_left_alone() -> None:
    lines = ["import rich, structlog, asyncio", LEAN, "print(structlog.dev.rich is rich, sys.modules['asyncio'] is asyncio)"]
    assert python(*lines) == "True True\n"
