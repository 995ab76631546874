"""`batchfish held`: lists the attempts that wait for a person's decision, and carries out decisions."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING

from msgspec import Struct

from batchfish.cli.access import reach
from batchfish.cli.agreement import Question, agreement_of
from batchfish.cli.console import put
from batchfish.cli.documents import DocumentType, put_document
from batchfish.cli.exits import ExitCode
from batchfish.cli.factory import open_context, owned_journal
from batchfish.cli.locate import Place, batch_in, find, open_batch, spell
from batchfish.cli.options import (
    ApiOptions,
    JournalLocation,
    Pace,
    Questions,
    Reporting,
    batch_option,
    count,
)
from batchfish.cli.parser import Arguments, argument, given, group, one_of, option
from batchfish.cli.preflight import ask_short_settle
from batchfish.cli.selection import item_called
from batchfish.core import identity
from batchfish.core.describe import several
from batchfish.core.events import Adopted, CancelRequested, ProvenAbsent, RetryRequested
from batchfish.core.items import Status
from batchfish.core.rules import rules_from
from batchfish.errors import WrongInput, WrongUsage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchfish.cli.console import Console
    from batchfish.core.items import Item
    from batchfish.journal.records import Batch, HeldAttempt
    from batchfish.journal.sqlite import SqliteJournal
    from batchfish.pipeline.context import Context


class Options(Arguments, frozen=True, kw_only=True):
    """The options of `held`."""

    decision: str = argument(
        "DECISION",
        "list (the default), adopt ITEM RUN, resubmit ITEM or drop ITEM",
        parse=one_of("list", "adopt", "resubmit", "drop"),
        default="list",
        is_optional=True,
    )
    item: str | None = argument("ITEM", "the id of an item", is_optional=True)
    run_id: str | None = argument("RUN", "the id of the run to adopt", is_optional=True)
    attempt: int | None = option(
        "--attempt",
        metavar="K",
        parse=count,
        help="decide about the item's K-th attempt, where several are held",
    )
    batch: str | None = batch_option()
    reporting: Reporting = group(Reporting, "output", only=("json",))
    location: JournalLocation = group(JournalLocation, "journal")
    api: ApiOptions = group(ApiOptions, "API")
    questions: Questions = group(Questions, "questions")


def run(options: Options, env: Mapping[str, str], console: Console) -> int:
    """List the held attempts, or carry out a decision about one of them."""
    place = find(options.batch, options.location)
    if options.decision == "list":
        _refuse_options_of_decisions(options)
        return _list_held(options, place, console)
    if options.item is None or (options.decision == "adopt") != (options.run_id is not None):
        raise WrongUsage(
            f"`held {options.decision}` has too few or too many arguments",
            remedy="Write `held adopt ITEM RUN`, `held resubmit ITEM` or `held drop ITEM`.",
        )
    with ExitStack() as stack:
        agreement = agreement_of(options.questions)
        journal = stack.enter_context(owned_journal(place.journal, agreement))
        batch = batch_in(journal.reader, place.batch)
        decision = _find_attempt(options, options.item, journal, batch)
        if options.decision == "resubmit":
            agreement.ask(
                Question.RESUBMIT_HELD, f"{decision.item.id} is paid for twice if its earlier run exists."
            )
        access = reach(options.api, env, batch, stack)
        ask_short_settle(Pace(), rules_from(batch.manifest), access, agreement)

        async def carry_out() -> None:
            async with open_context(
                journal, batch, access, env, console, pace=Pace(), agreement=agreement
            ) as ctx:
                match options.decision:
                    case "adopt":
                        await _adopt(ctx, decision, options.run_id or "")
                    case "resubmit":
                        _resubmit(ctx, decision)
                    case _:
                        _drop(ctx, decision)
                journal.reopen(batch.pk)
                await journal.commit()

        asyncio.run(carry_out())
        item = journal.item(decision.item.pk)
        console.say(
            f"{item.id} is {item.status} now; go on with: batchfish resume {spell(journal.path, batch)}"
        )
        if options.reporting.json:
            put_document(
                DocumentType.DECISION,
                batch=batch.name,
                id=item.id,
                status=item.status,
                decision=options.decision,
            )
    return ExitCode.OK


def _refuse_options_of_decisions(options: Options) -> None:
    """Raise WrongUsage if `held list` has an argument that only a decision can use."""
    names = [*given(options.api), *given(options.api.agent)]
    if options.attempt is not None:
        names.append("--attempt")
    if options.item is not None or names:
        raise WrongUsage(
            "`held list` lists every held attempt and sends nothing",
            remedy=f"Leave out {options.item or names[0]}.",
        )


class _Decision(Struct, frozen=True, kw_only=True):
    """An item to decide about, and the number `k` of its held attempt.

    `k` is None for an item without a held attempt, which can only adopt a run. `is_last` is true if the item
    is held and has no other held attempt.
    """

    item: Item
    k: int | None
    is_last: bool = False


def _find_attempt(options: Options, name: str, journal: SqliteJournal, batch: Batch) -> _Decision:
    """Find the held attempt of the item of this id or key; WrongInput if there is none, or several."""
    waiting = journal.reader.held_attempts(batch.pk)
    named = [one for one in waiting if name in {one.id, one.key}]
    chosen = [one for one in named if options.attempt in {None, one.k}]
    if not named:
        item = item_called(journal.reader, batch, name)
        if options.decision == "adopt" and item.status is Status.QUEUED and options.attempt is None:
            return _Decision(item=item, k=None)
        raise WrongInput(f"{item.id} is {item.status}, not held: there is nothing to decide about it")
    if len(chosen) != 1:
        listed = "; ".join(f"{one.key} attempt {one.k}: {_spell_held(one)}" for one in named)
        by_key = ", and its item by its key" if len({one.item for one in named}) > 1 else ""
        raise WrongInput(
            f"{name} has {several(len(named), 'held attempt')} ({listed})",
            remedy=f"Name one with --attempt K{by_key}.",
        )
    (one,) = chosen
    item = journal.item(one.item)
    if options.decision == "resubmit" and item.status is not Status.HELD:
        raise WrongInput(
            f"{item.id} is {item.status}: it is not sent again",
            remedy=f"`held drop` frees the slot that its attempt {one.k} takes.",
        )
    others = [other for other in named if other.item == one.item and other.k != one.k]
    return _Decision(item=item, k=one.k, is_last=item.status is Status.HELD and not others)


def _resubmit(ctx: Context, decision: _Decision) -> None:
    """Queue the item again; the person says that this create made no run."""
    item = ctx.record(decision.item.pk, decision.k, ProvenAbsent()).item
    if item.status.is_final:
        ctx.record(item.pk, None, RetryRequested())


def _drop(ctx: Context, decision: _Decision) -> None:
    """Free the slot of the attempt; an item that waits for no other is cancelled."""
    if decision.is_last:
        ctx.record(decision.item.pk, None, CancelRequested())
    ctx.record(decision.item.pk, decision.k, ProvenAbsent())


async def _adopt(ctx: Context, decision: _Decision, run_id: str) -> None:
    """Bind a run to an item: to the attempt whose marker its goal carries, if it carries one."""
    from batchfish.pipeline import search

    item = decision.item
    attempt = None if decision.k is None else ctx.journal.attempt(item.pk, decision.k)
    if attempt is not None and attempt.run_id is not None:
        raise WrongInput(f"{item.id} has a run already, {attempt.run_id}")
    if ctx.journal.knows_run(run_id):
        raise WrongInput(f"run {run_id} belongs to an item already")
    polled = await ctx.agent.poll([run_id])
    if run_id not in polled.runs:
        raise WrongInput(f"the API knows no run {run_id}")
    run = polled.runs[run_id]
    carried = identity.read_marker(run.goal or "")
    if carried is None:
        event = Adopted(
            run_id=run_id,
            k=item.k + 1 if attempt is None else attempt.k,
            marker="" if attempt is None else attempt.marker,
            key_id=ctx.agent.key_id,
            created_at=run.created_at,
        )
        ctx.record(item.pk, None if attempt is None else attempt.k, event)
    elif (carried.batch8, carried.key) == (ctx.journal.batch(item.batch).batch8, item.key):
        search.adopt(ctx, item.pk, search.MarkedRun(marker=carried, run=run))
    else:
        raise WrongInput(f"run {run_id} was made for another item or batch: its goal carries {carried}")


def _list_held(options: Options, place: Place, console: Console) -> int:
    """List the held attempts of the named batch; without a name, of all batches of its journal.

    Held attempts of other batches take slots, too.
    """
    with open_batch(place) as (reader, batch):
        waiting = reader.held_attempts(None if place.batch is None else batch.pk)
        batches = {one.pk: one for one in reader.batches()}
    if options.reporting.json:
        items = [
            {
                "id": one.id,
                "key": one.key,
                "batch": batches[one.batch].name,
                "attempt": one.k,
                "status": one.status,
                "reason": one.reason,
                "message": one.message,
                "run_id": one.run_id,
                "url": one.url,
            }
            for one in waiting
        ]
        put_document(DocumentType.HELD, batch=batch.name, items=items)
        return ExitCode.OK
    if not waiting:
        console.say(f"{batch.name}: nothing waits for your decision")
    for one in waiting:
        other = "" if one.batch == batch.pk else f"  --batch {spell(place.journal, batches[one.batch])}"
        put(f"{one.id}  attempt {one.k}  {_spell_held(one)}  {one.url}{other}")
        if one.message:
            put(f"    {' '.join(one.message.split())}")
    if waiting:
        console.say(
            "To decide: `held adopt ITEM RUN` binds a run that you found to the item, `held resubmit ITEM` "
            "sends the item again (paid for twice if its run exists), `held drop ITEM` gives it up. If the "
            "item has ended, `drop` only frees the slot."
        )
    return ExitCode.OK


def _spell_held(one: HeldAttempt) -> str:
    """Return why an attempt is held, its run, and the status of its item if that is not held."""
    run = f"  run {one.run_id}" if one.run_id else ""
    item = "" if one.status is Status.HELD else f"  (the item is {one.status})"
    return f"{one.reason}{run}{item}"
