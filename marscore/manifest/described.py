"""What each option is, in words, and examples of it: for editors, by the schema, and for whoever wrote a wrong one."""

from __future__ import annotations

import ast
import inspect
import itertools
from functools import cache
from typing import Any

from marscore.manifest import models

#: Class of the model -> field -> values that are right.
EXAMPLES: dict[str, dict[str, list[Any]]] = {
    "Manifest": {
        "version": [1],
        "name": ["nightly-artifacts"],
        "output_dir": ["data", "${HOME}/downloads"],
        "public": [["REGION"], "REGION"],
        "execution": [{"threads": 16, "max_rate": "50MiB"}],
        "cache": [{"max_size": "50GiB"}, {"dir": "cache"}],
        "mirrors": [{"https://files.example.org/": ["https://mirror.example.com/files/", "https://files.example.org/"]}],
        "security": [{"private_addresses": "refuse"}],
        "on_success": [["./publish.sh", "data"]],
        "on_failure": [["./alert.sh"]],
        "defaults": [{"timeout": "30s", "retry": {"max_retries": 5}}],
        "downloads": [["https://example.com/a.zip", {"url": "https://example.com/b.zip", "path": "zips/b.zip"}]],
    },
    "Execution": {
        "processes": ["auto", 4],
        "threads": [8, 32],
        "per_host": [16],
        "max_rate": ["50MiB"],
        "buffer_size": ["10MiB"],
        "chunk_size": ["1MiB"],
        "deadline": ["2h"],
        "lane": ["auto", "requests"],
        "http": ["auto", "1.1"],
        "fail_fast": ["never", "first_failure"],
    },
    "Security": {"private_addresses": ["refuse"]},
    "Cache": {"dir": ["/var/cache/marscore"], "link": ["auto"], "match": ["url"], "max_size": ["50GiB"]},
    "DownloadOptions": {
        "headers": [{"User-Agent": "ci/1.0"}, {"Authorization": "Bearer ${API_TOKEN}"}],
        "forward_headers": [["X-Request-Id"]],
        "threads": [4, 1],
        "timeout": ["30s", {"connect": "10s", "read": "30s", "total": "1h"}],
        "retry": [{"max_retries": 5}, {"max_retries_by": {"rate_limited": 20}}],
        "proxies": ["http://proxy.example.com:8080", "none", {"https": "http://proxy.example.com:8080"}],
        "auth": [{"username": "ci", "password": "${PASSWORD}"}, "netrc"],
        "verify": [True, False, "certs/ca.pem"],
        "cert": ["certs/client.pem", {"cert": "certs/client.pem", "key": "certs/client.key"}],
        "min_speed": ["10KiB"],
        "max_size": ["4GiB"],
        "if_exists": ["keep", "refresh", "replace", "fail"],
        "mode": ["0755"],
        "mtime": ["server", "now"],
        "unpack": [True, {"into": "tools", "strip": 1}],
        "tags": [["ci", "nightly"]],
    },
    "Defaults": {"checksum": [{"from": "{url}.sha256"}]},
    "DownloadEntry": {
        "url": ["https://example.com/file.zip"],
        "path": ["zips/file.zip"],
        "mirrors": [["https://mirror.example.org/file.zip"]],
        "checksum": ["sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", {"from": "https://example.com/SHA256SUMS"}],
        "size": [1048576, "1.5GiB"],
        "each": [{"i": {"from": 0, "to": 99}}, {"arch": ["x86_64", "aarch64"]}],
    },
    "ListEntry": {
        "from": ["files.csv", "https://example.com/files.jsonl.gz", "s3://bucket/files.parquet"],
        "url": ["url", "https://example.com/{id}.bin"],
        "path": ["{key:2}/{key}", "images/{id}.jpg"],
        "mirrors": [["mirror"]],
        "checksum": ["checksum", "sha256:{digest}"],
        "size": ["bytes"],
        "on_bad_row": ["skip"],
    },
    "Timeout": {"connect": ["10s"], "read": ["30s"], "total": ["1h"]},
    "Retry": {
        "max_retries": [5, 0],
        "max_retries_by": [{"rate_limited": 20, "server_error": 5}],
        "statuses": [[429, 500, 502, 503, 504]],
        "backoff": [{"initial": "1s", "max": "60s"}],
        "max_retry_after": ["5m"],
    },
    "Backoff": {"initial": ["500ms"], "factor": [2], "max": ["60s"], "jitter": ["full", "none"]},
    "Proxies": {"http": ["http://proxy.example.com:8080", "none"], "https": ["http://proxy.example.com:8080", "none"]},
    "Auth": {"username": ["ci"], "password": ["${PASSWORD}"], "scheme": ["basic", "digest"]},
    "Certificate": {"cert": ["certs/client.pem"], "key": ["certs/client.key"], "password": ["${KEY_PASSWORD}"]},
    "Unpack": {"into": ["tools"], "strip": [1], "only": [["bin/*"]], "keep": [False]},
    "Range": {"from": [0], "to": [99]},
    "RowSource": {
        "url": ["files.csv", "https://example.com/files.jsonl.gz"],
        "checksum": ["sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
        "headers": [{"Authorization": "Bearer ${LIST_TOKEN}"}],
        "auth": ["netrc"],
        "max_size": ["20GiB"],
    },
    "ListSource": {
        "url": ["https://example.com/SHA256SUMS", "{url}.sha256"],
        "mirrors": [["https://mirror.example.org/SHA256SUMS"]],
        "checksum": ["sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    },
    "PublishedChecksum": {"from": ["https://example.com/SHA256SUMS", "{url}.sha256"], "algorithm": ["sha256"], "name": ["file.zip"]},
}


#: What holds where an option is not written: class of the model -> field -> value. Those of `Execution` and others stand in the models.
DEFAULTS: dict[str, dict[str, Any]] = {
    "DownloadOptions": {
        "threads": 4, "timeout": "30s", "auth": "none", "verify": True, "if_exists": "keep", "mtime": "server", "unpack": False,
        "forward_headers": [],
    },
    "Timeout": {"connect": "30s", "read": "30s"},
    "Retry": {"max_retries": 3, "max_retry_after": "5m"},
    "Backoff": {"initial": "500ms", "factor": 2, "max": "60s", "jitter": "full"},
    "Auth": {"password": "", "scheme": "basic"},
    "Unpack": {"strip": 0, "keep": True},
}  # fmt: skip


def default_of(model: str, field: str) -> Any:
    """What holds where a field is not written; None where nothing does."""
    return (
        DEFAULTS["DownloadOptions" if model in ("Defaults", "DownloadEntry", "ListEntry") else model].get(field)
        if model in _DEFAULTED
        else None
    )


_DEFAULTED = {*DEFAULTS, "Defaults", "DownloadEntry", "ListEntry"}


def example_of(model: str, field: str) -> list[Any]:
    """Right values of a field; those of the options hold for downloads and defaults alike."""
    own = EXAMPLES.get(model, {}).get(field)
    return (
        own
        if own is not None
        else EXAMPLES["DownloadOptions"].get(field, [])
        if model in ("Defaults", "DownloadEntry", "ListEntry")
        else []
    )


@cache
def descriptions() -> dict[str, dict[str, str]]:
    """What stands below each field in the source of the models: class -> field -> text, inherited ones included."""
    found: dict[str, dict[str, str]] = {}
    for node in ast.parse(inspect.getsource(models)).body:
        if isinstance(node, ast.ClassDef):
            bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
            inherited = {name: text for base in bases for name, text in found.get(base, {}).items()}
            found[node.name] = {**inherited, **_texts_in(node)}
    return found


def description_of(model: str, field: str) -> str | None:
    """What a field is; None where the source is not at hand."""
    try:
        return descriptions().get(model, {}).get(field)
    except OSError:
        return None


def _texts_in(node: ast.ClassDef) -> dict[str, str]:
    texts = {}
    for field, below in itertools.pairwise(node.body):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                texts[name.rstrip("_")] = inspect.cleandoc(text)
    return texts
