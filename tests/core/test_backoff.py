"""How long to wait after failures in a row."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from batchfish.core.backoff import LONGEST_RETRY_AFTER, exponential, jittered

failures = st.integers(-1, 10**6)
seconds = st.floats(0.0, 1e6)


def test_the_exponential_wait_doubles_up_to_the_longest() -> None:
    waits = [exponential(count, first=0.5, longest=3.0) for count in range(6)]
    assert waits == [0.5, 0.5, 1.0, 2.0, 3.0, 3.0]


@given(count=failures, first=seconds, longest=seconds)
def test_the_exponential_wait_never_shrinks_and_never_exceeds_the_longest(
    count: int, first: float, longest: float
) -> None:
    wait = exponential(count, first=first, longest=longest)
    assert 0.0 <= wait <= longest
    assert wait <= exponential(count + 1, first=first, longest=longest)


def test_jitter_spreads_the_wait_from_zero_to_the_exponential_one() -> None:
    waits = [jittered(3, lambda: chance, first=1.0, longest=60.0) for chance in (0.0, 0.25, 1.0)]  # noqa: B023
    assert waits == [0.0, 1.0, 4.0]


@given(count=failures, chance=st.floats(0.0, 1.0), asked=st.none() | st.floats())
def test_a_wait_that_the_api_asks_for_holds_up_to_the_longest_retry_after(
    count: int, chance: float, asked: float | None
) -> None:
    wait = jittered(count, lambda: chance, first=0.5, longest=30.0, asked=asked)
    assert 0.0 <= wait <= LONGEST_RETRY_AFTER
    if asked is not None and 0.0 <= asked <= LONGEST_RETRY_AFTER:
        assert wait >= asked
