"""What only a real folder shows: links, permissions, threads, a full disk, and what is left behind."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from marscore.adapters.files import positioned
from marscore.adapters.files.failures import storage_error
from marscore.adapters.files.folder import Folder
from marscore.adapters.files.hashing import digests_of_file
from marscore.adapters.files.partial import PartialFile
from marscore.adapters.files.rename import Verified, rename
from marscore.adapters.files.system import System
from marscore.errors import StorageError
from marscore.journal import Header, Piece, PieceHasher, decode
from marscore.state import Attributes, Content, key_of
from marscore.validator import Validator
from marscore.values import OWN_FOLDER, ByteRange, FailureKind
from tests.unprivileged import own_folder

HEADER = Header("source", None, Validator('"v1"'))
MIB = 1024 * 1024
SHA = {"sha256": "0" * 64}
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="links and modes are POSIX")


def piece(offset: int, data: bytes) -> Piece:
    hasher = PieceHasher(offset)
    hasher.update(data)
    return hasher.piece()


def write(partial: PartialFile, offset: int, data: bytes) -> None:
    partial.describe(HEADER)
    partial.write(offset, data)
    partial.record(piece(offset, data))


def own(root: Path, path: str, suffix: str) -> Path:
    return root / OWN_FOLDER / "partial" / f"{key_of(path)}.{suffix}"


@contextlib.contextmanager
def refused(kind: FailureKind) -> Iterator[None]:
    with pytest.raises(StorageError) as caught:
        yield
    assert caught.value.failure.kind == kind


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, "disk_full"),
        (errno.EDQUOT, "disk_full"),
        (errno.EFBIG, "disk_full"),
        (errno.EACCES, "permission"),
        (errno.EPERM, "permission"),
        (errno.EROFS, "permission"),
        (errno.ENAMETOOLONG, "path"),
        (errno.ENOTDIR, "path"),
        (errno.EIO, "path"),
    ],
)
def test_what_the_system_says_is_named_without_a_path(number: int, kind: str) -> None:
    error = storage_error(OSError(number, "said", "/home/token/file"), "cannot write")
    assert error.failure.kind == kind
    assert error.failure.message == f"cannot write: {os.strerror(number)}"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the limit of Linux")
def test_a_path_of_the_longest_length_is_taken_and_a_longer_one_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    room = os.pathconf("/", "PC_PATH_MAX") - 1 - len(os.fsencode(tmp_path)) - 1
    longest = "/".join(["x" * 200] * 21)[: room - 1] + "y"
    with refused("path"):
        Folder(tmp_path).create(longest + "y")
    assert list(tmp_path.iterdir()) == []
    Folder(tmp_path).create(longest).finish(longest, 0, SHA)
    assert (tmp_path / longest).is_file()


# Links


@posix_only
@pytest.mark.parametrize("path", ["out/file", "out/new/file", "in/back/file"])
def test_a_link_that_leads_out_of_the_folder_is_refused_and_nothing_is_made_there(tmp_path: Path, path: str) -> None:
    outside, root = tmp_path / "outside", tmp_path / "output"
    outside.mkdir()
    (root / "in").mkdir(parents=True)
    (root / "out").symlink_to(outside)
    (root / "in" / "back").symlink_to("../../outside")
    with refused("path"):
        Folder(root).create(path)
    assert list(outside.iterdir()) == []
    (outside / "file").write_bytes(b"secret")
    with refused("path"):
        Folder(root).measure("out/file", ["sha256"])


@posix_only
def test_a_link_that_was_put_in_the_way_meanwhile_is_refused_at_the_end(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "output"
    outside.mkdir()
    partial = Folder(root).create("folder/file")
    write(partial, 0, b"content")
    partial.close()
    (root / "folder").rmdir()
    (root / "folder").symlink_to(outside)
    found = Folder(root).reopen("folder/file")
    assert found is not None
    with refused("path"):
        found[0].finish("folder/file", 7, SHA)
    found[0].close()
    assert list(outside.iterdir()) == []
    assert own(root, "folder/file", "part").read_bytes() == b"content"


@posix_only
def test_links_within_the_folder_and_to_the_folder_itself_are_the_users_own(tmp_path: Path) -> None:
    (tmp_path / "real" / "inner").mkdir(parents=True)
    (tmp_path / "output").symlink_to("real")
    (tmp_path / "real" / "link").symlink_to("inner")
    Folder(tmp_path / "output").create("link/file").finish("link/file", 0, SHA)
    assert (tmp_path / "real" / "inner" / "file").read_bytes() == b""


@posix_only
def test_a_circle_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with refused("path"):
        Folder(tmp_path).create("a/file")


@posix_only
def test_a_link_where_the_file_should_be_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "file").symlink_to("precious")
    folder = Folder(tmp_path)
    identity = folder.identify("file")
    assert identity is not None
    assert identity.kind == "other"
    with refused("path"):
        folder.measure("file", ["sha256"])
    folder.create("file").finish("file", 0, SHA)
    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert not (tmp_path / "file").is_symlink()


@posix_only
@pytest.mark.parametrize("suffix", ["part", "journal"])
def test_a_link_instead_of_a_partial_file_is_not_written_through(tmp_path: Path, suffix: str) -> None:
    partial = Folder(tmp_path).create("file")
    write(partial, 0, b"content")
    partial.close()
    outside = tmp_path / "outside"
    own(tmp_path, "file", suffix).rename(outside)
    own(tmp_path, "file", suffix).symlink_to(outside)
    before = outside.read_bytes()
    assert Folder(tmp_path).reopen("file") is None
    fresh = Folder(tmp_path).create("file")
    write(fresh, 0, b"another")
    fresh.close()
    assert outside.read_bytes() == before


@posix_only
def test_a_finished_file_is_as_readable_as_any_other(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        Folder(tmp_path).create("file").finish("file", 0, SHA)
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


# Permissions


@pytest.mark.parametrize("locked", ["", OWN_FOLDER, f"{OWN_FOLDER}/partial"], ids=["output", "own", "partial"])
def test_a_folder_that_may_not_be_written_is_named(locked: str) -> None:
    with own_folder() as root:
        (root / locked).mkdir(parents=True, exist_ok=True)
        (root / locked).chmod(0o500)
        with refused("permission"):
            Folder(root).create("file")
        (root / locked).chmod(0o700)


def test_a_folder_that_closed_before_the_end_costs_no_bytes() -> None:
    with own_folder() as root:
        partial = Folder(root).create("folder/file")
        write(partial, 0, b"content")
        (root / "folder").chmod(0o500)
        with refused("permission"):
            partial.finish("folder/file", 7, SHA)
        partial.close()
        assert own(root, "folder/file", "part").read_bytes() == b"content"
        (root / "folder").chmod(0o700)


@pytest.mark.parametrize(("suffix", "mode"), [("part", 0o000), ("journal", 0o400), ("journal", 0o000)])
def test_a_partial_file_that_may_not_be_used_is_no_find(suffix: str, mode: int) -> None:
    with own_folder() as root:
        partial = Folder(root).create("file")
        write(partial, 0, b"content")
        partial.close()
        own(root, "file", suffix).chmod(mode)
        before = _open_files()
        assert Folder(root).reopen("file") is None
        assert _open_files() == before
        Folder(root).create("file").close()


def test_a_file_that_may_not_be_read_is_named() -> None:
    with own_folder() as root:
        (root / "file").write_bytes(b"content")
        (root / "file").chmod(0)
        with refused("permission"):
            Folder(root).measure("file", ["sha256"])


# A full disk


@contextlib.contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("portable", [False, True])
def test_a_write_that_stops_halfway_is_named(tmp_path: Path, portable: bool) -> None:
    partial = Folder(tmp_path, portable).create("file")
    with files_no_larger_than(4096), refused("disk_full"):
        partial.write(1000, b"x" * 8192)
    assert partial.read(1000, 10_000) == b"x" * 3096
    partial.close()


def test_a_journal_that_stops_halfway_is_named_and_holds_what_came_before(tmp_path: Path) -> None:
    partial = Folder(tmp_path).create("file")
    write(partial, 0, b"one")
    room = own(tmp_path, "file", "journal").stat().st_size + 10
    with files_no_larger_than(room), refused("disk_full"):
        write(partial, 3, b"two")
    partial.close()
    found = Folder(tmp_path).reopen("file")
    assert found is not None
    write(found[0], 6, b"six")
    found[0].close()
    journal = decode(own(tmp_path, "file", "journal").read_bytes())
    assert journal is not None
    assert journal.pieces == (piece(0, b"one"), piece(6, b"six"))


@pytest.mark.parametrize("begun", [False, True])
def test_what_is_recorded_after_half_a_line_by_the_same_run_is_found_again(tmp_path: Path, begun: bool) -> None:
    partial = Folder(tmp_path).create("file")
    if begun:
        write(partial, 0, b"one")
    room = own(tmp_path, "file", "journal").stat().st_size + 10 if begun else 10
    with files_no_larger_than(room), refused("disk_full"):
        write(partial, 3, b"two")
    # There is room again, and the transfer goes on.
    write(partial, 6, b"six")
    partial.close()
    journal = decode(own(tmp_path, "file", "journal").read_bytes())
    assert journal is not None
    assert journal.pieces == ((piece(0, b"one"),) if begun else ()) + (piece(6, b"six"),)
    assert not journal.torn


def test_a_file_that_cannot_fit_is_refused_before_its_first_byte(tmp_path: Path) -> None:
    partial = Folder(tmp_path).create("file")
    with refused("disk_full"):
        partial.reserve(10**18)
    write(partial, 0, b"x")
    assert partial.digests(1, ["sha256"])
    partial.close()


@pytest.mark.parametrize("portable", [False, True])
def test_space_is_reserved_and_the_file_says_nothing_of_it(tmp_path: Path, portable: bool) -> None:
    partial = Folder(tmp_path, portable).create("file")
    partial.reserve(2 * MIB)
    write(partial, 0, b"one")
    status = own(tmp_path, "file", "part").stat()
    assert status.st_size == 3
    assert status.st_blocks * 512 < 2 * MIB if portable else status.st_blocks * 512 in {4096, 2 * MIB}
    partial.close()


@pytest.mark.parametrize("portable", [False, True])
def test_what_was_reserved_is_never_taken_for_received(tmp_path: Path, portable: bool) -> None:
    partial = Folder(tmp_path, portable).create("file")
    partial.reserve(2 * MIB)
    write(partial, MIB, b"far")
    partial.close()
    found = Folder(tmp_path, portable).reopen("file")
    assert found is not None
    assert found[1].pieces == (piece(MIB, b"far"),)
    found[0].reserve(2 * MIB)
    assert found[0].read(0, 3) == b"\0\0\0", "a hole, of which no record says anything"
    found[0].discard()


def test_a_reserved_file_without_a_record_is_begun_anew(tmp_path: Path) -> None:
    partial = Folder(tmp_path).create("file")
    partial.reserve(2 * MIB)
    partial.close()
    folder = Folder(tmp_path)
    assert folder.reopen("file") is None
    with contextlib.closing(folder.create("file")) as anew:
        assert anew.read(0, 10) == b""


def test_a_file_that_turns_out_smaller_keeps_no_more_than_it_needs(tmp_path: Path) -> None:
    partial = Folder(tmp_path).create("file")
    partial.reserve(2 * MIB)
    partial.write(0, b"one")
    partial.finish("file", 3, SHA)
    status = (tmp_path / "file").stat()
    assert status.st_size == 3
    assert status.st_blocks * 512 < MIB


def test_a_resumed_file_needs_room_only_for_what_is_missing(tmp_path: Path) -> None:
    partial = Folder(tmp_path).create("file")
    write(partial, 0, bytes(2 * MIB))
    partial.close()
    found = Folder(tmp_path).reopen("file")
    assert found is not None
    free = shutil.disk_usage(tmp_path).free
    with refused("disk_full"):
        found[0].reserve(free + 4 * MIB + 2**40)
    found[0].close()


# Threads


def in_threads(count: int, work: Callable[[int], None]) -> None:
    ready = threading.Barrier(count)

    def run(number: int) -> None:
        ready.wait()
        work(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("portable", [False, True])
def test_threads_write_and_record_side_by_side_and_nothing_is_lost(tmp_path: Path, portable: bool) -> None:
    def share(partial: PartialFile, number: int) -> None:
        for turn in range(5):
            write(partial, 5 * number + turn, bytes([number]))

    for turn in range(40):
        path = f"file {turn}"
        partial = Folder(tmp_path, portable).create(path)
        in_threads(4, lambda number, partial=partial: share(partial, number))  # type: ignore[misc]
        assert partial.read(0, 100) == bytes(n for n in range(4) for _ in range(5))
        partial.close()
        journal = decode(own(tmp_path, path, "journal").read_bytes())
        assert journal is not None, "the header comes before every piece"
        assert not journal.torn
        assert {p.range for p in journal.pieces} == {ByteRange(i, i + 1) for i in range(20)}


def test_closing_lets_a_write_that_began_come_to_its_end(tmp_path: Path) -> None:
    for turn in range(40):
        partial = Folder(tmp_path).create(f"file {turn}")
        in_threads(2, lambda number, partial=partial: partial.close() if number else partial.write(0, b"x" * 65536))  # type: ignore[misc]
        assert own(tmp_path, f"file {turn}", "part").stat().st_size in (0, 65536)


def test_descriptors_are_given_back(tmp_path: Path) -> None:
    before = _open_files()
    folder = Folder(tmp_path)
    for end in (PartialFile.close, PartialFile.discard, lambda p: p.finish("file", 1, {"sha256": hashlib.sha256(b"x").hexdigest()})):
        partial = folder.create("file")
        write(partial, 0, b"x")
        end(partial)
    assert folder.reopen("file") is None
    partial = folder.create("file")
    write(partial, 0, b"x")
    partial.close()
    found = folder.reopen("file")
    assert found is not None
    found[0].close()
    assert _open_files() == before


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd")) if sys.platform.startswith("linux") else 0  # noqa: PTH208 - no paths are needed


# An older epoch


@posix_only
def test_a_new_epoch_has_a_file_of_its_own(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    old = folder.create("file")
    write(old, 0, b"old")
    new = folder.create("file")
    old.write(0, b"stale")
    old.record(piece(0, b"stale"))
    assert new.read(0, 10) == b""
    write(new, 0, b"new")
    old.close()
    new.close()
    found = Folder(tmp_path).reopen("file")
    assert found is not None
    assert found[1].pieces == (piece(0, b"new"),)
    found[0].close()


# What is left behind


def test_partial_files_are_listed_and_removed_by_name(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    assert folder.partial_keys() == set()
    assert folder.leftovers() == {}
    folder.forget_partial("a")
    folder.leave_empty()
    for path in ("a", "b", "c"):
        partial = folder.create(path)
        write(partial, 0, b"x")
        partial.close()
    assert folder.partial_keys() == {key_of(path) for path in ("a", "b", "c")}
    folder.forget_partial("a")
    assert folder.partial_keys() == {key_of("b"), key_of("c")}
    assert not own(tmp_path, "a", "part").exists()
    own(tmp_path, "b", "journal").unlink()
    assert folder.partial_keys() == {key_of("c")}
    assert set(folder.leftovers()) == {key_of("b"), key_of("c")}, "a part without a journal is left too"
    folder.leave_empty()
    folder.remove_left([key_of("b"), key_of("d")])
    assert set(folder.leftovers()) == {key_of("c")}
    folder.remove_left([key_of("c")])
    folder.leave_empty()
    assert not own(tmp_path, "c", "part").parent.exists()
    folder.create("d").discard()


def test_a_folder_in_place_of_a_partial_file_is_no_find_and_is_named(tmp_path: Path) -> None:
    partial = Folder(tmp_path).create("file")
    write(partial, 0, b"x")
    partial.close()
    part = own(tmp_path, "file", "part")
    part.unlink()
    part.mkdir()
    assert Folder(tmp_path).reopen("file") is None
    with pytest.raises(StorageError):
        Folder(tmp_path).create("file")


def test_a_file_that_changes_while_it_is_hashed_is_not_measured(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"before")

    class Appending(positioned.Seeking):
        def read_into(self, buffer: memoryview, offset: int) -> int:
            with (tmp_path / "file").open("ab") as file:
                file.write(b"more")
            return super().read_into(buffer, offset)

    folder = Folder(tmp_path)
    folder._io = Appending
    with refused("path"):
        folder.measure("file", ["sha256"])


def test_another_file_under_the_name_is_not_taken_for_the_finished_one(tmp_path: Path) -> None:
    part, other = tmp_path / "part", tmp_path / "other"
    part.write_bytes(b"verified")
    other.write_bytes(b"verified")
    with refused("path"):
        rename(str(part), str(tmp_path / "file"), Verified(other.stat(), "0" * 64))
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize("then", ["write", "finish", "digests"])
def test_a_partial_file_that_another_program_cut_gets_no_name(tmp_path: Path, then: str) -> None:
    partial = Folder(tmp_path).create("file")
    partial.follow(["sha256"], ())
    write(partial, 0, b"first")
    os.truncate(own(tmp_path, "file", "part"), 2)
    with refused("path"):
        if then == "write":
            # Behind the hole that this would leave, the file would be as long as it should be.
            write(partial, 5, b"second")
        partial.finish("file", 5, partial.digests(5, ["sha256"]) if then == "digests" else SHA)
    partial.close()
    assert not (tmp_path / "file").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="asks how much room a file takes, as POSIX says it")
@pytest.mark.parametrize("hole", ["all", "front"])
def test_a_partial_file_with_holes_that_another_program_made_gets_no_name(tmp_path: Path, hole: str) -> None:
    content = b"x" * MIB
    partial = Folder(tmp_path).create("file")
    partial.follow(["sha256"], ())
    partial.write(0, content)
    digests = partial.digests(MIB, ["sha256"])
    part = own(tmp_path, "file", "part")
    # As long as it was before, and as the digests say that it is.
    os.truncate(part, 0 if hole == "all" else MIB // 2)
    os.truncate(part, MIB)
    with refused("path"):
        partial.finish("file", MIB, digests)
    partial.close()
    assert not (tmp_path / "file").exists()


def test_a_file_whose_room_tells_nothing_is_looked_at_and_gets_its_name(tmp_path: Path) -> None:
    part = own(tmp_path, "file", "part")
    partial = Folder(tmp_path).create("file")
    partial.write(MIB - 1, b"\0")
    digests = digests_of_file(partial._io, MIB, ["sha256"])
    assert part.stat().st_size == MIB
    assert partial.finish("file", MIB, digests).size == MIB


class FewFiles(System):
    """Opens no file that is there already, for want of descriptors."""

    def open(self, path: str, flags: int, mode: int = 0o777) -> int:  # type: ignore[override]
        if not flags & os.O_CREAT:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return os.open(path, flags, mode)


def test_where_the_system_gives_too_little_to_look_what_an_earlier_run_left_stays(tmp_path: Path) -> None:
    write(Folder(tmp_path).create("file"), 0, b"received")
    with refused("resources"):
        Folder(tmp_path, system=FewFiles()).reopen("file")
    found = Folder(tmp_path).reopen("file")
    assert found is not None
    assert found[0].read(0, 8) == b"received"
    found[0].close()


@posix_only
def test_a_part_that_got_its_mode_and_not_its_name_is_gone_on_with() -> None:
    with own_folder() as root:
        partial = Folder(root).create("file")
        write(partial, 0, b"verified")
        partial.close()
        own(root, "file", "part").chmod(0o444)
        found = Folder(root).reopen("file")
        assert found is not None
        assert found[0].read(0, 8) == b"verified"
        found[0].close()


def test_a_copy_to_another_file_system_has_mode_and_time_too(tmp_path: Path) -> None:
    class Elsewhere(System):
        """Renames nothing from one folder to another, as where a file system is mounted below."""

        def replace(self, source: str, target: str) -> None:  # type: ignore[override]
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    wanted = Attributes(0o640, 1_500_000_000_000_000_000)
    identity = Folder(tmp_path, system=Elsewhere()).store("file", Content(b"x", ["sha256"]), wanted)
    status = (tmp_path / "file").stat()
    assert (identity.mtime_ns, status.st_mtime_ns, stat.S_IMODE(status.st_mode)) == (wanted.mtime_ns, wanted.mtime_ns, 0o640)
