"""How a worker is set up, in whatever process: values that survive pickle."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from marscore.destination import Destination
from marscore.frozen import dataclass
from marscore.policy.retry import Patience
from marscore.settings import LineSettings
from marscore.values import OWN_FOLDER, HttpVersion


@dataclass(frozen=True, slots=True)
class Share:
    """What one worker may use of the run's limits: connections to one host, and bytes a second (None: no limit)."""

    per_host: int
    max_rate: int | None = None


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """How a worker is set up; survives pickle. `output_dir` is absolute.

    `secrets` are (value, what is shown for it), `words` those of the values that are not replaced inside other words.

    `buffer` is how many bytes of one file may be held in memory, `chunk` how many one receive may bring.

    `output_identity` is the device and inode of the folder that the run has locked.

    `own_folder` is where partial files are, relative to `output_dir`. With `leased`, it was lent to this worker, which is on another
    machine than the run.

    `store` is where the files go, if not into `output_dir`, where partial files are then; `patience` how it is asked.

    `progress` says where readings go: nowhere, among the events, or into the memory that `shared` is the descriptor of.
    """

    output_dir: str
    threads: int
    buffer: int
    share: Share
    secrets: tuple[tuple[str, str], ...] = ()
    output_identity: tuple[int, int] | None = None
    words: tuple[str, ...] = ()
    lane: Literal["auto", "requests"] = "auto"
    http: HttpVersion = "auto"
    chunk: int = 128 * 1024
    progress: Literal["none", "events", "shared"] = "none"
    shared: int | None = None
    log: LineSettings = field(default_factory=lambda: LineSettings(""))
    own_folder: str = OWN_FOLDER
    leased: bool = False
    store: Destination | None = None
    patience: Patience = Patience()
