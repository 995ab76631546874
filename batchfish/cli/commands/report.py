"""`batchfish report`: writes a page about a batch, one HTML file to look at."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from batchfish.cli.agreement import agreement_of
from batchfish.cli.console import put
from batchfish.cli.documents import DocumentType, put_document
from batchfish.cli.exits import ExitCode
from batchfish.cli.locate import find, open_batch
from batchfish.cli.options import JournalChange, batch_argument
from batchfish.cli.output import write_report
from batchfish.cli.parser import Arguments, group, option
from batchfish.cli.requests import leave_output

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchfish.cli.console import Console


class Options(Arguments, frozen=True, kw_only=True):
    """The options of `report`."""

    batch: str | None = batch_argument()
    output: Path | None = option(
        "-o",
        "--output",
        metavar="FILE",
        parse=Path,
        help="write the page to FILE, which ends with .html (default: results/BATCH.html)",
    )
    journal: JournalChange = group(JournalChange)


def run(options: Options, _env: Mapping[str, str], _console: Console) -> int:
    """Write the report of a batch, also while another process runs the batch."""
    place = find(options.batch, options.journal.location)
    with open_batch(place) as (_, batch):
        pass
    path = write_report(
        place.journal,
        batch,
        options.output,
        agreement_of(options.journal.questions),
        partial(leave_output, place.journal),
    )
    if options.journal.reporting.json:
        put_document(DocumentType.REPORT, path=path, batch=batch.name)
    else:
        put(str(path))
    return ExitCode.OK
