"""The number of creates that may be sent, and the time of the next poll of a run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchfish.core.pacing import (
    LONGEST_BACKOFF,
    MOST_NEEDED,
    SLOWEST_POLL,
    Pacing,
    creates_at_once,
    next_poll,
    poll_interval,
)
from batchfish.core.window import Bounds

ages = st.floats(-1e6, 1e9)
intervals = st.floats(0.01, 60.0)


@given(concurrency=st.integers(1, 1_000), open_attempts=st.integers(0, 2_000))
def test_what_is_sent_and_what_is_open_never_exceed_the_bound(concurrency: int, open_attempts: int) -> None:
    room = Pacing.within(Bounds.fixed(concurrency)).room(open_attempts, alive=open_attempts)
    assert room >= 0
    assert room == 0 or room + open_attempts == concurrency


@given(st.integers(1, 60), st.lists(st.tuples(st.booleans(), st.integers(0, 60), st.integers(0, 9))))
def test_no_history_of_answers_takes_the_limit_out_of_its_bounds(
    concurrency: int, answers: list[tuple[bool, int, int]]
) -> None:
    pacing = Pacing.within(Bounds.fixed(concurrency))
    for is_accepted, alive, age in answers:
        stamp = max(1, pacing.round - age)
        pacing = pacing.accepted(stamp, alive) if is_accepted else pacing.refused(stamp, alive)
        assert 1 <= pacing.limit <= concurrency
        assert 1 <= pacing.needed <= MOST_NEEDED
        assert pacing.room(0, 0) >= 1
        assert 1.0 <= pacing.backoff <= LONGEST_BACKOFF


def test_creates_refused_together_are_one_refusal() -> None:
    """Eight are tried while one is alive: the number tried is halved once, and the pause is the first."""
    pacing = Pacing.within(Bounds.fixed(50))
    for still_in_flight in reversed(range(8)):
        pacing = pacing.refused(1, alive=1 + still_in_flight)
    assert (pacing.limit, pacing.backoff) == (4, 1.0)


def test_the_limit_is_not_lowered_below_what_the_api_has_taken() -> None:
    """Of eight tried while nine are alive one is accepted, and seven are refused: the API takes ten."""
    pacing = Pacing.within(Bounds.fixed(50)).accepted(1, alive=17)
    for still_in_flight in reversed(range(7)):
        pacing = pacing.refused(1, alive=10 + still_in_flight)
    assert (pacing.limit, pacing.backoff) == (10, 1.0)


def test_creates_accepted_beside_refused_ones_neither_raise_the_limit_nor_end_the_backoff() -> None:
    refused = Pacing.within(Bounds.fixed(10)).refused(1, alive=7).refused(2, alive=3)
    assert refused.accepted(1, alive=4) == refused


def test_each_refused_round_doubles_the_pause_and_an_accepted_one_ends_that() -> None:
    pacing, pauses = Pacing.within(Bounds.fixed(8)), []
    for _ in range(8):
        pacing = pacing.refused(pacing.round, alive=0)
        pauses.append(pacing.backoff)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    assert pacing.limit == 1
    assert pacing.accepted(pacing.round, alive=1).backoff == 1.0


def test_after_a_burst_each_accepted_round_takes_one_more() -> None:
    pacing, limits = Pacing.within(Bounds.fixed(8)).refused(1, alive=3), []
    while pacing.limit < 8:
        pacing = pacing.accepted(pacing.round, alive=pacing.limit)
        limits.append(pacing.limit)
    assert limits == [4, 5, 6, 7, 8]


def test_one_more_that_is_refused_repeatedly_is_tried_less_and_less_often() -> None:
    pacing, rounds = Pacing.within(Bounds.fixed(50)).refused(1, alive=10), 0
    tries: list[int] = []
    while len(tries) < 5:
        rounds += 1
        pacing = pacing.accepted(pacing.round, alive=10)
        if pacing.limit == 11:
            tries.append(rounds)
            rounds, pacing = 0, pacing.refused(pacing.round, alive=10)
    assert tries == [1, 4, 16, 64, 64]


def test_an_api_that_takes_more_than_it_did_is_noticed_at_once() -> None:
    pacing = Pacing.within(Bounds.fixed(50)).refused(1, alive=10).accepted(2, alive=10)
    for _ in range(3):
        pacing = pacing.refused(pacing.round, alive=10)
    assert pacing.needed > 1
    for _ in range(pacing.needed):
        pacing = pacing.accepted(pacing.round, alive=10)
    for alive in range(11, 20):
        assert pacing.limit == alive
        pacing = pacing.accepted(pacing.round, alive=alive)


def test_creates_that_cannot_be_sent_are_paused_after_but_say_nothing_of_the_limit() -> None:
    pacing = Pacing.within(Bounds.fixed(8))
    for stamp in (1, 1, 1, 2):
        pacing = pacing.failed(stamp)
    assert (pacing.limit, pacing.backoff) == (8, 2.0)


def test_attempts_that_wait_for_a_person_hold_slots_but_do_not_count_as_taken() -> None:
    pacing = Pacing.within(Bounds.fixed(3)).refused(1, alive=0)
    assert pacing.room(2, alive=0) == 1
    assert pacing.room(3, alive=0) == 0


def test_it_grows_until_a_run_was_seen_waiting_or_no_more_are_allowed() -> None:
    pacing = Pacing.within(Bounds(least=1, start=10, most=20))
    assert pacing.is_growing
    assert not pacing.polled(alive=10, waiting=4, starting=0, ended=0).is_growing
    assert not pacing.polled(alive=10, waiting=0, starting=0, ended=0).is_growing  # 20 are allowed
    assert not Pacing.within(Bounds.fixed(10)).is_growing


def test_young_runs_are_polled_each_interval_and_old_ones_less_often() -> None:
    assert [next_poll(age, 1.0) for age in (0, 60, 120, 240, 10_000)] == [1.0, 2.0, 3.0, 5.0, 5.0]


def test_a_clock_that_went_back_makes_a_run_young() -> None:
    assert next_poll(-100.0, 2.0) == 2.0


@given(age=ages, interval=intervals)
def test_no_poll_comes_sooner_than_an_interval_or_later_than_the_slowest(age: float, interval: float) -> None:
    assert interval <= next_poll(age, interval) <= SLOWEST_POLL * interval


@given(age=ages, older=ages, interval=intervals)
def test_an_older_run_is_never_polled_sooner(age: float, older: float, interval: float) -> None:
    assert next_poll(min(age, older), interval) <= next_poll(max(age, older), interval)


@pytest.mark.parametrize(
    ("run_seconds", "oldest", "near", "remote"),
    [
        (None, 0.0, 0.1, 1.0),
        (None, 0.8, 0.2, 1.0),
        (None, 600.0, 0.25, 1.0),
        (0.2, 600.0, 0.1, 1.0),
        (1.0, 600.0, 0.25, 1.0),
        (3.0, 600.0, 0.5, 1.0),
        (30.0, 600.0, 1.5, 1.5),
        (600.0, 600.0, 30.0, 30.0),
    ],
)
def test_the_poll_interval_follows_how_long_runs_take(
    run_seconds: float | None, oldest: float, near: float, remote: float
) -> None:
    assert poll_interval(0.1, run_seconds, oldest) == pytest.approx(near)
    assert poll_interval(1.0, run_seconds, oldest) == pytest.approx(remote)


@pytest.mark.parametrize(
    ("run_seconds", "interval"),
    [(None, 0.05), (0.01, 0.025), (0.05, 0.025), (0.1, 0.05), (0.2, 0.1), (0.3, 0.1)],
)
def test_very_short_runs_are_polled_twice_in_their_time(run_seconds: float | None, interval: float) -> None:
    assert poll_interval(0.025, run_seconds, 0.0) == pytest.approx(interval)


@pytest.mark.parametrize(("is_growing", "interval"), [(True, 0.05), (False, 0.1)])
def test_the_shortest_runs_are_polled_more_often_while_the_window_grows(
    interval: float, *, is_growing: bool
) -> None:
    assert poll_interval(0.05, 0.2, 600.0, is_growing=is_growing) == pytest.approx(interval)
    assert poll_interval(1.0, 0.2, 600.0, is_growing=is_growing) == pytest.approx(1.0)


@pytest.mark.parametrize(("latency", "number"), [(0.0, 6), (0.013, 6), (0.033, 15), (0.08, 32), (5.0, 32)])
def test_more_creates_wait_at_once_where_their_answers_take_longer(latency: float, number: int) -> None:
    assert creates_at_once(latency) == number
