"""What a worker writes where: bytes stay within their segment, pieces are recorded, and a file is let go of whatever happens."""

from __future__ import annotations

import threading

import pytest

from marscore.adapters.clock import SystemClock
from marscore.errors import StorageError
from marscore.events import DownloadFinished
from marscore.execute.setup import Share
from marscore.execute.writing import OpenFile
from marscore.journal import Header, PieceHasher, decode
from marscore.ports import Answer, Request
from marscore.state import Content, FileIdentity
from marscore.validator import Validator
from marscore.values import Failure, Timeouts
from tests.fakes.files import MemoryFolder, MemoryPartial
from tests.fakes.http import FakeClient, FakeResponse
from tests.unit.execute.test_waking import Still, carry_out
from tests.unit.execute.working import HUNG, MIB, outcomes, wanted

URL, SMALL = "http://origin.example/large.bin", "http://origin.example/small.bin"
#: Its halves end in the middle of a read, and are smaller than a piece.
LARGE = bytes(range(251)) * (6 * MIB // 251)


class Noting(MemoryFolder):
    """Notes what is written where, and what is stored at once."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[tuple[int, int]] = []
        self.stored: list[str] = []

    def create(self, path: str) -> MemoryPartial:
        super().create(path)
        return _Partial(self, path, self.parts[path])

    def store(self, path: str, content: Content) -> FileIdentity:
        self.stored.append(path)
        return super().store(path, content)


class _Partial(MemoryPartial):
    def write(self, offset: int, data: bytes | memoryview) -> None:
        assert isinstance(self._folder, Noting)
        self._folder.written.append((offset, offset + len(data)))
        super().write(offset, data)


class Halves(FakeClient):
    """Sends the first half of a file only once the second has come."""

    def __init__(self) -> None:
        super().__init__({URL: LARGE, SMALL: b"small"})
        self.second_came = threading.Event()
        self.worker: Still | None = None
        self.journal_then = b""

    def open(self, request: Request) -> FakeResponse:
        response = super().open(request)
        if request.url.text != URL:
            return response
        if "Range" in dict(request.fields):
            return _Second(response.answer, bytes(response._rest), self)
        assert self.worker
        assert self.worker.waits.wait(HUNG)
        return _First(response.answer, LARGE, self)


class _First(FakeResponse):
    def __init__(self, answer: Answer, body: bytes, client: Halves) -> None:
        super().__init__(answer, body)
        self._client = client

    def read(self, limit: int) -> bytes:
        assert self._client.second_came.wait(HUNG)
        return super().read(limit)


class _Second(_First):
    def read(self, limit: int) -> bytes:
        return FakeResponse.read(self, limit)

    def close(self) -> None:
        assert self._client.worker
        if self._client.second_came.is_set():
            return
        self._client.journal_then = bytes(self._client.worker.folder.journals.get("large.bin", b""))
        self._client.second_came.set()


def test_halves_of_a_file_are_written_side_by_side_and_each_is_on_record_when_its_connection_ends() -> None:
    folder, client = Noting(), Halves()
    client.worker = worker = Still(client, folder, threads=2)
    carry_out(worker, [wanted(0, URL, "large.bin", threads=2), wanted(1, SMALL, "small.bin")])
    assert folder.files["large.bin"].content == LARGE
    end = 0
    for start, next_end in sorted(folder.written):
        assert start == end, "no byte is written twice, and none by a connection whose segment ends before it"
        end = next_end
    journal = decode(client.journal_then)
    assert journal is not None
    assert sum(len(piece.range) for piece in journal.pieces) == len(LARGE) - len(LARGE) // 2


@pytest.mark.parametrize(
    ("body", "share", "timeouts", "at_once"),
    [
        (b"small", Share(16), Timeouts(), True),
        (b"s" * 65_536, Share(16), Timeouts(), True),
        (b"s" * 65_537, Share(16), Timeouts(), False),
        (b"s" * 100_000, Share(16), Timeouts(), False),
        (b"small", Share(16, 1_000_000), Timeouts(), False),
        (b"small", Share(16), Timeouts(total=60.0), False),
    ],
    ids=["small", "as large as that", "larger", "of more digits", "a rate limit", "a total time"],
)
def test_a_small_file_is_taken_at_once_where_nothing_has_to_be_minded(body: bytes, share: Share, timeouts: Timeouts, at_once: bool) -> None:
    folder = Noting()
    worker = Still(FakeClient({SMALL: body}), folder, threads=1)
    worker.widen(share)
    carry_out(worker, [wanted(0, SMALL, "small.bin", timeouts=timeouts)])
    assert folder.files["small.bin"].content == body
    assert folder.stored == (["small.bin"] if at_once else [])


@pytest.mark.parametrize(("keep", "recorded"), [(True, True), (True, False), (False, True)])
def test_a_file_that_is_let_go_of_is_closed_and_not_opened_again(keep: bool, recorded: bool) -> None:
    folder = MemoryFolder()
    file = OpenFile(folder, "file")
    partial = file.of(0)
    assert partial is file.of(0)
    assert partial is not None
    if recorded:
        partial.describe(Header("source", None, Validator('"v1"')))
        partial.record(PieceHasher(0).piece())
    assert file.release(keep) is None
    assert ("file" in folder.parts) is (keep and recorded), "without a record nobody goes on with it"
    partial.write(0, b"too late")
    assert folder.parts.get("file", b"") == b""
    assert file.of(0) is None
    assert file.of(1) is None
    assert file.release(keep) is None


def test_a_new_epoch_begins_an_empty_file_and_the_old_one_gets_none() -> None:
    folder = MemoryFolder()
    file = OpenFile(folder, "file")
    old = file.of(0)
    assert old is not None
    old.write(0, b"old")
    new = file.of(1)
    assert new is not None
    assert file.of(0) is None
    assert file.of(1) is new
    old.write(0, b"later")
    assert folder.parts["file"] == b""


def test_what_stands_in_the_way_of_letting_go_is_told_and_no_more() -> None:
    for error, failure in (
        (StorageError(Failure("permission", "cannot remove a partial file")), Failure("permission", "cannot remove a partial file")),
        (RuntimeError("a defect"), Failure("internal", "RuntimeError: a defect")),
    ):

        class Stuck(MemoryPartial):
            def discard(self) -> None:
                raise error  # noqa: B023 - called here

        class Folder(MemoryFolder):
            def create(self, path: str) -> MemoryPartial:
                super().create(path)
                return Stuck(self, path, self.parts[path])

        file = OpenFile(Folder(), "file")
        assert file.of(0) is not None
        assert file.release(keep=False) == failure


def test_files_that_were_to_come_along_are_left_to_others_once_their_host_asks_to_wait() -> None:
    calls: list[str] = []

    class Busy(FakeClient):
        def ahead(self, requests: object) -> None:
            calls.append(f"ahead {len(requests)}")  # type: ignore[arg-type]

        def open(self, request: Request) -> FakeResponse:
            calls.append(request.url.text[-1])
            if calls.count("0") == 1 and request.url.text[-1] == "0":
                return FakeResponse(Answer(503, {"retry-after": "0"}, request.url), b"")
            return super().open(request)

    urls = [f"http://origin.example/{n}" for n in range(4)]
    found = outcomes(
        [wanted(n, url, str(n)) for n, url in enumerate(urls)],
        Busy(dict.fromkeys(urls, b"small")),
        MemoryFolder(),
        SystemClock(),
        threads=1,
        per_host=1,
        pipeline=4,
    )
    assert all(isinstance(outcome, DownloadFinished) for outcome in found.values())
    assert calls[:3] == ["ahead 4", "0", "ahead 0"]
