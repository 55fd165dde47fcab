"""Lists of more rows than are read before a run begins: they are read while it goes on, and end as short ones do.

Most rows here are bad and cost nothing; the good ones stand at the beginning, in the middle and at the end.
"""

from __future__ import annotations

import csv
import gzip
import json
import random
import signal
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from marscore import plan as plan_of
from marscore.cli.plan_long import SHOWN
from marscore.planning.document import PlanDocument
from marscore.resolve.streamed import BATCH, MOST
from tests.integration.command import marscore, write
from tests.integration.test_interrupt_and_resume import end, start
from tests.origin import Body, Good, Origin

ROWS = MOST + 3 * BATCH + 7
GOOD = [0, 1, 5_000, MOST - 1, MOST, MOST + 1, MOST + BATCH, ROWS - 2, ROWS - 1]
COLUMNS = ["link", "name", "sha"]
Rows = list[dict[str, str]]


def body(number: int) -> Body:
    return Body(2_000 + number % 97, seed=number)


@pytest.fixture
def rows(origin: Origin) -> Rows:
    found = [{"link": "", "name": f"{number:06d}", "sha": ""} for number in range(ROWS)]
    for number in GOOD:
        found[number]["link"] = origin.serve(f"/{number}.bin", body(number))
        found[number]["sha"] = body(number).sha256
    return found


def listed(folder: Path, rows: Rows, **more: Any) -> None:
    with (folder / "rows.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    entry = {"from": "rows.csv", "url": "link", "path": "{name:3}/{name}", "checksum": "sha256:{sha}", "on_bad_row": "skip", **more}
    write(folder, [{key: value for key, value in entry.items() if value is not None}], defaults={"retry": {"max_retries": 0}})


def ids(entries: Iterable[dict[str, Any]]) -> list[str]:
    return [entry["id"] for entry in entries]


def test_a_long_list_ends_as_a_short_one_does(origin: Origin, rows: Rows, tmp_path: Path) -> None:
    listed(tmp_path, rows)
    ended = marscore("run", "downloads.yaml", cwd=tmp_path)
    assert ended.code == 1, ended.err[-500:]
    assert ids(ended.report["downloads"]) == [f"downloads[0][{number}]" for number in range(ROWS)]
    totals = ended.report["totals"]
    assert (totals["downloads"], totals["downloaded"], totals["failed"]) == (ROWS, len(GOOD), ROWS - len(GOOD))
    assert ended.report["plan"]["downloads"] == ROWS
    for number in GOOD:
        assert ended.data(ended.entry(number)["path"]) == body(number).read(0, body(number).length)
    assert "rows.csv:20:1: downloads[0][18].url: is empty (column link)" in ended.entry(18)["error"]["message"]
    assert len(origin.requests) == len(GOOD)
    wrong = tmp_path / "data" / ended.entry(ROWS - 1)["path"]
    wrong.write_bytes(b"x" * wrong.stat().st_size)
    again = marscore("run", "downloads.yaml", cwd=tmp_path)
    totals = again.report["totals"]
    assert (totals["up_to_date"], totals["downloaded"], totals["failed"]) == (len(GOOD) - 1, 1, ROWS - len(GOOD))
    assert len(origin.requests) == len(GOOD) + 1
    assert again.entry(ROWS - 1)["status"] == "downloaded"
    assert again.data(again.entry(ROWS - 1)["path"]) == body(ROWS - 1).read(0, body(ROWS - 1).length)
    assert not (tmp_path / "data/.marscore/partial").exists()


def test_a_bad_row_anywhere_ends_the_run_before_it_begins(origin: Origin, rows: Rows, tmp_path: Path) -> None:
    good = [row for row in rows if row["link"]]
    many = [{**good[0], "name": f"x{number}"} for number in range(MOST + BATCH)]
    listed(tmp_path, [*many, {**good[1], "sha": "none"}], on_bad_row="fail")
    for verb in ("run", "validate"):
        ended = marscore(verb, "downloads.yaml", cwd=tmp_path)
        assert ended.code == 2
        assert f"rows.csv:{MOST + BATCH + 2}:3: downloads[0][{MOST + BATCH}].checksum[0]: " in ended.err
    assert not origin.requests
    assert not (tmp_path / "data").exists()


def test_what_validate_says_of_a_long_list(rows: Rows, tmp_path: Path) -> None:
    listed(tmp_path, rows)
    ended = marscore("validate", "downloads.yaml", cwd=tmp_path)
    assert ended.code == 0
    assert f"{ROWS:,} downloads" in ended.out
    assert f"{ROWS - len(GOOD):,} rows are bad and fail, the first: rows.csv:4:1: " in ended.err


def test_a_plan_of_a_long_list_says_what_that_of_all_at_once_does(
    origin: Origin, rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for row in rows:
        row["link"] = row["link"] or f"https://example.com/{row['name']}?token=secret-{row['name']}"
        row["sha"] = row["sha"] or "0" * 64
    rows[7]["link"] = "https://me:secret-of-seven@example.com/secret-of-seven"
    listed(tmp_path, rows)
    run = tmp_path / "data"
    for number in GOOD[:3]:
        path = run / f"{number:06d}"[:3] / f"{number:06d}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body(number).read(0, body(number).length))
    whole = plan_of("downloads.yaml")
    json_text = marscore("plan", "downloads.yaml", "--format", "json", cwd=tmp_path)
    assert json_text.code == 0
    assert PlanDocument.model_validate_json(json_text.out) == whole
    assert {entry.action for entry in whole.downloads} == {"fetch", "prove"}
    assert "secret-" not in json_text.out + json_text.err
    table = marscore("plan", "downloads.yaml", "--detailed-exitcode", cwd=tmp_path)
    assert (table.code, len(table.out.splitlines())) == (2, SHOWN + 7)
    assert table.out.startswith(f"{ROWS:,} downloads (3 prove, {ROWS - 3} fetch)")
    assert f"and {ROWS - SHOWN:,} more, which --format json shows" in table.out


def test_a_plan_of_a_list_that_breaks_off_is_none(rows: Rows, tmp_path: Path) -> None:
    listed(tmp_path, rows)
    with (tmp_path / "rows.csv").open("a") as file:
        file.write('"no end')
    plan = marscore("plan", "downloads.yaml", "--format", "json", cwd=tmp_path)
    assert plan.code == 3
    assert "rows.csv" in plan.err
    with pytest.raises(json.JSONDecodeError):
        json.loads(plan.out)


def test_two_rows_of_one_path_are_one_download_and_a_bad_row(origin: Origin, rows: Rows, tmp_path: Path) -> None:
    rows[-1] = {**rows[0]}
    rows[3]["link"], rows[3]["sha"] = rows[0]["link"], rows[0]["sha"]
    listed(tmp_path, rows)
    ended = marscore("run", "downloads.yaml", "--report", "data/000/000003", cwd=tmp_path)
    report = json.loads((tmp_path / "data/000/000003").read_text())
    assert ended.code == 1
    message = report["downloads"][ROWS - 1]["error"]["message"]
    assert message.endswith("path: the same file as another download (column name)")
    assert report["downloads"][3]["error"]["message"].endswith("the same file as what --report names (column name)")


def test_secrets_of_single_rows_are_shown_nowhere(origin: Origin, rows: Rows, tmp_path: Path) -> None:
    for number in GOOD:
        rows[number]["link"] = rows[number]["link"].replace("http://", f"http://user:us3r-s3cret-{number}@")
        rows[number]["name"] = f"h3ader-s3cret-{number}"
    origin.serve(f"/{GOOD[-1]}.bin", body(0))
    listed(tmp_path, rows, path=None, headers={"X-Api-Key": "{name}"})
    write(
        tmp_path,
        [{"from": "rows.csv", "url": "link", "checksum": "sha256:{sha}", "on_bad_row": "skip", "headers": {"X-Api-Key": "{name}"}}],
    )
    ended = marscore("run", "downloads.yaml", "--log-level", "debug", "--log-file", "log", cwd=tmp_path)
    assert {each.fields["x-api-key"] for each in origin.requests} == {f"h3ader-s3cret-{number}" for number in GOOD}
    assert ended.entry(ROWS - 1)["error"]["kind"] == "checksum"
    assert "s3cret" not in ended.err + ended.out + json.dumps(ended.report) + (tmp_path / "log").read_text()


def test_a_list_that_breaks_off_ends_the_run_by_name_with_what_it_had(origin: Origin, rows: Rows, tmp_path: Path) -> None:
    for row in rows:
        row["sha"] = row["sha"] or random.Random(row["name"]).randbytes(32).hex()
    listed(tmp_path, rows)
    packed = gzip.compress((tmp_path / "rows.csv").read_bytes())
    (tmp_path / "rows.csv.gz").write_bytes(packed[: -len(packed) // 20])
    entry = {"from": "rows.csv.gz", "url": "link", "path": "{name}", "checksum": "sha256:{sha}", "on_bad_row": "skip"}
    write(tmp_path, [entry])
    ended = marscore("run", "downloads.yaml", cwd=tmp_path)
    assert ended.code == 3
    assert "is no whole gzip file: it is damaged, or was cut" in ended.err
    assert MOST < ended.report["totals"]["downloads"] < ROWS
    assert ended.report["totals"]["downloaded"] == len(GOOD) - 2


def test_a_column_that_no_row_has_is_no_success(origin: Origin, rows: Rows, tmp_path: Path) -> None:
    good = next(row for row in rows if row["link"])
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({**good, "name": f"n{n}"} if n == 5 else {}) + "\n" for n in range(ROWS)))
    write(tmp_path, [{"from": "rows.jsonl", "url": "link", "path": "{name}", "checksum": "sha265", "on_bad_row": "skip"}])
    ended = marscore("run", "downloads.yaml", cwd=tmp_path)
    assert ended.code == 3
    assert "names 'sha265', which no row of the file has" in ended.err


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_cut_short_is_no_success_and_the_next_goes_on(
    how: signal.Signals, origin: Origin, rows: Rows, tmp_path: Path
) -> None:
    rows[1]["link"] = origin.serve("/slow.bin", body(1), [Good(stall_after=100, stall_s=60), Good()])
    listed(tmp_path, rows)
    process = start(tmp_path, "downloads.yaml")
    assert origin.wait_for_requests(len(GOOD))
    began = time.monotonic()
    process.send_signal(how)
    ended = end(tmp_path, process)
    assert ended.code == (130 if how == signal.SIGINT else -9)
    assert time.monotonic() - began < 20, "no timing: it waits for no server"
    if how == signal.SIGINT:
        assert ended.report["status"] == "interrupted"
        assert ended.entry(1)["status"] == "interrupted"
        assert ids(ended.report["downloads"]) == [f"downloads[0][{number}]" for number in range(len(ended.report["downloads"]))]
    again = marscore("run", "downloads.yaml", cwd=tmp_path)
    assert again.entry(1)["error"] is None
    assert again.report["totals"]["downloaded"] + again.report["totals"]["up_to_date"] == len(GOOD)
    assert again.data(again.entry(1)["path"]) == body(1).read(0, body(1).length)
