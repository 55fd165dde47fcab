"""`marscore import` and `marscore export`, seen from outside: what they print is run by marscore, and by the programs that it is for."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.command import Run, environment, marscore, write
from tests.origin import Body, Good, Origin, Seen, Status

ONE, TWO = Body(70_000, seed=1), Body(3_000, seed=2)
SECRET = "s3cret-t0ken-value"


def run_list(folder: Path, name: str, text: str, *arguments: str) -> Run:
    """Import a list and write its manifest beside it."""
    (folder / name).write_text(text)
    return marscore("import", name, "-o", "made.yaml", *arguments, cwd=folder)


def test_what_is_imported_runs_as_it_is(origin: Origin, tmp_path: Path) -> None:
    text = (
        f"{origin.script('/gone.bin', [Status(404)])}\t{origin.serve('/one.bin', ONE)}\n  out=a/one.bin\n  checksum=sha-256={ONE.sha256}\n"
    )
    made = run_list(tmp_path, "list.txt", text)
    assert (made.code, made.out, made.err) == (0, "", "")
    assert marscore("validate", "made.yaml", cwd=tmp_path).out == "made.yaml: ok, 1 download\n"
    run = marscore("run", "made.yaml", "--output-dir", "data", cwd=tmp_path)
    assert run.code == 0, run.err
    assert run.data("a/one.bin") == ONE.read(0, ONE.length)
    assert run.entry()["checksum"] == f"sha256:{ONE.sha256}"


def test_a_manifest_goes_to_standard_output_and_warnings_do_not(tmp_path: Path) -> None:
    made = marscore("import", "-", cwd=tmp_path, stdin="https://e.com/a\nftp://e.com/b\n")
    assert made.code == 1
    assert made.out.endswith("version: 1\ndownloads:\n  - https://e.com/a\n")
    assert made.err == "-:2: left out: only http and https are fetched\n"


def test_where_nothing_is_left_nothing_is_printed(tmp_path: Path) -> None:
    made = marscore("import", "-", cwd=tmp_path, stdin="ftp://e.com/b\n")
    assert (made.code, made.out) == (1, "")


def test_a_list_that_cannot_be_read_is_exit_2_with_its_line(tmp_path: Path) -> None:
    assert marscore("import", "none.txt", cwd=tmp_path).code == 2
    ambiguous = marscore("import", "-", cwd=tmp_path, stdin=f"{'a' * 64}  {'b' * 64}\n")
    assert (ambiguous.code, ambiguous.out) == (2, "")
    assert "may be sha256sums or pooch: --from sha256sums (or pooch)" in ambiguous.err
    doctype = marscore("import", "-", cwd=tmp_path, stdin='<?xml version="1.0"?>\n<!DOCTYPE a SYSTEM "/etc/passwd">\n<metalink/>')
    assert doctype.code == 2
    assert doctype.err.startswith("-:2:1: has a document type")
    (tmp_path / "large.txt").write_bytes(b"#" * (64 * 2**20 + 1))
    large = marscore("import", "large.txt", cwd=tmp_path)
    assert large.code == 2
    assert "larger than 64 MiB" in large.err


def test_the_list_itself_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("https://e.com/a\n")
    assert marscore("import", "list.txt", "-o", "./list.txt", cwd=tmp_path).code == 2
    missing = marscore("import", "none.txt", "-o", "list.txt", cwd=tmp_path)
    assert (missing.code, missing.err.startswith("none.txt: cannot be read")) == (2, True)
    assert (tmp_path / "list.txt").read_text() == "https://e.com/a\n"


def test_a_secret_of_a_list_is_in_the_manifest_by_name_alone(origin: Origin, tmp_path: Path) -> None:
    asked = []

    def answer(request: Seen) -> Good | Status:
        asked.append(request.fields.get("authorization"))
        return Good() if request.fields.get("authorization") == f"Bearer {SECRET}" else Status(401)

    origin.serve("/one.bin", ONE)
    url = origin.handle("/one.bin", answer)
    made = run_list(tmp_path, "list.txt", f"{url}\n  header=Authorization: Bearer {SECRET}\n")
    assert made.code == 0
    written = (tmp_path / "made.yaml").read_text()
    assert SECRET not in written + made.err
    name = next(word for word in written.split() if word.endswith("_AUTHORIZATION}"))[2:-1]
    assert marscore("run", "made.yaml", "--output-dir", "data", cwd=tmp_path).code == 2, "it is not set"
    run = marscore("run", "made.yaml", "--output-dir", "data", cwd=tmp_path, env={name: SECRET})
    assert run.code == 0, run.err
    assert asked == [f"Bearer {SECRET}"]


def exported(folder: Path, target: str, *arguments: str, env: dict[str, str] | None = None) -> Run:
    return marscore("export", "downloads.yaml", "--to", target, *arguments, cwd=folder, env=env)


@pytest.fixture
def served(origin: Origin, tmp_path: Path) -> Path:
    """A folder with a manifest of two files."""
    one = {
        "url": origin.serve("/one.bin", ONE) + "?x=[1]&y={a}",
        "path": 'a folder/$$one "1".bin',
        "checksum": f"sha256:{ONE.sha256}",
        "headers": {"X-Probe": 'a "quoted" \\ value'},
    }
    two = {"url": origin.serve("/two.bin", TWO), "checksum": f"sha256:{TWO.sha256}", "tags": ["small"], "size": TWO.length}
    write(tmp_path, [one, two])
    return tmp_path


def in_place(folder: Path) -> None:
    assert (folder / 'a folder/$one "1".bin').read_bytes() == ONE.read(0, ONE.length)
    assert (folder / "two.bin").read_bytes() == TWO.read(0, TWO.length)


def tool(name: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    """Run another program, if it is there."""
    if shutil.which(name) is None:
        pytest.skip(f"no {name}")
    return subprocess.run([name, *arguments], cwd=cwd, env=environment({"HOME": str(cwd)}), capture_output=True, timeout=60, check=False)


def test_aria2_fetches_what_is_exported_for_it(served: Path, origin: Origin) -> None:
    made = exported(served, "aria2", "--output-dir", "got", "-o", "list.aria2")
    assert made.code == 0
    assert "aria2 cannot be told of size (1 download)" in made.err
    done = tool("aria2c", "--no-conf", "-i", "list.aria2", cwd=served)
    assert done.returncode == 0, done.stdout
    in_place(served / "got")
    assert [seen.fields["x-probe"] for seen in origin.requests_for("/one.bin")][:1] == ['a "quoted" \\ value']


def test_curl_fetches_what_is_exported_for_it(served: Path, origin: Origin) -> None:
    made = exported(served, "curl", "--output-dir", "got", "-o", "list.curl")
    assert made.code == 0
    assert "curl cannot be told of checksum (2 downloads)" in made.err
    done = tool("curl", "-q", "-sS", "-K", "list.curl", cwd=served)
    assert done.returncode == 0, done.stderr
    in_place(served / "got")
    assert [seen.fields.get("x-probe") for seen in origin.requests] == ['a "quoted" \\ value', None], "a section's headers are its own"


def test_sha256sum_checks_what_is_exported_for_it(served: Path) -> None:
    assert marscore("run", "downloads.yaml", cwd=served).code == 0
    made = exported(served, "sha256sums", "--output-dir", "data", "-o", "SHA256SUMS")
    assert (made.code, made.err) == (0, "")
    assert tool("sha256sum", "--strict", "-c", "SHA256SUMS", cwd=served).returncode == 0
    (served / "data" / "two.bin").write_bytes(b"other")
    assert tool("sha256sum", "-c", "SHA256SUMS", cwd=served).returncode == 1


def test_aria2_fetches_what_is_exported_as_a_metalink(served: Path) -> None:
    made = exported(served, "metalink", "-o", "list.meta4")
    assert made.code == 0
    assert "a Metalink cannot be told of headers (1 download)" in made.err
    done = tool("aria2c", "--no-conf", "-d", "got", "list.meta4", cwd=served)
    assert done.returncode == 0, done.stdout
    in_place(served / "got")


@pytest.mark.parametrize("target", ["aria2", "curl", "metalink"])
def test_what_is_exported_comes_back_as_the_same_downloads(served: Path, target: str) -> None:
    (served / "list").write_text(exported(served, target).out)
    back = marscore("import", "list", "-o", "back.yaml", cwd=served)
    assert (back.code, back.err) == (0, "")
    before, after = (json.loads(marscore("plan", name, "--format", "json", cwd=served).out) for name in ("downloads.yaml", "back.yaml"))
    assert [(each["url"], each["path"]) for each in after["downloads"]] == [(each["url"], each["path"]) for each in before["downloads"]]


def test_checksums_of_the_lock_are_exported_too(origin: Origin, tmp_path: Path) -> None:
    write(tmp_path, [origin.serve("/one.bin", ONE), origin.serve("/two.bin", TWO)])
    without = exported(tmp_path, "sha256sums")
    assert (without.code, without.out) == (1, "")
    assert "left out: it has no sha256, in the manifest or in a lock (2 downloads)" in without.err
    assert marscore("lock", "downloads.yaml", cwd=tmp_path).code == 0
    assert exported(tmp_path, "sha256sums").out == f"{ONE.sha256}  one.bin\n{TWO.sha256}  two.bin\n"
    assert exported(tmp_path, "sha256sums", "--no-lock").code == 1
    assert exported(tmp_path, "sha256sums", "--only", "two*").out == f"{TWO.sha256}  two.bin\n"


@pytest.mark.parametrize(("target", "path", "code"), [("aria2", "a", 1), ("curl", "a", 1), ("metalink", "a", 0), ("sha256sums", "a", 0)])
def test_what_comes_from_the_environment_is_written_by_no_export(target: str, path: str, code: int, tmp_path: Path) -> None:
    hidden = {"url": "https://e.com/a", "path": path, "headers": {"X-Api": "${API}"}, "checksum": f"sha256:{'a' * 64}"}
    write(tmp_path, [hidden, {"url": "https://e.com/b", "checksum": f"sha256:{'b' * 64}"}])
    made = exported(tmp_path, target, env={"API": SECRET})
    assert made.code == code
    assert SECRET not in made.out + made.err
    assert ("left out: headers would hold what comes from the environment" in made.err) == bool(code)
    assert "b" * (64 if target != "curl" else 1) in made.out


@pytest.mark.parametrize(
    "entry",
    [
        {"url": "https://u:${API}@e.com/a"},
        {"url": "https://e.com/a?q=${API}"},
        {"url": "https://e.com/a", "auth": {"username": "u", "password": "${API}"}},
        {"url": "https://e.com/a", "proxies": "http://u:${API}@proxy"},
        {"url": "https://e.com/{n}", "each": {"n": ["${API}"]}},
        {"url": "https://e.com/a", "mirrors": ["https://f.com/${API}"]},
    ],
)
def test_an_entry_with_a_secret_of_the_environment_is_left_out_wherever_it_stands(entry: dict[str, object], tmp_path: Path) -> None:
    write(tmp_path, [{"path": "a", **entry}, "https://e.com/b"])
    made = exported(tmp_path, "aria2", env={"API": SECRET})
    assert made.code == 1
    assert SECRET not in made.out + made.err
    assert made.out == "https://e.com/b\n  out=b\n"
    assert re.match(r"downloads\.yaml:\d: left out: ", made.err)


def test_what_a_variable_says_in_a_path_or_in_public_is_exported(tmp_path: Path) -> None:
    write(tmp_path, [{"url": "https://e.com/${REGION}/a", "path": "${RELEASE}/a"}], public="REGION")
    made = exported(tmp_path, "aria2", env={"REGION": "eu-west", "RELEASE": "r12"})
    assert (made.code, made.out) == (0, "https://e.com/eu-west/a\n  out=r12/a\n")
    again = exported(tmp_path, "aria2", "--var", "REGION=us", "--var", "RELEASE=r13", env=dict(os.environ))
    assert again.out == "https://e.com/us/a\n  out=r13/a\n"


def test_a_folder_that_cannot_be_said_is_told(tmp_path: Path) -> None:
    write(tmp_path, ["https://e.com/a"])
    assert exported(tmp_path, "aria2", "--output-dir", "a\n  out=b").code == 2
    made = exported(tmp_path, "metalink", "--output-dir", "there")
    assert (made.code, made.err) == (0, "a Metalink names no folder: --output-dir is not in it\n")


def test_a_secret_that_stands_in_the_manifest_is_told(tmp_path: Path) -> None:
    write(tmp_path, [{"url": f"https://u:{SECRET}@e.com/{n}"} for n in range(3)])
    made = exported(tmp_path, "aria2")
    assert made.code == 0
    line = (tmp_path / "downloads.yaml").read_text().split("\n").index(f"- url: https://u:{SECRET}@e.com/0") + 1
    assert made.err == f"downloads.yaml:{line}: a secret stands there as it does in the manifest (3 downloads)\n"


def test_a_secret_of_the_environment_in_the_mirrors_of_the_manifest_is_in_no_export(tmp_path: Path) -> None:
    mirrors = {"https://e.com/": ["https://f.com/${API}/", "https://u:${API}@g.com/"]}
    write(tmp_path, ["https://e.com/a", "https://h.com/b"], mirrors=mirrors)
    for target in ("aria2", "metalink"):
        made = exported(tmp_path, target, env={"API": SECRET})
        assert made.code == 1
        assert SECRET not in made.out + made.err
        assert "e.com/a" not in made.out
        assert "https://h.com/b" in made.out


def test_a_secret_in_a_url_that_a_header_holds_has_a_name_too(tmp_path: Path) -> None:
    text = f"https://e.com/a\n  referer=https://u:{SECRET}@r.org/?token={SECRET}x\n"
    (tmp_path / "list.txt").write_text(text)
    made = marscore("import", "list.txt", "--from", "aria2", cwd=tmp_path)
    assert made.code == 0, made.err
    assert SECRET not in made.out
    assert "R_ORG_PASSWORD}@r.org" in made.out
