"""The table of a batch, written from its journal to where manifest and flags want it."""

from __future__ import annotations

import json
import shutil
import time
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from batchfish.cli import locate
from batchfish.cli.agreement import Question
from batchfish.core.expressions import compile_template
from batchfish.core.rules import rules_from
from batchfish.errors import NeedsYes, WrongInput
from batchfish.journal import outputs
from batchfish.journal.files import connect, snapshot
from batchfish.journal.records import read_outcomes, read_sizes
from batchfish.table.columns import plan_columns
from batchfish.table.target import FileMark, check_target, name_for_file

if TYPE_CHECKING:
    import sqlite3

    from batchfish.cli.agreement import Agreement
    from batchfish.journal.base import Batch
    from batchfish.manifest.manifest import Manifest
    from batchfish.table.columns import ColumnPlan
    from batchfish.table.write import TableReport

DEFAULT_OUTPUT = "results/{{ batch }}.parquet"


def target_of(batch: Batch, output: str | None) -> tuple[Path, Path | None]:
    """Say where the table goes, and the folder under which missing ones may be made (None: nowhere)."""
    return target_for(batch.name, rules_from(batch.manifest).output.path, locate.folder_of(batch), output)


def target_for(name: str, pattern: str | None, folder: Path, output: str | None) -> tuple[Path, Path | None]:
    """Say the same of a batch that may not have begun, by its name and its manifest's pattern and folder."""
    if output is not None:
        return Path(output).absolute(), None
    template = compile_template(pattern or DEFAULT_OUTPUT)
    return folder / template.render({"batch": name_for_file(name)}), folder


def spare_rows(target: Path, manifest: Manifest) -> None:
    """Raise WrongInput where the table would take the place of the rows it is asked for, whoever agrees."""
    for part in manifest.parts:
        if target.exists() and target.samefile(part.source.file.path):
            raise WrongInput(f"{target}: the table would replace the manifest's own rows: name another file")


def check_output(
    connection: sqlite3.Connection, target: Path, folder: Path | None, agreement: Agreement | None
) -> None:
    """Refuse a target that could not be written, before anything is paid for.

    Asks whether another's file may be replaced, unless `agreement` is None: then that is asked later.
    """
    try:
        check_target(
            target, written=_written(connection), may_replace=agreement is None, parents_under=folder
        )
    except NeedsYes as needed:
        if agreement is None:
            raise
        agreement.settle(needed)
        check_target(target, may_replace=True, parents_under=folder)


def write_batch(
    journal: Path,
    batch: Batch,
    output: str | None,
    agreement: Agreement,
    *,
    raw_csv: bool = False,
    failed_only: bool = False,
) -> TableReport:
    """Write the table of a batch as it stands now; the journal remembers the file as its own."""
    from batchfish.table.write import write_table

    target, folder = target_of(batch, output)
    with closing(connect(journal, read_only=True)) as reader, closing(connect(journal)) as writer:

        def record(mark: FileMark) -> None:
            outputs.record(writer, str(target), json.dumps(asdict(mark)), time.time())

        check_output(reader, target, folder, agreement)
        with snapshot(reader):
            return write_table(
                target,
                plan_of(reader, batch),
                lambda: read_outcomes(reader, batch.pk, failed_only=failed_only),
                sizes=read_sizes(reader, batch.pk, failed_only=failed_only),
                raw_csv=raw_csv,
                written=_written(reader),
                may_replace=agreement.has(Question.REPLACE_OUTPUT),
                parents_under=folder,
                record=record,
            )


def show(path: Path, rows: int) -> str:
    """Lay out the first rows of a table for a terminal."""
    from batchfish.table.preview import preview

    return preview(path, rows=rows, width=shutil.get_terminal_size().columns)


def plan_of(connection: sqlite3.Connection, batch: Batch) -> ColumnPlan:
    """Decide a batch's columns from the schemas and variables of its items."""
    bodies = map(json.loads, outputs.bodies(connection, batch.pk))
    schemas = [schema for body in bodies if (schema := body.get("output_schema"))]
    return plan_columns(schemas, outputs.input_names(connection, batch.pk), rules_from(batch.manifest).output)


def _written(connection: sqlite3.Connection) -> list[FileMark]:
    return [FileMark(**json.loads(mark)) for mark in outputs.marks(connection)]
