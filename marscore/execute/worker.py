"""One process's share of the run: its threads, its board, and the events that leave it. The same worker runs everywhere.

    submit(Work...) --> board --> threads (Driver) --> events --> sink, in batches
    widen, pause, stop: what the supervisor says meanwhile

Serial runs, child processes and a distributed engine differ only in where this class runs and how `submit` and `sink` reach it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence

from marscore.events import DownloadSkipped, Event, ProgressMade
from marscore.execute.desk import Desk
from marscore.execute.driver import Driver
from marscore.execute.outbox import Outbox
from marscore.execute.protocol import Emit, Stopped, Work
from marscore.execute.schedule import Assignment, Board, Idle
from marscore.execute.setup import Share, WorkerSettings
from marscore.execute.ticker import Ticker
from marscore.execute.transfer import Transfer
from marscore.execute.writing import OpenFile
from marscore.frozen import dataclass
from marscore.policy.hands import Hands
from marscore.policy.pacing import TokenBucket
from marscore.ports import Clock, FileStore, HttpClient
from marscore.values import Failure, internal

#: Seconds that threads get to record what they hold when the run stops. One that still dials a connection then is left behind.
STOP_GRACE = 1.0


@dataclass(frozen=True, slots=True)
class Ports:
    """The adapters that a worker acts through.

    `show` takes readings of progress, where they do not go among the events; `expect` is told of works before they begin; `beat` is
    called every second for as long as the worker works, and `give_up` where not even the end of its downloads can be told.
    """

    client: HttpClient
    files: FileStore
    clock: Clock
    show: Callable[[Sequence[ProgressMade]], None] | None = None
    expect: Callable[[Iterable[Work]], None] = lambda works: None
    beat: Callable[[], None] = lambda: None
    give_up: Callable[[], None] = lambda: None


class Worker:
    """Runs downloads with a pool of threads. `send` takes batches of events, from any thread."""

    def __init__(self, settings: WorkerSettings, ports: Ports, send: Callable[[list[Event]], None]) -> None:
        self._settings = settings
        self._expect = ports.expect
        self._give_up = ports.give_up
        self._outbox = Outbox(send)
        self._files: dict[str, OpenFile] = {}
        self._desk = Desk(
            Board(settings.share.per_host, settings.pipeline), ports.client, ports.files, ports.clock, self._outbox.put, settings.reads
        )
        self._desk.on_verified = self._outbox.flush
        self._desk.on_death = self._fail
        self._busy = 0
        self._until: float | None = None
        self._hands = Hands(settings.threads, settings.cores)
        self._closing = False
        self._leave_until: float | None = None
        self._unbegun = "the worker has ended"
        self._parked = threading.Condition(self._desk.lock)
        self._wanted = 0
        #: The most threads that the system starts, as far as that is known.
        self._most = settings.threads
        self._threads: list[threading.Thread] = []
        self._show = ports.show or (self._outbox.extend if settings.progress == "events" else None)
        self._ticker = Ticker(self._flush_and_look, self._tell_progress, ports.beat)
        self._ticker.on_death = self._die
        self.widen(settings.share)

    def on_pause(self, tell: Callable[[str, float], None]) -> None:
        """Have `tell(host, seconds)` called when a server asks this process to wait, so that others hear of it."""
        self._desk.on_pause = tell

    def start(self) -> None:
        """Start a first thread, which is needed, and sending events. Others start as there is work for them.

        Raises:
            RuntimeError: the system starts no thread.
        """
        with self._desk.lock:
            self._add_thread()
        try:
            self._ticker.start()
        except BaseException:
            self.close()
            raise

    def submit(self, works: Iterable[Work]) -> None:
        """Add downloads."""
        works = list(works)
        try:
            self._take_in(works)
        except Exception as error:  # noqa: BLE001 - each of them has its outcome, also where there is no memory to begin them
            self._die(error)

    def _take_in(self, works: Sequence[Work]) -> None:
        with self._desk.changed:
            self._desk.board.add(works)
            if self._closing:
                # Nobody is left who would begin them.
                self._skip(self._desk.board.withdraw())
                return
            self._expect(works)
            self._hands.begin(self._desk.board.waiting)
            self._hands.look(self._desk.reading(), 0, bool(self._desk.board.waiting))
            self._wanted += sum(work.download.options.threads for work in works)
            self._add_threads()
            self._desk.changed.notify_all()

    def pause(self, host: str, seconds: float) -> None:
        """Hold back new requests to a host, as another process was asked to."""
        self._desk.pause(host, seconds)

    def widen(self, share: Share) -> None:
        """Take a new share of the run's limits."""
        with self._desk.changed:
            self._desk.board.widen(share.per_host)
            rate = share.max_rate
            self._desk.rate = None if rate is None else TokenBucket(rate, self._desk.clock.ticks())
            self._desk.changed.notify_all()

    def narrow(self, share: Share) -> int:
        """Take a smaller share of the run's limits; return how many connections to one host are in use, which may still be more."""
        self.widen(share)
        # Those that wait for another request would count for the others, too.
        self._desk.client.close()
        with self._desk.changed:
            return self._desk.board.slots.most_used

    def stop(self, reason: Failure, unbegun: str) -> None:
        """Stop within `STOP_GRACE`: what was received is recorded, begun downloads end with `reason`, the others as skipped."""
        self._unbegun = unbegun
        self._desk.stopped.set()
        with self._desk.changed:
            skipped = self._desk.board.withdraw()
            self._closing = True
            self._desk.changed.notify_all()
            self._parked.notify_all()
        self._desk.client.abort()
        self._join()
        with self._desk.changed:
            unfinished = list(self._desk.board.open.values())
        for transfer in unfinished:
            self._end(transfer, reason)
        self._skip(skipped)
        self.close()

    def close(self) -> None:
        """End the threads, which have nothing to do any more, and send the last events."""
        with self._desk.changed:
            self._closing = True
            self._desk.changed.notify_all()
            self._parked.notify_all()
        self._join()
        self._ticker.end()
        self._outbox.flush()
        self._desk.client.close()

    def _skip(self, works: Iterable[Work]) -> None:
        now = self._desk.clock.now()
        self._outbox.extend(DownloadSkipped(now, work.download.id, self._unbegun) for work in works)
        self._outbox.flush()

    def _add_threads(self) -> None:
        """Start threads as far as they are allowed and would find something to do."""
        while len(self._threads) < min(self._hands.allowed, self._wanted, self._most):
            try:
                self._add_thread()
            except (RuntimeError, MemoryError):
                # The system starts no more: those that are there do it all.
                self._most = len(self._threads)

    def _add_thread(self) -> None:
        thread = threading.Thread(target=self._work, name=f"marscore-{len(self._threads)}", daemon=True)
        thread.start()
        self._threads.append(thread)

    def _join(self) -> None:
        """Wait for the threads to leave, but not for longer than their grace, which begins with the first wait."""
        now = self._desk.clock.ticks()
        until = self._leave_until = now + STOP_GRACE if self._leave_until is None else self._leave_until
        for thread in [*self._threads, *self._desk.helpers]:
            if thread is not threading.current_thread():
                thread.join(max(0.0, until - self._desk.clock.ticks()))

    def _work(self) -> None:
        driver = Driver(self._desk, self._files)
        assignment = None
        try:
            assignment = self._next(None)
            while assignment is not None:
                self._perform(driver, assignment)
                assignment = self._next(assignment)
        except BaseException as error:  # noqa: BLE001 - whatever it is, each download has its outcome
            self._die(error)

    def _perform(self, driver: Driver, assignment: Assignment) -> None:
        try:
            driver.perform(assignment)
        except BaseException as error:  # noqa: BLE001 - a thread that fails ends its downloads by name
            self._fail((assignment.transfer, *assignment.along), error)

    def _fail(self, transfers: Iterable[Transfer], error: BaseException) -> None:
        try:
            for transfer in transfers:
                self._end(transfer, internal(error))
            self._outbox.flush()
        except BaseException as worse:  # noqa: BLE001 - a thread of its own that verifies has nobody above it
            self._die(worse)

    def _die(self, error: BaseException) -> None:
        """End all downloads by name: this worker is of no use any more."""
        try:
            failure = internal(error)
            self.stop(failure, failure.message)
        except BaseException:  # noqa: BLE001 - without memory for that either, nobody would ever hear of its downloads
            self._give_up()

    def _next(self, done: Assignment | None) -> Assignment | None:
        """Give back what is done and take what is next, waiting for it if need be; None where the worker closes."""
        with self._desk.lock:
            if done is not None:
                self._give_back(done)
            chosen = self._take()
            if done is not None and (chosen is None or chosen.host != done.host):
                # The slot that was given back may be what another waits for.
                self._desk.changed.notify()
            # More is on its way by the time that it is needed.
            hungry = done is not None and self._desk.board.waiting < len(self._threads)
        if hungry:
            self._outbox.flush()
        return chosen or self._wait_for_work()

    def _wait_for_work(self) -> Assignment | None:
        with self._desk.lock:
            while not self._closing:
                chosen = self._take()
                if chosen is not None:
                    return chosen
                if self._busy >= self._hands.allowed:
                    # Apart from those that wait for work: changes wake them, and these have no part in it.
                    self._parked.wait()
                else:
                    self._wait()
        return None

    def _take(self) -> Assignment | None:
        """What there is to do now for one more thread, if it may work."""
        spare = self._hands.allowed - self._busy
        if spare <= 0 or self._closing:
            return None
        # The others that may work and do not would each take a share of a large file; they wait, or begin just now.
        chosen = self._desk.board.take(self._desk.moment(), max(0, min(len(self._threads) - self._busy, spare) - 1))
        if isinstance(chosen, Idle):
            self._until = chosen.until
            return None
        self._busy += 1
        return chosen

    def _wait(self) -> None:
        """Wait for a change, or for what the last look at the board found to be due later."""
        until = self._until
        # One waits at least a little, so that a clock that stands still in a test does not spin.
        self._desk.changed.wait(None if until is None else max(0.001, until - self._desk.clock.ticks()))

    def _give_back(self, assignment: Assignment) -> None:
        self._desk.board.release(assignment.host)
        for transfer in (assignment.transfer, *assignment.along):
            self._desk.board.settle(transfer)
        self._busy -= 1

    def _end(self, transfer: Transfer, reason: Failure) -> None:
        with self._desk.changed:
            commands = transfer.step(Stopped(self._desk.moment(), reason))
            self._desk.board.settle(transfer)
        file = self._files.pop(transfer.download.id, None)
        if file is not None:
            file.release(keep=True)
        for command in commands:
            if isinstance(command, Emit):
                self._outbox.put(command.event)

    def _tell_progress(self) -> None:
        if self._show is not None:
            self._show(self._desk.progress_made())

    def _flush_and_look(self) -> None:
        self._outbox.flush()
        # Without memory a thread can end before the first line of what it was to do. Those that were asked to leave see `_closing` first.
        if not any(thread.is_alive() for thread in self._threads) and not self._closing:
            self._die(MemoryError())
        self._look()

    def _look(self) -> None:
        board = self._desk.board
        with self._desk.changed:
            allowed = self._hands.allowed
            self._hands.look(self._desk.reading(), self._wanted, bool(board.waiting))
            self._desk.give_up_laggards()
            if self._hands.allowed > allowed and not self._closing:
                self._add_threads()
                self._parked.notify_all()
