"""Writes a batch's table and its report from its journal to the files that manifest and options name."""

from __future__ import annotations

import json
import shutil
import time
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import to_builtins

from batchfish.cli.agreement import Question
from batchfish.cli.documents import DocumentType, document
from batchfish.cli.locate import folder_of
from batchfish.cli.requests import waiting_marks
from batchfish.core.expressions import compile_template
from batchfish.core.rules import TABLE_SUFFIXES, rules_from
from batchfish.errors import NeedsYes, StorageFailed, WrongInput
from batchfish.journal.queries import open_reader
from batchfish.table.columns import plan_columns
from batchfish.table.target import (
    FileMark,
    check_target,
    make_parents,
    mark_of,
    name_for_file,
    reason_of,
    replacing,
    write_whole,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from batchfish.cli.agreement import Agreement
    from batchfish.cli.options import TableOptions
    from batchfish.journal.queries import JournalReader
    from batchfish.journal.records import Batch
    from batchfish.manifest.manifest import Manifest
    from batchfish.table.columns import ColumnPlan
    from batchfish.table.write import TableReport

    RecordOutput = Callable[[str, str, float], None]

DEFAULT_FOLDER, DEFAULT_SUFFIX = "results", ".parquet"
REPORT_SUFFIXES = (".html",)


class OutputFile(NamedTuple):
    """The file to write; missing folders are made under `parents_under` alone, None: nowhere."""

    path: Path
    parents_under: Path | None = None


def target_of(batch: Batch, output: Path | None) -> OutputFile:
    """Return the file for a batch's table: `output`, else the one that its manifest names."""
    return target_for(batch.name, rules_from(batch.manifest).output.path, folder_of(batch), output)


def target_for(name: str, pattern: str | None, folder: Path, output: Path | None) -> OutputFile:
    """Return the file for the table of a batch of this name, which need not have begun.

    `{{ batch }}` in the pattern is the batch's name; None is the default pattern.
    """
    if output is not None:
        return OutputFile(output.absolute())
    if pattern is None:  # most batches: no other text of theirs may need the template engine
        return OutputFile(folder / DEFAULT_FOLDER / f"{name_for_file(name)}{DEFAULT_SUFFIX}", folder)
    return OutputFile(folder / compile_template(pattern).render({"batch": name_for_file(name)}), folder)


def report_target_of(batch: Batch, output: Path | None) -> OutputFile:
    """Return the file for a batch's report: `output`, else one named after the batch."""
    if output is not None:
        return OutputFile(output.absolute())
    folder, (suffix,) = folder_of(batch), REPORT_SUFFIXES
    return OutputFile(folder / DEFAULT_FOLDER / f"{name_for_file(batch.name)}{suffix}", folder)


def refuse_to_replace_rows(target: Path, manifest: Manifest) -> None:
    """Raise WrongInput if the table would replace a file that the manifest's rows are read from."""
    for part in manifest.parts:
        if target.exists() and target.samefile(part.source.file.path):
            raise WrongInput(
                f"{target}: the table would replace the manifest's own rows", remedy="Name another file."
            )


def refuse_shared_file(joblog: Path | None, *others: Path | None) -> None:
    """Raise WrongInput if the job log would be written to the file of the table or of the report."""
    for other in others:
        if joblog is not None and other is not None and joblog.resolve() == other.resolve():
            raise WrongInput(f"{joblog} would be both the job log and a result", remedy="Name another file.")


def check_output(
    reader: JournalReader,
    target: OutputFile,
    agreement: Agreement | None,
    suffixes: Sequence[str] = TABLE_SUFFIXES,
) -> None:
    """Check that a file can be written there, and ask whether another program's file may be replaced.

    If `agreement` is None, that question is left for later.
    """
    check = partial(check_target, target.path, suffixes=suffixes, parents_under=target.parents_under)
    try:
        check(written=marks_of(reader), may_replace=agreement is None)
    except NeedsYes as needed:
        if agreement is None:
            raise
        agreement.settle(needed)
        check(may_replace=True)


def check_report(reader: JournalReader, output: Path | None, agreement: Agreement | None) -> None:
    """Check in the same way that a report can be written there; None: none is asked for."""
    if output is not None:
        check_output(reader, OutputFile(output.absolute()), agreement, REPORT_SUFFIXES)


def write_batch(
    journal: Path,
    batch: Batch,
    table: TableOptions,
    agreement: Agreement,
    record_output: RecordOutput,
    *,
    failed_only: bool = False,
) -> TableReport:
    """Write the table of a batch as it is now; `record_output` tells the journal that the file is its own."""
    from batchfish.journal.table_source import table_source

    target = target_of(batch, table.output)
    with open_reader(journal) as reader:
        check_output(reader, target, agreement)
        with table_source(reader, batch.pk, failed_only=failed_only) as source:
            from batchfish.table.write import write_table  # slow to import: a second process reads meanwhile

            return write_table(
                target.path,
                plan_of(reader, batch),
                source.outcomes,
                sizes=source.sizes,
                raw_csv=table.csv_raw,
                written=marks_of(reader),
                may_replace=agreement.has(Question.REPLACE_OUTPUT),
                parents_under=target.parents_under,
                record=lambda mark: record_output(
                    str(target.path), json.dumps(to_builtins(mark)), time.time()
                ),
            )


def write_report(
    journal: Path,
    batch: Batch,
    output: Path | None,
    agreement: Agreement,
    record_output: RecordOutput,
    *,
    is_owner: bool = False,
) -> Path:
    """Write the report of a batch as it is now, and return its path; the file's mode is 0600.

    `record_output` tells the journal that the file is its own. `is_owner` is true if this process owns the
    journal.
    """
    from batchfish.cli.batch_facts import changes_of, facts_of
    from batchfish.report.page import render_report

    target = report_target_of(batch, output)
    with open_reader(journal) as reader:
        check_output(reader, target, agreement, REPORT_SUFFIXES)
        changes = changes_of(reader, batch)
        with reader.snapshot():
            facts = facts_of(reader, batch, time.time(), changes, is_owner=is_owner)
            page = render_report(facts, reader.histories(batch.pk))
    try:
        make_parents(*target)
        with replacing(target.path) as (file, _):
            write_whole(file, page.encode())
            record_output(str(target.path), json.dumps(to_builtins(mark_of(file))), time.time())
    except OSError as error:
        raise StorageFailed(f"{target.path} could not be written: {reason_of(error)}") from error
    return target.path


def preview_of(path: Path, rows: int, *, as_json: bool) -> str:
    """Return the first rows of a table: laid out for the terminal, or as a document."""
    from batchfish.table.preview import preview, read_rows

    if as_json:
        return document(DocumentType.ROWS, table=path, rows=read_rows(path, rows))
    return preview(path, rows=rows, width=shutil.get_terminal_size().columns)


def plan_of(reader: JournalReader, batch: Batch) -> ColumnPlan:
    """Return the columns of a batch's table, from the schemas and variables of its items."""
    schemas = schemas_of(reader, batch)
    return plan_columns(schemas, reader.results.input_names(batch.pk), rules_from(batch.manifest).output)


def schemas_of(reader: JournalReader, batch: Batch) -> list[Mapping[str, Any]]:
    """Return the distinct output_schemas of a batch's items."""
    bodies = map(json.loads, reader.request_bodies(batch.pk))
    return [schema for body in bodies if (schema := body.get("output_schema"))]


def marks_of(reader: JournalReader) -> list[FileMark]:
    """Return the marks of the files that were written from a journal."""
    marks = [*waiting_marks(reader.path), *reader.output_marks()]  # in this order: none can be missed
    return [FileMark(**json.loads(mark)) for mark in marks]
