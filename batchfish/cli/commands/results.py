"""`batchfish results`: writes the table of a batch with the results so far."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from batchfish.cli.agreement import agreement_of
from batchfish.cli.console import put
from batchfish.cli.counts import count
from batchfish.cli.documents import DocumentType, put_document
from batchfish.cli.exits import ExitCode
from batchfish.cli.locate import find, open_batch, spell
from batchfish.cli.options import JournalChange, TableOptions, batch_argument
from batchfish.cli.output import preview_of, write_batch
from batchfish.cli.parser import Arguments, flag, group
from batchfish.cli.requests import leave_output
from batchfish.errors import WrongUsage
from batchfish.journal.lock import owner_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchfish.cli.console import Console


class Options(Arguments, frozen=True, kw_only=True):
    """The options of `results`."""

    batch: str | None = batch_argument()
    failed: bool = flag(
        "--failed", help="write only the items that failed, were cancelled or are held; needs -o"
    )
    table: TableOptions = group(
        TableOptions, "output", help={"head": "print the first N rows of the table (default: none)"}
    )
    journal: JournalChange = group(JournalChange)


def run(options: Options, _env: Mapping[str, str], console: Console) -> int:
    """Write the table of a batch, also while another process runs the batch."""
    place = find(options.batch, options.journal.location)
    if options.failed and options.table.output is None:
        raise WrongUsage("--failed leaves rows out", remedy="Name another file for them with -o FILE.")
    with open_batch(place) as (reader, batch):
        counts = count(reader, batch.pk)
    report = write_batch(
        place.journal,
        batch,
        options.table,
        agreement_of(options.journal.questions),
        partial(leave_output, place.journal),
        failed_only=options.failed,
    )
    if counts.ended < counts.total:
        goes_on = f"; go on with: batchfish resume {spell(place.journal, batch)}"
        owner = owner_of(place.journal)
        working = goes_on if owner is None else f"; process {owner} is working on it"
        console.say(f"{batch.name} has not ended: {counts}{working}")
    if options.table.head:
        put(preview_of(report.path, options.table.head, as_json=options.journal.reporting.json))
    if options.journal.reporting.json:
        put_document(DocumentType.TABLE, path=report.path, rows=report.rows, batch=batch.name)
    else:
        put(str(report.path))
    return ExitCode.OK
