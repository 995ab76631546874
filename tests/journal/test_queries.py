"""What people ask of a journal, beside the process that works on it."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from batchfish.core.events import Adopted, CancelRequested, RetryRequested, RunLost
from batchfish.core.items import Status
from batchfish.journal import queries
from batchfish.journal.files import connect, snapshot
from tests.journal.building import KEY, Driver, begin, edit, row

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

    from batchfish.journal.sqlite import SqliteJournal

A = "https://books.example/a"


@pytest.fixture
def batch(journal: SqliteJournal) -> int:
    return begin(journal, *(row(f"{A}/{name}", name) for name in "abcdef"))


@pytest.fixture
def pks(journal: SqliteJournal, batch: int) -> dict[str, int]:
    return {item.id: item.pk for item in journal.due(batch, 1e9, 99)}


@pytest.fixture
def reader(batch: int, path: Path) -> Iterator[sqlite3.Connection]:
    with closing(connect(path, read_only=True)) as connection:
        yield connection


@pytest.fixture
def lived(journal: SqliteJournal, driver: Driver, pks: dict[str, int]) -> dict[str, int]:
    """Bring a to success, b to failure, c alive, d lost, e cancelled; f is queued."""
    for name in "abcd":
        driver.accept(pks[name], f"run-{name}")
    driver.finish(pks["a"], b'{"price": 1}')
    driver.finish(pks["b"], None, "FAILED")
    driver.record(pks["d"], 1, RunLost())
    driver.record(pks["e"], None, CancelRequested())
    journal.commit_now()
    return pks


def test_batches_come_in_the_order_they_were_begun(
    journal: SqliteJournal, reader: sqlite3.Connection, batch: int
) -> None:
    second = begin(journal, row(A), number=2, chance=b"efgh")
    assert [one.pk for one in queries.all_batches(reader)] == [batch, second]


def test_an_item_is_found_by_its_id_and_rather_one_that_is_wanted(
    journal: SqliteJournal, reader: sqlite3.Connection, batch: int, pks: dict[str, int]
) -> None:
    edit(journal, batch, row(f"{A}/other", "a"))
    found, gone = queries.find_item(reader, batch, "a"), queries.find_item(reader, batch, "b")
    assert found is not None
    assert gone is not None
    assert (found.wanted, gone.wanted, gone.pk) == (True, False, pks["b"])
    assert found.pk != pks["a"]
    assert queries.question_of(reader, found.pk) == (f"{A}/other", "Read the price")
    assert queries.find_item(reader, batch, "z") is None
    assert queries.find_item(reader, batch + 1, "a") is None


def test_attempts_and_result_of_an_item(
    journal: SqliteJournal, driver: Driver, reader: sqlite3.Connection, lived: dict[str, int]
) -> None:
    driver.record(lived["b"], None, RetryRequested())
    driver.accept(lived["b"], "run-b2")
    driver.finish(lived["b"], b"[2]")
    journal.commit_now()
    attempts = queries.attempts_of(reader, lived["b"])
    assert [(one.k, one.run_id, one.run_status) for one in attempts] == [
        (1, "run-b", "FAILED"),
        (2, "run-b2", "COMPLETED"),
    ]
    assert queries.result_of(reader, journal.item(lived["b"])) == b"[2]"
    assert queries.result_of(reader, journal.item(lived["c"])) is None
    assert queries.attempts_of(reader, lived["f"]) == []


def test_what_cost_more_than_it_should(
    journal: SqliteJournal, driver: Driver, reader: sqlite3.Connection, lived: dict[str, int]
) -> None:
    driver.record(lived["a"], None, Adopted(run_id="ghost", k=2, marker="m", key_id=KEY))
    journal.commit_now()
    (event,) = queries.money_events_of(reader, lived["a"])
    assert (event.at, event.message) == (
        driver.now,
        "a second run ghost of a finished item (steps not known); it is cancelled if it is alive",
    )
    assert queries.money_events_of(reader, lived["b"]) == []


def test_what_waits_for_a_person(reader: sqlite3.Connection, batch: int, lived: dict[str, int]) -> None:
    (held,) = queries.held_attempts(reader, batch)
    assert (held.id, held.reason, held.run_id, held.url) == ("d", "lost_remote", "run-d", f"{A}/d")
    assert (held.k, held.status, held.batch) == (1, "held", batch)
    assert queries.held_attempts(reader) == [held]
    assert queries.held_attempts(reader, batch + 1) == []


def test_items_by_status_and_reason(reader: sqlite3.Connection, batch: int, lived: dict[str, int]) -> None:
    def ids(*statuses: Status, reason: str | None = None) -> list[str]:
        return [item.id for item in queries.items_in(reader, batch, statuses, reason)]

    assert ids(Status.FAILED, Status.CANCELLED) == ["b", "e"]
    assert ids(Status.FAILED, Status.CANCELLED, reason="cancelled") == ["e"]
    assert ids(Status.FAILED, reason="cancelled") == []


def test_what_the_manifest_wants_no_more_is_not_listed_but_has_not_ended(
    journal: SqliteJournal, reader: sqlite3.Connection, batch: int, lived: dict[str, int]
) -> None:
    edit(journal, batch, row(f"{A}/a", "a"))
    assert queries.items_in(reader, batch, (Status.FAILED,)) == []
    assert set(queries.not_ended(reader, batch)) == {lived[name] for name in "cdf"}


def test_how_many_ended_since(reader: sqlite3.Connection, batch: int, lived: dict[str, int]) -> None:
    number, first = queries.ended_since(reader, batch, 0.0)
    assert number == 3
    assert first is not None
    assert queries.ended_since(reader, batch, first)[0] == 2
    assert queries.ended_since(reader, batch, 1e9) == (0, None)


def test_whether_a_person_cancelled(
    journal: SqliteJournal, reader: sqlite3.Connection, batch: int, lived: dict[str, int]
) -> None:
    assert queries.was_cancelled(reader, batch)
    edit(journal, batch, *(row(f"{A}/{name}", name) for name in "abcdf"))
    assert not queries.was_cancelled(reader, batch)


def test_a_snapshot_stays_as_it_was_while_the_owner_writes(
    journal: SqliteJournal, driver: Driver, reader: sqlite3.Connection, batch: int, pks: dict[str, int]
) -> None:
    with snapshot(reader):
        before = queries.counts(reader, batch)
        driver.accept(pks["a"])
        driver.finish(pks["a"], b"{}")
        journal.commit_now()
        assert queries.counts(reader, batch) == before == {"queued": 6}
    assert queries.counts(reader, batch) == {"queued": 5, "succeeded": 1}


def test_what_is_alive_and_what_flags_choose_by_are_read_beside_the_owner(
    lived: dict[str, int], reader: sqlite3.Connection, batch: int
) -> None:
    assert queries.alive_count(reader) == 1
    rows = queries.wanted_rows(reader, batch)
    assert [(one.id, one.url) for one in rows] == [(name, f"{A}/{name}") for name in "abcdef"]
    assert [one.key for one in rows] == list(lived.values())
