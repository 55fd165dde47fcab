"""What every FileStore does: the real folder, the same without POSIX-only calls and on a simulated disk, an object store, the fake."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from marscore.errors import StorageError
from marscore.journal import Header, Piece, PieceHasher
from marscore.ports import Partial
from marscore.state import Attributes, Content, Measured, key_of
from marscore.validator import Validator
from tests.contract.places import Disk, Handles, InStore, Memory, OnSimulatedDisk, Place

PATH = "folder/file.bin"
HEADER = Header(key_of("http://origin.example/file.bin"), 12, Validator('"v1"'))
CONTENT = b"hello, world"
SHA = {"sha256": hashlib.sha256(CONTENT).hexdigest()}

MAKES: dict[str, Callable[[Path], Place]] = {
    "folder": lambda root: Disk(root, portable=False),
    "portable folder": lambda root: Disk(root, portable=True),
    "simulated disk": lambda root: OnSimulatedDisk(),
    "memory": lambda root: Memory(),
    "object store": InStore,
}


@pytest.fixture(params=MAKES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return MAKES[request.param](tmp_path / "output")


#: For what only folders have: folders in the way, modes and times, names with controls. A store also reads what it is given.
of_folders = pytest.mark.parametrize("place", [name for name in MAKES if name != "object store"], indirect=True)


@pytest.fixture
def handles() -> Iterator[Handles]:
    kept = Handles()
    yield kept
    kept.close()


def piece(offset: int, data: bytes) -> Piece:
    hasher = PieceHasher(offset)
    hasher.update(data)
    return hasher.piece()


def write(partial: Partial, offset: int, data: bytes) -> None:
    """Write and record, as the driver does."""
    partial.describe(HEADER)
    partial.write(offset, data)
    partial.record(piece(offset, data))


@pytest.fixture
def begun(place: Place, handles: Handles) -> Partial:
    """A partial file with its first seven bytes."""
    partial = handles.keep(place.store.create(PATH))
    write(partial, 0, CONTENT[:7])
    return partial


# On its way


def test_a_new_partial_file_is_empty_and_has_no_journal(place: Place, handles: Handles) -> None:
    partial = handles.keep(place.store.create(PATH))
    assert partial.read(0, 10) == b""
    assert place.part(PATH) == b""
    assert place.journal(PATH) is None
    assert place.content(PATH) is None


@pytest.mark.parametrize("order", [(0, 5, 9), (9, 5, 0), (5, 9, 0)])
def test_bytes_are_written_at_their_offsets_in_any_order(place: Place, handles: Handles, order: tuple[int, ...]) -> None:
    partial = handles.keep(place.store.create(PATH))
    ends = {0: 5, 5: 9, 9: 12}
    for start in order:
        partial.write(start, memoryview(CONTENT)[start : ends[start]])
    assert partial.read(0, 100) == CONTENT
    assert partial.read(3, 4) == CONTENT[3:7]
    assert partial.read(12, 4) == b""
    assert partial.digests(12, ["sha256"]) == SHA


def test_digests_are_of_the_first_bytes_only_and_of_every_algorithm(begun: Partial) -> None:
    assert begun.digests(5, ["sha256", "md5", "blake2b"]) == {
        "sha256": hashlib.sha256(CONTENT[:5]).hexdigest(),
        "md5": hashlib.md5(CONTENT[:5]).hexdigest(),
        "blake2b": hashlib.blake2b(CONTENT[:5]).hexdigest(),
    }


def test_a_journal_that_is_begun_can_still_say_that_its_pieces_wait_for_a_checksum(place: Place, handles: Handles) -> None:
    partial = handles.keep(place.store.create(PATH))
    partial.describe(HEADER)
    partial.record(piece(0, b"x"))
    partial.close()
    found = place.restart().reopen(PATH)
    assert found is not None
    later = handles.keep(found[0])
    later.describe(Header("another url", None, Validator(), proof="checksum", checksums=("key",)))
    later.record(piece(1, b"y"))
    later.close()
    again = place.restart().reopen(PATH)
    assert again is not None
    handles.keep(again[0])
    assert again[1].header == replace(HEADER, proof="checksum", checksums=("key",))
    assert again[1].pieces == (piece(0, b"x"), piece(1, b"y"))


@pytest.mark.parametrize(
    ("told", "size"),
    [
        (replace(HEADER, size=9), 9),
        (replace(HEADER, size=9, validator=Validator('"another"')), None),
        (replace(HEADER, size=9, url_key="another url"), None),
    ],
    ids=["of the same version", "of another version", "of another source"],
)
def test_a_journal_that_is_begun_takes_a_size_that_became_known_of_its_version(
    place: Place, handles: Handles, told: Header, size: int | None
) -> None:
    partial = handles.keep(place.store.create(PATH))
    partial.describe(replace(HEADER, size=None))
    partial.record(piece(0, b"x"))
    partial.record(piece(9, b"beyond"))
    partial.describe(told)
    partial.record(piece(1, b"y"))
    partial.close()
    found = place.restart().reopen(PATH)
    assert found is not None
    handles.keep(found[0])
    assert found[1].header == replace(HEADER, size=size)
    assert found[1].pieces == (piece(0, b"x"), *([piece(9, b"beyond")] if size is None else []), piece(1, b"y"))


def test_the_journal_begins_with_the_first_piece_and_says_what_was_described_last(place: Place, handles: Handles) -> None:
    partial = handles.keep(place.store.create(PATH))
    partial.describe(Header("other", None, Validator()))
    partial.describe(HEADER)
    assert place.journal(PATH) is None
    partial.record(piece(0, b"x"))
    partial.describe(Header("too late", None, Validator()))
    partial.record(piece(1, b"y"))
    partial.close()
    found = place.restart().reopen(PATH)
    assert found is not None
    handles.keep(found[0])
    assert found[1].header == HEADER
    assert found[1].pieces == (piece(0, b"x"), piece(1, b"y"))


def test_a_piece_without_a_header_is_not_recorded(place: Place, handles: Handles) -> None:
    handles.keep(place.store.create(PATH)).record(piece(0, b"x"))
    assert place.journal(PATH) is None


def test_creating_anew_forgets_what_was_there_and_old_handles_write_nowhere(place: Place, handles: Handles, begun: Partial) -> None:
    begun.discard()
    fresh = handles.keep(place.store.create(PATH))
    begun.write(0, b"stale")
    begun.record(piece(0, b"stale"))
    assert fresh.read(0, 10) == b""
    assert place.part(PATH) == b""
    assert place.journal(PATH) is None


def test_partial_files_of_two_paths_know_nothing_of_each_other(place: Place, handles: Handles, begun: Partial) -> None:
    other = handles.keep(place.store.create("other.bin"))
    write(other, 0, b"other")
    assert begun.read(0, 100) == CONTENT[:7]
    other.discard()
    assert place.part(PATH) == CONTENT[:7]


# Finished


def test_finishing_gives_the_file_its_name_and_tells_what_identifies_it(place: Place, begun: Partial) -> None:
    write(begun, 7, CONTENT[7:])
    identity = begun.finish(PATH, 12, SHA)
    assert place.content(PATH) == CONTENT
    assert place.part(PATH) is None
    assert place.store.identify(PATH) == identity
    assert (identity.size, identity.kind) == (12, "file")
    assert place.store.measure(PATH, ["sha256"]) == Measured(identity, SHA)


def test_the_old_file_stays_until_the_new_one_is_finished(place: Place, begun: Partial) -> None:
    place.put(PATH, b"old")
    before = place.store.identify(PATH)
    write(begun, 7, CONTENT[7:])
    assert place.content(PATH) == b"old"
    identity = begun.finish(PATH, 12, SHA, Attributes(replaces=place.store.identify(PATH)))
    assert place.content(PATH) == CONTENT
    assert identity != before


@of_folders
@pytest.mark.parametrize(("size", "content"), [(7, CONTENT[:7]), (5, CONTENT[:5]), (0, b"")])
def test_a_finished_file_has_the_size_that_was_asked_for(place: Place, begun: Partial, size: int, content: bytes) -> None:
    assert begun.finish(PATH, size, SHA).size == size
    assert place.content(PATH) == content


def test_what_has_fewer_bytes_than_were_verified_gets_no_name(place: Place, begun: Partial) -> None:
    with pytest.raises(StorageError) as caught:
        begun.digests(9, ["sha256"])
    assert caught.value.failure.kind == "path"
    with pytest.raises(StorageError):
        begun.finish(PATH, 9, SHA)
    assert place.content(PATH) is None


def test_an_empty_file_can_be_finished_without_a_write(place: Place, handles: Handles) -> None:
    handles.keep(place.store.create("empty")).finish("empty", 0, {"sha256": hashlib.sha256().hexdigest()})
    assert place.content("empty") == b""


def test_a_file_that_came_in_one_piece_leaves_no_journal(place: Place, handles: Handles) -> None:
    partial = handles.keep(place.store.create(PATH))
    partial.describe(HEADER)
    partial.write(0, CONTENT)
    partial.finish(PATH, 12, SHA)
    assert place.journal(PATH) is None


# Late calls


@pytest.mark.parametrize("end", ["close", "discard", "finish"])
def test_a_late_write_goes_nowhere(place: Place, begun: Partial, end: str) -> None:
    write(begun, 7, CONTENT[7:])
    begun.finish(PATH, 12, SHA) if end == "finish" else getattr(begun, end)()
    journal = place.journal(PATH)
    begun.write(0, b"late!")
    begun.record(piece(0, b"late!"))
    begun.reserve(10**18)
    assert place.part(PATH) == (CONTENT if end == "close" else None)
    assert place.content(PATH) == (CONTENT if end == "finish" else None)
    assert place.journal(PATH) == journal
    assert begun.read(0, 5) == b""


@pytest.mark.parametrize("end", ["close", "discard", "finish"])
def test_closing_and_discarding_may_come_twice_and_never_take_a_finished_file(place: Place, begun: Partial, end: str) -> None:
    begun.finish(PATH, 7, begun.digests(7, ["sha256"])) if end == "finish" else getattr(begun, end)()
    begun.close()
    begun.discard()
    begun.discard()
    begun.close()
    assert place.content(PATH) == (CONTENT[:7] if end == "finish" else None)
    assert place.part(PATH) is None


def test_what_is_closed_cannot_be_finished(place: Place, begun: Partial) -> None:
    place.put(PATH, b"old")
    begun.close()
    with pytest.raises(StorageError):
        begun.finish(PATH, 7, SHA)
    assert place.content(PATH) == b"old"
    assert place.part(PATH) == CONTENT[:7]


# Another run


@pytest.mark.parametrize("end", ["close", "kill"])
def test_another_run_goes_on_where_one_ended(place: Place, handles: Handles, begun: Partial, end: str) -> None:
    if end == "close":
        begun.close()
    found = place.restart().reopen(PATH)
    assert found is not None
    partial, journal = handles.keep(found[0]), found[1]
    assert journal.header == HEADER
    assert journal.pieces == (piece(0, CONTENT[:7]),)
    assert partial.read(0, 100) == CONTENT[:7]
    write(partial, 7, CONTENT[7:])
    partial.finish(PATH, 12, SHA)
    assert place.content(PATH) == CONTENT


def test_nothing_is_found_where_nothing_was_left(place: Place, begun: Partial) -> None:
    assert place.store.reopen("other") is None
    begun.discard()
    assert place.restart().reopen(PATH) is None


def test_bytes_without_a_record_are_no_find(place: Place, handles: Handles) -> None:
    handles.keep(place.store.create(PATH)).write(0, CONTENT)
    assert place.restart().reopen(PATH) is None


def test_a_part_without_its_journal_is_no_find_and_is_replaced(place: Place, handles: Handles, begun: Partial) -> None:
    begun.close()
    place.set_journal(PATH, None)
    assert place.restart().reopen(PATH) is None
    assert handles.keep(place.store.create(PATH)).read(0, 10) == b""


def test_a_journal_without_its_part_is_no_find_and_is_replaced(place: Place, handles: Handles, begun: Partial) -> None:
    begun.close()
    place.set_part(PATH, None)
    assert place.restart().reopen(PATH) is None
    write(handles.keep(place.store.create(PATH)), 0, b"x")
    found = place.restart().reopen(PATH)
    assert found is not None
    handles.keep(found[0])
    assert found[1].pieces == (piece(0, b"x"),)


@pytest.mark.parametrize("content", [b"", b"garbage", b"\0" * 300], ids=["empty", "text", "zeros"])
def test_a_journal_that_is_none_is_no_find(place: Place, begun: Partial, content: bytes) -> None:
    begun.close()
    place.set_journal(PATH, content)
    assert place.restart().reopen(PATH) is None


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_what_is_recorded_behind_a_torn_line_is_found_again(place: Place, handles: Handles, begun: Partial, cut: int) -> None:
    write(begun, 7, CONTENT[7:9])
    begun.close()
    place.set_journal(PATH, (place.journal(PATH) or b"")[:-cut])
    second = place.restart().reopen(PATH)
    assert second is not None
    assert second[1].torn
    assert second[1].pieces == (piece(0, CONTENT[:7]),)
    write(handles.keep(second[0]), 9, CONTENT[9:])
    third = place.restart().reopen(PATH)
    assert third is not None
    handles.keep(third[0])
    assert third[1].pieces == (piece(0, CONTENT[:7]), piece(9, CONTENT[9:]))
    assert not third[1].torn


def test_a_run_killed_after_the_rename_left_a_whole_file_that_keeps_its_name(place: Place, begun: Partial) -> None:
    write(begun, 7, CONTENT[7:])
    begun.finish(PATH, 12, SHA)
    assert place.restart().reopen(PATH) is None
    assert place.content(PATH) == CONTENT


# At once


@pytest.mark.parametrize("content", [b"", b"x", CONTENT * 5000], ids=["empty", "small", "larger"])
def test_a_whole_file_is_stored_at_once_and_leaves_nothing_else(place: Place, content: bytes) -> None:
    place.store.prepare(PATH)
    assert place.content(PATH) is None
    identity = place.store.store(PATH, Content(memoryview(content), ["sha256"]))
    assert place.content(PATH) == content
    assert place.store.identify(PATH) == identity
    assert (place.part(PATH), place.journal(PATH)) == (None, None)


def test_storing_replaces_what_was_in_place_and_what_was_left_on_its_way(place: Place, begun: Partial) -> None:
    begun.close()
    place.put(PATH, b"older")
    store = place.restart()
    store.store(PATH, Content(CONTENT, ["sha256"]), Attributes(replaces=store.identify(PATH)))
    assert place.content(PATH) == CONTENT
    assert place.restart().reopen(PATH) is None


@of_folders
def test_where_no_file_can_be_none_is_stored_and_nothing_is_left(place: Place) -> None:
    place.make_folder(PATH)
    with pytest.raises(StorageError) as caught:
        place.store.store(PATH, Content(CONTENT, ["sha256"]))
    assert caught.value.failure.kind == "path"
    assert "folder stands where the file should be" in caught.value.failure.message
    assert place.part(PATH) is None


# In the way


@of_folders
def test_a_folder_in_the_way_is_named(place: Place) -> None:
    place.make_folder(PATH)
    with pytest.raises(StorageError) as caught:
        place.store.create(PATH)
    assert caught.value.failure.kind == "path"
    assert "folder stands where the file should be" in caught.value.failure.message


def test_a_folder_that_came_in_the_way_meanwhile_costs_no_bytes(place: Place, handles: Handles, begun: Partial) -> None:
    place.make_folder(PATH)
    with pytest.raises(StorageError):
        begun.finish(PATH, 7, SHA)
    found = place.restart().reopen(PATH)
    assert found is not None
    assert handles.keep(found[0]).read(0, 10) == CONTENT[:7]


@of_folders
def test_a_file_where_a_folder_is_needed_is_named(place: Place) -> None:
    place.put("folder", b"a file")
    with pytest.raises(StorageError) as caught:
        place.store.create(PATH)
    assert caught.value.failure.kind == "path"
    assert place.store.identify(PATH) is None
    assert place.content("folder") == b"a file"


def test_only_a_file_has_digests(place: Place) -> None:
    with pytest.raises(StorageError):
        place.store.measure("missing", ["sha256"])
    assert place.store.identify("missing") is None


@of_folders
def test_a_folder_is_told_from_a_file(place: Place) -> None:
    place.make_folder("here")
    place.put("there", b"")
    identities = [place.store.identify(path) for path in ("here", "there")]
    assert [identity and identity.kind for identity in identities] == ["folder", "file"]


@pytest.mark.parametrize(
    "path", ["a", "a b", "ünïcode/файл", "dots..", ".hidden", "deep/" * 20 + "file", "x" * 200, "*?[]", "-rf", "a\nb", "file.part", "CON"]
)
@of_folders
def test_any_name_may_be_downloaded(place: Place, handles: Handles, path: str) -> None:
    partial = handles.keep(place.store.create(path))
    write(partial, 0, CONTENT)
    partial.finish(path, 12, SHA)
    assert place.content(path) == CONTENT


@of_folders
@pytest.mark.parametrize("way", ["whole", "by parts"])
def test_a_file_gets_its_attributes_before_it_is_measured(place: Place, begun: Partial, way: str) -> None:
    wanted = Attributes(0o740, 1_500_000_000_000_000_000)
    if way == "whole":
        begun.discard()
        identity = place.store.store(PATH, Content(CONTENT, ["sha256"]), wanted)
    else:
        write(begun, 7, CONTENT[7:])
        identity = begun.finish(PATH, 12, SHA, wanted)
    assert identity.mtime_ns == wanted.mtime_ns
    assert place.store.identify(PATH) == identity
    assert place.mode(PATH) == 0o740
