"""What a store says is told by kind and in our words: nothing of a request, a key or what a server wrote is passed on."""

from __future__ import annotations

import pytest

from marscore.adapters.stores.failures import failure_of
from marscore.values import FailureKind

ANSWER = (
    "Generic S3 error: Error performing PUT http://u:secret@host/bucket/key?X-Amz-Signature=secret in 20ms - "
    "Server returned non-2xx status code: {status}: <Error><Code>{code}</Code><Message>secret</Message>"
    "<AWSAccessKeyId>secret</AWSAccessKeyId></Error>\n\nDebug source:\nsecret"
)


@pytest.mark.parametrize(
    ("status", "code", "kind", "message"),
    [
        ("403 Forbidden", "SignatureDoesNotMatch", "permission", "cannot put: the store answered 403 Forbidden (SignatureDoesNotMatch)"),
        ("401 Unauthorized", "", "permission", "cannot put: the store answered 401 Unauthorized"),
        ("404 Not Found", "NoSuchBucket", "store", "cannot put: there is no such bucket"),
        ("301 Moved", "PermanentRedirect", "store", "cannot put: the bucket is in another region, which AWS_REGION has to name"),
        ("500 Internal", "InternalError", "store", "cannot put: the store answered 500 Internal Server Error (InternalError)"),
        ("507 Full", "XMinioStorageFull", "disk_full", "cannot put: the store has no room"),
        ("507 Full", "Unheard", "disk_full", "cannot put: the store answered 507 Insufficient Storage (Unheard)"),
        ("400 Bad", "A secret with spaces", "store", "cannot put: the store answered 400 Bad Request"),
        ("599 Odd", "Odd", "store", "cannot put: the store answered 599 (Odd)"),
    ],
)
def test_an_answer_is_told_by_its_status_and_code(status: str, code: str, kind: FailureKind, message: str) -> None:
    found = failure_of("GenericError", ANSWER.format(status=status, code=code), "cannot put")
    assert (found.kind, found.message) == (kind, message)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("error sending request secret: dns error: secret", "the store's host cannot be resolved"),
        ("tcp connect error: Connection refused (os error 111) secret", "nothing listens"),
        ("invalid peer certificate: UnknownIssuer secret", "certificate is not trusted"),
        ("HttpError { kind: Timeout, secret", "does not answer in time"),
        ("Error performing PUT http://169.254.169.254/latest/api/token secret", "no credentials are known"),
        ("secret", "its answer makes no sense"),
    ],
)
def test_what_never_came_to_an_answer_is_told_in_our_words(text: str, told: str) -> None:
    found = failure_of("GenericError", text, "cannot put")
    assert (found.kind, told in found.message, "secret" in found.message) == ("store", True, False)
