"""The evidence of polls on the server's queue: what runs wait for a slot, and what runs are only starting."""

from __future__ import annotations

import pytest

from batchfish.core.runs import RunSnapshot
from batchfish.pipeline.watches import Queue, Watch

INTERVAL = 2.0


def watch() -> Watch:
    return Watch(since=0.0, same_since=0.0, next_poll=0.0)


def started(queue: Queue, created_at: float, started_at: float) -> None:
    run = RunSnapshot(run_id="run", status="RUNNING", created_at=created_at, started_at=started_at)
    queue.note(run, watch())


def waiting(queue: Queue, created_at: float, *, pending_for: float) -> bool:
    """Whether a run counts as waiting that a poll shows as PENDING this long after its creation."""
    one = watch()
    queue.note(RunSnapshot(run_id="run", status="PENDING", created_at=created_at), one)
    return queue.count([one], pending_for, INTERVAL) == (0, 1)


def test_no_run_waits_before_one_has_started() -> None:
    assert not waiting(Queue(), 0.0, pending_for=1000.0)


def test_a_run_is_starting_where_a_later_one_has_started() -> None:
    queue = Queue()
    started(queue, 10.0, 10.0)
    assert waiting(queue, 11.0, pending_for=1.0)
    assert not waiting(queue, 9.0, pending_for=1000.0)


@pytest.mark.parametrize(
    ("starts", "longest"),
    [
        pytest.param([(0, 5), (1, 6), (2, 8)], 10.0, id="alike"),
        pytest.param([(0, 5), (0, 10), (0, 15), (0, 20)], INTERVAL / 2, id="in-order"),
        pytest.param([(0, 5), (1, 12), (2, 10), (3, 14)], 4.0, id="overtaken"),
        pytest.param([(0, 1), (0, 9), (1, 5), (1, 9)], 2.0, id="overtaken-by-more-than-the-quickest-took"),
    ],
)
def test_how_long_starts_take_is_learned_from_their_lengths_and_order(
    starts: list[tuple[float, float]], longest: float
) -> None:
    queue = Queue()
    for created_at, started_at in sorted(starts, key=lambda one: one[1]):
        started(queue, created_at, started_at)
    assert not waiting(queue, 100.0, pending_for=longest - 0.01)
    assert waiting(queue, 100.0, pending_for=longest + 0.01)


def test_a_run_that_is_polled_repeatedly_is_one_start() -> None:
    queue = Queue()
    one = watch()
    run = RunSnapshot(run_id="run", status="RUNNING", created_at=0.0, started_at=1.0)
    started(queue, 0.0, 2.0)
    for _ in range(20):
        queue.note(run, one)
    assert queue.start_seconds == pytest.approx(1.7)
