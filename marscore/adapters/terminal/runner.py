"""Text from strangers on a stream that a CI's runner reads for commands to itself: none of it is one.

GitHub's runner obeys `::command::` at the beginning of a line, behind spaces too, and the older `##[command]` anywhere in one; Azure's
`##vso[command]` likewise. A server's ETag could so end a job's masking of secrets, or forge its annotations.
"""

from __future__ import annotations

import os
import re

_ANYWHERE = re.compile(r"#(?=#(?:vso)?\[)", re.IGNORECASE)
_FIRST = re.compile(r"^(\s*):(?=:)", re.MULTILINE)


def is_read_by_a_runner() -> bool:
    """Whether what this process writes is read for commands."""
    return os.environ.get("GITHUB_ACTIONS") == "true" or os.environ.get("TF_BUILD", "").lower() == "true"


def disarmed(text: str) -> str:
    r"""Lines without a command, if there is a runner to obey it: one `#` or `:` of it is written as JSON writes it, as `\u0023`.

    To who reads JSON, the text is the same.
    """
    # Asked first: a text may be the lines of a thousand downloads.
    if not is_read_by_a_runner() or ("##" not in text and "::" not in text):
        return text
    return _FIRST.sub(r"\1\\u003a", _ANYWHERE.sub(r"\\u0023", text))
