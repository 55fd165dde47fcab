"""A URL as typed keeps its text, byte for byte, but for literal secrets."""

from __future__ import annotations

import pytest

from marscore.public import public_as_typed


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("http://a/b?x=%7e&y", "http://a/b?x=%7e&y"),
        ("http://u:p@a/b?x=1&token=abc#f", "http://a/b?x=1&token=***#f"),
        ("http://u@a/", "http://a/"),
        ("http://a@b@c/", "http://c/"),
        ("${BASE:-http://h/x?y}/b?X-Amz-Signature=${SIG:-de&f}&k=%7e", "${BASE:-http://h/x?y}/b?X-Amz-Signature=${SIG}&k=%7e"),
        ("http://${U}:${P:-x}@h/${V}?sig=a${B}c&q=${D:-1}", "http://${U}:${P}@h/${V}?sig=***&q=${D:-1}"),
        ("http://u${X}:p@${H}/q?a=1", "http://${H}/q?a=1"),
        ("http://a/?token=", "http://a/?token="),
        ("http://a/?%74oken=b", "http://a/?%74oken=***"),
        ("http://a/?key=${A}${B:-2}", "http://a/?key=${A}${B}"),
        ("http://a/?x=$$5&sig=$$5", "http://a/?x=$$5&sig=***"),
    ],
)
def test_what_is_secret_in_it_is_masked(typed: str, shown: str) -> None:
    assert public_as_typed(typed) == shown
