"""Which failed runs deserve another attempt, and after how long."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchfish.core.rules import RetryRules
    from batchfish.core.runs import RunError

NEVER_AGAIN = frozenset({"MAX_STEPS_EXCEEDED", "CONTENT_POLICY_VIOLATION", "SITE_BLOCKED"})
"""Codes that another attempt would only meet again, at the same price."""

LONGEST_WAIT = 900.0
"""No stored due time lies further ahead than this or `wait.max`, whatever the API asks for; seconds."""

BILLING_FAILURES_PARDONED = 2


def cause_of(error: RunError | None) -> str:
    """Name the failure of a run: its code where that says more than its category, in lower case."""
    if error is None:
        return "unknown"
    if error.code is not None and error.code in NEVER_AGAIN:
        return error.code.lower()
    return error.category.lower()


def deserves_another(cause: str, error: RunError | None, attempts: int, rules: RetryRules) -> bool:
    """Whether an item that has cost `attempts` runs gets one more after a failure of this cause."""
    if attempts >= rules.attempts or cause not in rules.on:
        return False
    if error is None:
        return True
    return not (error.never_retry or error.category == "AGENT_FAILURE" or error.code in NEVER_AGAIN)


def wait_before(
    attempts: int, retry_after: float | None, rules: RetryRules, chance: Callable[[], float]
) -> float:
    """Seconds before the attempt that follows `attempts` others: full jitter, or as the API asks."""
    doublings = min(max(0, attempts - 1), 60)  # past any wait that a manifest may name
    ceiling = min(rules.wait_max, rules.wait_initial * 2.0**doublings)
    asked = min(max(retry_after or 0.0, 0.0), max(LONGEST_WAIT, rules.wait_max))
    return max(chance() * ceiling, asked)
