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

_GAP = "  "
_WIDEST_CELL = 32


def preview(path: Path, *, rows: int = 10, width: int = 100) -> str:
    """Show the first `rows` of a table that `write_table` wrote, in lines of at most `width` columns.

    What fits is chosen: which item, how it ended, and its result before all else. Raises StorageFailed or
    WrongInput where the file cannot be read.
    """
    names, records = _head(path, rows)
    columns: list[list[str]] = []
    room = width
    for name in _by_interest(names):
        values = [record[names.index(name)] for record in records]
        if records and all(value is None for value in values):
            continue
        column = _column(name, values)
        size = _width(column[1])
        if size <= room:
            columns.append(column)
            room -= size + len(_GAP)
    return "\n".join(_GAP.join(line).rstrip() for line in zip(*columns, strict=True))


def _column(name: str, values: Sequence[Any]) -> list[str]:
    """Lay one column out: its name, a rule and its cells, all of one width."""
    texts = [_spelled(name), *map(_spelled, values)]
    size = min(max(map(_width, texts)), _WIDEST_CELL)
    is_number = bool(values) and all(isinstance(value, int | float | None) for value in values)
    heading, *cells = (_pad(_cut(text, size), size, to_the_right=is_number) for text in texts)
    return [heading, "─" * size, *cells]


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
                raise WrongInput(f"{path}: is none of the tables we write ({', '.join(TABLE_SUFFIXES)})")
        frame = table.head(rows).collect()
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        raise StorageFailed(f"{path} could not be read: {reason_of(error)}") from error
    return frame.columns, frame.rows()


def _by_interest(names: Sequence[str]) -> list[str]:
    """Order columns: key and status, the result's own or else its text, the rest; technical ones never."""
    fixed = {name for name, _ in (*LEADING, RECORD_INDEX, *RAW, *TRAILING)}
    own = [name for name in names[: [*names, RAW[0][0]].index(RAW[0][0])] if name not in fixed]
    key = [name for name in ("item_id", RECORD_INDEX[0], "status") if name in names]
    rest = ("reason", "error_message", "url", "result_error") if own else ("reason", "url", "result")
    return [*key, *own, *(name for name in rest if name in names)]


def _spelled(value: object) -> str:
    """Write a value on one line, without what a terminal would obey."""
    if isinstance(value, bool):
        return str(value).lower()
    text = "" if value is None else " ".join(str(value).split())
    return "".join(char if char.isprintable() else "�" for char in text)


def _width(text: str) -> int:
    """Count the columns a terminal gives a text."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1
        for char in text
    )


def _cut(text: str, size: int) -> str:
    """Shorten a text to `size` columns."""
    if _width(text) <= size:
        return text
    kept = ""
    for char in text:
        if _width(kept + char) >= size:
            break
        kept += char
    return f"{kept}…"


def _pad(text: str, size: int, *, to_the_right: bool) -> str:
    """Fill a text with spaces up to `size` columns."""
    fill = " " * (size - _width(text))
    return fill + text if to_the_right else text + fill
