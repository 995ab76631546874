"""The reuse of results of earlier batches: which are young enough for an item to take them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchfish.core.rules import Rules


def fresh_since(rules: Rules, *, number: int, now: float) -> float | None:
    """Return when a run must have ended, at the earliest, for its result to be reused; None: none is.

    Times are epoch seconds. `number` counts the batches of one name and period: each one after the first was
    begun by a person who asked to pay for every item again.
    """
    return None if rules.fresh_for is None or number > 1 else now - rules.fresh_for
