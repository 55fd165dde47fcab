"""`downloads: {from: FILE}`: each row of a file is a download, and what is wrong with one is told at its place."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.integration.command import Run, marscore, write
from tests.origin import Body, Origin

BODIES = [Body(3_000 + number, seed=60 + number) for number in range(4)]
ENTRY = {"url": "link", "path": "{key:2}/{id:03d}.bin", "checksum": "sha256:{sha}", "size": "bytes", "tags": ["{kind}"]}
COLUMNS = ["id", "link", "sha", "bytes", "kind"]
Rows = list[dict[str, str]]


@pytest.fixture
def rows(origin: Origin) -> Rows:
    urls = [origin.serve(f"/{number}.bin", body) for number, body in enumerate(BODIES)]
    return [
        {"id": str(n), "link": url, "sha": body.sha256, "bytes": str(body.length), "kind": "even" if n % 2 == 0 else "odd"}
        for n, (url, body) in enumerate(zip(urls, BODIES, strict=True))
    ]


def as_csv(path: Path, rows: Rows, delimiter: str = ",") -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)


def as_jsonl(path: Path, rows: Rows) -> None:
    path.write_text("".join(json.dumps({**row, "bytes": int(row["bytes"])}) + "\n" for row in rows))


def as_gzip(path: Path, rows: Rows) -> None:
    plain = path.with_suffix("")
    (as_csv if plain.suffix == ".csv" else as_jsonl)(plain, rows)
    path.write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()


def as_parquet(path: Path, rows: Rows) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    import pyarrow.parquet as pq  # noqa: PLC0415 - as above

    table = pa.Table.from_pylist([{**row, "bytes": int(row["bytes"]), "id": int(row["id"])} for row in rows])
    pq.write_table(table, path, row_group_size=2)


WRITERS: dict[str, Callable[[Path, Rows], None]] = {
    "rows.csv": as_csv,
    "rows.tsv": lambda path, rows: as_csv(path, rows, "\t"),
    "rows.jsonl": as_jsonl,
    "rows.csv.gz": as_gzip,
    "rows.ndjson.gz": as_gzip,
    "rows.parquet": as_parquet,
}


def run(folder: Path, *options: str, file: str = "rows.csv", verb: str = "run", **entry: object) -> Run:
    write(folder, [{"from": file, **ENTRY, **entry}], defaults={"retry": {"max_retries": 0}})
    return marscore(verb, "downloads.yaml", *options, cwd=folder)


def payloads(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and ".marscore" not in path.parts)


@pytest.mark.parametrize("name", WRITERS)
def test_each_row_is_a_download_that_is_held_to_its_checksum(name: str, origin: Origin, rows: Rows, tmp_path: Path) -> None:
    WRITERS[name](tmp_path / name, rows)
    first = run(tmp_path, file=name)
    assert first.code == 0, first.err
    for number, body in enumerate(BODIES):
        assert first.data(first.entry(number)["path"]) == body.read(0, body.length)
        assert first.entry(number)["path"].endswith(f"/00{number}.bin")
    again = run(tmp_path, file=name)
    assert again.report["totals"]["up_to_date"] == len(BODIES)
    assert len(origin.requests) == len(BODIES)
    WRITERS[name](tmp_path / name, [*rows[:3], {**rows[3], "sha": "0" * 64}])
    wrong = run(tmp_path, file=name)
    assert (wrong.code, wrong.entry(3)["error"]["kind"]) == (1, "checksum")


def test_one_list_may_stand_for_all_downloads_and_others_beside_it(rows: Rows, tmp_path: Path) -> None:
    as_csv(tmp_path / "rows.csv", rows[:2])
    as_jsonl(tmp_path / "more.jsonl", rows[2:])
    head = {"version": 1, "output_dir": "data"}
    (tmp_path / "one.yaml").write_text(yaml.safe_dump({**head, "downloads": {"from": "rows.csv", "url": "link"}}))
    assert marscore("run", "one.yaml", cwd=tmp_path).report["totals"]["downloaded"] == 2
    downloads = [{"from": "rows.csv", "url": "link"}, rows[2]["link"] + "?x", {"from": "more.jsonl", "url": "link", "path": "m/{id}"}]
    write(tmp_path, downloads)
    both = marscore("run", "downloads.yaml", cwd=tmp_path)
    assert [entry["path"] for entry in both.report["downloads"]] == ["0.bin", "1.bin", "2.bin", "m/2", "m/3"]


BAD = {
    "a URL that is none": ({"link": "ftp://h/a"}, "rows.csv:3:2: downloads[0][1].url: "),
    "no URL": ({"link": ""}, "rows.csv:3:2: downloads[0][1].url: is empty (column link)"),
    "a checksum that is none": ({"sha": "abc"}, "rows.csv:3:3: downloads[0][1].checksum[0]: "),
    "no checksum in a template": ({"sha": ""}, "rows.csv:3:3: downloads[0][1].checksum[0]: needs a value (column sha)"),
    "a size that is none": ({"bytes": "many"}, "rows.csv:3:4: downloads[0][1].size: "),
    "a number that is none": ({"id": "1x"}, "rows.csv:3:1: downloads[0][1]: needs a whole number (column id)"),
    "a control character in a tag": ({"kind": "a\nb"}, "rows.csv:3:5: downloads[0][1].tags[0]: "),
}


@pytest.mark.parametrize(("change", "told"), BAD.values(), ids=BAD)
def test_a_bad_row_ends_the_run_before_it_begins(change: dict[str, str], told: str, origin: Origin, rows: Rows, tmp_path: Path) -> None:
    as_csv(tmp_path / "rows.csv", [rows[0], {**rows[1], **change}, *rows[2:]])
    for verb in ("run", "plan", "validate", "lock", "verify"):
        ended = run(tmp_path, verb=verb)
        assert ended.code == 2
        assert told in ended.err
    assert not origin.requests
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("count", [2, 12_000])
def test_a_path_without_a_column_is_told_once(count: int, origin: Origin, rows: Rows, tmp_path: Path) -> None:
    as_csv(tmp_path / "rows.csv", [rows[0]] * count)
    for path, told in (("kind", 'did you mean "{kind}"?'), ("a.bin", "name a column in braces")):
        ended = run(tmp_path, path=path)
        assert (ended.code, ended.err.count("is the same for every row"), told in ended.err) == (2, 1, True)
        assert "downloads.yaml:" in ended.err
    ended = run(tmp_path, path="../a.bin")
    assert (ended.code, ended.err.count("must not have . or .. as a part")) == (2, 1)
    assert not origin.requests
    as_csv(tmp_path / "rows.csv", rows[:1])
    assert run(tmp_path, path="a.bin").code == 0


@pytest.mark.parametrize(("change", "told"), BAD.values(), ids=BAD)
def test_or_is_a_download_that_fails(change: dict[str, str], told: str, origin: Origin, rows: Rows, tmp_path: Path) -> None:
    as_csv(tmp_path / "rows.csv", [rows[0], {**rows[1], **change}, *rows[2:]])
    ended = run(tmp_path, on_bad_row="skip")
    assert ended.code == 1
    assert [entry["status"] for entry in ended.report["downloads"]] == ["downloaded", "failed", "downloaded", "downloaded"]
    assert ended.entry(1)["error"]["kind"] == "row"
    assert ended.entry(1)["error"]["message"].startswith(told)
    assert len(payloads(ended.folder)) == 3
    assert all("bad-row" not in seen.target for seen in origin.requests)


def test_what_skips_bad_rows_says_so_everywhere(rows: Rows, tmp_path: Path) -> None:
    as_csv(tmp_path / "rows.csv", [rows[0], {**rows[1], "link": "no"}, *rows[2:]])
    checked = run(tmp_path, verb="validate", on_bad_row="skip")
    assert (checked.code, "1 row is bad and fails, the first: rows.csv:3:2" in checked.err) == (0, True)
    assert "3 fetch, 1 refuse" in run(tmp_path, verb="plan", on_bad_row="skip").out
    # What the row would have been nobody knows.
    only = run(tmp_path, "--only", "even", on_bad_row="skip")
    assert (only.code, only.report["totals"]["downloaded"], only.report["totals"]["failed"]) == (1, 2, 1)
    assert run(tmp_path, verb="lock", on_bad_row="skip").code == 1
    assert not (tmp_path / "downloads.lock").exists()
    exported = run(tmp_path, "--to", "sha256sums", verb="export", on_bad_row="skip")
    assert "left out: the row is bad (1 download)" in exported.err
    assert "bad-row" not in exported.out


NAMES = ["../x.bin", "/etc/x", "a/../../x", ".marscore/state.db", "C:/x", "CON", "a\\b", "x/"]


@pytest.mark.parametrize("name", NAMES)
def test_names_of_strangers_obey_the_rules_of_all_paths(name: str, origin: Origin, rows: Rows, tmp_path: Path) -> None:
    as_csv(tmp_path / "rows.csv", [{**rows[0], "kind": name}])
    ended = run(tmp_path, path="{kind}", tags=None)
    assert ended.code == 2
    assert "rows.csv:2:5: downloads[0][0].path: must" in ended.err
    assert not origin.requests


def test_two_rows_of_one_path_are_told_with_both_lines(rows: Rows, tmp_path: Path) -> None:
    as_csv(tmp_path / "rows.csv", [*rows[:3], {**rows[3], "id": "1"}])
    ended = run(tmp_path, path="{id}.bin")
    assert ended.code == 2
    assert "rows.csv:5:1: downloads[0][3].path: the same file as downloads[0][1] (rows.csv:3) (column id)" in ended.err


CUT: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "gzip": ("rows.csv.gz", lambda data: data[:-20], "is no whole gzip file"),
    "a quote": ("rows.csv", lambda data: data + b'9,"http://127.0.0.1:1/x', "is no CSV from this row on"),
    "bytes": ("rows.csv", lambda data: data + b"9,\xff\n", "is not UTF-8 text from here on"),
    "Parquet": ("rows.parquet", lambda data: data[:-30], "is no Parquet file that can be read"),
}


@pytest.mark.parametrize(("name", "cut", "told"), CUT.values(), ids=CUT)
def test_a_file_that_cannot_be_read_to_its_end_starts_nothing(
    name: str, cut: Callable[[bytes], bytes], told: str, origin: Origin, rows: Rows, tmp_path: Path
) -> None:
    WRITERS[name](tmp_path / name, rows)
    (tmp_path / name).write_bytes(cut((tmp_path / name).read_bytes()))
    ended = run(tmp_path, file=name, on_bad_row="skip")
    assert ended.code == 2
    assert told in ended.err
    assert not origin.requests


def test_a_list_may_lack_nothing_that_the_manifest_names(rows: Rows, tmp_path: Path) -> None:
    as_csv(tmp_path / "rows.csv", rows)
    as_jsonl(tmp_path / "rows.jsonl", rows)
    lacking = run(tmp_path, checksum="sha265")
    assert (lacking.code, "has not; it has id, link, sha, bytes, kind" in lacking.err) == (2, True)
    # Rows that name their own columns may lack one each; a name that none has is a mistake, and no file would be held to anything.
    lacking = run(tmp_path, file="rows.jsonl", checksum="sha265")
    assert (lacking.code, "'sha265', which no row of the file has" in lacking.err) == (2, True)
    missing = run(tmp_path, file="none.csv")
    assert (missing.code, "downloads[0].from: cannot be read: No such file" in missing.err) == (2, True)


def test_an_empty_cell_is_as_if_nothing_were_written_and_a_checksum_may_be_demanded(rows: Rows, tmp_path: Path) -> None:
    as_csv(tmp_path / "rows.csv", [{**rows[0], "sha": f"sha256:{rows[0]['sha']}"}, {**rows[1], "sha": "", "bytes": ""}])
    assert run(tmp_path, checksum="sha").code == 0
    demanded = run(tmp_path, "--require-checksums", checksum="sha")
    assert (demanded.code, "downloads[0][1]: has no checksum" in demanded.err) == (2, True)


def test_what_a_row_sends_is_no_more_shown_than_what_a_manifest_does(origin: Origin, tmp_path: Path) -> None:
    url = origin.serve("/a.bin", BODIES[0])
    (tmp_path / "rows.csv").write_text(f"link,token\n{url}?token=qu3ry-s3cret-1,h3ader-s3cret-2\n")
    write(tmp_path, [{"from": "rows.csv", "url": "link", "headers": {"Authorization": "Bearer {token}"}}])
    ended = marscore("run", "downloads.yaml", "--log-level", "debug", cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert origin.requests[0].fields["authorization"] == "Bearer h3ader-s3cret-2"
    told = ended.err + ended.out + json.dumps(ended.report)
    assert "s3cret" not in told
    (tmp_path / "rows.csv").write_text(f'link,token\n{url},"x\r\nX-Other: 1"\n')
    assert marscore("run", "downloads.yaml", cwd=tmp_path).code == 2


def test_rows_are_locked_held_and_verified(origin: Origin, rows: Rows, tmp_path: Path) -> None:
    as_csv(tmp_path / "rows.csv", rows[:3])
    assert run(tmp_path, verb="lock", checksum=None).code == 0
    assert run(tmp_path, "--locked", checksum=None).code == 0
    assert run(tmp_path, verb="verify", checksum=None).code == 0
    as_csv(tmp_path / "rows.csv", rows)
    assert run(tmp_path, "--locked", checksum=None).code == 2
    assert run(tmp_path, "--check", verb="lock", checksum=None).code == 1


def test_a_lock_names_rows_as_they_were_typed(origin: Origin, rows: Rows, tmp_path: Path) -> None:
    as_csv(tmp_path / "rows.csv", rows)
    write(tmp_path, [{"from": "rows.csv", "url": "${AT}/{id}.bin"}])
    env = {"AT": origin.url("").rstrip("/")}
    assert marscore("lock", "downloads.yaml", cwd=tmp_path, env=env).code == 0
    urls = [each["url"] for each in json.loads((tmp_path / "downloads.lock").read_text())["downloads"]]
    assert urls == [f"${{AT}}/{number}.bin" for number in range(4)]
    assert marscore("run", "downloads.yaml", "--locked", cwd=tmp_path, env=env).code == 0


@pytest.mark.parametrize("without", [(), ("tags",)])
@pytest.mark.parametrize("choice", ["fail", "skip"])
def test_a_login_that_lacks_a_name_is_told_where_the_list_stands(rows: Rows, tmp_path: Path, choice: str, without: tuple[str, ...]) -> None:
    as_csv(tmp_path / "rows.csv", [*rows, {**rows[0], "link": ""}])
    entry = {key: value for key, value in ENTRY.items() if key not in without}
    write(tmp_path, [{"from": "rows.csv", **entry, "on_bad_row": choice}], defaults={"auth": {"password": "hush"}})
    for command in ("validate", "run"):
        ended = marscore(command, "downloads.yaml", cwd=tmp_path)
        assert (ended.code, ended.out) == (2, "")
        assert ended.err.startswith("downloads.yaml:"), ended.err
        assert ended.err.count("downloads[0]: needs a username") == 1
        assert "hush" not in ended.err
        assert "Traceback" not in ended.err
