"""Readers of a manifest's values: maps with known keys, texts, durations, shares and counts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, TypeAlias

from msgspec import Struct

from batchfish.core.budget import MICRO_DOLLARS
from batchfish.core.describe import Keys, is_number, name_kind, quote, spell_keys
from batchfish.core.rules import ColumnComparison, Share
from batchfish.core.window import MOST_ALIVE, Bounds, parse_bounds
from batchfish.manifest.problems import Refused, suggest

ValueReader: TypeAlias = Callable[[object], Any]
"""Returns the value that is meant by what was written, or raises Refused."""
Table: TypeAlias = Mapping[str, "ValueReader | Table"]
"""The keys that a map may have, each with the reader of its value or the table of a nested map."""
MAX_DURATION = 366 * 86400.0
_WHOLE = 100
_USD = re.compile(r"(\d{1,9})(?:\.(\d{1,6}))?", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
DURATION = r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?(ms|s|m|h|d)"
SHARE = r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?(%?)"
"""The patterns of durations, and of shares, counts and tolerances, for Python and for JSON Schema."""
_DURATION, _SHARE = re.compile(DURATION), re.compile(SHARE)


class Fault(Struct, frozen=True, kw_only=True):
    """A problem within a value; `keys` is the path to it."""

    keys: Keys
    message: str
    remedy: str | None = None


def read_map(
    value: object, table: Table, keys: Keys, faults: list[Fault], hints: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return a map read by its table; add a fault for every key or value that is wrong.

    `hints` are remedies for some unknown keys.
    """
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
    """Return a text; raise Refused if it is blank or not a text."""
    if not isinstance(value, str):
        raise Refused(f"expected a text, got {name_kind(value)}", "Quote it.")
    if not value.strip():
        raise Refused("it is empty")
    return value


def read_boolean(value: object) -> bool:
    """Return true or false; raise Refused for anything else."""
    if not isinstance(value, bool):
        raise Refused(f"expected true or false, got {name_kind(value)}")
    return value


def one_of(*choices: str) -> ValueReader:
    """Return a reader that accepts one of these words."""

    def read(value: object) -> str:
        if isinstance(value, str) and value in choices:
            return value
        remedy = suggest(value, choices) if isinstance(value, str) else f"Known: {', '.join(choices)}."
        raise Refused(f"{quote(value)} is not one of {', '.join(choices)}", remedy)

    return read


def optional(reader: ValueReader) -> ValueReader:
    """Return a reader that also accepts `none` or null, for no limit."""
    return lambda value: None if value is None or value == "none" else reader(value)


def parse_duration(text: object) -> float:
    """Return the seconds of a duration such as `10m`; raise Refused if it is invalid or over 366 days."""
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
    """Return `20%` as a share and `20` as a count; raise Refused for anything else."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    found = _SHARE.fullmatch(text.strip()) if isinstance(text, str) else None
    remedy = "Write a share as 20%, a count as a whole number."
    if found is None:
        raise Refused(f"expected a share or a count, got {quote(value)}", remedy)
    number, is_percent = float(found[1]), found[2] == "%"
    if (is_percent and number > _WHOLE) or (not is_percent and not number.is_integer()):
        raise Refused(f"{quote(value)} is neither a share of at most 100% nor a whole number", remedy)
    return Share(value=number, is_percent=is_percent)


def parse_comparison(value: object) -> ColumnComparison:
    """Return how a property is compared: `ignore`, `key`, or the tolerance in `0.01` or `1%`.

    Raises Refused for anything else.
    """
    if isinstance(value, str) and value in {"ignore", "key"}:
        return ColumnComparison(use=value)
    if is_number(value) and value >= 0:
        return ColumnComparison(tolerance=float(value))
    found = _SHARE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise Refused(
            f"expected a tolerance, ignore or key, got {quote(value)}",
            "Write a number such as 0.01, a share of the earlier number such as 1%, ignore, or key.",
        )
    return ColumnComparison(tolerance=float(found[1]), is_percent=found[2] == "%")


def parse_count(value: object, *, least: int = 1, most: int = 1_000_000) -> int:
    """Return a whole number within these bounds; raise Refused for anything else."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise Refused(f"expected a whole number from {least:,} to {most:,}, got {quote(value)}")
    return value


def parse_usd(value: object, *, most: int) -> int:
    """Return an amount of US dollars in micro-dollars; raise Refused if it is 0, negative or above `most`."""
    text = format(Decimal(repr(value)), "f") if is_number(value) else ""
    found = _USD.fullmatch(text)
    amount = int(found[1]) * MICRO_DOLLARS + int((found[2] or "").ljust(6, "0")) if found else 0
    if not 0 < amount <= most * MICRO_DOLLARS:
        raise Refused(
            f"expected US dollars, more than 0 and at most {most:,}, got {quote(value)}",
            "Write 20 or 0.015, with up to 6 decimals.",
        )
    return amount


def parse_concurrency(value: object) -> Bounds:
    """Parse the number of runs alive at once: a count, `auto` or MIN-START-MAX; raises Refused."""
    is_count = isinstance(value, int) and not isinstance(value, bool)
    bounds = parse_bounds(str(value)) if is_count or isinstance(value, str) else None
    if bounds is None:
        raise Refused(
            f"expected a whole number from 1 to {MOST_ALIVE:,}, auto, or MIN-START-MAX, got {quote(value)}",
            "Write 20 for a fixed number, auto, or bounds such as 1-10-100.",
        )
    return bounds
