"""Text is written by a thread, and a reader who takes nothing holds up nobody for long."""

from __future__ import annotations

import contextlib
import os
import threading
import time

import pytest

from marscore.adapters.terminal.writer import Descriptor, Writer, target_of, write_all

LONG = "x" * (2 * 1024 * 1024)


class Gate:
    """A target whose reader takes a piece each time that it is let."""

    def __init__(self):
        self.taken, self.open, self.closed = [], threading.Event(), threading.Event()

    def write(self, text):
        assert self.open.wait(60)
        self.taken.append(text)

    def close(self):
        self.closed.set()


@contextlib.contextmanager
def a_pipe():
    reading, writing = os.pipe()
    try:
        yield reading, writing
    finally:
        for descriptor in (reading, writing):
            with contextlib.suppress(OSError):
                os.close(descriptor)


def test_all_is_written_in_its_order_before_it_is_closed():
    gate = Gate()
    writer = Writer(gate)
    gate.open.set()
    for number in range(1000):
        assert writer.write(f"{number}\n")
    writer.close()
    assert "".join(gate.taken) == "".join(f"{number}\n" for number in range(1000))
    assert gate.closed.is_set()


def test_text_of_any_length_comes_through_a_pipe_that_is_read():
    with a_pipe() as (reading, writing):
        got = []

        def read():
            while data := os.read(reading, 100_000):
                got.append(data)

        reader = threading.Thread(target=read)
        reader.start()
        writer = Writer(Descriptor(writing))
        for _ in range(10):
            assert writer.write(LONG), "whoever reads slowly is waited for"
        writer.close()
        reader.join()
        assert b"".join(got) == 10 * LONG.encode()


def test_what_a_reader_does_not_take_is_refused_and_comes_again_when_he_does():
    gate = Gate()
    writer = Writer(gate, patience=0.1)
    assert [writer.write(LONG) for _ in range(4)] == [True, True, False, False]
    assert not writer.drain()
    gate.open.set()
    while not gate.taken:
        time.sleep(0.001)
    assert writer.drain()
    assert writer.write("again")
    writer.close()
    assert "".join(gate.taken) == LONG + LONG + "again"


def test_without_waiting_there_has_to_be_room_now():
    gate = Gate()
    writer = Writer(gate, patience=3600)
    assert [writer.write(LONG, wait=False) for _ in range(3)] == [True, True, False]
    gate.open.set()
    writer.close()


def test_a_run_that_is_told_to_stop_waits_for_nobody():
    gate = Gate()
    hurried = threading.Event()
    writer = Writer(gate, hurried.is_set, patience=3600)
    assert writer.write(LONG)
    assert writer.write(LONG)
    threading.Timer(0.05, hurried.set).start()
    assert not writer.write("more"), "it waited, and gave up"
    writer.close()
    assert not gate.closed.is_set(), "the thread still writes, and the target is its own"
    gate.open.set()
    assert gate.closed.wait(60)


def test_a_target_that_breaks_is_quiet_for_good():
    class Broken(Gate):
        def write(self, text):
            super().write(text)
            raise BrokenPipeError

    gate = Broken()
    gate.open.set()
    writer = Writer(gate)
    for _ in range(3):
        assert writer.write("line\n")
        assert writer.drain()
    writer.close()
    assert gate.taken == ["line\n"]
    assert gate.closed.is_set()


def test_where_the_system_starts_no_thread_whoever_comes_writes(monkeypatch):
    def no_thread(*_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_thread)
    gate = Gate()
    gate.open.set()
    writer = Writer(gate)
    assert writer.write("one\n")
    assert writer.write("two\n")
    writer.close()
    assert gate.taken == ["one\n", "two\n"]
    assert gate.closed.is_set()


def test_nothing_written_is_nothing_begun():
    gate = Gate()
    writer = Writer(gate)
    writer.close()
    writer.close()
    assert writer.write("late")
    assert gate.taken == []


def test_a_stream_of_python_itself_is_written_by_its_descriptor(tmp_path):
    with (tmp_path / "out").open("w", encoding="latin-1") as stream:
        stream.write("before\n")
        writer = Writer(target_of(stream))
        writer.write("naïve 文\n")
        writer.close()
        assert (tmp_path / "out").read_bytes() == b"before\nna\xefve \\u6587\n"


@pytest.mark.skipif(os.name != "posix", reason="asks the system whether a pipe takes something")
def test_with_patience_a_pipe_that_nobody_reads_is_an_error():
    with a_pipe() as (_, writing):
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            write_all(writing, b"x" * 1_000_000, patience=0.05)
        assert time.monotonic() - began < 60


@pytest.mark.skipif(os.name != "posix", reason="only there a descriptor is made non-blocking")
def test_a_descriptor_that_another_program_made_non_blocking_is_waited_for():
    with a_pipe() as (reading, writing):
        os.set_blocking(writing, False)
        got = []
        reader = threading.Thread(target=lambda: got.extend(iter(lambda: os.read(reading, 4096), b"")))
        reader.start()
        write_all(writing, b"x" * 300_000)
        os.close(writing)
        reader.join()
        assert sum(map(len, got)) == 300_000
