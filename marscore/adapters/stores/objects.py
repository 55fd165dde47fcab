"""The objects below one prefix of a store: put whole and proven, looked at, read. Nothing outside the prefix is named here.

    bytes of a verified file --put, put_file--> the object, whole or not at all --HEAD--> what identifies it there

Who proves what. The bytes that are sent are hashed once more as they are read, and where they have not the verified SHA-256, the upload is
given up before it is completed: the object does not appear. On their way each part has its SHA-256 along, which S3 compares, as the
signature of a request does. Afterwards the store is asked (HEAD) for the size and the ETag of what it holds: where the ETag is the MD5 of
these bytes, or of the parts' MD5s, that proves them; where it is something else (KMS keys, Azure), the object is read back and hashed.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from marscore.adapters.files.failures import naming
from marscore.adapters.stores.failures import MissingError, asking
from marscore.adapters.stores.fence import Fence
from marscore.adapters.stores.opened import open_store
from marscore.destination import Destination
from marscore.errors import StorageError
from marscore.hashes import digests_of
from marscore.policy.retry import Patience
from marscore.state import FileIdentity, Measured
from marscore.values import OWN_FOLDER, Failure

#: Bytes of a part, at least: the least that S3 takes. A larger file has larger ones, since it may have no more than 10,000.
PART = 5 * 1024 * 1024
_MOST_PARTS = 5000
#: Bytes of parts of one file that are on their way at once, and so in memory; one part more is being read.
_AT_ONCE = 4 * PART
#: Files that are sent in parts at the same time.
_UPLOADS = 2
#: Bytes of a body that are sent in no time.
_LITTLE = 64 * 1024
_NANO = 10**9
#: One object's part that is read at once.
_READ = 8 * 1024 * 1024


class Objects:
    """Safe to share between threads. Raises StorageError from every method that asks the store."""

    def __init__(self, where: Destination, patience: Patience, fence: Fence | None = None) -> None:
        """Of a run, `fence` says before each file that is put whether it may be."""
        self.where = where
        self._fence = fence
        self._patience = patience
        self._opened: dict[bool, Any] = {}
        self._lock = threading.Lock()
        self._uploads = threading.BoundedSemaphore(_UPLOADS)

    @property
    def store(self) -> Any:
        """The store, for what is asked of it; it is opened when it is needed first, since that takes a tenth of a second."""
        return self._store(False)

    def _store(self, sends: bool) -> Any:
        with self._lock:
            if sends not in self._opened:
                self._opened[sends] = open_store(self.where, self._patience, sends)
            return self._opened[sends]

    def put(self, path: str, data: bytes, sha256: str) -> FileIdentity:
        """Put a whole object, and prove it; `sha256` is that of these very bytes."""
        import obstore  # noqa: PLC0415 - where a store is used

        self._demand()
        with asking("cannot put the object"):
            put = obstore.put(self._store(True), self.where.key(path), data, attributes={"sha256": sha256}, use_multipart=False)
        md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
        return self._proven(path, (len(data), sha256), md5, put["e_tag"])

    def put_own(self, name: str, data: bytes, mode: Any = "overwrite") -> Any:
        """Put an object of marscore's own; returns what the store says of it (`e_tag`, `version`).

        Raises:
            StorageError: it cannot be put; TakenError where `mode` (obstore's) does not hold.
        """
        import obstore  # noqa: PLC0415 - as above

        with asking(f"cannot put {OWN_FOLDER}/{name}"):
            store = self._store(len(data) > _LITTLE)
            return obstore.put(store, self.where.key(f"{OWN_FOLDER}/{name}"), data, mode=mode, use_multipart=False)

    def put_own_file(self, name: str, source: Path) -> str:
        """Put a file as an object of marscore's own, in parts where it is large; returns its ETag, empty where it has none."""
        import obstore  # noqa: PLC0415 - as above

        with naming(f"cannot put {OWN_FOLDER}/{name}"), asking(f"cannot put {OWN_FOLDER}/{name}"):
            self._demand()
            key = self.where.key(f"{OWN_FOLDER}/{name}")
            put = obstore.put(self._store(True), key, source, chunk_size=_part_of(source.stat().st_size), max_concurrency=2)
        return put["e_tag"] or ""

    def save(self, path: str, place: Path) -> str | None:
        """Write an object to a file; returns its ETag, empty where it has none, or None where there is no object."""
        meta = self._meta(path)
        if meta is None:
            return None
        with naming("cannot write what is beside the objects"), place.open("wb") as file:
            for data in self._read(path, meta):
                file.write(data)
        return meta["e_tag"] or ""

    def put_file(self, path: str, source: Path, known: tuple[int, str], wanted: Callable[[], bool]) -> FileIdentity:
        """Put a file as an object, in parts where it is large; it appears once all of it is there and has its digest.

        Args:
            path: the object's, below the prefix.
            source: the file.
            known: the size and the SHA-256 that were verified.
            wanted: says whether it still is to appear.
        """
        size, sha256 = known
        if size <= PART:
            data = source.read_bytes()
            if len(data) != size or digests_of(data, ("sha256",))["sha256"] != sha256:
                raise StorageError(_CHANGED)
            return self.put(path, data, sha256)
        with self._uploads:
            return self._put_in_parts(path, source, known, wanted)

    def _put_in_parts(self, path: str, source: Path, known: tuple[int, str], wanted: Callable[[], bool]) -> FileIdentity:
        import obstore  # noqa: PLC0415 - as above

        parts = _Parts(source, known, lambda: wanted() and self._demand(wanted))
        most = max(1, _AT_ONCE // parts.size)
        how: Any = {"attributes": {"sha256": known[1]}, "chunk_size": parts.size, "max_concurrency": most, "use_multipart": True}
        with asking("cannot put the object"):
            put = obstore.put(self._store(True), self.where.key(path), iter(parts), **how)
        if not parts.are_whole:
            raise StorageError(Failure("internal", "the store took an object before all of it was read"))
        return self._proven(path, known, parts.etag, put["e_tag"])

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
        if told is not None and _bare(meta["e_tag"]) != _bare(told):
            raise StorageError(Failure("store", "another program put another object in its place"))
        if meta["size"] != size:
            raise StorageError(Failure("store", f"{size} bytes were put, and the store says that it holds {meta['size']}"))
        if _bare(meta["e_tag"]) != etag and self._digests(path, meta, ("sha256",), lambda count: None)["sha256"] != sha256:
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


class _Parts:
    """A file as the parts of an upload. At its end the whole is compared with what was verified; `etag` is what S3 says of the object."""

    def __init__(self, source: Path, known: tuple[int, str], wanted: Callable[[], bool]) -> None:
        self._source = source
        self._length, self._sha256 = known
        self._wanted = wanted
        self.size = _part_of(self._length)
        self.etag = ""
        self.are_whole = False

    def __iter__(self) -> Iterator[bytes]:
        whole, md5s, length = hashlib.sha256(), [], 0
        with self._source.open("rb") as file:
            while data := file.read(self.size):
                if not self._wanted():
                    raise StorageError(Failure("interrupted", "the run ended before the object was whole"))
                whole.update(data)
                length += len(data)
                md5s.append(hashlib.md5(data, usedforsecurity=False).digest())
                if length > self._length:
                    break
                yield data
        if length != self._length or whole.hexdigest() != self._sha256:
            raise StorageError(_CHANGED)
        if not self._wanted():
            raise StorageError(Failure("interrupted", "the run ended before the object was whole"))
        self.etag = f"{hashlib.md5(b''.join(md5s), usedforsecurity=False).hexdigest()}-{len(md5s)}"
        self.are_whole = True


def _part_of(length: int) -> int:
    """Bytes of each part of a file of this length."""
    return max(PART, -(-length // _MOST_PARTS))


_CHANGED = Failure("path", "another program changed the partial file after it was verified")


def identity_of(meta: Mapping[str, Any]) -> FileIdentity:
    """What identifies an object: its size, when it was put, in whole seconds (HEAD tells no more), and its ETag, hashed to a number."""
    # A list has it without its quotes where a HEAD has them (Azure).
    tag = _bare(meta["e_tag"]) or meta["version"] or ""
    number = int.from_bytes(hashlib.sha256(tag.encode()).digest()[:8], "big") >> 1
    return FileIdentity(meta["size"], int(meta["last_modified"].timestamp()) * _NANO, number)


def _bare(etag: str | None) -> str:
    return (etag or "").strip('"')


def select(found: Iterable[tuple[str, FileIdentity]], wanted: set[str], most: int) -> dict[str, FileIdentity] | None:
    """Those of the objects that are wanted; None once so many were seen that it is cheaper to ask for each by its name."""
    chosen: dict[str, FileIdentity] = {}
    for seen, (path, identity) in enumerate(found):
        if seen >= most:
            return None
        if path in wanted:
            chosen[path] = identity
    return chosen
