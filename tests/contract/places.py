"""Output folders of every make behind one face: what a test may see of them and do to them from outside."""

from __future__ import annotations

import math
import secrets
import stat
from pathlib import Path
from typing import Protocol

import obstore

from marscore.adapters.files.folder import Folder
from marscore.adapters.stores.fence import Fence
from marscore.adapters.stores.folder import StoreFolder
from marscore.destination import Destination
from marscore.policy.retry import Patience
from marscore.ports import FileStore, Partial
from marscore.state import key_of
from tests.fakes.files import MemoryFolder
from tests.simulation.disk import Disk as SimulatedDisk
from tests.simulation.system import SimulatedSystem
from tests.simulation.world import Process, World


class Place(Protocol):
    """An output folder as its owner sees it."""

    @property
    def store(self) -> FileStore: ...

    def restart(self) -> FileStore:
        """What a run that starts after a kill -9 works with; the dead run's handles are out of its reach."""
        ...

    def put(self, path: str, content: bytes) -> None: ...

    def remove(self, path: str) -> None: ...

    def content(self, path: str) -> bytes | None: ...

    def mode(self, path: str) -> int | None: ...

    def make_folder(self, path: str) -> None: ...

    def part(self, path: str) -> bytes | None: ...

    def set_part(self, path: str, content: bytes | None) -> None: ...

    def journal(self, path: str) -> bytes | None: ...

    def set_journal(self, path: str, content: bytes | None) -> None: ...


class Disk:
    """A real folder."""

    def __init__(self, root: Path, portable: bool) -> None:
        self._root = root
        self._portable = portable
        self.store: FileStore = Folder(root, portable)

    def restart(self) -> FileStore:
        self.store = Folder(self._root, self._portable)
        return self.store

    def put(self, path: str, content: bytes) -> None:
        _write(self._root / path, content)

    def remove(self, path: str) -> None:
        (self._root / path).unlink()

    def content(self, path: str) -> bytes | None:
        return _read(self._root / path)

    def mode(self, path: str) -> int | None:
        return stat.S_IMODE((self._root / path).stat().st_mode)

    def make_folder(self, path: str) -> None:
        (self._root / path).mkdir(parents=True)

    def part(self, path: str) -> bytes | None:
        return _read(self._own(path, "part"))

    def set_part(self, path: str, content: bytes | None) -> None:
        _write(self._own(path, "part"), content)

    def journal(self, path: str) -> bytes | None:
        return _read(self._own(path, "journal"))

    def set_journal(self, path: str, content: bytes | None) -> None:
        _write(self._own(path, "journal"), content)

    def _own(self, path: str, suffix: str) -> Path:
        return self._root / ".marscore" / "partial" / f"{key_of(path)}.{suffix}"


class InStore(Disk):
    """A prefix of an object store in memory; what is on its way is in a real folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._where = Destination("memory", f"bucket-{secrets.token_hex(8)}", "a/prefix")
        self.store: FileStore = self.restart()

    def restart(self) -> FileStore:
        folder = StoreFolder(self._root, self._where, Patience())
        own = self._root / ".marscore"
        own.mkdir(parents=True, exist_ok=True)
        Fence(own).stand(math.inf)
        self._objects = folder.objects
        self.store = folder
        return folder

    def put(self, path: str, content: bytes) -> None:
        obstore.put(self._objects.store, self._where.key(path), content)

    def remove(self, path: str) -> None:
        obstore.delete(self._objects.store, self._where.key(path))

    def content(self, path: str) -> bytes | None:
        try:
            return bytes(obstore.get(self._objects.store, self._where.key(path)).bytes())
        except FileNotFoundError:
            return None

    def mode(self, path: str) -> int | None:
        return None


class OnSimulatedDisk:
    """A real folder on the disk of the simulation."""

    def __init__(self) -> None:
        self._world = World(1)
        self._disk = SimulatedDisk(self._world, "/output")
        self.store: FileStore = self.restart()

    def restart(self) -> FileStore:
        self.store = Folder(Path("/output"), system=SimulatedSystem(self._disk, Process(self._world, "test")))
        return self.store

    def put(self, path: str, content: bytes) -> None:
        self._set(f"/output/{path}", content)

    def remove(self, path: str) -> None:
        self._set(f"/output/{path}", None)

    def content(self, path: str) -> bytes | None:
        return self._get(f"/output/{path}")

    def mode(self, path: str) -> int | None:
        return self._disk.names[f"/output/{path}"].mode

    def make_folder(self, path: str) -> None:
        SimulatedSystem(self._disk, Process(self._world, "test")).makedirs(f"/output/{path}")

    def part(self, path: str) -> bytes | None:
        return self._get(self._own(path, "part"))

    def set_part(self, path: str, content: bytes | None) -> None:
        self._set(self._own(path, "part"), content)

    def journal(self, path: str) -> bytes | None:
        return self._get(self._own(path, "journal"))

    def set_journal(self, path: str, content: bytes | None) -> None:
        self._set(self._own(path, "journal"), content)

    def _own(self, path: str, suffix: str) -> str:
        return f"/output/.marscore/partial/{key_of(path)}.{suffix}"

    def _get(self, name: str) -> bytes | None:
        inode = self._disk.names.get(name)
        return bytes(inode.data) if inode is not None and not inode.folder else None

    def _set(self, name: str, content: bytes | None) -> None:
        if content is None:
            self._disk.change(((name, None),))
            return
        SimulatedSystem(self._disk, Process(self._world, "test")).makedirs(name.rpartition("/")[0])
        inode = self._disk.names.get(name) or self._disk.new(name, folder=False)
        self._disk.cut(inode, 0)
        self._disk.write(inode, 0, content)


class Memory:
    """The fake."""

    def __init__(self) -> None:
        self._folder = MemoryFolder()

    @property
    def store(self) -> FileStore:
        return self._folder

    def restart(self) -> FileStore:
        self._folder.crash()
        return self._folder

    def put(self, path: str, content: bytes) -> None:
        self._folder.put(path, content)

    def remove(self, path: str) -> None:
        del self._folder.files[path]

    def content(self, path: str) -> bytes | None:
        return self._folder.files[path].content if path in self._folder.files else None

    def mode(self, path: str) -> int | None:
        return self._folder.files[path].mode

    def make_folder(self, path: str) -> None:
        self._folder.folders.add(path)

    def part(self, path: str) -> bytes | None:
        return _copy(self._folder.parts, path)

    def set_part(self, path: str, content: bytes | None) -> None:
        _set(self._folder.parts, path, content)

    def journal(self, path: str) -> bytes | None:
        return _copy(self._folder.journals, path)

    def set_journal(self, path: str, content: bytes | None) -> None:
        _set(self._folder.journals, path, content)


class Handles:
    """Closes the partial files that a test opened, as the end of a process does."""

    def __init__(self) -> None:
        self._open: list[Partial] = []

    def keep(self, partial: Partial) -> Partial:
        self._open.append(partial)
        return partial

    def close(self) -> None:
        for partial in self._open:
            partial.close()
        self._open.clear()


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _write(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _copy(held: dict[str, bytearray], path: str) -> bytes | None:
    return bytes(held[path]) if path in held else None


def _set(held: dict[str, bytearray], path: str, content: bytes | None) -> None:
    if content is None:
        del held[path]
    else:
        held[path] = bytearray(content)
