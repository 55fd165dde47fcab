"""Opens object stores by obstore: where they are and who asks, the usual environment says (AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, ...).

Destination + environment --open_store--> a store of obstore
"""

from __future__ import annotations

import importlib.util
import os
import re
import threading
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from marscore.destination import Destination
from marscore.errors import StorageError
from marscore.extras import installing
from marscore.policy.retry import Patience, RetryRules
from marscore.url import parse_url
from marscore.values import Failure

#: Seconds that one request may take that sends a file or a part: of some ten at once each gets a tenth of what the line carries, so that
#: 5 MiB take this long at 1.4 Mbit/s. Nothing else bounds them: what obstore calls a read timeout would end while a body is being sent.
_SENDING = 300.0
#: The same of one that asks or sends little, at least.
_ASKING = 60.0
#: obstore's own bound of all tries of one request, in seconds: what was signed is not sent later.
_LONGEST = 180.0
#: Where an endpoint of S3 may be named; the first that is set holds.
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
#: What no header and no URL may hold.
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
#: Variables whose values are secrets, and never shown.
SECRET_VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SSE_CUSTOMER_KEY_BASE64",
    "GOOGLE_SERVICE_ACCOUNT_KEY",
    "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_STORAGE_ACCESS_KEY",
    "AZURE_STORAGE_SAS_KEY",
    "AZURE_STORAGE_SAS_TOKEN",
    "AZURE_STORAGE_TOKEN",
    "AZURE_STORAGE_CLIENT_SECRET",
    "AZURE_CLIENT_SECRET",
)


class _Memory:
    """The stores of memory://, by bucket, for as long as this process lives."""

    stores: dict[str, Any] = {}  # noqa: RUF012 - of the process, and no default of an instance
    lock = threading.Lock()


def open_store(where: Destination, patience: Patience, sends: bool = False, environment: Mapping[str, str] = os.environ) -> Any:
    """The store of a destination; its keys are whole, without the prefix. `sends` is for requests that have a long body.

    Raises:
        StorageError: obstore is not installed, or what the environment says of the store makes no sense.
    """
    try:
        from obstore import store as stores  # noqa: PLC0415 - an extra, for those who write to a store
    except ImportError as error:
        raise StorageError(Failure("store", f"object stores need obstore: {installing('stores')}")) from error
    if where.scheme == "memory":
        with _Memory.lock:
            return _Memory.stores.setdefault(where.bucket, stores.MemoryStore())
    _check(environment)
    told = {"client_options": _client(patience, sends, environment), "retry_config": _retries(patience.retry)}
    try:
        if where.scheme == "s3":
            return stores.S3Store(where.bucket, config=_s3(environment), **told)
        return stores.GCSStore(where.bucket, **told) if where.scheme == "gs" else stores.AzureStore(where.bucket, **told)
    except Exception:  # noqa: BLE001 - of many kinds, and what it says may repeat the value of a variable
        raise StorageError(Failure("store", "cannot open the object store: a variable of the environment makes no sense to it")) from None


def _check(environment: Mapping[str, str]) -> None:
    """Refuse values that obstore ends the thread over (a Rust panic), by the names of their variables."""
    for name, value in environment.items():
        if not name.startswith(("AWS_", "AZURE_", "GOOGLE_")):
            continue
        if _CONTROL.search(value):
            raise StorageError(Failure("store", f"{name} has a line end or another control character in it"))
        if value and (name in _ENDPOINTS or name == "AZURE_STORAGE_ENDPOINT"):
            try:
                parse_url(value)
            except ValueError:
                raise StorageError(Failure("store", f"{name} is no URL that begins with http:// or https://")) from None


def is_installed() -> bool:
    """Whether what asks stores is here."""
    return importlib.util.find_spec("obstore") is not None


def named_by(where: Destination, environment: Mapping[str, str] = os.environ) -> str:
    """What tells a destination from others of the same name: the endpoint or the account that the environment names."""
    names = {"s3": _ENDPOINTS, "az": ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ENDPOINT")}.get(where.scheme, ())
    return next((environment[name] for name in names if environment.get(name)), "")


def _s3(environment: Mapping[str, str]) -> Any:
    """The store proves each part by a SHA-256 that goes along, unless the variable of AWS's own programs asks for none."""
    is_unwanted = environment.get("AWS_REQUEST_CHECKSUM_CALCULATION", "").lower() == "when_required"
    return {} if is_unwanted or environment.get("AWS_CHECKSUM_ALGORITHM") else {"checksum_algorithm": "sha256"}


def _client(patience: Patience, sends: bool, environment: Mapping[str, str]) -> Any:
    timeouts = patience.timeouts
    options: dict[str, Any] = {
        "timeout": timedelta(seconds=_SENDING if sends else max(_ASKING, timeouts.read)),
        "connect_timeout": timedelta(seconds=timeouts.connect),
    }
    if not sends:
        options["read_timeout"] = timedelta(seconds=timeouts.read)
    if any(_is_plain(environment.get(name)) for name in (*_ENDPOINTS, "AZURE_STORAGE_ENDPOINT")):
        # Who names an endpoint of http has said so, as to AWS's own programs.
        options["allow_http"] = True
    if bundle := environment.get("AWS_CA_BUNDLE"):
        try:
            options["root_certificate"] = Path(bundle).read_bytes()
        except OSError as error:
            raise StorageError(Failure("store", f"AWS_CA_BUNDLE cannot be read: {error.strerror or error}")) from error
    return options


def _is_plain(endpoint: str | None) -> bool:
    return endpoint is not None and endpoint.lower().startswith("http://")


def _retries(rules: RetryRules) -> Any:
    backoff = rules.backoff
    return {
        "max_retries": rules.max_retries,
        "retry_timeout": timedelta(seconds=_LONGEST),
        "backoff": {
            "init_backoff": timedelta(seconds=min(backoff.initial, backoff.max)),
            "max_backoff": timedelta(seconds=min(backoff.max, _LONGEST)),
            "base": max(1.0, backoff.factor),
        },
    }
