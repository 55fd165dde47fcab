"""`marscore init`: what it writes is a manifest, as it is and with every comment taken away."""

from __future__ import annotations

import re

import jsonschema
import yaml
from cli_fakes import call

from marscore import app
from marscore.manifest.schema import manifest_schema


def init(*arguments):
    return call("init", *arguments, app=app)


def test_urls_become_downloads_each_with_a_path_of_its_own(folder):
    result = init("http://h/a.bin", "http://h/$x", "http://h/", "http://g/a.bin", "http://h/a.bin")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "wrote downloads.yaml; next: marscore plan downloads.yaml" in result.stderr
    assert yaml.safe_load((folder / "downloads.yaml").read_text())["downloads"] == [
        "http://h/a.bin",
        "http://h/$$x",
        {"url": "http://h/", "path": "file3"},
        {"url": "http://g/a.bin", "path": "4-a.bin"},
    ]
    assert call("validate", "downloads.yaml", app=app).stdout == "downloads.yaml: ok, 4 downloads\n"


def test_what_is_secret_in_a_url_is_not_written(folder):
    result = init("https://u:hunter2@h.example/x?token=hunter3")
    text = (folder / "downloads.yaml").read_text()
    assert "hunter" not in text + result.stderr
    assert yaml.safe_load(text)["downloads"] == ["https://u:${H_EXAMPLE_PASSWORD}@h.example/x?token=${H_EXAMPLE_TOKEN}"]
    assert "a secret is not written: set H_EXAMPLE_PASSWORD in the environment" in result.stderr


def test_a_dash_prints_it_and_writes_nothing(folder):
    before = sorted(folder.iterdir())
    for arguments in (["-"], ["-o", "-"], ["-", "http://h/a"]):
        result = init(*arguments)
        assert (result.exit_code, result.stderr) == (0, "")
        assert yaml.safe_load(result.stdout)["version"] == 1
    assert sorted(folder.iterdir()) == before


def test_it_is_a_manifest_with_its_comments_taken_away_too(folder):
    text = re.sub(r"(?m)^# (?=name|execution|defaults|  )", "", init("-").stdout)
    assert "# " not in "".join(line[:2] for line in text.splitlines()[3:])
    (folder / "all.yaml").write_text(text)
    result = call("validate", "all.yaml", "--var", "API_TOKEN=12345678", app=app)
    assert result.stdout == "all.yaml: ok, 102 downloads\n", result.stderr
    jsonschema.validate(yaml.safe_load(text), manifest_schema())


def test_a_file_that_is_there_stays_as_it_is(folder):
    (folder / "downloads.yaml").write_text("mine")
    result = init("http://h/a")
    assert (result.exit_code, (folder / "downloads.yaml").read_text()) == (2, "mine")
    assert "downloads.yaml is there already" in result.stderr
    (folder / "link.yaml").symlink_to("nowhere.yaml")
    assert init("-o", "link.yaml").exit_code == 2
    assert not (folder / "nowhere.yaml").exists()


def test_a_url_that_is_none_is_named_and_nothing_is_written(folder):
    result = init("h.org/a", "ftp://me:hunter2@h/b")
    assert result.exit_code == 2
    assert "marscore init: h.org/a: must begin with http:// or https://; did you mean https://h.org/a?" in result.stderr
    assert "marscore init: ftp://***@h/b: must begin with" in result.stderr
    assert "hunter2" not in result.stderr
    assert not (folder / "downloads.yaml").exists()


def test_a_place_that_cannot_be_written_is_named(folder):
    result = init("-o", "missing/d.yaml")
    assert (result.exit_code, "cannot write missing/d.yaml: No such file or directory" in result.stderr) == (3, True)
