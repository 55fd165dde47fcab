"""What an answer shows of a file on the server, where it was asked about it and nothing is fetched.

    Answer, verdict --asked_again--> the next question, if this answer settles nothing
                    --seen_in--> DownloadAsked | Failure

A HEAD is asked first, since its answer has no body. Servers that refuse it are asked by a GET, whose body is dropped.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from marscore.events import DownloadAsked
from marscore.execute.transfer.answer import NotModified, Refused, Verdict, Version, Whole
from marscore.policy.failures import BUSY
from marscore.ports import Answer, Method
from marscore.state import Claim
from marscore.values import Failure

#: The file is not there any more.
GONE = frozenset({404, 410})
_ITSELF: Literal["url"] = "url"
_TARGET: Literal["target"] = "target"


class Question(NamedTuple):
    """How to ask next, and whether under the condition that the file is another one than is known."""

    method: Method
    conditional: bool


def asked_again(verdict: Verdict, method: Method, claim: Claim | None) -> Question | None:
    """The next question, where an answer to this one settles nothing; None where it does. `claim` is what was asked about."""
    match verdict:
        case Refused(failure):
            refused = failure.status is not None and failure.status >= 400 and failure.status not in BUSY
            return Question("GET", True) if method == "HEAD" and refused else None
        case NotModified(validator, elsewhere) if claim is not None and (elsewhere or claim.validator.excludes(validator)):
            # It speaks of another resource, or of another version than the one that was asked about.
            return Question(method, False)
        case Whole(version) if method == "HEAD" and claim is not None and _contradicts_itself(version, claim):
            # Some servers tell another length where they need not send so much.
            return Question("GET", True)
        case _:
            return None


def _contradicts_itself(version: Version, claim: Claim) -> bool:
    size = claim.identity.size
    return version.size is not None and 0 <= size != version.size and not claim.validator.excludes(version.validator)


def seen_in(answer: Answer, verdict: Verdict, claim: Claim | None) -> DownloadAsked | Failure:
    """What an answer shows; whose download and when, its caller knows. A refusal is a failure, but where it says that the file is gone.

    `claim` is what was asked about: a 304 to no condition says nothing.
    """
    url, by = answer.url.text, _TARGET if answer.hops else _ITSELF
    match verdict:
        case Whole(version):
            validator = version.validator
            digests = tuple(str(each.checksum) for each in version.announced)
            shown = version.size, validator.etag, validator.last_modified, digests
            return DownloadAsked(0.0, "", url, answer.status, "shown", *shown, by, version.encoding)
        case NotModified(validator, elsewhere) if claim is not None and claim.validator.conditions and not elsewhere:
            return DownloadAsked(0.0, "", url, 304, "current", None, validator.etag, validator.last_modified)
        case Refused(failure) if failure.status in GONE:
            return DownloadAsked(0.0, "", url, answer.status, "shown", by=by)
        case Refused(failure):
            return failure
        case _:
            return Failure("http_status", f"the server answered {answer.status} to a question for the whole file", answer.status)
