"""Writing of table files, in bounded memory and atomically; this module imports polars."""

from __future__ import annotations

import csv
import ctypes
from array import array
from contextlib import suppress
from io import StringIO
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO, TypedDict, Unpack

import polars as pl
from msgspec import Struct
from polars.io.plugins import register_io_source

from batchfish.errors import StorageFailed
from batchfish.table.frames import frames_of, schema_of
from batchfish.table.target import (
    FileMark,
    check_target,
    make_parents,
    mark_of,
    reason_of,
    replacing,
    write_whole,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from batchfish.core.outcomes import Outcomes
    from batchfish.table.columns import ColumnPlan

# Polars keeps several row groups in memory; many small ones make a file large and slow to open.
_ROW_GROUP_BYTES = 16 * 2**20
_ROW_GROUP_ROWS = (50_000, 20_000, 5_000, 1_000, 200, 50, 10, 3, 1)
_MOST_ROW_GROUPS = 5_000
_ROWS_FOR_STATISTICS = 100
_READ_BYTES = 2**20
_NOT_STRUCTURE = bytes(byte for byte in range(256) if byte not in b'"\n')
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_CSV_TIME = "%Y-%m-%dT%H:%M:%S%.fZ"
# The characters that start a formula, in ASCII, full-width and small forms, after invisible ones.
_FORMULA = r"^[\s\p{Z}\p{C}]*[=+\-@\t\r\x{ff1d}\x{ff0b}\x{ff0d}\x{ff20}\x{fe66}\x{fe62}\x{fe63}\x{fe6b}]"
_NUMBER = r"^[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$"


class TableReport(Struct, frozen=True, kw_only=True):
    """The written file. Record `mark`, to recognise the file as our own later."""

    path: Path
    rows: int
    mark: FileMark


class WriteOptions(TypedDict, total=False):
    """The options of `write_frames`, by their names there."""

    sizes: Iterable[int]
    raw_csv: bool
    written: Collection[FileMark]
    may_replace: bool
    parents_under: Path | None
    record: Callable[[FileMark], None] | None


def write_table(
    target: Path,
    plan: ColumnPlan,
    chunks: Callable[[], Iterator[Outcomes]],
    **options: Unpack[WriteOptions],
) -> TableReport:
    """Write the outcomes of `chunks()` to `target` in their order, as `write_frames` does."""
    return write_frames(target, schema_of(plan), lambda: frames_of(plan, chunks()), **options)


def write_frames(  # noqa: PLR0913 - one function for all options of a table
    target: Path,
    schema: Mapping[str, pl.DataType],
    frames: Callable[[], Iterator[pl.DataFrame]],
    *,
    sizes: Iterable[int] = (),
    raw_csv: bool = False,
    written: Collection[FileMark] = (),
    may_replace: bool = False,
    parents_under: Path | None = None,
    record: Callable[[FileMark], None] | None = None,
) -> TableReport:
    """Write `frames()`, which have one schema, to `target`, in the format of its suffix.

    `sizes` are the bytes that each row is expected to have, in their order, and bound the row groups of a
    Parquet file. Without them the first rows are taken as typical.

    The file is written to a temporary file of mode 0600, read back, synced and renamed to the target.
    `record` is called before the rename, so that a file written before a crash is recognised. Raises what
    `check_target` raises, StorageFailed if the disk or polars fails, and any exception of `frames` unchanged.
    In each case the target stays as it was.

    For Parquet, polars iterates the frames on its own threads, one at a time but not always the same one: a
    SQLite connection that is read there needs `check_same_thread=False`.
    """
    check_target(target, written=written, may_replace=may_replace, parents_under=parents_under)
    _return_large_blocks()
    source = _Source(frames())
    try:
        make_parents(target, parents_under)
        with replacing(target) as (file, path):
            match target.suffix:
                case ".parquet":
                    _write_parquet(file, schema, source, sizes)
                case ".csv":
                    _write_csv(file, list(schema), source, is_raw=raw_csv)
                case _:
                    _write_jsonl(file, source)
            mark = mark_of(file)
            _check(path, target, schema, source.rows)
            if record is not None:
                record(mark)
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        if source.failure is not None:
            raise source.failure from None
        raise StorageFailed(f"{target} could not be written: {reason_of(error)}") from error
    return TableReport(path=target, rows=source.rows, mark=mark)


def escape_formulas(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a frame with `'` before each text that a spreadsheet would run as a formula, and NUL as ␀.

    Numbers do not change, nor does a text that is a number, such as -5. Many readers stop at a NUL. A
    spreadsheet that is told to split cells at another character than the comma is not protected.
    """
    texts = [column for column in frame.iter_columns() if column.dtype == pl.String]
    return frame.with_columns(
        column.to_frame().select(_escape(pl.col(column.name))).to_series()
        for column in texts
        if _needs_escape(column)
    )


def escape_names(names: list[str]) -> list[str]:
    """Return the names of columns, escaped in the same way."""
    return pl.select(_escape(pl.lit(pl.Series(names, dtype=pl.String)))).to_series().to_list()


def _return_large_blocks() -> None:
    """Make glibc return freed blocks of a megabyte to the system; other C libraries stay as they are.

    By itself it learns from the first large block to keep such blocks, in an arena for each of polars'
    threads: the copies of a cell of 20 MB then stay with the process (mallopt(3)).
    """
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(_M_MMAP_THRESHOLD, 2**20)
        libc.mallopt(_M_TRIM_THRESHOLD, 2**20)
        libc.mallopt(_M_ARENA_MAX, 1)


class _Source(Struct):
    """The frames of a table and their number of rows; `failure` is the exception that ended them early."""

    frames: Iterator[pl.DataFrame]
    rows: int = 0
    failure: BaseException | None = None

    def __iter__(self) -> Iterator[pl.DataFrame]:
        try:
            for frame in self.frames:
                self.rows += frame.height
                yield frame
                del frame  # it may be large, so it is freed before the next one is made
        except GeneratorExit:
            raise
        except BaseException as failure:
            self.failure = failure
            raise


def _write_parquet(
    file: BinaryIO, schema: Mapping[str, pl.DataType], source: _Source, sizes: Iterable[int]
) -> None:
    """Write frames in row groups of about _ROW_GROUP_BYTES."""
    frames = iter(source)
    first = next(frames, pl.DataFrame(schema=schema))
    fitting = int(_ROW_GROUP_BYTES * first.height / max(first.estimated_size(), 1))
    every = chain(iter([first]), frames)
    del first  # it may be large, so it is freed before the others are written

    def scan(*_: object) -> Iterator[pl.DataFrame]:
        return every

    rows = max(1, min(fitting, _row_group_rows(sizes)))
    register_io_source(scan, schema=dict(schema), validate_schema=True).sink_parquet(
        file,
        row_group_size=rows,
        statistics=rows >= _ROWS_FOR_STATISTICS,  # for a few large rows they are useless and need copies
        maintain_order=True,
    )


def _row_group_rows(sizes: Iterable[int]) -> int:
    """Return the largest number of rows that stay within the limit anywhere in the table.

    A single row above the limit does not make groups smaller. A table of very many rows keeps to
    _MOST_ROW_GROUPS groups even if that takes more memory.
    """
    each = array("q", sizes)
    limit = max(_ROW_GROUP_BYTES, max(each, default=0))
    fewest = len(each) // _MOST_ROW_GROUPS
    for rows in _ROW_GROUP_ROWS:
        heaviest = max((sum(each[at : at + rows]) for at in range(0, len(each), rows)), default=0)
        if heaviest <= limit:
            return max(rows, fewest)
    return max(1, fewest)


def _write_csv(file: BinaryIO, names: list[str], source: _Source, *, is_raw: bool) -> None:
    """Write frames one by one: polars' own CSV sink keeps 100,000 rows in memory, whatever their size.

    Every text is quoted, so that a CR in it does not end the line.
    """
    header = StringIO()
    csv.writer(header, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(
        names if is_raw else escape_names(names)
    )
    write_whole(file, header.getvalue().encode())
    for frame in source:
        cells = frame if is_raw else escape_formulas(frame)
        cells.write_csv(file, include_header=False, quote_style="non_numeric", datetime_format=_CSV_TIME)
        del frame, cells


def _write_jsonl(file: BinaryIO, source: _Source) -> None:
    """Write frames one by one, for the same reason."""
    for frame in source:
        frame.write_ndjson(file)
        del frame


def _count_lines(path: Path, *, are_texts_quoted: bool) -> int:
    """Return the number of lines in a file; line breaks between quotes do not count."""
    found, is_inside = 0, False
    with path.open("rb") as file:
        while block := file.read(_READ_BYTES):
            if are_texts_quoted:
                # Two quotes in a row change nothing about what follows; few are left without them.
                parts = block.translate(None, _NOT_STRUCTURE).replace(b'""', b"").split(b'"')
                found += sum(part.count(b"\n") for part in parts[is_inside::2])
                is_inside ^= not len(parts) % 2
            else:
                found += block.count(b"\n")
    return found


def _check(path: Path, target: Path, schema: Mapping[str, pl.DataType], rows: int) -> None:
    """Read the file back; raise StorageFailed if it lacks columns or rows."""
    match target.suffix:
        case ".parquet":
            table = pl.scan_parquet(path, glob=False, hive_partitioning=False)
            is_same = table.collect_schema() == schema
            found = table.select(pl.len()).collect().item()
        case ".csv":
            with path.open(encoding="utf-8", newline="") as file:
                is_same = len(next(csv.reader(file), ())) == len(schema)
            found = _count_lines(path, are_texts_quoted=True) - 1
        case _:
            is_same = True
            found = _count_lines(path, are_texts_quoted=False)
    if not is_same or found != rows:
        raise StorageFailed(
            f"{target}: the file was not written whole: it has {found} of {rows} rows",
            remedy="Is the disk failing?",
        )


def _needs_escape(column: pl.Series) -> bool:
    """Whether any text of a column must be changed: mostly none, and a copy may be large."""
    return bool((column.str.contains("\0", literal=True) | column.str.contains(_FORMULA)).any())


def _escape(text: pl.Expr) -> pl.Expr:
    text = text.str.replace_all("\0", "␀", literal=True)
    is_formula = text.str.contains(_FORMULA) & ~text.str.contains(_NUMBER)
    return pl.when(~is_formula).then(text).otherwise("'" + text)
