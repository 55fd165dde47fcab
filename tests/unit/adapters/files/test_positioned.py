"""Reads and writes at offsets by many threads at once, with and without the system's own calls for it."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from marscore.adapters.files import positioned
from marscore.adapters.files.folder import Folder
from marscore.errors import StorageError

BLOCK = 512


@pytest.fixture(params=["posix", "seeking"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[positioned.Positioned]:
    if request.param == "posix" and not hasattr(os, "pwrite"):
        pytest.skip("no pwrite here")
    fd = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0))
    yield positioned.Posix(fd) if request.param == "posix" else positioned.Seeking(fd)
    os.close(fd)


def test_bytes_are_where_they_were_written(file: positioned.Positioned) -> None:
    assert file.write([b"world"], 7) == 5
    assert file.write([b"hel", memoryview(b"lo, ")], 0) == 7
    assert file.read(100, 0) == b"hello, world"
    assert file.read(5, 7) == b"world"
    assert file.read(5, 12) == b""


def test_what_lies_before_the_first_byte_reads_as_zeros(file: positioned.Positioned) -> None:
    file.write([b"x"], 3)
    assert file.read(10, 0) == b"\0\0\0x"


def test_threads_do_not_move_each_others_place(file: positioned.Positioned) -> None:
    wrong: list[int] = []

    def work(number: int) -> None:
        for turn in range(50):
            place = (turn * 4 + number) * BLOCK
            file.write([bytes([number]) * BLOCK], place)
            if file.read(BLOCK, place) != bytes([number]) * BLOCK:
                wrong.append(place)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert file.read(200 * BLOCK, 0) == b"".join(bytes([n]) * BLOCK for n in range(4)) * 50


def test_space_is_reserved_without_a_byte_in_the_file_or_not_at_all(file: positioned.Positioned) -> None:
    file.write([b"before"], 0)
    assert not (file.allocate(1024 * 1024) and isinstance(file, positioned.Seeking))
    assert file.read(100, 0) == b"before"


def test_a_system_that_reserves_none_is_not_an_error() -> None:
    reading, writing = os.pipe()
    try:
        assert not positioned.choose()(writing).allocate(1024)
    finally:
        os.close(reading)
        os.close(writing)


@pytest.mark.skipif(not hasattr(os, "preadv"), reason="this system's own calls are not used")
@pytest.mark.parametrize(("codes", "reserved"), [([], True), ([errno.EINTR, errno.EINTR], True), ([errno.EOPNOTSUPP], False)])
def test_what_the_system_says_to_the_wish_for_space(
    codes: list[int], reserved: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(positioned, "_call", answering(codes))
    with (tmp_path / "file").open("wb") as file:
        assert positioned.Posix(file.fileno()).allocate(1024) is reserved


@pytest.mark.skipif(not hasattr(os, "preadv"), reason="this system's own calls are not used")
def test_a_disk_that_has_no_space_after_all_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(positioned, "_call", answering([errno.ENOSPC]))
    partial = Folder(tmp_path).create("file")
    with pytest.raises(StorageError) as caught:
        partial.reserve(2 * 1024 * 1024)
    assert caught.value.failure.kind == "disk_full"
    partial.discard()


def answering(codes: list[int]) -> Callable[[str], object]:
    """A system whose fallocate fails with these codes, one after the other, and then succeeds."""
    left = list(codes)

    def fallocate(*_arguments: int) -> int:
        ctypes.set_errno(left[0] if left else 0)
        return -1 if left and left.pop(0) else 0

    return lambda name: fallocate if name == "fallocate" else None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="these calls are Linux's")
def test_a_c_library_whose_names_have_no_64_in_them_reserves_space_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def fallocate(*_arguments: int) -> int:
        return 0

    monkeypatch.setattr(positioned.ctypes, "CDLL", lambda *_, **__: SimpleNamespace(fallocate=fallocate))
    positioned._call.cache_clear()
    try:
        assert positioned._call("fallocate") is fallocate
        assert positioned._call("fstatfs") is None
    finally:
        positioned._call.cache_clear()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="these calls are Linux's")
def test_this_system_has_both_calls() -> None:
    assert positioned._call("fallocate") is not None
    assert positioned._call("fstatfs") is not None


def test_the_portable_one_is_had_for_the_asking() -> None:
    assert positioned.choose(portable=True) is positioned.Seeking
    assert positioned.choose() is (positioned.Posix if hasattr(os, "pwrite") else positioned.Seeking)
