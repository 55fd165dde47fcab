"""Text or Python objects -> a manifest, with every problem found on the way.

text --compose--> nodes --Substitution--> data --pydantic--> Manifest
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from pydantic import ValidationError

from marscore.frozen import dataclass
from marscore.manifest.environment import Substitution, Used
from marscore.manifest.models import Defaults, DownloadEntry, Manifest
from marscore.manifest.places import Findings, Map, Places
from marscore.manifest.plain import PlainEntry, plain_entry
from marscore.manifest.problems import explain
from marscore.manifest.text import compose

_NOTHING: Mapping[str, str] = {}
#: A download as it was read.
Entry: TypeAlias = DownloadEntry | PlainEntry


@dataclass(frozen=True)
class Parsed:
    """A manifest that is right in itself, and where its parts stand.

    `used` holds, by name, what came from the environment.
    """

    manifest: Manifest
    places: Places
    used: Mapping[str, Used]
    source: str


@dataclass(frozen=True)
class Examined:
    """A manifest that may be wrong in parts: `findings` say where, `entries` are the downloads that are right, by their index.

    `manifest` is None where anything is wrong.
    """

    manifest: Manifest | None
    defaults: Defaults
    entries: Mapping[int, Entry]
    findings: Findings
    used: Mapping[str, Used]
    source: str

    def parsed(self) -> Parsed:
        """The manifest.

        Raises:
            ManifestError: with all findings.
        """
        if self.manifest is None or self.findings.found:
            raise self.findings.error(self.source)
        return Parsed(self.manifest, self.findings.places, self.used, self.source)


def read_manifest(text: str, source: str, environment: Mapping[str, str], variables: Mapping[str, str] = _NOTHING) -> Parsed:
    """Read a manifest from YAML; `variables` go before the environment and are no secrets.

    Raises:
        ManifestError: with every problem of the text, in its order.
    """
    return examine_text(text, source, environment, variables).parsed()


def read_mapping(
    data: Mapping[str, Any], environment: Mapping[str, str], variables: Mapping[str, str] = _NOTHING, source: str = "<dict>"
) -> Parsed:
    """Read a manifest from Python objects, by the same rules; there are no lines and columns.

    Raises:
        ManifestError: with every problem.
    """
    return examine_mapping(data, environment, variables, source).parsed()


def of_manifest(manifest: Manifest) -> Parsed:
    """Take a manifest that a program made; nothing in it is filled in from the environment."""
    return Parsed(manifest, Places(), {}, "<manifest>")


def examine_text(text: str, source: str, environment: Mapping[str, str], variables: Mapping[str, str] = _NOTHING) -> Examined:
    """Read YAML as far as it goes."""
    root, findings = compose(text)
    findings.places = Places(root)
    if not isinstance(root, Map):
        return Examined(None, Defaults(), {}, findings, {}, source)
    substitution = Substitution(environment, variables, findings)
    data = substitution.data(root)
    del root
    findings.places = Places(again=lambda: compose(text)[0])
    return _examine(data, source, substitution)


def examine_mapping(
    data: Mapping[str, Any], environment: Mapping[str, str], variables: Mapping[str, str] = _NOTHING, source: str = "<dict>"
) -> Examined:
    """Read Python objects as far as they go."""
    substitution = Substitution(environment, variables, Findings(Places(data)))
    return _examine(substitution.data(data), source, substitution)


def _examine(data: dict[str, Any], source: str, substitution: Substitution) -> Examined:
    findings = substitution.findings
    _read_plain(data)
    try:
        manifest = Manifest.model_validate(data)
    except ValidationError as error:
        explain(error, findings)
    else:
        if not findings.found:
            entries = dict(enumerate(manifest.downloads))
            return Examined(manifest, manifest.defaults, entries, findings, substitution.used, source)
    return Examined(None, _defaults(data, findings), _entries(data, findings), findings, substitution.used, source)


def _read_plain(data: dict[str, Any]) -> None:
    """Put what needs no model in the place of what was written."""
    written = data.get("downloads")
    if isinstance(written, list):
        for index, entry in enumerate(written):
            written[index] = plain_entry(entry) or entry


def _defaults(data: Mapping[str, Any], findings: Findings) -> Defaults:
    written = data.get("defaults")
    return Defaults() if written is None or findings.wrong("defaults") else Defaults.model_validate(written)


def _entries(data: Mapping[str, Any], findings: Findings) -> dict[int, Entry]:
    """The downloads in which nothing is wrong."""
    written = data.get("downloads")
    if not isinstance(written, list):
        return {}
    wrong = findings.wrong_entries()
    return {index: _entry(entry) for index, entry in enumerate(written) if index not in wrong}


def _entry(written: Any) -> Entry:
    if isinstance(written, PlainEntry):
        return written
    return DownloadEntry.model_validate({"url": written} if isinstance(written, str) else written)
