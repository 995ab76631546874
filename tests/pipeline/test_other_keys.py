"""A batch that goes on under another key of its account, whose listings may be of its own runs alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from batchfish.journal.sqlite import SqliteJournal
from tests.journal.building import connection_of
from tests.pipeline.history import living
from tests.pipeline.model_server import Faults

if TYPE_CHECKING:
    from pathlib import Path

    from batchfish.core.items import Attempt
    from tests.pipeline.history import Folder, History

ITEMS = 10
LOSSY = Faults(acts_then_resets=0.4, resets_without_acting=0.2, latest_act=2.0, longest_lag=0.5)
SEEDS = [0, 4, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(5, 40))]


def begin(history: History, seed: int, faults: Faults) -> Folder:
    """Kill a batch under its first key, in the middle of creates that are lost, and mend the server."""
    server = history.server
    server.spared, server.faults = 1, faults
    shop = history.folder(f"shop-{seed}", items=ITEMS)
    shop.run(key="ours/first", dies_after=1.5 + 0.7 * (seed % 4))
    server.faults = Faults(lists_by_key=faults.lists_by_key)
    return shop


@pytest.mark.parametrize("seed", SEEDS)
def test_listings_of_a_key_prove_nothing_about_the_creates_of_another(tmp_path: Path, seed: int) -> None:
    """What the first key left open is held under the second one; under the first it is found again."""
    assert live_under_two_keys(tmp_path, seed) == []


def live_under_two_keys(folder: Path, seed: int) -> list[str]:
    """Go on under a key that does not see the first one's runs, and back; return what is paid twice."""
    with living(folder, seed=seed) as history:
        shop = begin(history, seed, replace(LOSSY, lists_by_key=True))
        outcome = shop.run(key="ours/second")
        assert outcome.code in {0, 1, 3}
        assert set(shop.statuses()) <= {"succeeded", "held", "queued"}
        assert outcome.code != 3 or "held" in shop.statuses()
        shop.run(key="ours/first")
        return history.server.violations


def test_the_history_catches_a_control_of_the_present_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A seeded bug: a run that the present key has created, and is shown, stands for one of the other key."""
    right = SqliteJournal.control_of

    def control_of_present_key(
        journal: SqliteJournal, unanswered: Attempt, *, after: float | None = None
    ) -> Attempt | None:
        query = "SELECT key_id FROM attempts WHERE run_id IS NOT NULL ORDER BY intended_at DESC"
        (key_id,) = connection_of(journal).execute(query).fetchone()
        return right(journal, replace(unanswered, key_id=key_id), after=after)

    monkeypatch.setattr(SqliteJournal, "control_of", control_of_present_key)
    assert any(live_under_two_keys(tmp_path, seed) for seed in (0, 4, 5))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_rotated_key_goes_on_by_itself(tmp_path: Path, seed: int) -> None:
    """Where a listing shows the runs of all keys, it shows a run of the first key as the proof.

    Only a create with a longer goal than all runs of the first key, which prove nothing about it, is held.
    """
    with living(tmp_path, seed=seed) as history:
        shop = begin(history, seed, LOSSY)
        outcome = shop.run(key="ours/second")
        held = shop.ask("SELECT message FROM items WHERE status = 'held'")
        assert all("no run of the same key with as long a goal" in message for (message,) in held)
        assert outcome.code == (1 if held else 0)
        assert shop.statuses()["succeeded"] == ITEMS - len(held)
        assert (history.server.violations, len(history.server.runs)) == ([], ITEMS - len(held))


def test_a_key_of_another_account_is_refused(tmp_path: Path) -> None:
    """It cannot see the runs that the journal has made, by id or in a listing; nothing is sent under it."""
    with living(tmp_path, seed=1) as history:
        shop = history.folder("shop", items=4)
        assert shop.run("--limit", "1", key="ours/first").code == 0
        for flags in ((), ("-y",)):
            outcome = shop.run(*flags, key="theirs/first")
            assert outcome.code == 77
            assert "another account" in outcome.said
        assert len(history.server.runs) == 1
