"""What a command is about among the items of a batch: `--limit`, `--sample`, `--item` and `--where`."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

from batchfish.errors import WrongInput
from batchfish.journal import ingest, reading

if TYPE_CHECKING:
    import sqlite3
    from argparse import Namespace
    from collections.abc import Mapping, Sequence

    from batchfish.journal.base import Batch, Row
    from batchfish.journal.sqlite import SqliteJournal


def is_asked_for(args: Namespace) -> bool:
    """Whether flags select some of the items."""
    return bool(args.item or args.where) or args.limit is not None or args.sample is not None


def selects_any(args: Namespace, connection: sqlite3.Connection, variables: Mapping[str, str]) -> bool:
    """Whether flags leave any of the staged rows; WrongInput where they are wrong: nothing has begun yet."""
    if not is_asked_for(args):
        return True
    return bool(choose(args, ingest.staged(connection), variables))


def count_to_submit(args: Namespace, connection: sqlite3.Connection, variables: Mapping[str, str]) -> int:
    """Count the staged and compared rows that `run` with these flags would submit."""
    waiting = ingest.rows_to_submit(connection)
    if is_asked_for(args):
        waiting &= frozenset(choose(args, ingest.staged(connection), variables))
    return len(waiting)


def select(args: Namespace, journal: SqliteJournal, batch: Batch) -> None:
    """Choose what may be submitted in this process; nothing of it is stored."""
    chosen = None
    if is_asked_for(args):
        rows = reading.wanted_rows(journal.connection, batch.pk)
        chosen = choose(args, rows, batch.manifest.get("variables", {}))
    journal.select(chosen)


def choose(args: Namespace, rows: Sequence[Row], variables: Mapping[str, str]) -> list[int]:
    """Give the keys of the rows that flags select, in manifest order; `variables` are the manifest's."""
    if args.item:
        unknown = set(args.item) - {row.id for row in rows}
        if unknown:
            raise WrongInput(f"no item is called {', '.join(sorted(unknown))}")
        rows = [row for row in rows if row.id in args.item]
    if args.where:
        rows = _keep_where(args.where, rows, variables)
    if args.sample is not None:
        rows = sorted(random.sample(rows, min(args.sample, len(rows))))
    return [row.key for row in rows[: args.limit]]


def _keep_where(where: str, rows: Sequence[Row], variables: Mapping[str, str]) -> list[Row]:
    from batchfish.core.expressions import ExpressionFailed, InvalidExpression, compile_condition

    try:
        condition = compile_condition(where)
        return [
            row
            for row in rows
            if condition.holds({**variables, **json.loads(row.inputs), "id": row.id, "url": row.url})
        ]
    except (InvalidExpression, ExpressionFailed) as error:
        raise WrongInput(f"--where: {error}") from None
