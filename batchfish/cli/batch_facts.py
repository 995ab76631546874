"""Gathers from a journal what the report of a batch says."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Any

from batchfish import __version__
from batchfish.cli.access import spell_api
from batchfish.cli.changes import Earlier, comparing
from batchfish.cli.cost import read_cost
from batchfish.cli.counts import Counts, finished_code
from batchfish.cli.locate import spell
from batchfish.cli.story import decisions_about
from batchfish.core.budget import spell_usd
from batchfish.core.describe import spell_bounds
from batchfish.core.diff import spell_cell
from batchfish.core.items import Status
from batchfish.core.rules import budget_from, rules_from
from batchfish.core.settings import BUDGET
from batchfish.core.window import AUTO, Bounds, parse_bounds
from batchfish.journal.lock import owner_of
from batchfish.report.facts import (
    BatchFacts,
    Bound,
    ChangeLine,
    ChangesSince,
    HeldItem,
    LoggedEvent,
    NextStep,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from batchfish.core.diff import Cell
    from batchfish.journal.queries import JournalReader
    from batchfish.journal.records import Batch, HeldAttempt, SettingChange
    from batchfish.table.changes import ChangeRow


MOST_CHANGES = 100
"""Changes that a report shows."""

LONGEST_CELL = 200
"""Characters of a changed cell that are kept; one may hold megabytes."""


def facts_of(
    reader: JournalReader,
    batch: Batch,
    now: float,
    changes: ChangesSince | None,
    *,
    is_owner: bool = False,
) -> BatchFacts:
    """Return the facts of a batch at the moment `now`, in epoch seconds.

    `changes` is what `changes_of` returned, which reads a snapshot of its own. `is_owner` is true for the
    process that has just worked on the batch, and still owns its journal.
    """
    name = spell(reader.path, batch)
    counts = Counts(by_status=reader.counts(batch.pk))
    rules = rules_from(batch.manifest)
    bounds = rules.limits.concurrency or AUTO
    set_later = reader.setting_changes(batch.pk)
    later = list(_later_bounds(set_later, bounds))
    money = read_cost(reader, batch, now).money
    owner = None if is_owner else owner_of(reader.path)
    code = finished_code(reader, batch, count_others=False)
    return BatchFacts(
        name=batch.name,
        description=batch.manifest.get("description"),
        api=spell_api(batch.base_url),
        manifest=batch.manifest_path,
        began_at=batch.begun_at,
        ended_at=None if code is None else batch.ended_at,
        now=now,
        counts=counts.by_status,
        version=__version__,
        exit_code=code,
        owner=owner if code is None else None,
        bounds=[Bound(batch.begun_at, bounds.most), *later],
        bound_name=spell_bounds(bounds) + (", until it was changed" if later else ""),
        price=None if rules.budget is None else rules.budget.step_price,
        spending=None if money is None else str(money),
        changes=changes,
        explain=f"batchfish explain --batch {name}",
        next_steps=list(_next_steps(name, counts, is_free=code is None and owner is None)),
        held=_held(reader.held_attempts(batch.pk), name),
        settings=dict(_flatten(_settings(batch.manifest))),
        events=_events(reader, batch, set_later),
    )


def changes_of(reader: JournalReader, batch: Batch) -> ChangesSince | None:
    """Return what changed in a batch since the one before in its journal; None for the first batch."""
    before = reader.batch_before(batch.pk)
    if before is None:
        return None
    with comparing(reader, batch, Earlier(batch=before)) as changes:
        rows = changes.rows()
        lines = [_change_line(row) for row in islice(rows, MOST_CHANGES)]
        total = len(lines) + sum(1 for _ in rows)
    counts = changes.counts
    return ChangesSince(
        since=before.name,
        added=counts.added,
        removed=counts.removed,
        changed=counts.changed,
        unchanged=counts.unchanged,
        cells=counts.cells,
        carried=counts.carried,
        lines=lines,
        total=total,
        command=f"batchfish diff {spell(reader.path, batch)}",
    )


def _change_line(row: ChangeRow) -> ChangeLine:
    return ChangeLine(
        row.item_id,
        row.url,
        row.change,
        row.column,
        _shorten(row.before),
        _shorten(row.after),
        row.difference,
    )


def _shorten(cell: Cell) -> str | None:
    text = spell_cell(cell)
    return None if text is None else text[:LONGEST_CELL]


def _next_steps(name: str, counts: Counts, *, is_free: bool) -> Iterator[NextStep]:
    """Yield the commands that continue from here; `is_free` is true if no process works on the batch."""
    if is_free:
        yield NextStep("continue the batch", f"batchfish resume {name}")
    if counts[Status.FAILED]:
        yield NextStep("make another attempt for what failed", f"batchfish retry {name} --failed")
    if counts.not_ok:
        yield NextStep("write what is not fine to a file", f"batchfish results {name} --failed -o failed.csv")
    yield NextStep("write the table", f"batchfish results {name}")
    yield NextStep("see all that is known of an item", f"batchfish explain --batch {name} ITEM")


def _held(attempts: Sequence[HeldAttempt], name: str) -> list[HeldItem]:
    """Return the held attempts with the commands that decide about each."""
    items = [one.item for one in attempts]
    return [
        HeldItem(
            id=one.id,
            url=one.url,
            k=one.k,
            why=one.reason if one.status is Status.HELD else f"{one.reason} (the item is {one.status})",
            message=one.message,
            run_id=one.run_id,
            commands=[
                command
                for _, command in decisions_about(
                    one, one.run_id, name, one.k if items.count(one.item) > 1 else None
                )
            ],
        )
        for one in attempts
    ]


def _later_bounds(changes: Sequence[SettingChange], bounds: Bounds) -> Iterator[Bound]:
    """Yield the bounds that a person set while the batch ran."""
    for change in changes:
        if change.name == "concurrency":
            yield Bound(change.at, (_bounds_from(change.value) or bounds).most)


def _bounds_from(value: object) -> Bounds | None:
    """Return the bounds that a setting holds; None for the manifest's."""
    match value:
        case {"least": int(least), "start": int(start), "most": int(most)}:
            return Bounds(least=least, start=start, most=most)
        case int() | str():
            return parse_bounds(str(value))
        case _:
            return None


def _settings(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a stored manifest sets, in the order in which a report shows it."""
    rules, defaults = manifest["rules"], manifest.get("defaults") or {}
    budget = budget_from(manifest)
    money = {"budget": None if budget is None else budget.as_written}
    return {"period": manifest.get("period"), "goal": defaults.get("goal"), **rules, **money}


def _flatten(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield settings as a manifest names them, `limits.halt`, except those that are not set."""
    for name, value in settings.items():
        match value:
            case None | []:
                continue
            case {"least": int()} | {"is_percent": bool()}:
                yield prefix + name, _spell_setting(value)
            case dict():
                yield from _flatten(value, f"{prefix}{name}.")
            case _:
                yield prefix + name, _spell_setting(value)


def _spell_setting(value: object) -> str:
    match value:
        case {"least": int()}:
            return str(_bounds_from(value))
        case {"is_percent": bool(is_percent), "value": float() | int() as number}:
            return f"{number:g} %" if is_percent else f"{number:g}"
        case str():
            return value
        case float():
            return f"{value:g}"
        case _:
            return json.dumps(value, ensure_ascii=False)


def _events(reader: JournalReader, batch: Batch, changes: Sequence[SettingChange]) -> list[LoggedEvent]:
    """Return what was recorded about money, and what a person set while the batch ran, in order."""
    set_to = [LoggedEvent(one.at, None, _spell_change(one)) for one in changes]
    money = [LoggedEvent(one.at, one.item, one.message) for one in reader.money_events_in(batch.pk)]
    return sorted([*set_to, *money], key=lambda event: event.at)


def _spell_change(change: SettingChange) -> str:
    if change.value is None:
        return f"{change.name} was set back to the manifest's"
    is_money = change.name == BUDGET and isinstance(change.value, int)
    spelled = spell_usd(change.value) if is_money else _spell_setting(change.value)
    return f"{change.name} was set to {spelled}"
