"""Batches from the command line: begun, killed, resumed, edited, lost, moved and copied."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.pipeline.history import SETTLE, goal_of, living
from tests.pipeline.model_server import Faults
from tests.pipeline.seeds import seeds

if TYPE_CHECKING:
    from pathlib import Path

LOSSY = Faults(
    acts_then_resets=0.06,
    resets_without_acting=0.06,
    fails_after_acting=0.03,
    redirects_creates=0.03,
    redirects_after_acting=0.03,
    reads_fail=0.05,
    redirects_reads=0.02,
    longest_lag=1.0,
    latest_act=3.0,
)


@pytest.mark.parametrize("seed", seeds(1, of=20))
def test_a_batch_that_is_killed_twice_costs_one_run_an_item(tmp_path: Path, seed: int) -> None:
    with living(tmp_path, seed=seed, faults=LOSSY) as history:
        shop = history.folder("shop", items=12)
        for _ in range(2):
            shop.run(dies_after=history.server.chance.uniform(0.01, 12.0))
        assert shop.run().code == 0
        assert shop.statuses() == {"succeeded": 12}
        assert (history.server.violations, len(history.server.runs)) == ([], 12)
        assert shop.foreign_results() == []


def test_reads_that_fail_are_repeated_also_before_a_batch_begins(tmp_path: Path) -> None:
    with living(tmp_path, seed=1, faults=Faults(reads_fail=0.6), payments=3) as history:
        shop = history.folder("shop")
        for items in (1, 2, 3):
            shop.write({f"i{number}": goal_of(number) for number in range(items)})
            assert shop.run("--new", "-y").code == 0
        more = shop.rename("more.yaml")
        more.write({"i9": "Read something else."})
        assert more.run().code == 0
        assert history.server.violations == []


def test_edits_cost_what_is_new_and_what_a_person_agrees_to(tmp_path: Path) -> None:
    with living(tmp_path, seed=1) as history:
        shop = history.folder("shop", items=4)
        assert shop.run(dies_after=3.0).code is None
        shop.write({f"i{number}": goal_of(number) for number in range(1, 7)})
        assert shop.run().code == 0
        assert len(history.server.runs) == 6
        shop.write({f"i{number}": "Read something else." for number in range(1, 7)})
        assert shop.run().code == 6
        assert len(history.server.runs) == 6
        history.server.payments = 2
        assert shop.run("-y").code == 0
        assert (history.server.duplicates(), len(history.server.runs)) == (0, 12)


@pytest.mark.parametrize("dies_after", [1.0, None])
def test_a_lost_journal_is_never_paid_for_again_by_itself(tmp_path: Path, dies_after: float | None) -> None:
    with living(tmp_path, seed=1) as history:
        shop = history.folder("shop", items=4)
        shop.run(dies_after=dies_after)
        paid = len(history.server.runs)
        shop.lose_journal()
        for flags in ((), ("-y",)):
            assert shop.run(*flags).code == 6
        history.pass_time(6 * SETTLE)
        assert len(history.server.runs) == paid
        history.server.payments = 2
        assert shop.run("--new").code == 0
        assert (history.server.duplicates(), len(history.server.runs)) == (0, paid + 4)


def test_a_copy_of_a_folder_pays_for_nothing_by_itself(tmp_path: Path) -> None:
    """With a person's word it goes on: it finds what the other copy has paid for meanwhile."""
    with living(tmp_path, seed=1) as history:
        shop = history.folder("shop", items=8)
        assert shop.run(dies_after=2.0).code is None
        other = shop.copy("other")
        assert other.run().code == 6
        assert shop.run().code == 0
        assert other.run("--accept", "moved-journal", "--accept", "replace-output").code == 0
        assert (history.server.violations, len(history.server.runs)) == ([], 8)


def test_a_folder_that_was_moved_is_asked_about_once(tmp_path: Path) -> None:
    with living(tmp_path, seed=1) as history:
        shop = history.folder("shop", items=8)
        assert shop.run(dies_after=2.0).code is None
        moved = shop.move("moved")
        assert moved.run().code == 6
        assert moved.run("-y", dies_after=1.0).code is None
        assert moved.run().code == 0
        assert (history.server.violations, len(history.server.runs)) == ([], 8)


def test_the_key_of_another_account_sends_nothing(tmp_path: Path) -> None:
    with living(tmp_path, seed=1) as history:
        shop = history.folder("shop", items=8)
        assert shop.run(dies_after=2.0).code is None
        paid = len(history.server.runs)
        assert shop.run(key="theirs/first").code == 77
        assert len(history.server.runs) == paid
        assert shop.run(key="ours/second").code == 0
        assert (history.server.violations, len(history.server.runs)) == ([], 8)


def test_two_commands_live_in_one_virtual_time(tmp_path: Path) -> None:
    """The second one is kept out while the first one works, and goes on where that was killed."""
    with living(tmp_path, seed=1) as history:
        shop = history.folder("shop", items=8)
        codes: list[int | None] = []
        history.meanwhile(1.0, lambda: codes.append(shop.run().code))
        assert shop.run(dies_after=4.0).code is None
        assert codes == [75]
        assert 4.0 <= history.loop.now < 4.1
        assert shop.run().code == 0
        assert (history.server.violations, len(history.server.runs)) == ([], 8)


def test_the_same_seed_is_the_same_history(tmp_path: Path) -> None:
    histories = []
    for name in ("once", "again"):
        (tmp_path / name).mkdir()
        with living(tmp_path / name, seed=7, faults=LOSSY) as history:
            shop = history.folder("shop", items=8)
            shop.run(dies_after=6.0)
            shop.run()
            histories.append([(run.url, run.created_at) for run in history.server.runs.values()])
    assert histories[0] == histories[1]
