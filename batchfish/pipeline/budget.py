"""The budget of the batch that is submitted: what the next run reserves, and whether that fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from batchfish.core.budget import (
    Room,
    account_of,
    max_steps_of,
    reserve,
    room_for,
    spell_spending,
    spell_usd,
    usual_steps,
)
from batchfish.core.describe import several
from batchfish.pipeline.context import StopKind

if TYPE_CHECKING:
    from batchfish.core.budget import Budget, Reservation, Spending
    from batchfish.core.items import Item
    from batchfish.journal.records import Request
    from batchfish.pipeline.context import Context


class Offer(Struct, frozen=True, kw_only=True):
    """Whether an item may be sent, and what it then reserves (None without a budget)."""

    room: Room = Room.NOW
    reservation: Reservation | None = None


def offer(ctx: Context, request: Request) -> Offer:
    """Return what an item would reserve now, and whether that fits beside all that is reserved already.

    The answer holds until the next event is recorded, so the intent must be recorded before anything is
    awaited.
    """
    budget = ctx.rules.budget
    if budget is None:
        return Offer()
    usual = usual_steps(budget, ctx.journal.steps_taken(ctx.batch.pk)) if budget.reserve == "p95" else None
    reservation = reserve(budget, max_steps_of(request.fields), usual)
    _report_percentile(ctx, budget, request, usual)
    return Offer(room=room_for(budget, spending_of(ctx, budget), reservation), reservation=reservation)


def has_room(ctx: Context, item: Item) -> bool:
    """Whether the next item fits into the budget now; the run is stopped where it never will.

    It may fit later if runs that are open cost less than they reserve. Creates that are on their way are
    waited for before the run is stopped, since a stop would keep them from being sent.
    """
    budget = ctx.rules.budget
    if budget is None:
        return True
    found, session = offer(ctx, ctx.journal.request(item.pk)), ctx.session
    session.awaits_budget = found.room is not Room.NOW
    if found.reservation is None or not session.awaits_budget:
        return True
    amount = found.reservation.amount
    said = (
        f"{spell_spending(spending_of(ctx, budget), budget)}, and the next run reserves {spell_usd(amount)} "
        f"({several(amount // budget.step_price, 'step')})"
    )
    if not session.creates_in_flight and (found.room is Room.NEVER or not ctx.count_alive()):
        ctx.stop(StopKind.BUDGET, f"the budget does not cover another run: {said}")
    elif found.room is Room.LATER and not session.is_budget_reported:
        session.is_budget_reported = True
        ctx.remark(f"budget: {said}; it waits for runs that are alive to cost less than they reserve")
    return False


def spending_of(ctx: Context, budget: Budget) -> Spending:
    """Return what counts against the budget of the batch that is submitted, now."""
    account = account_of(budget, ctx.batch.pk, ctx.batch.period, ctx.clock.now())
    return ctx.journal.spending(account, budget.step_price)


def _report_percentile(ctx: Context, budget: Budget, request: Request, usual: int | None) -> None:
    """Report once that runs reserve less than they may cost, and by how much each can exceed that."""
    most = max_steps_of(request.fields)
    if usual is None or usual >= most or ctx.session.is_percentile_reported:
        return
    ctx.session.is_percentile_reported = True
    usually = f"{several(usual, 'step')} ({spell_usd(usual * budget.step_price)})"
    ctx.remark(
        f"budget: each run reserves {usually} from now on, which 95% of the runs of this batch have kept to; "
        f"each run that is alive may cost up to {spell_usd((most - usual) * budget.step_price)} more"
    )
