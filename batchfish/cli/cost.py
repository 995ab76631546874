"""The steps and the money of a batch, in words and as members of JSON documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from batchfish.core.budget import MICRO_DOLLARS, account_of, spell_spending
from batchfish.core.describe import several
from batchfish.core.rules import budget_from
from batchfish.core.settings import settings_from

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchfish.core.budget import Budget, Spending
    from batchfish.journal.queries import JournalReader
    from batchfish.journal.records import Batch
    from batchfish.pipeline.context import Context


class Money(Struct, frozen=True, kw_only=True):
    """The budget of a batch, and what the attempts that count against it cost."""

    budget: Budget
    spending: Spending

    def __str__(self) -> str:
        """Return it as `$3.10 spent, $0.90 reserved of $20.00`."""
        return spell_spending(self.spending, self.budget)

    @property
    def as_object(self) -> dict[str, Any]:
        """The amounts in US dollars."""
        return {
            "spent_usd": usd(self.spending.spent),
            "reserved_usd": usd(self.spending.reserved),
            "cap_usd": usd(self.budget.cap),
            "excess_usd": usd(self.spending.possible_excess(self.budget)),
            "per": self.budget.per,
        }


class Cost(Struct, frozen=True, kw_only=True):
    """The steps that the ended runs of a batch took, and its money; None without a budget."""

    steps: int
    money: Money | None

    def __str__(self) -> str:
        """Return it as `1,432 steps, $3.10 spent, $0.90 reserved of $20.00`; empty where nothing is known."""
        steps = [several(self.steps, "step")] if self.steps else []
        return ", ".join([*steps, *([] if self.money is None else [str(self.money)])])

    @property
    def members(self) -> dict[str, Any]:
        """The members of a JSON document."""
        return {"steps": self.steps, "money": None if self.money is None else self.money.as_object}


NO_COST: Mapping[str, None] = {"steps": None, "money": None}
"""The members of a document where the cost is not known."""


def read_cost(reader: JournalReader, batch: Batch, now: float) -> Cost:
    """Return what a batch has cost; `now` (epoch seconds) tells which month's budget is meant."""
    budget = settings_from(reader.settings(batch.pk)).applied_to_budget(budget_from(batch.manifest))
    money = None if budget is None else read_money(reader, budget, batch.pk, batch.period, now)
    return Cost(steps=reader.steps_taken(batch.pk).steps, money=money)


def read_money(reader: JournalReader, budget: Budget, batch: int, period: str | None, now: float) -> Money:
    """Return what counts against the budget of a batch (its key) at `now`, in epoch seconds."""
    account = account_of(budget, batch, period, now)
    return Money(budget=budget, spending=reader.spending(account, budget.step_price))


def money_of(ctx: Context) -> Money | None:
    """Return what counts against the budget of the batch that this process submits; None without a budget."""
    from batchfish.pipeline.budget import spending_of

    budget = ctx.rules.budget
    return None if budget is None else Money(budget=budget, spending=spending_of(ctx, budget))


def usd(micro_dollars: float) -> float:
    """Return an amount in US dollars, to the micro-dollar."""
    return round(micro_dollars / MICRO_DOLLARS, 6)
