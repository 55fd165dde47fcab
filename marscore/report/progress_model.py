"""What a display shows of a run: its files, its sums, and the hosts that are waited for. `report.progress` adds them up."""

from __future__ import annotations

from typing import Literal, TypeAlias

from marscore.frozen import dataclass

#: What an active file is at: the first answer is awaited; bytes come; none have come for a while; all are there and are hashed or named;
#: a wait for a retry, for its host, or for a connection.
Stage: TypeAlias = Literal["starting", "receiving", "silent", "verifying", "retry", "host", "connection"]


@dataclass(frozen=True, slots=True)
class Retry:
    """The retry that a file waits for, or waited for last: its number of how many, and why."""

    attempt: int
    limit: int
    why: str


@dataclass(frozen=True, slots=True)
class FileProgress:
    """One active file. `fraction` and `eta` are None where the size is unknown, `speed` is bytes a second, `eta` seconds.

    `path` is where it goes, as far as it is known, and `name` the last part of that. `at` is what it is at: for a retry or its host it
    waits `wait` more seconds; in any other state it has been for so long.
    """

    name: str
    path: str
    fraction: float | None
    bytes_done: int
    size: int | None
    speed: float
    eta: float | None
    threads_active: int
    retries: int
    at: Stage = "receiving"
    wait: float = 0.0
    host: str = ""
    retry: Retry | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """Files in place that are hashed before anything else: how many of them are done, and how many of their bytes."""

    files_done: int
    files_total: int
    bytes_done: int
    bytes_total: int
    speed: float


@dataclass(frozen=True, slots=True)
class Overall:
    """The whole run. `fraction` is of bytes where every size is known, else of files, active ones counted by their part; None at first,
    while that is not known yet.

    `bytes_total` is None where a size is unknown or `fraction` is of files; `proof` is there as long as files in place are hashed.
    """

    fraction: float | None
    bytes_done: int
    bytes_total: int | None
    speed: float
    eta: float | None
    files_done: int
    files_total: int
    failed: int
    threads_active: int
    retries: int
    proof: Proof | None = None
