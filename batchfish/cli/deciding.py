"""`retry`, `cancel` and `held`: a person's decisions about items, recorded before anything follows."""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchfish.cli import places, selecting, wishes
from batchfish.cli.agreement import Question
from batchfish.cli.counts import count
from batchfish.cli.ending import put_summary
from batchfish.cli.exits import ExitCode
from batchfish.cli.messages import put, several
from batchfish.cli.planning import put_object
from batchfish.cli.running import (
    bring_to_completion,
    chosen_batch,
    finished_code,
    say_nothing_selected,
    wait_for,
)
from batchfish.cli.selecting import item_called
from batchfish.cli.serving import reach
from batchfish.cli.settings import LOCAL_OPTIONS, REMOTE_OPTIONS, options_given
from batchfish.cli.wiring import make_agent, make_context, owned_journal
from batchfish.core import identity
from batchfish.core.events import Adopted, CancelWished, ProvenAbsent, RetryWished
from batchfish.core.items import Status
from batchfish.errors import BatchBusy, WrongInput
from batchfish.journal import queries
from batchfish.pipeline import lookup

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping, Sequence

    from batchfish.cli.messages import Console
    from batchfish.core.items import Item
    from batchfish.journal.base import Batch
    from batchfish.journal.sqlite import SqliteJournal
    from batchfish.pipeline.context import Context

LOOK_EVERY = 0.2
"""Seconds between looks whether a running process has heeded a wish."""


def retry(args: Namespace, env: Mapping[str, str], console: Console) -> int:
    """Queue one more attempt for items that are not fine, and bring the batch to completion."""
    place = places.find(args.batch, args.journal, is_local=args.local)
    with ExitStack() as stack:
        journal = stack.enter_context(wait_for(place.journal, args))
        batch = chosen_batch(journal, place.batch)
        items = _not_fine(journal, batch, args)
        selecting.select(args, journal, batch, among={item.pk for item in items})
        selected = journal.selection()
        items = [item for item in items if selected is None or item.pk in selected]
        if not items:
            return say_nothing_selected(args, console, f"{batch.name} has nothing to retry of that kind")
        if args.held:
            args.agreement.ask(
                Question.RESUBMIT_HELD,
                f"{several(len(items), 'held item')} of {batch.name} would be sent again, and paid for twice "
                "where a run exists already.",
            )
        access = reach(args, env, batch, stack)

        async def decide() -> int:
            async with make_agent(access, journal, env) as agent:
                ctx = make_context(args, journal, batch, agent, console, is_near=True)
                for item in items:
                    send_again(ctx, item)
                journal.reopen(batch.pk)
                await journal.commit()
            return await bring_to_completion(args, env, console, journal, journal.batch(batch.pk), access)

        return asyncio.run(decide())


def _not_fine(journal: SqliteJournal, batch: Batch, args: Namespace) -> Sequence[Item]:
    """Return the wanted items that `--failed`, `--held` or `--reason` speaks of."""
    statuses = (Status.HELD,) if args.held else (Status.FAILED, Status.CANCELLED)
    return queries.items_in(journal.connection, batch.pk, statuses, args.reason)


def send_again(ctx: Context, item: Item) -> None:
    """Queue one more attempt of an item, on a person's word that its held creates made no run."""
    while item.status is Status.HELD:
        item = ctx.record(item.pk, item.follows, ProvenAbsent()).item
    if item.status.is_final:
        ctx.record(item.pk, None, RetryWished())


def cancel(args: Namespace, env: Mapping[str, str], console: Console) -> int:
    """Cancel a batch, or items of it; a process that works on it is asked to do it."""
    place = places.find(args.batch, args.journal, is_local=args.local)
    with places.open_for_reading(place) as (connection, batch):
        items = selecting.choose_to_cancel(args, connection, batch)
    if items is not None and not items:
        return say_nothing_selected(args, console)
    which = several(len(items), "item") if items else "everything that has not ended"
    wish = None
    try:
        while True:
            try:
                with ExitStack() as stack:
                    journal = stack.enter_context(owned_journal(place.journal, args.agreement))
                    return _cancel_alone(args, env, console, journal, batch, items, stack)
            except BatchBusy:
                if wish is None:
                    _leave_table_to_owner(args, batch)
                    wish = wishes.leave(place.journal, batch.pk, items)
                elif not wish.exists():
                    console.say(f"the process that works on it cancels {which} of {batch.name}")
                    if args.json:
                        with places.open_for_reading(place) as (connection, batch):
                            put_summary(ExitCode.OK, count(connection, batch.pk))
                    return ExitCode.OK
            time.sleep(LOOK_EVERY)
    finally:
        if wish is not None:
            wish.unlink(missing_ok=True)


def _leave_table_to_owner(args: Namespace, batch: Batch) -> None:
    """Raise WrongInput where options ask for a table that another process will write."""
    given = options_given(args, ("--output", "--head")) or ["--csv-raw"] * args.csv_raw
    if given:
        raise WrongInput(
            f"another process works on {batch.name} and writes its table: leave out {given[0]}, or see "
            "`batchfish results`"
        )


def _cancel_alone(
    args: Namespace,
    env: Mapping[str, str],
    console: Console,
    journal: SqliteJournal,
    batch: Batch,
    items: Sequence[int] | None,
    stack: ExitStack,
) -> int:
    """Record the wish where no process works on the batch, and follow the runs that it meets to their end."""
    if finished_code(journal, batch) is not None:
        console.say(f"{batch.name} is finished already: nothing is left to cancel")
        if args.json:
            put_summary(ExitCode.OK, count(journal.connection, batch.pk))
        return ExitCode.OK
    access = reach(args, env, batch, stack)

    async def decide() -> int:
        async with make_agent(access, journal, env) as agent:
            ctx = make_context(args, journal, batch, agent, console, is_near=True)
            number = await wishes.cancel_items(ctx, journal, batch.pk, items)
            console.say(f"cancelling {several(number, 'item')} of {batch.name}")
        code = await bring_to_completion(args, env, console, journal, journal.batch(batch.pk), access)
        return code if _is_left(journal, batch, items) else ExitCode.OK

    return asyncio.run(decide())


def _is_left(journal: SqliteJournal, batch: Batch, items: Sequence[int] | None) -> bool:
    """Whether something that was to be cancelled has not ended."""
    left = queries.not_ended(journal.connection, batch.pk)
    return bool(left if items is None else set(left) & set(items))


def held(args: Namespace, env: Mapping[str, str], console: Console) -> int:
    """List the attempts that wait for a person, or carry out what the person decides about one of them."""
    place = places.find(args.batch, args.journal, is_local=args.local)
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
        spelled = places.spell(journal.path, batch)
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
        ctx.record(item.pk, None, RetryWished())


def _drop(ctx: Context, decision: _Decision) -> None:
    """Free the attempt's slot; an item that waits for nothing else is given up."""
    if decision.is_last:
        ctx.record(decision.item.pk, None, CancelWished())
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
        lookup.adopt(ctx, item.pk, lookup.MarkedRun(marker=carried, run=run))
    else:
        raise WrongInput(f"run {run_id} was made for another item or batch: its goal carries {carried}")


def _list_held(args: Namespace, place: places.Place, console: Console) -> int:
    """List the held attempts of the batch that is named, or of all batches whose slots they take."""
    with places.open_for_reading(place) as (connection, batch):
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
            other = f"  --batch {places.spell(place.journal, batches[one.batch])}"
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
