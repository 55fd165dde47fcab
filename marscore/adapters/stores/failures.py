"""What an object store says, in the vocabulary of failures.

What obstore says holds the request, and what a store answers may repeat who signed it (`<AWSAccessKeyId>`, `<StringToSign>`). So nothing of
it is passed on but the status and the store's own code, which is a single word.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from types import TracebackType

from marscore.errors import StorageError
from marscore.values import Failure, FailureKind

_STATUS = re.compile(r"status code: ([1-5][0-9]{2})\b")
_CODE = re.compile(r"<Code>([A-Za-z]{1,64})</Code>")
#: Codes (S3's, which GCS shares, and Azure's) that say more than their status, and what is said of them.
_BY_CODE: dict[str, tuple[FailureKind, str]] = {
    "NoSuchBucket": ("store", "there is no such bucket"),
    "ContainerNotFound": ("store", "there is no such container"),
    "PermanentRedirect": ("store", "the bucket is in another region, which AWS_REGION has to name"),
    "AuthorizationHeaderMalformed": ("store", "the bucket is in another region, which AWS_REGION has to name"),
    "QuotaExceeded": ("disk_full", "the quota of the bucket is used up"),
    "XMinioStorageFull": ("disk_full", "the store has no room"),
    "XMinioAdminBucketQuotaExceeded": ("disk_full", "the quota of the bucket is used up"),
    "AccountLimitExceeded": ("disk_full", "the quota of the account is used up"),
    "RequestTimeTooSkewed": ("permission", "this machine's clock is wrong"),
    "BadDigest": ("store", "what came there was not what was sent"),
    "XAmzContentSHA256Mismatch": ("store", "what came there was not what was sent"),
}
#: Words of an error that never came to an answer, in lower case, and what is said of them. The first that are found count.
_UNANSWERED = (
    ("dns error", "the store's host cannot be resolved"),
    ("connection refused", "nothing listens at the store's address, or a firewall refuses"),
    ("certificate", "the store's certificate is not trusted"),
    ("169.254.169.254", "no credentials are known: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY name them"),
    ("kind: timeout", "the store does not answer in time"),
    ("timed out", "the store does not answer in time"),
    ("connection reset", "the connection to the store broke"),
    ("connection closed", "the connection to the store broke"),
    ("incomplete", "the connection to the store broke"),
    ("configured region", "the bucket is in another region, which AWS_REGION has to name"),
    ("builder error", "the store's URL cannot be used"),
)
_UNFIT = "Could not parse path"
_DENIED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


class TakenError(StorageError):
    """The object is there already, or is another than the one that was to be replaced."""


class MissingError(StorageError):
    """There is no such object."""


class RefusedError(StorageError):
    """The store, or obstore for it, does not do what was asked of it (501), such as to compare a condition."""


class asking:  # noqa: N801 - reads as the statement that it begins
    """Names what obstore raises inside as StorageError, TakenError (a condition did not hold), MissingError (no such object) or
    RefusedError (501).

    What a caller's own code raises there, which feeds an upload, is passed on.
    """

    __slots__ = ("_doing",)

    def __init__(self, doing: str) -> None:
        self._doing = doing

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None or not _is_told(error):
            return
        name, text = type(error).__name__, str(error)
        if name in ("AlreadyExistsError", "PreconditionError"):
            raise TakenError(Failure("store", f"{self._doing}: another object is there")) from None
        failure = failure_of(name, text, self._doing)
        if isinstance(error, FileNotFoundError) and "NoSuchBucket" not in text and "ContainerNotFound" not in text:
            raise MissingError(Failure("store", f"{self._doing}: there is none")) from None
        # Not `from error`: its text would be shown with a traceback.
        raise (RefusedError if _is_refused(name, text) else StorageError)(failure) from None


def _is_refused(name: str, text: str) -> bool:
    status = _STATUS.search(text)
    return name == "NotImplementedError" or (status is not None and int(status[1]) == HTTPStatus.NOT_IMPLEMENTED)


def _is_told(error: BaseException) -> bool:
    """Whether it is obstore's: one of its own, or one of Python's that says what it was at."""
    # A panic of the library's is none of Python's exceptions, and of no module of its own.
    if type(error).__module__.startswith(("obstore", "pyo3_runtime")):
        return True
    text = str(error)
    return (isinstance(error, (FileNotFoundError, NotImplementedError)) and "ebug source" in text) or (
        isinstance(error, ValueError) and _UNFIT in text
    )


def failure_of(name: str, text: str, doing: str) -> Failure:
    """The failure that an error of obstore is told as, by the name of its class and its text."""
    if _UNFIT in text:
        return Failure("path", f"{doing}: no key of an object is written so")
    status, code = _STATUS.search(text), _CODE.search(text)
    if code is not None and code[1] in _BY_CODE:
        kind, said = _BY_CODE[code[1]]
        return Failure(kind, f"{doing}: {said}")
    if status is not None:
        return _answered(int(status[1]), code[1] if code else None, doing)
    if name == "NotImplementedError":
        return Failure("store", f"{doing}: obstore does not do that with this store")
    if name in ("PermissionDeniedError", "UnauthenticatedError"):
        return Failure("permission", f"{doing}: the store refuses it")
    lower = text.lower()
    said = next((said for words, said in _UNANSWERED if words in lower), "the store could not be asked, or its answer makes no sense")
    return Failure("store", f"{doing}: {said}")


def _answered(number: int, code: str | None, doing: str) -> Failure:
    try:
        phrase = f" {HTTPStatus(number).phrase}"
    except ValueError:
        phrase = ""
    kind: FailureKind = "permission" if number in _DENIED else "disk_full" if number == HTTPStatus.INSUFFICIENT_STORAGE else "store"
    return Failure(kind, f"{doing}: the store answered {number}{phrase}{f' ({code})' if code else ''}")
