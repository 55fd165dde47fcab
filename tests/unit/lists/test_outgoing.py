"""What an export says that it loses."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from marscore.lists.outgoing import differing
from marscore.policy.retry import RetryRules
from marscore.resolve.model import Options, Unpack
from marscore.resolve.options import retry_rules
from marscore.values import ClientCertificate, Proxies, Timeouts

STANDARD = Options(retry=retry_rules(None))
#: Another value for each option, and what the manifest calls it; None for those that change nothing about the file.
OTHERS: dict[str, tuple[Any, str | None]] = {
    "headers": ((("Accept", "text/plain"),), "headers"),
    "threads": (9, None),
    "timeouts": (Timeouts(connect=1.0), "timeout"),
    "retry": (RetryRules(max_retries=0), "retry"),
    "proxies": (Proxies(), "proxies"),
    "auth": ("netrc", "auth"),
    "verify": (False, "verify"),
    "cert": (ClientCertificate("a.pem"), "cert"),
    "min_speed": (1, "min_speed"),
    "max_size": (1, "max_size"),
    "if_exists": ("replace", "if_exists"),
    "mode": (0o755, "mode"),
    "mtime": ("now", "mtime"),
    "unpack": (Unpack(), "unpack"),
    "tags": (("a",), None),
    "forward_headers": (("x-a",), "forward_headers"),
    "private_addresses": ("refuse", "security.private_addresses"),
    "chosen": (frozenset({"https://example.com:443"}), None),
}


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Options)])
def test_no_option_is_forgotten(name: str) -> None:
    assert list(differing(STANDARD)) == []
    value, written = OTHERS[name]
    assert list(differing(dataclasses.replace(STANDARD, **{name: value}))) == ([] if written is None else [written])
