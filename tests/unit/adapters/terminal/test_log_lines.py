"""The log as people and programs read it."""

from __future__ import annotations

import io
import json

import hypothesis
import jsonschema
import pytest
import structlog
from hypothesis import strategies as st

from marscore.adapters.terminal.log import Log, LogOutput, open_log, wants_notices
from marscore.adapters.terminal.log_lines import LineMaker
from marscore.adapters.terminal.named_outputs import Outputs
from marscore.adapters.terminal.writer import Writer, target_of
from marscore.errors import StorageError
from marscore.events import DownloadFailed, DownloadFinished, DownloadStarted, PlanCompiled, ProgressMade, RunStarted, Warned, name_of
from marscore.report.record import record_of, well_formed
from marscore.report.schema import event_schema
from marscore.settings import LineSettings, LineStyle, RunSettings
from tests.long import examples

RUN = RunStarted(1714564800.25, None, "downloads.yaml", "data")
PLAN = PlanCompiled(1714564800.3, 2, 8, 3, 1)
FAILED = DownloadFailed(1714564801.0, "downloads[0]", "dns", "no such host")
FINISHED = DownloadFinished(1714564801.0, "downloads[1]", "downloaded", "new", 7, ("sha256:00",), 11, 12)
PROGRESS = ProgressMade(1714564800.5, "downloads[0]", 1, 2, 1, 1, 0)


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self):
        return True


class Broken(io.StringIO):
    """A stream whose reader has gone after the first line."""

    def __init__(self, error):
        super().__init__()
        self.error, self.tries = error, 0

    def write(self, text):
        self.tries += 1
        if self.tries > 1:
            raise self.error
        return super().write(text)


@pytest.fixture(autouse=True)
def _a_plain_terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)


def logged(stream, *batches, settings=None, run_id="r1", file=None):
    """Log these events there, as a run does."""
    writers = [Writer(target_of(stream)), *([Writer(file)] if file else [])]
    log = open_log(run_id, settings or RunSettings(), stream, writers[0].write, writers[1].write if file else None)
    for events in batches:
        log.emit(events)
        for writer in writers:
            assert writer.drain()
    for writer in writers:
        writer.close()


def json_lines(text):
    return [json.loads(line) for line in text.splitlines()]


def test_elsewhere_than_on_a_terminal_each_event_is_a_line_of_json():
    stream = io.StringIO()
    logged(stream, [RUN, PLAN, PROGRESS, FAILED])
    lines = json_lines(stream.getvalue())
    assert [line["event"] for line in lines] == ["run_started", "plan_compiled", "download_failed"]
    assert list(lines[2])[:5] == ["timestamp", "level", "event", "run_id", "download"]
    assert lines[2] | {"bytes": None} == {
        "timestamp": "2024-05-01T12:00:01.000Z",
        "level": "error",
        "event": "download_failed",
        "run_id": "r1",
        "download": "downloads[0]",
        "kind": "dns",
        "message": "no such host",
        "status": None,
        "bytes_downloaded": 0,
        "bytes_resumed": 0,
        "segments": 0,
        "duration_s": 0.0,
        "bytes": None,
    }
    for line in lines:
        # The path is added where downloads are known.
        jsonschema.validate({"path": "a.bin", **line} if "download" in line else line, event_schema())


@pytest.mark.parametrize(("level", "shown"), [("debug", 4), ("info", 4), ("warning", 2), ("error", 1)])
def test_what_is_below_the_level_is_not_logged(level, shown):
    stream = io.StringIO()
    logged(stream, [RUN, PLAN, PROGRESS, Warned(1.0, None, "careful"), FAILED], settings=RunSettings(log_level=level))
    assert len(stream.getvalue().splitlines()) == shown


@pytest.mark.parametrize(
    ("settings", "lines"),
    [
        (RunSettings(), 0),
        (RunSettings(log_level="warning"), 0),
        (RunSettings(log_level="error"), 0),
        (RunSettings(log_level="info"), 2),
        (RunSettings(log_format="console"), 2),
        (RunSettings(log_format="console", log_level="error"), 1),
        (RunSettings(log_format="json"), 2),
    ],
)
def test_a_person_gets_the_log_who_asks_for_it_and_else_what_needs_attention(settings, lines):
    stream = Terminal()
    logged(stream, [FAILED, FINISHED], settings=settings)
    assert (len(stream.getvalue().splitlines()), wants_notices(settings, stream)) == (lines, lines == 0)
    assert not wants_notices(settings, io.StringIO())


def test_on_a_terminal_it_is_for_people():
    stream = Terminal()
    logged(stream, [FAILED, FINISHED], settings=RunSettings(log_level="info"))
    text = stream.getvalue()
    assert "\x1b[" in text
    assert "download_failed" in text
    assert "no such host" in text
    assert "mtime_ns" not in text
    assert "sha256:00" not in text
    assert "{" not in text


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colours_can_be_declined(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    stream = Terminal()
    logged(stream, [FAILED], settings=RunSettings(log_format="console"))
    assert "\x1b" not in stream.getvalue()


def test_json_can_be_had_on_a_terminal_too():
    stream = Terminal()
    logged(stream, [RUN], settings=RunSettings(log_format="json"))
    assert json_lines(stream.getvalue())[0]["manifest"] == "downloads.yaml"


@pytest.mark.parametrize("style", ["json", "console"])
def test_text_from_strangers_cannot_steer_a_terminal(style):
    stream = io.StringIO()
    evil = "a\x1b]0;owned\x07b\x9b2Jc\rd\ne\x7ff\u202eg\udc80"
    logged(stream, [DownloadFailed(1.0, "downloads[0]", "dns", evil, url=evil)], settings=RunSettings(log_format=style))
    text = stream.getvalue()
    assert len(text.splitlines()) == 1
    assert not [c for c in text[:-1] if ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or c in "\u202e\udc80"]
    if style == "json":
        assert json.loads(text)["message"] == evil


def test_a_field_may_carry_any_name_that_a_library_uses_too():
    stream = io.StringIO()
    logged(stream, [RunStarted(1.0, "level", "event", "exc_info")])
    assert json_lines(stream.getvalue())[0]["name"] == "level"


def test_the_log_file_gets_json_lines_after_those_of_earlier_runs(tmp_path):
    file = tmp_path / "logs" / "run.jsonl"
    for run_id in ("r1", "r2"):
        stream = Terminal()
        with Outputs(RunSettings(log_file=file, log_level="info")) as outputs:
            outputs.open_log()
            logged(stream, [RUN, FAILED], settings=outputs.settings, run_id=run_id, file=outputs.log_target)
        assert "run_started" in stream.getvalue()
    assert [line["run_id"] for line in json_lines(file.read_text("utf-8"))] == ["r1", "r1", "r2", "r2"]


@pytest.mark.parametrize("level", [None, "error"])
def test_the_log_file_has_everything_whatever_is_shown(tmp_path, level):
    file = tmp_path / "run.jsonl"
    with Outputs(RunSettings(log_file=file, log_level=level)) as outputs:
        outputs.open_log()
        logged(io.StringIO(), [RUN, FAILED], settings=outputs.settings, file=outputs.log_target)
    assert [line["event"] for line in json_lines(file.read_text("utf-8"))] == ["run_started", "download_failed"]


def test_a_log_file_is_whole_lines_while_the_run_goes_on(tmp_path):
    file = tmp_path / "run.jsonl"
    with Outputs(RunSettings(log_file=file)) as outputs:
        outputs.open_log()
        logged(io.StringIO(), [RUN], settings=outputs.settings, file=outputs.log_target)
        assert len(json_lines(file.read_text("utf-8"))) == 1


def test_a_log_file_that_cannot_be_is_an_error_of_the_machine(tmp_path):
    with pytest.raises(StorageError, match="cannot write the log file"):
        Outputs(RunSettings(log_file=tmp_path))


@pytest.mark.parametrize("error", [BrokenPipeError(), OSError("no space"), ValueError("I/O operation on closed file")], ids=repr)
def test_a_broken_stream_ends_the_lines_and_not_the_run(error):
    stream = Broken(error)
    logged(stream, [RUN], [PLAN], [FAILED])
    assert (len(stream.getvalue().splitlines()), stream.tries) == (1, 2)


def test_a_closed_or_missing_stream_is_borne():
    closed = io.StringIO()
    closed.close()
    for stream in (closed, None):
        logged(stream, [RUN])


def test_lines_that_nobody_took_are_counted_for_who_reads_again():
    lines, reads = [], False

    def write(text):
        if reads:
            lines.extend(json_lines(text))
        return reads

    log = Log("r1", [LogOutput(write, "json")])
    log.emit([RUN, PLAN])
    log.emit([FAILED])
    reads = True
    log.emit([FINISHED])
    log.emit([FINISHED])
    log.tell_losses()
    assert [line["event"] for line in lines] == ["warned", "download_finished", "download_finished"]
    assert lines[0]["message"] == "3 lines are missing here, since nobody read them"
    jsonschema.validate(lines[0], event_schema())


def test_lines_missing_at_the_end_are_told_of_too():
    lines, reads = [], False

    def write(text):
        if reads:
            lines.extend(json_lines(text))
        return reads

    log = Log("r1", [LogOutput(write, "json")])
    log.emit([RUN])
    reads = True
    log.tell_losses()
    log.tell_losses()
    assert [line["message"] for line in lines] == ["1 line is missing here, since nobody read it"]


def test_a_stream_of_few_characters_holds_every_line():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    logged(stream, [Warned(1.0, None, "naïve 文")], settings=RunSettings(log_format="console"))
    assert b"na\\xefve" in raw.getvalue()


def test_the_hosts_own_structlog_setup_is_left_alone():
    before = structlog.get_config()
    logged(io.StringIO(), [RUN, DownloadStarted(1.0, "downloads[0]", "https://e.com/")])
    assert structlog.get_config() == before
    assert not structlog.is_configured()


AS_JSON = (LineStyle("json"),)


def lines_about(paths, *events, styles=AS_JSON):
    return LineMaker(LineSettings("r1", "info", styles), paths.get).texts(events)


@pytest.mark.parametrize(
    "event", [FAILED, FINISHED, DownloadStarted(1.0, "downloads[0]", "https://e.com/")], ids=lambda e: name_of(type(e))
)
def test_a_line_about_a_download_names_its_path_beside_its_id(event):
    [text] = lines_about({event.download: "zips/naïve \udc80.bin"}, event)
    line = json.loads(text)
    assert list(line)[:6] == ["timestamp", "level", "event", "run_id", "download", "path"]
    assert line["path"] == "zips/naïve \\udc80.bin"
    jsonschema.validate(line, event_schema())


def test_a_line_about_the_run_names_none():
    assert "path" not in json.loads(lines_about({None: "a"}, Warned(1.0, None, "careful"))[0])


def test_lines_for_people_name_paths_too():
    [text] = lines_about({"downloads[0]": "a.bin"}, FAILED, styles=(LineStyle("console"),))
    assert "path=a.bin" in text


def test_each_style_may_have_a_level_of_its_own():
    quiet, full = lines_about({}, RUN, FAILED, styles=(LineStyle("json", level="error"), LineStyle("json")))
    assert ([line["event"] for line in json_lines(quiet)], len(json_lines(full))) == (["download_failed"], 2)


many = st.one_of(
    st.builds(DownloadStarted, at=st.floats(0, 4e9), download=st.text(), url=st.text()),
    st.builds(
        DownloadFinished,
        at=st.floats(0, 4e9),
        digests=st.lists(st.text(), max_size=3).map(tuple),
        started_at=st.none() | st.floats(0, 4e9),
        duration_s=st.floats(0, 1e6),
    ),
)


@hypothesis.settings(max_examples=examples(300), deadline=None)
@hypothesis.given(event=many, run_id=st.text(max_size=10), path=st.none() | st.text(max_size=10))
def test_the_quick_way_writes_what_structlog_writes(event, run_id, path):
    maker = LineMaker(LineSettings(run_id, "info", (LineStyle("json"),)), lambda _: path)
    about = {} if path is None else {"download": event.download, "path": well_formed(path)}
    fields = record_of(event, level="info", event=name_of(type(event)), run_id=run_id, **about)
    expected = structlog.processors.JSONRenderer()(None, "msg", fields).replace("\x7f", "\\u007f") + "\n"
    assert maker.texts([event]) == (expected,)
