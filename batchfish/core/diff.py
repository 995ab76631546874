"""The difference between two results: the records that were added or removed, and the cells that changed."""

from __future__ import annotations

import json
import math
from collections import defaultdict, deque
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from msgspec import Struct, field

from batchfish.core.rules import ColumnComparison

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Cell: TypeAlias = str | int | float | date | None
"""A value of a table: a text, a number, a boolean, a date, a time in UTC, or null."""


class Kind(StrEnum):
    """The kinds of changes of an item, a record or a cell."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


class ComparedColumn(Struct, frozen=True, kw_only=True):
    """A column of two results, and how it is compared; with `is_json` its texts are JSON."""

    name: str
    comparison: ColumnComparison = field(default_factory=ColumnComparison)
    is_json: bool = False


class Record(Struct, frozen=True):
    """A record of a result with its cells, in the order of the compared columns.

    `index` is its place in an exploded list, None for a whole result; `text` is its JSON text.
    """

    index: int | None
    text: str | None
    cells: Sequence[Cell]


class CellChange(NamedTuple):
    """A cell that changed; `difference` is by how much, if both values are numbers."""

    column: str
    before: Cell
    after: Cell
    difference: float | None = None


class RecordChange(Struct, frozen=True):
    """A record that was added or removed (`text` is its JSON text), or whose `cells` changed."""

    kind: Kind
    index: int | None
    text: str | None = None
    cells: Sequence[CellChange] = ()


def compare_results(
    before: Sequence[Record] | None, after: Sequence[Record] | None, columns: Sequence[ComparedColumn]
) -> Iterator[RecordChange]:
    """Yield what changed between the records of two results of one item; None: there is no result.

    Two whole results are compared with each other. The records of lists are paired by the columns whose use
    is `key`, and by their order where several have the same key or no column is one. Removed records come
    last.
    """
    if before is None or after is None:
        kind = Kind.ADDED if before is None else Kind.REMOVED
        for record in before or after or ():
            yield RecordChange(kind, record.index, record.text)
        return
    keys = [at for at, column in enumerate(columns) if column.comparison.use == "key"]
    unpaired: defaultdict[tuple[Cell, ...], deque[Record]] = defaultdict(deque)
    for record in _without_empty_list(before, after):
        unpaired[_key_of(record, keys)].append(record)
    for record in _without_empty_list(after, before):
        earlier = unpaired[_key_of(record, keys)]
        if not earlier:
            yield RecordChange(Kind.ADDED, record.index, record.text)
        elif cells := list(_changed_cells(earlier.popleft(), record, columns)):
            yield RecordChange(Kind.CHANGED, record.index, cells=cells)
    for left in unpaired.values():
        for record in left:
            yield RecordChange(Kind.REMOVED, record.index, record.text)


def compare_cells(column: ComparedColumn, before: Cell, after: Cell) -> CellChange | None:
    """Return the change of a cell; None if its values count as equal."""
    if column.comparison.use != "compare" or (before == after and type(before) is type(after)):
        return None
    earlier, later = (_as_number(value, is_json=column.is_json) for value in (before, after))
    if earlier is not None and later is not None:
        try:
            difference = later - earlier
            if abs(difference) <= _allowed(column.comparison, earlier):
                return None
        except ArithmeticError:  # exponents that no number of a page has
            return CellChange(column.name, before, after)
        return CellChange(column.name, before, after, _finite(difference))
    if column.is_json and isinstance(before, str) and isinstance(after, str) and _is_same_json(before, after):
        return None
    return CellChange(column.name, before, after)


def spell_cell(cell: Cell) -> str | None:
    """Return a cell as text: numbers as in JSON, dates and times as in ISO 8601; None for null."""
    match cell:
        case None | str():
            return cell
        case bool():
            return str(cell).lower()
        case datetime():
            return cell.isoformat().replace("+00:00", "Z")
        case date():
            return cell.isoformat()
        case _:
            return repr(cell).removesuffix(".0")


def _without_empty_list(records: Sequence[Record], others: Sequence[Record]) -> Iterator[Record]:
    """Yield the records, without the one that stands for an empty list if the other list has records."""
    are_listed = any(record.index is not None for record in (*records, *others))
    return (record for record in records if record.index is not None or not are_listed)


def _key_of(record: Record, keys: Sequence[int]) -> tuple[Cell, ...]:
    return tuple(record.cells[at] for at in keys)


def _changed_cells(before: Record, after: Record, columns: Sequence[ComparedColumn]) -> Iterator[CellChange]:
    for column, earlier, later in zip(columns, before.cells, after.cells, strict=True):
        change = compare_cells(column, earlier, later)
        if change is not None:
            yield change


def _as_number(value: Cell, *, is_json: bool) -> Decimal | None:
    """Return the number in a cell; floats count as the decimals that they are printed as."""
    if isinstance(value, bool) or value is None or isinstance(value, date):
        return None
    if isinstance(value, str) and not (is_json and value[:1] in "-0123456789"):
        return None
    try:
        number = Decimal(str(value))
    except ArithmeticError:
        return None
    return number if number.is_finite() else None


def _allowed(comparison: ColumnComparison, earlier: Decimal) -> Decimal:
    tolerance = Decimal(str(comparison.tolerance))
    return abs(earlier) * tolerance / 100 if comparison.is_percent else tolerance


def _finite(number: Decimal) -> float | None:
    return value if math.isfinite(value := float(number)) else None


def _is_same_json(one: str, other: str) -> bool:
    """Whether two JSON texts have the same value, whatever their spaces and the order of their members."""
    try:
        return _is_same(json.loads(one), json.loads(other))
    except (ValueError, RecursionError):
        return False


def _is_same(one: object, other: object) -> bool:
    match one, other:
        case Mapping(), Mapping():
            return one.keys() == other.keys() and all(_is_same(one[name], other[name]) for name in one)
        case list(), list():
            return len(one) == len(other) and all(map(_is_same, one, other))
        case _:
            return one == other and isinstance(one, bool) == isinstance(other, bool)
