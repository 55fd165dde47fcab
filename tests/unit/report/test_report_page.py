"""The page of a run as text: what is in it, what it lets run, and that nothing of a stranger's is markup. Browsers: tests/browser."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from marscore.report import page as report_page
from marscore.report.model import Report
from marscore.reporting import page_of
from tests.browser.made_reports import HOSTILE, a_file, a_report, small, with_all

ASSETS = Path(report_page.__file__).parent / "assets"


class _Parts(HTMLParser):
    """What a browser would run, style and ask for."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inside: dict[str, list[str]] = {"script": [], "style": [], "title": [], "h1": []}
        self._in: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in = tag if tag in self.inside else None
        if self._in:
            self.inside[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        self._in = None

    def handle_data(self, data: str) -> None:
        if self._in:
            self.inside[self._in][-1] += data


def parts_of(report: Report) -> _Parts:
    parts = _Parts()
    parts.feed("".join(page_of(report)))
    return parts


def policy(parts: _Parts) -> str:
    return next(fields["content"] or "" for tag, fields in parts.tags if fields.get("http-equiv") == "Content-Security-Policy")


def test_what_runs_is_what_the_policy_names() -> None:
    parts = parts_of(small())
    data, *scripts = parts.inside["script"]
    named = re.findall(r"'sha256-([^']*)'", policy(parts))
    texts = [*scripts, *parts.inside["style"]]
    assert named == [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts]
    assert json.loads(data)["totals"]["failed"] == 2


def test_the_policy_lets_nothing_be_fetched_or_sent() -> None:
    directives = dict(part.strip().partition(" ")[::2] for part in policy(parts_of(small())).split(";"))
    assert {name: value for name, value in directives.items() if not name.endswith("-src")} == {
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert (directives["default-src"], directives["img-src"]) == ("'none'", "data:")
    assert not {"unsafe-inline", "unsafe-eval", "http:", "https:"} & set(policy(parts_of(small())).replace("'", "").split())


def test_nothing_leads_out_of_the_file() -> None:
    leading = [fields[name] for _, fields in parts_of(small()).tags for name in ("src", "href", "action") if name in fields]
    assert leading == ["data:,", "#files"]


@pytest.mark.parametrize("text", [HOSTILE, "{data}{csp}{script}", "\u2028 \x00 \x1b[2J &amp; ]]>", "a\\u003cb", "\\ud800"])
def test_a_stranger_s_text_is_data(text: str) -> None:
    plain = [tag for tag, _ in parts_of(a_report(a_file(0))).tags]
    parts = parts_of(a_report(a_file(0, path=text, url=text, reason=text, etag=text), name=text, warnings=(text,)))
    assert [tag for tag, _ in parts.tags] == plain
    data = json.loads(parts.inside["script"][0])
    assert (data["rows"][0][0], data["run"]["warnings"]) == (text, [text])
    assert parts.inside["h1"] == [text]


def test_values_that_come_again_are_written_once() -> None:
    data = json.loads(parts_of(a_report(*map(a_file, range(50)))).inside["script"][0])
    assert data["words"] == ["downloaded", "fetched"]
    assert {row[1] for row in data["rows"]} == {0}


def test_times_are_seconds_of_the_run() -> None:
    data = json.loads(parts_of(a_report(with_all())).inside["script"][0])
    [row] = data["rows"]
    assert (row[3], row[14]["retries"][0]["at"], row[14]["notes"][1]["at"]) == (1.0, 2.0, 2.1)


def test_a_page_of_many_comes_in_small_pieces() -> None:
    pieces = list(page_of(a_report(*map(a_file, range(2000)))))
    assert sorted(map(len, pieces))[-3] < 2000
    assert len(pieces) > 2000


def test_the_names_of_a_row_s_places_are_those_of_the_script() -> None:
    [names] = re.findall(r"const \[(PATH, [^\]]*)\] = Array\((\d+)\)", (ASSETS / "values.js").read_text(encoding="utf-8"))
    data = json.loads(parts_of(small()).inside["script"][0])
    assert len(names[0].split(",")) == int(names[1]) == len(data["rows"][0])


def test_what_is_not_ours_is_as_it_was_published() -> None:
    noted = re.findall(r"^ {4}([0-9a-f]{64})  (\S+)$", (ASSETS / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (ASSETS / "uplot").iterdir()}
    assert {name: digest for digest, name in noted} == found
