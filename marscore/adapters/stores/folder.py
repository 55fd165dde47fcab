"""An output folder in an object store: partial files and journals are on this machine's disk, finished files are objects.

    <work>/.marscore/partial/KEY.part, KEY.journal        as for a folder of this machine (`adapters.files.folder`)
    <destination>/PATH                                    appears by one upload of the verified part, whole and proven (`objects`)

So all that resumes, proves and hashes a file on its way is the same for both; what differs is how it gets its name, and what identifies it
there: size, ETag and when it was put.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from marscore.adapters.files.failures import naming
from marscore.adapters.files.folder import MOVED, Folder
from marscore.adapters.files.partial import PartialFile, part_of
from marscore.adapters.files.rename import Verified
from marscore.adapters.stores.fence import Fence
from marscore.adapters.stores.listing import Listing
from marscore.adapters.stores.objects import Objects, select
from marscore.adapters.stores.waiting import each, patiently
from marscore.destination import LONGEST_KEY, Destination
from marscore.errors import StorageError
from marscore.policy.retry import Patience
from marscore.state import AS_MADE, Attributes, Content, FileIdentity, Measured, key_of
from marscore.values import OWN_FOLDER, Failure

#: Up to so many objects are asked for by their names. For more, the prefix is listed, a thousand objects with each request, until so many
#: were seen for each that is wanted: then others fill it.
_FEW, _CROWDED = 100, 20


class StoreFolder(Folder):
    """Implements `ports.FileStore` on a prefix of an object store. `root` is where it works on this machine."""

    compares = True

    def __init__(
        self, root: Path, where: Destination, patience: Patience, identity: tuple[int, int] | None = None, own: str = OWN_FOLDER
    ) -> None:
        super().__init__(root, identity=identity, own=own)
        self.objects = Objects(where, patience, Fence(root / own))
        #: What is there, for who asks for some paths after the other.
        self.listing: Listing | None = None
        #: Raises once who asks waits no longer; None: whoever asks waits for the store, however long that takes.
        self.check: Callable[[], None] | None = None

    def place(self, path: str) -> str:
        """The object's path, unless the folder where this machine works is gone."""
        if not self.is_there:
            raise StorageError(MOVED)
        return path

    def prepare(self, path: str) -> None:
        """Refuse a key that stores do not take."""
        self._check_place(path)

    def _check_place(self, path: str) -> None:
        if len(path.encode()) > self.objects.where.room:
            raise StorageError(Failure("path", f"the object's key is too long: with the prefix it has more than {LONGEST_KEY} bytes"))

    def store(self, path: str, content: Content, attributes: Attributes = AS_MADE) -> FileIdentity:
        """Put a whole file as an object. An object has no mode, and when it was put is the store's to say."""
        self.place(path)
        identity = self.objects.put(path, content.data, content.digests["sha256"], attributes.replaces)
        if self._partial_prefix + key_of(path) in self._journals:
            self.forget_partial(path)
        return identity

    def bring(self, path: str, make: Callable[[str], tuple[os.stat_result, Attributes]], sha256: str) -> FileIdentity:
        """Not for a store: no cache is used with one."""
        raise StorageError(Failure("store", "nothing is brought from a cache to an object store"))

    def set_mode(self, path: str, mode: int) -> bool:
        """An object has no mode."""
        return False

    def remove(self, path: str, identity: FileIdentity) -> None:
        """Not for a store: no archive is unpacked there, and nothing else is removed."""
        raise StorageError(Failure("store", "an object is not removed"))

    def identify(self, path: str) -> FileIdentity | None:
        """What identifies the object."""
        return self.objects.identify(path) if self.check is None else patiently(lambda: self.objects.identify(path), self.check)

    def looker(self, paths: Sequence[str]) -> Callable[[str], FileIdentity | None]:
        """What is there of these paths, asked for at once: by their names, or by a list of all where they are many."""
        if self.listing is not None:
            return self.listing.identities(paths).get
        found, check = None, self.check or (lambda: None)
        if len(paths) > _FEW:
            wanted = set(paths)
            found = patiently(lambda: select(self.objects.all(), wanted, _CROWDED * len(paths) + 10_000), check)
        if found is None:
            identities = each(paths, self.objects.identify, check)
            found = {path: identity for path, identity in zip(paths, identities, strict=True) if identity is not None}
        return found.get

    def measure(self, path: str, algorithms: Sequence[str], seen: Callable[[int], None] = lambda count: None) -> Measured:
        """Read the object and hash it. `seen` is asked now and then, also while the store sends nothing, and ends it by what it raises."""
        return patiently(lambda: self.objects.measure(path, algorithms, seen), lambda: seen(0))

    def paths(self) -> list[str]:
        """The paths of all objects below the prefix but marscore's own."""
        return patiently(lambda: [path for path, _ in self.objects.all() if not path.startswith(f"{OWN_FOLDER}/")])

    def flush(self, paths: Sequence[str]) -> bool:
        """A store that has taken an object keeps it."""
        return True

    def put_own(self, name: str, source: Path, seconds: float | None) -> None:
        """Put a file of marscore's own beside the objects; it is waited for so many seconds at most.

        Raises:
            StorageError: it cannot be put.
        """
        patiently(lambda: self.objects.put_own_file(name, source), seconds=seconds)

    def _partial_file(self, base: str, fd: int, journal: int | None = None) -> PartialFile:
        partial = _Uploaded(base, self.place, (self._os, self._io, self._give), fd, journal)
        partial.objects = self.objects
        return partial


class _Uploaded(PartialFile):
    """A partial file that gets its name by an upload."""

    objects: Objects

    def _named(self, target: str, verified: Verified) -> FileIdentity:
        part = Path(part_of(self._base))
        with naming("cannot read the partial file"):
            known, replaces = (verified.status.st_size, verified.sha256), verified.attributes.replaces
            identity = self.objects.put_file(target, part, known, lambda: not self._given_up, replaces)
            # Its journal stays until the claim is written, and says until then that the object was verified.
            part.unlink(missing_ok=True)
        return identity


def keys_too_long(where: Destination, paths: Iterable[str]) -> list[int]:
    """The numbers of those paths whose objects would have keys that stores do not take."""
    return [number for number, path in enumerate(paths) if len(path) * 4 > where.room and len(path.encode()) > where.room]
