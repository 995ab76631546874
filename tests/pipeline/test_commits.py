"""What the stages commit together, and what they commit at once."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec.structs import replace

from batchfish.core.rules import UnansweredRules
from batchfish.journal.sqlite import SqliteJournal
from tests.journal.building import connection_of
from tests.pipeline.model_server import Faults
from tests.pipeline.simulation import Simulation, settle_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from batchfish.core.budget import Reservation
    from batchfish.core.lifecycle import Change

ITEMS = 20
MOMENT = 0.001


@dataclass
class Commits:
    """The commits of a batch, and the acceptances that no other process could read a moment later."""

    path: Path
    call_later: Callable[[float, Callable[[], None]], object] = lambda *_: None
    number: int = 0
    accepted: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)

    def open(self, path: Path) -> SqliteJournal:
        commits = self

        class Journal(SqliteJournal):
            def write(self, change: Change, now: float, reservation: Reservation | None = None) -> None:
                super().write(change, now, reservation)
                if change.was == "submitting" and change.attempt is not None:
                    run_id = change.attempt.run_id or ""
                    commits.accepted.append(run_id)
                    commits.call_later(MOMENT, lambda: commits.look_for(run_id))

        journal = Journal(path)
        connection_of(journal).set_trace_callback(self.count)
        return journal

    def count(self, statement: str) -> None:
        self.number += statement == "COMMIT"

    def look_for(self, run_id: str) -> None:
        with closing(sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True)) as reader:
            if not reader.execute("SELECT 1 FROM attempts WHERE run_id = ?", (run_id,)).fetchone():
                self.late.append(run_id)


def run(folder: Path, *, concurrency: int = 5, markers: bool = True, faults: Faults | None = None) -> Commits:
    rules = replace(
        settle_of(10, concurrency=concurrency), unanswered=UnansweredRules(settle=10.0, marker=markers)
    )
    commits = Commits(folder / "1.db")
    simulation = Simulation(
        folder=folder,
        seed=1,
        items=ITEMS,
        faults=faults or Faults(),
        rules=rules,
        open_journal=commits.open,
    )
    commits.call_later = simulation.loop.call_later
    assert simulation.run().stop is None
    assert simulation.statuses() == {"succeeded": ITEMS}
    return commits


def test_an_end_and_the_intent_in_its_place_share_a_commit(tmp_path: Path) -> None:
    commits = run(tmp_path, concurrency=1)
    assert 2 * ITEMS < commits.number < 2.5 * ITEMS


def test_intents_wait_a_moment_for_others(tmp_path: Path) -> None:
    """The creates that are sent together, 6 at most, are answered within some milliseconds."""
    commits = run(tmp_path, concurrency=20, faults=Faults(travel=(0.0005, 0.001)))
    assert commits.number < ITEMS


def test_acceptances_wait_a_moment_for_others_that_can_be_found_by_their_marker(tmp_path: Path) -> None:
    commits = run(tmp_path)
    assert len(commits.late) > ITEMS / 2
    assert commits.accepted[0] not in commits.late  # the one by which markers are tested


def test_acceptances_are_durable_at_once_without_markers(tmp_path: Path) -> None:
    assert run(tmp_path, markers=False).late == []


def test_acceptances_are_durable_at_once_where_the_manifest_gave_up_markers_midway(tmp_path: Path) -> None:
    commits = Commits(tmp_path / "1.db")
    simulation = Simulation(
        folder=tmp_path, seed=1, items=ITEMS, rules=settle_of(10.0), open_journal=commits.open
    )
    commits.call_later = simulation.loop.call_later
    assert simulation.live(3.0) is None
    assert len(commits.late) > 1
    commits.late.clear()
    simulation.rules = replace(simulation.rules, unanswered=UnansweredRules(settle=10.0, marker=False))
    assert simulation.run().stop is None
    assert commits.late == []
