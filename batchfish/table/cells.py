"""Records of the table: the typed cells that are read from the JSON text of a result."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from batchfish.core.json_text import parse_string, split_array, split_object
from batchfish.table.columns import ColumnPlan, Kind, ResultColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from batchfish.core.diff import Cell
    from batchfish.core.results import ResultText

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
EXACT_IN_FLOAT64 = 2**53
"""Every integer up to this one is exact as a Float64; some of those above are not."""
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?P<decimals>\.\d+)?(?P<exponent>[eE][+-]?\d+)?", re.ASCII)
_LONGEST_NUMBER = 400  # more than the digits of the largest Float64
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DATETIME = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:\.(?P<fraction>\d+))?)?(?P<zone>[Zz]|[+-]\d\d:\d\d)?", re.ASCII
)
_LONGEST_SHOWN = 60
_NOUNS = {
    Kind.STRING: "a string",
    Kind.INT64: "an integer",
    Kind.FLOAT64: "a number",
    Kind.BOOL: "true or false",
    Kind.DATE: "a date like 2026-01-31",
    Kind.DATETIME: "a time like 2026-01-31T12:00:00Z",
    Kind.LIST: "a list",
    Kind.OBJECT: "an object",
}
# Numbers in these ranges fit for certain. Larger ones are read value by value.
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
    """One row of the table, as far as it shows a result, or with `index` one record of its exploded list.

    `text` is the JSON text of the result, or of the record; `error` names the values that fit no typed cell.
    """

    index: int | None
    text: str | None
    cells: tuple[Cell, ...]
    error: str | None


class RecordColumns(Struct, frozen=True):
    """Some records by columns; `cells` has one sequence for each column of results."""

    indexes: Sequence[int | None]
    texts: Sequence[str | None]
    cells: Sequence[Sequence[Cell]]
    errors: Sequence[str | None]


class Misfit(Struct, frozen=True):
    """The reason why a value does not fit its cell, in words that follow the value."""

    why: str


class RecordReader:
    """Reads results into typed cells: all at once if every value fits, otherwise value by value."""

    def __init__(self, plan: ColumnPlan) -> None:
        """Compile the plan into decoders."""
        self._columns = plan.results
        self._explode = plan.explode
        self._blank: tuple[Cell, ...] = (None,) * len(plan.results)
        self._decode_record = _record_decoder(plan.results)
        self._decode_list = None if plan.explode is None else _list_decoder(plan.explode)

    def read(self, result: ResultText | None) -> Sequence[Record]:
        """Return the records of one result: one, or as many as its list holds."""
        if result is None:
            return (Record(None, None, self._blank, None),)
        text, strays = result.text, result.strays
        notes = (f"result: not UTF-8 in {strays} bytes, each spelled \\udcXX",) if strays else ()
        if result.error is not None:
            return (Record(None, text, self._blank, _joined([*notes, f"result: {result.error}"])),)
        if text == "null":
            return (Record(None, None, self._blank, _joined(notes)),)
        if self._explode is None:
            return (self._record(None, text, notes),)
        records = self._list(text)
        if records:
            return [self._record(index, record, notes) for index, record in enumerate(records)]
        if records is None:
            no_list = f"{'.'.join(('result', *self._explode))}: is not a list"
            return (Record(None, text, self._blank, _joined([*notes, no_list])),)
        return (Record(None, text, self._blank, _joined(notes)),)

    def read_each(self, results: Sequence[ResultText | None]) -> RecordColumns:
        """Return the records that `read` returns for these results by columns, and sooner.

        Each result has one, since the plan has no list to explode.
        """
        decode = self._decode_record
        texts: list[str | None] = []
        cells: list[tuple[Cell, ...]] = []
        errors: list[str | None] = []
        for result in results:
            fitting = error = None
            text = None if result is None else result.text
            if decode and result is not None and not result.strays and not result.error and text != "null":
                fitting = decode(result.text)
            if fitting is None:
                ((_, text, fitting, error),) = map(msgspec.structs.astuple, self.read(result))
            texts.append(text)
            cells.append(fitting)
            errors.append(error)
        return RecordColumns([None] * len(results), texts, list(zip(*cells, strict=True)), errors)

    def _record(self, index: int | None, text: str, notes: Sequence[str]) -> Record:
        """Return the record of one result, or of one element of its list."""
        fitting = self._decode_record(text) if self._decode_record is not None else None
        if fitting is not None:
            return Record(index, text, fitting, _joined(notes))
        cells, misfits = self._cells(text)
        return Record(index, text, cells, _joined([*notes, *misfits]))

    def _cells(self, text: str) -> tuple[tuple[Cell, ...], list[str]]:
        """Return the cells of one result or record read value by value, and why values do not fit."""
        found = split_object(text)
        if found is None and all(column.source is not None for column in self._columns):
            noun = "result" if self._explode is None else "record"
            return self._blank, [
                f"{noun}: {shorten(text)} is not {'JSON' if text[:1] == '{' else 'an object'}"
            ]
        cells: list[Cell] = []
        misfits = []
        for column in self._columns:
            value = text if column.source is None else (found or {}).get(column.source, "null")
            cell = read_cell(column.kind, value)
            if isinstance(cell, Misfit):
                misfits.append(f"{column.source or column.name}: {shorten(value)} {cell.why}")
                cell = None
            cells.append(cell)
        return tuple(cells), misfits

    def _list(self, text: str) -> list[str] | None:
        """Return the elements of the list to explode as JSON text; None if the result has no such list."""
        if self._decode_list is not None:
            records = self._decode_list(text)
            if records is not None:
                return records
        for name in self._explode or ():
            value = (split_object(text) or {}).get(name)
            if value is None:
                return None
            text = value
        return split_array(text)


def columns_from(records: Sequence[Record]) -> RecordColumns:
    """Return some records by columns."""
    return RecordColumns(
        [record.index for record in records],
        [record.text for record in records],
        list(zip(*[record.cells for record in records], strict=True)),
        [record.error for record in records],
    )


def read_cell(kind: Kind, text: str) -> Cell | Misfit:
    """Return the cell for the JSON text of a value, or why it does not fit; null fits every column."""
    if text == "null":
        return None
    match kind:
        case Kind.INT64:
            return _integer(text)
        case Kind.FLOAT64:
            return _number(text)
        case Kind.BOOL:
            return text == "true" if text in {"true", "false"} else not_a(kind)
        case Kind.LIST | Kind.OBJECT:
            return text if text[0] == ("[" if kind is Kind.LIST else "{") else not_a(kind)
        case Kind.TEXT if text[0] != '"':
            return text
        case _:
            value = parse_string(text)
            return not_a(kind) if value is None else read_string(kind, value)


def read_string(kind: Kind, value: str) -> Cell | Misfit:
    """Return the cell for a JSON string in a column of kind STRING, TEXT, DATE or DATETIME."""
    match kind:
        case Kind.DATE:
            return _date(value)
        case Kind.DATETIME:
            return _datetime(value)
        case _:
            return value if _is_unicode(value) else Misfit("contains a lone surrogate, which is not text")


def not_a(kind: Kind) -> Misfit:
    """Return the Misfit of a value that is of another type than its column."""
    return Misfit(f"is not {_NOUNS[kind]}")


def shorten(text: str) -> str:
    """Shorten a value for a message."""
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"


def _record_decoder(columns: Sequence[ResultColumn]) -> Callable[[str], tuple[Cell, ...] | None] | None:
    """Return a function that reads a record in which every value fits, and returns None for any other.

    Its cells equal those of `split_object` and `read_cell`. None if no such function can be made.
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
    """Return a function that returns the elements of the list at `path`; None if it cannot be made."""
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
    """Return the notes as one text; None if there are none."""
    return "; ".join(notes) if notes else None


def _integer(text: str) -> int | Misfit:
    """Return the integer that a JSON text spells, be it as 12.0 or 1e3; a Misfit for anything else."""
    number = _NUMBER.fullmatch(text)
    if number is None:
        return not_a(Kind.INT64)
    if len(text) > _LONGEST_NUMBER:
        return Misfit("does not fit into 64 bits")
    try:
        value = Decimal(text)
        is_inside = INT64_MIN <= value <= INT64_MAX
    except ArithmeticError:  # an exponent too large for Decimal
        return not_a(Kind.INT64)
    if not is_inside:
        return Misfit("does not fit into 64 bits")
    return int(value) if value == int(value) else not_a(Kind.INT64)


def _number(text: str) -> float | Misfit:
    """Return the Float64 nearest to a decimal; an integer has to be exact, or is a Misfit."""
    number = _NUMBER.fullmatch(text)
    if number is None:
        return not_a(Kind.FLOAT64)
    value = float(text)
    if value in {float("inf"), float("-inf")}:
        return Misfit("is too large for a Float64")
    is_integer = number["decimals"] is None and number["exponent"] is None
    if is_integer and (len(text) > _LONGEST_NUMBER or int(text) != int(value)):
        return Misfit("has more digits than a Float64 keeps")
    return value


def _date(value: str) -> date | Misfit:
    """Return a date; a Misfit for anything but YYYY-MM-DD."""
    if _DATE.fullmatch(value) is None:
        return not_a(Kind.DATE)
    try:
        return date.fromisoformat(value)
    except ValueError:
        return not_a(Kind.DATE)


def _datetime(value: str) -> datetime | Misfit:
    """Return a time in UTC; a Misfit for one without a time zone, which is not guessed."""
    parts = _DATETIME.fullmatch(value)
    if parts is None:
        return not_a(Kind.DATETIME)
    if parts["zone"] is None:
        return Misfit("names no time zone")
    if len((parts["fraction"] or "").rstrip("0")) > len("micros"):
        return Misfit("is finer than a microsecond")
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return not_a(Kind.DATETIME)


def _is_unicode(value: str) -> bool:
    """Whether a string can be encoded as UTF-8."""
    return value.isascii() or not any("\ud800" <= char <= "\udfff" for char in value)
