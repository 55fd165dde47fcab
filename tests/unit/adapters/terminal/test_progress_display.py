"""What a person sees while a run goes on."""

from __future__ import annotations

import io
import os
import time

import pytest
from rich.cells import cell_len

from marscore.adapters.terminal.display import Display, is_utf8
from marscore.adapters.terminal.layout import Looks
from marscore.adapters.terminal.painter import Painter
from marscore.adapters.terminal.progress import NoProgress, PlainProgress
from marscore.adapters.terminal.run_output import make_progress
from marscore.adapters.terminal.writer import Writer, target_of
from marscore.events import (
    DownloadFailed,
    DownloadFinished,
    DownloadStarted,
    HostPaused,
    PlanCompiled,
    ProgressMade,
    ProofMade,
    ProvingStarted,
    RetryScheduled,
)
from marscore.report.progress import ProgressFold
from tests.screen import Screen

PLAIN = Looks(colors=False)
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


def a_display(width=100, rows=30, paths=None, looks=PLAIN, stopping=lambda: False, sizes=None):
    watch = Watch()
    painter = Painter(None, Writer(target_of(io.StringIO())))
    display = Display(painter, looks, ProgressFold(watch(), sizes, paths), watch, stopping)
    display.window = (width, rows)
    return display, watch


def drawn(display):
    return [line.rstrip() for line in display.lines(*display.window)]


def begin(display, files, active, watch=None):
    display(PlanCompiled(0.0, 2, 8, files, 0))
    for number in range(active):
        display(DownloadStarted(0.0, f"downloads[{number}]", f"https://example.com/shard-{number:02}.tar"))
    if watch is not None:
        watch.now += 1


def progress(number, done, size, active=4):
    return ProgressMade(0.0, f"downloads[{number}]", done, size, done, active, 1)


def retry(number, wait=1.0, host="example.com"):
    name = f"downloads[{number}]"
    return RetryScheduled(0.0, name, 2, 5, "server_error", 503, wait, f"https://{host}/", "the server answered 503 Service Unavailable")


def test_the_run_and_each_active_file_are_drawn():
    display, watch = a_display(230)
    begin(display, 4, 2)
    watch.now += 2
    display.emit([progress(0, 20 * MIB, 100 * MIB), progress(1, 4 * MIB, None), retry(1)])
    lines = drawn(display)
    assert lines[0] == " " + "─" * 10 + " 0 of 4 files  24.0 MiB  12.0 MiB/s  8 connections  1 retry"
    watch.now += 1
    assert drawn(display)[0] == " " + "─" * 10 + "   5%  0 of 4 files  24.0 MiB   8.0 MiB/s  0:57 left  8 connections  1 retry"
    assert lines[1] == " shard-00.tar   20%  of 100.0 MiB  10.0 MiB/s   0:08  4 connections"
    assert lines[2] == " shard-01.tar        4.0 MiB        2.0 MiB/s   -:--  4 connections"
    assert len(lines) == 3


def test_what_waits_says_for_what_and_how_long():
    display, watch = a_display(100)
    begin(display, 5, 5)
    display.emit([progress(number, 10, 100, active=0) for number in range(4)])
    display.emit([retry(0, 12.3), HostPaused(0.0, "downloads[1]", "example.com:443", 20.0), retry(2, 0.2, "other.org"), progress(4, 1, 2)])
    watch.now += 5
    display.emit([progress(3, 100, 100, active=0)])
    lines = drawn(display)
    assert lines[1] == " example.com asked to wait: 15 s"
    assert lines[2] == " shard-00.tar   10%  retry 2 of 5 in 8 s: 503 Service Unavailable"
    assert lines[3] == " shard-01.tar   10%  waits 15 s for example.com"
    assert lines[4] == " shard-02.tar   10%  waits for a connection, 5 s so far"
    assert lines[5] == " shard-03.tar  100%  is checked"
    assert lines[6] == " shard-04.tar   50%  nothing has come for 5 s"


def test_failures_are_counted_for_all_to_see():
    display, _ = a_display()
    begin(display, 2, 1)
    display(DownloadFailed(0.0, "downloads[0]", "http_status", "no", 404))
    assert "1 of 2 files" in drawn(display)[0]
    assert "1 failed" in drawn(display)[0]


@pytest.mark.parametrize("rows", [30, 9, 4, 2, 1])
def test_many_files_are_summed_up_in_ten_lines(rows):
    display, watch = a_display(rows=rows)
    begin(display, 40, 22, watch)
    lines = drawn(display)
    listed = {30: 8, 9: 2}.get(rows, 0)
    assert [line.split()[0] for line in lines[1 : 1 + listed]] == [f"shard-{n:02}.tar" for n in range(listed)]
    more = {30: [" … and 14 more"], 9: [" … and 20 more"]}.get(rows, [])
    assert lines[1 + listed :] == more
    assert len(lines) <= max(1, min(10, (rows - 1) // 2))


def test_while_the_window_is_resized_lines_are_short_and_soon_they_are_not():
    display, watch = a_display()
    begin(display, 3, 3, watch)
    display.emit([progress(number, 20 * MIB, 100 * MIB) for number in range(3)])
    widths = []
    watch.now += 5
    for width, later in ((80, 0), (99, 0.1), (80, 0.1), (90, 1.4), (90, 0.2), (90, 1.4), (40, 0.1), (20, 0.1)):
        watch.now += later
        lines = display.frame(width, 30)
        assert len(lines) == 4
        widths.append(max(map(cell_len, lines)))
    assert [width < 30 for width in widths] == [False, True, True, True, True, False, True, True]
    assert widths[-1] < 20


@pytest.mark.parametrize("columns", [400, 200, 80, 40])
@pytest.mark.parametrize("rows", [50, 24, 12, 6, 3])
def test_in_the_narrowest_window_all_lines_have_room_though_they_are_folded(columns, rows):
    paths = {f"downloads[{n}]": "a-rather-long-name-of-a-file/" * (n % 3) + str(n) for n in range(12)}
    display, watch = a_display(columns, rows, paths)
    begin(display, 40, 12, watch)
    display.emit([progress(number, 20 * MIB, 100 * MIB) for number in range(12)])
    lines = drawn(display)
    assert len(lines) == 1 or sum(-(-len(line) // 30) for line in lines) < rows
    assert max(map(len, lines)) <= max(76, columns // 2 - 1)
    assert len(lines) >= max(1, min(10, rows // 4))


def test_files_that_come_and_go_pass_as_a_number():
    display, watch = a_display()
    begin(display, 300, 7)
    watch.now += 0.2
    assert drawn(display)[1:] == [" 7 files on the way…"]
    watch.now += 1
    display(DownloadStarted(0.0, "downloads[20]", "https://example.com/new.bin"))
    assert drawn(display)[-1] == " … and 1 more"


@pytest.mark.parametrize("width", [200, 100, 80, 60, 40, 20, 5, 1])
def test_every_line_is_shorter_than_the_window(width):
    display, watch = a_display(width)
    begin(display, 3, 2, watch)
    display.emit([progress(0, 999 * MIB, 1023 * MIB), progress(1, 1, 9, active=0), retry(1, 100, "host" * 30 + ".example.org")])
    display(HostPaused(0.0, "downloads[1]", "host" * 30 + ".example.org:443", 500.0))
    lines = drawn(display)
    assert max(len(line) for line in lines) <= max(1, width - 1)
    assert len(lines) == 4


def test_at_forty_columns_there_are_name_percent_speed_and_time():
    display, watch = a_display(40, paths={"downloads[0]": "models/a-long-name-of-a-shard.safetensors"})
    begin(display, 1, 1, watch)
    display(progress(0, 20 * MIB, 100 * MIB))
    assert drawn(display)[1] == " a-long…ensors   20%  20.0 MiB/s   0:04"


def test_at_eighty_columns_only_names_are_shortened():
    display, watch = a_display(80)
    display(PlanCompiled(0.0, 1, 4, 1, 0))
    display(DownloadStarted(0.0, "downloads[0]", f"https://example.com/{'long' * 30}"))
    watch.now += 1
    display(progress(0, 20 * MIB, 100 * MIB))
    line = drawn(display)[1]
    assert line.endswith("  20%  of 100.0 MiB  20.0 MiB/s   0:04  4 conn.")
    assert "…" in line


def test_wide_windows_show_whole_paths():
    display, watch = a_display(200, paths={"downloads[0]": "models/en/shard.tar"})
    begin(display, 1, 1, watch)
    assert drawn(display)[1].startswith(" models/en/shard.tar ")


def test_a_name_is_only_text():
    display, watch = a_display()
    display(PlanCompiled(0.0, 1, 4, 1, 0))
    display(DownloadStarted(0.0, "downloads[0]", "https://example.com/[red]:smile:\x1b[2J.bin"))
    watch.now += 1
    assert drawn(display)[1].startswith(r" [red]:smile:\x1b[2J.bin")


def test_wide_characters_take_two_columns():
    display, watch = a_display(60, paths={"downloads[0]": "文" * 40})
    begin(display, 1, 1, watch)
    line = drawn(display)[1]
    assert cell_len(line) <= 59
    assert line.startswith(" 文文")


def test_a_terminal_without_utf8_gets_ascii_alone():
    display, watch = a_display(looks=Looks(colors=False, unicode=False, encoding="latin-1"), paths={"downloads[0]": "文" * 20 + "é"})
    begin(display, 30, 20, watch)
    text = "\n".join(drawn(display))
    assert (text.encode("latin-1"), "#" in text or "-" in text, "... and" in text) == (text.encode("latin-1"), True, True)
    assert r"\u6587" in text


@pytest.mark.parametrize(
    ("environment", "utf8"),
    [
        ({"LANG": "en_US.UTF-8"}, True),
        ({"LANG": "C.UTF-8"}, True),
        ({"LC_CTYPE": "UTF-8"}, True),
        ({"LANG": "C"}, False),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, False),
        ({"LC_CTYPE": "C.UTF-8"}, False),
        ({"LANG": "en_US.UTF-8", "LC_CTYPE": "C.UTF-8"}, True),
        ({"LC_ALL": "C", "LANG": "en_US.UTF-8"}, False),
        ({"LANG": "de_DE.ISO-8859-1"}, False),
        ({}, False),
    ],
)
@pytest.mark.skipif(os.name != "posix", reason="elsewhere no environment says so")
def test_what_the_environment_says_of_utf8(environment, utf8):
    assert is_utf8(environment) is utf8


def test_colours_are_for_those_who_want_them():
    for colors in (True, False):
        display, watch = a_display(looks=Looks(colors=colors))
        begin(display, 1, 1, watch)
        assert ("\x1b[" in "".join(drawn(display))) is colors


def test_who_told_it_to_stop_sees_that_it_does():
    display, _ = a_display(stopping=lambda: True)
    begin(display, 4, 2)
    assert drawn(display)[0].startswith(" stopping  0 of ")


def test_files_in_place_that_are_checked_first():
    display, watch = a_display(80)
    display(ProvingStarted(0.0, 30, 100 * MIB))
    watch.now += 2
    display(ProofMade(0.0, 10, 50 * MIB))
    assert drawn(display) == [" checking files in place: 10 of 30 files  50.0 of 100.0 MiB  25.0 MiB/s"]


def on_a_screen(width=60):
    screen = Screen(width)
    writer = Writer(ToScreen(screen))
    fold = ProgressFold(0.0)
    return screen, writer, Display(Painter(None, writer), PLAIN, fold, time.monotonic)


class ToScreen:
    """A target that is a screen."""

    def __init__(self, screen):
        self.screen = screen

    def write(self, text):
        self.screen.write(text)

    def close(self):
        pass


def test_the_display_is_gone_when_the_run_is_over():
    screen, writer, display = on_a_screen()
    with display:
        begin(display, 1, 1)
        display.draw()
        writer.drain()
        assert "0 of 1 file" in screen.shown()[0]
    display.stop()
    writer.close()
    assert screen.shown() == []


def test_lines_go_above_the_display():
    screen, writer, display = on_a_screen()
    with display:
        begin(display, 1, 1)
        display.draw()
        assert display.above("look here\n")
        writer.drain()
        assert screen.shown()[0] == "look here"
        assert "0 of 1 file" in screen.shown()[1]
    writer.close()
    assert screen.shown() == ["look here"]


def test_where_no_thread_can_be_started_events_draw(monkeypatch):
    screen, writer, display = on_a_screen()

    class NoThread:
        def __init__(self, **_):
            pass

        def start(self):
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr("marscore.adapters.terminal.display.threading.Thread", NoThread)
    display.start()
    monkeypatch.undo()
    begin(display, 1, 1)
    writer.drain()
    assert "file" in screen.shown()[0]
    display.stop()
    writer.close()
    assert screen.shown() == []


@pytest.mark.parametrize(
    ("mode", "stream", "term", "kind"),
    [
        ("auto", Terminal(), "xterm", Display),
        ("auto", Terminal(), "dumb", PlainProgress),
        ("auto", io.StringIO(), "xterm", NoProgress),
        ("auto", None, "xterm", NoProgress),
        ("rich", Terminal(), "xterm", Display),
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
    assert lines[0] == "progress: 5%, 10.0 of 200.0 MiB, 1.0 MiB/s, 3:10 left, 0 of 2 files"
    assert lines[1].startswith("progress: 10%, 20.0 of 200.0 MiB")
    assert lines[2].startswith("progress: 50%, 100.0 of 200.0 MiB")
    assert len(lines) == 3


def test_plain_progress_ends_once():
    stream = io.StringIO()
    writer = Writer(target_of(stream))
    display = PlainProgress(writer)
    display.stop()
    display.stop()
    writer.close()
    assert len(stream.getvalue().splitlines()) == 1


def test_plain_progress_that_nobody_asked_for_leaves_the_end_to_the_summary():
    stream = io.StringIO()
    writer = Writer(target_of(stream))
    with PlainProgress(writer, at_the_end="nothing") as display:
        begin(display, 1, 1)
    writer.close()
    assert stream.getvalue() == ""


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
    assert (display.draws, display.above("nobody reads this")) == (False, False)
