"""The outcomes that a second process reads for a table: the same ones, of the same moment."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from batchfish.errors import StorageFailed
from batchfish.journal import second_process
from batchfish.journal import table_source as table_sources
from batchfish.journal.queries import JournalReader, open_reader
from batchfish.journal.table_source import TableSource, table_source
from tests.journal.building import Driver, begin, commit, connection_of, row
from tests.outcomes import one_by_one, outcomes_of
from tests.pipes import stop_while_it_writes

if TYPE_CHECKING:
    from batchfish.journal.sqlite import SqliteJournal
    from tests.outcomes import Outcome

pytestmark = pytest.mark.process
A = "https://books.example/a"


@pytest.fixture(autouse=True)
def _beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read every batch in a second process."""
    monkeypatch.setattr(table_sources, "ALONE", 0)
    monkeypatch.setattr(second_process, "has_core", lambda: True)


@pytest.fixture
def batch(journal: SqliteJournal, driver: Driver) -> int:
    """Begin a batch with results of all kinds."""
    inputs = {"title": "„ä“"}
    key = begin(journal, *[row(f"{A}/{number}", f"i{number}", inputs=inputs) for number in range(5000)])
    results = (b'{"a": 1}', b'"\xff"', b"[" * 300 + b"]" * 300, None, '{"ä": "„“"}'.encode())
    for item, result in zip(journal.due(key, 1e9, len(results)), results, strict=True):
        driver.accept(item.pk)
        driver.finish(item.pk, result)
    commit(journal)
    connection_of(journal).execute(
        "UPDATE items SET status = 'failed' WHERE row > 1000 AND status = 'queued'"
    )
    return key


def all_of(source: TableSource) -> list[Outcome]:
    return [outcome for chunk in source.outcomes() for outcome in one_by_one(chunk)]


@pytest.mark.parametrize("options", [{}, {"failed_only": True}], ids=["all", "failed"])
def test_it_reads_what_this_process_would(path: Path, batch: int, options: dict[str, bool]) -> None:
    with open_reader(path) as reader:
        with table_source(reader, batch, **options) as source:
            chunks = source.outcomes()
            found = one_by_one(next(chunks))
            sizes = list(source.sizes)  # which are asked for once there is a first frame
            found += [outcome for chunk in chunks for outcome in one_by_one(chunk)]
        alone = outcomes_of(reader, batch, **options)
        assert found == alone
        assert sizes == list(reader.results.row_sizes(batch, **options))
    assert len(found) == (4000 if options else 5000)
    assert sum(outcome.result is not None for outcome in found) == (0 if options else 4)


class CommitsMeanwhile(table_sources._OtherProcess):  # noqa: SLF001 - it takes its place
    """Commits a change to the journal once the second process reads it."""

    journal: SqliteJournal

    def wait(self) -> None:
        super().wait()
        connection_of(self.journal).execute("UPDATE items SET status = 'failed' WHERE row = 5")


@pytest.fixture
def _commits_meanwhile(journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CommitsMeanwhile, "journal", journal, raising=False)
    monkeypatch.setattr(table_sources, "_OtherProcess", CommitsMeanwhile)


@pytest.mark.usefixtures("_commits_meanwhile")
class TestMoment:
    def test_what_is_committed_meanwhile_is_read_by_this_process(self, path: Path, batch: int) -> None:
        with open_reader(path) as reader, table_source(reader, batch) as source:
            outcomes = all_of(source)
            assert outcomes[4].status == "failed"
            assert len(outcomes) == len(list(source.sizes)) == 5000

    def test_a_commit_that_is_overlooked_would_be_noticed(
        self, path: Path, batch: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(JournalReader, "data_version", lambda _reader: 1)
        with open_reader(path) as reader, table_source(reader, batch) as source:
            assert all_of(source)[4].status != "failed"


def test_commits_after_both_began_to_read_are_shown_by_neither(
    path: Path, batch: int, journal: SqliteJournal
) -> None:
    with open_reader(path) as reader, table_source(reader, batch) as source:
        connection_of(journal).execute("UPDATE items SET status = 'failed' WHERE row = 5")
        assert all_of(source)[4].status == "succeeded"
        assert "failed" not in reader.counts(batch)


def children() -> list[int]:
    return [int(pid) for pid in Path("/proc/thread-self/children").read_text().split()]


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_it_sends_all_though_it_is_stopped_while_it_writes(
    path: Path, batch: int, monkeypatch: pytest.MonkeyPatch, unbuffered: str
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    before = children()
    with open_reader(path) as reader, table_source(reader, batch) as source:
        (process,) = set(children()).difference(before)
        stop_while_it_writes(process)
        assert all_of(source) == outcomes_of(reader, batch)


def test_its_death_is_reported(path: Path, batch: int) -> None:
    before = children()
    with open_reader(path) as reader, table_source(reader, batch) as source:
        (process,) = set(children()).difference(before)
        os.kill(process, signal.SIGKILL)
        with pytest.raises(StorageFailed, match=r"books\.db: the process that reads it has ended early"):
            all_of(source)


def test_it_ends_with_the_block(path: Path, batch: int) -> None:
    before = children()
    with open_reader(path) as reader, table_source(reader, batch) as source:
        assert next(source.outcomes()).count > 1
    assert children() == before


def test_none_is_needed(path: Path, batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: str) -> None:
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(second_process, "start", refuse)
    with open_reader(path) as reader, table_source(reader, batch) as source:
        assert len(all_of(source)) == 5000


def test_one_that_cannot_read_is_reported(path: Path, batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    start = second_process.start
    monkeypatch.setattr(second_process, "start", lambda module, name, *more: start(module, f"{name}x", *more))
    with (
        open_reader(path) as reader,
        pytest.raises(StorageFailed, match="has ended early"),
        table_source(reader, batch),
    ):
        raise AssertionError
