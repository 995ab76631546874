"""`batchfish results`: writes the table of a batch as it stands now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchfish.cli import locate, output
from batchfish.cli.console import put, put_object
from batchfish.cli.counts import count
from batchfish.cli.exits import ExitCode
from batchfish.errors import WrongInput

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping

    from batchfish.cli.console import Console


def run(args: Namespace, _env: Mapping[str, str], console: Console) -> int:
    """Write the table of a batch as it stands now."""
    place = locate.find(args.batch, args.journal, is_local=args.local)
    if args.failed and args.output is None:
        raise WrongInput("--failed leaves rows out: name a file of its own for them with -o FILE")
    with locate.open_for_reading(place) as (connection, batch):
        counts = count(connection, batch.pk)
    report = output.write_batch(
        place.journal,
        batch,
        args.output,
        args.agreement,
        raw_csv=args.csv_raw,
        failed_only=args.failed,
    )
    if counts.ended < counts.total:
        console.say(f"{batch.name} has not ended: {counts}")
    if args.head:
        put(output.show(report.path, args.head))
    if args.json:
        put_object(type="table", path=report.path, rows=report.rows, batch=batch.name)
    else:
        put(str(report.path))
    return ExitCode.OK
