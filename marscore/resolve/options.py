"""`defaults` and what a download says itself become one Options value: merged by key, with nothing left open.

What holds where neither says anything stands here and in `policy.retry`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel

from marscore.manifest import Auth, Certificate, Defaults, DownloadEntry, DownloadOptions, Entry, Retry, Security
from marscore.manifest import Proxies as ProxySettings
from marscore.policy.retry import Backoff, RetryRules
from marscore.resolve.model import Options
from marscore.values import FAILURE_KINDS, Basic, ClientCertificate, FailureKind, Proxies, Timeouts

#: Retries by kind where the user set no max_retries: what passes by itself is waited for, what does not is not asked again and again.
RETRIES_BY_KIND: dict[FailureKind, int] = {
    "rate_limited": 20,
    "server_error": 5,
    "timeout": 5,
    "connection": 5,
    "dns": 2,
    "truncated": 5,
    "checksum": 1,
}
_STANDARD = RetryRules()
_OPTION_NAMES = frozenset(DownloadOptions.model_fields)

_M = TypeVar("_M", bound=BaseModel)


class OptionsMaker:
    """Makes Options; equal ones are one object, so that a hundred thousand downloads share a few."""

    def __init__(self, defaults: Defaults, security: Security) -> None:
        self._defaults = defaults
        self._security = security
        self._known: dict[Options, Options] = {}
        self._without_own: Options | None = None

    def of(self, entry: Entry, headers: Mapping[str, str | None] | None, tags: tuple[str, ...] | None) -> Options:
        """The options of a download; its headers and tags come apart, since they may be templates.

        Raises:
            ValueError: the merged `auth` lacks a part.
        """
        if not isinstance(entry, DownloadEntry) or entry.model_fields_set.isdisjoint(_OPTION_NAMES):
            if self._without_own is None:
                self._without_own = self._made(DownloadOptions(), None, None)
            return self._without_own
        return self._made(entry, headers, tags)

    def _made(self, entry: DownloadOptions, headers: Mapping[str, str | None] | None, tags: tuple[str, ...] | None) -> Options:
        merged: dict[str, Any] = {name: _over(getattr(self._defaults, name), getattr(entry, name)) for name in _OPTION_NAMES}
        merged["headers"] = merge_headers(self._defaults.headers or {}, headers or {})
        merged["tags"] = tags if tags is not None else self._defaults.tags
        options = Options(**_converted(merged), private_addresses=self._security.private_addresses)
        return self._known.setdefault(options, options)


def _over(base: Any, top: Any) -> Any:
    """The value that holds: that of `top`; mappings are merged by key, at every depth."""
    if top is None or base is None:
        return base if top is None else top
    if isinstance(top, Mapping) and isinstance(base, Mapping):
        return {**base, **top}
    if type(top) is type(base) and isinstance(top, BaseModel) and not isinstance(top, Certificate):
        return _merge_models(base, top)
    return top


def _merge_models(base: _M, top: _M) -> _M:
    names = type(top).model_fields
    return type(top).model_construct(**{name: _over(getattr(base, name), getattr(top, name)) for name in names})


def merge_headers(base: Mapping[str, str | None], top: Mapping[str, str | None]) -> tuple[tuple[str, str], ...]:
    """Merge header fields by name, whatever its case; None removes one."""
    merged = {name.lower(): (name, value) for name, value in base.items()}
    merged |= {name.lower(): (name, value) for name, value in top.items()}
    return tuple((name, value) for name, value in merged.values() if value is not None)


def _converted(merged: Mapping[str, Any]) -> dict[str, Any]:
    """Options' own types; what is None is left to its defaults."""
    made: dict[str, Any] = {name: merged[name] for name in ("headers", "threads", "verify", "max_size", "if_exists", "tags")}
    made |= {"timeouts": _set(Timeouts, merged["timeout"]), "retry": retry_rules(merged["retry"] or Retry()), "auth": _auth(merged["auth"])}
    made["forward_headers"] = tuple(sorted({name.lower() for name in merged["forward_headers"] or ()}))
    made |= {"proxies": _proxies(merged["proxies"]), "cert": _certificate(merged["cert"]), "min_speed": merged["min_speed"] or None}
    return {name: value for name, value in made.items() if value is not None}


_T = TypeVar("_T")


def _set(kind: type[_T], model: BaseModel | None) -> _T:
    """A dataclass with those fields that the model has a value for."""
    return kind(**_written(model)) if model else kind()


def _written(model: BaseModel) -> dict[str, Any]:
    return {name: getattr(model, name) for name in type(model).model_fields if getattr(model, name) is not None}


def retry_rules(retry: Retry) -> RetryRules:
    """What `retry` means: max_retries, where it is written, holds for every kind that is not named, and the table does otherwise.

    A wrong checksum is tried once more at most unless named, since a server that sends wrong bytes twice will send them again.
    """
    limit = _STANDARD.max_retries if retry.max_retries is None else retry.max_retries
    by_kind = RETRIES_BY_KIND if retry.max_retries is None else {"checksum": min(1, limit)}
    return RetryRules(
        max_retries=limit,
        by_kind=tuple(_differing({**by_kind, **(retry.max_retries_by or {})}, limit)),
        statuses=_STANDARD.statuses if retry.statuses is None else frozenset(retry.statuses),
        backoff=_set(Backoff, retry.backoff),
        max_retry_after=_STANDARD.max_retry_after if retry.max_retry_after is None else retry.max_retry_after,
    )


def _differing(by_kind: Mapping[Any, int], limit: int) -> Iterable[tuple[FailureKind, int]]:
    return ((kind, by_kind[kind]) for kind in FAILURE_KINDS if by_kind.get(kind, limit) != limit)


def _auth(auth: Auth | str | None) -> Basic | str | None:
    if not isinstance(auth, Auth):
        return None if auth == "none" else auth
    if auth.username is None or auth.password is None:
        raise ValueError("needs both a username and a password")
    return Basic(auth.username, auth.password)


def _proxies(proxies: ProxySettings | None) -> Proxies | None:
    if proxies is None:
        return None
    http, https = (None if url == "none" else url for url in (proxies.http, proxies.https))
    return Proxies(http, https)


def _certificate(cert: Certificate | None) -> ClientCertificate | None:
    return ClientCertificate(cert.cert, cert.key) if cert else None
