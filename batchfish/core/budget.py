"""The budget of a batch: what its runs may cost, what each reserves, and what each has cost.

Amounts are whole micro-dollars. What an attempt costs follows from its state alone, so that it is counted
once, whatever process reads it and however often: nothing is added up as events come.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from batchfish.core.attempts import DECLARED_ABSENT
from batchfish.core.items import Attempt, AttemptState
from batchfish.core.quantiles import quantile

if TYPE_CHECKING:
    from collections import Counter

USUAL_MAX_STEPS = 150
"""The steps after which the API ends a run whose request sets no `agent_config.max_steps`."""

RUNS_BEFORE_PERCENTILE = 20
"""The number of ended runs from which on `reserve: p95` uses their 95th percentile."""

MICRO_DOLLARS = 1_000_000

PER = ("batch", "period", "month")
RESERVES = ("worst", "p95")


class Budget(Struct, frozen=True, kw_only=True):
    """The section `budget` of a manifest: `cap` and the price of a step are micro-dollars.

    `per` names the attempts that count against the cap: those of the `batch`, those of all batches of its
    `period`, or those of the journal that were intended in the same calendar `month`. `reserve` is what a run
    reserves: the `worst` case, or the 95th percentile of the runs that have ended.
    """

    cap: int
    step_price: int
    per: str = "batch"
    reserve: str = "worst"

    @property
    def as_written(self) -> Mapping[str, str]:
        """The section as a person writes it."""
        amounts = {"usd": spell_usd(self.cap), "usd_per_step": spell_usd(self.step_price)}
        return {**amounts, "per": self.per, "reserve": self.reserve}


class Reservation(Struct, frozen=True, kw_only=True):
    """The most that an attempt is expected to cost, and the price of each of its steps, in micro-dollars."""

    amount: int
    step_price: int

    def cost_of(self, attempt: Attempt) -> int:
        """Return what counts against the cap: the reservation, until a run's steps or its absence is known.

        That an unanswered create made no run is believed if it was proven, not if a person declared it.
        """
        match attempt.state:
            case AttemptState.REFUSED:
                return 0
            case AttemptState.ABSENT:
                return self.amount if attempt.cause == DECLARED_ABSENT else 0
            case AttemptState.ENDED if attempt.steps is not None:
                return attempt.steps * self.step_price
            case _:
                return self.amount


class Account(Struct, frozen=True, kw_only=True):
    """The attempts whose cost counts against one cap; None: whatever the batch, period or time.

    `batch` is a key in the journal; `since` and `until` bound the time of the intent, in epoch seconds.
    """

    batch: int | None = None
    period: str | None = None
    since: float | None = None
    until: float | None = None

    def covers(self, batch: int, period: str | None, intended_at: float) -> bool:
        """Whether an attempt that a batch of this period intended at this time counts against the cap."""
        return (
            self.batch in {None, batch}
            and self.period in {None, period}
            and (self.since is None or self.since <= intended_at)
            and (self.until is None or intended_at < self.until)
        )


class Spending(Struct, frozen=True, kw_only=True):
    """The cost of the attempts of an account: `spent` by those that are over, `reserved` by the open ones.

    The open ones may cost `uncovered` more than they reserve, which is 0 unless they reserve less than the
    worst case.
    """

    spent: int = 0
    reserved: int = 0
    uncovered: int = 0

    def plus(self, other: Spending) -> Spending:
        """Return both together."""
        return Spending(
            spent=self.spent + other.spent,
            reserved=self.reserved + other.reserved,
            uncovered=self.uncovered + other.uncovered,
        )

    def minus(self, other: Spending) -> Spending:
        """Return what is left without the other."""
        return Spending(
            spent=self.spent - other.spent,
            reserved=self.reserved - other.reserved,
            uncovered=self.uncovered - other.uncovered,
        )

    def possible_excess(self, budget: Budget) -> int:
        """Return by how much the open attempts can exceed the cap if each takes all the steps it may."""
        return max(0, self.spent + self.reserved + self.uncovered - budget.cap)


class Room(StrEnum):
    """Whether the next run fits into the budget: now, perhaps once open ones have cost less, or never."""

    NOW = "now"
    LATER = "later"
    NEVER = "never"


def room_for(budget: Budget, spending: Spending, reservation: Reservation) -> Room:
    """Return whether an attempt with this reservation may be intended."""
    if spending.spent + spending.reserved + reservation.amount <= budget.cap:
        return Room.NOW
    return Room.LATER if spending.spent + reservation.amount <= budget.cap else Room.NEVER


def max_steps_of(request: Mapping[str, Any]) -> int:
    """Return the most steps that a run with these request fields may take."""
    config = request.get("agent_config")
    steps = config.get("max_steps") if isinstance(config, Mapping) else None
    return steps if isinstance(steps, int) else USUAL_MAX_STEPS


def worst_case(budget: Budget, max_steps: int) -> Reservation:
    """Return the reservation of a run that takes all the steps it may."""
    return Reservation(amount=max_steps * budget.step_price, step_price=budget.step_price)


def usual_steps(budget: Budget, taken: Counter[int]) -> int | None:
    """Return the steps that `reserve: p95` reserves; None while too few of the batch's runs have ended.

    `taken` counts the steps of its ended runs.
    """
    if budget.reserve != "p95" or taken.total() < RUNS_BEFORE_PERCENTILE:
        return None
    return quantile(taken, 0.95)


def reserve(budget: Budget, max_steps: int, usual: int | None) -> Reservation:
    """Return the reservation of the next run: its `usual` steps, if known, but no more than it may take."""
    return worst_case(budget, max_steps if usual is None else min(usual, max_steps))


def account_of(budget: Budget, batch: int, period: str | None, now: float) -> Account:
    """Return the account that the budget of a batch bounds at `now` (epoch seconds)."""
    match budget.per:
        case "period" if period is not None:
            return Account(period=period)
        case "month":
            first = datetime.fromtimestamp(now, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
            months = 12 * first.year + first.month  # of the next month, whose number is counted from 0
            after = first.replace(year=months // 12, month=months % 12 + 1)
            return Account(since=first.timestamp(), until=after.timestamp())
        case _:
            return Account(batch=batch)


def spell_usd(micro_dollars: int) -> str:
    """Return an amount as people write it: `$3.10`, `$1,200.00`, and `$0.0375` where cents are too coarse."""
    cents, rest = divmod(abs(micro_dollars), 10_000)
    finer = f"{rest:04d}".rstrip("0")
    sign = "-" if micro_dollars < 0 else ""
    return f"{sign}${cents // 100:,}.{cents % 100:02d}{finer}"


def spell_spending(spending: Spending, budget: Budget) -> str:
    """Return what is spent and reserved: `$3.10 spent, $0.90 reserved of $20.00`."""
    per = {"batch": "", "period": " for the period", "month": " for the month"}[budget.per]
    text = (
        f"{spell_usd(spending.spent)} spent, {spell_usd(spending.reserved)} reserved of "
        f"{spell_usd(budget.cap)}{per}"
    )
    if spending.spent > budget.cap:  # a person lowered the cap, or a run cost more than it reserved
        text = f"{text}, exceeded by {spell_usd(spending.spent - budget.cap)}"
        excess = spending.reserved + spending.uncovered
        return f"{text}, and by up to {spell_usd(excess)} more" if excess else text
    excess = spending.possible_excess(budget)
    return f"{text}, which can be exceeded by {spell_usd(excess)}" if excess else text
