"""Polars frames of bounded size, made of outcomes; this module imports polars, so import it late."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import polars as pl

from batchfish.table.cells import Record, RecordReader
from batchfish.table.changes import ChangeRow, columns_of_changes
from batchfish.table.columns import RECORD_INDEX, TRAILING, ColumnPlan, Kind, input_column, leading_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from batchfish.core.outcomes import Outcome

# Frames that fit the processor's cache are written faster than larger ones.
FRAME_ROWS = 1_000
FRAME_BYTES = 16 * 2**20

_DTYPES: dict[Kind, pl.DataType] = {
    Kind.STRING: pl.String(),
    Kind.INT64: pl.Int64(),
    Kind.FLOAT64: pl.Float64(),
    Kind.BOOL: pl.Boolean(),
    Kind.DATE: pl.Date(),
    Kind.DATETIME: pl.Datetime("us", "UTC"),
    Kind.INSTANT: pl.Datetime("ms", "UTC"),
    Kind.LIST: pl.String(),
    Kind.OBJECT: pl.String(),
    Kind.TEXT: pl.String(),
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# The times that a year of four digits can express: a server's clock may be wrong.
_FIRST_INSTANT = datetime(1, 1, 1, tzinfo=UTC).timestamp()
_LAST_INSTANT = datetime(9999, 12, 31, tzinfo=UTC).timestamp()


def schema_of(plan: ColumnPlan) -> dict[str, pl.DataType]:
    """Return the polars schema of the table."""
    return _dtypes(plan.columns)


def schema_of_changes(*, is_exploded: bool) -> dict[str, pl.DataType]:
    """Return the polars schema of a table of changes."""
    return _dtypes(columns_of_changes(is_exploded=is_exploded))


def frames_of_changes(rows: Iterable[ChangeRow], *, is_exploded: bool) -> Iterator[pl.DataFrame]:
    """Yield a table of changes as frames of at most FRAME_ROWS rows and about FRAME_BYTES of values."""
    columns = columns_of_changes(is_exploded=is_exploded)

    def frame() -> pl.DataFrame:
        return pl.DataFrame(
            [_series(name, kind, [getattr(row, name) for row in taken]) for name, kind in columns.items()]
        )

    taken: list[ChangeRow] = []
    size = 0
    for row in rows:
        taken.append(row.as_texts())
        size += sum(len(text) for text in (taken[-1].before, taken[-1].after) if isinstance(text, str))
        if len(taken) == FRAME_ROWS or size >= FRAME_BYTES:
            yield frame()
            taken.clear()
            size = 0
    if taken:
        yield frame()


def frames_of(plan: ColumnPlan, chunks: Iterable[Sequence[Outcome]]) -> Iterator[pl.DataFrame]:
    """Yield the table as frames of at most FRAME_ROWS rows and about FRAME_BYTES of results."""
    records: list[Record] = []
    size = 0
    for record in _records_of(plan, chunks):
        records.append(record)
        size += len(record.text or "")
        del record
        if len(records) == FRAME_ROWS or size >= FRAME_BYTES:
            yield _frame_and_clear(plan, records)
            size = 0
    if records:
        yield _frame_and_clear(plan, records)


def _dtypes(columns: Mapping[str, Kind]) -> dict[str, pl.DataType]:
    return {name: _DTYPES[kind] for name, kind in columns.items()}


def _records_of(plan: ColumnPlan, chunks: Iterable[Sequence[Outcome]]) -> Iterator[Record]:
    """Yield the records of all outcomes."""
    reader = RecordReader(plan)
    for chunk in chunks:
        for row in chunk:
            yield from reader.read(row)
            del row
        del chunk


def _frame_and_clear(plan: ColumnPlan, records: list[Record]) -> pl.DataFrame:
    """Return the frame of the records and clear them, so that their text is not kept while it is written."""
    frame = _frame(plan, records)
    records.clear()
    return frame


def _frame(plan: ColumnPlan, records: Sequence[Record]) -> pl.DataFrame:
    """Return the frame of the records."""
    rows = [record.outcome for record in records]
    indexes = [record.index for record in records]
    cells = zip(*(record.cells for record in records), strict=True)
    return pl.DataFrame(
        [
            *(
                _series(name, kind, indexes) if name == RECORD_INDEX[0] else _fixed(name, kind, rows)
                for name, kind in leading_columns(is_exploded=plan.explode is not None)
            ),
            *(_series(column.name, column.kind, next(cells)) for column in plan.results),
            _series("result", Kind.STRING, [record.text for record in records]),
            _series("result_error", Kind.STRING, [record.error for record in records]),
            *(
                _series(input_column(name), Kind.STRING, [row.inputs.get(name) for row in rows])
                for name in plan.inputs
            ),
            *(_fixed(name, kind, rows) for name, kind in TRAILING),
        ]
    )


def _fixed(name: str, kind: Kind, rows: Sequence[Outcome]) -> pl.Series:
    """Return a column that does not depend on the results."""
    match name:
        case "queue_s":
            return _elapsed(name, rows, "submitted_at", "started_at")
        case "run_s":
            return _elapsed(name, rows, "started_at", "finished_at")
        case _:
            return _series(name, kind, list(map(attrgetter(name), rows)))


def _elapsed(name: str, rows: Sequence[Outcome], start: str, end: str) -> pl.Series:
    """Return a column of the seconds between two times, to the millisecond."""
    starts = _seconds(name, list(map(attrgetter(start), rows)))
    return (_seconds(name, list(map(attrgetter(end), rows))) - starts).round(3)


def _seconds(name: str, values: Sequence[float | None]) -> pl.Series:
    """Return a column of epoch seconds, with null for times outside the years 1 to 9999."""
    seconds = pl.Series(name, values, dtype=pl.Float64)
    return seconds.set(~seconds.is_between(_FIRST_INSTANT, _LAST_INSTANT), None)


def _series(name: str, kind: Kind, values: Sequence[Any]) -> pl.Series:
    """Return one column; an integer of more than 64 bits becomes null."""
    match kind:
        case Kind.INSTANT:
            return (_seconds(name, values) * 1000).round().cast(pl.Int64).cast(_DTYPES[kind])
        case Kind.DATETIME:
            micros = [None if value is None else (value - _EPOCH) // _MICROSECOND for value in values]
            return pl.Series(name, micros, dtype=pl.Int64).cast(_DTYPES[kind])
        case Kind.INT64 | Kind.FLOAT64 | Kind.BOOL | Kind.DATE:
            return pl.Series(name, values, dtype=_DTYPES[kind], strict=False)
        case _:
            try:
                return pl.Series(name, values, dtype=pl.String)
            except UnicodeEncodeError:
                return pl.Series(name, list(map(_spelled, values)), dtype=pl.String)


def _spelled(value: str | None) -> str | None:
    r"""Return a text with lone surrogates, which UTF-8 cannot hold, spelled `\udXXX`."""
    return None if value is None else value.encode("utf-8", "backslashreplace").decode()
