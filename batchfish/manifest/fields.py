"""Maps with known keys: each key has a reader, and what is wrong is noted with its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from batchfish.core.describe import Keys, name_kind, quote, spell_keys
from batchfish.manifest.problems import Refused, suggest

Reader: TypeAlias = Callable[[object], Any]
"""Takes a value as written and gives it as meant, or raises Refused."""

Table: TypeAlias = Mapping[str, "Reader | Table"]
"""The keys a map may have: how each is read, or what the map below it may have."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """Something wrong in a JSON value; `keys` lead to it."""

    keys: Keys
    message: str
    remedy: str | None = None


def read_map(
    value: object, table: Table, keys: Keys, faults: list[Fault], hints: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Read a map by its table and note every fault; `hints` say what to do about keys that do not exist."""
    if not isinstance(value, Mapping):
        faults.append(Fault(keys=keys, message=f"expected a map, got {name_kind(value)}"))
        return {}
    found: dict[str, Any] = {}
    for name, member in value.items():
        where = (*keys, name)
        reader = table.get(name)
        if reader is None:
            inside = f" in {spell_keys(keys)}" if keys else ""
            remedy = (hints or {}).get(name) or suggest(name, table)
            faults.append(Fault(keys=where, message=f"unknown key {quote(name)}{inside}", remedy=remedy))
        elif isinstance(reader, Mapping):
            found[name] = read_map(member, reader, where, faults, hints)
        else:
            try:
                found[name] = reader(member)
            except Refused as error:
                message = f"{spell_keys(where)}: {error}"
                faults.append(Fault(keys=where, message=message, remedy=error.remedy))
    return found


def read_text(value: object) -> str:
    """Take a text that is not blank."""
    if not isinstance(value, str):
        raise Refused(f"expected a text, got {name_kind(value)}", "Quote it.")
    if not value.strip():
        raise Refused("it is empty")
    return value


def read_boolean(value: object) -> bool:
    """Take true or false."""
    if not isinstance(value, bool):
        raise Refused(f"expected true or false, got {name_kind(value)}")
    return value


def one_of(*choices: str) -> Reader:
    """Make a reader that takes one of some words."""

    def read(value: object) -> str:
        if isinstance(value, str) and value in choices:
            return value
        remedy = suggest(value, choices) if isinstance(value, str) else f"Known here: {', '.join(choices)}."
        raise Refused(f"{quote(value)} is not one of {', '.join(choices)}", remedy)

    return read


def optional(reader: Reader) -> Reader:
    """Make a reader that also takes `none`, or null, for no limit."""
    return lambda value: None if value is None or value == "none" else reader(value)
