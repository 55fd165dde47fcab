"""What people read of a decision: why, and about which download."""

from __future__ import annotations

import itertools

import pytest

from marscore.resolve.model import IfExists
from marscore.resolve.reconcile import Prove, Refuse, UpToDate, proven, reconcile
from marscore.state import Measured
from marscore.values import Failure
from tests.unit.resolve.test_reconcile import CHECKSUMS, FOUND, MODES, A, B, hashed, wanted

STRANGE, UNTOUCHED = "the file in place is not known to be from this URL", "fetched before and unchanged since"
TOUCHED, LEFT = "fetched before, and copied or touched since", "; an earlier run left a part"
#: By what was found, without a checksum.
REASONS = {
    "nothing": "not there yet",
    "a part": f"not there yet{LEFT}",
    "a lost file": "not there yet",
    "a stranger": STRANGE,
    "a stranger and a part": f"{STRANGE}{LEFT}",
    "ours": UNTOUCHED,
    "ours and a part": UNTOUCHED,
    "ours, not flushed": "fetched before, and not known to be flushed to the disk",
    "ours without validator": UNTOUCHED,
    "ours with no tag": UNTOUCHED,
    "ours from another URL": STRANGE,
    "ours, touched": TOUCHED,
    "ours, replaced": TOUCHED,
    "ours, other size": "the file in place has changed since it was fetched",
    "a folder": "in the way",
    "a link": "in the way",
}


def test_every_decision_says_why_and_is_about_its_download() -> None:
    for found, reason in REASONS.items():
        assert reconcile(wanted(), FOUND[found]).reason == reason, found
    for (found, there), mode, checksums in itertools.product(FOUND.items(), MODES, CHECKSUMS.values()):
        download = wanted(mode, checksums)
        decision = reconcile(download, there)
        assert decision.download is download, (found, mode)
        if isinstance(decision, Prove | UpToDate):
            assert decision.file is there.file, (found, mode)
        if isinstance(decision, Prove):
            measured = Measured(decision.file, {"sha256": A, "md5": "c" * 32})
            assert proven(decision, measured, partial=False).download is download, (found, mode)


@pytest.mark.parametrize(
    ("mode", "found", "reason"),
    [
        ("replace", "ours", "if_exists is replace"),
        ("replace", "ours and a part", f"if_exists is replace{LEFT}"),
        ("refresh", "ours", "if_exists is refresh"),
        ("refresh", "a stranger", STRANGE),
        ("refresh", "ours without validator", "if_exists is refresh, and nothing is known that a server could be asked about"),
        ("fail", "ours", "if_exists is fail"),
        ("fail", "a part", f"not there yet{LEFT}"),
    ],
)
def test_what_was_asked_for_is_why(mode: IfExists, found: str, reason: str) -> None:
    assert reconcile(wanted(mode), FOUND[found]).reason == reason


@pytest.mark.parametrize(
    ("found", "checksums", "reason"),
    [
        ("ours", "right", "its known digest matches the checksum"),
        ("ours", "wrong", "the file in place has other content than the checksum says"),
        ("ours", "not known", "a file is there whose content is not known"),
        ("a stranger", "right", "a file is there whose content is not known"),
        ("ours, touched", "right", "a file is there that was copied or touched since it was fetched"),
    ],
)
def test_what_is_known_of_the_content_is_why(found: str, checksums: str, reason: str) -> None:
    assert reconcile(wanted(checksums=CHECKSUMS[checksums]), FOUND[found]).reason == reason


@pytest.mark.parametrize(
    ("checksums", "sha256", "reason"),
    [
        ("none", A, "the file has the right content"),
        ("none", B, "the file in place has changed"),
        ("right", B, "the file in place has other content than the checksum says"),
    ],
)
def test_what_hashing_found_is_why(checksums: str, sha256: str, reason: str) -> None:
    decision = reconcile(wanted(checksums=CHECKSUMS[checksums]), FOUND["ours, touched"])
    assert isinstance(decision, Prove)
    assert proven(decision, hashed({"sha256": sha256}), partial=False).reason == reason
    if sha256 == B:
        assert proven(decision, hashed({"sha256": sha256}), partial=True).reason == f"{reason}{LEFT}"


@pytest.mark.parametrize(
    ("found", "mode", "message"),
    [
        ("a folder", "keep", "a folder stands where the file should be"),
        ("a link", "replace", "something that is not a file (a symbolic link or a device) stands where the file should be"),
        ("ours", "fail", "the file exists already, and if_exists is fail"),
    ],
)
def test_what_is_refused_is_a_failure_of_its_path(found: str, mode: IfExists, message: str) -> None:
    decision = reconcile(wanted(mode), FOUND[found])
    assert isinstance(decision, Refuse)
    assert decision.failure == Failure("path", message)


def test_what_was_asked_for_is_why_after_hashing_as_well() -> None:
    decision = reconcile(wanted("refresh"), FOUND["ours, touched"])
    assert isinstance(decision, Prove)
    assert proven(decision, hashed({"sha256": A}), partial=False).reason == "if_exists is refresh"
