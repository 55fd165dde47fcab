"""The page about kinds of failure: what each is, whether it is tried again, and what to do."""

from __future__ import annotations

from marscore.policy.failures import is_retryable
from marscore.policy.remedies import remedy
from marscore.policy.retry import DEFAULT_STATUSES
from marscore.values import FAILURE_KINDS, Failure, FailureKind

#: What has happened, in a few words.
_IS: dict[FailureKind, str] = {
    "http_status": "the server answered with a status that is an error of the request (4xx)",
    "rate_limited": "429: the server is asked too much",
    "server_error": "a status of 500 and above",
    "timeout": "no connection, or no bytes, within the time that was given",
    "connection": "the connection could not be made, or broke",
    "dns": "the host's name does not resolve",
    "tls": "the certificate, or the handshake, is not right",
    "proxy": "the proxy could not be reached, or refused",
    "truncated": "the body ended before it was whole",
    "range_mismatch": "an answer to a range has another start, end, total or coding than was asked for",
    "changed": "the file changed on the server while it was fetched",
    "too_slow": "fewer than `min_speed` bytes a second for 30 s",
    "checksum": "the bytes are not those that manifest, lock, list or the answer itself named",
    "size": "the size is not that of the manifest or the lock",
    "too_large": "more than `max_size`, or than an archive may hold",
    "redirect": "a redirect that is not followed",
    "disk_full": "no room on the disk, or in the quota",
    "permission": "the folder or the file may not be written",
    "path": "something else is where the file belongs",
    "archive": "the archive cannot be unpacked",
    "resources": "no memory, threads or open files are left",
    "store": "the object store that the files go to refuses, or cannot be reached",
    "row": "the row of a list (`from`) is bad, and `on_bad_row` is `skip`",
    "offline": "`--offline`, and the file is neither in place nor cached",
    "interrupted": "the run was told to end",
    "internal": "a defect of marscore",
}
_STATUSES = (400, 401, 403, 404, 407, 410, 416, 429, 451, 500, 502, 503, 504)
_INTRODUCTION = """# Kinds of failure

Retry rules, log, report and summary use the same words. How often a failure is tried again, and after how long, `retry` in
[the manifest](manifest.md#retry) says.

| kind | what happened | tried again | what to do |
|---|---|---|---|
"""


def page() -> str:
    """The page's text, in Markdown."""
    rows = "".join(f"| `{kind}` | {_IS[kind]} | {_again(kind)} | {remedy(kind)} |\n" for kind in FAILURE_KINDS)
    statuses = "".join(f"| {status} | {remedy(_kind_of(status), status)} |\n" for status in _STATUSES)
    return f"{_INTRODUCTION}{rows}\n## Statuses\n\n| status | what to do |\n|--:|---|\n{statuses}"


def _kind_of(status: int) -> FailureKind:
    return "server_error" if status >= 500 else "rate_limited" if status == 429 else "http_status"


def _again(kind: FailureKind) -> str:
    status = {"http_status": 404, "rate_limited": 429, "server_error": 503}.get(kind)
    return "yes" if is_retryable(Failure(kind, "", status), DEFAULT_STATUSES) else "no"
