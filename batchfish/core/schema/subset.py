"""The API's subset of JSON Schema: its keywords, and whether a schema is within it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from msgspec import Struct

from batchfish.core.describe import Keys, cut, is_number, name_kind, nearest, quote, spell_path

MAX_BYTES, MAX_DEPTH = 64 * 1024, 10
"""The size of the largest schema that the API accepts, as sent, and the most levels of one."""

_LARGEST = 2**53
TYPES = ("object", "array", "string", "number", "integer", "boolean")
FORMATS = ("date", "date-time", "duration", "time")
KEYWORDS = (
    "anyOf",
    "enum",
    "format",
    "items",
    "maxItems",
    "maximum",
    "minItems",
    "minimum",
    "nullable",
    "properties",
    "propertyOrdering",
    "required",
    "type",
)

# Keywords outside the subset, and what to write instead.
_INSTEAD = {
    "oneOf": 'Use "anyOf" instead.',
    "allOf": "Merge its branches into one schema.",
    "const": 'Use an "enum" with one value instead.',
    "additionalProperties": "Leave it out: properties beyond the schema are not asked for.",
    "title": "Leave it out, or say it in the goal.",
    "description": "Leave it out, and say it in the goal.",
    "example": "Leave it out, or give the example in the goal.",
    "examples": "Leave it out, or give the examples in the goal.",
    "$ref": "Write the schema out in its place.",
    "$defs": "Write the schemas out where they are used.",
    "$schema": "Leave it out.",
    "pattern": "Say it in the goal, and test it with a check.",
    "minLength": "Say it in the goal, and test it with a check.",
    "maxLength": "Say it in the goal, and test it with a check.",
}
# The types that a keyword belongs to.
_BELONGS = {
    "enum": ("string",),
    "format": ("string",),
    "items": ("array",),
    "maxItems": ("array",),
    "minItems": ("array",),
    "maximum": ("number", "integer"),
    "minimum": ("number", "integer"),
    "properties": ("object",),
    "propertyOrdering": ("object",),
    "required": ("object",),
}


class SchemaProblem(Struct, frozen=True, kw_only=True):
    """A part of a schema that the API would refuse; `keys` lead to it, `remedy` says what to write."""

    keys: Keys
    message: str
    remedy: str | None = None

    @property
    def path(self) -> str:
        """The place as the API writes it: `#/properties/price/type`."""
        return spell_path(self.keys)


def check_schema(schema: object, *, limit: int = 100) -> list[SchemaProblem]:
    """Return everything in a schema that the API would refuse, at most `limit` problems; never raises."""
    return list(islice(_check_whole(schema), limit))


def _check_whole(schema: object) -> Iterator[SchemaProblem]:
    if not isinstance(schema, Mapping):
        yield SchemaProblem(keys=(), message=f"a schema is a map, not {name_kind(schema)}")
        return
    if "anyOf" in schema:
        yield SchemaProblem(
            keys=("anyOf",),
            message='"anyOf" is not allowed at the top level',
            remedy="Put it on a property.",
        )
    if "type" not in schema:
        yield SchemaProblem(keys=(), message="the top level has no type", remedy="Write `type: object`.")
    elif schema["type"] != "object":
        yield SchemaProblem(
            keys=("type",),
            message=f"the top level must be an object, not {quote(schema['type'])}",
            remedy="Wrap it: `type: object` with one property that holds it.",
        )
    if schema.get("nullable") is True:
        yield SchemaProblem(
            keys=("nullable",), message="the top level cannot be nullable", remedy="Leave it out."
        )
    size = _measure(schema)
    if size is not None and size > MAX_BYTES:
        yield SchemaProblem(
            keys=(), message=f"the schema takes {size:,} bytes; the API accepts {MAX_BYTES:,}"
        )
        return  # checking it could take minutes
    yield from _check_nodes(schema)


def _check_nodes(schema: Mapping[str, Any]) -> Iterator[SchemaProblem]:
    """Check every node in order, without recursion, since a schema may be nested without end."""
    stack: list[tuple[object, Keys, int]] = [(schema, (), 1)]
    while stack:
        node, keys, depth = stack.pop()
        if not isinstance(node, Mapping):
            remedy = "A boolean schema is not supported; leave the property out or give it a type."
            yield SchemaProblem(
                keys=keys,
                message=f"expected a schema (a map), got {name_kind(node)}",
                remedy=remedy if isinstance(node, bool) else None,
            )
        elif depth > MAX_DEPTH:
            yield SchemaProblem(keys=keys, message=f"nested deeper than {MAX_DEPTH} levels")
        else:
            yield from _check_node(node, keys)
            stack += [(child, keys + below, depth + 1) for below, child in reversed(list(_children(node)))]


def _children(node: Mapping[str, Any]) -> Iterator[tuple[Keys, object]]:
    properties, items, branches = node.get("properties"), node.get("items"), node.get("anyOf")
    if isinstance(properties, Mapping):
        for name, child in properties.items():
            yield ("properties", name), child
    if "items" in node:
        yield ("items",), items
    if isinstance(branches, list):
        for index, child in enumerate(branches):
            yield ("anyOf", index), child


def _check_node(node: Mapping[str, Any], keys: Keys) -> Iterator[SchemaProblem]:
    for name, value in node.items():
        where = (*keys, name)
        if name not in KEYWORDS:
            near = nearest(str(name), KEYWORDS)
            remedy = _INSTEAD.get(str(name)) or (f'Did you mean "{near}"?' if near else "Leave it out.")
            yield SchemaProblem(
                keys=where, message=f'"{cut(name)}" is not part of the API\'s subset', remedy=remedy
            )
            continue
        message = _CHECKS[name](value) if name in _CHECKS else None
        if message is not None:
            is_list = name == "type" and isinstance(value, list)
            hint = 'Use one type, and "nullable: true" where null is allowed.' if is_list else None
            yield SchemaProblem(keys=where, message=message, remedy=hint)
        kinds = _BELONGS.get(name)
        if kinds and node.get("type") not in kinds and not (name == "required" and _is_branch(keys)):
            kind = f"type {quote(node['type'])}" if "type" in node else "no type"
            yield SchemaProblem(
                keys=where,
                message=f'"{name}" belongs to type {" or ".join(kinds)}; here is {kind}',
                remedy=None if "type" in node else f"Write `type: {kinds[0]}` beside it.",
            )
    yield from _check_names(node, keys)
    for low, high in (("minItems", "maxItems"), ("minimum", "maximum")):
        least, most = node.get(low), node.get(high)
        if is_number(least) and is_number(most) and least > most:
            yield SchemaProblem(keys=(*keys, low), message=f'"{low}" {least} is more than "{high}" {most}')


def _check_names(node: Mapping[str, Any], keys: Keys) -> Iterator[SchemaProblem]:
    """Check that `required` and `propertyOrdering` name properties that exist."""
    properties = node.get("properties")
    known = dict.fromkeys(map(str, properties)) if isinstance(properties, Mapping) else {}
    for keyword in ("required", "propertyOrdering"):
        names = node.get(keyword)
        if not isinstance(names, list) or (keyword == "required" and _is_branch(keys)):
            continue
        for index, name in enumerate(names):
            if isinstance(name, str) and name not in known:
                near = nearest(name, known)
                yield SchemaProblem(
                    keys=(*keys, keyword, index),
                    message=f"{quote(name)} is not among the properties",
                    remedy=f"Did you mean {quote(near)}?" if near else None,
                )


def _is_branch(keys: Keys) -> bool:
    return len(keys) > 1 and keys[-2] == "anyOf"


def _measure(schema: Mapping[str, Any]) -> int | None:
    """Return the bytes of the schema as sent; None where it is nested too deeply to be written."""
    try:
        return len(json.dumps(schema, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"))
    except (RecursionError, TypeError, ValueError):
        return None


def _check_type(value: object) -> str | None:
    if isinstance(value, str) and value in TYPES:
        return None
    near = nearest(value, TYPES) if isinstance(value, str) else None
    hint = f"; did you mean {near}?" if near else ""
    return f"a type is one of {', '.join(TYPES)}, not {quote(value)}{hint}"


def _check_enum(value: object) -> str | None:
    if not isinstance(value, list) or not value or not all(isinstance(entry, str) for entry in value):
        return "an enum is a list of texts, at least one"
    return None if len(set(value)) == len(value) else "an enum names each value once"


def _check_format(value: object) -> str | None:
    return None if value in FORMATS else f"a format is one of {', '.join(FORMATS)}, not {quote(value)}"


def _check_count(value: object) -> str | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST
    return None if is_count else f"expected a whole number from 0, got {quote(value)}"


def _check_bound(value: object) -> str | None:
    return None if is_number(value) and abs(value) <= _LARGEST else f"expected a number, got {quote(value)}"


def _check_branches(value: object) -> str | None:
    return (
        None if isinstance(value, list) and value else f"expected a list of schemas, got {name_kind(value)}"
    )


def _check_string_list(value: object) -> str | None:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        return "expected a list of names"
    return None if len(set(value)) == len(value) else "each name stands in it once"


_CHECKS: Mapping[str, Callable[[object], str | None]] = {
    "anyOf": _check_branches,
    "enum": _check_enum,
    "format": _check_format,
    "maxItems": _check_count,
    "maximum": _check_bound,
    "minItems": _check_count,
    "minimum": _check_bound,
    "nullable": lambda value: (
        None if isinstance(value, bool) else f"expected true or false, got {quote(value)}"
    ),
    "properties": lambda value: (
        None if isinstance(value, Mapping) else f"expected a map, got {name_kind(value)}"
    ),
    "propertyOrdering": _check_string_list,
    "required": _check_string_list,
    "type": _check_type,
}
