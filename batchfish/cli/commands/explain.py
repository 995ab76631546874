"""`batchfish explain`: shows one item, its attempts and what happens next."""

from __future__ import annotations

import shlex
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from batchfish.cli.console import put, spell_time
from batchfish.cli.cost import usd
from batchfish.cli.documents import DocumentType, put_document
from batchfish.cli.exits import ExitCode
from batchfish.cli.locate import find, open_batch, spell
from batchfish.cli.options import JournalLocation, Reporting, batch_option
from batchfish.cli.parser import argument, group
from batchfish.cli.selection import item_called
from batchfish.core.budget import spell_usd
from batchfish.core.describe import several, spell_duration
from batchfish.core.items import AttemptState, Status
from batchfish.core.settings import settings_from
from batchfish.journal.lock import owner_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchfish.cli.console import Console
    from batchfish.core.budget import Reservation
    from batchfish.core.items import Attempt, Item

LONGEST_GOAL = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """The options of `explain`."""

    item: str = argument("ITEM", "the id of an item")
    batch: str | None = batch_option()
    reporting: Reporting = group(Reporting, "output", only=("json",))
    location: JournalLocation = group(JournalLocation, "journal")


def run(options: Options, _env: Mapping[str, str], _console: Console) -> int:
    """Print what the journal knows of an item."""
    place = find(options.batch, options.location)
    with open_batch(place) as (reader, batch):
        item = item_called(reader, batch, options.item)
        url, goal = reader.url_and_goal_of(item.pk)
        attempts = reader.attempts_of(item.pk)
        money = reader.money_events_of(item.pk)
        findings = reader.findings_of(item.pk)
        reserved = reader.reservations_of(item.pk)
        reused_from = reader.reused_from(item.pk)
        is_paused = settings_from(reader.settings(batch.pk)).is_paused
    is_owned = owner_of(place.journal) is not None
    following = next_step(item, spell(place.journal, batch), is_paused=is_paused, is_owned=is_owned)
    if options.reporting.json:
        put_document(
            DocumentType.ITEM,
            batch=batch.name,
            url=url,
            goal=goal,
            attempts_made=[_as_object(attempt, reserved.get(attempt.k)) for attempt in attempts],
            suspicious=list(findings),
            money_events=[event._asdict() for event in money],
            next=following,
            reused_from=reused_from,
            **{name: getattr(item, name) for name in ("id", "status", "reason", "message", "row", "wanted")},
        )
        return ExitCode.OK
    put(f"{item.id} in {batch.name}, row {item.row}" + ("" if item.wanted else ", no longer in the manifest"))
    put(f"  url      {url}")
    put(f"  goal     {' '.join(goal.split())[:LONGEST_GOAL]}")
    put(f"  status   {item.status}" + (f", {item.reason}" if item.reason else ""))
    if item.message:
        put(f"  because  {' '.join(item.message.split())}")
    if reused_from is not None:
        put(f"  result   taken from {reused_from}, which was young enough for `fresh_for`: no run was made")
    for attempt in attempts:
        put(f"  attempt {attempt.k}: {_spell_attempt(attempt, reserved.get(attempt.k))}")
    for evidence in findings:
        put(f"  suspect  {evidence}")
    for event in money:
        put(f"  money    {spell_time(event.at)}: {event.message}")
    for attempt in attempts:
        if attempt.state is AttemptState.HELD and item.status is not Status.HELD:
            decide = f"batchfish held list --batch {spell(place.journal, batch)}"
            put(f"  held     attempt {attempt.k} takes a slot until you decide about it: {decide}")
    put(f"  next     {following}")
    return ExitCode.OK


def next_step(item: Item, batch: str, *, is_paused: bool, is_owned: bool) -> str:
    """Return what happens to an item if nobody intervenes, or the command that makes something happen.

    `batch` is how commands name its batch, `is_owned` whether a process works on that.
    """
    match item.status:
        case Status.QUEUED if is_paused:
            return f"nothing, until you let its batch submit again: batchfish unpause {batch}"
        case Status.HELD:
            return f"nothing, until you decide about it: batchfish held list --batch {batch}"
        case Status.FAILED | Status.CANCELLED if item.wanted:
            chosen = f"{batch} --failed --item {shlex.quote(item.id)}"
            return f"nothing: it has ended; to make another attempt: batchfish retry {chosen}"
        case status if status.is_final:
            return "nothing: it has ended"
    goes_on = "" if is_owned else f"; no process is working on it now: batchfish resume {batch}"
    return _next_of_alive(item) + goes_on


def _next_of_alive(item: Item) -> str:
    match item.status:
        case Status.SUBMITTING:
            return "the answer to its create is awaited"
        case Status.UNANSWERED:
            return "its run is searched for; it is resubmitted only when it is proven that none exists"
        case Status.RUNNING:
            return "its run is followed to its end"
        case Status.CANCELLING:
            return "its run was asked to stop and is followed to its end"
        case _:
            due = f", not before {spell_time(item.due_at)}" if item.due_at > time.time() else ""
            return f"it is submitted when its turn comes{due}"


def _as_object(attempt: Attempt, reservation: Reservation | None) -> dict[str, Any]:
    """Return an attempt for JSON; without a budget its amounts are null."""
    reserved = cost = None
    if reservation is not None:
        reserved, cost = usd(reservation.amount), usd(reservation.cost_of(attempt))
    return {**asdict(attempt), "reserved_usd": reserved, "cost_usd": cost}


def _spell_attempt(attempt: Attempt, reservation: Reservation | None) -> str:
    parts = [f"{attempt.state}, sent {spell_time(attempt.intended_at)}"]
    if attempt.run_id:
        parts.append(f"run {attempt.run_id}" + (f" {attempt.run_status}" if attempt.run_status else ""))
    if attempt.started_at and attempt.finished_at:
        parts.append(f"took {spell_duration(attempt.finished_at - attempt.started_at)}")
    if attempt.steps is not None:
        parts.append(several(attempt.steps, "step"))
    if reservation is not None:
        cost = spell_usd(reservation.cost_of(attempt))
        is_known = attempt.steps is not None or not (attempt.state.is_open or attempt.run_id)
        parts.append(
            f"cost {cost}" if is_known else f"{cost} reserved, which counts until its steps are known"
        )
    if attempt.error_code or attempt.error_message:
        parts.append(f"{attempt.error_code or 'error'}: {attempt.error_message or ''}".rstrip(": "))
    elif attempt.cause:
        parts.append(attempt.cause)
    return "; ".join(parts)
