"""The reads that commands make of a journal, beside the process that owns it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from batchfish.core.budget import Account
from batchfish.core.events import Adopted, CancelRequested, RetryRequested, RunEnded, RunLost
from batchfish.core.histories import Finding
from batchfish.core.items import Status
from batchfish.core.results import ResultText
from batchfish.core.runs import RunError, RunSnapshot
from batchfish.errors import StorageFailed
from batchfish.journal.queries import open_reader
from batchfish.journal.records import SettingChange
from tests.journal.building import KEY, Driver, begin, commit, connection_of, edit, row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from batchfish.journal.queries import JournalReader
    from batchfish.journal.sqlite import SqliteJournal

A = "https://books.example/a"
LOST = ("unanswered", None)


@pytest.fixture
def batch(journal: SqliteJournal) -> int:
    return begin(journal, *(row(f"{A}/{name}", name) for name in "abcdef"))


@pytest.fixture
def pks(journal: SqliteJournal, batch: int) -> dict[str, int]:
    return {item.id: item.pk for item in journal.due(batch, 1e9, 99)}


@pytest.fixture
def reader(batch: int, path: Path) -> Iterator[JournalReader]:
    with open_reader(path) as reader:
        yield reader


@pytest.fixture
def lived(journal: SqliteJournal, driver: Driver, pks: dict[str, int]) -> dict[str, int]:
    """Bring a to success, b to failure, c alive, d lost, e cancelled; f is queued."""
    for name in "abcd":
        driver.accept(pks[name], f"run-{name}")
    driver.finish(pks["a"], b'{"price": 1}')
    driver.finish(pks["b"], None, "FAILED")
    driver.record(pks["d"], 1, RunLost())
    driver.record(pks["e"], None, CancelRequested())
    commit(journal)
    return pks


def test_batches_come_in_the_order_in_which_they_began(
    journal: SqliteJournal, reader: JournalReader, batch: int
) -> None:
    second = begin(journal, row(A), number=2, chance=b"efgh")
    assert [one.pk for one in reader.batches()] == [batch, second]


def test_find_item_prefers_a_wanted_item(
    journal: SqliteJournal, reader: JournalReader, batch: int, pks: dict[str, int]
) -> None:
    edit(journal, batch, row(f"{A}/other", "a"))
    found, gone = reader.find_item(batch, "a"), reader.find_item(batch, "b")
    assert found is not None
    assert gone is not None
    assert (found.wanted, gone.wanted, gone.pk) == (True, False, pks["b"])
    assert found.pk != pks["a"]
    asked = reader.request_of(found.pk)
    assert (asked.url, asked.goal) == (f"{A}/other", "Read the price")
    assert reader.find_item(batch, "z") is None
    assert reader.find_item(batch + 1, "a") is None


def test_attempts_and_result_of_an_item(
    journal: SqliteJournal, driver: Driver, reader: JournalReader, lived: dict[str, int]
) -> None:
    driver.record(lived["b"], None, RetryRequested())
    driver.accept(lived["b"], "run-b2")
    driver.finish(lived["b"], b"[2]")
    commit(journal)
    attempts = reader.attempts_of(lived["b"])
    assert [(one.k, one.run_id, one.run_status) for one in attempts] == [
        (1, "run-b", "FAILED"),
        (2, "run-b2", "COMPLETED"),
    ]
    assert reader.results.of_item(journal.item(lived["b"])) == ResultText("[2]")
    assert reader.results.of_item(journal.item(lived["c"])) is None
    assert reader.attempts_of(lived["f"]) == []


def test_money_events_of_an_item(
    journal: SqliteJournal, driver: Driver, reader: JournalReader, lived: dict[str, int]
) -> None:
    driver.record(lived["a"], None, Adopted(run_id="ghost", k=2, marker="m", key_id=KEY))
    commit(journal)
    (event,) = reader.money_events_of(lived["a"])
    assert (event.at, event.message) == (
        driver.now,
        "a second run ghost of a finished item (steps not known); it is cancelled if it is alive",
    )
    assert reader.money_events_of(lived["b"]) == []


def test_histories_hold_the_times_and_costs_of_every_attempt(
    journal: SqliteJournal, driver: Driver, reader: JournalReader, batch: int, lived: dict[str, int]
) -> None:
    edit(journal, batch, *(row(f"{A}/{name}", name) for name in "abcde"))
    journal.replace_findings(batch, "same_answer", [(lived["a"], 'the same as "b"')], 5.0)
    driver.record(lived["b"], None, RetryRequested())
    lost = driver.lose_answer(lived["b"])
    connection_of(journal).execute(
        "INSERT INTO spending (item, k, reserved, step_price) VALUES (?, 1, 9, 7)", (lived["b"],)
    )
    commit(journal)
    found = {one.id: one for one in reader.histories(batch)}
    assert list(found) == list("abcdef")
    assert [one.wanted for one in found.values()] == [True] * 5 + [False]
    a, b, c, d, f = (found[name] for name in "abcdf")
    assert (a.status, a.url, a.follows, a.message) == ("succeeded", f"{A}/a", 1, None)
    assert a.findings == (Finding("same_answer", 'the same as "b"'),)
    assert b.findings == ()
    (run,) = a.attempts
    assert (run.state, run.created_at, run.started_at, run.step_price) == ("ended", run.sent_at, None, None)
    assert run.finished_at is not None
    assert run.finished_at > run.sent_at
    assert [(one.k, one.state, one.step_price) for one in b.attempts] == [
        (1, "ended", 7),
        (lost, "unanswered", None),
    ]
    assert b.attempts[1].given_up_after == 1.0
    assert [one.state for one in c.attempts + d.attempts] == ["running", "held"]
    assert (f.status, f.attempts) == ("queued", ())


def test_a_message_of_a_megabyte_is_cut(
    journal: SqliteJournal, driver: Driver, reader: JournalReader, batch: int, pks: dict[str, int]
) -> None:
    driver.accept(pks["a"])
    error = RunError(message="é" * 10**6, code="CODE", category="AGENT_FAILURE")
    run = RunSnapshot(run_id=f"run-{pks['a']}-1", status="FAILED", error=error)
    driver.record(pks["a"], 1, RunEnded(run=run))
    commit(journal)
    first = next(reader.histories(batch))
    assert (first.message, first.message_length, first.error_code) == ("é" * 1000, 10**6, "CODE")


def test_settings_and_money_events_of_a_batch_come_in_order(
    journal: SqliteJournal, driver: Driver, reader: JournalReader, batch: int, lived: dict[str, int]
) -> None:
    for name, value in (("concurrency", "20"), ("halt", "null")):
        connection_of(journal).execute(
            "INSERT INTO settings (batch, name, value, at) VALUES (?, ?, ?, 5)", (batch, name, value)
        )
    driver.record(lived["a"], None, Adopted(run_id="ghost", k=2, marker="m", key_id=KEY))
    commit(journal)
    assert reader.setting_changes(batch) == [
        SettingChange("concurrency", 20, 5.0),
        SettingChange("halt", None, 5.0),
    ]
    (event,) = reader.money_events_in(batch)
    assert (event.at, event.item, event.message.split(" (")[0]) == (
        driver.now,
        "a",
        "a second run ghost of a finished item",
    )
    assert reader.setting_changes(batch + 1) == []
    assert reader.money_events_in(batch + 1) == []


def test_held_attempts(reader: JournalReader, batch: int, lived: dict[str, int]) -> None:
    (held,) = reader.held_attempts(batch)
    assert (held.id, held.reason, held.run_id, held.url) == ("d", "lost_remote", "run-d", f"{A}/d")
    assert (held.k, held.status, held.batch) == (1, "held", batch)
    assert reader.held_attempts() == [held]
    assert reader.held_attempts(batch + 1) == []


def test_items_by_status_and_reason(reader: JournalReader, batch: int, lived: dict[str, int]) -> None:
    def ids(*statuses: Status, reason: str | None = None) -> list[str]:
        return [item.id for item in reader.items_in(batch, statuses, reason)]

    assert ids(Status.FAILED, Status.CANCELLED) == ["b", "e"]
    assert ids(Status.FAILED, Status.CANCELLED, reason="cancelled") == ["e"]
    assert ids(Status.FAILED, reason="cancelled") == []


def test_an_unwanted_item_is_not_listed_but_has_not_ended(
    journal: SqliteJournal, reader: JournalReader, batch: int, lived: dict[str, int]
) -> None:
    edit(journal, batch, row(f"{A}/a", "a"))
    assert reader.items_in(batch, (Status.FAILED,)) == []
    assert set(reader.not_ended(batch)) == {lived[name] for name in "cdf"}


def test_items_ended_since_a_moment(reader: JournalReader, batch: int, lived: dict[str, int]) -> None:
    number, first = reader.ended_since(batch, 0.0)
    assert number == 3
    assert first is not None
    assert reader.ended_since(batch, first)[0] == 2
    assert reader.ended_since(batch, 1e9) == (0, None)


def test_was_cancelled_counts_wanted_items_only(
    journal: SqliteJournal, reader: JournalReader, batch: int, lived: dict[str, int]
) -> None:
    assert reader.was_cancelled(batch)
    edit(journal, batch, *(row(f"{A}/{name}", name) for name in "abcdf"))
    assert not reader.was_cancelled(batch)


def test_a_snapshot_does_not_change_while_the_owner_writes(
    journal: SqliteJournal, driver: Driver, reader: JournalReader, batch: int, pks: dict[str, int]
) -> None:
    with reader.snapshot():
        before = reader.counts(batch)
        driver.accept(pks["a"])
        driver.finish(pks["a"], b"{}")
        commit(journal)
        assert reader.counts(batch) == before == {"queued": 6}
    assert reader.counts(batch) == {"queued": 5, "succeeded": 1}


def test_alive_attempts_and_wanted_rows(lived: dict[str, int], reader: JournalReader, batch: int) -> None:
    assert reader.count_alive() == 1
    rows = list(reader.wanted_rows(batch))
    assert [(one.id, one.url) for one in rows] == [(name, f"{A}/{name}") for name in "abcdef"]
    assert [one.key for one in rows] == list(lived.values())


def test_rows_that_were_not_all_read_may_outlive_the_connection(batch: int, path: Path) -> None:
    with open_reader(path) as reader:
        rows = reader.wanted_rows(batch)
        next(rows)
    del rows  # an error here would only be printed, and is found by pytest


def test_request_bodies_are_those_of_the_wanted_rows(
    journal: SqliteJournal, reader: JournalReader, batch: int
) -> None:
    (plain,) = reader.request_bodies(batch)
    urls = iter(f"{A}/{number}" for number in range(9))
    lite, stealth = ({"agent_config": {"mode": mode}} for mode in ("lite", "stealth"))
    rows = [row(next(urls), request=request) for request in (stealth, lite, stealth)]
    second = begin(journal, *rows, number=2, chance=b"efgh")
    assert [json.loads(body) for body in reader.request_bodies(second)] == [stealth, lite]
    assert reader.request_bodies(batch) == [plain]
    edit(journal, second, *rows[1:2])
    assert [json.loads(body) for body in reader.request_bodies(second)] == [lite]


def test_a_batch_of_no_wanted_rows_has_no_request_bodies(
    journal: SqliteJournal, reader: JournalReader, batch: int
) -> None:
    connection_of(journal).execute("UPDATE items SET wanted = 0")
    assert list(reader.request_bodies(batch)) == []


def test_a_read_of_what_earlier_versions_lack_fails_as_any_other(reader: JournalReader) -> None:
    reader._read.connection.close()  # noqa: SLF001 - nothing else makes such a read fail
    reads: list[Callable[[], object]] = [
        lambda: reader.setting_changes(1),
        reader.disowned_runs,
        lambda: reader.spending(Account(batch=1), 1),
        lambda: reader.reservations_of(1),
        lambda: reader.steps_taken(1),
        lambda: reader.results.findings_of(1),
    ]
    for read in reads:
        with pytest.raises(StorageFailed):
            read()
