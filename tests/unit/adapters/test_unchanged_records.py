"""What is told of many files in place at once is what is told of each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marscore.adapters.records import RecordMaker
from marscore.adapters.unchanged_records import UnchangedRecords
from marscore.execute.transfer.protocol import Work
from marscore.policy.redact import Redactor
from marscore.report.outcome import outcome_of
from marscore.resolve.model import Download, Options
from marscore.resolve.reconcile import Fetch, Refuse, UpToDate
from marscore.settings import LineSettings, LineStyle
from marscore.state import FileIdentity
from marscore.values import Checksum, Failure

AT = 1714564801.5
OPTIONS = Options()
SHA, MD5 = "sha256:" + "a" * 64, "md5:" + "b" * 32
JSON = LineSettings("r1", styles=(LineStyle("json"),))
REASONS = ["fetched before and unchanged since", "its known digest matches the checksum"]


def kept(number=0, url="https://example.com/a.bin", path="a.bin", digests=(SHA,), reason=REASONS[0], checksums=(), size=7):
    download = Download(f"downloads[{number}]", (url,), path, OPTIONS, checksums)
    return UpToDate(download, reason, FileIdentity(size, 11, 12), digests, noted=True)


def told_one_by_one(decisions, redactor, settings):
    teller = RecordMaker(redactor, settings)
    teller.expect(Work(decision.download) for decision in decisions)
    _, told = teller.tell([outcome_of(decision, AT) for decision in decisions])
    return told.lines, dict(told.entries)


def told_at_once(decisions, redactor, settings):
    told = UnchangedRecords(redactor, settings).tell(decisions, AT)
    return told and (told.lines, dict(told.entries))


urls = st.builds(
    "https://{}example.com/{}{}".format, st.sampled_from(["", "u:pw@"]), st.text(max_size=6), st.sampled_from(["", "?token=t", "#x"])
)
paths = st.text(st.characters(codec="utf-8"), min_size=1, max_size=9)
checksums = st.lists(st.sampled_from([Checksum("sha256", "a" * 64), Checksum("md5", "b" * 32)]), unique=True).map(tuple)
digests = st.sampled_from([(SHA,), (SHA, MD5), (MD5, SHA)])
secrets = st.dictionaries(
    st.sampled_from(["pw", "s", "%", "%s", "unchanged", "example", "a.bin"]), st.sampled_from(["***", "${TOKEN}", "%", "%s"]), max_size=2
)


@given(st.lists(st.tuples(urls, paths, digests, st.sampled_from(REASONS), checksums, st.integers(0, 2**70)), max_size=4), secrets)
def test_it_is_what_is_told_of_each(values, secrets):
    decisions = [kept(number, *each) for number, each in enumerate(values)]
    at_once = told_at_once(decisions, Redactor(secrets), JSON)
    assert at_once in (None, told_one_by_one(decisions, Redactor(secrets), JSON))


def test_the_usual_ones_are_told_at_once():
    decisions = [kept(0), kept(1, path="b.bin", reason=REASONS[1], checksums=(Checksum("sha256", "a" * 64),)), kept(2, digests=(SHA, MD5))]
    at_once = told_at_once(decisions, Redactor({"pw": "***"}), JSON)
    assert at_once == told_one_by_one(decisions, Redactor({"pw": "***"}), JSON)
    assert at_once[0][0].count("\n") == 3


@pytest.mark.parametrize("level", ["warning", "error"])
def test_a_log_that_leaves_them_out_has_no_line(level):
    settings = LineSettings("r1", level, (LineStyle("json"),))
    assert told_at_once([kept()], Redactor({}), settings) == told_one_by_one([kept()], Redactor({}), settings)


def test_without_a_log_there_are_entries():
    settings = LineSettings("r1")
    assert told_at_once([kept()], Redactor({}), settings) == told_one_by_one([kept()], Redactor({}), settings)


@pytest.mark.parametrize("styles", [(LineStyle("console"),), (LineStyle("json"), LineStyle("console", True))])
def test_lines_for_people_are_made_one_by_one(styles):
    assert told_at_once([kept()], Redactor({}), LineSettings("r1", styles=styles)) is None


@pytest.mark.parametrize("secret", ["s", "unchanged"])
def test_a_secret_that_spoils_the_form_costs_time_and_nothing_else(secret):
    assert told_at_once([kept()], Redactor({secret: "%"}), JSON) is None


def test_what_has_to_be_fetched_has_no_outcome_yet_and_what_is_refused_has():
    assert outcome_of(Fetch(kept().download, "not there yet"), AT) is None
    refused = outcome_of(Refuse(kept().download, "in the way", Failure("path", "a folder is in the way")), AT)
    assert (refused.kind, refused.message, refused.url) == ("path", "a folder is in the way", "https://example.com/a.bin")
