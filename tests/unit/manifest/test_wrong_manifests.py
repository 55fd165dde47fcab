"""What is told of wrong manifests: the texts are in `wrong_manifests.txt`, as whoever reads them sees them."""

from __future__ import annotations

import pytest

from marscore.errors import ManifestError, Problem, Quote, told
from marscore.manifest import read_manifest, read_mapping
from marscore.printable import cells
from marscore.resolve.expand import load, load_in_part
from tests.unit.manifest import golden

CASES = list(golden.cases())
HEAD = "version: 1\ndownloads:\n"


@pytest.mark.parametrize(("manifest", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_is_told(manifest: str, expected: str) -> None:
    assert golden.told_of(manifest) == expected


def test_no_text_shows_a_secret() -> None:
    told = "\n".join(expected for _, _, expected in CASES)
    assert "hunter2" not in told
    assert not [value for name, value in golden.ENVIRONMENT.items() if name != "THREADS" and value in told]


@pytest.mark.parametrize(
    "written",
    [
        '    headers: {"Authorization: Bearer hunter2": x}',
        '    headers: {"X-Thing: hunter2": x}',
        '    "http://u:hunter2@a/?token=hunter2": x',
        '    headers: {"X Tok": hunter2}',
        "    heders: {X-Thing: hunter2}",
        '    header: "X-Thing: hunter2"',
        "    headers: X-Thing hunter2",
        "    headers:\n      Authorization: Bearer\n     X: hunter2",
        "    cert: [/a.pem, /b.key, hunter2]",
        "    cert: {key: hunter2}",
        "    cert: {crt: a.pem, key: hunter2}",
        "    password hunter2\n    path: x",
        "    env: {FOO: hunter2}",
        '    on_success: {cmd: "tok hunter2"}',
        '    on_success: [curl, -u, "me:hunter2", http://h]',
        "    on_failure: \"curl -H 'Authorization: Bearer hunter2' http://h\"",
        '  - url: http://h/x -H "X-Foo: hunter2"',
        '  - "http//u:hunter2@h/x"',
        "    query: {sig: hunter2}",
        "    X-Foo: hunter2",
    ],
)
def test_what_may_be_a_secret_is_not_shown_wherever_it_was_written(written: str) -> None:
    with pytest.raises(ManifestError) as caught:
        load(f"{HEAD}  - url: http://h/a\n{written}\n", "m.yaml", {})
    assert "hunter2" not in str(caught.value)
    assert "***" in str(caught.value)


@pytest.mark.parametrize("brackets", [70, 2000])
def test_brackets_far_too_deep_are_told_as_such(brackets: int) -> None:
    with pytest.raises(ManifestError, match=r"nested (far too deep|deeper than)"):
        load(f"{HEAD}  - {'[' * brackets}{']' * brackets}\n", "m.yaml", {})


def test_a_mirrors_url_is_named_without_its_password() -> None:
    with pytest.raises(ManifestError) as caught:
        load(f'mirrors: {{"http://u:hunter2@a/": ["nope://b/"]}}\n{HEAD}  - http://h/a\n', "m.yaml", {})
    assert 'mirrors["http://***"]' in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_there_are_enough_kinds() -> None:
    assert len(CASES) >= 54
    assert not [name for name, _, expected in CASES if expected == "nothing is wrong"]


def first_quote(text: str) -> Quote:
    with pytest.raises(ManifestError) as caught:
        load(text, "m.yaml", {})
    [problem, *_] = caught.value.problems
    assert problem.quote is not None
    return problem.quote


@pytest.mark.parametrize(
    ("line", "under"),
    [
        ("    size: big", "big"),
        ('    size: "日本"', '"日本"'),
        ("    日本: 1", "日本"),
        ("    size:\tbig", "big"),
        ("    size: 'a\u202eb'", "'a\\u202eb'"),
        ("    size: e\u0301", "e\u0301"),
        ("    headers: {X-Key: a, Authorization: 'b '}", "'***'"),
        ("    headers: {Authorization: abc, ' ': c}", "' '"),
    ],
)
def test_the_caret_stands_under_what_is_wrong(line: str, under: str) -> None:
    quote = first_quote(f"{HEAD}  - url: http://h/a\n{line}\n")
    assert quote.indent == cells(quote.text[: quote.text.index(under)])
    assert quote.width == cells(under)


def test_a_long_line_is_cut_around_the_caret() -> None:
    quote = first_quote(HEAD + "  - {url: http://h/a, tags: [" + ", ".join(["word"] * 20_000) + "], size: big, path: b, mode: '0644'}\n")
    assert cells(quote.text) <= 110
    assert quote.text.startswith("...")
    assert quote.text[quote.indent : quote.indent + quote.width] == "big"


def test_of_very_many_problems_the_first_are_quoted() -> None:
    with pytest.raises(ManifestError) as caught:
        load(HEAD + "  - {url: http://h/a, size: big}\n" * 3000, "m.yaml", {})
    quoted = [problem.quote is not None for problem in caught.value.problems]
    assert (len(quoted), quoted.index(False), quoted[-1]) == (3000, 100, False)


def test_a_byte_order_mark_moves_no_caret() -> None:
    quote = first_quote("\ufeffversion: 2\ndownloads: [http://h/a]\n")
    assert (quote.text, quote.indent) == ("version: 2", 9)


def test_other_line_breaks_than_newlines_count() -> None:
    assert first_quote("version: 1\r\ndownloads:\r\n  - url: http://h/a\r\n    size: big\r\n").text == "    size: big"
    assert first_quote("version: 1\rdownloads: [http://h/a]\rname: {}\r").text == "name: {}"


def test_the_first_line_is_the_contract_s_and_all_others_are_indented() -> None:
    problem = Problem("downloads[3].retry", "must be 0 or more", 12, 5, help="x", quote=Quote(12, "abc", 1, 2))
    first, *rest = told("d.yaml", problem)
    assert first == "d.yaml:12:5: downloads[3].retry: must be 0 or more"
    assert all(line.startswith(" ") for line in rest)


def test_python_objects_have_no_lines_and_are_helped_all_the_same() -> None:
    with pytest.raises(ManifestError, match="did you mean 'checksum'") as caught:
        read_mapping({"version": 1, "downloads": [{"url": "http://h/a", "sha256": "abc"}]}, {})
    [problem] = caught.value.problems
    assert (problem.quote, problem.line) == (None, None)
    assert problem.help == 'write checksum: "sha256:HEX"'


@pytest.mark.parametrize("more", ["", "security: {}\n"], ids=["plain", "modelled"])
def test_keys_at_the_top_that_begin_with_x_are_places_for_anchors(more: str) -> None:
    text = f"x-common: &c {{size: 3}}\n{more}version: 1\ndownloads:\n  - <<: *c\n    url: http://h/a\nx-unset: ${{NOBODY}}\n"
    parsed = read_manifest(text, "m.yaml", {})
    assert parsed.manifest.downloads[0].size == 3
    assert (type(parsed.manifest).__name__ == "PlainManifest") is (more == "")


UNSET = """\
version: 1
output_dir: ${DIR}
execution: {threads: "x", max_rate: 1}
defaults:
  timeout: ${T}
  headers: {Authorization: "Bearer ${TOKEN}"}
downloads:
  - ${URL}
  - url: https://${HOST}/a
    checksum: ${SUM}
    size: ${SIZE}
  - {url: http://h/a, path: "${A}"}
  - {url: http://h/a, path: "${B}"}
  - {url: "http://h/{i}", each: {i: {from: 0, to: "9"}}}
"""


def test_what_depends_on_names_without_values_is_left_open() -> None:
    right = UNSET.replace('"x"', "8").replace('"9"', '"${N}"')
    assert load_in_part(right, "m.yaml", {}) == 5
    assert load_in_part(right.replace("timeout: ${T}", "timeout: 3s"), "m.yaml", {"URL": "http://h/x", "A": "1", "B": "2"}) == 5


def test_what_is_wrong_whatever_the_values_are_is_told() -> None:
    with pytest.raises(ManifestError) as caught:
        load_in_part(UNSET, "m.yaml", {"A": "same", "B": "same"})
    assert [problem.path for problem in caught.value.problems] == ["execution.threads", "downloads[3].path", "downloads[4].each.i.to"]


def test_where_all_names_have_values_nothing_is_left_open() -> None:
    assert load_in_part("version: 1\ndownloads: [http://h/a]\n", "m.yaml", {}) is None
