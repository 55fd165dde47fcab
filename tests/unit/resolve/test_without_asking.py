"""What becomes of decisions where nothing may be asked, or where something that is needed is not known."""

from __future__ import annotations

from dataclasses import replace

from marscore.resolve.reconcile import Cached, Fetch, Refresh, Refuse, Resume, Unpacking, UpToDate, reconcile, refusing, without_network
from marscore.values import Failure, Unpacked
from tests.unit.resolve.test_reconcile import CLAIM, FILE, FOUND, wanted

OFFLINE = "if_exists is refresh, and the run is offline"


def test_what_would_be_fetched_fails_and_says_why() -> None:
    for found, decided in (("nothing", Fetch), ("a part", Resume)):
        decision = reconcile(wanted(), FOUND[found])
        assert isinstance(decision, decided)
        told = f"{decision.reason}, it is not in a cache, and the run is offline"
        assert without_network(decision) == Refuse(decision.download, decision.reason, Failure("offline", told))


def test_what_would_be_asked_about_stays_as_it_is() -> None:
    decision = reconcile(wanted("refresh"), FOUND["ours"])
    assert isinstance(decision, Refresh)
    assert without_network(decision) == UpToDate(decision.download, OFFLINE, FILE, CLAIM.digests)


def test_an_archive_stays_if_it_is_unpacked_and_is_unpacked_if_not() -> None:
    archive = replace(wanted("refresh"), into="folder")
    decision = Refresh(archive, "if_exists is refresh", CLAIM)
    assert without_network(decision) == Unpacking(archive, OFFLINE, CLAIM)
    unpacked = Unpacked("folder", 3, 99)
    assert without_network(replace(decision, unpacked=unpacked)) == UpToDate(archive, OFFLINE, FILE, CLAIM.digests, unpacked=unpacked)


def test_what_needs_no_request_is_left_alone() -> None:
    for decision in (reconcile(wanted(), FOUND["ours"]), Cached(wanted(), "in the cache"), reconcile(wanted(), FOUND["a folder"])):
        assert without_network(decision) is decision


def test_of_downloads_those_fail_whose_checksums_are_not_known() -> None:
    one, other = wanted(), replace(wanted(), id="downloads[1]")
    decisions = [Fetch(one, "not there yet"), Fetch(other, "not there yet")]
    failure = Failure("checksum_mismatch", "the list does not name it")
    assert refusing(decisions, {}) == decisions
    assert refusing(decisions, {other.id: failure}) == [decisions[0], Refuse(other, "its checksum is not known", failure)]
