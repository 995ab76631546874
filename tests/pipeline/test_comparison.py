"""What a comparison with the listing costs in requests, and what makes it read the whole set again."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from batchfish.core import identity
from batchfish.journal.records import Comparison
from batchfish.journal.sqlite import SqliteJournal
from tests.journal.building import connection_of
from tests.pipeline.model_server import BookedRun
from tests.pipeline.simulation import Simulation
from tests.pipeline.virtual_time import EPOCH

if TYPE_CHECKING:
    from pathlib import Path

HOURS = 36_000.0
PAGE = 100

THE_OLDEST = 1
"""The page of the oldest runs, which is asked for before a long listing is read in parts. Here all runs were
created in one moment, so that there are no parts, and the others are read one after another."""


def with_finished_items(folder: Path, finished: int, *, is_compared: bool = True) -> Simulation:
    """Make a batch of this many finished items and one that is queued; the server has a run of each."""
    simulation = Simulation(folder=folder, seed=1, items=finished + 1)
    with closing(SqliteJournal(simulation.path)) as journal:
        batch8 = journal.batch(simulation.batch).batch8
        write = connection_of(journal)
        rows = write.execute(
            "SELECT pk, key, url, goal FROM items ORDER BY pk LIMIT ?", (finished,)
        ).fetchall()
        write.execute("BEGIN")
        for pk, key, url, goal in rows:
            marker = identity.make_marker(batch8, key, 1)
            run_id = f"old-{pk}"
            write.execute(
                "INSERT INTO attempts (item, k, marker, state, key_id, body_sha256, intended_at,"
                " intended_boot, boot_id, run_id, created_at)"
                " VALUES (?, 1, ?, 'ended', 'old', '', ?, 1, 'old', ?, ?)",
                (pk, marker, EPOCH - HOURS, run_id, EPOCH - HOURS),
            )
            simulation.server.runs[run_id] = BookedRun(
                run_id=run_id,
                url=url,
                goal=identity.mark(goal, marker),
                key="simulated",
                created_at=-HOURS,
                visible_at=-HOURS,
                starts_at=0.0,
                ends_at=-HOURS + 1,
                end="COMPLETED",
            )
        write.execute(
            "UPDATE items SET status = 'succeeded', k = 1, follows = 1, attempts = 1 WHERE pk <= ?",
            (finished,),
        )
        write.execute("UPDATE batches SET markers = 'proven'")
        if is_compared:
            journal.write_comparison(simulation.batch, Comparison(until=EPOCH - 5.0, unlisted=0))
        write.execute("COMMIT")
    return simulation


def lists_before_the_first_create(simulation: Simulation) -> int:
    """Run the batch to its end; return how many requests for a listing came before its first create."""
    counts: list[int] = []
    simulation.server.on_create.append(lambda: counts.append(simulation.server.lists))
    assert simulation.run().stop is None
    assert simulation.server.violations == []
    return counts[0]


def test_a_resume_of_twenty_thousand_finished_items_lists_two_pages(tmp_path: Path) -> None:
    simulation = with_finished_items(tmp_path, 20_000)
    assert lists_before_the_first_create(simulation) <= 2
    assert simulation.server.lists <= 4  # two more at the end


def test_without_an_earlier_comparison_the_whole_set_is_listed_once(tmp_path: Path) -> None:
    simulation = with_finished_items(tmp_path, 1_000, is_compared=False)
    assert lists_before_the_first_create(simulation) == 1_000 // PAGE + THE_OLDEST


@pytest.mark.parametrize("change", ["one more", "one less"])
def test_a_count_that_disagrees_has_the_whole_set_listed_and_remembered(tmp_path: Path, change: str) -> None:
    simulation = with_finished_items(tmp_path, 1_000)
    server = simulation.server
    if change == "one more":
        known = server.runs["old-7"]
        server.runs["late"] = replace(known, run_id="late")
    else:
        del server.runs["old-7"]
    assert lists_before_the_first_create(simulation) == 2 + -(-len(server.runs) // PAGE) + THE_OLDEST
    at_the_end = server.lists
    assert at_the_end <= 2 + 11 + THE_OLDEST + 2
    assert any("late" in notice for notice in simulation.notices) == (change == "one more")
