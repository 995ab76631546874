"""After any history the memory of a journal's owner equals its file."""

from __future__ import annotations

import math
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchfish.core.events import (
    Adopted,
    CancelRequested,
    CannotTell,
    ProvenAbsent,
    RetryRequested,
    RunEnded,
    RunFound,
    RunLost,
    SubmitAccepted,
    SubmitDeferred,
    SubmitRejected,
    SubmitUnanswered,
)
from batchfish.core.items import AttemptState, Status
from batchfish.core.runs import RunError, RunSnapshot
from batchfish.journal import changes, due_items, records, request_cache
from batchfish.journal.counts import CountChanges
from batchfish.journal.due_items import DueItems
from batchfish.journal.memory import Memory
from batchfish.journal.open_attempts import OpenAttempts
from batchfish.journal.spending import StepsTaken
from batchfish.journal.sqlite import SqliteJournal
from tests.journal.building import KEY, Driver, begin, commit, connection_of, edit, row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from batchfish.core.items import Item
    from batchfish.journal.records import Request

NAMES = "abcdef"
QUEUED = "i.status = 'queued' AND i.wanted = 1"
EVENTS = (
    "accept",
    "no answer",
    "refuse",
    "reject",
    "success",
    "failure",
    "lose",
    "find",
    "absent",
    "cancel",
    "retry",
    "edit",
    "restart",
    "select",
    "set the clock",
)
STEPS = st.lists(st.tuples(st.integers(0, len(NAMES) - 1), st.sampled_from(EVENTS)), max_size=25)


class History:
    """Two batches of one journal that live through steps, with a memory of few due items."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.journal = self.open()
        self.batches = [
            begin(self.journal, *self.rows(NAMES)),
            begin(self.journal, *self.rows("xyz"), name="films", chance=b"efgh"),
        ]
        self.driver = Driver(journal=self.journal)
        self.pks = [pk for (pk,) in self.query("SELECT pk FROM items")]
        self.selected: Sequence[int] | None = None

    def open(self) -> SqliteJournal:
        journal = SqliteJournal(self.path)
        connection_of(journal).execute("PRAGMA synchronous = OFF")  # nothing is killed here
        return journal

    def rows(self, names: str, **inputs: str) -> list[tuple[str, str | None, dict[str, Any]]]:
        return [row(f"https://books.example/{name}", name, inputs=inputs) for name in names]

    def query(self, query: str, *values: float) -> list[tuple[Any, ...]]:
        return connection_of(self.journal).execute(query, values).fetchall()

    def live(self, steps: Sequence[tuple[int, str]]) -> None:
        """Take the steps, and compare what is in memory after each with the file."""
        for number, (n, event) in enumerate(steps):
            match event:
                case "edit":
                    commit(self.journal)
                    names = NAMES[: 1 + n] + NAMES[:n:-1]
                    edit(self.journal, self.batches[0], *self.rows(names[number % 3 :], round=str(number)))
                case "restart":
                    commit(self.journal)
                    self.journal.close()
                    self.journal = self.driver.journal = self.open()
                    self.selected = None
                case "select":
                    self.selected = self.pks[n % 2 :: 2] if number % 3 else None
                    self.journal.select(self.selected)
                case "set the clock":
                    self.driver.now += 1_000.0 * (n - 2)
                case _:
                    pk = self.pks[(n + number // 5) % len(self.pks)]
                    self.journal.request(pk)  # as the stages do before an intent
                    apply(self.driver, pk, event)
            self.check(number)
        for look in range(3):
            self.check(look, limit=99)

    def check(self, number: int, limit: int | None = None) -> None:
        """Compare all that is in memory, and a part of what is due: what is read of that stays in memory."""
        self.check_counts()
        self.check_open()
        for batch in self.batches:
            self.check_due(
                batch,
                now=(self.driver.now, self.driver.now + 10.0, 1e9)[number % 3],
                limit=(0, 1, 2, 3, 7)[number % 5] if limit is None else limit,
                furthest=(math.inf, self.driver.now + 20.0)[number % 2],
            )
        for pk in self.pks:
            assert self.journal.item(pk) == self.item_in_file(pk)
        for pk in self.pks[number % 4 :: 4]:
            assert self.journal.request(pk) == self.request_in_file(pk)

    def check_counts(self) -> None:
        for batch in self.batches:
            counts = dict(
                self.query(
                    "SELECT status, count(*) FROM items WHERE batch = ? AND wanted = 1 GROUP BY 1", batch
                )
            )
            assert self.journal.reader.counts(batch) == counts
            steps = "FROM items i JOIN attempts a ON a.item = i.pk WHERE i.batch = ?"
            ((runs, taken),) = self.query(f"SELECT count(steps), total(steps) {steps}", batch)
            assert self.journal.reader.steps_taken(batch) == StepsTaken(runs=runs, steps=taken)
        recount = Counter(self.query("SELECT status, wanted FROM items"))
        kept = self.query("SELECT status, wanted, sum(n) FROM counts GROUP BY 1, 2 HAVING sum(n) <> 0")
        assert {(status, wanted): n for status, wanted, n in kept} == recount

    def check_open(self) -> None:
        rows = self.query(
            f"SELECT {records.ITEM}, {records.ATTEMPT}, b.batch8 FROM attempts a"  # noqa: S608 - our columns
            " JOIN items i ON i.pk = a.item JOIN batches b ON b.pk = i.batch"
            " WHERE a.state IN ('submitting', 'unanswered', 'running', 'held')"
            " ORDER BY a.intended_at, a.item, a.k"
        )
        journal, in_file = self.journal, list(map(records.open_attempt_from, rows))
        assert list(journal.open_attempts()) == in_file
        for state in AttemptState:
            assert list(journal.open_attempts(state)) == [
                one for one in in_file if one.attempt.state is state
            ]
        runs = [one for one in in_file if one.attempt.state in {AttemptState.RUNNING, AttemptState.HELD}]
        named = {one.attempt.run_id: one for one in runs if one.attempt.run_id is not None}
        assert journal.open_runs() == named
        assert list(journal.unwanted_attempts()) == [one for one in in_file if one.is_unwanted]
        assert journal.count_open() == len(in_file)
        assert journal.count_held_open() == sum(one.attempt.state is AttemptState.HELD for one in in_file)
        assert list(journal.unfinished_batches()) == sorted({one.item.batch for one in in_file})

    def check_due(self, batch: int, *, now: float, limit: int, furthest: float) -> None:
        queued = self.queued_in_file(batch)
        due = [item for item in queued if item.due_at <= now]
        due += [item for item in queued if item.due_at > furthest]
        assert list(self.journal.due(batch, now, limit, furthest=furthest)) == due[:limit]
        assert self.journal.next_due_at(batch) == (queued[0].due_at if queued else None)

    def queued_in_file(self, batch: int) -> list[Item]:
        rows = self.query(
            f"SELECT {records.ITEM} FROM items i WHERE i.batch = ? AND {QUEUED}"  # noqa: S608 - our columns
            " ORDER BY i.due_at, i.row",
            batch,
        )
        items = map(records.item_from, rows)
        return [item for item in items if self.selected is None or item.pk in self.selected]

    def item_in_file(self, pk: int) -> Item:
        (found,) = self.query(f"SELECT {records.ITEM} FROM items i WHERE pk = ?", pk)  # noqa: S608 - the same
        return records.item_from(found)

    def request_in_file(self, pk: int) -> Request:
        (found,) = self.query(
            f"SELECT {records.REQUEST} FROM items i"  # noqa: S608 - our columns
            " JOIN requests r ON r.pk = i.request WHERE i.pk = ?",
            pk,
        )
        return records.request_from(found)


def apply(driver: Driver, pk: int, event: str) -> None:
    """Apply an event to an item if its status allows it."""
    item = driver.journal.item(pk)
    status, k = item.status, item.follows
    match event:
        case "accept" | "no answer" | "refuse" | "reject" if status is Status.QUEUED:
            k = driver.intend(pk)
            answers: dict[str, Any] = {
                "accept": SubmitAccepted(run_id=f"run-{pk}-{k}"),
                "no answer": SubmitUnanswered(message="reset"),
                "refuse": SubmitDeferred(reason="rate_limited", message=""),
                "reject": SubmitRejected(reason="invalid_request", message=""),
            }
            driver.record(pk, k, answers[event])
        case "success" | "failure" if status in {Status.RUNNING, Status.CANCELLING}:
            error = RunError(message="", category="SYSTEM_FAILURE") if event == "failure" else None
            ended = "FAILED" if error else "COMPLETED"
            run = RunSnapshot(run_id="", status=ended, error=error, result=b"1", steps=pk)
            driver.record(pk, k, RunEnded(run=run))
        case "lose" if status in {Status.RUNNING, Status.CANCELLING}:
            driver.record(pk, k, RunLost())
        case "lose" if status is Status.UNANSWERED:
            driver.record(pk, k, CannotTell(message=""))
        case "find" if status is Status.HELD and item.reason == "lost_remote":
            driver.record(pk, k, RunFound())
        case "find" if status is Status.UNANSWERED:
            driver.record(pk, k, Adopted(run_id=f"run-{pk}-{k}", k=k, marker="m", key_id=KEY))
        case "absent" if status in {Status.UNANSWERED, Status.HELD}:
            driver.record(pk, k, ProvenAbsent())
        case "cancel":
            driver.record(pk, None, CancelRequested())
        case "retry" if status in {Status.FAILED, Status.CANCELLED}:
            driver.record(pk, None, RetryRequested())
        case _:
            pass


@pytest.fixture(autouse=True, scope="module")
def _few_in_memory() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(due_items, "SLICE", 2)
        patch.setattr(due_items, "MOST", 3)
        yield


def live(folder: Path, steps: Sequence[tuple[int, str]]) -> None:
    history = History(folder / "books.db")
    try:
        history.live(steps)
    finally:
        history.journal.close()


@given(steps=STEPS)
def test_memory_always_equals_the_file(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, str]]
) -> None:
    live(tmp_path_factory.mktemp("memory"), steps)


def test_a_batch_that_begins_has_due_items_at_once(journal: SqliteJournal) -> None:
    assert journal.next_due_at(1) is None
    assert begin(journal, row("https://books.example/a")) == 1
    assert journal.next_due_at(1) == 0.0


def made_up(seed: int) -> list[tuple[int, str]]:
    chance = random.Random(seed)
    return [(chance.randrange(len(NAMES)), chance.choice(EVENTS)) for _ in range(80)]


def live_all(folder: Path) -> None:
    for seed in range(12):
        (folder / str(seed)).mkdir()
        live(folder / str(seed), made_up(seed))


FORGET_LAST, READ_AGAIN = DueItems._forget_last, Memory.read_again  # noqa: SLF001


def forget_for_good(due: DueItems) -> None:
    known_to = due._known_to  # noqa: SLF001
    FORGET_LAST(due)
    due._known_to = known_to  # noqa: SLF001


def keep(part: str) -> Callable[[Memory], None]:
    """Return a way to read again what is in memory that leaves out a part of it."""

    def read_again(memory: Memory) -> None:
        before = getattr(memory, part, None)
        before = dict(before) if isinstance(before, dict) else before
        READ_AGAIN(memory)
        if before is not None:
            setattr(memory, part, before)

    return read_again


def miss_times(old: object, new: object) -> bool:
    return old != new and not isinstance(new, float)


@pytest.mark.parametrize(
    ("place", "name", "bug"),
    [
        (OpenAttempts, "put", lambda *_: None),
        (OpenAttempts, "update_item", lambda *_: None),
        (DueItems, "put", lambda *_: None),
        (DueItems, "_is_selected", lambda *_: True),
        (DueItems, "_forget_last", forget_for_good),
        (DueItems, "_later_than", lambda *_: []),
        (Memory, "select", lambda *_: None),
        (Memory, "read_again", keep("open")),
        (Memory, "read_again", keep("_due")),
        (Memory, "read_again", keep("requests")),
        (changes, "ne", miss_times),
        (CountChanges, "note_item", lambda *_: None),
        (CountChanges, "note_steps", lambda *_: None),
        (CountChanges, "take", lambda *_: ()),
    ],
)
def test_memory_that_misses_a_change_is_caught(
    place: object, name: str, bug: Callable[..., object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, name, bug)
    with pytest.raises(AssertionError):
        live_all(tmp_path)


def test_the_histories_that_catch_bugs_find_no_other(tmp_path: Path) -> None:
    live_all(tmp_path)


class TestBounds:
    """Items and requests that are not needed now are in the file alone."""

    @pytest.fixture
    def pks(self, journal: SqliteJournal) -> list[int]:
        begin(journal, *(row(f"https://books.example/{n}", str(n)) for n in range(20)))
        return [pk for (pk,) in connection_of(journal).execute("SELECT pk FROM items ORDER BY row")]

    def test_of_many_queued_items_a_few_are_in_memory(
        self, journal: SqliteJournal, driver: Driver, pks: list[int]
    ) -> None:
        due = DueItems(lambda query, *values: connection_of(journal).execute(query, values).fetchall(), 1)
        for number, pk in enumerate(pks):
            (first,) = due.due(1e9, 1)
            assert first.pk == pk
            driver.intend(pk)
            due.put(journal.item(pk))
            if number % 2:
                driver.record(pk, 1, SubmitDeferred(reason="rate_limited", message=""))
                due.put(journal.item(pk))
            assert sum(due.get(one) is not None for one in pks) <= due_items.MOST
            driver.record(pk, None, CancelRequested())
            due.put(journal.item(pk))
        assert due.due(1e9, 1) == []

    def test_a_request_is_kept_while_a_run_may_be_alive(
        self, journal: SqliteJournal, driver: Driver, pks: list[int]
    ) -> None:
        asked = []
        for pk in pks[:3]:
            asked.append(journal.request(pk))
            driver.accept(pk)
        assert [journal.request(pk) for pk in pks[:3]] == asked
        assert all(journal.request(pk) is request for pk, request in zip(pks, asked, strict=False))
        driver.finish(pks[0])
        journal.request(pks[1])
        journal.request(pks[4])
        assert journal.request(pks[0]) is not asked[0]
        assert journal.request(pks[0]) == asked[0]

    def test_requests_are_kept_up_to_a_length(
        self, journal: SqliteJournal, driver: Driver, pks: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(request_cache, "MOST_CHARACTERS", 120)  # two are 106 to 108
        asked = []
        for pk in pks[:3]:
            asked.append(journal.request(pk))
            driver.accept(pk)
        journal.request(pks[9])
        assert [journal.request(pk) is one for pk, one in zip(pks, asked, strict=False)] == [
            True,
            True,
            False,
        ]
        driver.finish(pks[0])
        journal.request(pks[4])
        driver.accept(pks[4])
        journal.request(pks[9])
        assert journal.request(pks[1]) is asked[1]
        kept = journal.request(pks[4])
        journal.request(pks[9])
        assert journal.request(pks[4]) is kept
