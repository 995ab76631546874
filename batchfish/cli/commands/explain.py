"""`batchfish explain`: shows one item, its attempts and what happens next."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from msgspec import to_builtins

from batchfish.cli.console import put, spell_time
from batchfish.cli.cost import read_money, usd
from batchfish.cli.documents import DocumentType, put_document
from batchfish.cli.exits import ExitCode
from batchfish.cli.locate import find, open_batch, spell
from batchfish.cli.options import JournalLocation, Reporting, batch_option
from batchfish.cli.parser import Arguments, argument, group
from batchfish.cli.selection import item_called
from batchfish.cli.story import Shortfall, Story
from batchfish.core.budget import Room, max_steps_of, reserve, room_for, usual_steps
from batchfish.core.describe import cut
from batchfish.core.items import AttemptState, Status
from batchfish.core.rules import rules_from
from batchfish.core.settings import settings_from
from batchfish.journal.lock import owner_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchfish.cli.console import Console
    from batchfish.core.budget import Budget, Reservation
    from batchfish.core.items import Attempt, Item
    from batchfish.journal.queries import JournalReader
    from batchfish.journal.records import Batch, Request

LONGEST_GOAL = 300
NO_TIME = " " * len("2026-11-24 12:00:00Z")


class Options(Arguments, frozen=True, kw_only=True):
    """The options of `explain`."""

    item: str = argument("ITEM", "the id of an item")
    batch: str | None = batch_option()
    reporting: Reporting = group(Reporting, "output", only=("json",))
    location: JournalLocation = group(JournalLocation, "journal")


def run(options: Options, _env: Mapping[str, str], _console: Console) -> int:
    """Print what the journal knows of an item."""
    place = find(options.batch, options.location)
    with open_batch(place) as (reader, batch), reader.snapshot():
        item = item_called(reader, batch, options.item)
        request = reader.request_of(item.pk)
        story = _read_story(reader, batch, item, request, spell(place.journal, batch))
        findings = reader.results.findings_of(item.pk)
    if options.reporting.json:
        put_document(
            DocumentType.ITEM,
            batch=batch.name,
            url=request.url,
            goal=request.goal,
            attempts_made=[_as_object(attempt, story.reserved.get(attempt.k)) for attempt in story.attempts],
            suspicious=list(findings),
            money_events=to_builtins(story.money),
            story=[event._asdict() for event in story.events()],
            next=story.next_step(),
            reused_from=story.reused_from,
            **{name: getattr(item, name) for name in ("id", "status", "reason", "message", "row", "wanted")},
        )
        return ExitCode.OK
    put(f"{item.id} in {batch.name}, row {item.row}" + ("" if item.wanted else ", no longer in the manifest"))
    put(f"  url      {request.url}")
    put(f"  goal     {cut(' '.join(request.goal.split()), LONGEST_GOAL)}")
    for event in story.events():
        put(f"  {NO_TIME if event.at is None else spell_time(event.at)}  {event.event}")
    put(f"  status   {item.status}" + (f", {item.reason}" if item.reason not in {None, item.status} else ""))
    if because := story.because():
        put(f"  because  {because}")
    for evidence in findings:
        put(f"  suspect  {evidence}")
    put(f"  next     {story.next_step()}")
    for decision in story.decisions():
        put(f"           {decision}")
    return ExitCode.OK


def _read_story(reader: JournalReader, batch: Batch, item: Item, request: Request, name: str) -> Story:
    """Read the story of an item; `name` is how commands name its batch."""
    now = time.time()
    settings = settings_from(reader.settings(batch.pk))
    rules = settings.applied_to(rules_from(batch.manifest))
    return Story(
        item=item,
        batch=name,
        attempts=reader.attempts_of(item.pk),
        money=reader.money_events_of(item.pk),
        reserved=reader.reservations_of(item.pk),
        rules=rules,
        now=now,
        is_paused=settings.is_paused,
        is_owned=owner_of(reader.path) is not None,
        shortfall=(
            _read_shortfall(reader, batch, rules.budget, request, now)
            if item.status is Status.QUEUED and rules.budget is not None
            else None
        ),
        reused_from=reader.results.reused_from(item.pk),
    )


def _read_shortfall(
    reader: JournalReader, batch: Batch, budget: Budget, request: Request, now: float
) -> Shortfall | None:
    """Return why an item's next run would have to wait for the budget; None if it would not."""
    usual = usual_steps(budget, _steps_of_runs(reader, batch)) if budget.reserve == "p95" else None
    spending = read_money(reader, budget, batch.pk, batch.period, now).spending
    reservation = reserve(budget, max_steps_of(request.fields), usual)
    if room_for(budget, spending, reservation) is Room.NOW:
        return None
    return Shortfall(budget=budget, spending=spending, reservation=reservation)


def _steps_of_runs(reader: JournalReader, batch: Batch) -> Counter[int]:
    """Return how often each number of steps occurred among the ended runs of a batch."""
    attempts = (attempt for history in reader.histories(batch.pk) for attempt in history.attempts)
    ended = (attempt.steps for attempt in attempts if attempt.state is AttemptState.ENDED)
    return Counter(steps for steps in ended if steps is not None)


def _as_object(attempt: Attempt, reservation: Reservation | None) -> dict[str, Any]:
    """Return an attempt for JSON; without a budget its amounts are null."""
    reserved = cost = None
    if reservation is not None:
        reserved, cost = usd(reservation.amount), usd(reservation.cost_of(attempt))
    return {**to_builtins(attempt), "reserved_usd": reserved, "cost_usd": cost}
