"""Forgets what a server repeats of our secrets.

A server may put a header that it was sent into an ETag, and validators are kept: in journals, the state database, log and report. So a
validator with a secret in it is treated as if it had not been sent, and so is the Date that a journal holds beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from marscore.policy.redact import Redactor
from marscore.policy.secret_text import any_in
from marscore.ports import Answer, Request
from marscore.public import token_values


def clean(redactor: Redactor, request: Request, answer: Answer) -> Answer:
    """The answer without the validators that tell a secret; itself where there are none."""
    kept = _kept(redactor, request, answer.fields)
    return answer if kept is None else replace(answer, fields=kept)


def _kept(redactor: Redactor, request: Request, fields: Mapping[str, str]) -> Mapping[str, str] | None:
    validators = [(name, fields[name]) for name in ("etag", "last-modified", "date") if name in fields]
    query = request.url.target.partition("?")[2]
    if not redactor.secrets and not query:
        return None
    tokens = token_values(query)
    telling = {name for name, value in validators if redactor.text(value) != value or any_in(tokens, value)}
    return {name: value for name, value in fields.items() if name not in telling} if telling else None
