"""The rows a table is fed with, and the records that each row's result makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta, Raw

from batchfish.table.cells import (
    EXACT_IN_FLOAT64,
    INT64_MAX,
    INT64_MIN,
    Cell,
    Misfit,
    read_cell,
    read_string,
    shown,
)
from batchfish.table.jsontext import elements, is_shallow, members, text_of
from batchfish.table.kinds import Kind

if TYPE_CHECKING:
    from batchfish.table.columns import ColumnPlan, ResultColumn


class TableRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is known of one item when the table is written; a Struct, since a million are made in one go.

    `result` is the JSON value as the API sent it, None where it sent null or nothing; `is_whole_answer` says
    that it is the body of an answer that could not be taken apart. Times are epoch seconds, of one clock if
    their differences are to mean something. Everything else stands in the table as it is.
    """

    item_id: str
    batch: str
    row: int
    url: str
    status: str
    reason: str | None = None
    result: bytes | None = None
    is_whole_answer: bool = False
    inputs: Mapping[str, str] = {}
    run_id: str | None = None
    run_status: str | None = None
    attempts: int = 0
    steps: int | None = None
    submitted_at: float | None = None
    started_at: float | None = None
    finished_at: float | None = None
    error_code: str | None = None
    error_message: str | None = None
    streaming_url: str | None = None


# What a value must be for its cell to need no second look. A larger number takes the careful way.
_INT64 = Annotated[int, Meta(ge=INT64_MIN, le=INT64_MAX)]
_EXACT = Annotated[int, Meta(ge=-EXACT_IN_FLOAT64, le=EXACT_IN_FLOAT64)]
_DECODED_AS: dict[Kind, Any] = {
    Kind.STRING: str | None,
    Kind.INT64: _INT64 | None,
    Kind.FLOAT64: _EXACT | float | None,
    Kind.BOOL: bool | None,
    Kind.DATE: date | None,
    Kind.DATETIME: str | None,
    Kind.LIST: Raw,
    Kind.OBJECT: Raw,
    Kind.TEXT: Raw,
}
_READ_WHOLE = {Kind.STRING, Kind.INT64, Kind.FLOAT64, Kind.BOOL, Kind.DATE}


class Record(msgspec.Struct, frozen=True, gc=False):
    """One row of the table: an item, or with `index` one record of its list, and what its result holds.

    `text` is the JSON text of the result, or of the record; `error` names what is in it but in no typed cell.
    """

    row: TableRow
    index: int | None
    text: str | None
    cells: tuple[Cell, ...]
    error: str | None


class RecordReader:
    """Reads results into typed cells: in one go where all fits, else one by one to say what does not."""

    def __init__(self, plan: ColumnPlan) -> None:
        """Compile the plan into decoders."""
        self._columns = plan.results
        self._explode = plan.explode
        self._blank: tuple[Cell, ...] = (None,) * len(plan.results)
        self._decode_record = _record_decoder(plan.results)
        self._decode_list = None if plan.explode is None else _list_decoder(plan.explode)

    def read(self, row: TableRow) -> Sequence[Record]:
        """Return the records of one row: one, or as many as its list holds."""
        if row.result is None:
            return (Record(row, None, None, self._blank, None),)
        text, strays = text_of(row.result)
        notes = [f"result: not UTF-8 in {strays} bytes, each spelled \\udcXX"] if strays else []
        value: str | None = text
        if not is_shallow(row.result):
            value = None
            notes.append("result: is nested too deeply to be read")
        elif row.is_whole_answer:
            value = _result_within(text)
            if value is None:
                notes.append("result: is not found in the answer, this is all of it")
        if value is None or value == "null":
            return (Record(row, None, text if value is None else None, self._blank, _joined(notes)),)
        if self._explode is None:
            return (self._record(row, None, value, notes),)
        records = self._list(value)
        if records:
            return [self._record(row, index, record, notes) for index, record in enumerate(records)]
        if records is None:
            notes.append(f"{'.'.join(('result', *self._explode))}: is not a list")
        return (Record(row, None, value, self._blank, _joined(notes)),)

    def _record(self, row: TableRow, index: int | None, text: str, notes: Sequence[str]) -> Record:
        """Read one result or record into its cells, and say what did not fit."""
        fitting = self._decode_record(text) if self._decode_record is not None else None
        if fitting is not None:
            return Record(row, index, text, fitting, _joined(notes))
        cells, misfits = self._cells(text)
        return Record(row, index, text, cells, _joined([*notes, *misfits]))

    def _cells(self, text: str) -> tuple[tuple[Cell, ...], list[str]]:
        """Read one result or record value by value."""
        found = members(text)
        if found is None and all(column.source is not None for column in self._columns):
            noun = "result" if self._explode is None else "record"
            return self._blank, [f"{noun}: {shown(text)} is not {'JSON' if text[:1] == '{' else 'an object'}"]
        cells: list[Cell] = []
        misfits = []
        for column in self._columns:
            value = text if column.source is None else (found or {}).get(column.source, "null")
            cell = read_cell(column.kind, value)
            if isinstance(cell, Misfit):
                misfits.append(f"{column.source or column.name}: {shown(value)} {cell.why}")
                cell = None
            cells.append(cell)
        return tuple(cells), misfits

    def _list(self, text: str) -> list[str] | None:
        """Take the list to explode out of a result, as the text of each record; None if there is none."""
        if self._decode_list is not None:
            records = self._decode_list(text)
            if records is not None:
                return records
        for name in self._explode or ():
            value = (members(text) or {}).get(name)
            if value is None:
                return None
            text = value
        return elements(text)


def _result_within(answer: str) -> str | None:
    """Find the result in the answer about one run, or in a list of one."""
    found = members(answer) or {}
    runs = elements(found.get("data", ""))
    if runs is not None:
        found = (members(runs[0]) or {}) if len(runs) == 1 else {}
    return found.get("result")


def _record_decoder(columns: Sequence[ResultColumn]) -> Callable[[str], tuple[Cell, ...] | None] | None:
    """Make a function that reads a record in which everything fits, and returns None for any other.

    It must agree with `members` and `read_cell` wherever it answers. None where it cannot be made.
    """
    if not columns:
        return lambda _: ()
    fields = []
    for at, column in enumerate(columns):
        if column.source is None:
            return None
        fields.append((f"c{at}", _DECODED_AS[column.kind], msgspec.field(name=column.source, default=None)))
    try:
        decoder = msgspec.json.Decoder(msgspec.defstruct("Fitting", fields, gc=False))
    except ValueError:  # a name with a quote, a backslash or a control character
        return None
    unread = [(at, column.kind) for at, column in enumerate(columns) if column.kind not in _READ_WHOLE]

    def decode(text: str) -> tuple[Cell, ...] | None:
        try:
            read = msgspec.structs.astuple(decoder.decode(text))
        except msgspec.DecodeError:
            return None
        if not unread:
            return read
        cells = list(read)
        for at, kind in unread:
            value = cells[at]
            if value is not None:
                cell = (
                    read_string(kind, value)
                    if isinstance(value, str)
                    else read_cell(kind, str(value, "utf-8"))
                )
                if isinstance(cell, Misfit):
                    return None
                cells[at] = cell
        return tuple(cells)

    return decode


def _list_decoder(path: Sequence[str]) -> Callable[[str], list[str] | None] | None:
    """Make a function that takes the list at `path` out of well-formed JSON; None where it cannot be made."""
    wrapped: Any = list[Raw]
    try:
        for name in reversed(path):
            wrapped = msgspec.defstruct("At", [("c", wrapped, msgspec.field(name=name))], gc=False)
        decoder = msgspec.json.Decoder(wrapped)
    except ValueError:  # a name with a quote, a backslash or a control character
        return None

    def decode(text: str) -> list[str] | None:
        try:
            found = decoder.decode(text)
        except msgspec.DecodeError:
            return None
        for _ in path:
            found = found.c
        return [str(record, "utf-8") for record in found]

    return decode


def _joined(notes: Sequence[str]) -> str | None:
    """Make one text of what is to be said."""
    return "; ".join(notes) or None
