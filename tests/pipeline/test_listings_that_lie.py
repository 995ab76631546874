"""Listings that cut goals, leave them out or search only their beginning: silence about a run is no proof."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from batchfish.journal.sqlite import SqliteJournal
from batchfish.pipeline import search
from tests.journal.building import connection_of
from tests.pipeline.history import CONCURRENCY, goal_of, living
from tests.pipeline.model_server import Faults
from tests.pipeline.seeds import seeds

if TYPE_CHECKING:
    from pathlib import Path

    from batchfish.core.items import Attempt
    from tests.pipeline.history import Folder, History, Outcome

ITEMS = 12
LOSSY = Faults(acts_then_resets=0.2, resets_without_acting=0.05, latest_act=3.0, longest_lag=0.5)
LYING = [
    pytest.param(replace(LOSSY, listed_goal=300), id="goals cut"),
    pytest.param(replace(LOSSY, searched_goal=300), id="beginnings searched"),
    pytest.param(replace(LOSSY, listed_goal=0), id="goals left out"),
]
SEEDS = seeds(1, of=40)


def hold_to_the_promise(history: History, shop: Folder) -> None:
    """Nothing is paid twice, and nothing is left to do but what waits for a person."""
    assert history.server.violations == []
    assert set(shop.statuses()) <= {"succeeded", "held"}
    assert shop.foreign_results() == []


def live(folder: Path, seed: int, lying: Faults) -> list[str]:
    """Run a batch with goals of all lengths to its end; return what was paid twice."""
    with living(folder, seed=seed, faults=lying, spared=1) as history:
        shop = history.folder(f"shop-{seed}", items=ITEMS)
        outcome = shop.run()
        assert outcome.code in {0, 1, 3, 6}
        assert outcome.code != 3 or "every slot is held" in outcome.said
        assert outcome.code != 6 or "--accept unread-runs" in outcome.said
        # Items are left queued only where creates that wait for a person hold every slot.
        left = {"queued"} if shop.statuses().get("held") == CONCURRENCY else set()
        assert (outcome.code == 3) == ("queued" in shop.statuses())
        assert set(shop.statuses()) <= {"succeeded", "held", *left}
        assert shop.foreign_results() == []
        return history.server.violations


def begin_again_without_journal(folder: Path, shown: int) -> tuple[int, list[Outcome]]:
    """Finish a batch, lose its journal, and run it again without markers in the listing, in three ways.

    Returns how many runs were made again, and how the commands ended.
    """
    with living(folder, seed=1) as history:
        shop = history.folder("shop")
        shop.write({f"i{number}": goal_of(number, is_long=True) for number in range(1, 5)})
        assert shop.run().code == 0
        history.server.faults = Faults(listed_goal=shown)
        shop.lose_journal()
        outcomes = [shop.run(*flags) for flags in ((), ("-y",), ("--accept", "same-items"))]
        return len(history.server.runs) - 4, outcomes


@pytest.mark.parametrize("lying", LYING)
@pytest.mark.parametrize("seed", SEEDS)
def test_goals_of_all_lengths_are_paid_for_once(tmp_path: Path, seed: int, lying: Faults) -> None:
    """What a listing shows of a short goal says nothing of a create whose goal is long."""
    assert live(tmp_path, seed, lying) == []


def test_the_history_catches_a_control_that_is_shorter_than_the_unanswered_goal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A seeded bug: any run that was accepted under the key proves that the listing would show any other."""
    monkeypatch.setattr(SqliteJournal, "control_of", any_control)
    faults = replace(LOSSY, searched_goal=300, acts_then_resets=0.4)
    assert any(live(tmp_path, seed, faults) for seed in range(6))


def any_control(journal: SqliteJournal, unanswered: Attempt, *, after: float | None = None) -> Attempt | None:
    """Choose a control by its key alone."""
    found = (
        connection_of(journal)
        .execute(
            "SELECT item, k FROM attempts WHERE run_id IS NOT NULL AND key_id = ? AND intended_boot > ?"
            " ORDER BY intended_boot",
            (unanswered.key_id, after or 0.0),
        )
        .fetchone()
    )
    return None if found is None else journal.attempt(*found)


@pytest.mark.parametrize("lying", LYING)
@pytest.mark.parametrize("seed", SEEDS)
def test_listings_that_begin_to_lie_midway_cost_nothing(tmp_path: Path, seed: int, lying: Faults) -> None:
    """The process is killed, and the next one meets rows that it cannot read."""
    with living(tmp_path, seed=seed, faults=LOSSY) as history:
        shop = history.folder("shop", items=ITEMS)
        shop.run(dies_after=4.0 + seed % 5)
        history.server.faults = lying
        outcome = shop.run()
        if outcome.code == 6:
            paid = len(history.server.runs)
            assert "--accept unread-runs" in outcome.said
            assert shop.run("-y").code == 6
            assert len(history.server.runs) == paid
            outcome = shop.run("--accept", "unread-runs")
        assert outcome.code in {0, 1, 3, 6}  # more answers are lost, and their runs cannot be read either
        assert history.server.violations == []
        assert outcome.code in {0, 1} or "held" in shop.statuses()


@pytest.mark.parametrize("shown", [0, 300])
def test_a_lost_journal_is_asked_about_though_no_marker_can_be_read(tmp_path: Path, shown: int) -> None:
    paid_again, refusals = begin_again_without_journal(tmp_path, shown)
    assert paid_again == 0
    for refused in refusals:
        assert refused.code == 6
        assert "--accept unread-runs" in refused.said
        assert "run-1" in refused.said


def test_the_history_catches_rows_that_do_not_count_because_they_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A seeded bug: a row whose marker cannot be read is left out."""
    new_runs = search.NewRuns
    monkeypatch.setattr(search, "NewRuns", lambda **found: new_runs(marked=found["marked"]))
    paid_again, _ = begin_again_without_journal(tmp_path, 0)
    assert paid_again


def test_runs_that_are_accepted_as_nobodys_turn_certainty_into_holding(tmp_path: Path) -> None:
    with living(tmp_path, seed=1) as history:
        shop = history.folder("shop", items=6)
        assert shop.run().code == 0
        history.server.faults = replace(LOSSY, listed_goal=0, acts_then_resets=0.3)
        history.server.payments = 2
        shop.lose_journal()
        outcome = shop.run("--accept", "unread-runs")
        assert outcome.code in {0, 1}
        assert shop.markers() == {"off"}
        assert shop.statuses().get("held", 0) > 0
        hold_to_the_promise(history, shop)


def test_rows_of_known_runs_stop_nothing(tmp_path: Path) -> None:
    """A row without a goal is ours by its run_id: a batch that loses no answer goes on by itself."""
    with living(tmp_path, seed=1) as history:
        shop = history.folder("shop", items=ITEMS)
        shop.run(dies_after=6.5)
        while shop.ask("SELECT 1 FROM attempts WHERE state = 'submitting'"):
            shop.run(dies_after=0.5)
        history.server.faults = Faults(listed_goal=0)
        assert shop.run().code == 0
        assert shop.statuses() == {"succeeded": ITEMS}
        assert (history.server.violations, len(history.server.runs)) == ([], ITEMS)
