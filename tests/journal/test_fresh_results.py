"""The results that unsent items may reuse, and what the journal shows of items that did."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batchfish.core.events import CancelRequested, Rechecked, RetryRequested, Reused, RunEnded
from batchfish.core.results import ResultText
from batchfish.core.runs import REACHED, RunSnapshot, Verdict
from batchfish.journal.queries import open_reader
from tests.journal.building import Driver, begin, commit, connection_of, row, specs_of
from tests.outcomes import outcomes_of

if TYPE_CHECKING:
    from pathlib import Path

    from batchfish.journal.sqlite import SqliteJournal

A = "https://books.example"
NAMES = "abc"


def batch_of(journal: SqliteJournal, number: int, names: str = NAMES) -> int:
    commit(journal)
    return begin(
        journal, *(row(f"{A}/{name}", name) for name in names), number=number, chance=bytes([number] * 4)
    )


def pks(journal: SqliteJournal, batch: int) -> dict[str, int]:
    return {one.id: one.key for one in journal.reader.wanted_rows(batch)}


def fresh(journal: SqliteJournal, batch: int, since: float) -> dict[str, str]:
    chunks = journal.reader.results.fresh(batch, since)
    return {one.id: one.result.text for chunk in chunks for one in chunk}


@pytest.fixture
def first(journal: SqliteJournal, driver: Driver) -> int:
    """Return a batch of which `a` and `b` succeeded at about 2,000 s, and `c` failed."""
    batch = batch_of(journal, 1)
    for name, item in pks(journal, batch).items():
        driver.accept(item)
        driver.finish(item, None if name == "c" else name.encode(), "FAILED" if name == "c" else "COMPLETED")
    commit(journal)
    return batch


def test_good_results_that_are_young_enough(journal: SqliteJournal, driver: Driver, first: int) -> None:
    second = batch_of(journal, 2, "bad")
    assert fresh(journal, second, 0.0) == {"b": "b", "a": "a"}
    assert list(fresh(journal, second, 0.0)) == ["b", "a"], "in the order of the manifest"
    assert fresh(journal, second, driver.now + 1) == {}
    assert fresh(journal, first, 0.0) == {}, "only batches before have them"


def test_of_several_results_the_youngest_is_taken(journal: SqliteJournal, driver: Driver, first: int) -> None:
    item = pks(journal, batch_of(journal, 2, "a"))["a"]
    driver.accept(item)
    driver.finish(item, b"younger")
    late = pks(journal, first)["c"]
    driver.record(late, None, RetryRequested())
    driver.accept(late)
    driver.finish(late, b"late")  # of the first batch, but younger than all results of the second
    third = batch_of(journal, 3)
    assert fresh(journal, third, 0.0) == {"a": "younger", "b": "b", "c": "late"}


def test_items_that_were_sent_or_are_to_be_tried_again_reuse_nothing(
    journal: SqliteJournal, driver: Driver, first: int
) -> None:
    items = pks(journal, second := batch_of(journal, 2, "ab"))
    driver.accept(items["a"])
    driver.record(items["b"], None, CancelRequested())
    driver.record(items["b"], None, RetryRequested())
    assert fresh(journal, second, 0.0) == {}


def test_a_servers_clock_that_is_ahead_makes_no_result_younger(
    journal: SqliteJournal, driver: Driver, first: int
) -> None:
    item = pks(journal, batch_of(journal, 2, "a"))["a"]
    run = RunSnapshot(run_id=driver.accept(item), status="COMPLETED", result=b"new", finished_at=1e9)
    driver.record(item, 1, RunEnded(run=run))
    third = batch_of(journal, 3, "a")
    assert fresh(journal, third, driver.now) == {"a": "new"}
    assert fresh(journal, third, driver.now + 1) == {}


def test_a_result_that_was_judged_again_is_no_younger(
    journal: SqliteJournal, driver: Driver, first: int
) -> None:
    """Also where the server does not say when its run ended."""
    item = pks(journal, batch_of(journal, 2, "a"))["a"]
    run = RunSnapshot(run_id=driver.accept(item), status="COMPLETED", result=b"new", finished_at=None)
    driver.record(item, 1, RunEnded(run=run, verdict=Verdict(reason="odd")))
    judged_at = driver.now = driver.now + 1_000.0
    driver.record(item, 1, Rechecked(verdict=REACHED))
    third = batch_of(journal, 3, "a")
    assert fresh(journal, third, judged_at - 500.0) == {}


def test_keys_of_another_version_are_not_compared(journal: SqliteJournal, driver: Driver, first: int) -> None:
    second = batch_of(journal, 2)
    connection_of(journal).execute("UPDATE batches SET fingerprint_version = 2 WHERE pk = ?", (first,))
    assert fresh(journal, second, 0.0) == {}


def test_a_batch_that_ended_before_is_passed_over(journal: SqliteJournal, driver: Driver, first: int) -> None:
    second = batch_of(journal, 2)
    journal.finish(first, 1, driver.now)
    assert fresh(journal, second, 0.0) == {"a": "a", "b": "b"}
    assert fresh(journal, second, driver.now + 1) == {}


def test_staged_rows_of_a_batch_that_has_not_begun(journal: SqliteJournal, first: int) -> None:
    journal.reader.staged.load(specs_of([row(f"{A}/{name}", name) for name in "xba"]), 1)
    journal.reader.staged.compare(None)
    chunks = journal.reader.results.fresh(None, 0.0, of_staged_rows=True)
    assert [(one.pk, one.id) for chunk in chunks for one in chunk] == [(2, "b"), (3, "a")]


def test_a_reused_result_is_that_of_the_earlier_batch(
    path: Path, journal: SqliteJournal, driver: Driver, first: int
) -> None:
    second = batch_of(journal, 2)
    items, sources = pks(journal, second), pks(journal, first)
    driver.record(items["a"], None, Reused(source=sources["a"]))
    commit(journal)
    with open_reader(path) as reader:
        outcomes = outcomes_of(reader, second)
        assert list(reader.results.row_sizes(second)) == [3, 2, 2]
        assert reader.results.of_item(journal.item(items["a"])) == ResultText("a")
        assert [reader.results.reused_from(items[name]) for name in "ab"] == ["books", None]
        assert reader.attempts_of(items["a"]) == []
        with reader.results.good(second, first) as good:
            assert list(good.differing()) == []
            assert (good.count().compared, good.count().carried) == (2, 1)
    found = outcomes[0]
    assert (found.status, found.result, found.reused_from) == ("succeeded", ResultText("a"), "books")
    assert (found.run_id, found.attempts, found.steps) == (f"run-{sources['a']}-1", 0, None)
    assert found.finished_at is not None
    assert [one.reused_from for one in outcomes[1:]] == [None, None]


def test_a_reused_result_is_not_reused_again(journal: SqliteJournal, driver: Driver, first: int) -> None:
    """The next batch takes it from the first one, as long as it is young enough."""
    items = pks(journal, batch_of(journal, 2, "a"))
    driver.record(items["a"], None, Reused(source=pks(journal, first)["a"]))
    chunks = journal.reader.results.fresh(batch_of(journal, 3, "a"), 0.0)
    assert [one.source for chunk in chunks for one in chunk] == [pks(journal, first)["a"]]
