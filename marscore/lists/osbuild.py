"""Sources of an osbuild manifest, read: `org.osbuild.curl`, files by their digests, and what has the same form.

Each item is a URL, or an object with `url`, and maybe `insecure` and `secrets`.
"""

from __future__ import annotations

from typing import Any

from marscore.lists.json_text import Node, located
from marscore.lists.model import Item, ListError, Listing, Typed
from marscore.resolve.checksum_lines import algorithm_of

#: Sources whose items are URLs by digest.
_BY_URL = ("org.osbuild.curl", "org.osbuild.files")
#: Sources that hold what they bring.
_WITHIN = "org.osbuild.inline"
_MTLS = "org.osbuild.mtls"
_ENVIRONMENT = "OSBUILD_SOURCES_CURL_SSL_CLIENT"


def read(text: str) -> Listing:
    """Read them.

    Raises:
        ListError: it is no JSON, or has no sources.
    """
    listing = Listing()
    root = located(text)
    sources = root.value.get("sources") if isinstance(root.value, dict) else None
    if sources is None or not isinstance(sources.value, dict):
        raise ListError("is no osbuild manifest: it has no sources", root.line)
    for name, source in sources.value.items():
        if name in _BY_URL:
            _source(name, source, listing)
        elif name == _WITHIN:
            listing.warn(source.line, f"{name} holds what it brings: there is nothing to fetch")
        else:
            listing.leave_out(source.line, f"{name} is no source of files by URL")
    return listing


def _source(name: str, source: Node, listing: Listing) -> None:
    items = source.value.get("items") or source.value.get("urls") if isinstance(source.value, dict) else None
    if items is None or not isinstance(items.value, dict):
        raise ListError(f"{name} has no items", source.line)
    for digest, node in items.value.items():
        item = node.value if isinstance(node.value, dict) else {"url": node}
        url = _text(item.get("url"))
        if url is None:
            listing.leave_out(node.line, "names no url")
            continue
        word, _, written = digest.partition(":")
        algorithm = algorithm_of(word)
        if algorithm is None:
            listing.warn(node.line, f"the checksum is not taken: {word[:32]} is not known here")
        checksums = () if algorithm is None else (f"{algorithm}:{written}",)
        options = _options(item, node.line, listing)
        listing.items.append(Item(node.line, url, mirrors=_mirrors(item), checksums=checksums, options=options))


def _options(item: dict[str, Node], line: int, listing: Listing) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for name, node in item.items():
        if name == "insecure":
            if node.value is True:
                listing.warn(node.line, "insecure becomes verify: false: nothing proves whose server it is but the checksum")
                options["verify"] = False
        elif name == "secrets":
            options |= _secrets(node, listing)
        elif name not in ("url", "mirror", "mirrors"):
            listing.warn(line, f"the key {name[:64]} is not taken")
    return options


def _secrets(node: Node, listing: Listing) -> dict[str, Any]:
    name = _text(node.value.get("name")) if isinstance(node.value, dict) else None
    if name != _MTLS:
        listing.warn(node.line, f"the secrets of {name or 'nobody'} are not taken: what they open has to be said by cert or auth")
        return {}
    listing.warn(node.line, f"the secrets of {name} become a client certificate by {_ENVIRONMENT}_CERT and _KEY")
    return {"cert": {"cert": Typed(f"${{{_ENVIRONMENT}_CERT}}"), "key": Typed(f"${{{_ENVIRONMENT}_KEY}}")}}


def _mirrors(item: dict[str, Node]) -> tuple[str, ...]:
    nodes = [item[name] for name in ("mirror", "mirrors") if name in item]
    each = [inner for node in nodes for inner in (node.value if isinstance(node.value, list) else [node])]
    return tuple(text for node in each if (text := _text(node)))


def _text(node: Node | None) -> str | None:
    return node.value if node is not None and isinstance(node.value, str) else None
