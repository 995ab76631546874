"""The window on simulated servers with a hidden cap: slots stay full, queues short, other batches served."""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import pytest
from msgspec.structs import replace

from batchfish.core.window import AUTO, Bounds, Window, parse_bounds

Duration = Callable[[random.Random], float]
INTERVAL = 1.0
LATENCY = 0.1


def constant(seconds: float) -> Duration:
    return lambda _: seconds


def lognormal(mean: float, sigma: float) -> Duration:
    return lambda chance: chance.lognormvariate(math.log(mean) - sigma**2 / 2, sigma)


@dataclass
class Sample:
    """What one poll of a batch found, and what the window was then."""

    at: float
    alive: int
    ended: int
    working: int


@dataclass
class Batch:
    """One client: it submits while its window has room, and polls all its runs at each interval."""

    durations: list[float]
    window: Window
    begins: float
    left: list[int]
    alive: dict[int, str] = field(default_factory=dict)
    on_their_way: int = 0
    ended: set[int] = field(default_factory=set)
    finished_at: float = 0.0
    samples: list[Sample] = field(default_factory=list)

    def poll(self, now: float) -> None:
        ended = len(self.ended)
        for run in self.ended:
            del self.alive[run]
        self.ended.clear()
        working = sum(status == "RUNNING" for status in self.alive.values())
        waiting = len(self.alive) - working
        self.window = self.window.polled(alive=len(self.alive), waiting=waiting, ended=ended)
        self.samples.append(Sample(at=now, alive=len(self.alive), ended=ended, working=working))

    def peak(self, since: float, until: float) -> int:
        return max(one.alive for one in self.samples if since <= one.at <= until)


class Server:
    """A first-come-first-served queue under a cap, which may change, and the clock of the simulation."""

    def __init__(self, cap: int) -> None:
        self.cap = cap
        self.queue: deque[tuple[Batch, int]] = deque()
        self.working = 0
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._tickets = itertools.count()

    def at(self, moment: float, act: Callable[[float], None]) -> None:
        heapq.heappush(self._events, (moment, next(self._tickets), act))

    def resize_at(self, moment: float, cap: int) -> None:
        def resize(now: float) -> None:
            self.cap = cap
            self._start_runs(now)

        self.at(moment, resize)

    def carry(self, *batches: Batch) -> float:
        """Run all batches to their end; return when the last has finished."""
        for batch in batches:
            self.at(batch.begins, partial(self._turn, batch))
        while self._events:
            now, _, act = heapq.heappop(self._events)
            act(now)
        return max(batch.finished_at for batch in batches)

    def _turn(self, batch: Batch, now: float) -> None:
        batch.poll(now)
        while batch.left and len(batch.alive) + batch.on_their_way < batch.window.size:
            batch.on_their_way += 1
            self.at(now + LATENCY, partial(self._create, batch, batch.left.pop()))
        if batch.left or batch.alive or batch.on_their_way:
            self.at(now + INTERVAL, partial(self._turn, batch))
        else:
            batch.finished_at = now

    def _create(self, batch: Batch, run: int, now: float) -> None:
        batch.on_their_way -= 1
        batch.alive[run] = "PENDING"
        self.queue.append((batch, run))
        self._start_runs(now)

    def _start_runs(self, now: float) -> None:
        while self.queue and self.working < self.cap:
            batch, run = self.queue.popleft()
            self.working += 1
            batch.alive[run] = "RUNNING"
            self.at(now + batch.durations[run], partial(self._end, batch, run))

    def _end(self, batch: Batch, run: int, now: float) -> None:
        self.working -= 1
        batch.ended.add(run)
        self._start_runs(now)


def ideal(durations: Sequence[float], cap: int) -> float:
    """Return the length of the list schedule of these runs."""
    slots = [0.0] * cap
    for seconds in durations:
        heapq.heapreplace(slots, slots[0] + seconds)
    return max(slots)


def batch_of(runs: int, duration: Duration, *, seed: int = 0, begins: float = 0.0, most: int = 100) -> Batch:
    chance = random.Random(seed)
    return Batch(
        durations=[duration(chance) for _ in range(runs)],
        window=Window.within(Bounds(least=1, start=10, most=most)),
        begins=begins,
        left=list(reversed(range(runs))),
    )


DURATIONS = {
    "constant": constant(10),
    "narrow": lognormal(10, 0.5),
    "wide": lognormal(10, 1.0),
    "long": lognormal(30, 0.5),
}


@pytest.mark.parametrize("name", DURATIONS)
@pytest.mark.parametrize("cap", [1, 2, 10, 50, 1000])
def test_slots_stay_full_and_queues_short_under_a_hidden_cap(cap: int, name: str) -> None:
    batch = batch_of(max(40, 8 * cap), DURATIONS[name], most=2000 if cap > 100 else 100)
    took = Server(cap).carry(batch)
    # What the ramp from 10 costs is a few polls; a short batch at a large cap feels it most.
    ramp = 3 * INTERVAL * math.log2(max(2, cap / 5))
    assert took <= 1.02 * ideal(batch.durations, cap) + ramp
    settled = [one for one in batch.samples if 0.4 * took <= one.at <= 0.8 * took]
    most_ended = max(one.ended for one in settled)
    assert max(one.alive for one in settled) <= cap + 2 + most_ended


def test_a_cap_that_is_halved_is_followed_within_two_run_lengths() -> None:
    batch = batch_of(1500, lognormal(10, 0.5))
    server = Server(50)
    server.resize_at(100.0, 25)
    server.carry(batch)
    ends = max(one.ended for one in batch.samples if 100 <= one.at <= 150)
    assert batch.peak(121, 250) <= 25 + 2 + ends


def test_a_cap_that_is_doubled_is_used_within_two_run_lengths() -> None:
    batch = batch_of(1500, lognormal(10, 0.5))
    server = Server(25)
    server.resize_at(100.0, 50)
    server.carry(batch)
    working = [one.working for one in batch.samples if 121 <= one.at <= 200]
    assert sum(working) / len(working) >= 48


def test_a_cap_that_rises_far_is_used_within_a_run_length() -> None:
    """Few runs end between two polls until then: the window grows faster with each poll that finds room."""
    batch = batch_of(2000, constant(60), most=1000)
    server = Server(10)
    server.resize_at(100.0, 400)
    server.carry(batch)
    working = [one.working for one in batch.samples if 130 <= one.at <= 150]
    assert min(working) == 400


@pytest.mark.parametrize("mean", [5, 10, 30])
def test_two_batches_of_one_account_share_its_slots(mean: int) -> None:
    batches = [
        batch_of(150 * 50 // mean, lognormal(mean, 0.5)),
        batch_of(150 * 50 // mean, lognormal(mean, 0.5), seed=1, begins=50.0),
    ]
    Server(50).carry(*batches)
    until = min(batch.finished_at for batch in batches) - mean
    settled = 50 + 6 * mean
    working = [sum(one.working for one in batch.samples if settled <= one.at <= until) for batch in batches]
    assert working[1] >= 0.4 * sum(working)


def test_the_greatest_number_is_never_exceeded() -> None:
    batch = batch_of(400, lognormal(10, 1.0), most=20)
    Server(1000).carry(batch)
    assert batch.peak(0, math.inf) == 20


def test_a_fixed_number_never_moves() -> None:
    window = Window.within(Bounds(least=7, start=7, most=7))
    for alive, waiting, ended in [(7, 0, 0), (7, 5, 0), (2, 0, 5), (7, 7, 30)]:
        window = window.polled(alive=alive, waiting=waiting, ended=ended)
        assert window.size == 7


@pytest.mark.parametrize(
    ("text", "bounds"),
    [
        ("auto", Bounds(least=1, start=10, most=100)),
        ("20", Bounds(least=20, start=20, most=20)),
        ("2-5-40", Bounds(least=2, start=5, most=40)),
        ("10000", Bounds(least=10_000, start=10_000, most=10_000)),
        *(
            (text, None)
            for text in ("", "0", "10001", "5-2-40", "2-50-40", "1-2", "-3", "٣", "5 ", "1-2-3-4")
        ),
    ],
)
def test_bounds_are_a_number_auto_or_three_numbers_in_order(text: str, bounds: Bounds | None) -> None:
    assert parse_bounds(text) == bounds
    assert bounds is None or parse_bounds(str(bounds)) == bounds


def test_other_bounds_are_in_force_at_once() -> None:
    window = Window.within(AUTO)
    assert window.bounded(Bounds.fixed(20)).size == 20
    assert window.bounded(Bounds.fixed(3)).size == 3
    assert window.bounded(Bounds(least=1, start=50, most=200)).size == 10


def test_more_runs_wait_where_creates_take_long() -> None:
    """Ten end between two polls, and fifteen more while a create is on its way."""
    window = Window(bounds=Bounds(least=1, start=10, most=200), size=60, ends=(10, 10, 10))
    assert window.polled(alive=60, waiting=10, ended=10).size == 50 + 10 + 1
    assert window.polled(alive=60, waiting=10, ended=10, create_time=1.5).size == 50 + 10 + 15 + 1


def test_polls_during_which_little_was_submitted_do_not_widen_it() -> None:
    window = Window.within(Bounds(least=1, start=10, most=100))
    assert window.polled(alive=4, waiting=0, ended=1).size == 10


@pytest.mark.parametrize(
    "polled",
    [
        pytest.param(lambda window, **_: window, id="never-moves"),
        pytest.param(lambda window, **_: replace(window, size=min(100, 2 * window.size)), id="only-grows"),
    ],
)
def test_the_simulation_catches_a_window_that(
    polled: Callable[..., Window], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Window, "polled", polled)
    with pytest.raises(AssertionError):
        test_slots_stay_full_and_queues_short_under_a_hidden_cap(50, "narrow")
