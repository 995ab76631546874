"""Polars frames of bounded size, made of outcomes; this module imports polars, so import it late."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import polars as pl

from batchfish.table.cells import Record, RecordColumns, RecordReader, columns_from
from batchfish.table.changes import ChangeRow, columns_of_changes
from batchfish.table.columns import LEADING, TRAILING, ColumnPlan, Kind, input_column

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from batchfish.core.outcomes import Outcomes

# Frames that fit the processor's cache are written faster than larger ones.
FRAME_ROWS = 4_000
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
T = TypeVar("T")
_TIMES = ("submitted_at", "started_at", "finished_at")
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


def frames_of(plan: ColumnPlan, chunks: Iterable[Outcomes]) -> Iterator[pl.DataFrame]:
    """Yield the table as frames: one for each chunk, unless its results have a list to explode.

    Their records are in frames of at most FRAME_ROWS rows and FRAME_BYTES; a larger one is a frame by itself.
    """
    reader = RecordReader(plan)
    if plan.explode is not None:
        return _frames_of_exploded(plan, reader, chunks)
    return map(partial(_frame_of_each, plan, reader), chunks)  # no chunk is kept while its frame is written


def _dtypes(columns: Mapping[str, Kind]) -> dict[str, pl.DataType]:
    return {name: _DTYPES[kind] for name, kind in columns.items()}


def _frame_of_items(plan: ColumnPlan, outcomes: Outcomes) -> pl.DataFrame:
    """Return the columns that do not depend on the results, with a row for each item."""
    times = {name: _seconds(name, getattr(outcomes, name)) for name in _TIMES}
    columns = [
        *map(_instants, times.values()),
        (times["started_at"] - times["submitted_at"]).round(3).alias("queue_s"),
        (times["finished_at"] - times["started_at"]).round(3).alias("run_s"),
        *(
            _series(input_column(name), Kind.STRING, [values.get(name) for values in outcomes.inputs])
            for name in plan.inputs
        ),
    ]
    known = {column.name for column in columns}
    columns.extend(
        _series(name, kind, getattr(outcomes, name))
        for name, kind in (*LEADING, *TRAILING)
        if name not in known
    )
    return pl.DataFrame([_whole_series(column, outcomes.count) for column in columns])


def _frame_of_each(plan: ColumnPlan, reader: RecordReader, outcomes: Outcomes) -> pl.DataFrame:
    """Return the frame of a chunk whose results have a record each."""
    records = reader.read_each(_whole(outcomes.results, outcomes.count))
    return _frame(plan, _frame_of_items(plan, outcomes), records)


def _frames_of_exploded(
    plan: ColumnPlan, reader: RecordReader, chunks: Iterable[Outcomes]
) -> Iterator[pl.DataFrame]:
    """Yield the frames of chunks whose results have a list to explode."""
    for outcomes in chunks:
        items = _frame_of_items(plan, outcomes)
        results = iter(_whole(outcomes.results, outcomes.count))
        del outcomes  # its results are not kept while the last frame is written
        records: list[Record] = []
        places: list[int] = []
        size = 0
        for place, result in enumerate(results):
            for record in reader.read(result):
                if len(records) == FRAME_ROWS or size >= FRAME_BYTES:
                    yield _frame_and_clear(plan, items, records, places)
                    size = 0
                records.append(record)
                places.append(place)
                if record.text is not None:
                    size += len(record.text)
                del record
            del result
        yield _frame_and_clear(plan, items, records, places)
        del items


def _frame_and_clear(
    plan: ColumnPlan, items: pl.DataFrame, records: list[Record], places: list[int]
) -> pl.DataFrame:
    """Return the frame of the records, and clear them, so that their text is not kept while it is written.

    `places` are the rows of their items.
    """
    frame = _frame(plan, items[places], columns_from(records))
    records.clear()
    places.clear()
    return frame


def _frame(plan: ColumnPlan, items: pl.DataFrame, records: RecordColumns) -> pl.DataFrame:
    """Return the frame of some records, beside each the columns of its item."""
    columns = {column.name: column for column in items.iter_columns()}
    for column, cells in zip(plan.results, records.cells, strict=True):
        columns[column.name] = _series(column.name, column.kind, cells)
    columns["result"] = _series("result", Kind.STRING, records.texts)
    columns["result_error"] = _series("result_error", Kind.STRING, records.errors)
    columns["record_index"] = _series("record_index", Kind.INT64, records.indexes)
    return pl.DataFrame([columns[name] for name in plan.columns])


def _whole(values: Sequence[T], count: int) -> Sequence[T]:
    """Return `count` values: those of a column, or its single value so many times."""
    return values if len(values) == count else [values[0]] * count


def _whole_series(column: pl.Series, count: int) -> pl.Series:
    """Return a column of `count` values in the same way."""
    return column if len(column) == count else column.new_from_index(0, count)


def _seconds(name: str, values: Sequence[float | None]) -> pl.Series:
    """Return a column of epoch seconds, with null for times outside the years 1 to 9999."""
    seconds = pl.Series(name, values, dtype=pl.Float64)
    return seconds.set(~seconds.is_between(_FIRST_INSTANT, _LAST_INSTANT), None)


def _instants(seconds: pl.Series) -> pl.Series:
    """Return the times of a column of epoch seconds."""
    return (seconds * 1000).round().cast(pl.Int64).cast(_DTYPES[Kind.INSTANT])


def _series(name: str, kind: Kind, values: Sequence[Any]) -> pl.Series:
    """Return one column; an integer of more than 64 bits becomes null."""
    match kind:
        case Kind.INSTANT:
            return _instants(_seconds(name, values))
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
