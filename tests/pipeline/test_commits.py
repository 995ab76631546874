"""What the stages commit together, and what they commit at once."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
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
    from batchfish.core.events import CreateAnswer
    from batchfish.core.lifecycle import Change
    from batchfish.webagent.base import PreparedCreate, WebAgent

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

    def count_on_their_way(self) -> int:
        with closing(sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True)) as reader:
            query = "SELECT count(*) FROM attempts WHERE state = 'submitting'"
            return int(reader.execute(query).fetchone()[0])

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


def test_intents_share_commits_where_more_may_be_sent_than_at_once(tmp_path: Path) -> None:
    commits = run(tmp_path, concurrency=20, faults=Faults(travel=(0.0005, 0.001)))
    assert commits.number < ITEMS


@pytest.mark.parametrize(("travel", "at_once"), [(0.001, 6), (0.0205, 19)])
def test_intents_are_committed_while_the_answers_to_other_creates_are_awaited(
    tmp_path: Path, travel: float, at_once: int
) -> None:
    """Each create then goes out as soon as another one is answered."""
    commits = Commits(tmp_path / "1.db")
    sent: list[int] = []
    intended: list[int] = []

    class Counting:
        def __init__(self, agent: WebAgent) -> None:
            self.agent, self.number = agent, 0

        def __getattr__(self, name: str) -> object:
            return getattr(self.agent, name)

        async def submit(self, create: PreparedCreate) -> CreateAnswer:
            self.number += 1
            sent.append(self.number)
            intended.append(commits.count_on_their_way())
            try:
                return await self.agent.submit(create)
            finally:
                self.number -= 1

    simulation = Simulation(
        folder=tmp_path,
        seed=1,
        items=200,
        rules=settle_of(10.0, concurrency=100),
        faults=Faults(travel=(travel, travel)),
        wrap=Counting,  # type: ignore[arg-type]
        open_journal=commits.open,
    )
    assert simulation.run().stop is None
    assert max(sent) == at_once
    assert at_once < max(intended) <= 2 * at_once


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
