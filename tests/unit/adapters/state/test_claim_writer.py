"""Claims: written down as soon as much is at stake, marked durable only once they are, and never worse than before."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from marscore.adapters.files.folder import Folder
from marscore.adapters.state.claim_writer import ClaimWriter
from marscore.errors import StorageError
from marscore.events import DownloadFinished, DownloadSkipped, DownloadStarted
from marscore.journal import PIECE_SIZE, Header, PieceHasher
from marscore.resolve.model import Download, Options
from marscore.state import Claim, Row, key_of
from marscore.validator import Validator
from marscore.values import Failure
from tests.fakes.clock import FakeClock
from tests.fakes.state import MemoryState

DOWNLOADS = {name: Download(name, (f"http://origin.example/{name}",), f"folder/{name}", Options()) for name in "abc"}


class Desk:
    """ClaimWriter over a real folder, a clock that is turned by hand, and a state that counts its commits."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.state = MemoryState()
        self.folder = Folder(root)
        self.clock = FakeClock()
        self.open()

    def open(self) -> None:
        self.state.commits.clear()
        self.books = ClaimWriter(self.state, self.folder, self.clock, DOWNLOADS)

    def finish(self, name: str, content: bytes = b"content", segments: int = 1, **said: object) -> DownloadFinished:
        """A worker finishes a file; with more than one segment it left a journal."""
        partial = self.folder.create(f"folder/{name}")
        partial.write(0, content)
        if segments > 1:
            hasher = PieceHasher(0)
            hasher.update(content)
            partial.describe(Header("source", None, Validator()))
            partial.record(hasher.piece())
        sha256 = hashlib.sha256(content).hexdigest()
        identity = partial.finish(f"folder/{name}", len(content), {"sha256": sha256})
        event = DownloadFinished(
            0.0,
            name,
            "downloaded",
            "",
            identity.size,
            (f"sha256:{sha256}",),
            identity.mtime_ns,
            identity.inode,
            etag='"v1"',
            segments=segments,
        )
        event = replace(event, **said)  # type: ignore[arg-type]
        self.books.note(event)
        return event

    def claim(self, name: str) -> Claim:
        return self.state.kept[key_of(f"folder/{name}")]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_claim_waits_for_company_while_little_is_at_stake(desk: Desk) -> None:
    for name in "abc":
        desk.finish(name)
    assert desk.state.commits == []
    desk.books.commit()
    assert [len(batch) for batch in desk.state.commits] == [3]
    desk.books.commit()
    assert len(desk.state.commits) == 1, "nothing is written where nothing is open"


def test_a_claim_is_written_down_when_a_quarter_of_a_second_is_at_stake(desk: Desk) -> None:
    desk.finish("a")
    desk.clock.elapsed += 0.3
    desk.finish("b")
    desk.finish("c")
    assert [len(batch) for batch in desk.state.commits] == [2]


def test_a_claim_is_written_down_when_a_piece_is_at_stake(desk: Desk) -> None:
    desk.finish("a")
    desk.finish("b", size=PIECE_SIZE - 100)
    assert desk.state.commits == []
    desk.finish("c", size=100)
    assert [len(batch) for batch in desk.state.commits] == [3]


def test_a_claim_says_what_the_event_says_and_is_durable_only_at_the_end(desk: Desk) -> None:
    event = desk.finish("a", last_modified="date")
    desk.books.commit()
    claim = desk.claim("a")
    assert claim.url_key == key_of("http://origin.example/a")
    assert claim.identity == desk.folder.identify("folder/a")
    assert (claim.digests, claim.validator) == (event.digests, Validator('"v1"', "date"))
    assert not claim.durable
    desk.books.close()
    assert desk.claim("a") == replace(claim, durable=True)


def test_what_cannot_be_flushed_is_not_called_durable(desk: Desk) -> None:
    desk.finish("a")
    (desk.root / "folder" / "a").unlink()
    desk.books.close()
    assert not desk.claim("a").durable


def test_closing_twice_writes_once_and_closing_empty_books_writes_nothing(desk: Desk) -> None:
    desk.books.close()
    assert desk.state.commits == []
    desk.finish("a")
    desk.books.close()
    written = len(desk.state.commits)
    desk.books.close()
    assert len(desk.state.commits) == written


def test_other_events_are_nothing_to_write_down(desk: Desk) -> None:
    desk.books.note(DownloadStarted(0.0, "a", "url"))
    desk.books.note(DownloadSkipped(0.0, "a", "reason"))
    desk.books.close()
    assert desk.state.commits == []


@pytest.mark.parametrize(("content", "segments"), [(b"small", 2), (bytes(PIECE_SIZE), 1), (bytes(PIECE_SIZE), 3)])
def test_a_journal_goes_once_its_file_is_claimed_and_not_before(desk: Desk, content: bytes, segments: int) -> None:
    before = desk.folder.partial_keys()
    desk.finish("a", content, segments)
    if len(content) < PIECE_SIZE:
        assert desk.folder.partial_keys() == {key_of("folder/a")}
    desk.books.commit()
    assert desk.claim("a")
    assert desk.folder.partial_keys() == before


def test_a_journal_of_an_earlier_run_goes_too(desk: Desk) -> None:
    partial = desk.folder.create("folder/a")
    partial.describe(Header("source", None, Validator()))
    partial.record(PieceHasher(0).piece())
    partial.close()
    desk.open()
    (desk.root / "folder" / "a").write_bytes(b"content")
    identity = desk.folder.identify("folder/a")
    assert identity is not None
    sha256 = hashlib.sha256(b"content").hexdigest()
    desk.books.note(DownloadFinished(0.0, "a", "up_to_date", "", 7, (f"sha256:{sha256}",), identity.mtime_ns, identity.inode))
    desk.books.commit()
    assert desk.folder.partial_keys() == set()


# What is up to date


def up_to_date(event: DownloadFinished, **said: object) -> DownloadFinished:
    return replace(event, status="up_to_date", etag=None, last_modified=None, segments=0, **said)  # type: ignore[arg-type]


def test_a_run_that_finds_everything_in_place_writes_nothing(desk: Desk) -> None:
    events = [desk.finish(name) for name in "abc"]
    desk.books.close()
    before = dict(desk.state.kept)
    desk.open()
    for event in events:
        desk.books.note(up_to_date(event))
    desk.books.close()
    assert desk.state.commits == []
    assert desk.state.kept == before


def test_what_was_proven_again_keeps_its_validator_and_becomes_durable(desk: Desk) -> None:
    event = desk.finish("a")
    desk.books.commit()
    desk.open()
    desk.books.note(up_to_date(event))
    desk.books.close()
    assert desk.claim("a").validator == Validator('"v1"')
    assert desk.claim("a").durable


def test_a_digest_that_was_learned_is_added(desk: Desk) -> None:
    event = desk.finish("a")
    desk.books.close()
    desk.open()
    desk.books.note(up_to_date(event, digests=(*event.digests, "md5:" + "0" * 32)))
    desk.books.close()
    assert desk.claim("a").digests == (*event.digests, "md5:" + "0" * 32)
    assert desk.claim("a").durable


def test_what_was_copied_or_touched_keeps_its_validator_and_is_durable_only_once_it_was_flushed_again(desk: Desk) -> None:
    event = desk.finish("a")
    desk.books.close()
    desk.open()
    desk.books.note(up_to_date(event, mtime_ns=1))
    desk.books.commit()
    assert desk.claim("a").validator == Validator('"v1"')
    assert not desk.claim("a").durable
    desk.books.close()
    assert desk.claim("a").durable


def test_the_validator_of_another_content_is_not_kept(desk: Desk) -> None:
    event = desk.finish("a")
    desk.books.close()
    desk.open()
    desk.books.note(up_to_date(event, digests=("sha256:" + "0" * 64,)))
    desk.books.commit()
    assert desk.claim("a").validator == Validator()
    assert not desk.claim("a").durable


def test_a_file_that_was_fetched_again_is_durable_only_once_it_was_flushed_again(desk: Desk) -> None:
    desk.finish("a")
    desk.books.close()
    desk.open()
    desk.finish("a")
    desk.books.commit()
    assert not desk.claim("a").durable


class FullState(MemoryState):
    """A state that has no room while it is `full`."""

    full = True

    def record(self, rows: Iterable[Row]) -> None:
        if self.full:
            raise StorageError(Failure("disk_full", "cannot write the state database: database or disk is full"))
        super().record(rows)


def test_a_claim_that_finds_no_room_is_written_with_the_next_and_its_journal_stays_until_then(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.state = state = FullState()
    desk.open()
    desk.books.note(desk.finish("a", segments=2))
    desk.books.commit()
    assert desk.books.trouble == "cannot write the state database: database or disk is full"
    assert desk.folder.partial_keys() == {key_of("folder/a")}
    state.full = False
    desk.books.note(desk.finish("b"))
    desk.books.close()
    assert desk.books.trouble is None
    assert set(state.kept) == {key_of("folder/a"), key_of("folder/b")}
    assert all(claim.durable for claim in state.kept.values())
    assert desk.folder.partial_keys() == set()


class LockedState(FullState):
    """A state that another program has locked; it counts how often it is asked."""

    asked = 0

    def record(self, rows: Iterable[Row]) -> None:
        self.asked += 1
        super().record(rows)


def test_claims_that_cannot_be_written_are_tried_again_after_a_pause_that_grows(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.state = state = LockedState()
    desk.open()
    asked_at = []
    for _ in range(1000):
        before = state.asked
        desk.finish("a", size=PIECE_SIZE)
        asked_at += [desk.clock.elapsed] * (state.asked - before)
        desk.clock.elapsed += 0.125
    pauses = [later - sooner for sooner, later in itertools.pairwise(asked_at)]
    assert pauses[:6] == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0]
    assert set(pauses[6:]) == {8.0}
    state.full = False
    desk.clock.elapsed += 8
    desk.finish("b", size=PIECE_SIZE)
    desk.finish("c", size=PIECE_SIZE)
    assert set(state.kept) == {key_of(f"folder/{name}") for name in "abc"}


def test_what_is_not_written_in_the_end_is_noted_in_a_journal(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.state = FullState()
    desk.open()
    event = desk.finish("a")
    desk.books.close()
    journal = desk.folder.finished("folder/a")
    assert journal is not None
    assert (f"sha256:{journal.finished}",) == event.digests
    assert journal.header == Header(key_of("http://origin.example/a"), event.size, Validator('"v1"'))
    assert desk.books.clear(all_in_place=True) is None
    assert desk.folder.partial_keys() == {key_of("folder/a")}


def test_of_downloads_that_come_while_the_run_goes_on_only_theirs_is_cleared(desk: Desk) -> None:
    for name in "ab":
        desk.folder.create(f"folder/{name}").describe(Header("source", None, Validator()))
    desk.folder.create("folder/of-others").describe(Header("source", None, Validator()))
    desk.open()
    left = set(desk.folder.leftovers())
    desk.books.expect([DOWNLOADS["a"], DOWNLOADS["c"]], desk.state.claims())
    desk.finish("c", segments=2)
    desk.folder.create("folder/new").describe(Header("source", None, Validator()))
    desk.books.close()
    desk.books.clear(all_in_place=False)
    assert set(desk.folder.leftovers()) == {*left, key_of("folder/new")}
    desk.books.clear(all_in_place=True)
    assert set(desk.folder.leftovers()) == {key_of("folder/b"), key_of("folder/of-others")}


def test_what_was_known_of_a_download_counts_until_it_is_over(desk: Desk) -> None:
    event = desk.finish("a")
    desk.books.close()
    desk.open()
    desk.books.expect(DOWNLOADS.values(), desk.state.claims())
    desk.books.note(replace(event, status="up_to_date"))
    desk.books.commit()
    assert desk.state.commits == [], "the state says so already"
    desk.books.forget(DOWNLOADS["a"])
    assert key_of("folder/a") not in desk.books.before


@pytest.mark.parametrize("flushes", [True, False])
def test_many_files_are_flushed_while_the_run_goes_on(desk: Desk, flushes: bool) -> None:
    class Disk(Folder):
        def flush(self, paths: Sequence[str]) -> bool:
            flushed.append(sorted(paths))
            return flushes

    flushed: list[list[str]] = []
    desk.folder = Disk(desk.root)
    desk.open()
    desk.books.many = 2
    desk.finish("a")
    desk.finish("b")
    desk.books.commit()
    desk.finish("c")
    desk.books.close()
    assert flushed[0] == ["folder/a", "folder/b"]
    assert [desk.claim(name).durable for name in "abc"] == [flushes] * 3
    if not flushes:
        assert flushed[1] == ["folder/a", "folder/b", "folder/c"], "they are tried once more"


def test_what_could_not_be_written_on_the_way_is_not_marked_as_flushed(desk: Desk) -> None:
    desk.books.many = 1
    desk.state.record = refusing  # type: ignore[method-assign]  # a disk that is full
    desk.finish("a")
    desk.books.commit()
    assert desk.books.trouble == "no space"
    desk.books.close()
    assert desk.books.trouble == "no space"
    assert not desk.state.kept


def refusing(rows: Iterable[Row]) -> None:
    raise StorageError(Failure("disk_full", "no space"))
