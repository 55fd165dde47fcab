"""Text or Python objects -> a manifest, with every problem found on the way.

text --compose--> nodes --Substitution--> data --plain_manifest, or else pydantic (modelled)--> Manifest

pydantic and the models are imported where something needs them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from marscore.frozen import dataclass
from marscore.manifest.environment import Substitution, Unset, Used
from marscore.manifest.places import Findings, Map, Places, Seq
from marscore.manifest.plain import PlainEntry, plain_entry
from marscore.manifest.plain_manifest import PlainDefaults, PlainManifest, plain_manifest
from marscore.manifest.text import compose

if TYPE_CHECKING:
    from marscore.manifest.models import Defaults, DownloadEntry, ListEntry, Manifest

_NOTHING: Mapping[str, str] = {}
#: A download, the defaults and a manifest as they were read.
Entry: TypeAlias = "DownloadEntry | ListEntry | PlainEntry"
AnyDefaults: TypeAlias = "Defaults | PlainDefaults"
AnyManifest: TypeAlias = "Manifest | PlainManifest"


@dataclass(frozen=True)
class Parsed:
    """A manifest that is right in itself, and where its parts stand.

    `used` holds, by name, what came from the environment; `has_references` says whether `${` may stand in the text at all.
    """

    manifest: AnyManifest
    places: Places
    used: Mapping[str, Used]
    source: str
    has_references: bool = False


@dataclass(frozen=True)
class Examined:
    """A manifest that may be wrong in parts: `findings` say where, `entries` are the downloads that are right, by their index.

    `manifest` is None where anything is wrong.
    """

    manifest: AnyManifest | None
    defaults: AnyDefaults
    entries: Mapping[int, Entry]
    findings: Findings
    used: Mapping[str, Used]
    source: str
    has_references: bool = True

    def parsed(self) -> Parsed:
        """The manifest.

        Raises:
            ManifestError: with all findings.
        """
        if self.manifest is None or self.findings.found:
            raise self.findings.error(self.source)
        return Parsed(self.manifest, self.findings.places, self.used, self.source, self.has_references)


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


def examine_text(
    text: str, source: str, environment: Mapping[str, str], variables: Mapping[str, str] = _NOTHING, unset: Unset = "refused"
) -> Examined:
    """Read YAML as far as it goes; with `unset` allowed, what depends on names without a value is left open."""
    root, findings = compose(text)
    root = _with_a_list(root)
    findings.places = Places(root, text=text)
    if not isinstance(root, Map):
        return Examined(None, PlainDefaults(), {}, findings, {}, source)
    substitution = Substitution(environment, variables, findings, unset=unset)
    data = substitution.data(_without_extensions(root))
    del root
    findings.places = Places(again=lambda: _with_a_list(compose(text)[0]), text=text)
    return replace(_examine(data, source, substitution), has_references="$" in text)


def examine_mapping(
    data: Mapping[str, Any], environment: Mapping[str, str], variables: Mapping[str, str] = _NOTHING, source: str = "<dict>"
) -> Examined:
    """Read Python objects as far as they go."""
    data = _with_a_list(data)
    substitution = Substitution(environment, variables, Findings(Places(data)))
    return _examine(substitution.data(_without_extensions(data)), source, substitution)


def _with_a_list(root: Any) -> Any:
    """The manifest with a list of one in the place of a mapping that stands for all downloads; its place is that mapping's."""
    written = root.get("downloads") if isinstance(root, Mapping) else None
    if not isinstance(written, Mapping) or "from" not in written:
        return root
    if not isinstance(root, Map) or not isinstance(written, Map):
        return {**root, "downloads": [written]}
    one, whole = Seq(written.line, written.column), Map(root.line, root.column)
    one.append(written)
    whole.update((key, one if key == "downloads" else value) for key, value in root.items())
    return whole


def _without_extensions(root: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """The manifest without keys at its top that begin with `x-`: they are there for anchors, or for other programs."""
    if not any(isinstance(key, str) and key.startswith("x-") for key in root):
        return root
    return {key: value for key, value in root.items() if not (isinstance(key, str) and key.startswith("x-"))}


def _examine(data: dict[str, Any], source: str, substitution: Substitution) -> Examined:
    findings = substitution.findings
    _read_plain(data)
    plain = None if findings.found else plain_manifest(data)
    if plain is not None:
        return Examined(plain, plain.defaults, dict(enumerate(plain.downloads)), findings, substitution.used, source)
    from marscore.manifest.modelled import defaults_of, entries_of, manifest_of  # noqa: PLC0415 - pydantic takes a quarter of a start

    manifest = manifest_of(data, findings)
    if manifest is not None:
        return Examined(manifest, manifest.defaults, dict(enumerate(manifest.downloads)), findings, substitution.used, source)
    return Examined(None, defaults_of(data, findings), entries_of(data, findings), findings, substitution.used, source)


def _read_plain(data: dict[str, Any]) -> None:
    """Put what needs no model in the place of what was written."""
    written = data.get("downloads")
    if isinstance(written, list):
        for index, entry in enumerate(written):
            written[index] = plain_entry(entry) or entry
