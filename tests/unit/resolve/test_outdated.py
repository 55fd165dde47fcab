"""How a file stands: what is known of it against what its server shows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from marscore.events import DownloadAsked
from marscore.resolve.outdated import Known, standing_of
from marscore.validator import Validator
from marscore.values import Checksum

DATE, LATER = (f"Mon, 01 Jan 2024 00:00:0{n} GMT" for n in range(2))
SHA, OTHER = "a" * 64, "b" * 64
KNOWN = Known("lock", Validator('"v1"', DATE), 100, (Checksum("sha256", SHA),))
SEEN = DownloadAsked(0.0, "downloads[0]", "https://a/f", 200, said="shown")


@pytest.mark.parametrize(
    ("known", "shown", "status", "why"),
    [
        (KNOWN, {"status": 304, "said": "current"}, "current", "the server says so"),
        (KNOWN, {"status": 404}, "gone", "404"),
        (KNOWN, {"etag": '"v1"'}, "current", "ETag is the same"),
        (KNOWN, {"etag": 'W/"v1"'}, "current", "ETag is the same"),
        (KNOWN, {"etag": '"v2"'}, "changed", 'ETag was "v1" and is "v2"'),
        (KNOWN, {"etag": '"v2"', "last_modified": DATE}, "changed", "ETag"),
        (KNOWN, {"last_modified": DATE}, "current", "Last-Modified is the same"),
        (KNOWN, {"last_modified": LATER}, "changed", "Last-Modified was"),
        (KNOWN, {"etag": '"v1"', "size": 101}, "changed", "size was 100 and is 101"),
        (KNOWN, {"etag": '"v1"', "size": 101, "encoding": "gzip"}, "current", "ETag"),
        (KNOWN, {"size": 100}, "unknown", "nothing"),
        (KNOWN, {"etag": "not one", "size": 100}, "unknown", "nothing"),
        (KNOWN, {"etag": '"v1"', "by": "target", "size": 100}, "unknown", "nothing"),
        (KNOWN, {"etag": '"v2"', "by": "target", "size": 9}, "changed", "size"),
        (KNOWN, {"etag": '"v2"', "digests": (f"sha256:{SHA}",)}, "current", "sha256 is the same"),
        (KNOWN, {"etag": '"v1"', "digests": (f"sha256:{OTHER}",)}, "changed", f"sha256 was {SHA} and is {OTHER}"),
        (KNOWN, {"digests": ("md5:" + "0" * 32,), "etag": '"v1"'}, "current", "ETag"),
        (replace(KNOWN, size=None), {"size": 7}, "unknown", "nothing"),
        (replace(KNOWN, validator=Validator()), {"etag": '"v1"', "last_modified": DATE, "size": 100}, "unknown", "nothing"),
        (KNOWN, {}, "unknown", "nothing"),
    ],
)
def test_standing(known: Known, shown: dict[str, object], status: str, why: str) -> None:
    found = standing_of(known, replace(SEEN, **shown))  # type: ignore[arg-type]
    assert found.status == status
    assert why in found.reason
