"""What a person sees at a terminal: while a run goes on, when it ends, and when it is told to stop."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.command import LIMIT_S, command, environment, write
from tests.long import long
from tests.origin import Body, Good, Origin, busy
from tests.screen import Screen

MIB = 1024 * 1024
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
#: Brings so much at once and then nothing for longer than any test lasts.
HELD = Good(rate=40 * MIB, stall_after=8 * MIB, stall_s=120)
STEERS = re.compile("\x1b")


class Seat:
    """A command at a terminal, and the screen on which it is watched."""

    def __init__(self, folder: Path, columns: int, *arguments: str, **env: str) -> None:
        self.screen = Screen(columns)
        self.raw = ""
        self._leader, follower = os.openpty()
        self._size(columns)
        surroundings = environment({"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **env})
        self.process = subprocess.Popen(command(*arguments), cwd=folder, env=surroundings, stdin=follower, stdout=follower, stderr=follower)
        os.close(follower)
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def narrow(self, columns: int) -> None:
        """Make the window narrower, as a terminal does: what is on it is folded, and the system knows."""
        with self._lock:
            self.screen.narrow(columns)
            self._size(columns)

    def shown(self) -> list[str]:
        """What is to be seen now."""
        with self._lock:
            return self.screen.shown()

    def wait_for(self, holds: Callable[[list[str]], object]) -> list[str]:
        """Wait until what is to be seen is so."""
        until = time.monotonic() + LIMIT_S
        while not holds(shown := self.shown()):
            assert time.monotonic() < until, shown
            assert self.process.poll() is None, shown
            time.sleep(0.02)
        return shown

    def end(self) -> int:
        """Wait until the command has ended and all that it wrote is read."""
        code = self.process.wait(LIMIT_S)
        self._reader.join(LIMIT_S)
        return code

    def close(self) -> None:
        """End what is left."""
        if self.process.poll() is None:
            self.process.kill()
        self.end()
        os.close(self._leader)

    def _size(self, columns: int) -> None:
        import fcntl  # noqa: PLC0415 - POSIX alone has it
        import termios  # noqa: PLC0415 - as above

        fcntl.ioctl(self._leader, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def _read(self) -> None:
        import codecs  # noqa: PLC0415 - for a thread that decodes

        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        with contextlib.suppress(OSError):
            while data := os.read(self._leader, 65536):
                text = decoder.decode(data)
                with self._lock:
                    self.raw += text
                    self.screen.write(text)


@contextlib.contextmanager
def seat(folder: Path, columns: int, *arguments: str, **env: str) -> Iterator[Seat]:
    """Run a command at a terminal."""
    taken = Seat(folder, columns, *arguments, **env)
    try:
        yield taken
    finally:
        taken.close()


def small_ones(origin: Origin, count: int) -> list[object]:
    return [origin.serve(f"/small/{n}.bin", Body(1000, seed=n)) for n in range(count)]


def test_three_hundred_small_files_leave_two_lines(origin: Origin, tmp_path: Path) -> None:
    with seat(tmp_path, 80, "run", write(tmp_path, small_ones(origin, 300))) as person:
        assert person.end() == 0
    first, second = person.shown()
    assert first.startswith("300 downloads: 300 downloaded; 293.0 KiB in ")
    assert second == "report: data/.marscore/report.json"


def test_what_needs_attention_stays_and_the_display_goes(origin: Origin, tmp_path: Path) -> None:
    urls = [
        origin.serve("/busy.bin", Body(3000), [busy(503, "3"), Good()]),
        origin.url("/gone.bin"),
        origin.serve("/large.bin", Body(6 * MIB), [Good(rate=4 * MIB)] * 9),
    ]
    with seat(tmp_path, 200, "run", write(tmp_path, urls)) as person:
        person.wait_for(lambda shown: any(re.search(r"busy\.bin +retry 1 of \d+ in \d+ s: 503", line) for line in shown))
        assert person.end() == 1
    shown = person.shown()
    assert "busy.bin: 503 Service Unavailable, retry 1 of 5 in 3 s" in shown
    assert "gone.bin: failed: 404 Not Found" in shown
    assert shown[-5] == "failed: gone.bin: the server answered 404 Not Found"
    assert shown[-3].startswith("  to do: check the URL's spelling")
    assert not [line for line in shown if "large.bin" in line or " left" in line]


def test_a_window_that_is_made_narrower_is_drawn_anew(origin: Origin, tmp_path: Path) -> None:
    urls = [{"url": origin.serve(f"/a-file-with-a-long-name-{n}.bin", Body(24 * MIB), [HELD]), "threads": 1} for n in range(3)]
    with seat(tmp_path, 120, "run", write(tmp_path, urls)) as person:
        person.wait_for(lambda shown: len(shown) == 4 and "of 24.0 MiB" in shown[-1])
        person.narrow(40)
        # The display has moved to the window's last rows.
        shown = person.wait_for(lambda shown: len(list(filter(None, shown))) == 4 and max(map(len, shown)) < 40)
        assert "0 of 3 files" in shown[-4]
        person.process.send_signal(signal.SIGINT)
        assert person.end() == 130
    assert person.shown()[0].startswith("3 downloads: 3 interrupted;")


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=long)])
def test_who_interrupts_a_run_is_told_what_was_kept_and_how_to_go_on(number: signal.Signals, origin: Origin, tmp_path: Path) -> None:
    body = Body(24 * MIB, seed=1)
    name = write(tmp_path, [{"url": origin.serve("/large.bin", body, [HELD]), "threads": 1}, *small_ones(origin, 3)])
    with seat(tmp_path, 200, "run", name) as person:
        person.wait_for(lambda shown: re.search("3 of 4 files  8.0 of 24.0 MiB", shown[0]) if shown else False)
        person.process.send_signal(number)
        assert person.end() == 128 + number
    assert person.shown()[1:] == [
        "interrupted: 3 of 4 files are in place, kept 8.0 MiB of 1 more; run the same command again to go on",
        "report: data/.marscore/report.json",
    ]
    origin.serve("/large.bin", body)
    with seat(tmp_path, 200, "run", name) as person:
        assert person.end() == 0
    assert person.shown()[0] == "large.bin: resumes, 8.0 MiB of it are here already"
    assert "; 8.0 MiB were here from before" in person.shown()[1]


def test_a_second_signal_ends_it_at_once_and_leaves_the_terminal_as_it_was(origin: Origin, tmp_path: Path) -> None:
    with seat(tmp_path, 100, "run", write(tmp_path, [{"url": origin.serve("/large.bin", Body(24 * MIB), [HELD]), "threads": 1}])) as person:
        person.wait_for(lambda shown: len(shown) == 2)
        # Two of one number would be one where the process is not at it in between.
        person.process.send_signal(signal.SIGINT)
        person.process.send_signal(signal.SIGTERM)
        assert person.end() in (130, 143)
    assert person.screen.cursor_shown
    assert person.screen.folds
    assert not [line for line in person.shown() if "large.bin" in line or "connection" in line]


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_no_line_of_the_display_is_wider_than_the_window(columns: int, origin: Origin, tmp_path: Path) -> None:
    urls = [origin.serve(f"/{'n' * 60}-{n}.bin", Body(12 * MIB), [busy(503), *[Good(rate=4 * MIB)] * 9]) for n in range(3)]
    wide = 0
    with seat(tmp_path, columns, "run", write(tmp_path, urls)) as person:
        person.wait_for(lambda shown: len(shown) > 3)
        assert person.end() == 0
    for frame in re.findall(r"\x1b\[\?7l(.*?)\x1b\[\?7h", person.raw, re.DOTALL):
        lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", frame).replace("\r", "").split("\n")
        wide = max(wide, *map(len, lines))
    assert 0 < wide < columns


def test_a_terminal_that_cannot_move_its_cursor_gets_sober_lines(origin: Origin, tmp_path: Path) -> None:
    urls = [origin.serve("/busy.bin", Body(3000), [busy(503), Good()]), origin.serve("/large.bin", Body(6 * MIB), [Good(rate=8 * MIB)] * 9)]
    with seat(tmp_path, 200, "run", write(tmp_path, urls), TERM="dumb") as person:
        assert person.end() == 0
    assert not STEERS.search(person.raw)
    first, second, third = person.shown()
    assert first.startswith("busy.bin: 503 Service Unavailable, retry 1 of ")
    assert second.startswith("2 downloads: 2 downloaded; 6.")
    assert third.startswith("report: ")


def test_without_colours_there_are_none(origin: Origin, tmp_path: Path) -> None:
    with seat(tmp_path, 120, "run", write(tmp_path, [origin.url("/gone.bin"), *small_ones(origin, 3)]), NO_COLOR="1") as person:
        assert person.end() == 1
    assert not re.search(r"\x1b\[[0-9;]*m", person.raw)


def test_a_quiet_run_that_goes_well_says_nothing_and_its_log_file_everything(origin: Origin, tmp_path: Path) -> None:
    name = write(tmp_path, [origin.serve("/busy.bin", Body(3000), [busy(503), Good()])])
    with seat(tmp_path, 80, "run", "-q", name, "--log-file", "run.jsonl") as person:
        assert person.end() == 0
    assert person.raw == ""
    events = [json.loads(line)["event"] for line in (tmp_path / "run.jsonl").read_text("utf-8").splitlines()]
    assert {"run_started", "download_started", "retry_scheduled", "download_finished", "run_finished"} <= set(events)


def test_a_quiet_run_tells_of_failures(origin: Origin, tmp_path: Path) -> None:
    name = write(tmp_path, [origin.serve("/busy.bin", Body(3000), [busy(503), Good()]), origin.url("/gone.bin")])
    with seat(tmp_path, 200, "run", "-q", name) as person:
        assert person.end() == 1
    assert person.shown()[:2] == ["gone.bin: failed: 404 Not Found", "failed: gone.bin: the server answered 404 Not Found"]


def test_who_wants_more_gets_the_log_above_the_display(origin: Origin, tmp_path: Path) -> None:
    with seat(tmp_path, 200, "run", "-v", write(tmp_path, small_ones(origin, 2))) as person:
        assert person.end() == 0
    assert [word for word in ("run_started", "download_started", "download_finished", "run_finished") if word in person.raw]
    assert person.shown()[-2].startswith("2 downloads: 2 downloaded")


def test_the_caret_below_a_line_that_is_wider_than_the_window_is_at_its_column(tmp_path: Path) -> None:
    entry = '  - {url: "https://example.com/a/l/file.zip", path: "so/where/file.zip", tagz: [a, bbbbbbbbbbbbbb, ccccccccccccc]}'
    (tmp_path / "downloads.yaml").write_text(f"version: 1\ndownloads:\n{entry}\n")
    with seat(tmp_path, 80, "validate", "downloads.yaml") as person:
        assert person.end() == 2
    text, caret = (line for line in person.raw.replace("\r", "").split("\n") if " | " in line)
    assert caret.index("^") == text.index("tagz")
