"""Servers whose connections are out of step: what came before a request was sent is no answer to it, over TLS as well."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from tests.integration.command import fetch
from tests.servers import Tls
from tests.servers.out_of_step import OutOfStep, body_of

COUNT = 40


@pytest.mark.parametrize("lane", ["auto", "requests"])
@pytest.mark.parametrize(("scheme", "records"), [("http", 1), ("https", 1), ("https", 3)])
def test_an_answer_that_was_there_before_its_request_is_no_file(tmp_path: Path, tls: Tls, scheme: str, records: int, lane: str) -> None:
    context = tls.server_context() if scheme == "https" else None
    with contextlib.closing(OutOfStep(context, records)) as server:
        urls = [f"{server.base}/{number}" for number in range(COUNT)]
        execution = {"processes": 1, "threads": 2, "lane": lane, "http": "1.1"}
        run = fetch(tmp_path, *urls, execution=execution, defaults={"verify": str(tls.authority)})
    assert run.code == 0, run.err[-1000:]
    wrong = [number for number in range(COUNT) if run.data(str(number)) != body_of(f"/{number}".encode())]
    assert wrong == []
