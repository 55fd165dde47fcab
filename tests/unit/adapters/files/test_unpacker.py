"""Archives on a real disk: nothing of a hostile one is ever at its place, and nobody's files are lost to an honest one."""

from __future__ import annotations

import bz2
import contextlib
import ctypes
import gzip
import io
import lzma
import os
import random
import stat
import struct
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from marscore.adapters.files import exchange, extraction, haste
from marscore.adapters.files.extraction import Limits
from marscore.adapters.files.rename import identity_of
from marscore.adapters.files.tree_records import TreeRecords
from marscore.adapters.files.unpacker import Unpacker
from marscore.errors import StorageError
from marscore.ports import Unpacking
from marscore.resolve.archive_names import Names
from marscore.state import Claim
from marscore.validator import Validator
from marscore.values import FailureKind, Unpacked
from tests.disk import files_in
from tests.integration.archives import FILES, entry, member, tar, zipped

SMALL = Limits(entries=20, bytes=1_000_000, ratio=50, floor=50_000)


def asked(root: Path, content: bytes, **more: Any) -> Unpacking:
    """An archive in place."""
    path = root / "archive"
    path.write_bytes(content)
    claim = Claim("path", "url", identity_of(path.stat()), (f"sha256:{len(content):064x}",), Validator(), durable=True)
    return Unpacking("archive", "tree", claim, **more)


def unpack(
    root: Path, content: bytes, *, limits: Limits = SMALL, names: Names = "posix", wanted: Callable[[], bool] = lambda: True, **more: Any
) -> Unpacked:
    return Unpacker(root, None, limits, names).unpack(asked(root, content, **more), wanted)


def refused(root: Path, content: bytes, kind: FailureKind, **more: Any) -> str:
    """Why an archive was refused, after which nothing of it is there."""
    with pytest.raises(StorageError) as caught:
        unpack(root, content, **more)
    assert caught.value.failure.kind == kind, caught.value.failure
    assert {path.name for path in root.iterdir()} == {".marscore", "archive"}
    assert list((root / ".marscore" / "unpack").iterdir()) == []
    return caught.value.failure.message


def content_of(root: Path) -> dict[str, bytes]:
    tree = root / "tree"
    return {
        path.relative_to(tree).as_posix(): path.read_bytes() for path in sorted(tree.rglob("*")) if path.is_file() and not path.is_symlink()
    }


MAKES: dict[str, Callable[[], bytes]] = {
    "tar": lambda: tar(mode="w:"),
    "tar.gz": lambda: tar(mode="w:gz"),
    "tar.bz2": lambda: tar(mode="w:bz2"),
    "tar.xz": lambda: tar(mode="w:xz"),
    "zip": zipped,
    "two gz one behind the other": lambda: gzip.compress(tar(mode="w:")[:1000]) + gzip.compress(tar(mode="w:")[1000:]),
}


@pytest.mark.parametrize("make", MAKES)
def test_an_honest_archive_is_unpacked_with_modes_and_times(tmp_path: Path, make: str) -> None:
    told = unpack(tmp_path, MAKES[make]())
    assert content_of(tmp_path) == dict(FILES)
    assert told == Unpacked("tree", 4, sum(map(len, FILES.values())))
    status = (tmp_path / "tree/top/bin/tool").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_mtime) == (0o755, 1_600_000_000)
    assert stat.S_IMODE((tmp_path / "tree/top/readme.txt").stat().st_mode) == 0o644
    assert not (tmp_path / ".marscore/unpack").exists() or not list((tmp_path / ".marscore/unpack").iterdir())


def test_a_zstd_archive_is_unpacked_where_that_is_installed(tmp_path: Path) -> None:
    zstandard = pytest.importorskip("zstandard")
    packed = zstandard.ZstdCompressor().compress(tar(mode="w:"))
    unpack(tmp_path, packed)
    assert content_of(tmp_path) == dict(FILES)
    with pytest.raises(StorageError, match="damaged"):
        unpack(tmp_path, packed[:-30])


@pytest.mark.parametrize("content", [tar({}, mode="w:"), bytes(1024), tar({}), zipped({})], ids=["tar", "two blocks", "tar.gz", "zip"])
def test_an_archive_without_entries_is_an_empty_folder(tmp_path: Path, content: bytes) -> None:
    told = unpack(tmp_path, content)
    assert (told.files, told.bytes) == (0, 0)
    assert list((tmp_path / "tree").iterdir()) == []
    assert TreeRecords(tmp_path).look("tree", None).standing == "whole"


def zst(content: bytes) -> bytes:
    packed: bytes = pytest.importorskip("zstandard").ZstdCompressor().compress(content)
    return packed


def test_a_zstd_frame_that_is_to_be_skipped_is_skipped_wherever_it_stands(tmp_path: Path) -> None:
    skipped = b"\x5a\x2a\x4d\x18" + struct.pack("<L", 700) + b"x" * 700
    whole = tar(mode="w:")
    for content in (skipped + zst(whole), skipped * 2 + zst(whole[:1000]) + skipped + zst(whole[1000:]) + skipped):
        unpack(tmp_path, content)
        assert content_of(tmp_path) == dict(FILES)


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda content: content,
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zst,
}


@pytest.mark.parametrize("garbage", [b"garbage" * 9, b"<html>" + bytes(5000), b"x", bytes(600), bytes(50) + b"x" * 20_000])
@pytest.mark.parametrize("make", [*PACKED, "zip"])
def test_what_stands_behind_the_end_of_an_archive_is_not_looked_at_whatever_its_format(tmp_path: Path, make: str, garbage: bytes) -> None:
    content = zipped() if make == "zip" else PACKED[make](tar(mode="w:"))
    unpack(tmp_path, content + garbage)
    assert content_of(tmp_path) == dict(FILES)


@pytest.mark.parametrize("make", [*PACKED])
def test_what_stands_where_an_archive_should_go_on_is_no_end(tmp_path: Path, make: str) -> None:
    whole = tar(mode="w:")
    at = whole.rindex(b"top/data/big.bin")
    refused(tmp_path, PACKED[make](whole[:at]) + b"garbage" * 1000, "archive")
    refused(tmp_path, PACKED[make](whole[: at + 4096]) + b"garbage" * 1000, "archive")


def test_a_second_stream_that_is_damaged_is_no_garbage(tmp_path: Path) -> None:
    whole = tar(mode="w:")
    second = gzip.compress(whole[2000:])
    unpack(tmp_path, gzip.compress(whole[:2000]) + second)
    (tmp_path / "more").mkdir()
    refused(tmp_path / "more", gzip.compress(whole[:2000]) + second[:-8] + b"12345678", "archive")


@pytest.mark.parametrize("make", ["w:", "zip"])
def test_too_many_entries_are_told_before_any_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: str) -> None:
    files = {f"f{number}": b"x" for number in range(21)}

    def never(self: object, *entry: object) -> None:
        raise AssertionError("an entry was taken")

    monkeypatch.setattr(extraction.Extraction, "_take", never)
    message = refused(tmp_path, zipped(files) if make == "zip" else tar(files, mode=make), "too_large")
    assert "entries" in message


def test_a_hard_link_to_what_is_not_wanted_says_so(tmp_path: Path) -> None:
    linked = tar({"a/one": b"1"}, member("a/two", tarfile.LNKTYPE, "a/one"))
    assert "which only does not name" in refused(tmp_path, linked, "path", only=("a/two",))
    linked = tar({"one": b"1"}, member("a/two", tarfile.LNKTYPE, "one"))
    assert "a/two is a hard link to one, to which strip leaves no name" in refused(tmp_path, linked, "path", strip=1)
    dangling = tar({"one": b"1"}, member("two", tarfile.LNKTYPE, "three"))
    assert "what is no file before it" in refused(tmp_path, dangling, "path")


def test_parts_of_names_go_and_what_is_not_wanted_stays_out(tmp_path: Path) -> None:
    unpack(tmp_path, tar(), strip=1, only=("top/bin", "**/*.txt"))
    assert sorted(content_of(tmp_path)) == ["bin/tool", "readme.txt"]
    assert not (tmp_path / "tree/data").exists()


LINKS: dict[str, tarfile.TarInfo] = {
    "symlink to an absolute path": member("l", tarfile.SYMTYPE, "/etc/passwd"),
    "symlink out of the folder": member("top/l", tarfile.SYMTYPE, "../../x"),
    "hard link out of the folder": member("l", tarfile.LNKTYPE, "../archive"),
    "hard link to an absolute path": member("l", tarfile.LNKTYPE, "/etc/passwd"),
    "hard link to what is not there": member("l", tarfile.LNKTYPE, "nothing"),
}
ESCAPES: dict[str, Callable[[], bytes]] = {
    **{name: (lambda made=made: tar(FILES, made)) for name, made in LINKS.items()},  # type: ignore[misc]
    "absolute name": lambda: tar({"/tmp/evil": b"x"}),
    "..": lambda: tar({"top/../../evil": b"x"}),
    ".. that stays inside": lambda: tar({"top/../evil": b"x"}),
    "drive": lambda: tar({"C:\\evil": b"x"}),
    "device": lambda: tar(FILES, member("dev", tarfile.CHRTYPE)),
    "block device": lambda: tar(FILES, member("dev", tarfile.BLKTYPE)),
    "pipe": lambda: tar(FILES, member("pipe", tarfile.FIFOTYPE)),
    "file through a link": lambda: tar({}, member("l", tarfile.SYMTYPE, "top"), member("l/evil")),
    "link and then a file through it": lambda: tar({}, member("l", tarfile.SYMTYPE, "."), member("l/l2", tarfile.SYMTYPE, "..")),
    "links through links": lambda: tar(
        {}, member("a/b/up", tarfile.SYMTYPE, "../.."), member("out", tarfile.SYMTYPE, "a/b/up/../x"), member("a/b", tarfile.DIRTYPE)
    ),
    "many links through links": lambda: tar(
        {},
        *(member(f"l{number}", tarfile.SYMTYPE, f"l{number + 1}/../l{number + 1}") for number in range(18)),
        member("l18", tarfile.SYMTYPE, ".."),
    ),
    "a file and a folder of one name": lambda: tar({"a": b"x", "a/b": b"y"}),
    "a folder and a file of one name": lambda: tar({"a/b": b"x", "a": b"y"}),
    "zip: ..": lambda: zipped({}, [(entry("../evil"), b"x")]),
    "zip: .. with backslashes": lambda: zipped({}, [(entry("top\\..\\..\\evil"), b"x")]),
    "zip: absolute": lambda: zipped({}, [(entry("/evil"), b"x")]),
    "zip: drive": lambda: zipped({}, [(entry("c:/evil"), b"x")]),
    "zip: UNC": lambda: zipped({}, [(entry("\\\\host\\share\\evil"), b"x")]),
    "zip: NUL": lambda: zipped({}, [(entry("ok.txt\0/../../evil"), b"x")]).replace(b"ok.txt/", b"ok.txt\0"),
    "zip: symlink out": lambda: zipped({}, [(entry("l", stat.S_IFLNK | 0o777), b"../x")]),
    "zip: file through a symlink": lambda: zipped({}, [(entry("l", stat.S_IFLNK | 0o777), b"."), (entry("l/evil"), b"x")]),
    "zip: device": lambda: zipped({}, [(entry("dev", stat.S_IFCHR | 0o644), b"")]),
}


@pytest.mark.parametrize("name", ESCAPES)
def test_an_entry_that_leaves_the_folder_refuses_the_archive(tmp_path: Path, name: str) -> None:
    root = tmp_path / "output"
    root.mkdir()
    refused(root, ESCAPES[name](), "path")
    assert [path.name for path in tmp_path.iterdir()] == ["output"]


def test_also_one_that_nobody_asked_for(tmp_path: Path) -> None:
    refused(tmp_path, tar({**FILES, "../evil": b"x"}), "path", only=("top/bin",))


@pytest.mark.parametrize("make", ["symlink", "hard link"])
def test_links_that_stay_inside_are_made_and_on_windows_refused(tmp_path: Path, make: str) -> None:
    link = member("top/l", tarfile.SYMTYPE, "bin/tool") if make == "symlink" else member("top/l", tarfile.LNKTYPE, "top/bin/tool")
    unpack(tmp_path, tar(FILES, link))
    assert (tmp_path / "tree/top/l").read_bytes() == FILES["top/bin/tool"]
    assert (tmp_path / "tree/top/l").is_symlink() == (make == "symlink")
    with pytest.raises(StorageError, match="this system does not have"):
        unpack(tmp_path, tar(FILES, link), names="windows")
    assert (tmp_path / "tree/top/l").read_bytes() == FILES["top/bin/tool"], "what was there stays"


@pytest.mark.parametrize("name", ["aux.txt", "a:b", "a/b.", "trailing "])
def test_names_that_windows_does_not_take_are_refused_there(tmp_path: Path, name: str) -> None:
    refused(tmp_path, tar({name: b"x"}), "path", names="windows")


def bomb(size: int) -> bytes:
    return tar({"zeros": bytes(size)})


def overlapping() -> bytes:
    """A zip whose directory names the same content twice."""
    data = zipped({"a": b"x" * 1000, "b": b"y" * 1000})
    at = data.rindex(b"PK\x01\x02")
    return data[: at + 42] + struct.pack("<L", 0) + data[at + 46 :]


def pax_bomb() -> bytes:
    """A header that says that it is as large as a disk."""
    held = io.BytesIO()
    made = member("x", tarfile.XHDTYPE, size=2**33)
    held.write(made.tobuf(tarfile.GNU_FORMAT))
    held.write(bytes(100_000))
    return gzip.compress(held.getvalue())


def sparse_bomb() -> bytes:
    """A TiB of nothing, in one block (GNU tar's sparse format 1.0)."""
    said = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "x", "GNU.sparse.realsize": str(2**40)}
    made = member("x", size=512, pax_headers=said)
    return gzip.compress(made.tobuf(tarfile.PAX_FORMAT) + b"0\n".ljust(512, b"\0") + bytes(10_240))


TOO_LARGE: dict[str, Callable[[], bytes]] = {
    "bytes": lambda: tar({"noise": random.Random(1).randbytes(1_200_000)}),
    "ratio": lambda: bomb(400_000),
    "ratio of what is left out": lambda: tar({"zeros": bytes(400_000), "top/a": b""}),
    "zip ratio": lambda: zipped({"zeros": bytes(400_000)}),
    "entries": lambda: tar({f"f{number}": b"" for number in range(21)}),
    "zip entries": lambda: zipped({f"f{number}": b"" for number in range(21)}),
    "pax header": pax_bomb,
    "sparse": sparse_bomb,
}


@pytest.mark.parametrize("name", TOO_LARGE)
def test_an_archive_that_holds_too_much_is_refused(tmp_path: Path, name: str) -> None:
    refused(tmp_path, TOO_LARGE[name](), "too_large", only=("top",) if "left out" in name else ())


def test_a_zip_that_promises_less_than_it_holds_is_counted_by_what_is_written(tmp_path: Path) -> None:
    data = zipped({"zeros": bytes(400_000)})
    lied = data.replace(struct.pack("<L", 400_000), struct.pack("<L", 10))
    refused(tmp_path, lied, "archive")


def zip64() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive, archive.open("a.txt", "w", force_zip64=True) as file:
        file.write(b"content")
    return held.getvalue()


def test_zip64_and_old_names_are_read(tmp_path: Path) -> None:
    unpack(tmp_path, zip64())
    assert content_of(tmp_path) == {"a.txt": b"content"}
    # Code page 437, and UTF-8 that does not say so.
    old = zipped({}, [(entry("caf\u00e9x"), b"1")]).replace("caf\u00e9x".encode(), b"caf\x82??"[:6])
    unpack(tmp_path, old.replace(b"\x00\x08\x00\x00", b"\x00\x00\x00\x00"))
    assert len(content_of(tmp_path)) == 1


DAMAGED: dict[str, Callable[[], bytes]] = {
    "no archive": lambda: b"<html>Please log in</html>" * 100,
    "empty": lambda: b"",
    "gz of no archive": lambda: gzip.compress(b"hello" * 1000),
    "cut gz": lambda: tar()[:-20],
    "cut tar at an entry's end": lambda: tar({"a": b"x" * 512, "b": b"y"}, mode="w:")[:1024],
    "cut tar in an entry": lambda: tar(mode="w:")[:3000],
    "a broken header in the middle": lambda: tar({"a": b"x" * 512, "b": b"y"}, mode="w:").replace(b"b\0\0\0\0", b"c\0\0\0\0", 1),
    "bad CRC": lambda: tar()[:-8] + b"12345678",
    "encrypted zip": lambda: zipped({"a": b"x"}).replace(b"PK\x01\x02\x14\x03\x14\x00\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01\x00"),
    "names twice": lambda: zipped({"a": b"x"}, [(entry("a"), b"y")]),
    "overlapping": overlapping,
    "zip with a bad CRC": lambda: zipped({"a": b"hello world" * 9}).replace(b"\xcb", b"\xcc"),
    "xz that ends": lambda: tar(mode="w:xz")[:-40],
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", DAMAGED)
def test_what_cannot_be_read_to_its_end_is_refused(tmp_path: Path, name: str) -> None:
    refused(tmp_path, DAMAGED[name](), "archive")


def test_the_later_of_two_entries_of_a_tar_holds(tmp_path: Path) -> None:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        for content in (b"first", b"second"):
            made = member("a", size=len(content))
            archive.addfile(made, io.BytesIO(content))
    unpack(tmp_path, held.getvalue())
    assert content_of(tmp_path) == {"a": b"second"}


def test_another_archive_replaces_what_was_unpacked_and_leaves_the_rest(tmp_path: Path) -> None:
    unpack(tmp_path, tar({"a": b"1", "old/b": b"1", "same": b"1"}))
    (tmp_path / "tree/mine").mkdir()
    (tmp_path / "tree/mine/notes").write_text("mine")
    (tmp_path / "tree/old/notes").write_text("mine too")
    (tmp_path / "tree/a").write_text("changed by hand")
    before = (tmp_path / "tree/mine/notes").stat().st_ino
    unpack(tmp_path, tar({"a": b"2", "new/c": b"2"}))
    assert content_of(tmp_path) == {"a": b"2", "new/c": b"2", "mine/notes": b"mine", "old/notes": b"mine too"}
    assert (tmp_path / "tree/mine/notes").stat().st_ino == before
    assert list((tmp_path / ".marscore/unpack").iterdir()) == []


@pytest.mark.parametrize("there", ["file in the folder", "file at its name", "link at its name", "folder where a file goes", "pipe"])
def test_nobody_else_s_files_are_replaced(tmp_path: Path, there: str) -> None:
    tree = tmp_path / "tree"
    if there in ("file in the folder", "pipe", "folder where a file goes"):
        tree.mkdir()
    match there:
        case "file in the folder":
            (tree / "a").write_text("mine")
        case "file at its name":
            tree.write_text("mine")
        case "link at its name":
            tree.symlink_to(tmp_path)
        case "folder where a file goes":
            (tree / "a").mkdir()
        case "pipe":
            os.mkfifo(tree / "pipe")
    with pytest.raises(StorageError) as caught:
        unpack(tmp_path, tar({"a": b"1"}))
    assert caught.value.failure.kind == "path"
    assert there != "file in the folder" or (tree / "a").read_text() == "mine"
    assert list((tmp_path / ".marscore/unpack").iterdir()) == []


def test_files_that_have_the_right_content_already_are_in_nobody_s_way(tmp_path: Path) -> None:
    """As where the state was lost."""
    unpack(tmp_path, tar())
    (tmp_path / ".marscore").rename(tmp_path / "lost")
    unpack(tmp_path, tar())
    assert content_of(tmp_path) == dict(FILES)


class Killed(BaseException):
    """What a test raises where a run is killed."""


@pytest.mark.parametrize("atomic", [True, False])
@pytest.mark.parametrize("number", range(8))
def test_a_kill_at_any_step_of_the_exchange_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, atomic: bool, number: int
) -> None:
    """Whatever stands at the place then, does not count; the next run ends right."""
    unpack(tmp_path, tar({"a": b"1", "b": b"1"}))
    (tmp_path / "tree/mine").write_text("mine")
    left = [number]

    def dying(call: Any) -> Any:
        def died(*arguments: Any, **more: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return call(*arguments, **more)

        return died

    with monkeypatch.context() as patched:
        if not atomic:
            patched.setattr(exchange, "_exchanged", lambda one, other: False)
        for owner, name in ((Path, "rename"), (Path, "replace"), (Path, "unlink"), (Path, "rmdir"), (exchange, "_fsync_folder")):
            patched.setattr(owner, name, dying(getattr(owner, name)))
        with contextlib.suppress(Killed):
            unpack(tmp_path, tar({"a": b"2", "c": b"2"}))
    found = TreeRecords(tmp_path).look("tree", None)
    if found.standing == "whole":
        assert (
            {file.path for file in found.tree.files} == {path for path in content_of(tmp_path) if path != "mine"} if found.tree else False
        )
    unpack(tmp_path, tar({"a": b"2", "c": b"2"}))
    assert content_of(tmp_path) == {"a": b"2", "c": b"2", "mine": b"mine"}
    assert TreeRecords(tmp_path).look("tree", None).standing == "whole"
    assert list((tmp_path / ".marscore/unpack").iterdir()) == []


@pytest.mark.skipif(not sys.platform.startswith("linux") or sys.maxsize < 2**32, reason="the call is Linux's")
def test_two_folders_are_exchanged_in_one_step_also_where_the_c_library_has_no_name_for_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    exchanged = exchange._exchanged(str(tmp_path / "one"), str(tmp_path / "other"))
    real = ctypes.CDLL(None, use_errno=True)
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: SimpleNamespace(syscall=real.syscall))
    again = exchange._exchanged(str(tmp_path / "one"), str(tmp_path / "other"))
    assert again == (exchanged and os.uname().machine in exchange._RENAMEAT2)
    assert (tmp_path / "one" / "one").exists() == (again == exchanged)
    assert not exchange._exchanged(str(tmp_path / "one"), str(tmp_path / "nowhere"))


def test_a_stop_ends_it_at_the_next_chunk_and_leaves_nothing(tmp_path: Path) -> None:
    left = [5]

    def wanted() -> bool:
        left[0] -= 1
        return left[0] > 0

    assert refused(tmp_path, tar(), "interrupted", wanted=wanted)


def test_an_archive_that_changes_is_noticed(tmp_path: Path) -> None:
    wanted = asked(tmp_path, tar())
    (tmp_path / "archive").write_bytes(tar({"other": b"x"}))
    with pytest.raises(StorageError, match="changed after it was verified"):
        Unpacker(tmp_path).unpack(wanted, lambda: True)
    assert not (tmp_path / "tree").exists()


def test_a_folder_that_was_copied_is_known_by_its_content_and_one_that_changed_is_not(tmp_path: Path) -> None:
    unpack(tmp_path, tar(FILES, member("top/l", tarfile.SYMTYPE, "bin/tool")))
    records = TreeRecords(tmp_path)
    os.utime(tmp_path / "tree/top/readme.txt")
    assert records.look("tree", None).standing == "whole"
    assert records.of("tree") == records.look("tree", None).tree, "what was proven is noted"
    for change in (
        lambda: (tmp_path / "tree/top/readme.txt").write_bytes(b"hellO\n"),
        lambda: (tmp_path / "tree/top/data/empty").unlink(),
        lambda: ((tmp_path / "tree/top/l").unlink(), (tmp_path / "tree/top/l").symlink_to("data")),
        lambda: (tmp_path / "tree").rename(tmp_path / "other"),
    ):
        change()
        assert records.look("tree", None).standing == "changed"
        unpack(tmp_path, tar(FILES, member("top/l", tarfile.SYMTYPE, "bin/tool")))
        assert records.look("tree", None).standing == "whole"
    assert files_in(tmp_path / "tree") != {}


def test_a_disk_without_room_leaves_nothing_of_it(tmp_path: Path) -> None:
    """A limit of the process counts as a full disk, and needs no file system of its own."""
    resource = pytest.importorskip("resource")
    wanted = asked(tmp_path, tar())
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(StorageError) as caught:
            Unpacker(tmp_path).unpack(wanted, lambda: True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.failure.kind == "disk_full"
    assert {path.name for path in tmp_path.iterdir()} == {".marscore", "archive"}
    assert list((tmp_path / ".marscore" / "unpack").iterdir()) == []


@pytest.mark.parametrize("asks", range(1, 60, 3))
def test_a_stop_while_an_old_tree_is_cleared_ends_in_time_and_the_next_run_ends_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asks: int
) -> None:
    """Half a second is nothing here, so that it ends at the first look after the stop."""
    unpack(tmp_path, tar({str(number): b"1" for number in range(10)}))
    (tmp_path / "tree/mine").write_text("mine")
    left = [asks]

    def wanted() -> bool:
        left[0] -= 1
        return left[0] > 0

    newer = tar({"2": b"2", "new": b"2"})
    with monkeypatch.context() as patched:
        patched.setattr(haste.Haste.__init__, "__defaults__", (0,))
        with contextlib.suppress(StorageError):
            unpack(tmp_path, newer, wanted=wanted)
    assert (tmp_path / "tree/mine").read_text() == "mine"
    standing = TreeRecords(tmp_path).look("tree", None).standing
    assert standing == "changed" or set(content_of(tmp_path)) in ({"2", "new", "mine"}, {*map(str, range(10)), "mine"})
    unpack(tmp_path, newer)
    assert content_of(tmp_path) == {"2": b"2", "new": b"2", "mine": b"mine"}
    assert TreeRecords(tmp_path).look("tree", None).standing == "whole"
    assert list((tmp_path / ".marscore/unpack").iterdir()) == []
