"""Whole batches in virtual time: whatever is lost, late or killed, nothing is paid twice and nothing lost."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from batchfish.core import reconcile
from batchfish.core.events import CreateAnswer, SubmitUnanswered
from batchfish.core.rules import Limits, Rules, UnansweredRules
from batchfish.core.window import Bounds
from batchfish.pipeline.context import RunOptions, StopKind
from tests.pipeline.model_server import Faults
from tests.pipeline.seeds import seeds
from tests.pipeline.simulation import Simulation, settle_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchfish.pipeline.run import RunReport
    from batchfish.webagent.base import Listing, PreparedCreate, WebAgent

LOSSY = Faults(
    acts_then_resets=0.05,
    resets_without_acting=0.05,
    fails_without_acting=0.05,
    fails_after_acting=0.03,
    refuses_rate=0.05,
    reads_fail=0.05,
    longest_lag=1.0,
    latest_act=3.0,
)


def live(simulation: Simulation) -> Simulation:
    """Run a history to its end, and check what is promised."""
    check(simulation, simulation.run())
    return simulation


def check(simulation: Simulation, report: RunReport) -> None:
    """Check that a history has ended with one run and one result for each item, or at no cost."""
    assert simulation.server.violations == []
    if report.stop is not None:
        # Creates were lost twice before any was accepted: an absence without any accepted run is believed
        # only once in a journal, so a person decides. Nothing was paid for.
        assert report.stop.kind is StopKind.SLOTS_HELD
        assert simulation.statuses() == {"held": 1, "queued": simulation.items - 1}
        assert not simulation.server.runs
        assert (simulation.states()["absent"], simulation.states()["held"]) == (1, 1)
        return
    assert simulation.statuses() == {"succeeded": simulation.items}
    assert len(simulation.server.runs) == simulation.items


@pytest.mark.parametrize("seed", seeds(1, of=5))
def test_a_batch_without_faults_costs_one_create_an_item(tmp_path: Path, seed: int) -> None:
    simulation = live(Simulation(folder=tmp_path, seed=seed))
    assert simulation.server.creates == simulation.items


@pytest.mark.parametrize("seed", seeds(2, of=40))
def test_lost_answers_and_late_acts_cost_nothing_twice(tmp_path: Path, seed: int) -> None:
    live(Simulation(folder=tmp_path, seed=seed, faults=LOSSY))


@pytest.mark.parametrize("seed", seeds(3, of=40))
def test_a_batch_killed_again_and_again_goes_on_where_it_stopped(tmp_path: Path, seed: int) -> None:
    live(Simulation(folder=tmp_path, seed=seed, faults=LOSSY, kills=6))


@pytest.mark.parametrize("seed", seeds(2, of=40))
def test_auto_in_a_silent_queue_pays_for_nothing_twice(tmp_path: Path, seed: int) -> None:
    rules = replace(settle_of(10), limits=Limits(concurrency=Bounds(least=1, start=3, most=12)))
    faults = replace(LOSSY, slots=4)
    simulation = live(Simulation(folder=tmp_path, seed=seed, items=30, faults=faults, kills=6, rules=rules))
    assert 4 < simulation.server.most_alive <= 12


@pytest.mark.parametrize("seed", seeds(2, of=40))
def test_one_run_at_a_time_is_never_two(tmp_path: Path, seed: int) -> None:
    simulation = live(
        Simulation(
            folder=tmp_path, seed=seed, items=8, faults=LOSSY, kills=3, rules=settle_of(10, concurrency=1)
        )
    )
    assert simulation.server.most_alive == 1


@pytest.mark.parametrize("seed", seeds(2, of=40))
def test_failed_runs_are_tried_again_only_when_they_are_over(tmp_path: Path, seed: int) -> None:
    faults = replace(LOSSY, runs_fail=0.3)
    simulation = Simulation(
        folder=tmp_path, seed=seed, faults=faults, kills=3, rules=settle_of(10, attempts=3)
    )
    simulation.run()
    assert simulation.server.violations == []
    statuses = simulation.statuses()
    assert statuses.pop("succeeded", 0) + statuses.pop("failed", 0) == simulation.items
    assert statuses == {}


def test_a_last_create_that_made_no_run_is_sent_again(tmp_path: Path) -> None:
    """No run is intended after it, so no fresh control can be had: an older one serves, later."""
    simulation = Simulation(folder=tmp_path, seed=1, items=6, rules=settle_of(10, concurrency=1))
    server = simulation.server

    def fail_the_last() -> None:
        server.faults = Faults(fails_without_acting=1.0 if server.creates == simulation.items else 0.0)

    server.on_create.append(fail_the_last)
    live(simulation)
    assert server.creates == simulation.items + 1
    assert simulation.loop.now > reconcile.LONG_SETTLE * 10


@pytest.mark.parametrize("seed", seeds(1, of=5))
def test_a_batch_whose_first_run_ended_unobserved_goes_on_at_once(tmp_path: Path, seed: int) -> None:
    """The process dies before it has found its first run by the marker; the next one finds it and submits."""

    class Silent:
        is_silent = True

        def __init__(self, agent: WebAgent) -> None:
            self._agent = agent

        def __getattr__(self, name: str) -> object:
            return getattr(self._agent, name)

        async def find_by_marker(
            self, text: str, *, limit: int | None = None, since: float | None = None
        ) -> Listing:
            if Silent.is_silent and limit is None:
                Silent.is_silent = False
                await asyncio.Event().wait()
            return await self._agent.find_by_marker(text, limit=limit, since=since)

    undisturbed = live(Simulation(folder=_new(tmp_path), seed=seed, items=5))
    wrap: Any = Silent
    killed = live(Simulation(folder=_new(tmp_path), seed=seed, items=5, wrap=wrap, kills=1, kill_within=20.0))
    assert not Silent.is_silent
    assert killed.loop.now < undisturbed.loop.now + 20.0 + 30.0


@pytest.mark.parametrize("seed", range(8))
def test_leaving_waits_for_the_answer_on_its_way_and_no_longer(tmp_path: Path, seed: int) -> None:
    """One item, left at once: only its create is on its way, and no other stage wakes."""
    options = RunOptions(poll_interval=60.0, max_duration=0.004 * (seed + 1))
    simulation = Simulation(folder=tmp_path, seed=seed, items=1, rules=settle_of(10), options=options)
    report = simulation.run()
    assert report.stop is not None
    assert simulation.statuses().get("submitting", 0) == 0
    assert simulation.loop.now < 3.0


def test_the_same_seed_is_the_same_history(tmp_path: Path) -> None:
    histories = []
    for name in ("once", "again"):
        (tmp_path / name).mkdir()
        simulation = live(Simulation(folder=tmp_path / name, seed=7, faults=LOSSY, kills=4))
        histories.append([(run.url, run.created_at) for run in simulation.server.runs.values()])
    assert histories[0] == histories[1]


def test_markers_that_are_not_found_turn_certainty_into_holding(tmp_path: Path) -> None:
    """A listing that shows nothing for longer than settle cannot prove that a run is absent."""
    faults = replace(LOSSY, longest_lag=1e6)
    simulation = Simulation(folder=tmp_path, seed=3, faults=faults)
    simulation.run()
    assert simulation.server.violations == []
    assert simulation.statuses().get("held", 0) > 0
    assert any(notice.startswith("markers:") for notice in simulation.notices)


def test_the_simulation_catches_belief_without_waiting(tmp_path: Path) -> None:
    """A seeded bug: settle = 0, against acts that come up to 3 s after the reset."""
    faults = Faults(acts_then_resets=0.2, latest_act=3.0)
    believing = _violations(tmp_path, faults=faults, rules=settle_of(0))
    waiting = _violations(tmp_path, faults=faults, rules=settle_of(5))
    seen = next((beside for found, beside in zip(believing, waiting, strict=True) if found), None)
    assert seen == [], "the very history that the bug spoils is sound without it"


def test_the_simulation_catches_a_naive_repeat_of_a_create(tmp_path: Path) -> None:
    """A seeded bug: a create without a clear answer is simply sent again."""

    class Repeating:
        def __init__(self, agent: WebAgent) -> None:
            self._agent = agent

        def __getattr__(self, name: str) -> object:
            return getattr(self._agent, name)

        async def submit(self, create: PreparedCreate) -> CreateAnswer:
            answer = await self._agent.submit(create)
            return await self._agent.submit(create) if isinstance(answer, SubmitUnanswered) else answer

    assert any(_violations(tmp_path, faults=LOSSY, wrap=Repeating))


def test_the_simulation_catches_creates_sent_before_their_intent_is_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A seeded bug: an intent is written, but its commit is not waited for."""

    async def no_commit(_journal: object) -> None:
        return None

    monkeypatch.setattr("batchfish.journal.sqlite.SqliteJournal.commit", no_commit)
    assert any(_violations(tmp_path, faults=Faults(longest_lag=5.0), kills=8, kill_within=6.0))


def _new(folder: Path) -> Path:
    return Path(tempfile.mkdtemp(dir=folder))


def _violations(folder: Path, **history: object) -> Iterator[list[str]]:
    """Run ten histories, one after the other; return what was violated in each."""
    for seed in range(10):
        simulation = Simulation(folder=_new(folder), seed=seed, **history)  # type: ignore[arg-type]
        simulation.run()
        yield simulation.server.violations


CONTROL_TOO_NEW = 1052
"""A history in which the first run after an unanswered create is made just before that is settled."""


@pytest.mark.parametrize(
    "seed",
    [CONTROL_TOO_NEW, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1000, 1500))],
)
def test_long_histories(tmp_path: Path, seed: int) -> None:
    live(Simulation(folder=tmp_path, seed=seed, items=40, faults=LOSSY, kills=10, rules=settle_of(5)))


def test_the_manifest_may_ask_to_hold_instead(tmp_path: Path) -> None:
    rules = Rules(unanswered=UnansweredRules(then="hold", settle=10.0))
    simulation = Simulation(
        folder=tmp_path, seed=2, faults=replace(LOSSY, resets_without_acting=0.3), rules=rules
    )
    simulation.run()
    assert simulation.server.violations == []
    assert len({run.url for run in simulation.server.runs.values()}) == len(simulation.server.runs)
    assert simulation.statuses()["held"] > 0


def test_without_any_accepted_run_an_absence_is_believed_only_once(tmp_path: Path) -> None:
    """The listing searches no goals at all: each lost create has made a run, and only one may be doubled."""
    faults, options = (
        Faults(acts_then_resets=1.0, searched_goal=0),
        RunOptions(poll_interval=0.5, max_duration=600.0),
    )
    simulation = Simulation(folder=tmp_path, seed=1, items=1, faults=faults, options=options)
    simulation.run()
    assert simulation.statuses() == {"held": 1}
    assert simulation.server.creates == 2
