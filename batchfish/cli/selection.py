"""What a command is about among the items of a batch: `--limit`, `--sample`, `--item` and `--where`."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

from batchfish.errors import WrongInput
from batchfish.journal import ingest, queries

if TYPE_CHECKING:
    import sqlite3
    from argparse import Namespace
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from batchfish.core.items import Item
    from batchfish.journal.base import Batch, Row
    from batchfish.journal.sqlite import SqliteJournal


def is_asked_for(args: Namespace) -> bool:
    """Whether flags select some of the items."""
    return bool(args.item) or any(one is not None for one in (args.where, args.limit, args.sample))


def selects_any(args: Namespace, connection: sqlite3.Connection, variables: Mapping[str, str]) -> bool:
    """Whether flags leave any of the staged rows; WrongInput where they are wrong: nothing has begun yet."""
    if not is_asked_for(args):
        return True
    return bool(choose(args, ingest.staged(connection), variables))


def count_to_submit(args: Namespace, connection: sqlite3.Connection, variables: Mapping[str, str]) -> int:
    """Count the staged and compared rows that `run` with these flags would submit."""
    if args.drain:
        return 0
    waiting = ingest.rows_to_submit(connection)
    if is_asked_for(args):
        waiting &= frozenset(choose(args, ingest.staged(connection), variables))
    return len(waiting)


def select(
    args: Namespace, journal: SqliteJournal, batch: Batch, among: AbstractSet[int] | None = None
) -> None:
    """Choose what may be submitted in this process, `among` these items alone; nothing of it is stored."""
    chosen = None
    if is_asked_for(args):
        rows = queries.wanted_rows(journal.connection, batch.pk)
        chosen = choose(args, rows, batch.manifest.get("variables", {}), among)
    journal.select(chosen)


def choose_to_cancel(args: Namespace, connection: sqlite3.Connection, batch: Batch) -> list[int] | None:
    """Return the keys of the items that a `cancel` is about; None where it is about all of them.

    Items that the manifest no longer asks for may be named, too. WrongInput where an item is not known.
    """
    names = [*args.items, *args.item]
    if not names and args.where is None:
        return None
    chosen = [item_called(connection, batch, name).pk for name in names]
    if args.where is None:
        return chosen
    among = set(chosen if names else queries.not_ended(connection, batch.pk))
    rows = [row for row in queries.all_rows(connection, batch.pk) if row.key in among]
    return [row.key for row in _keep_where(args.where, rows, batch.manifest.get("variables", {}))]


def item_called(connection: sqlite3.Connection, batch: Batch, name: str) -> Item:
    """Return the item of a batch that has this id, preferring one that the manifest still asks for."""
    item = queries.find_item(connection, batch.pk, name)
    if item is None:
        raise WrongInput(f"{batch.name} has no item {name!r}")
    return item


def choose(
    args: Namespace,
    rows: Sequence[Row],
    variables: Mapping[str, str],
    among: AbstractSet[int] | None = None,
) -> list[int]:
    """Return the keys of the rows that options select, in manifest order; `variables` are the manifest's.

    Only rows whose keys are `among` these are counted, but any row may be named.
    """
    if args.item:
        unknown = set(args.item) - {row.id for row in rows}
        if unknown:
            raise WrongInput(f"no item is called {', '.join(sorted(unknown))}")
        rows = [row for row in rows if row.id in args.item]
    if among is not None:
        rows = [row for row in rows if row.key in among]
    if args.where is not None:
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
