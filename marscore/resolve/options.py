"""`defaults` and what a download says itself become one Options value: merged by key, with nothing left open.

What holds where neither says anything stands in the classes of the values (`resolve.model`, `values`, `policy.retry`), and here for retries
by kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from marscore.manifest import AnyDefaults, Entry, PlainEntry
from marscore.policy.retry import Backoff, RetryRules
from marscore.resolve.model import Options, Unpack
from marscore.values import FAILURE_KINDS, ClientCertificate, Credentials, FailureKind, Proxies, Timeouts

if TYPE_CHECKING:
    from pydantic import BaseModel

    from marscore.manifest import Auth, Certificate, DownloadOptions, Retry
    from marscore.manifest import Proxies as ProxySettings
    from marscore.manifest import Unpack as UnpackSettings

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
#: Those of `manifest.DownloadOptions`, which is not imported where no download has options of its own.
_OPTION_NAMES = frozenset(
    {"headers", "forward_headers", "threads", "timeout", "retry", "proxies", "auth", "verify", "cert"}
    | {"min_speed", "max_size", "if_exists", "mode", "mtime", "unpack", "tags"}
)

_M = TypeVar("_M", bound="BaseModel")


class OptionsMaker:
    """Makes Options; equal ones are one object, so that a hundred thousand downloads share a few."""

    def __init__(self, defaults: AnyDefaults, private_addresses: Literal["allow", "refuse"]) -> None:
        self._defaults = defaults
        self._private_addresses = private_addresses
        self._known: dict[Options, Options] = {}
        self._without_own: Options | None = None

    def of(self, entry: Entry, headers: Mapping[str, str | None] | None, tags: tuple[str, ...] | None) -> Options:
        """The options of a download; its headers and tags come apart, since they may be templates.

        Raises:
            ValueError: the merged `auth` lacks a part.
        """
        if isinstance(entry, PlainEntry) or entry.model_fields_set.isdisjoint(_OPTION_NAMES):
            if self._without_own is None:
                self._without_own = self._made(None, None, None)
            return self._without_own
        return self._made(entry, headers, tags)

    def _made(self, entry: DownloadOptions | None, headers: Mapping[str, str | None] | None, tags: tuple[str, ...] | None) -> Options:
        merged: dict[str, Any] = {name: getattr(self._defaults, name) for name in _OPTION_NAMES}
        if entry is not None:
            merged = {name: _over(base, getattr(entry, name)) for name, base in merged.items()}
        merged["headers"] = merge_headers(self._defaults.headers or {}, headers or {})
        merged["tags"] = tags if tags is not None else self._defaults.tags
        options = Options(**_converted(merged), private_addresses=self._private_addresses)
        return self._known.setdefault(options, options)


def _over(base: Any, top: Any) -> Any:
    """The value that holds: that of `top`; mappings are merged by key, at every depth."""
    if top is None or base is None:
        return base if top is None else top
    if isinstance(top, Mapping) and isinstance(base, Mapping):
        return {**base, **top}
    from marscore.manifest.models import Certificate, Model  # noqa: PLC0415 - only where something is written twice

    if type(top) is type(base) and isinstance(top, Model) and not isinstance(top, Certificate):
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
    made: dict[str, Any] = {
        name: merged[name] for name in ("headers", "threads", "verify", "max_size", "if_exists", "mode", "mtime", "tags")
    }
    made |= {"timeouts": _set(Timeouts, merged["timeout"]), "retry": retry_rules(merged["retry"]), "auth": credentials_of(merged["auth"])}
    made["forward_headers"] = tuple(sorted({name.lower() for name in merged["forward_headers"] or ()}))
    made |= {"proxies": _proxies(merged["proxies"]), "cert": _certificate(merged["cert"]), "min_speed": merged["min_speed"] or None}
    made["unpack"] = _unpack(merged["unpack"])
    return {name: value for name, value in made.items() if value is not None}


_T = TypeVar("_T")


def _set(kind: type[_T], model: BaseModel | None) -> _T:
    """A dataclass with those fields that the model has a value for."""
    return kind(**_written(model)) if model else kind()


def _written(model: BaseModel) -> dict[str, Any]:
    return {name: getattr(model, name) for name in type(model).model_fields if getattr(model, name) is not None}


def retry_rules(retry: Retry | None) -> RetryRules:
    """What `retry` means: max_retries, where it is written, holds for every kind that is not named, and the table does otherwise.

    A wrong checksum is tried once more at most unless named, since a server that sends wrong bytes twice will send them again. A key of
    `retry` that is not named here is dropped.
    """
    if retry is None:
        return RetryRules(by_kind=tuple(_differing(RETRIES_BY_KIND, _STANDARD.max_retries)))
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


def credentials_of(auth: Auth | str | None) -> Credentials | Literal["netrc"] | None:
    """What `auth` says.

    Raises:
        ValueError: it has no username.
    """
    if auth is None or isinstance(auth, str):
        return "netrc" if auth == "netrc" else None
    if auth.username is None:
        raise ValueError("needs a username")
    return Credentials(auth.username, auth.password or "", auth.scheme or "basic")


def _proxies(proxies: ProxySettings | None) -> Proxies | None:
    if proxies is None:
        return None
    http, https = (None if url == "none" else url for url in (proxies.http, proxies.https))
    return Proxies(http, https)


def _unpack(unpack: UnpackSettings | bool | None) -> Unpack | None:
    if unpack is None or isinstance(unpack, bool):
        return None
    keep: Literal["yes", "no"] = "no" if unpack.keep is False else "yes"
    return Unpack(unpack.into, unpack.strip or 0, unpack.only or (), keep)


def _certificate(cert: Certificate | None) -> ClientCertificate | None:
    return ClientCertificate(cert.cert, cert.key, cert.password) if cert else None
