"""A run as JUnit XML, for CI systems that show tests: a test case for each download.

    head + entries as JSON --iter_junit--> XML, a download at a time

The shape is what Jenkins' junit-10.xsd and GitLab's documentation describe: testsuites > testsuite > testcase, with `failure` for what
failed, `error` for what was interrupted or stood in the way of the run itself, `skipped` for what was not begun. Texts come redacted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import PurePath
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from marscore.policy.remedies import Asker, remedy
from marscore.report.failed import asker_of

if TYPE_CHECKING:
    from marscore.report.head import Head
    from marscore.values import Failure

#: What XML 1.0 has no way to write (its section 2.2), and C1 controls, which no reader shows.
_ILLEGAL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
#: A reader makes spaces of these in an attribute, and a line's end of a carriage return, unless they are written so (its 2.11 and 3.3.3).
_KEPT = {"\t": "&#9;", "\n": "&#10;", "\r": "&#13;", '"': "&quot;"}


def iter_junit(head: Head, entries: Iterable[str], trouble: Failure | None = None) -> Iterator[str]:
    """Yield the document; `trouble` is what stood in the way of the run itself."""
    totals = head.totals
    suite = {
        "tests": totals.downloads + (trouble is not None),
        "failures": totals.failed,
        "errors": totals.interrupted + (trouble is not None),
        "time": f"{head.duration_s:.3f}",
    }
    more = {"skipped": totals.skipped, "timestamp": head.started_at[:19], "file": head.manifest.path}
    asker = asker_of(head.manifest.path)
    called = (head.name or PurePath(head.manifest.path).stem).replace(".", "_")
    yield f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites{_attributes({"name": "marscore", **suite})}>\n'
    yield f"  <testsuite{_attributes({'name': called, **suite, **more})}>\n"
    # Jenkins makes a package and a class of it, at its last dot.
    classname = f"marscore.{called}"
    for entry in entries:
        yield _case(json.loads(entry), classname, asker)
    if trouble is not None:
        told = _told("error", trouble.kind, trouble.message, [f"To do: {remedy(trouble.kind, None, trouble.message, asker)}."])
        yield f"    <testcase{_attributes({'classname': classname, 'name': 'the run itself'})}>\n{told}    </testcase>\n"
    yield "  </testsuite>\n</testsuites>\n"


def _case(entry: dict[str, Any], classname: str, asker: Asker) -> str:
    opening = f"    <testcase{_attributes({'classname': classname, 'name': entry['path'], 'time': format(entry['duration_s'], '.3f')})}"
    if entry["error"] is not None:
        return f"{opening}>\n{_failed(entry, asker)}    </testcase>\n"
    if entry["status"] == "skipped":
        return f"{opening}>\n      <skipped{_attributes({'message': entry['reason'] or ''})}/>\n    </testcase>\n"
    return f"{opening}/>\n"


def _failed(entry: dict[str, Any], asker: Asker) -> str:
    error = entry["error"]
    tried = [f"{each['at']} {each['url']}: {each['message']}" for each in entry["retries"]]
    lines = [
        entry["source"] or entry["url"],
        *([] if not tried else ["Tried before:", *tried]),
        f"To do: {remedy(error['kind'], error['status'], error['message'], asker)}.",
    ]
    return _told("failure" if entry["status"] == "failed" else "error", error["kind"], error["message"], lines)


def _told(element: str, kind: str, message: str, lines: Iterable[str]) -> str:
    body = "\n".join([message, *lines])
    return f"      <{element}{_attributes({'type': kind, 'message': message})}>{_text(body)}</{element}>\n"


def _attributes(values: dict[str, object]) -> str:
    return "".join(f' {name}="{_disarmed(escape(_legal(str(value)), _KEPT))}"' for name, value in values.items())


def _text(text: str) -> str:
    return _disarmed(escape(_legal(text), {"\r": "&#13;"}))


def _legal(text: str) -> str:
    """The text with what XML cannot hold replaced."""
    return _ILLEGAL.sub("\ufffd", text)


def _disarmed(markup: str) -> str:
    """The same markup without what commands a CI's runner, should standard output be where it goes (`adapters.terminal.runner`)."""
    return markup.replace("##", "#&#35;").replace("::", ":&#58;")
