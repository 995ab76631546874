"""A run is bound to its own item and to no other, whatever an answer, a row or a listing names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from batchfish.core import identity
from batchfish.core.events import SubmitAccepted
from batchfish.core.items import AttemptState
from batchfish.pipeline import recovery, submit
from batchfish.pipeline.search import NewRuns
from tests.pipeline.history import SETTLE, living
from tests.pipeline.model_server import Faults
from tests.pipeline.simulation import Simulation, settle_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from batchfish.core.events import CreateAnswer
    from batchfish.core.runs import RunSnapshot
    from batchfish.pipeline.context import Context
    from batchfish.webagent.base import PollResult, WebAgent

ITEMS = 8


def wrong_bindings(folder: Path, seed: int, faults: Faults) -> list[object]:
    """Run a batch against a server with these faults; return what did not end as it must."""
    with living(folder, seed=seed, faults=faults) as history:
        shop = history.folder(f"shop-{seed}", items=ITEMS)
        outcome = shop.run("--max-duration", "10m")
        ends = [] if (outcome.code, shop.statuses()) == (0, {"succeeded": ITEMS}) else [outcome]
        return [*ends, *history.server.violations, *shop.foreign_results()]


# Rows: those of two runs carry each other's run_id.

SWAPPED = Faults(swaps_rows=0.3)


@pytest.mark.parametrize("seed", range(2))
def test_rows_that_carry_each_others_run_id_are_no_answer(tmp_path: Path, seed: int) -> None:
    assert wrong_bindings(tmp_path, seed, SWAPPED) == []


def test_the_history_catches_rows_that_are_believed_by_their_run_id_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A seeded bug: a row's own marker is not read."""
    monkeypatch.setattr("batchfish.pipeline.poll._other_marker", lambda _run, _marker: None)
    assert any(wrong_bindings(tmp_path, seed, SWAPPED) for seed in range(2))


@pytest.mark.parametrize("k", [1, 2])
def test_a_row_with_the_marker_of_another_attempt_is_no_answer(tmp_path: Path, k: int) -> None:
    """Of another item or of this very one: the run is followed until a row of its own shows its end."""

    class Mistaken:
        polls = 0

        def __init__(self, agent: WebAgent) -> None:
            self._agent = agent

        def __getattr__(self, name: str) -> object:
            return getattr(self._agent, name)

        async def poll(self, run_ids: Sequence[str]) -> PollResult:
            result = await self._agent.poll(run_ids)
            Mistaken.polls += 1
            if Mistaken.polls > 1:
                return result
            return replace(result, runs={run_id: foreign(run) for run_id, run in result.runs.items()})

    def foreign(run: RunSnapshot) -> RunSnapshot:
        marker = identity.read_marker(run.goal or "")
        assert marker is not None
        other = replace(marker, k=2) if k == 2 else replace(marker, key=marker.key[::-1])
        goal = f"Read it.\n[ref {other}.]"
        return replace(run, goal=goal, status="COMPLETED", result=b'{"of": "another"}')

    wrap: Any = Mistaken
    simulation = Simulation(folder=tmp_path, seed=1, items=1, rules=settle_of(SETTLE), wrap=wrap)
    assert simulation.run().stop is None
    assert Mistaken.polls > 1
    assert simulation.statuses() == {"succeeded": 1}
    assert simulation.results() == [b'{"of":"https://shop.example/1"}']


# Answers: a create is answered with the run_id of an earlier one.

REPEATED = Faults(repeats_run_id=0.5)


@pytest.mark.parametrize("seed", range(2))
def test_a_run_id_that_is_known_already_is_no_answer(tmp_path: Path, seed: int) -> None:
    assert wrong_bindings(tmp_path, seed, REPEATED) == []


def test_the_history_catches_a_known_run_id_that_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A seeded bug: an answer's run_id is not compared with those of the journal."""
    careful = submit._checked  # noqa: SLF001 - the bug is planted in it

    def careless(ctx: Context, answer: CreateAnswer) -> CreateAnswer:
        return answer if isinstance(answer, SubmitAccepted) else careful(ctx, answer)

    monkeypatch.setattr(submit, "_checked", careless)
    assert any(wrong_bindings(tmp_path, seed, REPEATED) for seed in range(2))


# Listings: the goal filter lets everything through.

UNFILTERED = Faults(ignores_filter=True, acts_then_resets=0.4, latest_act=1.0)


@pytest.mark.parametrize("seed", range(3))
def test_a_listed_run_of_another_item_is_not_adopted(tmp_path: Path, seed: int) -> None:
    assert wrong_bindings(tmp_path, seed, UNFILTERED) == []


def test_the_history_catches_listed_runs_whose_markers_are_not_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A seeded bug: any unknown run that a search for an item returns is adopted as the item's own."""
    monkeypatch.setattr(NewRuns, "of_item", lambda new, _batch8, _key: list(new.marked))
    assert any(wrong_bindings(tmp_path, seed, UNFILTERED) for seed in range(3))


# Unanswered creates: a process dies while a create is on its way, and another one begins much later.


def live_with_a_late_act(folder: Path) -> Simulation:
    """Kill a process at its second create, which a gateway keeps until the next process is at work."""
    simulation = Simulation(folder=folder, seed=1, items=4, rules=settle_of(SETTLE))
    server, pause = simulation.server, 10 * SETTLE
    server.durations = (4.0, 6.0)

    def keep_the_second() -> None:
        is_second = server.creates == 2
        late = pause + 0.4 * SETTLE
        server.faults = Faults(acts_then_resets=1.0 if is_second else 0.0, earliest_act=late, latest_act=late)
        if is_second:
            simulation.loop.stop()

    server.on_create.append(keep_the_second)
    assert simulation.live(None) is None
    simulation.loop.now += pause
    assert simulation.run().stop is None
    return simulation


def test_settle_of_a_create_on_its_way_counts_from_the_start_of_the_next_process(tmp_path: Path) -> None:
    simulation = live_with_a_late_act(tmp_path)
    assert simulation.server.violations == []
    assert simulation.statuses() == {"succeeded": 4}
    assert len(simulation.server.runs) == 4


def test_the_simulation_catches_a_settle_that_counts_from_the_intent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A seeded bug: the time between two processes counts as if the run had been searched for."""
    mark_unanswered = recovery._mark_unanswered  # noqa: SLF001 - the bug is planted in it

    def count_from_the_intent(ctx: Context) -> None:
        mark_unanswered(ctx)
        for one in ctx.journal.open_attempts(AttemptState.UNANSWERED):
            ctx.journal.write_attempt(replace(one.attempt, given_up_at=one.attempt.intended_boot))

    monkeypatch.setattr(recovery, "_mark_unanswered", count_from_the_intent)
    assert live_with_a_late_act(tmp_path).server.violations
