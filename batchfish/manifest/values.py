"""How the values of a manifest are read: maps with known keys, texts, durations, shares and counts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from batchfish.core.describe import Keys, name_kind, quote, spell_keys
from batchfish.core.rules import Share
from batchfish.manifest.problems import Refused, suggest

Reader: TypeAlias = Callable[[object], Any]
"""Takes a value as written and gives it as meant, or raises Refused."""
Table: TypeAlias = Mapping[str, "Reader | Table"]
"""The keys a map may have: how each is read, or what the map below it may have."""
MAX_DURATION = 366 * 86400.0
_WHOLE = 100
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?) ?(ms|s|m|h|d)", re.ASCII)
_SHARE = re.compile(r"(\d{1,9}(?:\.\d{1,9})?) ?(%?)", re.ASCII)


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


def parse_duration(text: object) -> float:
    """Read `10m`, `2h`, `1d`, `30s` or `250ms` as seconds; Refused where it is none or more than a year."""
    found = _DURATION.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        raise Refused(
            f"expected a duration, got {quote(text)}", "Write it with its unit: 250ms, 30s, 10m, 2h, 1d."
        )
    seconds = float(found[1]) * _SECONDS[found[2]]
    if not 0 < seconds <= MAX_DURATION:
        raise Refused(f"the duration {quote(text)} is out of range", "It is more than 0 and at most 366d.")
    return seconds


def parse_share(value: object) -> Share:
    """Read `20%` as a share and `20` as a count; Refused where it is neither."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    found = _SHARE.fullmatch(text.strip()) if isinstance(text, str) else None
    remedy = "Write a share as 20%, a count as a whole number."
    if found is None:
        raise Refused(f"expected a share or a count, got {quote(value)}", remedy)
    number, is_percent = float(found[1]), found[2] == "%"
    if (is_percent and number > _WHOLE) or (not is_percent and not number.is_integer()):
        raise Refused(f"{quote(value)} is neither a share of at most 100% nor a whole number", remedy)
    return Share(value=number, is_percent=is_percent)


def parse_count(value: object, *, least: int = 1, most: int = 1_000_000) -> int:
    """Take a whole number between two bounds; Refused where it is none."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise Refused(f"expected a whole number from {least:,} to {most:,}, got {quote(value)}")
    return value
