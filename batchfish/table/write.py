"""A table file is written in constant memory, whole or not at all; this module imports polars."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, BinaryIO

import polars as pl
from polars.io.plugins import register_io_source

from batchfish.errors import StorageFailed
from batchfish.table.frames import frames_of, schema_of
from batchfish.table.spreadsheet import made_safe, safe_names
from batchfish.table.target import FileMark, check_target, make_parents, mark_of, reason_of, replacing

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    from batchfish.table.columns import ColumnPlan
    from batchfish.table.rows import TableRow

# A row group is what polars holds several of in memory; many small ones make a file large and slow to open.
_ROW_GROUP_BYTES = 16 * 2**20
_ROW_GROUP_ROWS = range(100, 50_000)
_READ_BYTES = 2**20
_CSV_TIME = "%Y-%m-%dT%H:%M:%S%.fZ"


@dataclass(frozen=True, kw_only=True, slots=True)
class TableReport:
    """What was written: `mark` is what to record, to know the file again as one's own."""

    path: Path
    rows: int
    mark: FileMark


def write_table(
    target: Path,
    plan: ColumnPlan,
    chunks: Callable[[], Iterator[Sequence[TableRow]]],
    *,
    raw_csv: bool = False,
    written: Collection[FileMark] = (),
    may_replace: bool = False,
    parents_under: Path | None = None,
    record: Callable[[FileMark], None] | None = None,
) -> TableReport:
    """Write the rows that `chunks()` yields to `target`, in their order, as its suffix says.

    The file is written beside the target, read back, synced and put in its place, readable by its owner
    alone. `record` is called before it is put there, so that a crash in between leaves no file that nobody
    knows. What may be replaced is `check_target`'s to say, and this raises what that raises; StorageFailed,
    too, where disk or polars fail. An exception of `chunks` comes out as it is. After any of them, what stood
    there still stands.

    For Parquet polars iterates `chunks()` on threads of its own, one at a time but not always the same one: a
    SQLite connection it reads from wants `check_same_thread=False`.
    """
    check_target(target, written=written, may_replace=may_replace, parents_under=parents_under)
    source = _Source(frames_of(plan, chunks()))
    try:
        make_parents(target, parents_under)
        with replacing(target) as (file, path):
            match target.suffix:
                case ".parquet":
                    _write_parquet(file, plan, source)
                case ".csv":
                    _write_csv(file, plan, source, is_raw=raw_csv)
                case _:
                    _write_jsonl(file, source)
            mark = mark_of(file)
            _check(path, target, plan, source.rows)
            if record is not None:
                record(mark)
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        if source.failure is not None:
            raise source.failure from None
        raise StorageFailed(f"{target} could not be written: {reason_of(error)}") from error
    return TableReport(path=target, rows=source.rows, mark=mark)


@dataclass(slots=True)
class _Source:
    """The frames on their way into a file, counted; `failure` is what ended them early."""

    frames: Iterator[pl.DataFrame]
    rows: int = 0
    failure: BaseException | None = None

    def __iter__(self) -> Iterator[pl.DataFrame]:
        try:
            for frame in self.frames:
                self.rows += frame.height
                yield frame
        except GeneratorExit:
            raise
        except BaseException as failure:
            self.failure = failure
            raise


def _write_parquet(file: BinaryIO, plan: ColumnPlan, source: _Source) -> None:
    """Stream frames into row groups of about _ROW_GROUP_BYTES, judged by the first frame."""
    frames = iter(source)
    first = next(frames, pl.DataFrame(schema=schema_of(plan)))
    fitting = int(_ROW_GROUP_BYTES * first.height / max(first.estimated_size(), 1))

    def scan(*_: object) -> Iterator[pl.DataFrame]:
        yield first
        yield from frames

    register_io_source(scan, schema=schema_of(plan), validate_schema=True).sink_parquet(
        file,
        row_group_size=min(max(fitting, _ROW_GROUP_ROWS.start), _ROW_GROUP_ROWS.stop),
        maintain_order=True,
    )


def _write_csv(file: BinaryIO, plan: ColumnPlan, source: _Source, *, is_raw: bool) -> None:
    """Append frame after frame: polars' own CSV sink keeps 100,000 rows in memory, of any size.

    Every text is quoted, so that a lone CR in one ends no line.
    """
    names = list(plan.columns)
    header = StringIO()
    csv.writer(header, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(
        names if is_raw else safe_names(names)
    )
    file.write(header.getvalue().encode())
    for frame in source:
        cells = frame if is_raw else made_safe(frame)
        cells.write_csv(file, include_header=False, quote_style="non_numeric", datetime_format=_CSV_TIME)


def _write_jsonl(file: BinaryIO, source: _Source) -> None:
    """Append frame after frame, for the same reason."""
    for frame in source:
        frame.write_ndjson(file)


def _check(path: Path, target: Path, plan: ColumnPlan, rows: int) -> None:
    """Read back what polars made of it: the same columns, and as many rows as went in."""
    match target.suffix:
        case ".parquet":
            table = pl.scan_parquet(path, glob=False, hive_partitioning=False)
            is_same = table.collect_schema() == schema_of(plan)
            found = table.select(pl.len()).collect().item()
        case ".csv":
            table = pl.scan_csv(path, glob=False, infer_schema=False)
            is_same = len(table.collect_schema()) == len(plan.columns)
            found = table.select(pl.len()).collect().item()
        case _:
            is_same = True
            with path.open("rb") as file:
                found = sum(block.count(b"\n") for block in iter(lambda: file.read(_READ_BYTES), b""))
    if not is_same or found != rows:
        raise StorageFailed(f"{target}: what was read back is not what was written: {found} rows of {rows}")
