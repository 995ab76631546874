"""A process ends at any step of its journal, or its disk is full there: the next one goes on, at no cost."""

from __future__ import annotations

import asyncio
import gc
import resource
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import pytest

from batchfish.errors import StorageFailed
from batchfish.journal.sqlite import SqliteJournal
from tests.journal.building import connection_of
from tests.pipeline.model_server import Faults
from tests.pipeline.simulation import Simulation, settle_of

if TYPE_CHECKING:
    from pathlib import Path

    from batchfish.core.budget import Reservation
    from batchfish.core.identity import Markers
    from batchfish.core.items import Attempt
    from batchfish.core.lifecycle import Change

LOSSY = Faults(
    acts_then_resets=0.3, fails_without_acting=0.1, refuses_rate=0.1, latest_act=2.0, longest_lag=0.5
)


class Interruption(StrEnum):
    """What happens at one step of the journal."""

    KILLED = "killed"
    DISK_FULL = "disk full"


@dataclass(kw_only=True)
class Interrupter:
    """Counts the steps of all journals, before and after each write and commit, and ends one of them."""

    interruption: Interruption
    at: int
    simulation: Simulation | None = None
    steps: int = 0
    has_struck: bool = False

    def step(self, journal: SqliteJournal) -> None:
        self.steps += 1
        if self.steps != self.at:
            return
        if self.interruption is Interruption.DISK_FULL:
            length = journal.path.with_name(f"{journal.path.name}-wal").stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (length, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
            return
        assert self.simulation is not None
        self.simulation.loop.stop()
        self.has_struck = True
        journal.close()
        raise asyncio.CancelledError  # the process is no more: what still runs of it reaches nothing


class MortalJournal(SqliteJournal):
    """A journal that reports each of its steps."""

    def __init__(self, path: Path, interrupter: Interrupter) -> None:
        super().__init__(path)
        self._interrupter = interrupter

    def write(self, change: Change, now: float, reservation: Reservation | None = None) -> None:
        self._interrupter.step(self)
        super().write(change, now, reservation)
        self._interrupter.step(self)

    def write_attempt(self, attempt: Attempt) -> None:
        self._interrupter.step(self)
        super().write_attempt(attempt)
        self._interrupter.step(self)

    def set_markers(self, batch: int, markers: Markers) -> None:
        self._interrupter.step(self)
        super().set_markers(batch, markers)
        self._interrupter.step(self)

    def commit_within(self, seconds: float) -> None:
        self._interrupter.step(self)
        super().commit_within(seconds)

    async def commit(self) -> None:
        self._interrupter.step(self)
        await super().commit()
        self._interrupter.step(self)


def history(folder: Path, items: int, faults: Faults, interrupter: Interrupter) -> Simulation:
    """Run processes until one ends by itself; only the first one is interrupted.

    No error may come from outside the stages: the event loop would print its trace to the terminal.
    """
    simulation = Simulation(
        folder=folder,
        seed=11,
        items=items,
        faults=faults,
        rules=settle_of(5, concurrency=2, attempts=3),
        open_journal=lambda path: MortalJournal(path, interrupter),
    )
    interrupter.simulation = simulation
    stray: list[dict[str, Any]] = []
    simulation.loop.set_exception_handler(lambda _, error: stray.append(error))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        for _ in range(3):
            try:
                report = simulation.live(None)
            except (StorageFailed, asyncio.CancelledError):
                interrupter.has_struck, report = True, None
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            gc.collect(1)  # a task whose error nobody has asked for reports it when it is collected
            assert stray == []
            if report is not None:
                assert report.stop is None
                return simulation
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        simulation.loop.close()
    pytest.fail("one interruption, and yet three processes did not come to an end")


@pytest.mark.parametrize(
    ("items", "faults", "every"),
    [
        # Seeded bugs, as to take the creates of a dead process for absent, show only where a process dies at
        # one of three steps in a row.
        pytest.param(2, LOSSY, 3, id="two, every third step"),
        pytest.param(2, LOSSY, 1, id="two", marks=pytest.mark.slow),
        pytest.param(6, Faults(), 1, id="six", marks=pytest.mark.slow),
        pytest.param(6, LOSSY, 1, id="six, answers lost", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("interruption", list(Interruption))
def test_at_every_step(
    tmp_path: Path, items: int, faults: Faults, every: int, interruption: Interruption
) -> None:
    clean = Interrupter(interruption=interruption, at=-1)
    history(tmp_path, items, faults, clean)
    assert clean.steps > 10 * items
    struck = 0
    chosen = range(1, clean.steps + 1, every)
    for at in chosen:
        folder = tmp_path / str(at)
        folder.mkdir()
        interrupter = Interrupter(interruption=interruption, at=at)
        simulation = history(folder, items, faults, interrupter)
        assert simulation.server.violations == [], at
        assert simulation.statuses() == {"succeeded": items}, at
        assert len(simulation.server.runs) == items, at
        _compare(simulation)
        struck += interrupter.has_struck
    assert struck > len(chosen) / 2  # a log that has room left takes some of what is written to a full disk


def _compare(simulation: Simulation) -> None:
    """Check that the journal knows every run of the server, on its own item."""
    with closing(SqliteJournal(simulation.path)) as journal:
        rows: Any = (
            connection_of(journal)
            .execute(
                "SELECT a.run_id, i.url, a.state FROM attempts a JOIN items i ON i.pk = a.item"
                " WHERE a.run_id IS NOT NULL"
            )
            .fetchall()
        )
        assert journal.count_open() == 0
    booked = {(run.run_id, run.url, "ended") for run in simulation.server.runs.values()}
    assert set(rows) == booked
