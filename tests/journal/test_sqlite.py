"""The owner's reads and writes that the stages rely on, and the plans of their statements."""

from __future__ import annotations

import sqlite3
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from batchfish.core.events import (
    Adopted,
    CancelRequested,
    CannotTell,
    ProvenAbsent,
    RetryRequested,
    RunEnded,
    SubmitDeferred,
)
from batchfish.core.items import AttemptState, Status
from batchfish.core.results import ResultText
from batchfish.core.runs import RunError, RunSnapshot
from batchfish.journal import due_items, memory, outcomes
from batchfish.journal.queries import JournalReader
from tests.journal.building import KEY, Driver, begin, commit, connection_of, edit, row
from tests.outcomes import one_by_one, outcomes_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from batchfish.core.identity import Markers
    from batchfish.core.items import Attempt
    from batchfish.journal.sqlite import SqliteJournal

A = "https://books.example/a"


def contents(journal: SqliteJournal, batch: int, now: float = 1e9, limit: int = 99) -> list[str]:
    return [item.id for item in journal.due(batch, now, limit)]


def named(*ids: str, **more: object) -> list[tuple[str, str | None, dict[str, Any]]]:
    return [row(f"{A}/{item_id}", item_id, **more) for item_id in ids]


@pytest.fixture
def batch(journal: SqliteJournal) -> int:
    return begin(journal, *named("a", "b", "c", "d"))


@pytest.fixture
def pks(journal: SqliteJournal, batch: int) -> list[int]:
    return [item.pk for item in journal.due(batch, 1e9, 99)]


class TestDue:
    def test_due_items_come_in_manifest_order_up_to_the_limit(
        self, journal: SqliteJournal, batch: int
    ) -> None:
        assert contents(journal, batch) == ["a", "b", "c", "d"]
        assert contents(journal, batch, limit=2) == ["a", "b"]
        assert contents(journal, batch, limit=0) == []

    def test_a_submitting_item_is_not_due_even_before_the_commit(
        self, journal: SqliteJournal, batch: int, driver: Driver, pks: list[int]
    ) -> None:
        driver.intend(pks[1])
        assert contents(journal, batch) == ["a", "c", "d"]

    def test_an_item_is_not_due_before_its_time(
        self, journal: SqliteJournal, batch: int, driver: Driver, pks: list[int]
    ) -> None:
        driver.accept(pks[0])
        driver.finish(pks[0], None, "FAILED")
        driver.record(pks[0], None, RetryRequested())  # due at that moment
        moment = driver.now
        assert contents(journal, batch, moment) == ["b", "c", "d", "a"]
        assert contents(journal, batch, moment - 0.5) == ["b", "c", "d"]
        for pk in pks[1:]:
            driver.intend(pk)
        assert journal.next_due_at(batch) == moment

    def test_an_item_due_beyond_the_furthest_is_due_now(
        self, journal: SqliteJournal, batch: int, driver: Driver, pks: list[int]
    ) -> None:
        driver.now = 1e9
        driver.accept(pks[0])
        driver.finish(pks[0], None, "FAILED")
        driver.record(pks[0], None, RetryRequested())
        assert contents(journal, batch, 5_000.0) == ["b", "c", "d"]
        due = journal.due(batch, 5_000.0, 99, furthest=5_900.0)
        assert [item.id for item in due] == ["b", "c", "d", "a"]
        assert [item.id for item in journal.due(batch, 5_000.0, 3, furthest=5_900.0)] == ["b", "c", "d"]
        assert [item.id for item in journal.due(batch, 1e9 - 100, 9, furthest=1e9 + 800)] == ["b", "c", "d"]

    def test_next_due_at_is_none_without_queued_items(
        self, journal: SqliteJournal, batch: int, driver: Driver, pks: list[int]
    ) -> None:
        assert journal.next_due_at(batch) == 0.0
        for pk in pks:
            driver.intend(pk)
        assert journal.next_due_at(batch) is None
        assert journal.next_due_at(batch + 1) is None

    def test_an_unwanted_item_is_not_due(self, journal: SqliteJournal, batch: int) -> None:
        edit(journal, batch, *named("a", "d"))
        assert contents(journal, batch) == ["a", "d"]

    def test_a_selection_holds_for_this_process(
        self, journal: SqliteJournal, batch: int, pks: list[int]
    ) -> None:
        assert journal.selection() is None
        journal.select([pks[2], pks[0]])
        assert contents(journal, batch) == ["a", "c"]
        assert journal.selection() == frozenset({pks[0], pks[2]})
        journal.select([])
        assert contents(journal, batch) == []
        assert journal.next_due_at(batch) is None
        assert journal.selection() == frozenset()
        journal.select(None)
        assert contents(journal, batch) == ["a", "b", "c", "d"]
        assert journal.selection() is None

    def test_due_items_are_those_of_one_batch(self, journal: SqliteJournal, batch: int) -> None:
        second = begin(journal, *named("x"), number=2, chance=b"efgh")
        assert contents(journal, second) == ["x"]
        assert contents(journal, batch) == ["a", "b", "c", "d"]


class TestLookups:
    def test_an_item_is_found_by_its_marker(self, journal: SqliteJournal, batch: int, pks: list[int]) -> None:
        item, batch8 = journal.item(pks[2]), journal.batch(batch).batch8
        assert journal.item_by_key(batch8, item.key) == item
        assert journal.item_by_key(batch8, "a" * 13) is None
        assert journal.item_by_key("aaaaaaaa", item.key) is None

    def test_an_attempt_is_read_back_as_it_was_written(
        self, journal: SqliteJournal, driver: Driver, pks: list[int]
    ) -> None:
        driver.lose_answer(pks[0])
        event = Adopted(run_id="run-1", k=1, marker="m", key_id=KEY, created_at=1.5)
        written = driver.record(pks[0], 1, event)
        assert journal.attempt(pks[0], 1) == written.attempt
        assert journal.knows_run("run-1")
        assert journal.item(pks[0]) == written.item
        assert journal.attempt(pks[0], 2) is None
        assert not journal.knows_run("run-2")
        many = [f"run-{number}" for number in range(3000)]
        assert journal.attempts_of_runs(many) == {"run-1": written.attempt}

    def test_an_attempt_can_be_written_without_its_item(
        self, journal: SqliteJournal, driver: Driver, pks: list[int]
    ) -> None:
        driver.lose_answer(pks[0])
        item, attempt = journal.item(pks[0]), journal.attempt(pks[0], 1)
        assert attempt is not None
        changed = replace(attempt, given_up_at=7.0, given_up_boot_id="boot-2")
        journal.write_attempt(changed)
        assert journal.attempt(pks[0], 1) == changed
        journal.write_attempt(replace(changed, marker="another", key_id="another", intended_boot=1.0))
        assert journal.attempt(pks[0], 1) == changed  # what was intended is not rewritten
        assert journal.item(pks[0]) == item

    @pytest.mark.parametrize("markers", ["proven", "off"])
    def test_the_result_of_the_marker_test_is_kept(
        self, journal: SqliteJournal, batch: int, markers: Markers
    ) -> None:
        journal.set_markers(batch, markers)
        commit(journal)
        assert journal.batch(batch).markers == markers


class TestOpenAttempts:
    @pytest.fixture(autouse=True)
    def _bring_items_along(self, driver: Driver, pks: list[int]) -> None:
        driver.intend(pks[0])
        driver.accept(pks[1])
        driver.lose_answer(pks[2])
        driver.lose_answer(pks[3])
        driver.record(pks[3], 1, CannotTell(message="no control"))

    def names(self, found: Sequence[Any]) -> list[str]:
        return [one.item.id for one in found]

    def test_open_attempts_come_as_they_were_intended(self, journal: SqliteJournal, batch: int) -> None:
        found = journal.open_attempts()
        assert self.names(found) == ["a", "b", "c", "d"]
        assert [one.attempt.state for one in found] == ["submitting", "running", "unanswered", "held"]
        assert {one.batch8 for one in found} == {journal.batch(batch).batch8}

    def test_open_attempts_of_some_states(self, journal: SqliteJournal) -> None:
        assert self.names(journal.open_attempts(AttemptState.HELD, AttemptState.RUNNING)) == ["b", "d"]
        assert journal.open_attempts(AttemptState.ENDED) == []

    def test_the_kth_attempt_and_the_other_open_ones(
        self, journal: SqliteJournal, driver: Driver, pks: list[int]
    ) -> None:
        pk = pks[2]
        driver.record(pk, 1, ProvenAbsent())
        driver.accept(pk)
        driver.record(pk, 1, Adopted(run_id="ghost", k=1, marker="m", key_id=KEY))
        first, second = journal.attempt(pk, 1), journal.attempt(pk, 2)
        assert journal.attempts(pk, 1) == (first, [second])
        assert journal.attempts(pk, 2) == (second, [first])
        assert journal.attempts(pk, None) == (None, [first, second])
        assert journal.attempts(pk, 3) == (None, [first, second])
        driver.finish(pk)
        assert journal.attempts(pk, None)[1] == [first]
        assert journal.attempts(pk, 2) == (journal.attempt(pk, 2), [first])

    def test_open_attempts_are_counted_over_all_batches(self, journal: SqliteJournal, driver: Driver) -> None:
        assert (journal.count_open(), journal.count_held_open()) == (4, 1)
        commit(journal)
        second = begin(journal, *named("x"), number=2, chance=b"efgh")
        (item,) = journal.due(second, 1e9, 1)
        driver.accept(item.pk)
        assert (journal.count_open(), journal.count_held_open()) == (5, 1)
        assert list(journal.unfinished_batches()) == [1, second]

    def test_an_end_a_deferral_or_proven_absence_closes_an_attempt(
        self, journal: SqliteJournal, driver: Driver, pks: list[int]
    ) -> None:
        driver.finish(pks[1])
        driver.record(pks[2], 1, ProvenAbsent())
        driver.record(pks[0], 1, SubmitDeferred(reason="rate_limited", message=""))
        assert self.names(journal.open_attempts()) == ["d"]
        assert (journal.count_open(), journal.count_held_open()) == (1, 1)


class TestKnownRuns:
    def test_first_accepted_attempt_of_a_batch(
        self, journal: SqliteJournal, batch: int, driver: Driver, pks: list[int]
    ) -> None:
        assert journal.first_accepted(batch) is None
        driver.lose_answer(pks[0])
        assert journal.first_accepted(batch) is None
        driver.accept(pks[2], "run-1")
        driver.finish(pks[2])
        assert self.run_of(journal.first_accepted(batch)) == "run-1"
        driver.accept(pks[1], "run-2")
        assert self.run_of(journal.first_accepted(batch)) == "run-1"
        assert journal.first_accepted(batch + 1) is None

    def test_latest_accepted_attempt_of_a_key(
        self, journal: SqliteJournal, driver: Driver, pks: list[int]
    ) -> None:
        assert journal.latest_accepted(KEY) is None
        driver.accept(pks[0], "run-1")
        driver.accept(pks[1], "run-2")
        driver.finish(pks[1])
        driver.lose_answer(pks[2])
        assert self.run_of(journal.latest_accepted(KEY)) == "run-2"
        assert journal.latest_accepted("key-2") is None

    def test_latest_ended_attempt_of_a_key(
        self, journal: SqliteJournal, driver: Driver, pks: list[int]
    ) -> None:
        driver.accept(pks[0], "run-1")
        assert journal.latest_ended(KEY) is None
        driver.accept(pks[1], "run-2")
        driver.finish(pks[0])
        driver.finish(pks[1])
        driver.accept(pks[2], "run-3")
        assert self.run_of(journal.latest_ended(KEY)) == "run-2"
        assert journal.latest_ended("key-2") is None

    def test_a_control_after_giving_up_is_of_the_same_boot(
        self, journal: SqliteJournal, driver: Driver, pks: list[int]
    ) -> None:
        driver.accept(pks[0], "before")
        k = driver.lose_answer(pks[3])
        unanswered = journal.attempt(pks[3], k)
        assert unanswered is not None
        assert unanswered.given_up_at is not None
        driver.accept(pks[1], "first-after")
        driver.accept(pks[2], "second-after")
        assert self.run_of(journal.control_of(unanswered, after=unanswered.given_up_at)) == "first-after"
        assert self.run_of(journal.control_of(unanswered)) == "second-after"
        assert journal.control_of(unanswered, after=driver.now) is None
        elsewhere = replace(unanswered, given_up_boot_id="boot-2")
        assert journal.control_of(elsewhere, after=unanswered.given_up_at) is None
        assert journal.control_of(replace(unanswered, key_id="key-2")) is None

    @pytest.mark.parametrize(
        ("goals", "expected"),
        [
            (["Read the price", "Read the price"], "run-1"),
            (["Read the price!", "Read the price"], "run-1"),
            (["Read the pric", "Read the price"], None),
            (["Read the price\n\n  ", "Read the price!"], None),
            (["Read the price €", "Read the price in £"], None),
            (["Read the price in €", "Read the price in £"], "run-1"),
            (["Read the price in £", "Read the price in €"], None),
            (["Read the price in $$$", "Read the price in €"], "run-1"),
        ],
    )
    def test_a_control_has_as_long_a_goal_in_characters_and_bytes(
        self, journal: SqliteJournal, driver: Driver, goals: list[str], expected: str | None
    ) -> None:
        batch = begin(
            journal, *(row(f"https://other.example/{n}", goal=g) for n, g in enumerate(goals)), name="b"
        )
        control, unanswered = (item.pk for item in journal.due(batch, 1e9, 2))
        driver.accept(control, "run-1")
        attempt = journal.attempt(unanswered, driver.lose_answer(unanswered))
        assert attempt is not None
        found = journal.control_of(attempt)
        assert (None if found is None else found.run_id) == expected

    def test_a_run_without_a_marker_is_no_control(
        self, journal: SqliteJournal, driver: Driver, pks: list[int]
    ) -> None:
        driver.accept(pks[0], "run-1")
        connection_of(journal).execute("UPDATE attempts SET marker = ''")
        assert journal.latest_accepted(KEY) is None
        unanswered = journal.attempt(pks[1], driver.lose_answer(pks[1]))
        assert unanswered is not None
        assert journal.control_of(unanswered) is None
        assert journal.has_accepted()

    def test_a_run_of_another_key_comes_before_its_open_creates(
        self, journal: SqliteJournal, driver: Driver, pks: list[int]
    ) -> None:
        other = Driver(journal=journal, key_id="key-2")
        driver.accept(pks[0], "run-of-mine")
        assert journal.run_of_another_key(KEY) is None
        other.lose_answer(pks[1])
        found = journal.run_of_another_key(KEY)
        assert found is not None
        assert (found.run_id, found.state) == (None, "unanswered")
        other.accept(pks[2], "run-of-theirs")
        assert self.run_of(journal.run_of_another_key(KEY)) == "run-of-theirs"
        assert self.run_of(journal.run_of_another_key("key-2")) == "run-of-mine"

    @pytest.mark.parametrize("is_held", [False, True])
    def test_an_unanswered_create_of_another_key_counts_until_absent(
        self, journal: SqliteJournal, pks: list[int], *, is_held: bool
    ) -> None:
        other = Driver(journal=journal, key_id="key-2")
        other.lose_answer(pks[1])
        if is_held:
            other.record(pks[1], 1, CannotTell(message="no control"))
        assert journal.run_of_another_key(KEY) is not None
        other.record(pks[1], 1, ProvenAbsent())
        assert journal.run_of_another_key(KEY) is None

    def test_runs_of_a_batch_are_counted_ended_or_not(
        self, journal: SqliteJournal, batch: int, driver: Driver, pks: list[int]
    ) -> None:
        assert journal.count_runs(batch) == 0
        driver.accept(pks[0])
        driver.finish(pks[0], None, "FAILED")
        driver.record(pks[0], None, RetryRequested())
        driver.accept(pks[0])
        driver.lose_answer(pks[1])
        edit_keeps = named("b", "c", "d")
        commit(journal)
        edit(journal, batch, *edit_keeps)
        assert journal.count_runs(batch) == 2
        assert journal.count_runs(batch + 1) == 0

    def run_of(self, attempt: Attempt | None) -> str | None:
        assert attempt is not None
        return attempt.run_id


class TestResults:
    @pytest.mark.parametrize(
        "raw",
        [
            b"{}",
            b'{ "a" : 1.10,\n"a":2 }',
            b'"\\ud800"',
            b"\xff\xfe not JSON \x00 at all",
            b"1" * 5_000,
            b"[" * 100_000,
            b"",
            b'"' + b"x" * 5_000_000 + b'"',
        ],
        ids=["empty", "odd", "surrogate", "bytes", "digits", "nested", "nothing", "large"],
    )
    def test_a_result_is_kept_byte_for_byte(
        self, journal: SqliteJournal, batch: int, driver: Driver, pks: list[int], raw: bytes
    ) -> None:
        driver.accept(pks[0])
        driver.finish(pks[0], raw)
        stored = connection_of(journal).execute("SELECT raw, is_whole_answer FROM results").fetchall()
        assert stored == [(raw, 0)]

    def test_a_whole_answer_is_kept_as_such(
        self, journal: SqliteJournal, batch: int, driver: Driver, pks: list[int]
    ) -> None:
        run_id = driver.accept(pks[0])
        run = RunSnapshot(run_id=run_id, status="COMPLETED", result=b"{whole", is_whole_answer=True)
        driver.record(pks[0], 1, RunEnded(run=run))
        stored = connection_of(journal).execute("SELECT raw, is_whole_answer FROM results").fetchall()
        assert stored == [(b"{whole", 1)]
        chunk = outcomes_of(journal.reader, batch)
        assert chunk[0].result == ResultText("{whole", error="is not found in the answer about its run")

    def test_equal_bytes_are_read_as_a_result_or_as_a_whole_answer(
        self, journal: SqliteJournal, batch: int, driver: Driver, pks: list[int]
    ) -> None:
        raw = b'{"result":1}'
        for pk, is_whole in zip(pks, (False, True), strict=False):
            run_id = driver.accept(pk)
            run = RunSnapshot(run_id=run_id, status="COMPLETED", result=raw, is_whole_answer=is_whole)
            driver.record(pk, 1, RunEnded(run=run))
        connection_of(journal).execute("UPDATE items SET wanted = 0 WHERE follows = 0")
        found = [outcome.result for outcome in outcomes_of(journal.reader, batch)]
        assert found == [ResultText(raw.decode()), ResultText("1")]

    def test_an_attempt_keeps_its_first_result(
        self, journal: SqliteJournal, batch: int, driver: Driver, pks: list[int]
    ) -> None:
        driver.accept(pks[0])
        driver.finish(pks[0], b"1")
        again = driver.record(pks[0], None, CancelRequested())
        attempt = journal.attempt(pks[0], 1)
        assert attempt is not None
        run = RunSnapshot(run_id=attempt.run_id or "", status="COMPLETED", result=b"2")
        journal.write(replace(again, attempt=attempt, run=run), driver.now)
        chunk = outcomes_of(journal.reader, batch)
        assert chunk[0].result == ResultText("1")

    def test_a_money_event_is_stored_with_its_time(
        self, journal: SqliteJournal, driver: Driver, pks: list[int]
    ) -> None:
        driver.accept(pks[0])
        driver.finish(pks[0])
        ghost = Adopted(run_id="ghost", k=2, marker="m", key_id=KEY, steps=5)
        driver.record(pks[0], None, ghost)
        assert connection_of(journal).execute("SELECT at, item, k, message FROM money_events").fetchall() == [
            (
                driver.now,
                pks[0],
                2,
                "a second run ghost of a finished item (5 steps taken); it is cancelled if it is alive",
            )
        ]


class TestOutcomes:
    def test_wanted_items_come_in_manifest_order(
        self,
        journal: SqliteJournal,
        driver: Driver,
        batch: int,
        pks: list[int],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        driver.accept(pks[1], "run-b")
        driver.finish(pks[1], b"1")
        driver.accept(pks[3], "run-d")
        commit(journal)
        edit(journal, batch, *named("d", "c", "b", inputs={"title": "Emma"}), *named("e"))
        monkeypatch.setattr(outcomes, "CHUNK_ROWS", 3)
        chunks = list(journal.reader.results.outcomes(batch, journal.reader.results.row_sizes(batch)))
        assert [chunk.item_id for chunk in chunks] == [["d", "c", "b"], ["e"]]
        d, c, b = one_by_one(chunks[0])
        assert (b.status, b.result, b.inputs) == ("succeeded", ResultText("1"), {"title": "Emma"})
        assert (d.status, d.result, d.run_id) == ("running", None, "run-d")
        assert (c.run_id, c.result, c.submitted_at, c.started_at) == (None, None, None, None)

    def test_items_that_failed_can_be_read_alone(
        self, journal: SqliteJournal, driver: Driver, batch: int, pks: list[int]
    ) -> None:
        driver.accept(pks[1], "run-b")
        driver.finish(pks[1], b"1")
        driver.record(pks[2], None, CancelRequested())
        every = outcomes_of(journal.reader, batch)
        assert [one.status for one in every] == ["queued", "succeeded", "cancelled", "queued"]
        others = outcomes_of(journal.reader, batch, failed_only=True)
        assert others == every[2:3]
        assert len(journal.reader.results.row_sizes(batch, failed_only=True)) == len(others)

    def test_times_are_those_of_one_run_by_the_server_s_clock(
        self, journal: SqliteJournal, driver: Driver, batch: int, pks: list[int]
    ) -> None:
        run_id = driver.accept(pks[0])
        run = RunSnapshot(
            run_id=run_id,
            status="COMPLETED",
            created_at=100.0,
            started_at=104.0,
            finished_at=110.0,
            result=b"{}",
        )
        driver.record(pks[0], 1, RunEnded(run=run))
        outcome = outcomes_of(journal.reader, batch)[0]
        assert (outcome.run_id, outcome.attempts) == (run_id, 1)
        assert (outcome.submitted_at, outcome.started_at, outcome.finished_at) == (100.0, 104.0, 110.0)

    def test_the_result_is_that_of_the_followed_attempt(
        self, journal: SqliteJournal, driver: Driver, batch: int, pks: list[int]
    ) -> None:
        driver.lose_answer(pks[0])
        driver.record(pks[0], 1, ProvenAbsent())
        driver.accept(pks[0])
        failure = RunError(message="no", category="SYSTEM_FAILURE")
        ended = RunEnded(run=RunSnapshot(run_id="run-2", status="FAILED", result=b'"half"', error=failure))
        driver.record(pks[0], 2, ended)
        driver.accept(pks[0], "run-3")
        driver.finish(pks[0], b'"whole"')
        chunk = outcomes_of(journal.reader, batch)
        assert (chunk[0].result, chunk[0].run_id, chunk[0].attempts) == (ResultText('"whole"'), "run-3", 2)

    def test_a_batch_without_items_has_no_outcomes(self, journal: SqliteJournal) -> None:
        assert outcomes_of(journal.reader, begin(journal)) == []


class TestFlags:
    def test_a_write_does_not_change_whether_an_item_is_wanted(
        self, journal: SqliteJournal, batch: int, driver: Driver, pks: list[int]
    ) -> None:
        driver.accept(pks[0])
        commit(journal)
        edit(journal, batch, *named("b", "c", "d"))
        driver.finish(pks[0])
        item = journal.item(pks[0])
        assert (item.status, item.wanted) == (Status.SUCCEEDED, False)

    def test_requests_to_cancel_and_retry_are_kept(
        self, journal: SqliteJournal, driver: Driver, pks: list[int]
    ) -> None:
        driver.accept(pks[0])
        driver.record(pks[0], None, CancelRequested())
        assert journal.item(pks[0]).cancel_wish
        driver.finish(pks[0], None, "CANCELLED")
        driver.record(pks[0], None, RetryRequested())
        item = journal.item(pks[0])
        assert (item.status, item.cancel_wish, item.retry_wish) == (Status.QUEUED, False, True)


class TestQueryPlans:
    """The statements of the stages' inner loops search an index; none reads a table from end to end."""

    def plan(self, journal: SqliteJournal, *calls: Callable[[], object]) -> list[str]:
        statements: list[str] = []
        connection_of(journal).set_trace_callback(statements.append)
        for call in calls:
            call()
        connection_of(journal).set_trace_callback(None)
        assert statements
        return [
            detail
            for statement in statements
            for *_, detail in connection_of(journal).execute(f"EXPLAIN QUERY PLAN {statement}")
        ]

    def test_items_that_ended_lately_are_found_by_when_they_ended(
        self, journal: SqliteJournal, batch: int
    ) -> None:
        (detail,) = self.plan(journal, lambda: journal.reader.ended_since(batch, 5.0))
        assert detail.startswith("SEARCH i USING INDEX items_ended (batch=? AND changed_at>?)")

    def test_the_latest_failures_are_found_by_when_they_ended(
        self, journal: SqliteJournal, batch: int
    ) -> None:
        (detail,) = self.plan(journal, lambda: journal.reader.latest_failures(batch, 5))
        assert detail == "SEARCH items USING INDEX items_ended (batch=?)"

    @pytest.mark.parametrize(
        "read",
        [
            JournalReader.count_alive,
            JournalReader.count_open,
            JournalReader.held_attempts,
            lambda reader: reader.alive_since(1),
        ],
    )
    def test_open_attempts_are_found_among_the_ended_ones(
        self, journal: SqliteJournal, read: Callable[[JournalReader], object]
    ) -> None:
        details = [one for one in self.plan(journal, lambda: read(journal.reader)) if " a " in one]
        assert len(details) == 1
        assert "attempts_open" in details[0]

    def test_due_items_are_found_by_their_partial_index(
        self, journal: SqliteJournal, batch: int, pks: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(due_items, "SLICE", 1)  # so that most items are in the file alone
        Driver(journal=journal).record(pks[0], None, CancelRequested())
        for selection in (None, pks):
            journal.select(selection)
            plan = self.plan(
                journal,
                lambda: journal.next_due_at(batch),
                lambda: journal.due(batch, -5.0, 8, furthest=905.0),
            )
            assert [detail for detail in plan if " i " in detail] == [
                "SEARCH i USING INDEX items_due (batch=? AND (due_at,row)>(?,?))",
                "SEARCH i USING INDEX items_due (batch=? AND due_at>?)",
            ]
            assert not [detail for detail in plan if "TEMP B-TREE" in detail]

    def test_open_attempts_are_read_from_the_file_once_by_their_partial_index(
        self, journal: SqliteJournal
    ) -> None:
        plan = self.plan(journal, lambda: connection_of(journal).execute(memory.OPEN_ATTEMPTS))
        assert [detail for detail in plan if " a USING" in detail and "attempts_open" in detail]
        statements: list[str] = []
        connection_of(journal).set_trace_callback(statements.append)
        journal.open_attempts(AttemptState.RUNNING)
        journal.count_open()
        journal.count_held_open()
        journal.unfinished_batches()
        assert statements == []

    def test_a_run_reads_its_item_and_its_request_once(
        self, journal: SqliteJournal, batch: int, driver: Driver, pks: list[int]
    ) -> None:
        """The items in one statement for many, the request when the intent is written."""
        journal.select(None)
        statements: list[str] = []
        connection_of(journal).set_trace_callback(statements.append)
        for item in journal.due(batch, 1e9, 99):
            assert journal.next_due_at(batch) == 0.0
            request = journal.request(item.pk)
            driver.accept(item.pk)
            assert journal.request(item.pk) is request
            driver.finish(item.pk)
        reads = Counter(text.split(" FROM ")[1].split()[0] for text in statements if text[:6] == "SELECT")
        assert reads == {"items": 1 + 4, "meta": 1, "batches": 5, "attempts": 4}

    def test_one_item_is_found_by_its_key(self, journal: SqliteJournal, batch: int, pks: list[int]) -> None:
        driver = Driver(journal=journal)
        driver.accept(pks[0], "run-1")
        item = journal.item(pks[0])
        plan = self.plan(
            journal,
            lambda: journal.item(item.pk),
            lambda: journal.request(item.pk),
            lambda: journal.attempt(item.pk, 1),
            lambda: journal.knows_run("run-1"),
            lambda: journal.attempts_of_runs(["run-1"]),
            lambda: journal.item_by_key(journal.batch(batch).batch8, item.key),
        )
        assert not [detail for detail in plan if "SCAN" in detail and "json_each" not in detail]
        driver.finish(pks[0])
        (ended,) = self.plan(journal, lambda: journal.attempts(item.pk, 1))
        assert ended == "SEARCH a USING PRIMARY KEY (item=? AND k=?)"

    def test_reads_before_the_first_create_scan_no_table(self, journal: SqliteJournal, batch: int) -> None:
        plan = self.plan(
            journal,
            lambda: journal.first_accepted(batch),
            lambda: journal.count_runs(batch),
            lambda: journal.latest_accepted(KEY),
            lambda: journal.latest_ended(KEY),
            lambda: journal.comparison(batch),
        )
        assert not [detail for detail in plan if "SCAN" in detail]
        assert sum("items_begun" in detail for detail in plan) == 2
        assert sum("attempts_accepted" in detail for detail in plan) == 2


def test_an_unknown_item_raises(journal: SqliteJournal) -> None:
    with pytest.raises(ValueError, match="not enough values"):
        journal.item(99)


def test_an_item_with_attempts_cannot_be_deleted(
    journal: SqliteJournal, driver: Driver, pks: list[int]
) -> None:
    driver.accept(pks[0])
    commit(journal)
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        connection_of(journal).execute("DELETE FROM items")
