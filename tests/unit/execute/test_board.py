"""Which thread does what next."""

from __future__ import annotations

from marscore.execute.transfer.protocol import Answered, Broke, Moment, Opened, Work, Yielded
from marscore.execute.worker.board import Assignment, Board, Idle
from marscore.policy.retry import Backoff, RetryRules
from marscore.ports import Answer
from marscore.resolve.model import Download, Options
from marscore.url import host_of, parse_url
from marscore.values import Checksum, Failure

MIB = 1024 * 1024
RULES = RetryRules(backoff=Backoff(initial=5.0, jitter="none"))


def work(number: int, host: str = "a", threads: int = 4) -> Work:
    return Work(Download(f"downloads[{number}]", (f"http://{host}/{number}",), str(number), Options(threads=threads, retry=RULES)))


def at(ticks: float = 0.0) -> Moment:
    return Moment(1e9 + ticks, ticks, 0.5)


def assigned(board: Board, ticks: float = 0.0, idle: int = 0) -> Assignment:
    chosen = board.take(at(ticks), idle)
    assert isinstance(chosen, Assignment)
    return chosen


def begin(board: Board, size: int = 100 * MIB) -> Assignment:
    """Take a new download as far as its first answer."""
    chosen = assigned(board)
    transfer = chosen.transfer
    transfer.step(Opened(at()))
    segment = transfer.take(0.0)
    assert segment
    fields = {"content-length": str(size), "etag": '"v"', "accept-ranges": "bytes"}
    transfer.step(Answered(at(), segment, Answer(200, fields, parse_url(segment.url))))
    board.settle(transfer)
    return Assignment(transfer, segment, chosen.host)


def breaks(board: Board, chosen: Assignment, ticks: float) -> None:
    assert chosen.segment
    chosen.transfer.step(Broke(at(ticks), chosen.segment, Failure("connection", "reset")))
    board.settle(chosen.transfer)
    board.release(chosen.host)


def test_new_files_come_before_shares_of_a_large_one() -> None:
    board = Board(per_host=16)
    board.add([work(0), work(1)])
    begin(board)
    assert assigned(board).transfer.download.id == "downloads[1]"


def test_idle_threads_share_the_last_large_file() -> None:
    board = Board(per_host=16)
    board.add([work(0)])
    first = begin(board, 16 * MIB)
    helpers = [assigned(board, idle=2 - n) for n in range(3)]
    assert all(helper.transfer is first.transfer for helper in helpers)
    spans = sorted((s.begin // MIB, (s.end or 0) // MIB) for s in first.transfer.ledger.active)
    assert spans == [(0, 4), (4, 8), (8, 12), (12, 16)]
    assert board.take(at(), 0) == Idle(None)


def test_a_large_file_is_not_shared_beyond_what_its_host_may_have() -> None:
    board = Board(per_host=2)
    board.add([work(0)])
    begin(board)
    assigned(board)
    assert board.take(at(), 5) == Idle(None)
    board.widen(3, 0.0)
    assigned(board)
    board.widen(4, 0.0)
    board.slots.pause("a:80", 9.0, 0.0)
    assert isinstance(board.take(at(), 5), Idle)


def test_a_host_gets_no_more_connections_than_its_limit() -> None:
    board = Board(per_host=2)
    board.add([work(n) for n in range(3)] + [work(3, host="b")])
    hosts = [assigned(board).host for _ in range(3)]
    assert sorted(hosts) == ["a:80", "a:80", "b:80"]
    assert isinstance(board.take(at(), 0), Idle)
    board.release("a:80")
    assert assigned(board).host == "a:80"


def test_hosts_take_turns() -> None:
    board = Board(per_host=16)
    board.add([work(n, "a") for n in range(3)] + [work(n + 3, "b") for n in range(3)])
    assert [assigned(board).host for _ in range(4)] == ["a:80", "b:80", "a:80", "b:80"]


def test_a_retry_waits_without_holding_a_thread() -> None:
    board = Board(per_host=16)
    board.add([work(0, threads=1)])
    first = begin(board)
    breaks(board, first, 1.0)
    assert board.take(at(1.0), 0) == Idle(6.0)
    again = assigned(board, 6.0)
    assert again.transfer is first.transfer
    assert again.segment is not None


def test_a_paused_host_is_passed_over_until_its_pause_ends() -> None:
    board = Board(per_host=16)
    board.add([work(0, "a"), work(1, "b")])
    board.slots.pause("a:80", 9.0, 0.0)
    assert assigned(board).host == "b:80"
    assert board.take(at(1.0), 0) == Idle(9.0)
    assert assigned(board, 9.0).host == "a:80"


def test_a_retry_to_a_paused_host_waits_for_the_pause() -> None:
    board = Board(per_host=16)
    board.add([work(0, threads=1)])
    first = begin(board)
    board.slots.pause(first.host, 30.0, 0.0)
    breaks(board, first, 1.0)
    assert isinstance(board.take(at(6.0), 0), Idle)
    assert assigned(board, 30.0).transfer is first.transfer


def test_a_retry_that_found_no_slot_gets_the_next_one() -> None:
    board = Board(per_host=1)
    board.add([work(0, threads=1), work(1, threads=1)])
    first = begin(board)
    breaks(board, first, 1.0)
    second = assigned(board, 1.0)
    assert second.transfer is not first.transfer
    assert isinstance(board.take(at(7.0), 0), Idle)
    board.release(second.host)
    assert assigned(board, 7.0).transfer is first.transfer


def test_withdrawn_work_is_what_was_not_begun() -> None:
    board = Board(per_host=16)
    board.add([work(0), work(1)])
    assigned(board)
    assert [w.download.id for w in board.withdraw()] == ["downloads[1]"]
    assert not board.empty


def test_the_board_is_empty_when_every_download_is_over() -> None:
    board = Board(per_host=16)
    board.add([work(0)])
    chosen = assigned(board)
    chosen.transfer.step(Opened(at()))
    segment = chosen.transfer.take(0.0)
    assert segment
    chosen.transfer.step(Answered(at(), segment, Answer(404, {}, parse_url(segment.url))))
    board.settle(chosen.transfer)
    assert board.empty


def test_a_file_that_was_refused_a_further_connection_is_shared_again_when_its_wait_is_over() -> None:
    board = Board(per_host=16)
    board.add([work(0)])
    begin(board)
    further = assigned(board)
    breaks(board, further, 0.0)
    assert board.take(at(4.9), 3) == Idle(5.0)
    assert assigned(board, 5.0, idle=3).segment
    assert isinstance(board.take(at(5.0), 3), Idle)


def holding(board: Board, number: int, connections: int) -> Assignment:
    """A large file with so many connections."""
    board.add([work(number, threads=connections)])
    first = begin(board)
    for _ in range(connections - 1):
        assigned(board)
    assert len(first.transfer.ledger.active) == connections
    return first


def test_a_file_with_several_connections_gives_one_up_to_a_new_download_and_to_a_retry_that_is_due() -> None:
    board = Board(per_host=16)
    large = holding(board, 0, 4).transfer
    assert board.crowded_out(1.0, 0) is None
    board.add([work(1)])
    assert board.crowded_out(1.0, 1) is None, "one is free"
    given_up = board.crowded_out(1.0, 0)
    assert given_up is large.ledger.active[-1]
    large.step(Yielded(at(1.0), given_up))
    board.settle(large)
    board.release(large.host)
    small = begin(board)
    assert small.transfer.download.id == "downloads[1]", "it comes before the range that was given up"
    breaks(board, small, 1.0)
    assert assigned(board, 1.0).transfer is large
    assert board.crowded_out(2.0, 0) is None, "the retry is not due"
    assert board.crowded_out(60.0, 0) is large.ledger.active[-1]


def test_connections_to_a_full_host_are_given_up_to_it_and_by_files_of_that_host() -> None:
    board = Board(per_host=2)
    large = holding(board, 0, 2).transfer
    board.add([work(1, host="b")])
    assert board.crowded_out(0.0, 4) is None, "the other host has connections"
    board.add([work(2)])
    assert board.crowded_out(0.0, 4) is large.ledger.active[-1]
    board.slots.pause(large.host, 5.0, 0.0)
    assert board.crowded_out(0.0, 4) is None, "who waits for the end of a pause waits for no connection"


def test_the_last_connection_of_a_file_is_its_own() -> None:
    board = Board(per_host=1)
    holding(board, 0, 1)
    board.add([work(1)])
    assert board.crowded_out(0.0, 0) is None


def test_where_a_host_has_a_pace_retries_and_new_files_take_turns() -> None:
    board = Board(per_host=16)
    board.add([work(number) for number in range(4)])
    for chosen in [begin(board), begin(board)]:
        breaks(board, chosen, 0.0)
    pace = board.slots.pace(host_of("http://a/0"))
    order = []
    for ticks in (10.0, 20.0, 30.0, 40.0):
        pace.rate = 10.0
        order.append(assigned(board, ticks).transfer.download.id)
    assert sorted(order[::2]) == ["downloads[0]", "downloads[1]"]
    assert order[1::2] == ["downloads[2]", "downloads[3]"]


def several(board: Board, *hosts: str, threads: int = 4) -> Assignment:
    """A file of three hosts with a checksum, as far as the first answer."""
    urls, checksum = tuple(f"http://{host}/0" for host in hosts), Checksum("sha256", "a" * 64)
    board.add([Work(Download("downloads[0]", urls, "0", Options(threads=threads, retry=RULES), (checksum,)))])
    return begin(board)


def test_a_file_of_several_sources_has_connections_to_each() -> None:
    board = Board(per_host=16)
    several(board, "a", "b", "c")
    assert sorted(assigned(board).host for _ in range(3)) == ["a:80", "b:80", "c:80"]


def test_a_host_that_is_paused_or_full_keeps_no_file_from_another_source() -> None:
    board = Board(per_host=1)
    several(board, "a", "b", "c")
    board.pause("b:80", 50.0, 0.0)
    assert assigned(board).host == "c:80"
    assert board.take(at(), 0) == Idle(50.0)
    assert assigned(board, 50.0).host == "b:80"


def test_of_a_file_of_several_sources_the_connection_to_a_full_host_is_given_up_to_another_file() -> None:
    board = Board(per_host=1)
    several(board, "a", "b")
    assert assigned(board).host == "b:80"
    board.add([work(1, host="a")])
    given_up = board.crowded_out(0.0, 4)
    assert given_up is not None
    assert given_up.url == "http://a/0"


def test_what_is_given_back_is_the_last_of_each_host_by_turns_and_never_what_was_begun() -> None:
    board = Board(per_host=16)
    board.add([work(n, "ab"[n % 2]) for n in range(6)])
    first = assigned(board).transfer.download.id
    given_back = [each.download.id for each in board.give_back(3)]
    assert given_back == ["downloads[5]", "downloads[4]", "downloads[3]"]
    assert first not in given_back
    assert board.waiting == 2
    rest = [each.download.id for each in board.give_back(100)]
    assert sorted([*given_back, *rest, first]) == [f"downloads[{n}]" for n in range(6)]
    assert board.waiting == 0
    assert not board.empty
