"""What a person sees while a run goes on."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from marscore.adapters.terminal.display import RichProgress, stderr_console
from marscore.adapters.terminal.log import open_log
from marscore.adapters.terminal.progress import NoProgress, PlainProgress
from marscore.adapters.terminal.run_output import make_progress
from marscore.adapters.terminal.writer import Writer, target_of
from marscore.events import DownloadFailed, DownloadFinished, DownloadStarted, PlanCompiled, ProgressMade, RetryScheduled, Warned
from marscore.settings import RunSettings

MIB = 1024 * 1024


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self):
        return True


class Watch:
    """Time that passes when the test says so."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture(autouse=True)
def _a_plain_terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)


def a_display(width=100):
    watch = Watch()
    console = Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None, highlight=False, markup=False, emoji=False)
    return RichProgress(console, ticks=watch), watch


def drawn(display):
    with display.console.capture() as captured:
        display.console.print(display.render())
    return [line.rstrip() for line in captured.get().rstrip("\n").split("\n")]


def begin(display, files, active):
    display(PlanCompiled(0.0, 2, 8, files, 0))
    for number in range(active):
        display(DownloadStarted(0.0, f"downloads[{number}]", f"https://example.com/shard-{number:02}.tar"))


def progress(number, done, size):
    return ProgressMade(0.0, f"downloads[{number}]", done, size, done, 4, 1)


def test_the_run_and_each_active_file_are_drawn():
    display, watch = a_display()
    begin(display, 4, 2)
    watch.now += 2
    display.emit(
        [
            progress(0, 20 * MIB, 100 * MIB),
            progress(1, 4 * MIB, None),
            RetryScheduled(0.0, "downloads[1]", 1, 3, "timeout", None, 1.0, "https://example.com/", "slow"),
        ]
    )
    lines = drawn(display)
    assert re.fullmatch(r"  5% \S+ +24\.0 MiB  12\.0 MiB/s  ETA 0:38", lines[0])
    assert lines[1].strip() == "0/4 files, threads 8 active 2 done, 1 retry"
    assert lines[2].split() == ["shard-00.tar", "20%", "20.0", "MiB/100.0", "MiB", "10.0", "MiB/s", "0:08", "4", "active", "1", "done"]
    assert lines[3].split() == ["shard-01.tar", "?", "4.0", "MiB", "2.0", "MiB/s", "-:--", "4", "active", "1", "done", "1", "retry"]
    assert len(lines) == 4


def test_failures_are_counted_for_all_to_see():
    display, _ = a_display()
    begin(display, 2, 1)
    display(DownloadFailed(0.0, "downloads[0]", "http_status", "no", 404))
    assert "1/2 files, 1 failed" in drawn(display)[1]


def test_many_files_are_summed_up_after_ten():
    display, _ = a_display()
    begin(display, 40, 22)
    lines = drawn(display)
    assert [line.split()[0] for line in lines[2:12]] == [f"shard-{n:02}.tar" for n in range(10)]
    assert lines[12:] == ["… and 12 more"]


@pytest.mark.parametrize("width", [100, 80, 60, 40, 20, 5])
def test_every_line_fits_the_terminal(width):
    display, watch = a_display(width)
    begin(display, 3, 2)
    watch.now += 1
    display(progress(0, 999 * MIB, 1023 * MIB))
    lines = drawn(display)
    assert max(len(line) for line in lines) <= width
    assert len(lines) == 4


def test_at_eighty_columns_only_names_are_shortened():
    display, watch = a_display(80)
    display(PlanCompiled(0.0, 1, 4, 1, 0))
    display(DownloadStarted(0.0, "downloads[0]", f"https://example.com/{'long' * 30}"))
    watch.now += 1
    display(progress(0, 20 * MIB, 100 * MIB))
    assert drawn(display)[2].endswith("… 20% 20.0 MiB/100.0 MiB 20.0 MiB/s 0:04 4 active 1 done")


def test_a_name_is_only_text():
    display, _ = a_display()
    display(PlanCompiled(0.0, 1, 4, 1, 0))
    display(DownloadStarted(0.0, "downloads[0]", "https://example.com/[red]:smile:\x1b[2J.bin"))
    assert drawn(display)[2].startswith(r"[red]:smile:\x1b[2J.bin")


def test_the_display_is_gone_when_the_run_is_over():
    watch = Watch()
    stream = Terminal()
    writer = Writer(target_of(stream))
    display = RichProgress(stderr_console(stream, writer), ticks=watch)
    with display:
        begin(display, 1, 1)
    writer.close()
    assert stream.getvalue().endswith("\x1b[2K")
    display.stop()


def test_log_lines_go_above_the_display():
    stream = Terminal()
    writer = Writer(target_of(stream))
    display = make_progress("auto", stream, writer)
    sink = open_log("r1", RunSettings(), stream, writer, display.console, None)
    with display:
        begin(display, 1, 1)
        sink.emit([Warned(1.0, None, "look here")])
    writer.close()
    text = stream.getvalue()
    assert text.index("look here") > text.index("0/0 files")
    assert "look here" in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


@pytest.mark.parametrize(
    ("mode", "stream", "term", "kind"),
    [
        ("auto", Terminal(), "xterm", RichProgress),
        ("auto", Terminal(), "dumb", NoProgress),
        ("auto", io.StringIO(), "xterm", NoProgress),
        ("auto", None, "xterm", NoProgress),
        ("rich", Terminal(), "xterm", RichProgress),
        ("rich", io.StringIO(), "xterm", NoProgress),
        ("plain", io.StringIO(), "xterm", PlainProgress),
        ("plain", Terminal(), "xterm", PlainProgress),
        ("none", Terminal(), "xterm", NoProgress),
    ],
)
def test_which_progress_is_shown_where(monkeypatch, mode, stream, term, kind):
    monkeypatch.setenv("TERM", term)
    assert type(make_progress(mode, stream, Writer(target_of(stream)))) is kind


def test_plain_progress_is_a_line_every_ten_seconds_and_one_at_the_end():
    watch, stream = Watch(), io.StringIO()
    writer = Writer(target_of(stream))
    with PlainProgress(writer, {"downloads[0]": 100 * MIB, "downloads[1]": 100 * MIB}, watch) as display:
        begin(display, 2, 1)
        for second in range(1, 26):
            watch.now = 100.0 + second
            display(progress(0, second * MIB, 100 * MIB))
        display(DownloadFinished(0.0, "downloads[0]", "downloaded", "", 100 * MIB, (), 0, 0, bytes_downloaded=100 * MIB, segments=5))
    writer.close()
    lines = stream.getvalue().splitlines()
    assert lines[0] == "progress: 5%, 10.0 MiB of 200.0 MiB, 1.0 MiB/s, ETA 3:10, 0/2 files, threads 4 active 1 done, 0 retries"
    assert lines[1].startswith("progress: 10%, 20.0 MiB of 200.0 MiB")
    assert lines[2].startswith("progress: 50%, 100.0 MiB of 200.0 MiB")
    assert len(lines) == 3


def test_plain_progress_ends_once():
    stream = io.StringIO()
    writer = Writer(target_of(stream))
    display = PlainProgress(writer)
    display.stop()
    display.stop()
    writer.close()
    assert len(stream.getvalue().splitlines()) == 1


def test_a_lost_terminal_does_not_end_the_run():
    class Lost(Terminal):
        def write(self, text):
            raise OSError("gone")

    for mode in ("rich", "plain"):
        writer = Writer(target_of(Lost()))
        with make_progress(mode, Lost(), writer) as display:
            begin(display, 1, 1)
        writer.close()


def test_no_progress_forgets_what_it_is_told():
    with NoProgress() as display:
        display.emit([PlanCompiled(0.0, 1, 1, 1, 0)])
    assert display.console is None
