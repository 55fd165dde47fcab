"""A run's stay at an engine: reached before its plan is compiled, left when it is over."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from marscore.adapters.cluster.engine import Engine, EngineError
from marscore.adapters.cluster.hiring import ClusterWorkerFactory
from marscore.adapters.files.leases import Leases
from marscore.errors import ManifestError, Problem, StorageError
from marscore.execute.supervisor.messages import Inbox
from marscore.execute.worker.setup import WorkerSettings
from marscore.extras import installing
from marscore.resolve.model import Download
from marscore.settings import EngineChoice, EngineKind
from marscore.values import Failure

#: The module that each engine needs.
_NEEDS: dict[EngineKind, str] = {"dask": "distributed", "ray": "ray"}
#: Seconds to wait for the first worker.
FIRST_WITHIN = 60.0


def choice_of(kind: EngineKind, address: str | None, downloads: Iterable[Download]) -> EngineChoice:
    """The engine that is asked for, if it is there and can do it.

    Raises:
        ManifestError: it is not installed here, or a download needs what no engine's workers do.
    """
    import importlib.util  # noqa: PLC0415 - for engines alone

    if importlib.util.find_spec(_NEEDS[kind]) is None:
        raise _refused(f"{kind} is not installed: {installing(kind)}")
    if os.name != "posix":
        raise _refused(f"{kind} is not used on this system, where files that are open keep their names")
    unpacked = next((download for download in downloads if download.into is not None), None)
    if unpacked is not None:
        raise _refused(f"archives are not unpacked by workers of other machines, as {unpacked.id} is to be; unpack it by a run without")
    return EngineChoice(kind, address)


def _refused(message: str) -> ManifestError:
    return ManifestError("--engine", (Problem("", message),))


class Session:
    """One run at an engine. `count` is how many workers there are at its start."""

    def __init__(self, choice: EngineChoice, root: Path, run_id: str, wanted: int, check: Callable[[], None]) -> None:
        """Reach the engine, and wait for its first worker.

        Args:
            choice: which one.
            root: the output folder, which all its machines share.
            run_id: the run's.
            wanted: how many workers an engine starts that is started here.
            check: called now and then while it is waited; what it raises ends that.

        Raises:
            StorageError: it cannot be reached, or has no worker.
        """
        self.leases = Leases(root, run_id)
        self._engine: Engine | None = None
        self.name: str = choice.kind
        try:
            self._engine = _reached(choice, wanted)
            self.name = self._engine.name
            self.count = self._counted(self._engine, check)
        except BaseException:
            self.close(False)
            raise

    def factory(self, settings: WorkerSettings, inbox: Inbox, most: int) -> ClusterWorkerFactory:
        """Who hires its workers."""
        assert self._engine is not None, "a session that is open has one"
        return ClusterWorkerFactory(self._engine, self.leases, settings, inbox, most)

    def close(self, all_in_place: bool) -> None:
        """Leave; what lost workers left is forgotten where nobody needs it."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()
        self.leases.close(all_in_place)

    def _counted(self, engine: Engine, check: Callable[[], None]) -> int:
        until = time.monotonic() + FIRST_WITHIN
        try:
            while not (count := len(engine.places())):
                check()
                if time.monotonic() >= until:
                    raise StorageError(Failure("resources", f"{self.name} has no worker, and none came within {FIRST_WITHIN:g} s"))
                time.sleep(0.2)
        except EngineError as error:
            raise StorageError(Failure("resources", str(error))) from error
        return count


def _reached(choice: EngineChoice, wanted: int) -> Engine:
    if choice.kind == "dask":
        from marscore.adapters.cluster.dask import DaskEngine  # noqa: PLC0415 - an extra

        return DaskEngine(choice.address, wanted)
    from marscore.adapters.cluster.ray import RayEngine  # noqa: PLC0415 - as above

    return RayEngine(choice.address, wanted)
