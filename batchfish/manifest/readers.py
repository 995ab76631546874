"""Readers of rows, one for each format: CSV and TSV, JSONL, and the inline items of a YAML manifest."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TextIO, TypeAlias

from msgspec import Struct

from batchfish.core.describe import cut, quote
from batchfish.core.json_text import InvalidJson, read_strictly
from batchfish.manifest.document import MAX_DEPTH
from batchfish.manifest.problems import Problems, Refused, RefusedLine, suggest
from batchfish.manifest.request import REQUEST_FIELDS, TEXT_FIELDS
from batchfish.manifest.row import RESERVED, Row, read_lines, row_from_map, set_field
from batchfish.manifest.text_files import TextFile, changed, open_start, open_text

if TYPE_CHECKING:
    from batchfish.manifest.values import Fault, Table

Reader: TypeAlias = Callable[[TextFile, Problems], "RowSource | None"]
ITEM_TEXTS = ("goal", "id", "url", "vars")
"""The keys of an inline item below which an unquoted number stays a text."""
DELIMITERS = (",", ";", "\t")
_URL = re.compile(r"https?://", re.IGNORECASE)
_REMEMBERED = 1000
_LONGEST_HEADER = 1000


class RowSource(Struct, frozen=True, kw_only=True):
    """A file of rows. `rows` reads it from the beginning, and adds what is wrong to the problems.

    `columns` are the names of its variables if it has a header; None if each row may have its own.
    """

    file: TextFile
    rows: Callable[[Problems], Iterator[Row]]
    columns: frozenset[str] | None = None
    delimiter: str | None = None


class CsvHeader(Struct, frozen=True, kw_only=True):
    """The delimiter, the names of all columns, and the index of each column by its kind."""

    delimiter: str
    names: tuple[str, ...]
    id: int | None
    url: int | None
    goal: int | None
    variables: tuple[tuple[str, int], ...]
    fields: Mapping[tuple[str, ...], int]


def open_csv(file: TextFile, problems: Problems) -> RowSource | None:
    """Return the rows of a CSV or TSV file; None if its header is wrong."""
    header = read_csv_header(file, problems)
    if header is None:
        return None
    return RowSource(
        file=file,
        rows=partial(stream_csv, file, header),
        columns=frozenset(name for name, _ in header.variables),
        delimiter=header.delimiter,
    )


def open_jsonl(file: TextFile, _problems: Problems) -> RowSource:
    """Return the rows of a file with one JSON map on each line."""
    return RowSource(file=file, rows=partial(_stream_jsonl, file))


def open_items(file: TextFile, _problems: Problems) -> RowSource:
    """Return the rows in the inline `items` of a YAML manifest."""
    return RowSource(file=file, rows=partial(_stream_items, file))


READERS: Mapping[str, Reader] = {
    ".csv": open_csv,
    ".jsonl": open_jsonl,
    ".ndjson": open_jsonl,
    ".tsv": open_csv,
    ".yaml": open_items,
    ".yml": open_items,
}


@contextmanager
def _open_rows(file: TextFile, problems: Problems) -> Iterator[TextIO]:
    """Open a file of rows; add a problem for a line that cannot be read, and stop there."""
    try:
        with open_text(file) as stream:
            yield stream
    except RefusedLine as error:
        problems.add(file.path, error.line, str(error), error.remedy)


def _stream_jsonl(file: TextFile, problems: Problems) -> Iterator[Row]:
    with _open_rows(file, problems) as stream:
        for line, text in enumerate(read_lines(stream), 1):
            if not text.isspace() and (row := _read_jsonl_row(file, line, text, problems)):
                yield row


def _read_jsonl_row(file: TextFile, line: int, text: str, problems: Problems) -> Row | None:
    faults: list[Fault] = []
    try:
        row = row_from_map(read_strictly(text, max_depth=MAX_DEPTH), line, None, faults)
    except (InvalidJson, Refused) as error:
        problems.add(file.path, line, str(error), error.remedy)
        return None
    for fault in faults:
        problems.add(file.path, line, fault.message, fault.remedy)
    return row


def _stream_items(file: TextFile, problems: Problems) -> Iterator[Row]:
    from batchfish.manifest.yaml_events import stream_sequence

    with _open_rows(file, problems) as stream:
        for document in stream_sequence(stream, "items", as_text=ITEM_TEXTS):
            for notation in document.faults:
                problems.add(file.path, notation.line, notation.message, notation.remedy)
            faults: list[Fault] = []
            row = row_from_map(document.value, document.line_of(()), document.lines, faults)
            for fault in faults:
                problems.add(file.path, document.line_of(fault.keys), fault.message, fault.remedy)
            if row is not None:
                yield row


def read_csv_header(file: TextFile, problems: Problems) -> CsvHeader | None:
    """Return the header in the first line that is not blank; None if there is none, or it is wrong."""
    try:
        with open_start(file) as stream:
            line, lines = _first_record(read_lines(stream))
    except RefusedLine as error:
        problems.add(file.path, error.line, str(error), error.remedy)
        return None
    if not lines:
        problems.add(
            file.path, 1, "the file is empty", "Its first line names the columns, such as: id,url,title"
        )
        return None
    if file.path.suffix.lower() == ".tsv":
        delimiter, names = "\t", _split(lines, "\t")
    else:
        delimiter, names = max(
            ((mark, _split(lines, mark)) for mark in DELIMITERS),
            key=lambda found: (not RESERVED.isdisjoint(found[1]), len(found[1])),
        )
    if not names:
        problems.add(file.path, line, "the header cannot be read", "Is a quote in it never closed?")
        return None
    return _sort_columns(file, line, delimiter, names, problems)


def stream_csv(file: TextFile, header: CsvHeader, problems: Problems) -> Iterator[Row]:
    """Yield the rows below the header. One that is wrong is left out, and added to the problems."""
    remembered: dict[tuple[str, ...], Mapping[str, Any]] = {}
    fields: Mapping[str, Any] = {}
    width, variables, columns = len(header.names), header.variables, tuple(header.fields.values())
    with _open_rows(file, problems) as stream:
        for line, cells in _records(file, stream, header, problems):
            if len(cells) != width:
                count = f"{len(cells)} cell{'s' if len(cells) > 1 else ''}"
                message = f"{count} where the header has {len(header.names)} columns"
                remedy = f"Put a cell that contains {_name(header.delimiter)} in double quotes."
                problems.add(file.path, line, message, remedy)
                continue
            if columns:
                written = tuple([cells[index] for index in columns])
                found = remembered.get(written)
                if found is None:
                    noted = problems.total
                    found = _read_fields(file, line, header, written, problems)
                    if len(remembered) < _REMEMBERED and problems.total == noted:
                        remembered[written] = found
                fields = found
            yield Row(
                line=line,
                id=(cells[header.id].strip() or None) if header.id is not None else None,
                url=(cells[header.url].strip() or None) if header.url is not None else None,
                goal=(cells[header.goal].strip() or None) if header.goal is not None else None,
                variables={
                    name: cell for name, index in variables if (cell := cells[index]) and not cell.isspace()
                },
                fields=fields,
            )


def _first_record(lines: Iterator[str]) -> tuple[int, list[str]]:
    """Return the number of the first record's line and its lines; quoted names may contain line breaks."""
    taken: list[str] = []
    first = quotes = 0
    for number, line in enumerate(lines, 1):
        if not taken and line.isspace():
            continue
        first = first or number
        taken.append(line)
        quotes += line.count('"')
        if quotes % 2 == 0 or len(taken) == _LONGEST_HEADER:
            break
    return first, taken


def _split(lines: list[str], delimiter: str) -> list[str]:
    try:
        return [name.strip() for name in next(csv.reader(lines, delimiter=delimiter, strict=True))]
    except csv.Error:
        return []


def _sort_columns(
    file: TextFile, line: int, delimiter: str, names: list[str], problems: Problems
) -> CsvHeader:
    own: dict[str, int] = {}
    variables: dict[str, int] = {}
    fields: dict[tuple[str, ...], int] = {}
    written = tuple(names)
    if url := next((name for name in names if _URL.match(name)), None):
        remedy = "Put a line above it that names the columns: url"
        problems.add(file.path, line, f"the header is missing: the first line contains {quote(url)}", remedy)
        names = [f"#{name}" for name in names]
    for index, name in enumerate(names):
        if name.startswith("#"):
            continue
        if not name:
            remedy = "Name it, or begin its name with # to have it ignored."
            problems.add(file.path, line, f"column {index + 1} of the header has no name", remedy)
        elif names.index(name) < index:
            message = (
                f"the column {quote(name)} occurs twice, as columns {names.index(name) + 1} and {index + 1}"
            )
            problems.add(file.path, line, message, "Rename one, or begin its name with # to have it ignored.")
        elif name.startswith("@"):
            keys = tuple(name[1:].split("."))
            if _find_reader(keys) is None:
                remedy = suggest(name, _spell_fields(REQUEST_FIELDS))
                problems.add(file.path, line, f"{quote(name)} is not a request field", remedy)
            else:
                fields[keys] = index
        elif name in RESERVED:
            own[name] = index
        else:
            variables[name] = index
    return CsvHeader(
        delimiter=delimiter,
        names=written,
        id=own.get("id"),
        url=own.get("url"),
        goal=own.get("goal"),
        variables=tuple(variables.items()),
        fields=fields,
    )


def _find_reader(keys: tuple[str, ...]) -> object:
    table: object = REQUEST_FIELDS
    for name in keys:
        table = table.get(name) if isinstance(table, Mapping) else None
    return table


def _spell_fields(table: Table, opening: str = "@") -> Iterator[str]:
    for name, below in table.items():
        yield opening + name
        if isinstance(below, Mapping):
            yield from _spell_fields(below, f"{opening}{name}.")


def _read_fields(
    file: TextFile, line: int, header: CsvHeader, cells: tuple[str, ...], problems: Problems
) -> Mapping[str, Any]:
    """Return the request fields of a row's `@` columns: texts as they are, everything else read as JSON."""
    fields: dict[str, Any] = {}
    for keys, cell in zip(header.fields, cells, strict=True):
        if not cell.strip():
            continue
        try:
            set_field(
                fields,
                keys,
                cell.strip() if keys in TEXT_FIELDS else read_strictly(cell, max_depth=MAX_DEPTH),
            )
        except (InvalidJson, Refused) as error:
            spelled = ".".join(keys)
            remedy = error.remedy or "Write true, false, a number, or a map as JSON."
            problems.add(file.path, line, f"@{cut(spelled)}: {error}", remedy)
    return fields


def _records(
    file: TextFile, stream: TextIO, header: CsvHeader, problems: Problems
) -> Iterator[tuple[int, list[str]]]:
    """Yield the records below the header that are not blank, each with the line on which it begins."""
    reader = csv.reader(read_lines(stream), delimiter=header.delimiter, strict=True)
    is_header = True
    line = 1
    try:
        for cells in reader:
            if not (cells and cells[0]) and not any(map(str.strip, cells)):
                pass
            elif is_header:
                is_header = False
                if tuple(map(str.strip, cells)) != header.names:
                    raise changed(file.path)
            else:
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        message, remedy = _explain(str(error))
        problems.add(file.path, line, message, remedy)


def _explain(message: str) -> tuple[str, str]:
    if "unexpected end of data" in message:
        return (
            "a quote that opens in this row is never closed",
            'Close it, or double a " that is part of a text.',
        )
    if "field larger" in message:
        return (
            f"a cell of this row is longer than {csv.field_size_limit():,} characters",
            "Is a quote that opens in it never closed?",
        )
    return (
        f"not valid CSV: {message}",
        'Put a cell that contains a " in double quotes, and double it in there.',
    )


def _name(delimiter: str) -> str:
    return {",": "a comma", ";": "a semicolon", "\t": "a tab"}[delimiter]
