"""The JSON Schema of a manifest, made from the models, for editors and for other programs that write manifests.

It takes what the reader takes: sizes as text or numbers, one value where a list may stand, `${NAME}` where a number is wanted. What a
schema cannot say, such as two downloads with one output, the reader still refuses.
"""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import CoreSchema

from marscore.manifest import models
from marscore.manifest.by_type import by_type
from marscore.manifest.described import default_of, descriptions, example_of


class _Untitled(GenerateJsonSchema):
    """Without a title at each field, which would only repeat its name."""

    def field_title_should_be_set(self, schema: CoreSchema | Any) -> bool:
        return False


def manifest_schema() -> dict[str, Any]:
    """The schema, draft 2020-12."""
    body = models.Manifest.model_json_schema(schema_generator=_Untitled)
    described = descriptions()
    for name, schema in [("Manifest", body), *body["$defs"].items()]:
        _describe(name, schema, described[name])
    # For anchors, and for other programs.
    body["patternProperties"] = {"^x-": {"title": "Extension", "description": "Not read: a place for anchors, or for other programs."}}
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "manifest.v1.schema.json", "title": "marscore manifest"}
    return {**_with_lists(by_type(_tidy(body))), **head}


def _with_lists(schema: dict[str, Any]) -> dict[str, Any]:
    """Say of a download's mapping that it is of a list where it has `from`, and that one such mapping may stand for all downloads."""
    entry, rows = ({"$ref": f"#/$defs/{name}"} for name in ("DownloadEntry", "ListEntry"))
    written = schema["properties"]["downloads"]
    written["items"]["allOf"] = [{"if": {"type": "object"}, "then": {"if": {"required": ["from"]}, "then": rows, "else": entry}}]
    written |= {"type": ["array", "object"], "allOf": [{"if": {"type": "object"}, "then": rows}]}
    return schema


def _describe(model: str, schema: dict[str, Any], texts: dict[str, str]) -> None:
    """Add titles, descriptions, defaults and examples to a model's schema, in pydantic's own order of keys."""
    for name, text in texts.items():
        told = {"title": name.replace("_", " ").capitalize(), "description": text, "examples": example_of(model, name)}
        default = default_of(model, name)
        known = schema["properties"][name]
        if known.get("default") is None and default is not None:
            told["default"] = default
        schema["properties"][name] = dict(sorted({**known, **told}.items()))


def _tidy(node: Any) -> Any:
    """Without defaults of null, which mean nothing to a person, and with nested alternatives in one list."""
    if isinstance(node, list):
        return [_tidy(item) for item in node]
    if not isinstance(node, dict):
        return node
    tidy = {key: _tidy(value) for key, value in node.items() if not (key == "default" and value is None)}
    if "anyOf" in tidy:
        tidy["anyOf"] = [branch for choice in tidy["anyOf"] for branch in (choice["anyOf"] if choice.keys() == {"anyOf"} else [choice])]
    return tidy
