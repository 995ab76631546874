"""`status`, `results`, `explain` and `ls`: what a journal holds, read beside whoever works on it."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from batchfish.cli import places, tables
from batchfish.cli.counts import Counts, code_of, count
from batchfish.cli.exits import ExitCode
from batchfish.cli.messages import put
from batchfish.cli.planning import put_object
from batchfish.cli.selecting import item_called
from batchfish.cli.settings import LOCAL_BASE
from batchfish.core.describe import spell_duration
from batchfish.core.items import AttemptState, Status
from batchfish.errors import StorageFailed, WrongInput
from batchfish.journal import queries
from batchfish.journal.files import connect
from batchfish.journal.lock import owner_of

if TYPE_CHECKING:
    import sqlite3
    from argparse import Namespace
    from collections.abc import Mapping
    from pathlib import Path

    from batchfish.cli.messages import Console
    from batchfish.core.items import Attempt, Item
    from batchfish.journal.base import Batch

WATCH_EVERY = 2.0
RATE_OVER = 300.0
"""Seconds over which the rate of a batch is measured."""


def status(args: Namespace, _env: Mapping[str, str], _voice: Console) -> int:
    """Say how far a batch is, once or again and again."""
    place = places.find(args.batch, args.journal, is_local=args.local)
    while True:
        with places.open_for_reading(place) as (connection, batch):
            counts = count(connection, batch.pk)
            pace = measure(connection, batch.pk, counts, time.time())
        owner = owner_of(place.journal)
        if args.json:
            put_object(
                type="status",
                batch=batch.name,
                counts=dict(counts.by_status),
                total=counts.total,
                ended=counts.ended,
                exit_code=code_of(batch, counts),
                owner=owner,
                **pace,
            )
        else:
            put(_spell_status(batch, counts, pace, owner, place.journal))
        if not args.watch or counts.ended == counts.total:
            return ExitCode.OK
        time.sleep(WATCH_EVERY)


def measure(
    connection: sqlite3.Connection, batch: int, counts: Counts, now: float
) -> dict[str, float | None]:
    """Give the rate of the last minutes (items a minute) and the seconds left at it; None: not known."""
    number, first = queries.ended_since(connection, batch, now - RATE_OVER)
    if first is None or now <= first:
        return {"per_minute": None, "seconds_left": None}
    per_second = number / (now - first)
    left = counts.total - counts.ended
    return {"per_minute": round(per_second * 60, 1), "seconds_left": round(left / per_second) if left else 0}


def _spell_status(
    batch: Batch, counts: Counts, pace: Mapping[str, float | None], owner: int | None, journal: Path
) -> str:
    done = f"{batch.name}: {counts.ended:,} of {counts.total:,} done ({counts})"
    left = pace["seconds_left"]
    if owner is not None:
        rate = f"; {pace['per_minute']:g} a minute, about {spell_duration(left)} left" if left else ""
        return f"{done}; process {owner} is working on it{rate}"
    if counts.ended == counts.total:
        return done
    return f"{done}; no process is working on it; go on with: batchfish resume {places.spell(journal, batch)}"


def results(args: Namespace, _env: Mapping[str, str], console: Console) -> int:
    """Write the table of a batch as it stands now."""
    place = places.find(args.batch, args.journal, is_local=args.local)
    if args.failed and args.output is None:
        raise WrongInput("--failed leaves rows out: name a file of its own for them with -o FILE")
    with places.open_for_reading(place) as (connection, batch):
        counts = count(connection, batch.pk)
    report = tables.write_batch(
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
        put(tables.show(report.path, args.head))
    if args.json:
        put_object(type="table", path=report.path, rows=report.rows, batch=batch.name)
    else:
        put(str(report.path))
    return ExitCode.OK


def explain(args: Namespace, _env: Mapping[str, str], _voice: Console) -> int:
    """Tell everything about one item: what it asks, its attempts, why it stands so, and what comes next."""
    place = places.find(args.batch, args.journal, is_local=args.local)
    with places.open_for_reading(place) as (connection, batch):
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
        put(f"  money    {_spell_time(event.at)}: {event.message}")
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
                f", not before {_spell_time(item.due_at)}" if item.due_at > time.time() else ""
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
    parts = [f"{attempt.state}, sent {_spell_time(attempt.intended_at)}"]
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


def _spell_time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def list_batches(args: Namespace, _env: Mapping[str, str], console: Console) -> int:
    """List the batches of the journals here and in the folders above; rehearsals too, marked as such."""
    remote = [] if args.local else places.journals(is_local=False)
    journals = [args.journal] if args.journal else [*remote, *places.journals(is_local=True)]
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
            f"{one['batch']:<{width}}  {_spell_time(one['begun_at'])}  {ended:<16}  "
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
