"""What the environment says of a store, where that makes no sense."""

from __future__ import annotations

import pytest

from marscore.adapters.stores.opened import open_store
from marscore.destination import Destination
from marscore.errors import StorageError
from marscore.policy.retry import Patience


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE\n", "control character"),
        ("AWS_SESSION_TOKEN", "to\tken", "control character"),
        ("AZURE_STORAGE_ACCOUNT_KEY", "key\r", "control character"),
        ("AWS_ENDPOINT_URL", "127.0.0.1:9000", "is no URL"),
        ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1 :9000", "is no URL"),
        ("AWS_ENDPOINT_URL", "ht!tp://x", "is no URL"),
        ("AZURE_STORAGE_ENDPOINT", "x", "is no URL"),
    ],
)
def test_a_value_that_ends_the_library_is_refused_by_its_variable_and_not_shown(name: str, value: str, told: str) -> None:
    with pytest.raises(StorageError) as caught:
        open_store(Destination("s3", "bucket"), Patience(), environment={"AWS_REGION": "us-east-1", name: value})
    assert caught.value.failure.message.startswith(f"{name} ")
    assert told in caught.value.failure.message
    assert value.strip() not in caught.value.failure.message
