"""Rows: the entries of a manifest as written, in whatever format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TextIO

import msgspec

from batchfish.core.describe import Keys, name_kind, nearest, quote, spell_keys
from batchfish.manifest.problems import Refused, RefusedLine
from batchfish.manifest.request import REQUEST_FIELDS
from batchfish.manifest.values import Fault

MAX_LINE = 1 << 22
"""The longest line of a file of rows, in characters."""

RESERVED = frozenset({"goal", "id", "url"})
"""The names of an item's own fields. Any other column without a prefix is a variable."""

ITEM_KEYS = tuple(sorted({*RESERVED, "vars", *REQUEST_FIELDS}))
"""The keys of an item."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One entry as written. Variables without a value are left out; `lines` are known for YAML only."""

    line: int
    id: str | None = None
    url: str | None = None
    goal: str | None = None
    variables: Mapping[str, str]
    fields: Mapping[str, Any]
    lines: Mapping[Keys, int] | None = None

    def line_of(self, keys: Keys) -> int:
        """Return the line of a key in the row, or of the nearest key around it."""
        lines = self.lines or {}
        while keys and keys not in lines:
            keys = keys[:-1]
        return lines.get(keys, self.line)


def row_from_map(
    value: object, line: int, lines: Mapping[Keys, int] | None, faults: list[Fault]
) -> Row | None:
    """Return the row of a map such as `{"id": …, "url": …, "vars": {…}}`; None if it is not a map."""
    if not isinstance(value, Mapping):
        faults.append(Fault(keys=(), message=f"expected a map with url and goal, got {name_kind(value)}"))
        return None
    own: dict[str, str] = {}
    fields: dict[str, Any] = {}
    variables: Mapping[str, str] = {}
    for name, member in value.items():
        if name in RESERVED:
            text = _read_scalar((name,), member, faults)
            if text is not None and text.strip():
                own[name] = text.strip()
        elif name == "vars":
            variables = read_variables(member, (name,), faults)
        elif name in REQUEST_FIELDS:
            fields[name] = member
        else:
            near = nearest(name, ITEM_KEYS)
            remedy = f"Did you mean {quote(near)}?" if near else "A variable goes under `vars`."
            faults.append(Fault(keys=(name,), message=f"unknown key {quote(name)}", remedy=remedy))
    return Row(line=line, variables=variables, fields=fields, lines=lines, **own)


def read_variables(value: object, keys: Keys, faults: list[Fault]) -> dict[str, str]:
    """Return a map of variables as texts; those that are null or blank are left out."""
    if not isinstance(value, Mapping):
        faults.append(Fault(keys=keys, message=f"vars: expected a map, got {name_kind(value)}"))
        return {}
    found = {}
    for name, member in value.items():
        if name in RESERVED:
            message = f"{quote(name)} is a field of the item, not a variable"
            faults.append(Fault(keys=(*keys, name), message=message, remedy="Write it beside `vars`."))
            continue
        text = _read_scalar((*keys, name), member, faults)
        if text is not None and text.strip():
            found[name] = text
    return found


def read_lines(stream: TextIO, line: int = 0) -> Iterator[str]:
    """Yield the lines of a stream; raise RefusedLine for one longer than MAX_LINE.

    `line` is the number of the line before the first.
    """
    while text := stream.readline(MAX_LINE):
        line += 1
        if len(text) == MAX_LINE:
            raise RefusedLine(
                line, f"the line is longer than {MAX_LINE:,} characters", "Is it the right file?"
            )
        yield text


def _read_scalar(keys: Keys, value: object, faults: list[Fault]) -> str | None:
    match value:
        case None:
            return None
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
    spelled = spell_keys(keys)
    faults.append(
        Fault(
            keys=keys,
            message=f"{spelled}: expected a text or a number, got {name_kind(value)}",
            remedy="Quote it.",
        )
    )
    return None


def set_field(fields: dict[str, Any], keys: tuple[str, ...], value: Any) -> None:  # noqa: ANN401 - any JSON value
    """Set a value in nested request fields; raise Refused if it is set already."""
    for name in keys[:-1]:
        below = fields.setdefault(name, {})
        if not isinstance(below, dict):
            raise Refused(f"{name} is not a map")
        fields = below
    if keys[-1] in fields:
        raise Refused(f"{'.'.join(keys)} is set twice")
    fields[keys[-1]] = value
