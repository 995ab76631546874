"""`batchfish diff`: shows what changed in a batch since another one."""

from __future__ import annotations

import json
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import to_builtins

from batchfish.cli.agreement import Question, agreement_of
from batchfish.cli.changes import Earlier, comparing
from batchfish.cli.console import are, put
from batchfish.cli.documents import DocumentType, put_document
from batchfish.cli.exits import ExitCode
from batchfish.cli.locate import JOURNAL_SUFFIX, Place, batch_in, find, open_batch
from batchfish.cli.options import (
    JournalChange,
    TableOptions,
    batch_argument,
    comparison,
)
from batchfish.cli.output import OutputFile, check_output, marks_of, target_of
from batchfish.cli.parser import Arguments, argument, group, option
from batchfish.cli.requests import leave_output
from batchfish.core.describe import cut, several
from batchfish.core.diff import spell_cell
from batchfish.errors import WrongInput
from batchfish.journal.queries import open_reader

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from batchfish.cli.agreement import Agreement
    from batchfish.cli.changes import ChangeCounts, Changes
    from batchfish.cli.console import Console
    from batchfish.core.diff import Cell
    from batchfish.core.rules import ColumnComparison
    from batchfish.journal.queries import JournalReader
    from batchfish.journal.records import Batch
    from batchfish.table.changes import ChangeRow

SHOWN = 20
"""The number of changes that are printed by default."""

_LONGEST_VALUE = 40


class Options(Arguments, frozen=True, kw_only=True):
    """The options of `diff`."""

    batch: str | None = batch_argument()
    other: str | None = argument(
        "OTHER",
        "the batch to compare with: its name, its manifest or another journal (default: the batch before)",
        is_optional=True,
    )
    compare: tuple[tuple[str, ColumnComparison], ...] = option(
        "--compare",
        metavar="NAME=RULE",
        parse=comparison,
        repeats=True,
        help="set how a property of the results is compared: ignore, or a tolerance such as 0.01 or 1% "
        "(repeatable; default: the manifest's)",
    )
    table: TableOptions = group(
        TableOptions,
        "output",
        help={
            "output": "write all changes to FILE: .parquet, .csv or .jsonl (default: none)",
            "head": f"print the first N changes (default: {SHOWN})",
        },
    )
    journal: JournalChange = group(JournalChange)


def run(options: Options, _env: Mapping[str, str], console: Console) -> int:
    """Compare a batch with another one, print what changed and write it to a file."""
    agreement = agreement_of(options.journal.questions)
    with open_batch(find(options.batch, options.journal.location)) as (reader, batch):
        target = _target(options, reader, batch, agreement)
        earlier = _find_earlier(options, reader, batch)
        with comparing(reader, batch, earlier, dict(options.compare)) as changes:
            _check_names(options, changes)
            shown = _Shown(options.table.head or SHOWN)
            rows = shown.passing(changes.rows())
            if target is None:
                deque(rows, maxlen=0)
            else:
                _write(target, rows, changes, reader, options, agreement)
    if options.journal.reporting.json:
        put_document(DocumentType.DIFF, **_as_object(batch, earlier, changes.counts, shown, target))
        return ExitCode.OK
    if earlier is None:
        console.say(f"{batch.name} is the first batch of its journal, so each of its results is new.")
    put(_spell_counts(batch, earlier, changes.counts))
    for row in shown.rows:
        put(f"  {_spell_row(row)}")
    if shown.left_out:
        put(f"  and {several(shown.left_out, 'more change')}{'' if target else '; -o FILE writes them all'}")
    _say_carried(console, batch, changes.counts)
    if target is not None:
        put(str(target))
    return ExitCode.OK


class _Shown:
    """The first rows of a table, which are kept as they pass."""

    def __init__(self, number: int) -> None:
        self.rows: list[ChangeRow] = []
        self.left_out = 0
        self._number = number

    def passing(self, rows: Iterator[ChangeRow]) -> Iterator[ChangeRow]:
        """Yield the rows, and keep the first of them."""
        for row in rows:
            if len(self.rows) < self._number:
                self.rows.append(row)
            else:
                self.left_out += 1
            yield row


def _find_earlier(options: Options, reader: JournalReader, batch: Batch) -> Earlier | None:
    """Return the batch to compare with, by default the one before; None where there is none."""
    if options.other is None:
        before = reader.batch_before(batch.pk)
        return None if before is None else Earlier(batch=before)
    path = Path(options.other)
    if path.suffix == JOURNAL_SUFFIX and path.exists():
        place = Place(journal=path)
    else:
        place = find(options.other, options.journal.location)
    if place.journal.samefile(reader.path):
        earlier = Earlier(batch=batch_in(reader, place.batch))
        if earlier.batch.pk == batch.pk:
            raise WrongInput(
                f"{options.other} is the batch {batch.name} itself",
                remedy="Name another one; `batchfish ls` lists them.",
            )
        return earlier
    with open_reader(place.journal) as other:
        return Earlier(batch=batch_in(other, place.batch), journal=place.journal)


def _check_names(options: Options, changes: Changes) -> None:
    """Raise WrongInput if `--compare` names a property that no schema has."""
    known = {column.source or column.name for column in changes.plan.results}
    unknown = [name for name, _ in options.compare if known and name not in known]
    if unknown:
        raise WrongInput(
            f"--compare: no result has a property {unknown[0]!r}",
            remedy=f"There are: {', '.join(sorted(known))}.",
        )


def _target(options: Options, reader: JournalReader, batch: Batch, agreement: Agreement) -> Path | None:
    """Return the file to write, once it is known that it may be written; None without `-o`."""
    if options.table.output is None:
        return None
    target = options.table.output.absolute()
    if target == target_of(batch, None).path:
        raise WrongInput(
            f"{target} is the table of {batch.name} itself", remedy="Name another file with -o FILE."
        )
    check_output(reader, OutputFile(target), agreement)
    return target


def _write(
    target: Path,
    rows: Iterator[ChangeRow],
    changes: Changes,
    reader: JournalReader,
    options: Options,
    agreement: Agreement,
) -> None:
    """Write rows of changes to a file, which the journal then knows as its own."""
    from batchfish.table.frames import frames_of_changes, schema_of_changes
    from batchfish.table.write import write_frames

    is_exploded = changes.plan.explode is not None
    write_frames(
        target,
        schema_of_changes(is_exploded=is_exploded),
        lambda: frames_of_changes(rows, is_exploded=is_exploded),
        raw_csv=options.table.csv_raw,
        written=marks_of(reader),
        may_replace=agreement.has(Question.REPLACE_OUTPUT),
        record=lambda mark: leave_output(
            reader.path, str(target), json.dumps(to_builtins(mark)), time.time()
        ),
    )


def _spell_counts(batch: Batch, earlier: Earlier | None, counts: ChangeCounts) -> str:
    since = f" since {earlier.batch.name}" if earlier else ""
    parts = [several(counts.cells, "cell")] if counts.cells else []
    if counts.records:
        parts.append(f"{several(counts.records, 'record')} added or removed")
    inside = f" ({', '.join(parts)})" if parts else ""
    return (
        f"{batch.name}{since}: {several(counts.added, 'item')} added, {counts.removed:,} removed, "
        f"{counts.changed:,} changed{inside}, {counts.unchanged:,} unchanged"
    )


def _spell_row(row: ChangeRow) -> str:
    """Return a change on one line: `b3  price  12.99 → 9.99 (-3)`."""
    index = "" if row.record_index is None else f"[{row.record_index}]"
    item = f"{cut(row.item_id)}{index}"
    if row.column is None:
        return f"{item}  {row.change}"
    by = "" if row.difference is None else f" ({row.difference:+.10g})"
    return f"{item}  {cut(row.column)}  {_spell_value(row.before)} → {_spell_value(row.after)}{by}"


def _spell_value(value: Cell) -> str:
    text = spell_cell(value)
    return "(none)" if text is None else cut(text, _LONGEST_VALUE)


def _say_carried(console: Console, batch: Batch, counts: ChangeCounts) -> None:
    """Print how many items have no good result of this batch, and what was done with them."""
    if counts.carried:
        console.say(
            f"{are(counts.carried, 'item')} without a good result in {batch.name}: an earlier one is kept"
        )
    if counts.without:
        console.say(f"{several(counts.without, 'item')} never had a good result, and cannot be compared")


def _as_object(
    batch: Batch, earlier: Earlier | None, counts: ChangeCounts, shown: _Shown, table: Path | None
) -> dict[str, Any]:
    return {
        "batch": batch.name,
        "since": None if earlier is None else earlier.batch.name,
        "counts": to_builtins(counts),
        "changes": [row.as_texts()._asdict() for row in shown.rows],
        "left_out": shown.left_out,
        "table": None if table is None else str(table),
    }
