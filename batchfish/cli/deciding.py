"""`retry`, `cancel` and `held`: a person's word about items, recorded before anything follows from it."""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from batchfish.cli import places, selecting, wishes
from batchfish.cli.agreement import Question
from batchfish.cli.exits import ExitCode
from batchfish.cli.looking import item_called
from batchfish.cli.messages import put, several
from batchfish.cli.planning import put_object
from batchfish.cli.running import (
    bring_to_completion,
    chosen_batch,
    finished_code,
    wait_for,
)
from batchfish.cli.serving import reach
from batchfish.cli.wiring import make_agent, make_context, owned_journal
from batchfish.core import identity
from batchfish.core.events import Adopted, CancelWished, ProvenAbsent, RetryWished
from batchfish.core.items import Status
from batchfish.errors import BatchBusy, WrongInput
from batchfish.journal import batches, reading
from batchfish.pipeline import lookup

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping, Sequence

    from batchfish.cli.messages import Voice
    from batchfish.core.items import Attempt, Item
    from batchfish.journal.base import Batch
    from batchfish.journal.sqlite import SqliteJournal
    from batchfish.pipeline.context import Context

LOOK_EVERY = 0.2
"""Seconds between looks whether a running process has heeded a wish."""


def retry(args: Namespace, env: Mapping[str, str], voice: Voice) -> int:
    """Queue one more attempt for items that are not fine, and bring the batch to completion."""
    place = places.find(args.batch, args.journal, is_local=args.local)
    with ExitStack() as stack:
        journal = stack.enter_context(wait_for(place.journal, args))
        batch = chosen_batch(journal, place.batch)
        selecting.select(args, journal, batch)
        items = _not_fine(journal, batch, args)
        if not items:
            voice.warn(f"{batch.name} has nothing to retry of that kind")
            return ExitCode.OK if args.allow_empty else ExitCode.NO_ITEMS
        if args.held:
            args.agreement.ask(
                Question.RESUBMIT_HELD,
                f"{several(len(items), 'held item')} of {batch.name} would be sent again, and paid for twice "
                "where a run exists already.",
            )
        access = reach(args, env, batch, stack)

        async def decide() -> int:
            async with make_agent(access, journal, env) as agent:
                ctx = make_context(args, journal, batch, agent, voice, is_near=True)
                for item in items:
                    send_again(ctx, item)
                await journal.commit()
            batches.reopen(journal.connection, batch.pk)
            return await bring_to_completion(args, env, voice, journal, journal.batch(batch.pk), access)

        return asyncio.run(decide())


def _not_fine(journal: SqliteJournal, batch: Batch, args: Namespace) -> Sequence[Item]:
    """Give the wanted items that `--failed`, `--held` or `--reason` speaks of, among those selected."""
    statuses = (Status.HELD,) if args.held else (Status.FAILED, Status.CANCELLED)
    items = reading.items_in(journal.connection, batch.pk, statuses, args.reason)
    selected = journal.selection()
    return [item for item in items if selected is None or item.pk in selected]


def send_again(ctx: Context, item: Item) -> None:
    """Queue one more attempt of an item, taking a person's word that a doubted create made no run."""
    if item.status is Status.HELD:
        item = ctx.record(item.pk, item.follows, ProvenAbsent()).item
    if item.status.is_final:
        ctx.record(item.pk, None, RetryWished())


def cancel(args: Namespace, env: Mapping[str, str], voice: Voice) -> int:
    """Cancel a batch, or items of it; a process that works on it is asked to do it."""
    place = places.find(args.batch, args.journal, is_local=args.local)
    with places.open_for_reading(place) as (connection, batch):
        items = [item_called(connection, batch, name).pk for name in args.items] or None
    which = several(len(items), "item") if items else "everything that has not ended"
    wish = None
    try:
        while True:
            try:
                with ExitStack() as stack:
                    journal = stack.enter_context(owned_journal(place.journal, args.agreement))
                    return _cancel_alone(args, env, voice, journal, batch, items, stack)
            except BatchBusy:
                if wish is None:
                    wish = wishes.leave(place.journal, batch.pk, items)
                elif not wish.exists():
                    voice.say(f"the process that works on it cancels {which} of {batch.name}")
                    return ExitCode.OK
            time.sleep(LOOK_EVERY)
    finally:
        if wish is not None:
            wish.unlink(missing_ok=True)


def _cancel_alone(
    args: Namespace,
    env: Mapping[str, str],
    voice: Voice,
    journal: SqliteJournal,
    batch: Batch,
    items: Sequence[int] | None,
    stack: ExitStack,
) -> int:
    """Record the wish where no process works on the batch, and follow the runs that it meets to their end."""
    if finished_code(journal, batch) is not None:
        voice.say(f"{batch.name} is finished already: nothing is left to cancel")
        return ExitCode.OK
    access = reach(args, env, batch, stack)

    async def decide() -> int:
        async with make_agent(access, journal, env) as agent:
            ctx = make_context(args, journal, batch, agent, voice, is_near=True)
            number = await wishes.cancel_items(ctx, journal, batch.pk, items)
            voice.say(f"cancelling {several(number, 'item')} of {batch.name}")
        args.drain = True
        code = await bring_to_completion(args, env, voice, journal, journal.batch(batch.pk), access)
        return code if _is_left(journal, batch, items) else ExitCode.OK

    return asyncio.run(decide())


def _is_left(journal: SqliteJournal, batch: Batch, items: Sequence[int] | None) -> bool:
    """Whether something that was to be cancelled has not ended."""
    left = reading.not_ended(journal.connection, batch.pk)
    return bool(left if items is None else set(left) & set(items))


def held(args: Namespace, env: Mapping[str, str], voice: Voice) -> int:
    """List the items that wait for a person, or carry out what the person decides about one of them."""
    place = places.find(args.batch, args.journal, is_local=args.local)
    if args.decision == "list":
        return _list_held(args, place, voice)
    if args.item is None or (args.decision == "adopt") != (args.run_id is not None):
        raise WrongInput("say `held adopt ITEM RUN`, `held resubmit ITEM` or `held drop ITEM`")
    with ExitStack() as stack:
        journal = stack.enter_context(owned_journal(place.journal, args.agreement))
        batch = chosen_batch(journal, place.batch)
        item = item_called(journal.connection, batch, args.item)
        if item.status is not Status.HELD:
            raise WrongInput(f"{item.id} is {item.status}, not held: there is nothing to decide about it")
        if args.decision == "resubmit":
            args.agreement.ask(
                Question.RESUBMIT_HELD, f"{item.id} is paid for twice if its earlier run exists."
            )
        access = reach(args, env, batch, stack)

        async def decide() -> None:
            async with make_agent(access, journal, env) as agent:
                ctx = make_context(args, journal, batch, agent, voice, is_near=True)
                await _carry_out(ctx, args.decision, item, args.run_id)

        asyncio.run(decide())
        batches.reopen(journal.connection, batch.pk)
        now = journal.item(item.pk)
        voice.say(
            f"{item.id} is {now.status} now; go on with: batchfish resume {places.spell(journal.path, batch)}"
        )
    return ExitCode.OK


async def _carry_out(ctx: Context, decision: str, item: Item, run_id: str | None) -> None:
    attempt = ctx.journal.attempt(item.pk, item.follows)
    match decision:
        case "adopt" if run_id is not None and attempt is not None:
            await _adopt(ctx, item, attempt, run_id)
        case "resubmit":
            send_again(ctx, item)
        case _:
            ctx.record(item.pk, None, CancelWished())
            ctx.record(item.pk, item.follows, ProvenAbsent())
    await ctx.journal.commit()


async def _adopt(ctx: Context, item: Item, attempt: Attempt, run_id: str) -> None:
    """Bind a run that a person found to an item: to the attempt whose marker it carries, if it has one."""
    if attempt.run_id is not None:
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
            k=attempt.k,
            marker=attempt.marker,
            key_id=ctx.agent.key_id,
            created_at=run.created_at,
        )
        ctx.record(item.pk, attempt.k, event)
    elif (carried.batch8, carried.key) == (ctx.journal.batch(item.batch).batch8, item.key):
        lookup.adopt(ctx, item.pk, lookup.MarkedRun(marker=carried, run=run))
    else:
        raise WrongInput(f"run {run_id} was made for another item or batch: its goal carries {carried}")


def _list_held(args: Namespace, place: places.Place, voice: Voice) -> int:
    with places.open_for_reading(place) as (connection, batch):
        items = reading.held_items(connection, batch.pk)
    if args.json:
        put_object(type="held", batch=batch.name, items=[item._asdict() for item in items])
        return ExitCode.OK
    if not items:
        voice.say(f"{batch.name}: nothing waits for a person")
    for item in items:
        put(f"{item.id}  {item.reason}" + (f"  run {item.run_id}" if item.run_id else "") + f"  {item.url}")
        if item.message:
            put(f"    {' '.join(item.message.split())}")
    if items:
        voice.say(
            "decide: `held adopt ITEM RUN` takes a run you found as the item's own, `held resubmit ITEM` "
            "sends it again (paid twice if a run exists), `held drop ITEM` gives it up"
        )
    return ExitCode.OK
