"""The places where a value violates a schema of the API's subset."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from itertools import islice
from typing import Any

from msgspec import Struct

from batchfish.core.describe import Keys, is_number, name_kind, quote, spell_path

# A schema of the subset is at most 10 deep; a branch of anyOf adds to that and goes no deeper into the value.
_MAX_DEPTH = 32
_MISSING = object()
_JSON_TYPES = ("null", "boolean", "string", "number", "array", "object", "any")
_CLOCK = r"T(?=\d)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?"
_DURATION = re.compile(rf"P(?!$)(\d+W|(\d+Y)?(\d+M)?(\d+D)?({_CLOCK})?)", re.ASCII)


class Violation(Struct, frozen=True, kw_only=True):
    """A place where a value violates its schema; `expected` and `received` are JSON types."""

    keys: Keys
    message: str
    expected: str = ""
    received: str = ""

    def __str__(self) -> str:
        """Return it as `#/price: expected number, got 'free'`."""
        return f"{spell_path(self.keys)}: {self.message}"


def find_violations(value: object, schema: Mapping[str, Any], *, limit: int = 20) -> list[Violation]:
    """Return the places where a value violates a schema, at most `limit` of them.

    A null in a property that is not required counts as absent, and further properties are allowed. Only as
    many levels of the value are checked as the schema has.
    """
    return list(islice(_violations(value, schema, (), _MAX_DEPTH), limit))


def _violations(value: object, schema: Mapping[str, Any], keys: Keys, depth: int) -> Iterator[Violation]:
    if depth == 0:
        return  # deeper than any schema that was checked
    if value is None:
        if schema.get("nullable") is not True and ("type" in schema or "anyOf" in schema):
            yield _violation(keys, "is null, which the schema does not allow", value, schema)
        return
    branches = schema.get("anyOf")
    if isinstance(branches, list) and not any(_meets(value, branch, keys, depth) for branch in branches):
        yield _violation(keys, "meets none of the alternatives of anyOf", value, schema)
    kind = schema.get("type")
    if isinstance(kind, str) and not _has_type(value, kind):
        yield _violation(keys, f"expected {kind}, got {name_kind(value)}", value, schema)
        return
    match value:
        case Mapping():
            yield from _property_violations(value, schema, keys, depth)
        case list():
            yield from _item_violations(value, schema, keys, depth)
        case str():
            yield from _text_violations(value, schema, keys)
        case int() | float() if not isinstance(value, bool):
            least, most = schema.get("minimum"), schema.get("maximum")
            if is_number(least) and value < least:
                yield _violation(keys, f"is less than {least}", value, schema)
            if is_number(most) and value > most:
                yield _violation(keys, f"is more than {most}", value, schema)


def _violation(keys: Keys, message: str, value: object, schema: Mapping[str, Any]) -> Violation:
    form, kind = schema.get("format"), schema.get("type", "any")
    received = (
        "missing" if value is _MISSING else next(name for name in _JSON_TYPES if _has_type(value, name))
    )
    expected = f"{kind} ({form})" if form else str(kind)
    return Violation(keys=keys, message=message, expected=expected, received=received)


def _meets(value: object, schema: object, keys: Keys, depth: int) -> bool:
    return isinstance(schema, Mapping) and not any(True for _ in _violations(value, schema, keys, depth - 1))


def _property_violations(
    value: Mapping[str, Any], schema: Mapping[str, Any], keys: Keys, depth: int
) -> Iterator[Violation]:
    required = schema.get("required", ())
    for name in required:
        if name not in value:
            wanted = schema.get("properties", {}).get(name, {})
            yield _violation((*keys, name), "is missing", _MISSING, wanted)
    for name, below in schema.get("properties", {}).items():
        if name in value and (value[name] is not None or name in required):
            yield from _violations(value[name], below, (*keys, name), depth - 1)


def _item_violations(
    value: Sequence[Any], schema: Mapping[str, Any], keys: Keys, depth: int
) -> Iterator[Violation]:
    least, most = schema.get("minItems"), schema.get("maxItems")
    if isinstance(least, int) and len(value) < least:
        yield _violation(keys, f"has {len(value)} items, fewer than {least}", value, schema)
    if isinstance(most, int) and len(value) > most:
        yield _violation(keys, f"has {len(value)} items, more than {most}", value, schema)
    below = schema.get("items")
    if isinstance(below, Mapping):
        for index, member in enumerate(value):
            yield from _violations(member, below, (*keys, index), depth - 1)


def _text_violations(value: str, schema: Mapping[str, Any], keys: Keys) -> Iterator[Violation]:
    allowed = schema.get("enum")
    if isinstance(allowed, list) and value not in allowed:
        message = f"{quote(value)} is none of {quote(', '.join(map(str, allowed)))}"
        yield _violation(keys, message, value, schema)
    form = schema.get("format")
    if isinstance(form, str) and not _has_format(value, form):
        yield _violation(keys, f"{quote(value)} is no {form}", value, schema)


def _has_type(value: object, kind: str) -> bool:
    match kind:
        case "null":
            return value is None
        case "object":
            return isinstance(value, Mapping)
        case "array":
            return isinstance(value, list)
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return is_number(value) and (isinstance(value, int) or value.is_integer())
        case "number":
            return is_number(value)
        case _:
            return True


def _has_format(value: str, form: str) -> bool:
    """Whether a text is a date or time; zones may be left out, since pages and agents leave them out."""
    try:
        match form:
            case "date":
                date.fromisoformat(value)
            case "date-time":
                datetime.fromisoformat(value.upper())
            case "time":
                time.fromisoformat(value.upper())
            case "duration":
                return _DURATION.fullmatch(value) is not None
    except ValueError:
        return False
    return True
