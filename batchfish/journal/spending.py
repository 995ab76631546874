"""The money and the steps of a journal's attempts: what they reserved, and the sums that budgets bound."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from msgspec import Struct

from batchfish.core.attempts import DECLARED_ABSENT
from batchfish.core.budget import USUAL_MAX_STEPS, Account, Reservation, Spending
from batchfish.core.items import Attempt, AttemptState
from batchfish.core.quantiles import PastRuns
from batchfish.journal.records import IS_OPEN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from batchfish.core.items import Item
    from batchfish.journal.group import ReadRows

# A query of its own, which is made only for attempts that are open or have no reservation.
_MAX_STEPS = "SELECT json_extract(body, '$.agent_config.max_steps') FROM requests WHERE pk = i.request"
_MOST = f"?1 * coalesce(({_MAX_STEPS}), {USUAL_MAX_STEPS})"
_RESERVED = f"coalesce(s.reserved, {_MOST})"
# The same as Reservation.cost_of.
_COST = (
    f"CASE WHEN a.state = 'refused' OR a.state = 'absent' AND a.cause IS NOT '{DECLARED_ABSENT}' THEN 0"
    " WHEN a.state = 'ended' AND a.steps IS NOT NULL THEN a.steps * coalesce(s.step_price, ?1)"
    f" ELSE {_RESERVED} END"
)
_NO_RESERVATIONS = "(SELECT NULL AS item, NULL AS k, NULL AS reserved, NULL AS step_price)"
_ENDED = "a.state = 'ended' AND a.steps IS NOT NULL"


class StepsTaken(Struct, frozen=True, kw_only=True):
    """The steps that the ended runs of a batch took, and the number of the runs of which they are known."""

    runs: int = 0
    steps: int = 0


def read_spending(rows: ReadRows, account: Account, step_price: int, *, has_table: bool = True) -> Spending:
    """Return what the attempts of an account cost; those without a reservation at this step price."""
    conditions: dict[str, str | float | None] = {
        "i.batch = ?": account.batch,
        "i.batch IN (SELECT pk FROM batches WHERE period = ?)": account.period,
        "a.intended_at >= ?": account.since,
        "a.intended_at < ?": account.until,
    }
    given = {text: value for text, value in conditions.items() if value is not None}
    ((spent, reserved, uncovered),) = rows(
        "SELECT sum(iif(is_open, 0, cost)), sum(iif(is_open, cost, 0)), sum(iif(is_open, most - cost, 0))"
        f" FROM (SELECT {IS_OPEN} AS is_open, {_COST} AS cost, max({_MOST}, {_RESERVED}) AS most"
        " FROM items i JOIN attempts a ON a.item = i.pk LEFT JOIN"
        f" {'spending' if has_table else _NO_RESERVATIONS} s ON s.item = a.item AND s.k = a.k"
        f" WHERE {' AND '.join(['i.k > 0', *given])})",
        step_price,
        *given.values(),
    )
    return Spending(spent=spent or 0, reserved=reserved or 0, uncovered=uncovered or 0)


def read_reservations(rows: ReadRows, item: int) -> Mapping[int, Reservation]:
    """Return the reservations of an item's attempts by their number."""
    found = rows("SELECT k, reserved, step_price FROM spending WHERE item = ?", item)
    return {k: Reservation(amount=amount, step_price=price) for k, amount, price in found}


def read_steps_taken(rows: ReadRows, batch: int, *, has_table: bool = True) -> StepsTaken:
    """Return the steps that the ended runs of a batch took."""
    found = rows(
        "SELECT runs, steps FROM steps_taken WHERE batch = ?"
        if has_table
        else "SELECT count(*), coalesce(sum(a.steps), 0) FROM items i JOIN attempts a ON a.item = i.pk"
        f" WHERE i.batch = ? AND i.k > 0 AND {_ENDED}",
        batch,
    )
    return StepsTaken(runs=found[0][0], steps=found[0][1]) if found else StepsTaken()


def read_past_runs(rows: ReadRows) -> PastRuns:
    """Return the steps and the seconds of all ended runs of a journal, the seconds to a tenth."""
    ended = "FROM attempts a WHERE a.state = 'ended' AND"
    steps = rows(f"SELECT a.steps, count(*) {ended} a.steps IS NOT NULL GROUP BY a.steps")
    seconds = rows(
        f"SELECT round(a.finished_at - a.started_at, 1), count(*) {ended} a.finished_at >= a.started_at"
        " GROUP BY 1"
    )
    return PastRuns(steps=Counter(dict(steps)), seconds=Counter(dict(seconds)))


class SpendingTotals:
    """The sums of the accounts that were asked for, kept as attempts were written last.

    An account is read from the file when it is first asked for. `period_of` returns the period of a batch.
    """

    def __init__(self, rows: ReadRows, period_of: Callable[[int], str | None]) -> None:
        """Start without an account; `rows` reads what was written."""
        self._rows = rows
        self._period_of = period_of
        self._spending: dict[tuple[Account, int], Spending] = {}
        self._steps: dict[int, Counter[int]] = {}

    @property
    def is_used(self) -> bool:
        """Whether anything was asked for, so that `put` must be called for each attempt that is written."""
        return bool(self._spending or self._steps)

    def spending(self, account: Account, step_price: int) -> Spending:
        """Return what the attempts of an account cost; those without a reservation at this step price."""
        key = (account, step_price)
        if key not in self._spending:
            self._spending[key] = read_spending(self._rows, account, step_price)
        return self._spending[key]

    def steps(self, batch: int) -> Counter[int]:
        """Return how often each number of steps occurred among the ended runs of a batch."""
        if batch not in self._steps:
            found = self._rows(
                "SELECT a.steps, count(*) FROM items i JOIN attempts a ON a.item = i.pk"
                f" WHERE i.batch = ? AND i.k > 0 AND {_ENDED} GROUP BY a.steps",
                batch,
            )
            self._steps[batch] = Counter(dict(found))
        return self._steps[batch]

    def put(self, item: Item, before: Attempt | None, attempt: Attempt) -> None:
        """Note an attempt as it was written, and as it was before (None: there was none)."""
        has_ended = attempt.state is AttemptState.ENDED and (before is None or before.state != attempt.state)
        if has_ended and attempt.steps is not None and item.batch in self._steps:
            self._steps[item.batch][attempt.steps] += 1
        period = self._period_of(item.batch)
        for (account, price), spending in self._spending.items():
            if account.covers(item.batch, period, attempt.intended_at):
                cost = self._costs_of(item.pk, attempt.k, price)
                now = spending.plus(cost(attempt))
                self._spending[account, price] = now if before is None else now.minus(cost(before))

    def _costs_of(self, item: int, k: int, step_price: int) -> Callable[[Attempt], Spending]:
        """Return the function that returns what an attempt of this number costs in each of its states."""
        ((amount, price, most),) = self._rows(
            f"SELECT {_RESERVED}, coalesce(s.step_price, ?1), {_MOST} FROM items i"
            " LEFT JOIN spending s ON s.item = i.pk AND s.k = ?2 WHERE i.pk = ?3",
            step_price,
            k,
            item,
        )
        reservation = Reservation(amount=amount, step_price=price)

        def cost(attempt: Attempt) -> Spending:
            micro_dollars = reservation.cost_of(attempt)
            if attempt.state.is_open:
                return Spending(reserved=micro_dollars, uncovered=max(0, most - micro_dollars))
            return Spending(spent=micro_dollars)

        return cost
