"""What attempts cost, what runs reserve, and which attempts count against a cap."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from batchfish.core.attempts import DECLARED_ABSENT
from batchfish.core.budget import (
    RUNS_BEFORE_PERCENTILE,
    Account,
    Budget,
    Reservation,
    Room,
    Spending,
    account_of,
    max_steps_of,
    reserve,
    room_for,
    spell_spending,
    spell_usd,
    usual_steps,
    worst_case,
)
from batchfish.core.items import Attempt, AttemptState

BUDGET = Budget(cap=20_000_000, step_price=15_000)
HELD = Reservation(amount=2_250_000, step_price=15_000)
ATTEMPT = Attempt(
    item=1,
    k=1,
    marker="",
    state=AttemptState.SUBMITTING,
    key_id="",
    body_sha256="",
    intended_at=0.0,
    intended_boot=0.0,
    boot_id="",
)


class TestCost:
    @pytest.mark.parametrize("state", [state for state in AttemptState if state.is_open])
    def test_an_open_attempt_costs_what_it_reserved(self, state: AttemptState) -> None:
        assert HELD.cost_of(replace(ATTEMPT, state=state, steps=3)) == 2_250_000

    def test_an_ended_run_costs_its_steps_and_its_reservation_if_they_are_not_known(self) -> None:
        ended = replace(ATTEMPT, state=AttemptState.ENDED, run_id="run-1")
        assert HELD.cost_of(replace(ended, steps=7)) == 105_000
        assert HELD.cost_of(replace(ended, steps=0)) == 0
        assert HELD.cost_of(replace(ended, steps=200)) == 3_000_000
        assert HELD.cost_of(ended) == 2_250_000

    def test_a_create_that_made_no_run_costs_nothing(self) -> None:
        assert HELD.cost_of(replace(ATTEMPT, state=AttemptState.REFUSED, cause="rate_limited")) == 0
        assert HELD.cost_of(replace(ATTEMPT, state=AttemptState.ABSENT, cause="reset")) == 0

    def test_a_persons_word_is_no_proof_that_there_was_no_run(self) -> None:
        declared = replace(ATTEMPT, state=AttemptState.ABSENT, cause=DECLARED_ABSENT)
        assert HELD.cost_of(declared) == 2_250_000


class TestReservation:
    @pytest.mark.parametrize(
        ("request_fields", "steps"),
        [
            ({}, 150),
            ({"agent_config": {"max_steps": 40}}, 40),
            ({"agent_config": {"mode": "strict"}}, 150),
            ({"agent_config": None}, 150),
        ],
    )
    def test_the_worst_case_is_what_the_request_allows(
        self, request_fields: dict[str, object], steps: int
    ) -> None:
        assert max_steps_of(request_fields) == steps
        assert worst_case(BUDGET, steps).amount == steps * 15_000

    def test_the_percentile_counts_once_twenty_runs_have_ended(self) -> None:
        careful, usual = replace(BUDGET, reserve="p95"), Counter({8: RUNS_BEFORE_PERCENTILE - 1})
        assert usual_steps(careful, usual) is None
        usual[9] += 1
        assert usual_steps(careful, usual) == 8
        assert usual_steps(BUDGET, usual) is None

    def test_no_run_reserves_more_than_it_may_take(self) -> None:
        assert reserve(BUDGET, 150, None).amount == 150 * 15_000
        assert reserve(BUDGET, 150, 8).amount == 8 * 15_000
        assert reserve(BUDGET, 5, 8).amount == 5 * 15_000


class TestRoom:
    @given(
        *[st.integers(0, 30_000_000)] * 3,
    )
    def test_an_intent_never_leads_over_the_cap(self, spent: int, reserved: int, amount: int) -> None:
        spending = Spending(spent=spent, reserved=reserved)
        room = room_for(BUDGET, spending, Reservation(amount=amount, step_price=1))
        assert (room is Room.NOW) == (spent + reserved + amount <= BUDGET.cap)
        assert (room is Room.NEVER) == (spent + amount > BUDGET.cap)

    def test_what_the_open_attempts_do_not_cover_can_exceed_the_cap(self) -> None:
        spending = Spending(spent=18_000_000, reserved=1_000_000, uncovered=4_000_000)
        assert spending.possible_excess(BUDGET) == 3_000_000
        assert replace(spending, uncovered=1_000_000).possible_excess(BUDGET) == 0


class TestAccount:
    def test_of_a_batch(self) -> None:
        account = account_of(BUDGET, 7, "2026-11-24", 0.0)
        assert account.covers(7, "2026-11-24", 1e9)
        assert not account.covers(8, "2026-11-24", 1e9)

    def test_of_a_period(self) -> None:
        account = account_of(replace(BUDGET, per="period"), 7, "2026-11-24", 0.0)
        assert account.covers(8, "2026-11-24", 1e9)
        assert not account.covers(7, "2026-11-25", 1e9)

    @pytest.mark.parametrize("month", [(2026, 1), (2026, 11), (2026, 12), (2028, 2)])
    def test_of_a_month_in_utc(self, month: tuple[int, int]) -> None:
        begin = datetime(*month, 1, tzinfo=UTC).timestamp()
        year, number = month
        end = datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC).timestamp()
        for moment in (begin, begin + 1e6, end - 1):
            account = account_of(replace(BUDGET, per="month"), 7, None, moment)
            assert account == Account(since=begin, until=end)
        assert account.covers(9, None, begin)
        assert not account.covers(9, None, end)
        assert not account.covers(9, None, begin - 0.001)


@pytest.mark.parametrize(
    ("amount", "spelled"),
    [
        (0, "$0.00"),
        (3_100_000, "$3.10"),
        (37_500, "$0.0375"),
        (1, "$0.000001"),
        (1_234_567_890_000, "$1,234,567.89"),
        (-2_500_000, "-$2.50"),
    ],
)
def test_amounts_are_spelled_to_the_cent_or_as_finely_as_they_are(amount: int, spelled: str) -> None:
    assert spell_usd(amount) == spelled


def test_spending_is_spelled_with_the_cap_and_what_it_is_for() -> None:
    spending = Spending(spent=3_100_000, reserved=900_000, uncovered=17_000_000)
    assert spell_spending(replace(spending, uncovered=0), BUDGET) == ("$3.10 spent, $0.90 reserved of $20.00")
    monthly = replace(BUDGET, per="month")
    assert spell_spending(spending, monthly) == (
        "$3.10 spent, $0.90 reserved of $20.00 for the month, which can be exceeded by $1.00"
    )


def test_a_cap_that_is_exceeded_already_is_said_to_be() -> None:
    spending = Spending(spent=21_500_000)
    assert spell_spending(spending, BUDGET) == "$21.50 spent, $0.00 reserved of $20.00, exceeded by $1.50"
    open_too = replace(spending, reserved=900_000, uncovered=100_000)
    assert spell_spending(open_too, BUDGET).endswith("exceeded by $1.50, and by up to $1.00 more")
