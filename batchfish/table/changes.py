"""The rows of a table of changes: what changed between the last good results of items."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from batchfish.core.diff import Cell, ComparedColumn, Kind, Record, RecordChange, compare_results, spell_cell
from batchfish.core.json_text import split_object
from batchfish.core.rules import ColumnComparison
from batchfish.table import cells, columns
from batchfish.table.cells import Misfit, RecordReader, read_cell
from batchfish.table.columns import RECORD_INDEX, ColumnPlan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from batchfish.core.outcomes import ResultPair

_JSON = frozenset({columns.Kind.LIST, columns.Kind.OBJECT, columns.Kind.TEXT})
_COLUMNS = {
    "item_id": columns.Kind.STRING,
    "record_index": columns.Kind.INT64,
    "url": columns.Kind.STRING,
    "change": columns.Kind.STRING,
    "column": columns.Kind.STRING,
    "before": columns.Kind.STRING,
    "after": columns.Kind.STRING,
    "difference": columns.Kind.FLOAT64,
    "before_batch": columns.Kind.STRING,
    "after_batch": columns.Kind.STRING,
}


class ChangeRow(NamedTuple):
    """One row: an item or record that was added or removed, or a cell that changed.

    `column` is None for items and records, of which `before` or `after` is the JSON text. `before_batch` and
    `after_batch` are the batches that the two results come from.
    """

    item_id: str
    record_index: int | None
    url: str
    change: Kind
    column: str | None
    before: Cell
    after: Cell
    difference: float | None
    before_batch: str | None
    after_batch: str | None

    def as_texts(self) -> ChangeRow:
        """Return the row with its two values as text, as the table has them."""
        return self._replace(before=spell_cell(self.before), after=spell_cell(self.after))


def columns_of_changes(*, is_exploded: bool) -> dict[str, columns.Kind]:
    """Return the columns of the table and their types; only an exploded one has record_index."""
    return {name: kind for name, kind in _COLUMNS.items() if is_exploded or name != RECORD_INDEX[0]}


class ChangeReader:
    """Compares the results of items by the columns of their table.

    Without a schema, the columns are the members of the two results.
    """

    def __init__(self, plan: ColumnPlan, comparisons: Mapping[str, ColumnComparison]) -> None:
        """Compare by the result columns of the plan; `comparisons` are by the names of their properties."""
        self._comparisons = comparisons
        self._reader = RecordReader(plan)
        self._columns = plan.results
        self._is_exploded = plan.explode is not None
        self._label = plan.explode[-1] if plan.explode else "result"
        self._compared = [
            self._compare(column.source or self._label, column.name, is_json=column.kind in _JSON)
            for column in plan.results
        ]

    def read(self, pair: ResultPair) -> Sequence[ChangeRow]:
        """Return the rows of one item; none if its results count as equal."""
        either = pair.after or pair.before
        if either is None:
            return ()
        before, after = (None if one is None else self._reader.read(one.result) for one in pair)
        names = () if self._columns else self._members_of([*(before or ()), *(after or ())])
        compared = self._compared or [self._compare(name, name, is_json=True) for name in names]
        changes = compare_results(
            None if before is None else [self._comparable(record, names) for record in before],
            None if after is None else [self._comparable(record, names) for record in after],
            compared,
        )
        before_batch, after_batch = (None if one is None else one.batch for one in pair)
        return [
            ChangeRow(
                item_id=either.item_id,
                record_index=record.index,
                url=either.url,
                change=record.kind,
                column=column,
                before=earlier,
                after=later,
                difference=difference,
                before_batch=before_batch,
                after_batch=after_batch,
            )
            for record in changes
            for column, earlier, later, difference in _cells_of(record)
        ]

    def _compare(self, source: str, name: str, *, is_json: bool) -> ComparedColumn:
        comparison = self._comparisons.get(source, ColumnComparison())
        return ComparedColumn(name=name, comparison=comparison, is_json=is_json)

    def _members_of(self, records: Iterable[cells.Record]) -> Sequence[str]:
        """Return the names of all members of some records, in the order in which they first appear."""
        return list(dict.fromkeys(name for record in records for name in self._split(record)))

    def _comparable(self, record: cells.Record, names: Sequence[str]) -> Record:
        """Return a record with the cells to compare: those of its columns, or of the members `names`.

        A value that does not fit its column is compared as JSON text.
        """
        if not self._columns:
            found = self._split(record)
            values = [_read_text(found.get(name, "null")) for name in names]
        elif record.error is None:
            values = list(record.cells)
        else:
            found = self._split(record)
            values = [
                _read_text(found.get(column.source or self._label, "null")) if cell is None else cell
                for column, cell in zip(self._columns, record.cells, strict=True)
            ]
        return Record(record.index, record.text, values)

    def _split(self, record: cells.Record) -> Mapping[str, str]:
        """Return the members of a record as JSON text; a value without members is one by itself."""
        if record.text is None or (self._is_exploded and record.index is None):
            return {}
        members = split_object(record.text)
        return {self._label: record.text} if members is None else members


def _read_text(text: str) -> Cell:
    cell = read_cell(columns.Kind.TEXT, text)
    return text if isinstance(cell, Misfit) else cell


def _cells_of(record: RecordChange) -> Iterator[tuple[str | None, Cell, Cell, float | None]]:
    """Yield column, values and difference of each row that a changed record takes."""
    match record.kind:
        case Kind.ADDED:
            yield None, None, record.text, None
        case Kind.REMOVED:
            yield None, record.text, None, None
        case _:
            yield from record.cells
