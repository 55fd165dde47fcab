"""The objects below one prefix of a store: put whole and proven, looked at, read. Nothing outside the prefix is named here.

    bytes of a verified file --put, put_file--> the object, whole or not at all --HEAD--> what identifies it there

Who proves what. The bytes that are sent are hashed once more as they are read, and where they have not the verified SHA-256, the upload is
given up before it is completed: the object does not appear. On their way each part has its SHA-256 along, which S3 compares, as the
signature of a request does. Afterwards the store is asked (HEAD) for the size and the ETag of what it holds: where the ETag is the MD5 of
these bytes, or of the parts' MD5s, that proves them; where it is something else (KMS keys, Azure), the object is read back and hashed.

What it replaces. An object is put on condition (RFC 9110 section 13.1) that what is there is what the run saw when it decided to fetch the
file: nothing (If-None-Match: *), or the same object (If-Match). So a request that comes late, or is repeated after the run's lock was lost,
replaces nothing that was put meanwhile. Where the condition does not hold, it may have been our own request that came twice: bytes that are
right are right. All else is left as it is. What goes in parts is compared before instead (`parts`); a store that knows no conditions takes
whatever comes, or refuses conditions (`conditions`), of which `lease` warns.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Literal

from marscore.adapters.files.failures import naming
from marscore.adapters.stores.conditions import Conditions
from marscore.adapters.stores.failures import MissingError, TakenError, asking
from marscore.adapters.stores.fence import Fence
from marscore.adapters.stores.identity import bare, identity_of, is_another, mode_for
from marscore.adapters.stores.opened import open_store
from marscore.adapters.stores.parts import CHANGED, PART, LapsedError, Parts
from marscore.destination import Destination
from marscore.errors import StorageError
from marscore.hashes import digests_of
from marscore.policy.retry import Patience
from marscore.state import FileIdentity, Measured
from marscore.values import OWN_FOLDER, Failure

#: Bytes of parts of one file that are on their way at once, and so in memory; one part more is being read.
_AT_ONCE = 4 * PART
#: Files that are sent in parts at the same time.
_UPLOADS = 2
#: Bytes of a body that are sent in no time.
_LITTLE = 64 * 1024
#: One object's part that is read at once.
_READ = 8 * 1024 * 1024
#: So often an object is put on condition where the store refuses it while the condition holds: another request for it was under way.
_TRIES = 3
_ANOTHER = Failure("store", "another object is there by now than when this run decided to put one: it is left as it is")
_BUSY = Failure("store", "the store refuses to put the object while another request for it is under way")


class Objects:
    """Safe to share between threads. Raises StorageError from every method that asks the store."""

    def __init__(self, where: Destination, patience: Patience, fence: Fence | None = None) -> None:
        """Of a run, `fence` says before each file that is put whether it may be."""
        self.where = where
        self._fence = fence
        self._patience = patience
        self._opened: dict[tuple[bool, bool], Any] = {}
        self._lock = threading.Lock()
        self.conditions = Conditions(patience.retry.max_retries > 0)
        self._uploads = threading.BoundedSemaphore(_UPLOADS)

    @property
    def store(self) -> Any:
        """The store, for what is asked of it; it is opened when it is needed first, since that takes a tenth of a second."""
        return self._store(False)

    def _store(self, sends: bool, once: bool = False) -> Any:
        """That for requests that have a long body, or that are not to be repeated."""
        with self._lock:
            if (sends, once) not in self._opened:
                patience = replace(self._patience, retry=replace(self._patience.retry, max_retries=0)) if once else self._patience
                self._opened[sends, once] = open_store(self.where, patience, sends)
            return self._opened[sends, once]

    def put(self, path: str, data: bytes, sha256: str, replaces: FileIdentity | None = None) -> FileIdentity:
        """Put a whole object, and prove it; `sha256` is that of these very bytes, `replaces` the object that is there, None: none."""
        known, md5 = (len(data), sha256), hashlib.md5(data, usedforsecurity=False).hexdigest()
        there = None if replaces is None else self._meta(path)
        for _ in range(_TRIES):
            if is_another(there, replaces):
                return self._same(path, there, known, md5)
            self._demand()
            try:
                told = self._put_if(path, data, there, {"sha256": sha256})
            except TakenError:
                there = self._meta(path)
            else:
                return self._proven(path, known, md5, told["e_tag"])
        raise StorageError(_BUSY)

    def _put_if(self, path: str, data: bytes, there: Any, attributes: Any) -> Any:
        """Put an object on condition that `there` is what is there, or nothing is."""
        import obstore  # noqa: PLC0415 - where a store is used

        def put(mode: Any, once: bool) -> Any:
            with asking("cannot put the object"):
                store = self._store(True, once)
                return obstore.put(store, self.where.key(path), data, mode=mode, attributes=attributes, use_multipart=False)

        return self.conditions.put(put, mode_for(there), lambda: self._meta_of_ours(path))

    def _meta_of_ours(self, path: str) -> Any:
        """What is there right before it is replaced: the look may have taken so long that the lock is lost."""
        meta = self._meta(path)
        self._demand()
        return meta

    def _same(self, path: str, there: Any, known: tuple[int, str], md5: str | None) -> FileIdentity:
        """What identifies the object that is there, if it has these very bytes: then it does not matter who has put it.

        Raises:
            StorageError: it is another.
        """
        size, sha256 = known
        self._demand()
        if there["size"] != size:
            raise StorageError(_ANOTHER)
        if bare(there["e_tag"]) != md5 and self._digests(path, there, ("sha256",), lambda count: None)["sha256"] != sha256:
            raise StorageError(_ANOTHER)
        return identity_of(there)

    def put_own(self, name: str, data: bytes, mode: Any = "overwrite") -> Any:
        """Put an object of marscore's own; returns what the store says of it (`e_tag`, `version`).

        Raises:
            StorageError: it cannot be put; TakenError where `mode` (obstore's) does not hold.
        """
        import obstore  # noqa: PLC0415 - as above

        path = f"{OWN_FOLDER}/{name}"

        def put(mode: Any, once: bool) -> Any:
            with asking(f"cannot put {path}"):
                store = self._store(len(data) > _LITTLE, once)
                return obstore.put(store, self.where.key(path), data, mode=mode, use_multipart=False)

        return self.conditions.put(put, mode, lambda: self._meta(path))

    def put_own_file(self, name: str, source: Path) -> str:
        """Put a file as an object of marscore's own in place of what is there now, in parts where it is large; returns its ETag or ""."""
        path = f"{OWN_FOLDER}/{name}"
        with naming(f"cannot put {path}"):
            there, size = self._meta(path), source.stat().st_size
            if size > _AT_ONCE:
                with source.open("rb") as file:
                    known = size, _sha256_of(file)
                return self._sent(path, source, known, lambda: True, there)[1]["e_tag"] or ""
            data = source.read_bytes()
            self._demand()
            try:
                return self._put_if(path, data, there, None)["e_tag"] or ""
            except TakenError:
                # Or it is our own: a request that was sent twice meets what it put the first time.
                there = self._meta(path)
                if there is None:
                    raise
                self._same(path, there, (size, digests_of(data, ("sha256",))["sha256"]), None)
                return there["e_tag"] or ""

    def save(self, path: str, place: Path, most: int | None = None) -> str | None:
        """Write an object to a file; returns its ETag, empty where it has none, or None where there is no object.

        Raises:
            StorageError: also where it has more than `most` bytes.
        """
        meta = self._meta(path)
        if meta is None:
            return None
        if most is not None and meta["size"] > most:
            raise StorageError(Failure("too_large", f"the object has more than max_size, {most} bytes"))
        with naming("cannot write what is beside the objects"), place.open("wb") as file:
            for data in self._read(path, meta):
                file.write(data)
        return meta["e_tag"] or ""

    def put_file(
        self, path: str, source: Path, known: tuple[int, str], wanted: Callable[[], bool], replaces: FileIdentity | None = None
    ) -> FileIdentity:
        """Put a file as an object, in parts where it is large; it appears once all of it is there and has its digest.

        Args:
            path: the object's, below the prefix.
            source: the file.
            known: the size and the SHA-256 that were verified.
            wanted: says whether it still is to appear.
            replaces: the object that is there and is to be replaced; None: there is none.
        """
        size, sha256 = known
        if size <= PART:
            data = source.read_bytes()
            if len(data) != size or digests_of(data, ("sha256",))["sha256"] != sha256:
                raise StorageError(CHANGED)
            return self.put(path, data, sha256, replaces)
        with self._uploads:
            there = self._meta(path)
            if is_another(there, replaces):
                return self._same(path, there, known, None)
            parts, told = self._sent(path, source, known, wanted, there)
            return self._proven(path, known, parts.etag, told["e_tag"])

    def _sent(self, path: str, source: Path, known: tuple[int, str], wanted: Callable[[], bool], there: Any) -> tuple[Parts, Any]:
        """Send a file in parts, as often as it takes where the lock may not have been held meanwhile, and is again."""
        import obstore  # noqa: PLC0415 - as above

        store, key = self._store(True), self.where.key(path)
        while True:
            self._demand(wanted)
            parts = Parts(source, known, wanted, self._stands, lambda: self._look(path, there))
            most = max(1, _AT_ONCE // parts.size)
            how: Any = {"attributes": {"sha256": known[1]}, "chunk_size": parts.size, "max_concurrency": most, "use_multipart": True}
            with contextlib.suppress(LapsedError), asking("cannot put the object"):
                return parts, parts.send(functools.partial(obstore.put_async, store, key, **how))

    async def _look(self, path: str, there: Any) -> None:
        """Refuse to replace another object than the one that was there."""
        import obstore  # noqa: PLC0415 - as above

        now = None
        with contextlib.suppress(MissingError), asking("cannot look at the object"):
            now = await obstore.head_async(self.store, self.where.key(path))
        if (now and bare(now["e_tag"])) != (there and bare(there["e_tag"])):
            raise StorageError(_ANOTHER)

    def _stands(self) -> bool:
        return self._fence is None or self._fence.stands()

    def _demand(self, wanted: Callable[[], bool] = lambda: True) -> Literal[True]:
        if self._fence is not None:
            self._fence.demand(wanted)
        return True

    def _proven(self, path: str, known: tuple[int, str], etag: str, told: str | None) -> FileIdentity:
        """What identifies an object that was put, once it is sure that the store holds these bytes, and that it was to be put."""
        self._demand()
        size, sha256 = known
        meta = self._meta(path)
        if meta is None:
            raise StorageError(Failure("store", "the store took the object, and says now that there is none"))
        if told is not None and bare(meta["e_tag"]) != bare(told):
            raise StorageError(Failure("store", "another program put another object in its place"))
        if meta["size"] != size:
            raise StorageError(Failure("store", f"{size} bytes were put, and the store says that it holds {meta['size']}"))
        if bare(meta["e_tag"]) != etag and self._digests(path, meta, ("sha256",), lambda count: None)["sha256"] != sha256:
            self._withdraw(path, meta)
            raise StorageError(Failure("store", "the store holds other bytes than were put; the object was removed"))
        return identity_of(meta)

    def _withdraw(self, path: str, meta: Mapping[str, Any]) -> None:
        """Remove what this run has put, and holds wrong bytes, if it is still the same."""
        import obstore  # noqa: PLC0415 - as above

        now = self._meta(path)
        if now is not None and now["e_tag"] == meta["e_tag"]:
            with asking("cannot remove an object that holds wrong bytes"):
                obstore.delete(self.store, self.where.key(path))

    def identify(self, path: str) -> FileIdentity | None:
        """What identifies the object at `path`; None where there is none."""
        meta = self._meta(path)
        return None if meta is None else identity_of(meta)

    def _meta(self, path: str) -> Any:
        import obstore  # noqa: PLC0415 - as above

        try:
            with asking("cannot look at the object"):
                return obstore.head(self.store, self.where.key(path))
        except MissingError:
            return None

    def all(self) -> Iterator[tuple[str, FileIdentity]]:
        """Every object below the prefix, by its path, a thousand with each request."""
        import obstore  # noqa: PLC0415 - as above

        prefix = self.where.prefix
        cut = len(prefix) + 1 if prefix else 0
        with asking("cannot list the objects"):
            for some in obstore.list(self.store, prefix=prefix or None, chunk_size=1000):
                for meta in some:
                    yield meta["path"][cut:], identity_of(meta)

    def measure(self, path: str, algorithms: Sequence[str], seen: Callable[[int], None] = lambda count: None) -> Measured:
        """Read an object and hash it."""
        meta = self._meta(path)
        if meta is None:
            raise StorageError(Failure("store", "cannot read the object: there is none any more"))
        return Measured(identity_of(meta), self._digests(path, meta, algorithms, seen))

    def _digests(self, path: str, meta: Any, algorithms: Sequence[str], seen: Callable[[int], None]) -> dict[str, str]:
        hashers = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}
        for data in self._read(path, meta):
            for hasher in hashers.values():
                hasher.update(data)
            seen(len(data))
        return {name: hasher.hexdigest() for name, hasher in hashers.items()}

    def read(self, path: str, most: int | None = None) -> tuple[bytes, Any] | None:
        """The whole of a small object, and what the store says of it; None where there is none.

        Raises:
            StorageError: also where it has more than `most` bytes, or is another by now.
        """
        meta = self._meta(path)
        if meta is not None and most is not None and meta["size"] > most:
            raise StorageError(Failure("store", f"{path} has {meta['size']} bytes, and is none of marscore's"))
        return None if meta is None else (b"".join(self._read(path, meta)), meta)

    def etag_of(self, path: str) -> str | None:
        """The ETag of an object, empty where it has none; None where there is no object."""
        meta = self._meta(path)
        return None if meta is None else meta["e_tag"] or ""

    def delete_own(self, name: str) -> None:
        """Remove an object of marscore's own."""
        import obstore  # noqa: PLC0415 - as above

        with asking(f"cannot remove {OWN_FOLDER}/{name}"):
            obstore.delete(self.store, self.where.key(f"{OWN_FOLDER}/{name}"))

    def _read(self, path: str, meta: Any) -> Iterator[bytes]:
        """An object's bytes, a part with each request, all of the version that `meta` tells of."""
        import obstore  # noqa: PLC0415 - as above

        key, size = self.where.key(path), meta["size"]
        for start in range(0, size, _READ):
            options: Any = {"range": (start, min(start + _READ, size))}
            if meta["e_tag"] is not None:
                options["if_match"] = meta["e_tag"]
            with asking("cannot read the object"):
                data = bytes(obstore.get(self.store, key, options=options).bytes())
            if len(data) != min(_READ, size - start):
                raise StorageError(Failure("store", "cannot read the object: the store sent another part of it than was asked for"))
            yield data


def _sha256_of(file: BinaryIO) -> str:
    whole = hashlib.sha256()
    while data := file.read(PART):
        whole.update(data)
    return whole.hexdigest()


def select(found: Iterable[tuple[str, FileIdentity]], wanted: set[str], most: int) -> dict[str, FileIdentity] | None:
    """Those of the objects that are wanted; None once so many were seen that it is cheaper to ask for each by its name."""
    chosen: dict[str, FileIdentity] = {}
    for seen, (path, identity) in enumerate(found):
        if seen >= most:
            return None
        if path in wanted:
            chosen[path] = identity
    return chosen
