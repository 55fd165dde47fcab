"""The JSON Schema of a manifest, made from the models, for editors and for other programs that write manifests.

It takes what the reader takes: sizes as text or numbers, one value where a list may stand, `${NAME}` where a number is wanted. What a
schema cannot say, such as two downloads with one output, the reader still refuses.
"""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import CoreSchema

from marscore.manifest import models
from marscore.manifest.described import descriptions


class _Untitled(GenerateJsonSchema):
    """Without a title at each field, which would only repeat its name."""

    def field_title_should_be_set(self, schema: CoreSchema | Any) -> bool:
        return False


def manifest_schema() -> dict[str, Any]:
    """The schema, draft 2020-12."""
    body = models.Manifest.model_json_schema(schema_generator=_Untitled)
    described = descriptions()
    for name, schema in [("Manifest", body), *body["$defs"].items()]:
        _describe(schema, described[name])
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "manifest.v1.schema.json", "title": "marscore manifest"}
    return {**_tidy(body), **head}


def _describe(schema: dict[str, Any], texts: dict[str, str]) -> None:
    """Add the descriptions to a model's schema, in pydantic's own order of keys."""
    for name, text in texts.items():
        described = {**schema["properties"][name], "description": text}
        schema["properties"][name] = dict(sorted(described.items()))


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
