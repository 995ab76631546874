"""After another process has taken a journal over, no method of its former owner writes to it."""

from __future__ import annotations

import asyncio
import inspect
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from batchfish.core.budget import Account
from batchfish.core.events import CancelRequested
from batchfish.core.items import AttemptState, ItemSpec
from batchfish.core.lifecycle import Circumstances, advance
from batchfish.core.notifications import NotifiedState
from batchfish.core.rules import Rules
from batchfish.errors import StorageFailed
from batchfish.journal.files import connect
from batchfish.journal.notifications import NewNotification, Notifications
from batchfish.journal.records import Comparison, NewBatch
from batchfish.journal.sqlite import SqliteJournal
from tests.journal.building import KEY, Driver, begin, commit, connection_of, row

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

BATCH, ITEM, TOLD = 1, 1, 1
NOTIFICATION = NewNotification(
    event="finished",
    target="webhook $HOOK",
    about=NotifiedState("finished", frozenset()),
    body={"event": "finished"},
)
NEW = NewBatch(
    name="films",
    period=None,
    number=1,
    base_url="https://agent.example",
    manifest={"batchfish": 1, "name": "films"},
    manifest_path="/jobs/films.yaml",
    markers=True,
)


def stage(journal: SqliteJournal, batch: int | None) -> None:
    """Stage a manifest of one new row, and compare it."""
    spec = ItemSpec(row=1, line=2, id=None, url="https://films.example/", goal="Read the title")
    journal.reader.staged.load([spec], 1)
    journal.reader.staged.compare(batch)


def commit_within(journal: SqliteJournal) -> None:
    async def commit_within_no_time() -> None:
        journal.commit_within(0.0)
        await asyncio.sleep(0)

    asyncio.run(commit_within_no_time())


def write_begin(journal: SqliteJournal) -> None:
    stage(journal, None)
    journal.begin(NEW, now=5_000.0, chance=b"efgh")


def write_amend(journal: SqliteJournal) -> None:
    stage(journal, BATCH)
    journal.amend(BATCH, {"batchfish": 1, "name": "books"})


def write_change(journal: SqliteJournal) -> None:
    circumstances = Circumstances(now=5_000.0, rules=Rules(), chance=lambda: 0.5, others=())
    journal.write(advance(journal.item(ITEM), None, CancelRequested(), circumstances), 5_000.0)


def write_attempt(journal: SqliteJournal) -> None:
    attempt = journal.attempt(ITEM, 1)
    assert attempt is not None
    journal.write_attempt(replace(attempt, cause="looked at"))


def read_control(journal: SqliteJournal) -> object:
    attempt = journal.attempt(ITEM, 1)
    assert attempt is not None
    return journal.control_of(attempt)


def count_selected(journal: SqliteJournal) -> object:
    journal.select([ITEM])
    return journal.selected_counts()


CALLS: dict[str, Callable[[SqliteJournal], object]] = {
    # what writes
    "agree_to_batches": lambda journal: journal.agree_to_batches(["films"], 5_000.0),
    "amend": write_amend,
    "begin": write_begin,
    "change_rules": lambda journal: journal.change_rules(BATCH, {"block_search": "loose"}, {}),
    "change_settings": lambda journal: journal.change_settings(BATCH, {"paused": True}, 5_000.0),
    "disown": lambda journal: journal.disown(["run-9"], 5_000.0),
    "finish": lambda journal: journal.finish(BATCH, 0, 5_000.0),
    "record_output": lambda journal: journal.record_output("/jobs/books.csv", "{}", 5_000.0),
    "relocate": lambda journal: journal.relocate(BATCH, "/elsewhere/books.yaml"),
    "notifications.add": lambda journal: journal.notifications.add(BATCH, [NOTIFICATION], 5_000.0),
    "notifications.begin_try": lambda journal: journal.notifications.begin_try(TOLD),
    "notifications.record_failure": lambda journal: journal.notifications.record_failure(TOLD, "no answer"),
    "notifications.record_sent": lambda journal: journal.notifications.record_sent(TOLD, 5_000.0),
    "notifications.write": lambda journal: journal.notifications.write(BATCH, [NOTIFICATION], 5_000.0),
    "reopen": lambda journal: journal.reopen(BATCH),
    "replace_findings": lambda journal: journal.replace_findings(BATCH, "odd", [(ITEM, "why")], 5_000.0),
    "set_markers": lambda journal: journal.set_markers(BATCH, "off"),
    "write": write_change,
    "write_attempt": write_attempt,
    "write_comparison": lambda journal: journal.write_comparison(BATCH, Comparison(until=1.0, unlisted=0)),
    "write_file_identity": lambda journal: journal.write_file_identity({"inode": "7"}),
    "write_salt": lambda journal: journal.write_salt(b"salt"),
    # what only reads, or makes durable what was written
    "agreed_batches": SqliteJournal.agreed_batches,
    "asks_for": lambda journal: journal.asks_for(BATCH, "a" * 13),
    "attempt": lambda journal: journal.attempt(ITEM, 1),
    "attempts_of_runs": lambda journal: journal.attempts_of_runs(["run-1-1"]),
    "attempts": lambda journal: journal.attempts(ITEM, 1),
    "batch": lambda journal: journal.batch(BATCH),
    "batch8s": SqliteJournal.batch8s,
    "check_place": SqliteJournal.check_place,
    "commit": commit,
    "commit_within": commit_within,
    "comparison": lambda journal: journal.comparison(BATCH),
    "control_of": read_control,
    "count_held_open": SqliteJournal.count_held_open,
    "count_open": SqliteJournal.count_open,
    "count_runs": lambda journal: journal.count_runs(BATCH),
    "due": lambda journal: journal.due(BATCH, 1e9, 9),
    "first_accepted": lambda journal: journal.first_accepted(BATCH),
    "has_absent": SqliteJournal.has_absent,
    "has_accepted": SqliteJournal.has_accepted,
    "is_disowned": lambda journal: journal.is_disowned("run-9"),
    "item": lambda journal: journal.item(ITEM),
    "item_by_key": lambda journal: journal.item_by_key("aaaaaaaa", "a" * 13),
    "knows_run": lambda journal: journal.knows_run("run-1-1"),
    "latest_accepted": lambda journal: journal.latest_accepted(KEY),
    "latest_ended": lambda journal: journal.latest_ended(KEY),
    "may_have_run": lambda journal: journal.may_have_run(ITEM),
    "next_due_at": lambda journal: journal.next_due_at(BATCH),
    "notifications.latest": lambda journal: journal.notifications.latest(BATCH, NOTIFICATION.target),
    "notifications.waiting": lambda journal: journal.notifications.waiting(),
    "open_attempts": lambda journal: journal.open_attempts(AttemptState.RUNNING),
    "open_runs": SqliteJournal.open_runs,
    "request": lambda journal: journal.request(ITEM),
    "run_of_another_key": lambda journal: journal.run_of_another_key(KEY),
    "select": lambda journal: journal.select([ITEM]),
    "selected_counts": count_selected,
    "selection": SqliteJournal.selection,
    "spending": lambda journal: journal.spending(Account(batch=BATCH), 15_000),
    "steps_taken": lambda journal: journal.steps_taken(BATCH),
    "unfinished_batches": SqliteJournal.unfinished_batches,
    "unwanted_attempts": SqliteJournal.unwanted_attempts,
    # the last of all
    "close": SqliteJournal.close,
}
WRITING = frozenset(list(CALLS)[: list(CALLS).index("agreed_batches")])


def content(path: Path) -> list[str]:
    """Return what a journal holds, but for who owns it."""
    with closing(connect(path, read_only=True)) as reader:
        return [line for line in reader.iterdump() if "'owner'" not in line]


def journal_with_a_run(path: Path, kind: type[SqliteJournal]) -> SqliteJournal:
    """Open a journal with a finished batch of two items, of which the first has a run."""
    journal = kind(path)
    begin(journal, row("https://books.example/a"), row("https://books.example/b"))
    Driver(journal=journal).accept(ITEM)
    journal.finish(BATCH, 1, 4_000.0)
    journal.notifications.add(BATCH, [NOTIFICATION], 4_000.0)
    return journal


def writes(path: Path, kind: type[SqliteJournal], name: str) -> bool:
    """Return whether a method changes the journal when its owner calls it and commits."""
    with closing(journal_with_a_run(path, kind)) as journal:
        before = content(path)
        CALLS[name](journal)
        if name != "close":
            commit(journal)
        return content(path) != before


def writes_after_takeover(path: Path, kind: type[SqliteJournal], name: str) -> str | None:
    """Return what a method of a former owner does wrong; None if nothing."""
    failure: StorageFailed | None = None
    with closing(journal_with_a_run(path, kind)) as journal, closing(SqliteJournal(path)):
        before = content(path)
        try:
            CALLS[name](journal)
        except StorageFailed as error:
            failure = error
        if content(path) != before:
            return "it writes"
        if name in WRITING and (failure is None or "another process has taken it over" not in str(failure)):
            return f"it does not refuse: {failure}"
    return None


def public_methods(kind: type) -> Sequence[str]:
    return [name for name, _ in inspect.getmembers(kind, callable) if not name.startswith("_")]


def test_every_public_method_is_called_here() -> None:
    of_part = [f"notifications.{name}" for name in public_methods(Notifications)]
    assert sorted(CALLS) == sorted([*public_methods(SqliteJournal), *of_part])


@pytest.mark.parametrize("name", sorted(CALLS))
def test_a_method_writes_if_it_is_listed_as_writing(path: Path, name: str) -> None:
    assert writes(path, SqliteJournal, name) == (name in WRITING)


@pytest.mark.parametrize("name", sorted(CALLS))
def test_a_former_owner_writes_nothing(path: Path, name: str) -> None:
    assert writes_after_takeover(path, SqliteJournal, name) is None


class WritesAround(SqliteJournal):
    """The bug that is to be caught: a method that writes on the connection itself."""

    def relocate(self, batch: int, manifest_path: str) -> None:
        statement = "UPDATE batches SET manifest_path = ? WHERE pk = ?"
        connection_of(self).execute(statement, (manifest_path, batch))


class RefusesNothing(SqliteJournal):
    """The bug that is to be caught: a failed write that the caller does not hear of."""

    def finish(
        self, batch: int, exit_code: int, now: float, notifications: Sequence[NewNotification] = ()
    ) -> None:
        try:
            super().finish(batch, exit_code, now, notifications)
        except StorageFailed:
            return


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [(WritesAround, "relocate", "it writes"), (RefusesNothing, "finish", "it does not refuse: None")],
)
def test_a_write_around_the_owner_check_is_caught(
    path: Path, kind: type[SqliteJournal], name: str, expected: str
) -> None:
    assert writes(path, kind, name)
    path.with_name("taken").mkdir()
    assert writes_after_takeover(path.with_name("taken") / "books.db", kind, name) == expected
