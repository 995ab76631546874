"""Young results of earlier batches are reused without a create, and nothing is paid twice or mixed up."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import pytest

from batchfish.journal.sqlite import SqliteJournal
from batchfish.pipeline import reuse
from tests.pipeline.history import goal_of, living
from tests.pipeline.seeds import seeds
from tests.pipeline.test_simulation import LOSSY
from tests.pipeline.virtual_time import EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from batchfish.core.lifecycle import Change
    from batchfish.journal.fresh_results import FreshResult
    from batchfish.pipeline.context import Context
    from tests.pipeline.history import Folder, History

DAY = 86_400.0
ITEMS = 6
WEEKLY: dict[str, Any] = {"period": "day", "fresh_for": "7d"}


def goals(count: int) -> dict[str, str]:
    return {f"i{number}": goal_of(number) for number in range(1, count + 1)}


def begin(history: History, **manifest: Any) -> Folder:  # noqa: ANN401 - JSON
    """Run the batch of the first day, half a day before midnight."""
    history.pass_time(DAY - EPOCH % DAY + DAY / 2)
    shop = history.folder("shop", items=ITEMS, **{**WEEKLY, **manifest})
    assert shop.run().code == 0
    assert len(history.server.runs) == ITEMS
    return shop


def plan(shop: Folder, *options: str) -> dict[str, Any]:
    """Return the document that `plan` prints."""
    (document,) = [line for line in shop.do("plan", *options, "--json").said.splitlines() if line[0] == "{"]
    found: dict[str, Any] = json.loads(document)
    return found


def table(shop: Folder) -> list[dict[str, str]]:
    """Return the newest table."""
    path = max(shop.path.glob("*.csv"))
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_young_results_are_reused_without_a_request_for_a_run(tmp_path: Path) -> None:
    with living(tmp_path, seed=1) as history:
        shop = begin(history)
        first = table(shop)
        assert {row["reused_from"] for row in first} == {""}
        history.pass_time(DAY)
        shop.write(goals(ITEMS + 2), **WEEKLY)
        planned = plan(shop)
        assert (planned["new"], planned["reused"], planned["to_submit"]) == (ITEMS + 2, ITEMS, 2)
        said = shop.do("plan").said
        assert f"{ITEMS} items would take results of earlier batches" in said
        assert "would submit 2 items" in said
        outcome = shop.run()
        assert outcome.code == 0
        assert f"{ITEMS + 2} queued, {ITEMS} of them with a result of an earlier batch" in outcome.said
        assert (len(history.server.runs), history.server.duplicates()) == (ITEMS + 2, 0)
        rows = table(shop)
        (day_one,) = {row["batch"] for row in first}
        assert [row["reused_from"] for row in rows] == [day_one] * ITEMS + [""] * 2
        for row, before in zip(rows, first, strict=False):
            same = ("item_id", "url", "status", "result", "run_id", "started_at", "finished_at", "run_s")
            assert [row[name] for name in same] == [before[name] for name in same]
            assert (row["attempts"], row["steps"]) == ("0", "")
        assert (
            f"the result of {day_one} was young enough"
            in history.call("explain", "i1", "--batch", shop.file).said
        )


def test_a_result_that_is_too_old_is_paid_for_again(tmp_path: Path) -> None:
    with living(tmp_path, seed=1) as history:
        shop = begin(history)
        history.pass_time(6 * DAY)
        assert shop.run().code == 0
        assert len(history.server.runs) == ITEMS
        history.pass_time(2 * DAY)  # counted from the end of the run, not from the day that reused its result
        history.server.payments = 2
        assert shop.run().code == 0
        assert (len(history.server.runs), history.server.duplicates()) == (2 * ITEMS, 0)


def test_only_the_same_request_has_the_result(tmp_path: Path) -> None:
    with living(tmp_path, seed=1) as history:
        shop = begin(history)
        history.pass_time(DAY)
        shop.write({**goals(ITEMS), "i1": "Read something else."}, **WEEKLY)
        assert shop.run().code == 0
        assert len(history.server.runs) == ITEMS + 1


def test_a_result_that_fails_the_present_checks_is_not_reused(tmp_path: Path) -> None:
    with living(tmp_path, seed=1) as history:
        shop = begin(history)
        history.pass_time(DAY)
        history.server.payments = 2
        shop.write(goals(ITEMS), checks=["id != 'i2'"], **WEEKLY)
        assert plan(shop)["reused"] == ITEMS - 1
        assert shop.run().code == 1
        assert len(history.server.runs) == ITEMS + 1


def test_a_new_batch_and_a_retry_pay_again(tmp_path: Path) -> None:
    with living(tmp_path, seed=1) as history:
        shop = begin(history)
        history.server.payments = 3
        assert plan(shop, "--new")["reused"] == 0
        assert shop.run("--new", dies_after=2.0).code is None
        assert shop.run().code == 0
        assert len(history.server.runs) == 2 * ITEMS
        history.pass_time(DAY)
        shop.write(goals(ITEMS), checks=["id != 'i1'"], **WEEKLY)
        assert shop.run().code == 1
        assert len(history.server.runs) == 2 * ITEMS + 1
        shop.write(goals(ITEMS), **WEEKLY)  # the results of the days before would do again
        assert shop.run().code == 1  # no item is queued
        assert shop.do("retry", "--failed", "--progress", "none").code == 0
        assert len(history.server.runs) == 2 * ITEMS + 2


def test_reused_results_are_judged_again_and_tried_again(tmp_path: Path) -> None:
    with living(tmp_path, seed=1) as history:
        shop = begin(history)
        history.pass_time(DAY)
        shop.run()
        shop.write(goals(ITEMS), checks=[{"expr": "id != 'i1'", "reason": "unfit"}], **WEEKLY)
        assert shop.do("recheck").code == 1
        first = table(shop)[0]
        assert (first["status"], first["reason"], first["reused_from"] != "") == ("failed", "unfit", True)
        assert first["result"] != ""
        assert len(history.server.runs) == ITEMS
        history.server.payments = 2
        shop.write(goals(ITEMS), **WEEKLY)
        assert shop.run().code == 1
        assert shop.do("retry", "--failed", "--progress", "none").code == 0
        assert len(history.server.runs) == ITEMS + 1
        first = table(shop)[0]
        assert (first["status"], first["attempts"], first["reused_from"]) == ("succeeded", "1", "")


def test_what_is_not_submitted_is_not_reused(tmp_path: Path) -> None:
    with living(tmp_path, seed=1) as history:
        shop = begin(history)
        history.pass_time(DAY)
        assert shop.run("--drain").code == 3
        assert shop.run("--limit", "2").code == 0
        assert [row["status"] for row in table(shop)] == ["succeeded"] * 2 + ["queued"] * (ITEMS - 2)
        assert shop.run().code == 0
        assert len(history.server.runs) == ITEMS


def test_failures_are_not_measured_against_reused_results(tmp_path: Path) -> None:
    """`halt: 50%` is about what this process has submitted."""
    with living(tmp_path, seed=1) as history:
        shop = history.folder("shop", items=30, **WEEKLY)
        assert shop.run().code == 0
        history.pass_time(DAY)
        others = {f"x{number}": "Read it." for number in range(20)}
        shop.write(
            {**goals(30), **others},
            checks=["id[0] != 'x'"],
            limits={"halt": "50%", "concurrency": 1},
            **WEEKLY,
        )
        assert shop.run().code == 3
        assert len(history.server.runs) < 30 + 20


@pytest.mark.parametrize(
    "dies_at_write",
    [pytest.param(n, marks=[] if n % 8 == 0 else [pytest.mark.slow]) for n in range(1, 49)],
)
def test_a_process_that_dies_while_it_reuses_pays_for_nothing_twice(
    tmp_path: Path, dies_at_write: int
) -> None:
    with living(tmp_path, seed=1) as history:
        shop = begin(history)
        history.pass_time(DAY)
        shop.write(goals(ITEMS + 2), **WEEKLY)
        shop.run(dies_at_write=dies_at_write)
        assert shop.run().code == 0
        assert (len(history.server.runs), history.server.duplicates()) == (ITEMS + 2, 0)
        assert sum(row["reused_from"] != "" for row in table(shop)) == ITEMS
        assert shop.foreign_results() == []


def test_runs_that_ended_while_no_process_followed_them_are_reused(tmp_path: Path) -> None:
    """A machine that was restarted in the night polls the runs of the day before, and does not pay again."""
    with living(tmp_path, seed=1) as history:
        history.pass_time(DAY - EPOCH % DAY + DAY / 2)
        shop = history.folder("shop", items=ITEMS, **WEEKLY)
        shop.run(dies_after=4.0)
        ended = shop.statuses().get("succeeded", 0)
        sent = len(history.server.runs)
        assert ended < sent
        history.pass_time(DAY)
        outcome = shop.run()
        assert outcome.code == 0
        assert (len(history.server.runs), history.server.duplicates()) == (ITEMS, 0), outcome.said
        assert sum(row["reused_from"] != "" for row in table(shop)) == sent
        assert shop.foreign_results() == []


@pytest.mark.parametrize("seed", seeds(2, of=20))
def test_days_of_lost_answers_and_kills(tmp_path: Path, seed: int) -> None:
    with living(tmp_path, seed=seed, faults=LOSSY) as history:
        shop = history.folder("shop", **WEEKLY)
        for day in range(4):
            shop.write({f"i{number}": "Read the price." for number in range(10 + day)}, **WEEKLY)
            for dies_after in (1.0 + seed, 4.0, None):
                outcome = shop.run(dies_after=dies_after)
            assert outcome.code == 0, outcome.said
            assert (history.server.duplicates(), len(history.server.runs)) == (0, 10 + day)
            assert history.server.violations == []
            assert shop.foreign_results() == []
            history.pass_time(DAY)
        assert shop.statuses() == {"succeeded": 10 + 11 + 12 + 13}


def test_the_history_catches_an_item_that_is_reused_and_submitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A seeded bug: the reuse is recorded, but the item stays queued."""
    write = SqliteJournal.write

    def half(journal: SqliteJournal, change: Change, *how: Any) -> None:  # noqa: ANN401 - handed on
        if change.reused is None:
            write(journal, change, *how)

    monkeypatch.setattr(SqliteJournal, "write", half)
    with living(tmp_path, seed=1) as history:
        shop = begin(history)
        history.pass_time(DAY)
        shop.run()
        assert history.server.duplicates() > 0


def test_the_history_catches_results_of_other_items(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A seeded bug: each item takes the result of its neighbour."""
    find = reuse._reusable  # noqa: SLF001 - the bug goes where the results are found

    def shifted(ctx: Context) -> Iterator[Sequence[FreshResult]]:
        for chunk in find(ctx):
            yield [one._replace(source=chunk[at - 1].source) for at, one in enumerate(chunk)]

    monkeypatch.setattr(reuse, "_reusable", shifted)
    with living(tmp_path, seed=1) as history:
        shop = begin(history)
        history.pass_time(DAY)
        assert shop.run().code == 0
        assert len(shop.foreign_results()) == ITEMS
