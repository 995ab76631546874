"""READERS: one small function a file format, each giving a stream of rows with their lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from batchfish.manifest.csv_table import read_csv_header, stream_csv
from batchfish.manifest.files import RefusedLine, TextFile, open_unchanged
from batchfish.manifest.json_text import read_json
from batchfish.manifest.problems import Problems, Refused
from batchfish.manifest.row import Row, read_lines, row_from_map
from batchfish.manifest.yaml_events import InvalidYaml, stream_sequence

if TYPE_CHECKING:
    from batchfish.manifest.fields import Fault

Reader: TypeAlias = Callable[[TextFile, Problems], "RowSource | None"]

ITEM_TEXTS = ("goal", "id", "url", "vars")
"""Where in an item of YAML an unquoted number stays the text it is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RowSource:
    """A file of rows: `rows` reads it anew each time, noting what is wrong in it.

    `columns` are the names of its variables where a header tells them, None where each row may have its own.
    """

    file: TextFile
    rows: Callable[[Problems], Iterator[Row]]
    columns: frozenset[str] | None = None
    delimiter: str | None = None


def open_csv(file: TextFile, problems: Problems) -> RowSource | None:
    """Open a table whose first line names the columns."""
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
    """Open a file of one JSON map a line."""
    return RowSource(file=file, rows=partial(_stream_jsonl, file))


def open_items(file: TextFile, _problems: Problems) -> RowSource:
    """Open the inline `items` of a YAML manifest."""
    return RowSource(file=file, rows=partial(_stream_items, file))


READERS: Mapping[str, Reader] = {
    ".csv": open_csv,
    ".jsonl": open_jsonl,
    ".ndjson": open_jsonl,
    ".tsv": open_csv,
    ".yaml": open_items,
    ".yml": open_items,
}


def _stream_jsonl(file: TextFile, problems: Problems) -> Iterator[Row]:
    with open_unchanged(file) as stream:
        try:
            for line, text in enumerate(read_lines(stream), 1):
                if not text.isspace() and (row := _read_jsonl_row(file, line, text, problems)):
                    yield row
        except RefusedLine as error:
            problems.add(file.path, error.line, str(error), error.remedy)


def _read_jsonl_row(file: TextFile, line: int, text: str, problems: Problems) -> Row | None:
    faults: list[Fault] = []
    try:
        row = row_from_map(read_json(text), line, None, faults)
    except Refused as error:
        problems.add(file.path, line, str(error), error.remedy)
        return None
    for fault in faults:
        problems.add(file.path, line, fault.message, fault.remedy)
    return row


def _stream_items(file: TextFile, problems: Problems) -> Iterator[Row]:
    with open_unchanged(file) as stream:
        try:
            for document in stream_sequence(stream, "items", as_text=ITEM_TEXTS):
                for notation in document.faults:
                    problems.add(file.path, notation.line, notation.message, notation.remedy)
                faults: list[Fault] = []
                row = row_from_map(document.value, document.line_of(()), document.lines, faults)
                for fault in faults:
                    problems.add(file.path, document.line_of(fault.keys), fault.message, fault.remedy)
                if row is not None:
                    yield row
        except InvalidYaml as error:
            problems.add(file.path, error.line, str(error), error.remedy)
