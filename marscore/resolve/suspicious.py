"""What is right in a manifest and is hardly what was meant: `{i}` in a download without `each`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from marscore.errors import Problem
from marscore.manifest import Entry, Parsed
from marscore.manifest.places import Advice, Findings, Path, Scalar

_NAME = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*(?::[0-9]*[dxX]?)?\}")
#: So many are told; they are most often one mistake.
_MOST = 20


def suspicions(parsed: Parsed) -> tuple[Problem, ...]:
    """What may be a mistake, with its lines. Only what was typed is looked at: what the environment holds is what it is."""
    entries: Sequence[Entry] = parsed.manifest.downloads
    suspects = [
        (("downloads", index), entry.url, entry.path)
        for index, entry in enumerate(entries)
        if entry.each is None and ("{" in entry.url or (entry.path is not None and "{" in entry.path))
    ]
    if not suspects:
        return ()
    findings = Findings(parsed.places)
    for where, url, path in suspects[:_MOST]:
        for key, text in (("url", url), ("path", path)):
            if text is not None:
                _look(findings, (*where, key), text)
    return findings.error(parsed.source).problems


def _look(findings: Findings, path: Path, text: str) -> None:
    written, _ = findings.places.node(path)
    found = _NAME.search(written if isinstance(written, str) else text)
    if found is not None and not (isinstance(written, Scalar) and "${" in written):
        told = Advice(help=f"each: {{{found[0].strip('{}').partition(':')[0]}: {{from: 0, to: 99}}}} makes many downloads of one entry")
        findings.add(path, f"holds {found[0]} and has no each: it is taken as it stands", advice=told)
