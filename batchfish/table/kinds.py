"""What a column's cells hold, decided from the parts of schemas that describe them."""

from __future__ import annotations

from enum import StrEnum
from functools import reduce
from typing import TYPE_CHECKING

from batchfish.errors import WrongInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Kind(StrEnum):
    """What the cells of one column hold; every cell may also be null."""

    STRING = "string"
    INT64 = "int64"
    FLOAT64 = "float64"
    BOOL = "bool"
    DATE = "date"
    DATETIME = "datetime"
    """An instant, to the microsecond, in UTC: what a page says."""
    INSTANT = "instant"
    """An instant, to the millisecond, in UTC: what the API or we say."""
    LIST = "list"
    """A JSON array, as its text."""
    OBJECT = "object"
    """A JSON object, as its text."""
    TEXT = "text"
    """Any JSON value: a string as itself, everything else as its JSON text."""


# What `output.columns` may ask for. A column asked to be a string takes what is none as its JSON text.
DECLARABLE = {
    "float64": Kind.FLOAT64,
    "int64": Kind.INT64,
    "string": Kind.TEXT,
    "bool": Kind.BOOL,
    "date": Kind.DATE,
    "datetime": Kind.DATETIME,
}


def kind_of(node: object) -> Kind:
    """Decide what a column holds whose values are what `node`, a part of a schema, describes."""
    match node:
        case {"anyOf": [*branches]} if branches:
            return reduce(_widened, map(kind_of, branches))
        case {"type": "number"}:
            return Kind.FLOAT64
        case {"type": "integer"}:
            return Kind.INT64
        case {"type": "boolean"}:
            return Kind.BOOL
        case {"type": "string", "format": "date"}:
            return Kind.DATE
        case {"type": "string", "format": "date-time"}:
            return Kind.DATETIME
        case {"type": "string"}:
            return Kind.STRING
        case {"type": "array"}:
            return Kind.LIST
        case {"type": "object"}:
            return Kind.OBJECT
        case _:
            return Kind.TEXT


def _widened(one: Kind, other: Kind) -> Kind:
    """Find the kind that holds the values of both."""
    if one is other:
        return one
    return Kind.FLOAT64 if {one, other} == {Kind.INT64, Kind.FLOAT64} else Kind.TEXT


def unify(records: Iterable[Mapping[str | None, Kind]]) -> dict[str | None, Kind]:
    """Make one set of properties of several, in the order they first appear."""
    unified: dict[str | None, Kind] = {}
    for record in records:
        for source, kind in record.items():
            unified[source] = _widened(unified.get(source, kind), kind)
    if None in unified and len(unified) > 1:  # some records are objects, others are not: the text of both
        unified[None] = Kind.TEXT
    return unified


def declared(name: str, dtype: str) -> Kind:
    """Read a type that `output.columns` gives."""
    if dtype not in DECLARABLE:
        types = ", ".join(sorted(DECLARABLE))
        raise WrongInput(f"output.columns.{name}: {dtype!r} is no type. Use one of {types}.")
    return DECLARABLE[dtype]
