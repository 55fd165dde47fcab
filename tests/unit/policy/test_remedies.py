"""What to do about a failure: something for every kind, and the right thing where message or status say more."""

from __future__ import annotations

import errno
import os
import re
from http import HTTPStatus

import pytest

from marscore.policy.failures import failure_of_connect, failure_of_status
from marscore.policy.get_remedies import _SAID, in_words_of_get
from marscore.policy.redirect import PRIVATE
from marscore.policy.remedies import _BY_WORDS, remedy
from marscore.policy.retry import DEFAULT_STATUSES
from marscore.values import FAILURE_KINDS, Failure, FailureKind

STATUSES = [status for status in HTTPStatus if status >= 400]


def told(failure: Failure) -> str:
    """The remedy of a failure."""
    return remedy(failure.kind, failure.status, failure.message)


@pytest.mark.parametrize("kind", FAILURE_KINDS)
def test_every_kind_has_one_short_sentence(kind: FailureKind) -> None:
    sentence = remedy(kind)
    assert 10 < len(sentence) <= 130
    assert sentence[0].islower()
    assert not sentence.endswith(".")
    assert "\n" not in sentence


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_of_an_error_has_one(status: HTTPStatus) -> None:
    sentence = told(failure_of_status(status, DEFAULT_STATUSES, None))
    assert 10 < len(sentence) <= 130
    # A kind that nobody gave a status is told by its status all the same.
    assert remedy("http_status", status)


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (401, "credentials"),
        (403, "credentials"),
        (404, "spelling"),
        (407, "proxy"),
        (410, "gone"),
        (416, "threads: 1"),
        (429, "per_host"),
        (500, "later"),
        (502, "proxy before the server"),
        (503, "later"),
        (504, "later"),
        (599, "later"),
        (418, "curl -I"),
    ],
)
def test_common_statuses(status: int, word: str) -> None:
    assert word in told(failure_of_status(status, DEFAULT_STATUSES, None))


@pytest.mark.parametrize(
    ("failure", "word"),
    [
        (Failure("tls", "TLS failed: wrong version number"), "http://"),
        # Python's ssl names OpenSSL's reasons in capitals.
        (Failure("tls", "TLS failed: WRONG_VERSION_NUMBER"), "http://"),
        (Failure("tls", "the server's certificate is not trusted: certificate has expired"), "clock"),
        (Failure("tls", "the server's certificate is not trusted: self-signed certificate"), "verify"),
        (Failure("tls", "the server's certificate is not trusted: unable to get local issuer certificate"), "CA bundle"),
        (Failure("tls", "the server's certificate is not trusted: Hostname mismatch, certificate is not valid for 'a'"), "host name"),
        (Failure("dns", "the host name cannot be resolved"), "spelling"),
        (Failure("connection", "the connection was refused"), "port"),
        (Failure("proxy", "the proxy refuses the connection"), "NO_PROXY"),
        (failure_of_connect(407), "user:password@"),
        (failure_of_connect(403), "who runs the proxy"),
        (failure_of_connect(502), "who runs the proxy"),
        (PRIVATE, "private_addresses: allow"),
        (Failure("disk_full", f"cannot write the file: {os.strerror(errno.ENOSPC)}"), "free space"),
        (Failure("disk_full", f"cannot write the file: {os.strerror(errno.EDQUOT)}"), "quota"),
        (Failure("permission", f"cannot make the output folder: {os.strerror(errno.EROFS)}"), "--output-dir"),
        (Failure("resources", f"cannot open: {os.strerror(errno.EMFILE)}"), "ulimit -n"),
        (Failure("path", "the file exists already, and if_exists is fail"), "if_exists"),
        (Failure("path", "another run holds this output folder (process 7)"), "other run"),
        (Failure("checksum", "sha256 is 00 and the lock names 11"), "lock --upgrade"),
        (Failure("checksum", "sha256 is 00 and should be 11"), "correct the checksum"),
        (Failure("rate_limited", "busy; the server asks to wait 900 s and max_retry_after is 300 s", 429), "retry.max_retry_after"),
        (Failure("timeout", "nothing came for 30 s"), "timeout.read"),
        (Failure("timeout", "the run's deadline of 5 s is over"), "execution.deadline"),
    ],
)
def test_what_the_message_says_counts_before_the_kind(failure: Failure, word: str) -> None:
    assert word in told(failure)


def advice() -> set[str]:
    """Every sentence that there is."""
    hints = {sentence for said in _BY_WORDS.values() for _, sentence in said}
    return {*map(remedy, FAILURE_KINDS), *(remedy("http_status", status) for status in STATUSES), *hints}


#: Words that mean something in a manifest alone.
_KEYS = re.compile(
    r"\b(execution|retry|timeout|auth|security|checksum|options)\.|\bmirrors\b|\bthreads: |\bverify\b|\bproxies\b|\bm(ax|in)_\w+|"
    r"\bcert\b|\bif_exists\b|`unpack`|\bmanifest\b|this download|buffer_size"
)


def test_who_ran_get_is_told_no_key_of_a_manifest() -> None:
    told = {in_words_of_get(sentence) for sentence in advice()}
    assert not [sentence for sentence in told if _KEYS.search(sentence.replace("--", "")) and "(marscore init URL)" not in sentence]
    assert not [sentence for sentence in told if not 10 < len(sentence) <= 145]


def test_whatever_is_said_in_other_words_for_get_is_said() -> None:
    assert set(_SAID) <= advice()
