"""One JSON value becomes one typed cell, or the reason why it does not fit: it is never changed to fit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TypeAlias

from batchfish.table.jsontext import string_of
from batchfish.table.kinds import Kind

Cell: TypeAlias = str | int | float | date | None

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
EXACT_IN_FLOAT64 = 2**53
"""Every integer up to here is a Float64; of those beyond, some are."""

_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?P<decimals>\.\d+)?(?P<exponent>[eE][+-]?\d+)?", re.ASCII)
_LONGEST_NUMBER = 400  # digits of the largest Float64, and some more
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DATETIME = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:\.(?P<fraction>\d+))?)?(?P<zone>[Zz]|[+-]\d\d:\d\d)?", re.ASCII
)
_LONGEST_SHOWN = 60
_NOUNS = {
    Kind.STRING: "a string",
    Kind.INT64: "an integer",
    Kind.FLOAT64: "a number",
    Kind.BOOL: "true or false",
    Kind.DATE: "a date like 2026-01-31",
    Kind.DATETIME: "a time like 2026-01-31T12:00:00Z",
    Kind.LIST: "a list",
    Kind.OBJECT: "an object",
}


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why a value is not in its cell, in words that follow the value."""

    why: str


def read_cell(kind: Kind, text: str) -> Cell | Misfit:
    """Read the JSON text of one value as what its column holds; null fits every column."""
    if text == "null":
        return None
    match kind:
        case Kind.INT64:
            return _integer(text)
        case Kind.FLOAT64:
            return _number(text)
        case Kind.BOOL:
            return text == "true" if text in {"true", "false"} else not_a(kind)
        case Kind.LIST | Kind.OBJECT:
            return text if text[0] == ("[" if kind is Kind.LIST else "{") else not_a(kind)
        case Kind.TEXT if text[0] != '"':
            return text
        case _:
            value = string_of(text)
            return not_a(kind) if value is None else read_string(kind, value)


def read_string(kind: Kind, value: str) -> Cell | Misfit:
    """Read the value of a JSON string as a STRING, TEXT, DATE or DATETIME."""
    match kind:
        case Kind.DATE:
            return _date(value)
        case Kind.DATETIME:
            return _datetime(value)
        case _:
            return value if _is_unicode(value) else Misfit("holds half a surrogate pair, which is no text")


def not_a(kind: Kind) -> Misfit:
    """Say that a value is not what its column holds."""
    return Misfit(f"is not {_NOUNS[kind]}")


def shown(text: str) -> str:
    """Shorten a value for a message."""
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"


def _integer(text: str) -> int | Misfit:
    """Read an integer, also one spelled 12.0 or 1e3."""
    number = _NUMBER.fullmatch(text)
    if number is None:
        return not_a(Kind.INT64)
    if len(text) > _LONGEST_NUMBER:
        return Misfit("does not fit into 64 bits")
    try:
        value = Decimal(text)
        is_inside = INT64_MIN <= value <= INT64_MAX
    except ArithmeticError:  # an exponent past Decimal's own
        return not_a(Kind.INT64)
    if not is_inside:
        return Misfit("does not fit into 64 bits")
    return int(value) if value == int(value) else not_a(Kind.INT64)


def _number(text: str) -> float | Misfit:
    """Read a number: a decimal as the nearest Float64, as everywhere; an integer with every digit."""
    number = _NUMBER.fullmatch(text)
    if number is None:
        return not_a(Kind.FLOAT64)
    value = float(text)
    if value in {float("inf"), float("-inf")}:
        return Misfit("is too large for a Float64")
    is_integer = number["decimals"] is None and number["exponent"] is None
    if is_integer and (len(text) > _LONGEST_NUMBER or int(text) != int(value)):
        return Misfit("has more digits than a Float64 keeps")
    return value


def _date(value: str) -> date | Misfit:
    """Read a full date."""
    if _DATE.fullmatch(value) is None:
        return not_a(Kind.DATE)
    try:
        return date.fromisoformat(value)
    except ValueError:
        return not_a(Kind.DATE)


def _datetime(value: str) -> datetime | Misfit:
    """Read an instant; without a time zone it is none, and none is guessed."""
    parts = _DATETIME.fullmatch(value)
    if parts is None:
        return not_a(Kind.DATETIME)
    if parts["zone"] is None:
        return Misfit("names no time zone")
    if len((parts["fraction"] or "").rstrip("0")) > len("micros"):
        return Misfit("is finer than a microsecond")
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return not_a(Kind.DATETIME)


def _is_unicode(value: str) -> bool:
    """Tell whether a string can be stored as UTF-8."""
    return value.isascii() or not any("\ud800" <= char <= "\udfff" for char in value)
