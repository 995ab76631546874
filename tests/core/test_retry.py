"""Retries of failed runs: which failures get another attempt, and the wait before it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchfish.core.backoff import LONGEST_RETRY_AFTER
from batchfish.core.retry import NEVER_AGAIN, cause_of, deserves_another, wait_before
from batchfish.core.rules import RetryRules
from batchfish.core.runs import RunError

ALL = RetryRules(attempts=3, on=("system_failure", "unknown", "run_timeout", *map(str.lower, NEVER_AGAIN)))


def error(category: str = "SYSTEM_FAILURE", code: str | None = None, **more: object) -> RunError:
    return RunError(message="it failed", category=category, code=code, **more)  # type: ignore[arg-type]


class TestCause:
    @pytest.mark.parametrize(
        ("known", "cause"),
        [
            (None, "unknown"),
            (error(), "system_failure"),
            (error("UNKNOWN"), "unknown"),
            (error("BILLING_FAILURE"), "billing_failure"),
            (error("SOMETHING_NEW"), "something_new"),
            (error(code="TASK_FAILED"), "system_failure"),
            (error("AGENT_FAILURE", "MAX_STEPS_EXCEEDED"), "max_steps_exceeded"),
            (error(code="SITE_BLOCKED"), "site_blocked"),
        ],
    )
    def test_a_failure_is_named_by_its_category_or_by_a_code_that_says_more(
        self, known: RunError | None, cause: str
    ) -> None:
        assert cause_of(known) == cause


class TestDeserving:
    def test_a_cause_that_the_manifest_names_is_retried_until_the_attempts_are_used_up(self) -> None:
        verdicts = [deserves_another("system_failure", error(), attempts, ALL) for attempts in range(5)]
        assert verdicts == [True, True, True, False, False]

    def test_a_cause_that_the_manifest_does_not_name_is_not(self) -> None:
        assert not deserves_another("something_new", error("SOMETHING_NEW"), 1, ALL)

    def test_a_failure_of_which_nothing_is_known_counts_as_unknown(self) -> None:
        assert deserves_another("unknown", None, 1, ALL)
        assert not deserves_another("unknown", None, 1, RetryRules())

    @pytest.mark.parametrize("code", sorted(NEVER_AGAIN))
    def test_some_codes_are_never_retried_whatever_the_manifest_says(self, code: str) -> None:
        known = error(code=code)
        assert not deserves_another(cause_of(known), known, 1, ALL)

    def test_an_agent_that_failed_at_its_task_is_not_sent_again(self) -> None:
        known = error("AGENT_FAILURE")
        rules = RetryRules(attempts=3, on=("agent_failure",))
        assert not deserves_another(cause_of(known), known, 1, rules)

    def test_an_explicit_never_of_the_api_is_obeyed(self) -> None:
        assert not deserves_another("system_failure", error(never_retry=True), 1, ALL)


class TestWait:
    def test_the_ceiling_doubles_up_to_the_most(self) -> None:
        rules = RetryRules(wait_initial=5.0, wait_max=30.0)
        waits = [wait_before(attempts, None, rules, lambda: 1.0) for attempts in (0, 1, 2, 3, 4, 5)]
        assert waits == [5.0, 5.0, 10.0, 20.0, 30.0, 30.0]

    def test_chance_spreads_it_from_nothing_to_the_ceiling(self) -> None:
        assert wait_before(1, None, RetryRules(), lambda: 0.0) == 0.0
        assert wait_before(1, None, RetryRules(), lambda: 0.25) == 1.25

    @pytest.mark.parametrize(
        ("asked", "wait"),
        [
            (40.0, 40.0),
            (1.0, 2.5),  # sooner than our own wait: that one holds
            (-5.0, 2.5),
            (0.0, 2.5),
            (math.inf, LONGEST_RETRY_AFTER),
            (math.nan, 2.5),
            (1e9, LONGEST_RETRY_AFTER),
        ],
    )
    def test_what_the_api_asks_for_is_obeyed_up_to_a_limit(self, asked: float, wait: float) -> None:
        assert wait_before(1, asked, RetryRules(), lambda: 0.5) == wait

    def test_a_manifest_may_allow_longer_waits(self) -> None:
        assert wait_before(1, 3_000.0, RetryRules(wait_max=3_600.0), lambda: 0.0) == 3_000.0

    @given(
        attempts=st.integers(0, 10**4),
        asked=st.none() | st.floats(),
        initial=st.floats(0.0, 1e4),
        most=st.floats(0.0, 1e5),
        chance=st.floats(0.0, 1.0, exclude_max=True),
    )
    def test_no_wait_is_longer_than_the_longest(
        self, attempts: int, asked: float | None, initial: float, most: float, chance: float
    ) -> None:
        rules = RetryRules(wait_initial=initial, wait_max=most)
        assert 0.0 <= wait_before(attempts, asked, rules, lambda: chance) <= max(LONGEST_RETRY_AFTER, most)
