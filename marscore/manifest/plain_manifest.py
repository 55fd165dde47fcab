"""A manifest in which every download is plain (`plain`) and the rest is single values: read here, without a model.

Most manifests are of this kind, and pydantic with the models takes 60 ms of a start of 200 to be imported. The rules are those of
`field_types` and `models`, which a test holds together with these; what breaks one, and whatever else is unusual, is left to the models,
which say what.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

from marscore.frozen import dataclass
from marscore.manifest.fields import (
    MAX_DURATION,
    MAX_SIZE,
    read_duration,
    read_processes,
    read_size,
    read_text,
    read_verify,
    read_version,
    read_whole,
    read_word,
)
from marscore.manifest.plain import PlainEntry
from marscore.values import HttpVersion

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class PlainExecution:
    """What `models.Execution` is to its readers."""

    processes: int | Literal["auto"] = "auto"
    threads: int = 8
    per_host: int = 16
    max_rate: int | None = None
    buffer_size: int = 10 * _MIB
    chunk_size: int = _MIB
    deadline: float | None = None
    lane: Literal["auto", "requests"] = "auto"
    http: HttpVersion = "auto"
    fail_fast: Literal["never", "first_failure"] = "never"


@dataclass(frozen=True, slots=True)
class PlainDefaults:
    """What `models.Defaults` is to its readers, where only these options are written."""

    threads: int | None = None
    verify: bool | str | None = None
    min_speed: int | None = None
    max_size: int | None = None
    if_exists: Literal["keep", "refresh", "replace", "fail"] | None = None

    headers: ClassVar[None] = None
    forward_headers: ClassVar[None] = None
    timeout: ClassVar[None] = None
    retry: ClassVar[None] = None
    proxies: ClassVar[None] = None
    auth: ClassVar[None] = None
    cert: ClassVar[None] = None
    tags: ClassVar[None] = None


@dataclass(frozen=True, slots=True)
class PlainSecurity:
    """What `models.Security` is to its readers, where nothing is written."""

    private_addresses: Literal["allow", "refuse"] = "allow"


@dataclass(frozen=True, slots=True)
class PlainManifest:
    """What `models.Manifest` is to its readers."""

    downloads: tuple[PlainEntry, ...]
    name: str | None = None
    output_dir: str = "output"
    execution: PlainExecution = PlainExecution()
    defaults: PlainDefaults = PlainDefaults()

    public: ClassVar[tuple[str, ...]] = ()
    cache: ClassVar[None] = None
    mirrors: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    security: ClassVar[PlainSecurity] = PlainSecurity()


def plain_manifest(data: Mapping[str, Any]) -> PlainManifest | None:
    """Read a manifest, plain downloads in it being read already; None where it takes the models to read it, or to say what is wrong."""
    try:
        return _manifest(data)
    except ValueError:
        return None


def _manifest(data: Mapping[str, Any]) -> PlainManifest:
    values = _read(data, _MANIFEST)
    if not {"version", "downloads"} <= values.keys():
        raise ValueError
    del values["version"]
    return PlainManifest(**values)


def _read(written: object, readers: Mapping[str, Callable[[Any], Any]]) -> dict[str, Any]:
    if type(written) is not dict or not written.keys() <= readers.keys():
        raise ValueError
    return {name: readers[name](value) for name, value in written.items()}


def _execution(written: object) -> PlainExecution:
    values = _read(written, _EXECUTION)
    execution = PlainExecution(**values)
    if execution.lane == "requests" and execution.http in ("2", "3"):
        raise ValueError
    if execution.chunk_size <= execution.buffer_size:
        return execution
    if "chunk_size" in values:
        raise ValueError
    return PlainExecution(**values, chunk_size=execution.buffer_size)


def _downloads(written: object) -> tuple[PlainEntry, ...]:
    if type(written) is not list or not all(type(entry) is PlainEntry for entry in written):
        raise ValueError
    return tuple(written)


def _within(read: Callable[[object], Any], least: float, most: float) -> Callable[[object], Any]:
    def reader(value: object) -> Any:
        number = read(value)
        if not least <= number <= most:
            raise ValueError
        return number

    return reader


def _one_of(*words: str, read: Callable[[object], object] = read_word) -> Callable[[object], Any]:
    def reader(value: object) -> Any:
        word = read(value)
        if word not in words:
            raise ValueError
        return word

    return reader


_CONNECTIONS = _within(read_whole, 1, 64)
_MEMORY = _within(read_size, 1024, 2**40)
_SIZE = _within(read_size, 0, MAX_SIZE)
_EXECUTION: dict[str, Callable[[Any], Any]] = {
    "processes": read_processes,
    "threads": _CONNECTIONS,
    "per_host": _within(read_whole, 1, 4096),
    "max_rate": _within(read_size, 1, MAX_SIZE),
    "buffer_size": _MEMORY,
    "chunk_size": _MEMORY,
    "deadline": _within(read_duration, math.ulp(0.0), MAX_DURATION),
    "lane": _one_of("auto", "requests"),
    "http": _one_of("auto", "1.1", "2", "3", read=read_version),
    "fail_fast": _one_of("never", "first_failure"),
}
_DEFAULTS: dict[str, Callable[[Any], Any]] = {
    "threads": _CONNECTIONS,
    "verify": read_verify,
    "min_speed": _SIZE,
    "max_size": _SIZE,
    "if_exists": _one_of("keep", "refresh", "replace", "fail"),
}
_MANIFEST: dict[str, Callable[[Any], Any]] = {
    "version": _within(read_whole, 1, 1),
    "name": read_text,
    "output_dir": read_text,
    "execution": _execution,
    "defaults": lambda written: PlainDefaults(**_read(written, _DEFAULTS)),
    "downloads": _downloads,
}
