"""`batchfish held`: lists the attempts that wait for a person, and carries out decisions."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchfish.cli import locate
from batchfish.cli.access import LOCAL_OPTIONS, REMOTE_OPTIONS, options_given, reach
from batchfish.cli.agreement import Question
from batchfish.cli.completion import (
    chosen_batch,
)
from batchfish.cli.console import put, put_object
from batchfish.cli.exits import ExitCode
from batchfish.cli.factory import make_agent, make_context, owned_journal
from batchfish.cli.selection import item_called
from batchfish.core import identity
from batchfish.core.describe import several
from batchfish.core.events import Adopted, CancelRequested, ProvenAbsent, RetryRequested
from batchfish.core.items import Status
from batchfish.errors import WrongInput
from batchfish.journal import queries
from batchfish.pipeline import search

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping

    from batchfish.cli.console import Console
    from batchfish.core.items import Item
    from batchfish.journal.base import Batch
    from batchfish.journal.sqlite import SqliteJournal
    from batchfish.pipeline.context import Context


def run(args: Namespace, env: Mapping[str, str], console: Console) -> int:
    """List the attempts that wait for a person, or carry out what the person decides about one of them."""
    place = locate.find(args.batch, args.journal, is_local=args.local)
    if args.decision == "list":
        _refuse_options_of_decisions(args)
        return _list_held(args, place, console)
    if args.item is None or (args.decision == "adopt") != (args.run_id is not None):
        raise WrongInput("say `held adopt ITEM RUN`, `held resubmit ITEM` or `held drop ITEM`")
    with ExitStack() as stack:
        journal = stack.enter_context(owned_journal(place.journal, args.agreement))
        batch = chosen_batch(journal, place.batch)
        decision = _decide(args, journal, batch)
        if args.decision == "resubmit":
            args.agreement.ask(
                Question.RESUBMIT_HELD, f"{decision.item.id} is paid for twice if its earlier run exists."
            )
        access = reach(args, env, batch, stack)

        async def carry_out() -> None:
            async with make_agent(access, journal, env) as agent:
                ctx = make_context(args, journal, batch, agent, console, is_near=True)
                match args.decision:
                    case "adopt":
                        await _adopt(ctx, decision, args.run_id)
                    case "resubmit":
                        _resubmit(ctx, decision)
                    case _:
                        _drop(ctx, decision)
                journal.reopen(batch.pk)
                await journal.commit()

        asyncio.run(carry_out())
        now = journal.item(decision.item.pk)
        spelled = locate.spell(journal.path, batch)
        console.say(f"{now.id} is {now.status} now; go on with: batchfish resume {spelled}")
        if args.json:
            put_object(
                type="decision", batch=batch.name, id=now.id, status=now.status, decision=args.decision
            )
    return ExitCode.OK


def _refuse_options_of_decisions(args: Namespace) -> None:
    """Raise WrongInput where `held list` is given what only a decision has a use for."""
    given = options_given(args, (*REMOTE_OPTIONS, *LOCAL_OPTIONS, "--attempt"))
    if args.item is not None or given:
        raise WrongInput(
            f"`held list` lists every held attempt and sends nothing: leave out {args.item or given[0]}"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Decision:
    """An item to decide about, and its held attempt, which for an adoption may be none.

    `is_last`: the item waits for this attempt and for no other.
    """

    item: Item
    k: int | None
    is_last: bool = False


def _decide(args: Namespace, journal: SqliteJournal, batch: Batch) -> _Decision:
    """Find the held attempt that the arguments name; WrongInput where they name none, or several."""
    waiting = queries.held_attempts(journal.connection, batch.pk)
    named = [one for one in waiting if args.item in {one.id, one.key}]
    chosen = [one for one in named if args.attempt in {None, one.k}]
    if not named:
        item = item_called(journal.connection, batch, args.item)
        if args.decision == "adopt" and item.status is Status.QUEUED and args.attempt is None:
            return _Decision(item=item, k=None)
        raise WrongInput(f"{item.id} is {item.status}, not held: there is nothing to decide about it")
    if len(chosen) != 1:
        listed = "; ".join(f"{one.key} attempt {one.k}: {_spell_held(one)}" for one in named)
        by_key = ", and its item by its key" if len({one.item for one in named}) > 1 else ""
        raise WrongInput(
            f"{args.item} has {several(len(named), 'held attempt')} ({listed}). Name one with --attempt "
            f"K{by_key}."
        )
    (one,) = chosen
    item = journal.item(one.item)
    if args.decision == "resubmit" and item.status is not Status.HELD:
        raise WrongInput(
            f"{item.id} is {item.status}: it is not to be sent again. `held drop` frees the slot that its "
            f"attempt {one.k} takes."
        )
    others = [other for other in named if other.item == one.item and other.k != one.k]
    return _Decision(item=item, k=one.k, is_last=item.status is Status.HELD and not others)


def _resubmit(ctx: Context, decision: _Decision) -> None:
    """Queue the item again, on a person's word that this create made no run."""
    item = ctx.record(decision.item.pk, decision.k, ProvenAbsent()).item
    if item.status.is_final:
        ctx.record(item.pk, None, RetryRequested())


def _drop(ctx: Context, decision: _Decision) -> None:
    """Free the attempt's slot; an item that waits for nothing else is given up."""
    if decision.is_last:
        ctx.record(decision.item.pk, None, CancelRequested())
    ctx.record(decision.item.pk, decision.k, ProvenAbsent())


async def _adopt(ctx: Context, decision: _Decision, run_id: str) -> None:
    """Bind a run that a person found to an item: to the attempt whose marker it carries, if it has one."""
    item = decision.item
    attempt = None if decision.k is None else ctx.journal.attempt(item.pk, decision.k)
    if attempt is not None and attempt.run_id is not None:
        raise WrongInput(f"{item.id} has a run already, {attempt.run_id}: adopting is for items without")
    if ctx.journal.attempt_of_run(run_id) is not None:
        raise WrongInput(f"run {run_id} belongs to an item already")
    look = await ctx.agent.poll([run_id])
    if run_id not in look.runs:
        raise WrongInput(f"the API knows no run {run_id}")
    run = look.runs[run_id]
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


def _list_held(args: Namespace, place: locate.Place, console: Console) -> int:
    """List the held attempts of the batch that is named, or of all batches whose slots they take."""
    with locate.open_for_reading(place) as (connection, batch):
        waiting = queries.held_attempts(connection, None if place.batch is None else batch.pk)
        batches = {one.pk: one for one in queries.all_batches(connection)}
    if args.json:
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
        put_object(type="held", batch=batch.name, items=items)
        return ExitCode.OK
    if not waiting:
        console.say(f"{batch.name}: nothing waits for a person")
    for one in waiting:
        other = ""
        if one.batch != batch.pk:
            other = f"  --batch {locate.spell(place.journal, batches[one.batch])}"
        put(f"{one.id}  attempt {one.k}  {_spell_held(one)}  {one.url}{other}")
        if one.message:
            put(f"    {' '.join(one.message.split())}")
    if waiting:
        console.say(
            "decide: `held adopt ITEM RUN` takes a run you found as the item's own, `held resubmit ITEM` "
            "sends it again (paid twice if a run exists), `held drop ITEM` gives it up; of an item that has "
            "ended, `drop` only frees the slot"
        )
    return ExitCode.OK


def _spell_held(one: queries.HeldAttempt) -> str:
    """Return why an attempt waits, and how its item stands where that is not held itself."""
    run = f"  run {one.run_id}" if one.run_id else ""
    item = "" if one.status is Status.HELD else f"  (the item is {one.status})"
    return f"{one.reason}{run}{item}"
