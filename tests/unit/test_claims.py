"""A claim and its row in the state say the same, and a mapping of rows is one of claims."""

from __future__ import annotations

import itertools

from marscore.state import Claim, Claims, FileIdentity, claim_of, key_of, row_of
from marscore.validator import Validator

SHA, MD5 = "sha256:" + "a" * 64, "md5:" + "b" * 32


def test_a_claim_is_read_back_from_its_row() -> None:
    for etag, modified, digests, durable in itertools.product((None, '"v1"'), (None, "one day"), ((SHA,), (SHA, MD5)), (True, False)):
        claim = Claim(key_of("a"), key_of("url"), FileIdentity(7, 8, 2**64 - 1), digests, Validator(etag, modified), durable)
        assert claim_of(row_of(claim)) == claim, (etag, modified, digests, durable)


def test_rows_are_claims_where_they_make_sense() -> None:
    claim = Claim(key_of("a"), key_of("url"), FileIdentity(7, 8, 9), (SHA,), Validator(), durable=True)
    rows = {claim.path_key: row_of(claim), "other": ("nonsense",)}
    claims = Claims(rows)
    assert dict(claims) == {claim.path_key: claim}
    assert len(claims) == 1
    assert "other" not in claims
    assert claims.row("other") == ("nonsense",)
    assert claims.row("a third") is None
