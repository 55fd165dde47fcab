"""Statuses that refuse: which of them pass by themselves, and which say no more than that a file has connections enough."""

from __future__ import annotations

from pathlib import Path

import pytest

from marscore.policy.retry import DEFAULT_STATUSES
from tests.disk import wrong_in
from tests.integration.command import fetch
from tests.origin import Body, Good, Origin, busy

#: 408 is retried by curl too, 425 asks for it (RFC 8470 section 5.2); 520 to 524 are a CDN's words for an origin that is not there, 529 for
#: one that is overloaded.
PASSING = (408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529)


def test_statuses_that_pass_are_retried_by_default(origin: Origin, tmp_path: Path) -> None:
    bodies = {f"{status}.bin": Body(1000, seed=status) for status in PASSING}
    urls = [origin.serve(f"/{name}", body, [busy(int(name[:3])), Good()]) for name, body in bodies.items()]
    run = fetch(tmp_path, *urls)
    assert run.code == 0, [entry["error"] for entry in run.report["downloads"]]
    assert wrong_in(run.folder, bodies) == []
    retries = {retry["status"]: retry["kind"] for entry in run.report["downloads"] for retry in entry["retries"]}
    assert retries == dict.fromkeys(PASSING, "server_error") | {429: "rate_limited"}
    assert sorted(DEFAULT_STATUSES) == list(PASSING)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 501, 505, 511, 525, 526, 530])
def test_other_statuses_fail_at_once(origin: Origin, tmp_path: Path, status: int) -> None:
    run = fetch(tmp_path, origin.serve("/file.bin", Body(1000), [busy(status)]))
    assert run.code == 1
    assert (run.entry()["error"]["kind"], run.entry()["error"]["status"]) == ("http_status", status)
    assert len(origin.requests_for("/file.bin")) == 1
