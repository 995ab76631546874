"""How many creates may be sent beside those that are open."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from batchfish.core.window import Window


@given(concurrency=st.integers(1, 1_000), open_attempts=st.integers(0, 2_000))
def test_what_is_sent_and_what_is_open_never_exceed_the_bound(concurrency: int, open_attempts: int) -> None:
    room = Window(concurrency=concurrency).room(open_attempts)
    assert room >= 0
    assert room == 0 or room + open_attempts == concurrency


@given(pending=st.integers(0, 100), running=st.integers(0, 100))
def test_what_looks_show_does_not_move_a_constant(pending: int, running: int) -> None:
    window = Window(concurrency=7)
    assert window.after_look(pending=pending, running=running).room(0) == 7
