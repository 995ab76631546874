"""Runs that appear after their absence was believed: found before they cost, or soon after."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.pipeline.history import SETTLE, History, living
from tests.pipeline.model_server import BookedRun, Faults

if TYPE_CHECKING:
    from pathlib import Path

FOREVER = 1e6
COMPARES_EVERY = 600.0
"""Seconds of submitting after which a process compares the API's runs with its journal again."""

RARELY = ("--poll-interval", "10s")


def lose_the_second_create(history: History, *, acts_after: float) -> None:
    """Break off the second create of all; its run is made so many seconds later."""

    def misbehave() -> None:
        is_second = history.server.creates == 2
        history.server.faults = Faults(
            acts_then_resets=1.0 if is_second else 0.0, earliest_act=acts_after, latest_act=acts_after
        )

    history.server.on_create.append(misbehave)


@pytest.mark.parametrize("waits", [0.5 * COMPARES_EVERY, 2.5 * COMPARES_EVERY])
def test_an_item_is_looked_up_once_more_before_it_is_sent_again(tmp_path: Path, waits: float) -> None:
    """Its absence is proven, then it waits for a slot; meanwhile its run is made after all."""
    with living(tmp_path, seed=1) as history:
        server = history.server

        def last(run: BookedRun) -> None:
            if run.url.endswith(("i3", "i4")):
                run.ends_at = run.created_at + waits

        server.on_act.append(last)
        shop = history.folder("shop", items=5, limits={"concurrency": 2})
        lose_the_second_create(history, acts_after=6 * SETTLE)
        assert shop.run(*RARELY).code == 0
        assert history.loop.now > waits
        assert shop.statuses() == {"succeeded": 5}
        assert (server.creates, len(server.runs), server.duplicates()) == (5, 5, 0)


@pytest.mark.parametrize("appears", [0.5 * COMPARES_EVERY, 950.0])
def test_a_late_run_is_found_and_cancelled_while_the_batch_is_at_work(tmp_path: Path, appears: float) -> None:
    """In a comparison every ten minutes of submitting, and in one at the end, after about 1,000 s."""
    with living(tmp_path, seed=1, durations=(195.0, 205.0)) as history:
        server, ghosts = history.server, list[BookedRun]()
        shop = history.folder("shop", items=9, limits={"concurrency": 2})
        history.loop.call_later(
            appears, lambda: ghosts.append(server.double(server.runs["run-2"], lasts=FOREVER))
        )
        outcome = shop.run(*RARELY)
        (ghost,) = ghosts
        assert ghost.cancelled_at is not None
        assert ghost.cancelled_at - appears < COMPARES_EVERY + 60.0
        assert ghost.run_id in outcome.said
        assert outcome.code == 0
        assert shop.statuses() == {"succeeded": 9}
        assert (server.duplicates(), len(server.runs)) == (0, 10)


def test_a_late_run_is_found_though_the_numbers_agree(tmp_path: Path) -> None:
    """A run that is no longer listed hides the one too many from whoever only counts."""
    with living(tmp_path, seed=1) as history:
        server = history.server
        shop = history.folder("shop", items=8)
        assert shop.run(dies_after=3.0).code is None
        ghost = server.double(server.runs["run-2"], lasts=FOREVER)
        server.runs["run-1"].visible_at = FOREVER
        assert shop.run().code == 0
        assert ghost.cancelled_at is not None
        assert (server.duplicates(), len(server.runs)) == (0, 9)
