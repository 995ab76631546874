"""`batchfish explain`: shows one item, its attempts and what happens next."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from batchfish.cli import locate
from batchfish.cli.console import put, put_object, spell_time
from batchfish.cli.exits import ExitCode
from batchfish.cli.selection import item_called
from batchfish.core.describe import spell_duration
from batchfish.core.items import AttemptState, Status
from batchfish.journal import queries

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping

    from batchfish.cli.console import Console
    from batchfish.core.items import Attempt, Item


def run(args: Namespace, _env: Mapping[str, str], _voice: Console) -> int:
    """Tell everything about one item: what it asks, its attempts, why it stands so, and what comes next."""
    place = locate.find(args.batch, args.journal, is_local=args.local)
    with locate.open_for_reading(place) as (connection, batch):
        item = item_called(connection, batch, args.item)
        url, goal = queries.question_of(connection, item.pk)
        attempts = queries.attempts_of(connection, item.pk)
        money = queries.money_events_of(connection, item.pk)
    if args.json:
        put_object(
            type="item",
            batch=batch.name,
            url=url,
            goal=goal,
            attempts_made=[asdict(attempt) for attempt in attempts],
            money_events=[event._asdict() for event in money],
            next=what_is_next(item),
            **{name: getattr(item, name) for name in ("id", "status", "reason", "message", "row", "wanted")},
        )
        return ExitCode.OK
    put(f"{item.id} in {batch.name}, row {item.row}" + ("" if item.wanted else ", no longer in the manifest"))
    put(f"  url      {url}")
    put(f"  goal     {' '.join(goal.split())[:300]}")
    put(f"  status   {item.status}" + (f", {item.reason}" if item.reason else ""))
    if item.message:
        put(f"  because  {' '.join(item.message.split())}")
    for attempt in attempts:
        put(f"  attempt {attempt.k}: {_spell_attempt(attempt)}")
    for event in money:
        put(f"  money    {spell_time(event.at)}: {event.message}")
    for attempt in attempts:
        if attempt.state is AttemptState.HELD and item.status is not Status.HELD:
            put(f"  held     attempt {attempt.k} takes a slot until a person decides: batchfish held")
    put(f"  next     {what_is_next(item)}")
    return ExitCode.OK


def what_is_next(item: Item) -> str:
    """Say what happens to an item without anybody's doing."""
    match item.status:
        case Status.QUEUED:
            return "it is submitted when its turn comes" + (
                f", not before {spell_time(item.due_at)}" if item.due_at > time.time() else ""
            )
        case Status.SUBMITTING:
            return "the answer to its create is awaited"
        case Status.UNANSWERED:
            return "the API is searched for a run of it; it is sent again only if there surely is none"
        case Status.RUNNING:
            return "its run is followed to its end"
        case Status.CANCELLING:
            return "its run was asked to stop and is followed to its end"
        case Status.HELD:
            return "nothing, until a person decides: batchfish held"
        case _:
            return "nothing: it has ended"


def _spell_attempt(attempt: Attempt) -> str:
    parts = [f"{attempt.state}, sent {spell_time(attempt.intended_at)}"]
    if attempt.run_id:
        parts.append(f"run {attempt.run_id}" + (f" {attempt.run_status}" if attempt.run_status else ""))
    if attempt.started_at and attempt.finished_at:
        parts.append(f"took {spell_duration(attempt.finished_at - attempt.started_at)}")
    if attempt.steps is not None:
        parts.append(f"{attempt.steps} step{'s' if attempt.steps != 1 else ''}")
    if attempt.error_code or attempt.error_message:
        parts.append(f"{attempt.error_code or 'error'}: {attempt.error_message or ''}".rstrip(": "))
    elif attempt.cause:
        parts.append(attempt.cause)
    return "; ".join(parts)
