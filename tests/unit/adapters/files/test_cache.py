"""The cache believes no byte that it did not prove, whoever writes there at once, and whatever happens to its files."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import stat
from pathlib import Path

import pytest

from marscore.adapters.files import cache as module
from marscore.adapters.files.cache import Cache, DamagedError
from marscore.adapters.files.rename import identity_of
from marscore.errors import StorageError
from marscore.state import key_of

DATA = bytes(range(256)) * 20
SHA = hashlib.sha256(DATA).hexdigest()
URL = key_of("https://example.com/a.bin")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def finished(folder: Path, data: bytes = DATA) -> tuple[str, module.FileIdentity]:
    """A file in place, and what identifies it."""
    file = folder / "finished.bin"
    file.write_bytes(data)
    return str(file), identity_of(file.stat())


def entry(cache: Cache) -> Path:
    return cache.root / "sha256" / SHA[:2] / SHA


def test_what_was_kept_is_brought(cache: Cache, tmp_path: Path) -> None:
    assert not cache.holds(SHA, URL)
    cache.keep(*finished(tmp_path), SHA, URL)
    assert cache.holds(SHA, URL)
    assert cache.bring(SHA, str(tmp_path / "b")).st_size == len(DATA)
    assert (tmp_path / "b").read_bytes() == DATA
    assert stat.S_IMODE((entry(cache) / "data").stat().st_mode) == 0o444
    assert list(cache.entries()) == [SHA]
    assert (cache.stats().entries, cache.stats().bytes) == (1, len(DATA))
    assert list((cache.root / "tmp").iterdir()) == []


def test_another_url_has_it_only_where_digests_are_enough(cache: Cache, tmp_path: Path) -> None:
    other = key_of("https://example.com/b.bin")
    cache.keep(*finished(tmp_path), SHA, URL)
    assert not cache.holds(SHA, other)
    assert Cache(cache.root, match="digest").holds(SHA, other)
    cache.keep(*finished(tmp_path), SHA, other)
    assert cache.holds(SHA, other)


def test_a_file_that_changed_since_it_was_verified_is_not_kept(cache: Cache, tmp_path: Path) -> None:
    path, identity = finished(tmp_path)
    Path(path).write_bytes(DATA[:-1] + b"x")
    with pytest.raises(StorageError):
        cache.keep(path, identity, SHA, URL)
    # Also where it looks untouched: what is copied is hashed.
    os.utime(path, ns=(identity.mtime_ns, identity.mtime_ns))
    with pytest.raises(StorageError):
        cache.keep(path, identity, SHA, URL)
    assert list(cache.entries()) == []


def tampered(cache: Cache, *, keep_time: bool) -> None:
    data = entry(cache) / "data"
    status = data.stat()
    data.chmod(0o644)
    data.write_bytes(DATA[:-1] + b"x")
    data.chmod(0o444)
    if keep_time:
        os.utime(data, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("link", ["auto", "copy", "hard"])
def test_what_does_not_hash_to_its_name_is_set_aside(link: module.Link, cache: Cache, tmp_path: Path) -> None:
    cache.keep(*finished(tmp_path), SHA, URL)
    tampered(cache, keep_time=False)
    with pytest.raises(DamagedError):
        Cache(cache.root, link=link).bring(SHA, str(tmp_path / "b"))
    assert not (tmp_path / "b").exists()
    assert not cache.holds(SHA, URL)
    assert [left.name.partition("-")[0] for left in (cache.root / "damaged").iterdir()] == [SHA]
    with pytest.raises(FileNotFoundError):
        cache.bring(SHA, str(tmp_path / "b"))


@pytest.mark.parametrize("why", ["another boot", "no record", "writable by others", "no boot id"])
def test_a_record_is_believed_only_where_it_can_be(why: str, cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.keep(*finished(tmp_path), SHA, URL)
    tampered(cache, keep_time=True)
    recorded = entry(cache) / "recorded"
    if why == "another boot":
        recorded.write_text("0" + recorded.read_text()[1:])
    elif why == "no record":
        recorded.unlink()
    elif why == "writable by others":
        entry(cache).chmod(0o777)
    else:
        cache._boot = None
    with pytest.raises(DamagedError):
        cache.bring(SHA, str(tmp_path / "b"))


def test_what_was_tampered_with_and_given_its_time_back_is_noticed(cache: Cache, tmp_path: Path) -> None:
    cache.keep(*finished(tmp_path), SHA, URL)
    tampered(cache, keep_time=True)
    with pytest.raises(DamagedError):
        cache.bring(SHA, str(tmp_path / "b"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in its file system")
@pytest.mark.parametrize("name", ["data", "recorded"])
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(name: str, cache: Cache, tmp_path: Path) -> None:
    cache.keep(*finished(tmp_path), SHA, URL)
    (entry(cache) / name).unlink()
    os.mkfifo(entry(cache) / name)
    assert cache.holds(SHA, URL) == (name == "recorded")
    if name == "recorded":
        assert cache.bring(SHA, str(tmp_path / "b")).st_size == len(DATA)
        assert cache.verify().damaged == []
    else:
        assert cache.verify().damaged == [SHA]


class AskedError(Exception):
    """What a check raises."""


def stop() -> None:
    raise AskedError


@pytest.mark.parametrize("link", ["auto", "copy", "hard"])
@pytest.mark.parametrize("known", [True, False])
def test_bringing_and_keeping_end_where_asked_and_leave_nothing(known: bool, link: module.Link, cache: Cache, tmp_path: Path) -> None:
    with pytest.raises(AskedError):
        cache.keep(*finished(tmp_path), SHA, URL, stop)
    assert list(cache.entries()) == list((cache.root / "tmp").iterdir()) == []
    cache.keep(*finished(tmp_path), SHA, URL)
    if not known:
        (entry(cache) / "recorded").unlink()
    if (link, known) in (("auto", True), ("hard", True)):
        # Nothing may have to be copied then.
        return
    with pytest.raises(AskedError):
        Cache(cache.root, link=link).bring(SHA, str(tmp_path / "b"), stop)
    assert not (tmp_path / "b").exists()
    assert cache.holds(SHA, URL)


def test_a_hard_link_is_the_same_file(cache: Cache, tmp_path: Path) -> None:
    cache.keep(*finished(tmp_path), SHA, URL)
    brought = Cache(cache.root, link="hard").bring(SHA, str(tmp_path / "b"))
    assert brought.st_ino == (entry(cache) / "data").stat().st_ino


def test_what_was_used_longest_ago_goes_first(cache: Cache, tmp_path: Path) -> None:
    digests = []
    for number in range(4):
        data = bytes([number]) * 1000
        digests.append(hashlib.sha256(data).hexdigest())
        cache.keep(*finished(tmp_path, data), digests[-1], URL)
        os.utime(cache._entry(digests[-1]).recorded, (number, number))
    cache.bring(digests[0], str(tmp_path / "b"))
    removed = cache.prune(2500, None, 10.0)
    assert (removed.entries, removed.bytes) == (2, 2000)
    assert set(cache.entries()) == {digests[0], digests[3]}
    assert cache.prune(None, 5.0, 10.0).entries == 1
    assert set(cache.entries()) == {digests[0]}
    assert cache.prune(0, None, 10.0).entries == 1
    assert not list(cache.entries())


def test_what_a_crash_left_is_removed_after_a_day(cache: Cache, tmp_path: Path) -> None:
    old, new = cache.root / "tmp" / "old", cache.root / "tmp" / "new"
    for place in (old, new):
        place.mkdir(parents=True)
        (place / "data").write_bytes(b"x")
    os.utime(old, (1, 1))
    cache.prune(None, None, now=new.stat().st_mtime)
    assert [left.name for left in (cache.root / "tmp").iterdir()] == ["new"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes everywhere")
def test_a_cache_that_cannot_be_written_is_read(cache: Cache, tmp_path: Path) -> None:
    cache.keep(*finished(tmp_path), SHA, URL)
    entry(cache).chmod(0o555)
    cache.bring(SHA, str(tmp_path / "b"))


def keep_many(root: str, folder: str, start: int) -> None:
    """Keep and bring the same few files again and again, as one of many processes."""
    own = Cache(Path(root))
    for number in range(40):
        data = bytes([number % 5]) * 5000
        sha256 = hashlib.sha256(data).hexdigest()
        place = Path(folder) / f"{start}"
        place.write_bytes(data)
        own.keep(str(place), identity_of(place.stat()), sha256, key_of(str(number % 7)))
        brought = Path(folder) / f"{start}-brought"
        try:
            own.bring(sha256, str(brought))
        except FileNotFoundError:
            # Another has just removed it.
            continue
        assert brought.read_bytes() == data
        brought.unlink()
        if number % 9 == start:
            own.prune(0, None, 0.0)


def test_many_processes_at_once(cache: Cache, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=keep_many, args=(str(cache.root), str(tmp_path), number)) for number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert cache.verify().damaged == []
    assert list((cache.root / "tmp").iterdir()) == []
