"""The largest valid request body of a model, computed from its JSON Schema."""

import json
from dataclasses import dataclass
from typing import Any

ESCAPED = 12
"""Bytes of one character at most: a surrogate pair written as two escapes."""
SMALLEST = 8 * 1024
"""Bytes that every route accepts; enough for a login."""
SPACE = 64
"""Bytes of indentation and line breaks for each value."""
SPARE_VALUES = 32
"""Unknown fields that are read; the response names 16 of them."""
OPEN_BYTES, OPEN_VALUES = 4 * 1024, 64
"""For an object that ignores unknown fields, such as those that browsers send with passkeys."""


class Unbounded(TypeError):
    """A request model has a part without a maximum size."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The maximum number of bytes, and of fields and values in them."""

    size: int
    values: int


def bounds_of(schema: dict[str, Any]) -> Bounds:
    """The bounds of a body of this schema; raises Unbounded if a part has none."""
    size, values = _largest(schema, schema.get("$defs", {}), "body")
    kilobytes = -(-(size + values * SPACE) // 1024)
    return Bounds(max(SMALLEST, kilobytes * 1024), values + SPARE_VALUES)


def _largest(schema: dict[str, Any], known: dict[str, Any], path: str) -> tuple[int, int]:
    """(bytes, values) of the largest valid JSON of a schema."""
    if "$ref" in schema:
        return _largest(known[schema["$ref"].rpartition("/")[2]], known, path)
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            return _largest_of([_largest(each, known, path) for each in schema[word]])
    if "const" in schema or "enum" in schema:
        return max(len(json.dumps(each)) for each in schema.get("enum", [schema.get("const")])), 1
    match schema.get("type"):
        case "string" if "maxLength" in schema:
            # Formats that allow only ASCII are never escaped.
            return schema["maxLength"] * (1 if "contentEncoding" in schema else ESCAPED) + 2, 1
        case "integer" | "number" if _is_bounded(schema):
            return 40, 1
        case "boolean" | "null":
            return 5, 1
        case "array" if "maxItems" in schema:
            size, values = _largest(schema["items"], known, f"{path}[]")
            return schema["maxItems"] * (size + 1) + 2, schema["maxItems"] * values + 1
        case "object":
            return _object(schema, known, path)
    raise Unbounded(f"{path} has no largest size: {schema}")


def _is_bounded(schema: dict[str, Any]) -> bool:
    low, high = ("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")
    return any(word in schema for word in low) and any(word in schema for word in high)


def _object(schema: dict[str, Any], known: dict[str, Any], path: str) -> tuple[int, int]:
    fields = schema.get("properties", {})
    found = [_largest(each, known, f"{path}.{name}") for name, each in fields.items()]
    size = sum(len(name) + 4 for name in fields) + sum(bytes_ for bytes_, _ in found) + 2
    values = sum(count + 1 for _, count in found) + 1
    rest = schema.get("additionalProperties")
    if isinstance(rest, dict):
        if "maxProperties" not in schema:
            raise Unbounded(f"{path} may have any number of fields")
        names = {"type": "string", **schema.get("propertyNames", {})}
        name_size, _ = _largest(names, known, f"{path}{{}}")
        value_size, value_count = _largest(rest, known, f"{path}{{}}")
        most = schema["maxProperties"]
        return size + most * (name_size + value_size + 2), values + most * (value_count + 1)
    if rest is not False:
        return size + OPEN_BYTES, values + OPEN_VALUES
    return size, values


def _largest_of(found: list[tuple[int, int]]) -> tuple[int, int]:
    return max(size for size, _ in found), max(values for _, values in found)
