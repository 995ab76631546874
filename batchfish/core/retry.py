"""Retries of failed runs: which failures deserve another attempt, and the wait before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchfish.core.backoff import LONGEST_RETRY_AFTER, jittered

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchfish.core.rules import RetryRules
    from batchfish.core.runs import RunError

NEVER_AGAIN = frozenset({"MAX_STEPS_EXCEEDED", "CONTENT_POLICY_VIOLATION", "SITE_BLOCKED"})
"""Codes of failures that another attempt would only repeat, at the same price."""

BILLING_FAILURES_PARDONED = 2
"""This many runs of an item that ended in a billing failure do not count as attempts."""


def cause_of(error: RunError | None) -> str:
    """Return the reason of a failed run in lower case: a code of NEVER_AGAIN, else its category."""
    if error is None:
        return "unknown"
    if error.code is not None and error.code in NEVER_AGAIN:
        return error.code.lower()
    return error.category.lower()


def deserves_another(cause: str, error: RunError | None, attempts: int, rules: RetryRules) -> bool:
    """Whether an item that has had `attempts` runs gets one more after a failure of this cause."""
    if attempts >= rules.attempts or cause not in rules.on:
        return False
    if error is None:
        return True
    return not (error.never_retry or error.category == "AGENT_FAILURE" or error.code in NEVER_AGAIN)


def wait_before(
    attempts: int, retry_after: float | None, rules: RetryRules, chance: Callable[[], float]
) -> float:
    """Return the seconds before the attempt that follows `attempts` others: jittered, or as the API asks."""
    return jittered(
        attempts,
        chance,
        first=rules.wait_initial,
        longest=rules.wait_max,
        asked=retry_after,
        longest_asked=longest_wait(rules),
    )


def longest_wait(rules: RetryRules) -> float:
    """Return how far ahead a stored due time can lie, in seconds."""
    return max(LONGEST_RETRY_AFTER, rules.wait_max)
