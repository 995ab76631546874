"""Group commit: writes are durable once it returns, and nothing works after a failure."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from batchfish.core.events import SubmitAccepted
from batchfish.errors import StorageFailed
from batchfish.journal.files import connect
from batchfish.journal.group import GroupCommit
from batchfish.journal.ingest import StagedRows
from batchfish.journal.queries import open_reader
from batchfish.journal.records import NewBatch
from batchfish.journal.sqlite import SqliteJournal
from tests.journal.building import Driver, Row, begin, commit, connection_of, edit, row, specs_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

A = "https://books.example/a"
NEW = NewBatch(
    name="films",
    period=None,
    number=1,
    base_url="https://agent.example",
    manifest={},
    manifest_path="/jobs/films.yaml",
    markers=True,
)


@pytest.fixture
def items(journal: SqliteJournal) -> list[int]:
    batch = begin(journal, *(row(f"{A}/{n}") for n in range(20)))
    return [item.pk for item in journal.due(batch, 1e9, 20)]


def seen_by_others(path: Path) -> int:
    """Count the attempts that another connection sees."""
    with closing(connect(path, read_only=True)) as reader:
        (count,) = reader.execute("SELECT count(*) FROM attempts").fetchone()
    return int(count)


@contextmanager
def full_disk(path: Path) -> Iterator[None]:
    """Limit the size of files to that of the journal's log, as a full disk would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    length = path.with_name(path.name + "-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (length, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


class TestCommit:
    async def test_a_write_is_durable_only_once_commit_returns(
        self, journal: SqliteJournal, driver: Driver, items: list[int], path: Path
    ) -> None:
        driver.intend(items[0])
        assert seen_by_others(path) == 0
        await journal.commit()
        assert seen_by_others(path) == 1

    async def test_commits_of_one_loop_turn_share_a_transaction(
        self, journal: SqliteJournal, driver: Driver, items: list[int]
    ) -> None:
        statements: list[str] = []
        connection_of(journal).set_trace_callback(statements.append)

        async def accept(item: int) -> None:
            driver.accept(item)
            await journal.commit()

        await asyncio.gather(*map(accept, items))
        connection_of(journal).set_trace_callback(None)
        assert [text for text in statements if text.startswith(("BEGIN", "COMMIT"))] == [
            "BEGIN IMMEDIATE",
            "COMMIT",
        ]

    async def test_a_write_one_turn_later_has_its_own_transaction(
        self, journal: SqliteJournal, driver: Driver, items: list[int], path: Path
    ) -> None:
        driver.intend(items[0])
        first = asyncio.create_task(journal.commit())
        await asyncio.sleep(0)
        driver.intend(items[1])
        second = asyncio.create_task(journal.commit())
        await asyncio.gather(first, second)
        assert seen_by_others(path) == 2

    async def test_what_is_to_be_committed_later_shares_the_transaction_of_what_comes_before(
        self, journal: SqliteJournal, driver: Driver, items: list[int], path: Path
    ) -> None:
        driver.intend(items[0])
        journal.commit_within(3600.0)
        driver.intend(items[1])
        await journal.commit()
        assert seen_by_others(path) == 2

    async def test_what_is_to_be_committed_later_is_committed_by_itself(
        self, journal: SqliteJournal, driver: Driver, items: list[int], path: Path
    ) -> None:
        for number, item in enumerate(items, 1):
            driver.intend(item)
            journal.commit_within(0.001)
            await asyncio.sleep(0.002)  # the event loop runs what is due by then first
            assert seen_by_others(path) == number

    async def test_a_cancelled_caller_does_not_cancel_the_commit(
        self, journal: SqliteJournal, driver: Driver, items: list[int], path: Path
    ) -> None:
        driver.intend(items[0])
        first = asyncio.create_task(journal.commit())
        second = asyncio.create_task(journal.commit())
        await asyncio.sleep(0)
        first.cancel()
        await second
        assert seen_by_others(path) == 1

    async def test_an_empty_commit_returns(self, journal: SqliteJournal) -> None:
        await journal.commit()
        await journal.commit()

    def test_an_uncommitted_write_is_lost_on_close(
        self, journal: SqliteJournal, driver: Driver, items: list[int], path: Path
    ) -> None:
        driver.intend(items[0])
        journal.close()
        assert seen_by_others(path) == 0
        with closing(SqliteJournal(path)) as again:
            assert again.item(items[0]).status == "queued"

    async def test_a_commit_starts_no_thread(
        self, journal: SqliteJournal, driver: Driver, items: list[int]
    ) -> None:
        before = threading.active_count()
        driver.intend(items[0])
        await journal.commit()
        assert threading.active_count() == before


class TestFailure:
    async def test_a_full_disk_fails_all_waiting_and_all_later_calls(
        self, journal: SqliteJournal, driver: Driver, items: list[int], path: Path
    ) -> None:
        driver.accept(items[0], "run-kept")
        await journal.commit()
        with full_disk(path):
            driver.intend(items[1])
            results = await asyncio.gather(journal.commit(), journal.commit(), return_exceptions=True)
        assert [type(result) for result in results] == [StorageFailed, StorageFailed]
        assert "cannot be used any further: disk I/O error. If its disk is full, make room." in str(
            results[0]
        )
        # The disk has room again, but what the file holds is not known.
        with pytest.raises(StorageFailed, match="cannot be used any further"):
            journal.knows_run("run-kept")
        with pytest.raises(StorageFailed, match="cannot be used any further"):
            journal.set_markers(1, "off")
        with pytest.raises(StorageFailed, match="cannot be used any further"):
            await journal.commit()
        journal.close()
        with closing(SqliteJournal(path)) as again:
            assert again.knows_run("run-kept")
            assert again.item(items[1]).status == "queued"

    def test_a_failed_write_rolls_its_group_back(
        self, journal: SqliteJournal, driver: Driver, items: list[int], path: Path
    ) -> None:
        (pages,) = connection_of(journal).execute("PRAGMA page_count").fetchone()
        connection_of(journal).execute(f"PRAGMA max_page_count = {pages}")
        driver.accept(items[0])
        with pytest.raises(StorageFailed, match="database or disk is full"):
            driver.finish(items[0], b'"' + b"x" * 1_000_000 + b'"')
        with pytest.raises(StorageFailed):
            commit(journal)
        journal.close()
        assert seen_by_others(path) == 0

    def test_a_value_that_cannot_be_stored_leaves_no_half_of_a_change(
        self, journal: SqliteJournal, driver: Driver, items: list[int], path: Path
    ) -> None:
        """The item would be running, and its attempt still without a run."""
        driver.intend(items[0])
        commit(journal)
        with pytest.raises(UnicodeEncodeError):
            driver.record(items[0], 1, SubmitAccepted(run_id="\udc80"))
        with pytest.raises(StorageFailed, match="a change was interrupted"):
            commit(journal)
        journal.close()
        with closing(SqliteJournal(path)) as again:
            assert again.item(items[0]).status == "submitting"

    def test_one_run_id_for_two_attempts_fails(
        self, journal: SqliteJournal, driver: Driver, items: list[int], path: Path
    ) -> None:
        driver.accept(items[0], "run-1")
        commit(journal)
        with pytest.raises(StorageFailed, match=r"attempts\.run_id"):
            driver.accept(items[1], "run-1")
        journal.close()
        assert seen_by_others(path) == 1

    async def test_a_failure_nobody_awaits_is_raised_by_the_next_call(
        self, journal: SqliteJournal, driver: Driver, items: list[int], path: Path
    ) -> None:
        driver.intend(items[0])
        with full_disk(path):
            waiting = asyncio.create_task(journal.commit())
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.sleep(0.01)
        with pytest.raises(StorageFailed):
            await journal.commit()


def content(path: Path) -> list[str]:
    """Return all that a journal's file holds, but for who owns it."""
    with closing(connect(path, read_only=True)) as reader:
        return [line for line in reader.iterdump() if "'owner'" not in line]


def dies_after(
    writes: int, path: Path, patch: pytest.MonkeyPatch, rows: Sequence[Row], *, batch: int | None
) -> bool:
    """Begin or amend a batch, and die after so many writes; return whether it came to its end before."""
    left, write = [writes], GroupCommit.write

    def write_or_die(group: GroupCommit, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        return write(group, statement, values)

    with closing(SqliteJournal(path)) as journal, patch.context() as context:
        context.setattr(GroupCommit, "write", write_or_die)
        try:
            _ = begin(journal, *rows) if batch is None else edit(journal, batch, *rows)
        except KeyboardInterrupt:
            return False
    return True


class TestTransaction:
    def test_a_batch_is_begun_whole_or_not_at_all(self, journal: SqliteJournal, path: Path) -> None:
        journal.reader.staged.load(specs_of([row(A)]), 1)
        journal.reader.staged.compare(None)
        connection_of(journal).execute("DROP TABLE staged.incoming")
        with pytest.raises(StorageFailed, match="no such table"):
            journal.begin(NEW, now=1_000.0, chance=b"abcd")
        with pytest.raises(StorageFailed, match="cannot be used any further"):
            journal.reader.batches()
        with open_reader(path) as reader:
            assert reader.batches() == []

    def test_an_interrupted_change_is_not_committed_later(
        self, journal: SqliteJournal, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(StagedRows, "merge", interrupt)
        with pytest.raises(KeyboardInterrupt):
            journal.begin(NEW, now=1_000.0, chance=b"abcd")
        with pytest.raises(StorageFailed, match="a change was interrupted"):
            commit(journal)
        with open_reader(path) as reader:
            assert reader.batches() == []

    @pytest.mark.parametrize("is_begun", [False, True])
    def test_rows_become_items_all_or_none_wherever_the_process_dies(
        self, path: Path, monkeypatch: pytest.MonkeyPatch, *, is_begun: bool
    ) -> None:
        old, new = ([row(f"{A}/{n}", f"i{n}", goal=f"{n % gone}") for n in range(1, 9)] for gone in (3, 4))
        if is_begun:
            with closing(SqliteJournal(path)) as journal:
                begin(journal, *old, row(f"{A}/gone"))
        else:
            SqliteJournal(path).close()
        before, deaths = content(path), 0
        while not dies_after(deaths, path, monkeypatch, new, batch=1 if is_begun else None):
            assert content(path) == before, f"after {deaths} writes"
            deaths += 1
        assert content(path) != before
        assert deaths > 8, "a merge takes more statements than that"

    def test_a_merge_that_commits_in_between_is_caught(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        merge = StagedRows.merge

        def torn(staged: StagedRows, batch: int, write: Callable[[str, Sequence[Any]], object]) -> None:
            def write_and_commit(statement: str, values: Sequence[Any]) -> None:
                write(statement, values)
                write("COMMIT", ())

            merge(staged, batch, write_and_commit)

        monkeypatch.setattr(StagedRows, "merge", torn)
        SqliteJournal(path).close()
        before = content(path)
        assert not dies_after(6, path, monkeypatch, [row(A)], batch=None)
        assert content(path) != before

    async def test_a_durable_method_commits_what_was_written_before(
        self, journal: SqliteJournal, driver: Driver, items: list[int], path: Path
    ) -> None:
        driver.intend(items[0])
        journal.relocate(1, "/elsewhere/books.yaml")
        assert seen_by_others(path) == 1


class TestOwners:
    def test_a_former_owner_fails_and_the_new_one_writes(
        self, journal: SqliteJournal, driver: Driver, items: list[int], path: Path
    ) -> None:
        """The lock file was removed, and another process has begun: two would send the same items."""
        driver.accept(items[0])
        commit(journal)
        with closing(SqliteJournal(path)) as second:
            with pytest.raises(StorageFailed, match="another process has taken it over"):
                driver.intend(items[1])
            with pytest.raises(StorageFailed):
                commit(journal)
            assert Driver(journal=second).intend(items[1]) == 1
            commit(second)
        assert seen_by_others(path) == 2

    def test_a_journal_can_be_owned_again(self, path: Path) -> None:
        for _ in range(3):
            with closing(SqliteJournal(path)) as journal:
                journal.set_markers(1, "off")
                commit(journal)

    def test_a_moved_or_replaced_file_is_noticed(self, journal: SqliteJournal, path: Path) -> None:
        journal.check_place()
        path.rename(path.with_name("moved.db"))
        with pytest.raises(StorageFailed, match="the journal is gone"):
            journal.check_place()
        path.write_bytes(path.with_name("moved.db").read_bytes())
        with pytest.raises(StorageFailed, match="another file has taken the journal's place"):
            journal.check_place()


WRITER = """
import asyncio, sys
from pathlib import Path
from batchfish.journal.sqlite import SqliteJournal
from tests.journal.building import Driver

async def main():
    journal = SqliteJournal(Path(sys.argv[1]))
    driver = Driver(journal=journal)
    for item in journal.due(1, 1e9, 10_000):
        driver.intend(item.pk)
        await journal.commit()
        sys.stdout.write(f"{item.pk}\\n")  # from here on its create may be on its way
        sys.stdout.flush()

asyncio.run(main())
"""


@pytest.mark.process
@pytest.mark.parametrize("lines", [1, 17, 60])
def test_every_committed_intent_survives_a_kill(path: Path, lines: int) -> None:
    with closing(SqliteJournal(path)) as journal:
        begin(journal, *(row(f"{A}/{n}") for n in range(2_000)))
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        text=True,
    )
    assert writer.stdout is not None
    sent = [int(writer.stdout.readline()) for _ in range(lines)]
    writer.send_signal(signal.SIGKILL)
    sent += [int(line) for line in writer.stdout.read().splitlines()]
    writer.stdout.close()
    assert writer.wait() == -signal.SIGKILL
    with closing(SqliteJournal(path)) as journal:
        found = {one.item.pk for one in journal.open_attempts()}
    assert set(sent) <= found
    assert len(found) <= len(sent) + 1  # the one whose commit had not returned
