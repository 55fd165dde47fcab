"""Any list: what its manifest says is what the list said, and what is not in it was told."""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
from pathlib import Path
from typing import get_args

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from marscore import app
from marscore.lists.imported import import_list
from marscore.lists.manifest_text import scalar, write
from marscore.lists.model import Format, ListError
from marscore.resolve.expand import load
from marscore.settings import ManifestInput, RunSettings

# Characters that some syntax gives a meaning to, beside all others.
TEXTS = st.text(
    st.one_of(st.sampled_from("ab/.$${}[]#:%&?*'\"\\ -!|>@`~,=\t\u2028\u0085\ufeff\U0001f600\ud800"), st.characters()), max_size=12
)
URLS = st.one_of(TEXTS.map(lambda text: f"https://e.com/{text}"), TEXTS.map(lambda text: f"https://e.com/{text}/file.bin"), TEXTS)
DIGESTS = st.text("0123456789abcdefABCDEF", min_size=64, max_size=64)
FILES = st.lists(
    st.fixed_dictionaries(
        {"url": URLS},
        optional={
            "path": TEXTS.map(lambda text: f"d/{text}"),
            "sha256": DIGESTS,
            "size": st.integers(-1, 2**63),
            "headers": st.dictionaries(st.sampled_from(["Accept", "X-One", "Authorization", "bad name"]), TEXTS, max_size=2),
            "mirrors": st.lists(URLS, max_size=2),
        },
    ),
    max_size=6,
)


def of_file(file):
    """What a file of the list would be as a download, read from a manifest of its own."""
    made = import_list(json.dumps(file), "x", "json", None, "kept")
    if not made.downloads:
        return None
    _, (download,) = load("".join(made.text), "m", {})
    return download


@given(FILES)
def test_a_list_in_json_and_its_manifest_name_the_same(files):
    made = import_list(json.dumps(files), "x", "json", None, "kept")
    text = "".join(made.text)
    _, downloads = load(text, "m.yaml", {})
    assert len(downloads) == made.downloads
    said = {(d.sources, d.path, d.checksums, d.size, d.options) for d in downloads}
    alone = [one for file in files if (one := of_file(file)) is not None]
    assert said <= {(one.sources, one.path, one.checksums, one.size, one.options) for one in alone}
    # What is right by itself is there, unless an earlier one has its place.
    taken = [d.path.casefold() for d in downloads]
    for one in alone:
        assert (one.sources, one.path, one.checksums, one.size, one.options) in said or any(
            one.path.casefold().startswith(path) or path.startswith(one.path.casefold()) or not path.isascii() for path in taken
        )
    assert made.left_out == sum(": left out: " in line for line in made.warnings)


@given(FILES)
def test_a_manifest_of_a_list_is_valid_and_its_plan_names_the_same_files(files):
    made = import_list("\n".join(json.dumps(file) for file in files), "x", "jsonl", None)
    text = "".join(made.text)
    needed = re.findall(r"^# It needs these of the environment: (.*)\.$", text, re.MULTILINE)
    settings = RunSettings(variables=tuple((name, "x") for name in (needed[0].split(", ") if needed else ())))
    with tempfile.TemporaryDirectory() as folder:
        manifest = ManifestInput("m.yaml", Path(folder), text=text)
        assert app.validate(manifest, settings).downloads == made.downloads
        planned = app.plan(manifest, settings).downloads
    assert [entry.id for entry in planned] == [f"downloads[{number}]" for number in range(made.downloads)]


@given(TEXTS)
def test_a_text_is_read_as_it_was_written_by_us_and_by_others(text):
    text = text.encode("utf-8", "replace").decode()
    written = "".join(write([], [{"url": text, "path": text, "headers": {text or "k": text}}]))
    for line in (scalar(text), f"{scalar(text)}\n"):
        assert yaml.safe_load(line) == text
    assert yaml.safe_load(written)["downloads"] == [{"url": text, "path": text, "headers": {text or "k": text}}]


@given(
    st.sampled_from(
        ["null", "~", "True", "no", "1", "1.5", "0x1f", "1e3", "2020-01-01", "12:30", ".5", ".inf", "-", "...", "---", "<<", "1_000", "0o7"]
    )
)
def test_words_that_mean_something_else_are_quoted(word):
    assert yaml.safe_load(scalar(word)) == word
    assert scalar(word).startswith('"')


@given(
    st.text(max_size=200), st.sampled_from(["urls", "aria2", "curl", "metalink", "sha256sums", "pooch", "osbuild", "json", "jsonl", None])
)
def test_no_text_breaks_a_reader(text, form):
    try:
        made = import_list(text, "x", form, "https://e.com/")
    except ListError:
        return
    written = "".join(made.text)
    _, downloads = load(written, "m.yaml", dict.fromkeys(re.findall(r"\$\{([A-Z0-9_]+)\}", written), "x"))
    assert len(downloads) == made.downloads


@pytest.mark.parametrize("end", ['"', "\x00", ": x", " #", "\u2028"])
@pytest.mark.parametrize("text", ["a", "é", "a:", "a b", "1", "@"])
def test_a_long_text_is_written_in_no_time(text, end):
    assert len(scalar(text * 20_000 + end)) > 20_000


#: What takes the square of it is a quarter of a minute.
LONG = 5_000


@pytest.mark.parametrize("form", get_args(Format))
@pytest.mark.parametrize("text", ["@", "[", "a ", "\\", '"', "=", " ", "{}", "a:", "<a ", "-o", "1 bytes: ", "( ", "https://"])
def test_a_long_line_is_read_in_no_time(text, form):
    for whole in (
        text * LONG,
        f"https://{text * LONG}",
        f"url = {text * LONG}x",
        f"# {text * LONG}",
        f"{'a' * 64}  {text * LONG}",
    ):
        for each in (form, None):
            with contextlib.suppress(ListError):
                import_list(whole, "x", each, "https://e.com/")
