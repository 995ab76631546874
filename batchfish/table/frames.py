"""Polars frames of bounded size, made of outcomes; this module imports polars, so import it late."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import polars as pl

from batchfish.table.cells import Record, RecordReader
from batchfish.table.changes import ChangeRow, columns_of_changes
from batchfish.table.columns import TRAILING, ColumnPlan, Kind, input_column, leading_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from batchfish.core.outcomes import Outcome

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


def frames_of(plan: ColumnPlan, chunks: Iterable[Sequence[Outcome]]) -> Iterator[pl.DataFrame]:
    """Yield the table as frames of at most FRAME_ROWS rows and about FRAME_BYTES of results."""
    read = RecordReader(plan).read
    records: list[Record] = []
    size = 0
    for chunk in chunks:
        for outcome in chunk:
            for record in read(outcome):
                records.append(record)
                if record.text is not None:
                    size += len(record.text)
                del record
                if len(records) == FRAME_ROWS or size >= FRAME_BYTES:
                    yield _frame_and_clear(plan, records)
                    size = 0
            del outcome
        del chunk
    if records:
        yield _frame_and_clear(plan, records)


def _dtypes(columns: Mapping[str, Kind]) -> dict[str, pl.DataType]:
    return {name: _DTYPES[kind] for name, kind in columns.items()}


def _frame_and_clear(plan: ColumnPlan, records: list[Record]) -> pl.DataFrame:
    """Return the frame of the records and clear them, so that their text is not kept while it is written."""
    frame = _frame(plan, records)
    records.clear()
    return frame


def _frame(plan: ColumnPlan, records: Sequence[Record]) -> pl.DataFrame:
    """Return the frame of the records."""
    rows = [record.outcome for record in records]
    times = {name: _seconds(name, [getattr(row, name) for row in rows]) for name in _TIMES}
    cells = zip(*[record.cells for record in records], strict=True)

    def fixed(columns: Iterable[tuple[str, Kind]]) -> Iterator[pl.Series]:
        """Yield columns that do not depend on the results."""
        for name, kind in columns:
            match name:
                case "record_index":
                    yield _series(name, kind, [record.index for record in records])
                case "queue_s":
                    yield (times["started_at"] - times["submitted_at"]).round(3).alias(name)
                case "run_s":
                    yield (times["finished_at"] - times["started_at"]).round(3).alias(name)
                case _ if name in times:
                    yield _instants(times[name])
                case _:
                    yield _series(name, kind, list(map(attrgetter(name), rows)))

    return pl.DataFrame(
        [
            *fixed(leading_columns(is_exploded=plan.explode is not None)),
            *(_series(column.name, column.kind, next(cells)) for column in plan.results),
            _series("result", Kind.STRING, [record.text for record in records]),
            _series("result_error", Kind.STRING, [record.error for record in records]),
            *(
                _series(input_column(name), Kind.STRING, [row.inputs.get(name) for row in rows])
                for name in plan.inputs
            ),
            *fixed(TRAILING),
        ]
    )


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
