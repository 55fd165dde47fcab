"""What of the environment a run shows: the paths of its files, and otherwise nothing, in no encoding."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus, unquote, unquote_plus

import pytest

from tests.integration.command import Run, command, environment, marscore, read_report, write
from tests.integration.test_progress import on_a_terminal
from tests.integration.test_security import watch_command_lines
from tests.long import some
from tests.origin import Body, Good, Origin, Seen, Status, Step, busy, redirect

MIB = 1024 * 1024
QUICK = {"retry": {"max_retries": 1, "backoff": {"initial": "1ms"}}}
#: Everything that encodings treat in ways of their own.
SECRET = "S3cr3t/p\u00e4ss+w rd%41&x"

ENCODINGS: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "upper case": lambda text: quote(text, safe=""),
    "lower case": lambda text: quote(text, safe="").lower().replace("s3cr3t", "S3cr3t"),
    "slashes left": quote,
    "of forms": quote_plus,
    "every letter": lambda text: "".join(f"%{octet:02x}" for octet in text.encode()),
    "every other letter": lambda text: "".join(
        quote(c, safe="") if n % 2 or not c.isascii() else f"%{ord(c):02X}" for n, c in enumerate(text)
    ),
    "twice": lambda text: quote(quote(text, safe=""), safe=""),
    "of forms, then again": lambda text: quote(quote_plus(text), safe=""),
    "ISO-8859-1": lambda text: quote(text.encode("latin-1"), safe=""),
}


def run_watched(folder: Path, env: Mapping[str, str]) -> tuple[Run, dict[str, str]]:
    """Run the folder's manifest; returns the run, and by its place everything that was written or shown."""
    line = command("run", "downloads.yaml", "--log-file", "log.jsonl", "--log-level", "debug")
    process = subprocess.Popen(line, cwd=folder, env=environment(env), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    lines = watch_command_lines(process)
    out, err = process.communicate(timeout=60)
    plans = [marscore("plan", "downloads.yaml", "--format", style, cwd=folder, env=env) for style in ("json", "table")]
    files = [path for path in (folder / "data" / ".marscore").rglob("*") if path.is_file()]
    # The bytes of a file that came in part are random.
    kept = b"".join(path.read_bytes() for path in files if path.suffix != ".part")
    written = {"out": out, "err": err, "command lines": lines, "log": (folder / "log.jsonl").read_text()}
    written |= {f"plan {n}": plan.out + plan.err for n, plan in enumerate(plans)}
    # Text is read as what it says, whatever JSON escapes; what is no text, byte by byte.
    written = {where: text.encode("latin-1", "backslashreplace").decode("unicode_escape") for where, text in written.items()}
    written |= {"kept": kept.decode("latin-1"), "kept, as text": kept.decode("utf-8", "ignore")}
    return Run(process.returncode, out, err, folder / "data", read_report(folder / "data")), written


def readings(text: str) -> set[str]:
    """What a text may mean to someone who decodes it, up to three times."""
    found, latest = {text}, {text}
    for _ in range(3):
        latest = {decode(each, encoding) for each in latest for decode in (unquote, unquote_plus) for encoding in ("utf-8", "latin-1")}
        found |= latest
    return found


def told(written: Mapping[str, str], secret: str) -> list[str]:
    """Where a secret is told, in whatever encoding."""
    meant = readings(secret)
    return [where for where, text in written.items() if any(each in reading for reading in readings(text) for each in meant)]


#: What finds a secret is the same for all, and has a unit test for each of them.
SOME_ENCODINGS = some(ENCODINGS, "every other letter", "of forms, then again")


@pytest.mark.parametrize("encode", SOME_ENCODINGS.values(), ids=SOME_ENCODINGS)
def test_a_secret_that_a_server_repeats_is_not_written_in_any_encoding(
    origin: Origin, tmp_path: Path, encode: Callable[[str], str]
) -> None:
    said = encode(SECRET)
    # Bytes of UTF-8 in a header are what servers send; the origin writes fields as ISO-8859-1.
    field = said.encode().decode("latin-1")
    leading = "/landed/" + field.replace(" ", "%20")
    tags = (("ETag", f'"{field}"'), ("Last-Modified", field))
    answers = [Status(503, (*tags, ("Location", leading)), said.encode(), retry_after="0"), redirect(leading + "?q=" + leading)]
    origin.script("/moved", answers)
    origin.handle_rest(lambda seen: Good(Body(50), fields=tags))
    origin.serve("/cut", Body(9 * MIB), [Good(cut_after=5 * MIB, fields=tags), Status(500, tags, said.encode())])
    origin.serve("/ranges", Body(9 * MIB), [Good(rate=20 * MIB), Good(fields=(*tags, ("Content-Range", f"bytes {field}")))])
    origin.handle(
        "/denied", lambda seen: Status(403, (*tags, ("Location", leading), ("WWW-Authenticate", f"Basic realm={field}")), said.encode())
    )
    entries = [{"url": origin.url(path), "path": path[1:]} for path in ("/moved", "/cut", "/ranges", "/denied")]
    write(tmp_path, entries, defaults={**QUICK, "headers": {"X-Mine": "${MINE}"}})
    run, written = run_watched(tmp_path, {"MINE": SECRET})
    assert run.entry(0)["status"] == "downloaded", run.err
    assert [run.entry(n)["status"] for n in (1, 3)] == ["failed", "failed"]
    assert told(written, SECRET) == []
    assert any("${MINE}" in line["to"] for line in run.events("redirected")), "the server did repeat it"


PLACES = {
    "IN_HEADER": "header-0123456789",
    "IN_QUERY": "query/0123456789==",
    "IN_PATH": "Path-0123456789",
    "IN_USER": "user-0123456789",
    "IN_USERINFO": "userinfo%2F0123456789",
    "IN_PROXY": "proxy-0123456789",
    "IN_MIRROR": "mirror-0123456789",
    "IN_NAME": "name-0123456789",
    "IN_TAG": "tag-0123456789",
    "IN_EACH": "each-0123456789",
    "IN_BASIC": "basic-0123456789",
}


class Echo:
    """A handler that repeats the request in other encodings, first with a 503, then in a redirect, then with the file."""

    def __init__(self) -> None:
        self._answers = 0

    def __call__(self, seen: Seen) -> Step:
        self._answers += 1
        heard = unquote(seen.target) + " " + "; ".join(f"{name}={value}" for name, value in seen.fields.items())
        mixed = "".join(f"%{ord(char):02x}" if n % 3 else char for n, char in enumerate(heard))
        fields = (("ETag", f'"{mixed}"'), ("Last-Modified", quote_plus(heard)), ("Content-Range", f"bytes {mixed}"))
        if self._answers == 1:
            return Status(503, fields, mixed.encode(), retry_after="0")
        if self._answers == 2:
            return Status(302, (*fields, ("Location", f"{seen.path}?{mixed}#{quote(quote(heard))}")))
        return Good(Body(50), fields=fields[:2])


def test_a_secret_of_any_place_of_the_manifest_is_never_written(origin: Origin, tmp_path: Path) -> None:
    origin.handle("/gone", lambda seen: busy(404))
    echo: dict[str, Echo] = {}
    origin.handle_rest(lambda seen: echo.setdefault(seen.path, Echo())(seen))
    base = origin.url("/").rstrip("/")
    entries: list[dict[str, object]] = [
        {"url": f"{base}/1", "headers": {"X-Mine": "${IN_HEADER}"}},
        {"url": base + "/2?v=${IN_QUERY}"},
        {"url": base + "/${IN_PATH}/3"},
        {"url": base.replace("//", "//${IN_USER}:${IN_USERINFO}@") + "/4"},
        {"url": f"{base}/5", "proxies": "http://me:${IN_PROXY}@127.0.0.1:9"},
        {"url": f"{base}/gone", "mirrors": [base + "/${IN_MIRROR}/6"], "path": "6"},
        {"url": f"{base}/7", "tags": ["${IN_TAG}"]},
        {"url": base + "/{e}/{n}", "path": "{n}", "each": {"e": ["${IN_EACH}"], "n": [8]}},
        {"url": f"{base}/9", "auth": {"username": "me", "password": "${IN_BASIC}"}},
    ]
    retry = {"max_retries": 2, "backoff": {"initial": "1ms"}}
    write(tmp_path, entries, name="run of ${IN_NAME}", execution={"processes": 2}, defaults={"retry": retry})
    run, written = run_watched(tmp_path, PLACES)
    assert [entry["status"] for entry in run.report["downloads"]] == ["downloaded"] * 4 + ["failed"] + ["downloaded"] * 4
    assert [name for name, value in PLACES.items() if told(written, value)] == []
    shown = json.dumps(run.report) + run.err
    assert all(f"${{{name}}}" in shown for name in ("IN_QUERY", "IN_PATH", "IN_MIRROR", "IN_NAME", "IN_EACH"))


def test_a_url_within_a_query_is_shown_without_its_secrets(origin: Origin, tmp_path: Path) -> None:
    """As redirectors and proxies of images have them."""
    origin.handle_rest(lambda seen: Good(Body(10)))
    inner = quote("https://u:hunter2-0123456789@h.example/p.bin?sig=hunter3-0123456789&w=5", safe="")
    write(tmp_path, [origin.url("/p") + f"?loc={inner}&x=1"])
    run, written = run_watched(tmp_path, {})
    assert run.code == 0
    assert (told(written, "hunter2-0123456789"), told(written, "hunter3-0123456789")) == ([], [])
    assert "sig%3D***" in run.entry()["url"]


def test_a_host_in_lower_case_is_no_way_around(origin: Origin, tmp_path: Path) -> None:
    url = origin.serve("/f", Body(10)).replace("127.0.0.1", "${WHERE}")
    write(tmp_path, [url])
    run, written = run_watched(tmp_path, {"WHERE": "LocalHost"})
    assert run.code == 0
    assert json.loads(written["plan 0"])["downloads"][0]["host"].startswith("${WHERE}:")
    assert [where for where in told(written, "localhost") if where != "command lines"] == []


def test_a_report_names_the_files_that_exist(origin: Origin, tmp_path: Path) -> None:
    origin.handle_rest(lambda seen: Good(Body(10)))
    base = origin.url("/").rstrip("/")
    env = {"FOLDER": "data", "RELEASE": "v9.9.9-rc1", "FLAVOUR": "musl-static", "FILE": "s3cret%2dname.bin", "HERE": str(tmp_path)}
    entries = [
        {"url": base + "/${RELEASE}/a", "path": "${RELEASE}/a.bin"},
        {
            "url": base + "/{flavour}/{n}?f=${FLAVOUR}",
            "path": "{flavour}-{n}",
            "each": {"flavour": ["${FLAVOUR}"], "n": {"from": 0, "to": 1}},
        },
        {"url": base + "/x/${FILE}"},
    ]
    write(tmp_path, entries, output_dir="${HERE}/${FOLDER}", name="of ${RELEASE}")
    run, written = run_watched(tmp_path, env)
    assert run.code == 0, run.err
    paths = ["v9.9.9-rc1/a.bin", "musl-static-0", "musl-static-1", "s3cret-name.bin"]
    assert [entry["path"] for entry in run.report["downloads"]] == paths
    [started] = run.events("run_started")
    assert started["output_dir"] == str(run.folder)
    assert all((Path(started["output_dir"]) / entry["path"]).is_file() for entry in run.report["downloads"])
    plan = json.loads(written["plan 0"])
    assert ([entry["path"] for entry in plan["downloads"]], plan["output_dir"]) == (paths, str(run.folder))
    urls = [base + "/v9.9.9-rc1/a", *(f"{base}/musl-static/{n}?f=musl-static" for n in (0, 1)), base + "/x/${FILE}"]
    assert [entry["url"] for entry in run.report["downloads"]] == urls
    assert run.report["name"] == "of v9.9.9-rc1"


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
def test_a_terminal_shows_paths_as_they_are(origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    origin.handle("/s3cret-name.bin", lambda seen: Good(Body(2 * MIB), rate=2 * MIB))
    origin.handle("/denied/s3cret-part", lambda seen: busy(403))
    entries = [origin.url("/${FILE}"), {"url": origin.url("/denied/${PART}"), "path": "${FAILED}.bin"}]
    for name, value in {"FILE": "s3cret-name.bin", "PART": "s3cret-part", "FAILED": "what-fails", "FOLDER": "where-to-go"}.items():
        monkeypatch.setenv(name, value)
    manifest = write(tmp_path, entries, output_dir="${FOLDER}")
    code, drawn = on_a_terminal(tmp_path, "run", manifest, columns=200)
    assert code == 1
    assert "failed: what-fails.bin: the server answered 403 Forbidden" in drawn
    assert "/denied/${PART}" in drawn
    assert "report: where-to-go/.marscore/report.json" in drawn
    assert "s3cret-name.bin " in drawn, "the display names the file"
    assert "/s3cret-name.bin" not in drawn, "and its URL does not"
    assert "s3cret-part" not in drawn


def test_what_the_manifest_says_is_public_is_shown_and_nothing_else(origin: Origin, tmp_path: Path) -> None:
    origin.handle_rest(lambda seen: Good(Body(10)))
    entries = [{"url": origin.url("/${REGION}/${TENANT}/f"), "headers": {"Authorization": "Bearer ${TOKEN}"}}]
    write(tmp_path, entries, public=["REGION", "TOKEN"], name="from ${REGION}")
    env = {"REGION": "eu-west-17", "TENANT": "tenant-0815", "TOKEN": "t0ken-0815"}
    run, written = run_watched(tmp_path, env)
    assert (run.entry()["url"], run.report["name"]) == (origin.url("/eu-west-17/${TENANT}/f"), "from eu-west-17")
    assert told(written, "tenant-0815") == told(written, "t0ken-0815") == [], "a credential is never public"


def test_what_is_no_name_of_a_variable_is_an_error_at_its_place(tmp_path: Path) -> None:
    (tmp_path / "downloads.yaml").write_text("version: 1\npublic:\n  - REGION\n  - ${TOKEN}\ndownloads: [http://h/f]\n")
    run = marscore("validate", "downloads.yaml", cwd=tmp_path, env={"TOKEN": "t0ken_0815"})
    assert run.code == 2
    assert run.err.startswith("downloads.yaml:4:5: public[1]: must be the name of a variable")
    assert "t0ken_0815" not in run.err


def test_a_credential_that_is_in_a_path_too_is_shown_by_the_path_alone(origin: Origin, tmp_path: Path) -> None:
    origin.handle_rest(lambda seen: Good(Body(10), fields=(("ETag", '"t0ken-0815"'),)))
    entries = [{"url": origin.url("/x/${TOKEN}/f"), "path": "of-${TOKEN}", "headers": {"Authorization": "Bearer ${TOKEN}"}}]
    write(tmp_path, entries, name="for ${TOKEN}")
    run, written = run_watched(tmp_path, {"TOKEN": "t0ken-0815"})
    assert (run.entry()["path"], run.entry()["url"]) == ("of-t0ken-0815", origin.url("/x/${TOKEN}/f"))
    assert (run.report["name"], run.entry()["etag"]) == ("for ${TOKEN}", None)
    assert told({where: text.replace("of-t0ken-0815", "") for where, text in written.items()}, "t0ken-0815") == []


def test_short_values_and_words_of_paths_are_not_replaced_inside_other_words(origin: Origin, tmp_path: Path) -> None:
    origin.handle_rest(lambda seen: Good(Body(10)))
    entries = [{"url": origin.url("/neutral/eu/artifacts2/artifacts/f?r=${REGION}&k=${KIND}"), "path": "artifacts/neutral"}]
    write(tmp_path, entries)
    run, _ = run_watched(tmp_path, {"REGION": "eu", "KIND": "artifacts"})
    assert run.entry()["url"] == origin.url("/neutral/${REGION}/artifacts2/${KIND}/f?r=${REGION}&k=${KIND}")
    assert run.entry()["path"] == "artifacts/neutral"
