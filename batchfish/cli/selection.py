"""Selects items of a batch by `--item`, `--where`, `--limit` and `--sample`."""

from __future__ import annotations

import json
import random
from itertools import islice
from typing import TYPE_CHECKING

from batchfish.core.describe import cut, nearest
from batchfish.errors import WrongInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from batchfish.cli.options import Selection
    from batchfish.core.items import Item
    from batchfish.journal.ingest import StagedRows
    from batchfish.journal.queries import JournalReader
    from batchfish.journal.records import Batch, Row
    from batchfish.journal.sqlite import SqliteJournal

EXAMPLES = 3
COMPARED_IDS = 5_000
"""The ids among which one that was mistyped is looked for: more would take seconds."""


def selects_any(selection: Selection, staged: StagedRows, variables: Mapping[str, str]) -> bool:
    """Return whether a selection leaves any staged row; WrongInput if the selection is wrong."""
    return not selection.is_given or bool(choose(selection, staged.rows(), variables))


def choose_staged(
    selection: Selection, staged: StagedRows, variables: Mapping[str, str]
) -> frozenset[int] | None:
    """Return the numbers of the selected staged rows; None if all of them are selected."""
    return frozenset(choose(selection, staged.rows(), variables)) if selection.is_given else None


def select(
    selection: Selection, journal: SqliteJournal, batch: Batch, among: AbstractSet[int] | None = None
) -> None:
    """Restrict what this process submits to the selected items, `among` these alone; nothing is stored."""
    chosen = None
    if selection.is_given:
        rows = journal.reader.wanted_rows(batch.pk)
        chosen = choose(selection, rows, batch.manifest.get("variables", {}), among)
    journal.select(chosen)


def choose_to_cancel(
    selection: Selection, names: Sequence[str], reader: JournalReader, batch: Batch
) -> list[int] | None:
    """Return the keys of the items that a `cancel` is about; None where it is about all of them.

    Items that the manifest no longer asks for can be named, too. WrongInput if an item is not known.
    """
    names = [*names, *selection.item]
    if not names and selection.where is None:
        return None
    chosen = [item_called(reader, batch, name).pk for name in names]
    if selection.where is None:
        return chosen
    among = set(chosen if names else reader.not_ended(batch.pk))
    rows = [row for row in reader.all_rows(batch.pk) if row.key in among]
    return [row.key for row in _keep_where(selection.where, rows, batch.manifest.get("variables", {}))]


def item_called(reader: JournalReader, batch: Batch, name: str) -> Item:
    """Return the item of a batch that has this id, preferring one that the manifest still asks for."""
    item = reader.find_item(batch.pk, name)
    if item is None:
        hint = _hint_at(name, list(reader.wanted_rows(batch.pk)))
        raise WrongInput(f"{batch.name} has no item {name!r}", remedy=hint)
    return item


def _hint_at(name: str, rows: Sequence[Row]) -> str:
    """Return what the ids of a batch's items are like, or the id that was probably meant."""
    same_url = next((row.id for row in rows if row.url == name), None)
    meant = same_url or nearest(name, [row.id for row in rows[:COMPARED_IDS]])
    if meant:
        return f"Did you mean {cut(meant)}?"
    known = ", ".join(cut(row.id) for row in rows[:EXAMPLES])
    return f"Its items have ids such as {known}; `batchfish results` writes them all."


def choose(
    selection: Selection,
    rows: Iterable[Row],
    variables: Mapping[str, str],
    among: AbstractSet[int] | None = None,
) -> list[int]:
    """Return the keys of the selected rows, in manifest order; `variables` are the manifest's.

    Only rows whose keys are `among` these are returned, but any row can be named. Of a million rows none but
    those that are selected are kept in memory, and no more are read than `limit` asks for.
    """
    if selection.item:
        rows = _keep_named(set(selection.item), rows)
    if among is not None:
        rows = (row for row in rows if row.key in among)
    if selection.where is not None:
        rows = _keep_where(selection.where, rows, variables)
    keys: Iterable[int] = (row.key for row in rows)
    if selection.sample is not None:
        keys = list(keys)
        keys = sorted(random.sample(keys, min(selection.sample, len(keys))))
    return list(islice(keys, selection.limit))


def _keep_named(names: AbstractSet[str], rows: Iterable[Row]) -> list[Row]:
    named = [row for row in rows if row.id in names]
    if unknown := names - {row.id for row in named}:
        raise WrongInput(f"no item is called {', '.join(sorted(unknown))}")
    return named


def _keep_where(where: str, rows: Iterable[Row], variables: Mapping[str, str]) -> Iterator[Row]:
    from batchfish.core.expressions import ExpressionFailed, InvalidExpression, compile_condition

    try:
        condition = compile_condition(where)
        for row in rows:
            if condition.holds({**variables, **json.loads(row.inputs), "id": row.id, "url": row.url}):
                yield row
    except (InvalidExpression, ExpressionFailed) as error:
        raise WrongInput(f"--where: {error}") from None
