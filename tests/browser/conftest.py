"""A browser: Debian's Chromium, driven by Playwright. What is left out for want of it is told by `make test`, as with servers."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.servers.process import need


@dataclass
class Opened:
    """A page that is open: what it said on the console, and what it asked for besides its own file."""

    page: Any
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def until(self, expression: str, value: object) -> None:
        """Wait until an expression has this value. Playwright's own way evaluates text in the page, whose policy forbids that."""
        limit = time.monotonic() + 10
        while (found := self.page.evaluate(expression)) != value:
            assert time.monotonic() < limit, f"{expression} is {found!r} and never {value!r}"
            time.sleep(0.02)

    @property
    def rows(self) -> list[str]:
        """The paths in the table of files, as far as they are drawn."""
        texts: list[str] = self.page.locator("#table tbody td.c-path").all_inner_texts()
        return texts

    @property
    def focused(self) -> str:
        """The text of what has the focus."""
        text: str = self.page.evaluate("document.activeElement.innerText || document.activeElement.id")
        return text


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    """A running browser. For this package alone: while it runs, an event loop does, beside which no other test could start one."""
    path = need("chromium", "chromium")
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415 - an extra
    except ImportError:
        message = "Playwright is not installed: pip install 'marscore[page]'"
        if os.environ.get("MARSCORE_REQUIRE_SERVERS"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Any]:
    """Opens files in windows of their own; in the end none has said or asked for anything."""
    opened: list[Opened] = []

    def open_(file: Path, **options: Any) -> Opened:
        page = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options}).new_page()
        one = Opened(page)
        opened.append(one)
        page.on("console", lambda message: one.said.append(message.text))
        page.on("pageerror", lambda error: one.said.append(str(error)))
        page.on("request", lambda request: None if request.url == file.as_uri() else one.asked.append(request.url))
        page.goto(file.as_uri())
        page.wait_for_selector("#table tbody tr:not(.spacer)")
        return one

    yield open_
    for one in opened:
        one.page.context.close()
    assert [(one.said, [url for url in one.asked if url != "data:,"]) for one in opened] == [([], [])] * len(opened)
