"""What the evidence about an unanswered create proves, and that nothing less proves it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from batchfish.core.reconcile import (
    LONG_SETTLE,
    SHORTEST_PAUSE,
    Absent,
    Adopt,
    Control,
    Evidence,
    Hold,
    SearchAgain,
    judge,
    pause_between_searches,
)
from batchfish.core.rules import UnansweredRules
from batchfish.core.runs import RunSnapshot

SETTLE = 300.0
RULES = UnansweredRules(settle=SETTLE)
HOLDING = UnansweredRules(settle=SETTLE, then="hold")
RUN = RunSnapshot(run_id="run", status="RUNNING")


def evidence(*empty_searches: float, control: Control = Control.FRESH, **more: object) -> Evidence:
    known = Evidence(
        elapsed=empty_searches[-1] if empty_searches else 0.0,
        searches=len(empty_searches),
        empty_searches=empty_searches,
        control=control,
    )
    return replace(known, **more)


class TestFound:
    @pytest.mark.parametrize("rules", [RULES, HOLDING])
    @pytest.mark.parametrize(
        "more",
        [
            {},
            {"markers_work": False},
            {"unreachable_for": 1e6},
            {"control": Control.MISSING},
            {"empty_searches": (400.0, 500.0, 2_000.0)},
        ],
    )
    def test_a_run_that_was_found_exists_whatever_else_is_said(
        self, rules: UnansweredRules, more: dict[str, Any]
    ) -> None:
        assert judge(evidence(found=RUN, **more), rules) == Adopt(RUN)


class TestAbsence:
    def test_two_late_searches_and_a_fresh_control_prove_it(self) -> None:
        assert judge(evidence(10.0, 100.0, 300.0, 330.0), RULES) == Absent()

    @pytest.mark.parametrize(
        "empty_searches",
        [
            (),
            (330.0,),
            (299.9, 329.9),  # the first of them came before settle had passed
            (300.0, 329.9),  # too close to each other
            (10.0, 100.0, 200.0, 299.9),
        ],
    )
    def test_less_does_not_prove_it(self, empty_searches: tuple[float, ...]) -> None:
        assert isinstance(judge(evidence(*empty_searches), RULES), SearchAgain)

    @pytest.mark.parametrize("control", [Control.OLDER, Control.IMPOSSIBLE])
    def test_without_a_fresh_control_it_takes_six_times_as_long(self, control: Control) -> None:
        late = LONG_SETTLE * SETTLE
        assert isinstance(judge(evidence(300.0, late - 0.1, control=control), RULES), SearchAgain)
        assert isinstance(judge(evidence(300.0, late, late + 29.9, control=control), RULES), SearchAgain)
        assert judge(evidence(late, late + 30.0, control=control), RULES) == Absent()

    def test_a_control_that_is_not_found_proves_nothing_however_long(self) -> None:
        late = LONG_SETTLE * SETTLE
        assert isinstance(judge(evidence(300.0, late, control=Control.MISSING), RULES), SearchAgain)
        judgement = judge(evidence(late, 10 * late, control=Control.MISSING), RULES)
        assert isinstance(judgement, Hold)
        assert "a run that is known to exist" in judgement.message

    def test_a_control_that_is_too_new_to_be_listed_neither_proves_nor_holds(self) -> None:
        late = LONG_SETTLE * SETTLE
        assert isinstance(judge(evidence(late, 10 * late, control=Control.TOO_NEW), RULES), SearchAgain)

    def test_time_alone_proves_nothing(self) -> None:
        assert isinstance(judge(evidence(elapsed=1e9, searches=0), RULES), SearchAgain)

    @given(
        empty_searches=st.lists(st.floats(0.0, 5_000.0), max_size=12).map(sorted),
        control=st.sampled_from(Control),
        settle=st.sampled_from([0.5, 10.0, 300.0]),
        then=st.sampled_from(["reconcile", "hold"]),
        markers_work=st.booleans(),
        unreachable_for=st.sampled_from([0.0, 1.0, 1e5]),
    )
    def test_absence_is_never_believed_on_less_than_the_law_says(
        self,
        empty_searches: list[float],
        control: Control,
        settle: float,
        then: str,
        *,
        markers_work: bool,
        unreachable_for: float,
    ) -> None:
        known = evidence(
            *empty_searches, control=control, markers_work=markers_work, unreachable_for=unreachable_for
        )
        if judge(known, UnansweredRules(settle=settle, then=then)) == Absent():
            factor = 1.0 if control is Control.FRESH else LONG_SETTLE
            late = [at for at in empty_searches if at >= factor * settle]
            assert then == "reconcile"
            assert markers_work
            assert control not in {Control.MISSING, Control.TOO_NEW}
            assert len(late) >= 2
            assert late[-1] - late[0] >= settle / 10 - 1e-6
            assert unreachable_for < LONG_SETTLE * settle


class TestHolding:
    def test_without_markers_no_search_proves_anything(self) -> None:
        judgement = judge(evidence(300.0, 330.0, markers_work=False), RULES)
        assert isinstance(judgement, Hold)
        assert "marker" in judgement.message

    def test_a_listing_that_is_down_holds_after_six_times_settle(self) -> None:
        assert isinstance(judge(evidence(unreachable_for=LONG_SETTLE * SETTLE - 1), RULES), SearchAgain)
        judgement = judge(evidence(unreachable_for=LONG_SETTLE * SETTLE), RULES)
        assert judgement == Hold("no complete listing of runs came for 30m")

    def test_a_manifest_that_says_hold_holds_after_one_late_search(self) -> None:
        assert isinstance(judge(evidence(299.9), HOLDING), SearchAgain)
        judgement = judge(evidence(300.0, control=Control.MISSING), HOLDING)
        assert isinstance(judgement, Hold)
        assert "the manifest says `hold`" in judgement.message

    def test_such_a_manifest_never_believes_absence(self) -> None:
        assert isinstance(judge(evidence(2_000.0, 4_000.0), HOLDING), Hold)


class TestPauses:
    def test_searches_come_two_four_and_eight_seconds_apart(self) -> None:
        assert [pause_between_searches(searches, SETTLE) for searches in (1, 2, 3, 4, 5, 6)] == [
            2,
            4,
            8,
            16,
            30,
            30,
        ]

    def test_the_first_search_is_followed_as_soon_as_the_second(self) -> None:
        assert pause_between_searches(0, SETTLE) == 2.0

    @given(searches=st.integers(0, 10**6), settle=st.floats(0.0, 1e6))
    def test_they_are_at_most_a_tenth_of_settle_apart_and_never_too_close(
        self, searches: int, settle: float
    ) -> None:
        pause = pause_between_searches(searches, settle)
        assert SHORTEST_PAUSE <= pause <= max(SHORTEST_PAUSE, settle / 10)
        assert pause <= pause_between_searches(searches + 1, settle)

    @given(settle=st.floats(0.5, 1_000.0), control=st.sampled_from([Control.FRESH, Control.OLDER]))
    def test_searching_at_that_pace_comes_to_an_end(self, settle: float, control: Control) -> None:
        rules, searches = UnansweredRules(settle=settle), [0.0]
        while isinstance(judgement := judge(evidence(*searches, control=control), rules), SearchAgain):
            searches.append(searches[-1] + judgement.after)
            assert len(searches) < 100
        assert judgement == Absent()
