"""What strangers send: manifests, names, texts and folders that mean harm."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.integration.command import command, environment, fetch, marscore
from tests.origin import Body, Good, Origin, Status

HEAD = "version: 1\noutput_dir: data\n"
ONE = "downloads: [http://h/a]\n"


def entry(path: str) -> str:
    return f"{HEAD}downloads:\n  - url: http://h/a\n    path: {json.dumps(path)}\n"


def bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return HEAD + "\n".join(lines) + f"\ndownloads: *a{levels - 1}\n"


HOSTILE = {
    "an alias bomb": bomb(12),
    "an alias bomb in a string place": HEAD + "name: &a [*a]\n" + ONE,
    "an object of python": HEAD + "name: !!python/object/apply:os.system ['touch owned']\n" + ONE,
    "a module of python": HEAD + "name: !!python/name:os.system\n" + ONE,
    "5,000 levels": HEAD + "downloads: " + "[" * 5000 + "]" * 5000 + "\n",
    "5,000 levels of mappings": HEAD + "downloads: " + "{a: " * 5000 + "1" + "}" * 5000 + "\n",
    "a key twice": HEAD + "output_dir: other\n" + ONE,
    "a NUL": HEAD + 'name: "a\\0b"\ndownloads: ["http://h/a\\0b"]\n',
    "a raw control character": HEAD + "name: a\x1b[2Jb\n" + ONE,
    "a line break in a header": HEAD + 'downloads: [{url: http://h/a, headers: {X: "a\\r\\nEvil: 1"}}]\n',
    "a line break in a url": HEAD + 'downloads: ["http://h/a\\r\\nEvil: 1"]\n',
    "another scheme": HEAD + "downloads: [file:///etc/passwd]\n",
    "no mapping": "- 1\n- 2\n",
    "nothing": "",
    "several documents": HEAD + ONE + "---\n" + HEAD + ONE,
    "10^12 downloads": HEAD + "downloads: [{url: 'http://h/{i}{j}', each: {i: {from: 1, to: 1000000}, j: {from: 1, to: 1000000}}}]\n",
    "an attribute in a template": HEAD + "downloads: [{url: 'http://h/{i.__class__}', each: {i: [1]}}]\n",
    "an endless width in a template": HEAD + "downloads: [{url: 'http://h/{i:1000000000d}', each: {i: [1]}}]\n",
    "a number of endless digits": HEAD + "execution: {threads: " + "9" * 5000 + "}\n" + ONE,
    "two paths that differ in case": HEAD + "downloads: [{url: http://h/a, path: A.bin}, {url: http://h/b, path: a.BIN}]\n",
    "two paths that differ in their Unicode form": HEAD
    + 'downloads: [{url: http://h/a, path: "\\u00e9"}, {url: http://h/b, path: "e\\u0301"}]\n',
    "a file in the place of another's folder": HEAD + "downloads: [{url: http://h/a, path: a}, {url: http://h/b, path: a/b}]\n",
    **{
        f"the path {path!r}": entry(path)
        for path in (
            "../up", "a/../../up", "/etc/passwd", "..", ".", "", "a//b", "a/./b", "~/x/../..", "C:\\x", "C:/x", "c:x",
            "\\\\server\\share", "a\\..\\..\\b", "CON", "nul.txt", "a/COM1", ".marscore/state.db", ".MARSCORE/x", ".marscore",
            "a\0b", "a\nb", "a\x1b[2J", "trailing.", "trailing ", "x" * 300, "a:stream",
        )
    },
}  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_manifest_is_refused_at_its_place_and_nothing_happens(tmp_path: Path, text: str) -> None:
    (tmp_path / "m.yaml").write_text(text)
    run = marscore("run", "m.yaml", cwd=tmp_path, env={"SECRET_THING": "s3cr3t-value"})
    assert run.code == 2, run.err
    assert "Traceback" not in run.err
    assert re.match(r"m\.yaml:\d+:\d+: ", run.err), run.err[:300]
    assert "\x1b" not in run.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.yaml"]


@pytest.mark.parametrize(
    "data", [b"\xff\xfe\x00\x00", b"version: 1\nname: \xff\xfe\n", os.urandom(2000) + b"\xff"], ids=["bom", "latin", "noise"]
)
def test_bytes_that_are_no_text_are_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "m.yaml").write_bytes(data)
    run = marscore("validate", "m.yaml", cwd=tmp_path)
    assert run.code == 2
    assert "Traceback" not in run.err


def test_a_hundred_megabytes_of_text_are_refused_without_reading_them_all(tmp_path: Path) -> None:
    with (tmp_path / "m.yaml").open("w") as file:
        file.write(HEAD + "downloads:\n")
        file.truncate(100 * 1024 * 1024)
    run = marscore("validate", "m.yaml", cwd=tmp_path)
    assert run.code == 2
    assert "MiB" in run.err


ESCAPE = "\x1b]0;owned\x07\x1b[2J"


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_a_servers_words_reach_no_terminal_as_they_are(origin: Origin, tmp_path: Path, log_format: str) -> None:
    evil = (("ETag", f'"{ESCAPE}"'), ("Content-Type", ESCAPE), ("Last-Modified", ESCAPE), ("Retry-After", ESCAPE))
    origin.serve("/a.bin", Body(10), [Good(fields=evil)])
    origin.handle("/b.bin", lambda seen: Status(503, evil))
    origin.handle("/c.bin", lambda seen: Status(302, (("Location", f"/{ESCAPE}"),)))
    urls = [origin.url(f"/{name}.bin") for name in "abc"]
    downloads = "".join(f"  - {url}\n" for url in urls)
    (tmp_path / "m.yaml").write_text(f"{HEAD}defaults: {{retry: {{max_retries: 1, backoff: {{initial: 1ms}}}}}}\ndownloads:\n{downloads}")
    run = marscore("run", "m.yaml", "--log-format", log_format, "--progress", "plain", cwd=tmp_path)
    assert run.code == 1
    assert not {"\x1b", "\x07"} & set(run.err + run.out)


@pytest.mark.parametrize(
    "path", ["/%2e%2e%2fup.bin", "/a%2f..%2f..%2fup.bin", "/%5cup.bin", "/a%00b", "/%2e%2e", "/", "/x/..%5c..%5cy", "/nul", "/a%0ab"]
)
def test_a_name_in_a_url_stays_in_the_folder_or_is_an_error(origin: Origin, tmp_path: Path, path: str) -> None:
    work = tmp_path / "deep" / "er"
    work.mkdir(parents=True)
    run = fetch(work, origin.serve(path, Body(10)))
    outside = [p for p in tmp_path.rglob("*") if p.is_file() and not p.is_relative_to(work)]
    assert outside == []
    if run.code == 0:
        assert [p.parent for p in run.folder.glob("*") if p.is_file()] == [run.folder]
    else:
        assert run.code == 2
        assert not origin.requests


def test_a_content_disposition_names_nothing(origin: Origin, tmp_path: Path) -> None:
    run = fetch(tmp_path, origin.serve("/a.bin", Body(10), [Good(fields=(("Content-Disposition", 'attachment; filename="../evil"'),))]))
    assert run.data("a.bin") == Body(10).read(0, 10)
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("link", ["a.bin", "sub", ".marscore/partial", ".marscore/state.db", ".marscore/report.json", ".marscore/lock"])
def test_links_in_the_output_folder_lead_nothing_out_of_it(origin: Origin, tmp_path: Path, link: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("untouched")
    place = tmp_path / "data" / link
    place.parent.mkdir(parents=True)
    place.symlink_to(outside if link in ("sub", ".marscore/partial") else outside / "file")
    big = Body(6 * 1024 * 1024)
    fetch(tmp_path, origin.serve("/a.bin", big), {"url": origin.serve("/b.bin", big), "path": "sub/b.bin"})
    assert [p.name for p in outside.iterdir()] == ["file"]
    assert (outside / "file").read_text() == "untouched"


def test_a_pipe_where_the_file_should_be_is_not_opened(origin: Origin, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    os.mkfifo(tmp_path / "data" / "a.bin")
    run = fetch(tmp_path, origin.serve("/a.bin", Body(10)))
    assert run.code in (0, 1)
    assert run.code == 1 or run.data("a.bin") == Body(10).read(0, 10)


def test_a_manifest_that_is_a_pipe_without_end_is_refused(tmp_path: Path) -> None:
    done = subprocess.run(
        f"yes '# more' | {' '.join(command('validate', '-'))}",
        shell=True,
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
