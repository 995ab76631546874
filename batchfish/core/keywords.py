"""The keywords of the subset of JSON Schema: what each takes, where it belongs, what to write for others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches

from batchfish.core.describe import is_number, name_kind, quote

LARGEST = 2**53
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

# What people write instead, and what says the same within the subset.
INSTEAD = {
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
# Which type a keyword belongs to.
BELONGS = {
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


def _check_type(value: object) -> str | None:
    if isinstance(value, str) and value in TYPES:
        return None
    near = get_close_matches(value, TYPES, n=1) if isinstance(value, str) else []
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"a type is one of {', '.join(TYPES)}, not {quote(value)}{hint}"


def _check_enum(value: object) -> str | None:
    if not isinstance(value, list) or not value or not all(isinstance(entry, str) for entry in value):
        return "an enum is a list of texts, at least one"
    return None if len(set(value)) == len(value) else "an enum names each value once"


def _check_format(value: object) -> str | None:
    return None if value in FORMATS else f"a format is one of {', '.join(FORMATS)}, not {quote(value)}"


def _check_count(value: object) -> str | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST
    return None if is_count else f"expected a whole number from 0, got {quote(value)}"


def _check_bound(value: object) -> str | None:
    return None if is_number(value) and abs(value) <= LARGEST else f"expected a number, got {quote(value)}"


def _check_branches(value: object) -> str | None:
    return (
        None if isinstance(value, list) and value else f"expected a list of schemas, got {name_kind(value)}"
    )


def _check_string_list(value: object) -> str | None:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        return "expected a list of names"
    return None if len(set(value)) == len(value) else "each name stands in it once"


CHECKS: Mapping[str, Callable[[object], str | None]] = {
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
