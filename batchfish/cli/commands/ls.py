"""`batchfish ls`: lists the batches of the journals here."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from batchfish.cli import locate
from batchfish.cli.access import LOCAL_BASE
from batchfish.cli.console import put, put_object, spell_time
from batchfish.cli.counts import Counts, code_of, count
from batchfish.cli.exits import ExitCode
from batchfish.errors import StorageFailed
from batchfish.journal import queries
from batchfish.journal.files import connect

if TYPE_CHECKING:
    import sqlite3
    from argparse import Namespace
    from collections.abc import Mapping
    from pathlib import Path

    from batchfish.cli.console import Console
    from batchfish.journal.base import Batch


def run(args: Namespace, _env: Mapping[str, str], console: Console) -> int:
    """List the batches of the journals here and in the folders above; rehearsals too, marked as such."""
    remote = [] if args.local else locate.journals(is_local=False)
    journals = [args.journal] if args.journal else [*remote, *locate.journals(is_local=True)]
    found: list[dict[str, Any]] = []
    for journal in journals:
        try:
            with closing(connect(journal, read_only=True)) as connection:
                described = [_describe(connection, one, journal) for one in queries.all_batches(connection)]
            found += [one for one in described if one["local"] or not args.local]
        except StorageFailed as error:
            console.warn(str(error))  # what one file holds is no reason not to list the others
    if args.json:
        put_object(type="batches", batches=found)
        return ExitCode.OK
    if not found:
        console.say("No batch is known here or above.")
    width = max((len(one["batch"]) for one in found), default=0)
    for one in found:
        ended = "not finished" if one["exit_code"] is None else f"finished, exit {one['exit_code']}"
        put(
            f"{one['batch']:<{width}}  {spell_time(one['begun_at'])}  {ended:<16}  "
            f"{Counts(by_status=one['counts'])}{'  (local)' if one['local'] else ''}"
        )
    return ExitCode.OK


def _describe(connection: sqlite3.Connection, batch: Batch, journal: Path) -> dict[str, Any]:
    counts = count(connection, batch.pk)
    return {
        "batch": batch.name,
        "local": batch.base_url == LOCAL_BASE,
        "counts": dict(counts.by_status),
        "begun_at": batch.begun_at,
        "exit_code": code_of(batch, counts),
        "journal": str(journal),
    }
