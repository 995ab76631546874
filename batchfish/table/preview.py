"""The first rows of a table file as plain text that is safe to print."""

from __future__ import annotations

import json
import unicodedata
from itertools import islice
from typing import TYPE_CHECKING, Any

from batchfish.core.rules import TABLE_SUFFIXES
from batchfish.errors import StorageFailed, WrongInput
from batchfish.table.columns import LEADING, RAW, RECORD_INDEX, TRAILING
from batchfish.table.target import reason_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import polars as pl

_LONGEST_CELL = 32


def preview(path: Path, *, rows: int = 10, width: int = 100) -> str:
    """Return the first `rows` of a table that `write_table` wrote, in lines of at most `width` columns.

    The columns that fit are chosen in this order: item and status, the result, the rest. Raises StorageFailed
    or WrongInput where the file cannot be read.
    """
    import polars as pl

    names, records = _head(path, rows)
    shown: list[pl.Series] = []
    for name in _by_interest(names):
        values = [record[names.index(name)] for record in records]
        if records and all(value is None for value in values):
            continue
        if not all(isinstance(value, int | float | None) for value in values):
            values = list(map(_printable, values))
        heading, taken = _printable(name), {column.name for column in shown}
        while heading in taken:  # names may differ only in characters that are not printable
            heading += "�"
        shown.append(pl.Series(heading, values, strict=False))
        if max(map(_width, _layout(shown))) > width:
            shown.pop()
    return "\n".join(_layout(shown)) if shown else ""


def read_rows(path: Path, rows: int) -> list[dict[str, Any]]:
    """Return the first rows of a table that `write_table` wrote; the cells of a CSV file are texts.

    Raises StorageFailed or WrongInput where the file cannot be read.
    """
    names, records = _head(path, rows)
    return [dict(zip(names, record, strict=True)) for record in records]


def _layout(columns: Sequence[pl.Series]) -> list[str]:
    """Return the lines of columns laid out side by side, numbers to the right."""
    import polars as pl

    with pl.Config(
        tbl_formatting="NOTHING",
        tbl_hide_column_data_types=True,
        tbl_hide_dataframe_shape=True,
        tbl_cell_numeric_alignment="RIGHT",
        tbl_rows=-1,
        tbl_cols=-1,
        tbl_width_chars=-1,
        fmt_str_lengths=_LONGEST_CELL,
        fmt_float="full",
    ):
        return [line[1:].rstrip() for line in str(pl.DataFrame(columns)).splitlines()]


def _width(line: str) -> int:
    """Return how many columns a terminal gives a line."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1
        for char in line
    )


def _head(path: Path, rows: int) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
    """Read the column names and the first rows of a file."""
    import polars as pl

    try:
        match path.suffix:
            case ".parquet":
                table = pl.scan_parquet(path, glob=False, hive_partitioning=False)
            case ".csv":
                table = pl.scan_csv(path, glob=False, infer_schema=False)
            case ".jsonl":
                with path.open(encoding="utf-8") as file:
                    found = [json.loads(line) for line in islice(file, rows)]
                return list(found[0]) if found else [], [list(row.values()) for row in found]
            case _:
                raise WrongInput(f"{path} is no table of batchfish ({', '.join(TABLE_SUFFIXES)})")
        frame = table.head(rows).collect()
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        raise StorageFailed(f"{path} could not be read: {reason_of(error)}") from error
    return frame.columns, frame.rows()


def _by_interest(names: Sequence[str]) -> list[str]:
    """Return the columns to show: key and status, the result's own or else its text, then the rest."""
    fixed = {name for name, _ in (*LEADING, RECORD_INDEX, *RAW, *TRAILING)}
    own = [name for name in names[: [*names, RAW[0][0]].index(RAW[0][0])] if name not in fixed]
    key = [name for name in ("item_id", RECORD_INDEX[0], "status") if name in names]
    rest = ("reason", "error_message", "url", "result_error") if own else ("reason", "result", "url")
    return [*key, *own, *(name for name in rest if name in names)]


def _printable(value: object) -> str:
    """Return a value on one line, without the characters that control a terminal."""
    text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return "".join(char if char.isprintable() else "�" for char in " ".join(text.split()))
