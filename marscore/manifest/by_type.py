"""Alternatives of a JSON Schema, told apart by the type of the value: then an editor says what is wrong with the one that was meant.

    anyOf: [object A, string matching P, null] --> type: [object, string, null]; pattern: P; if object, then A

With `anyOf`, one misspelt key in an object fails every alternative, and what is reported is that none fits. Keywords such as `pattern`,
`minimum` or `items` speak of one type alone, so alternatives of different types need no branches; what a reference or an enumeration says
stands behind an `if`.
"""

from __future__ import annotations

from typing import Any

_Schema = dict[str, Any]
#: Keywords that say nothing of other types than their own.
_OWN = {
    "string": {"pattern", "minLength", "maxLength", "format"},
    "number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"},
    "array": {"items", "minItems", "maxItems", "prefixItems"},
    "object": {"properties", "additionalProperties", "propertyNames", "minProperties", "required", "patternProperties"},
}
_OWN["integer"] = _OWN["number"]


def by_type(node: Any) -> Any:
    """The same schema with its alternatives told apart, at every depth."""
    if isinstance(node, list):
        return [by_type(item) for item in node]
    if not isinstance(node, dict):
        return node
    told = {key: by_type(value) for key, value in node.items()}
    for name in ("anyOf", "oneOf"):
        if name in told:
            alternatives = told.pop(name)
            told.pop("discriminator", None)
            told = {**_told_apart(_flat(alternatives)), **told}
    return told


def _flat(alternatives: list[_Schema]) -> list[_Schema]:
    """Without alternatives in alternatives; those that were told apart already are taken apart again."""
    flat: list[_Schema] = []
    for each in alternatives:
        inner = [branch["then"] | {"type": branch["if"]["type"]} for branch in each.get("allOf", ())]
        types = [kind for kind in _types(each) if not any(kind == branch["type"] for branch in inner)]
        rest = {key: value for key, value in each.items() if key not in ("allOf", "type")}
        if types or not inner:
            flat.append({**rest, "type": types} if types else each)
        flat += inner
    return flat


def _types(schema: _Schema) -> list[str]:
    if "$ref" in schema and "type" not in schema:
        return ["object"]
    kinds = schema.get("type")
    if kinds is None:
        values = schema.get("enum", [schema["const"]] if "const" in schema else [])
        return sorted({_type_of(value) for value in values})
    return list(kinds) if isinstance(kinds, list) else [kinds]


def _type_of(value: object) -> str:
    return "boolean" if isinstance(value, bool) else "string" if isinstance(value, str) else "null" if value is None else "number"


def _told_apart(alternatives: list[_Schema]) -> _Schema:
    of_type: dict[str, list[_Schema]] = {}
    for each in alternatives:
        for kind in _types(each):
            of_type.setdefault(kind, []).append(each)
    told: _Schema = {"type": list(of_type) if len(of_type) > 1 else next(iter(of_type))}
    branches: list[_Schema] = []
    for kind, schemas in of_type.items():
        said = [_said_of(kind, schema) for schema in schemas]
        if kind == "null" or {} in said:
            continue
        merged = said[0] if len(said) == 1 else _one_pattern(said) or {"anyOf": said}
        if merged.keys() <= _OWN.get(kind, set()):
            told |= merged
        else:
            branches.append({"if": {"type": kind}, "then": merged})
    return {**told, **({"allOf": branches} if branches else {})}


def _said_of(kind: str, schema: _Schema) -> _Schema:
    """What an alternative says of values of one type."""
    others = set().union(
        *(keys for name, keys in _OWN.items() if name not in (kind, *(["integer"] if kind == "number" else [])))
    ) - _OWN.get(kind, set())
    said = {key: value for key, value in schema.items() if key != "type" and key not in others}
    if "enum" in said and len(_types(schema)) > 1:
        said["enum"] = [value for value in said["enum"] if _type_of(value) == kind]
    return said


def _one_pattern(said: list[_Schema]) -> _Schema | None:
    """Several patterns, and words, as one."""
    if all(each.keys() == {"pattern"} for each in said):
        return {"pattern": "|".join(each["pattern"] for each in said)}
    return None
