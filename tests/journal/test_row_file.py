"""The temporary file of a manifest's rows: what it holds, who can read it, and that nothing of it is left."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from batchfish.core.items import Repetition
from batchfish.errors import StorageFailed
from batchfish.journal import row_file
from batchfish.journal.queries import open_reader
from batchfish.journal.row_file import RowFile
from batchfish.journal.sqlite import SqliteJournal
from tests import forking
from tests.journal.building import begin, connection_of, row, specs_of

if TYPE_CHECKING:
    from pathlib import Path

A, B = "https://books.example/a", "https://books.example/b"


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a temporary folder of the test's own."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.delenv("SQLITE_TMPDIR", raising=False)
    return folder


class TestRepeated:
    def test_rows_that_repeat_an_id_or_have_none_and_ask_for_the_same(self) -> None:
        with RowFile() as file:
            rows = [row(A, "one"), row(B), row(A, "two"), row(B, "one"), row(B), row(A), row(B)]
            assert file.load(specs_of(rows)) == 7
            assert list(file.repeated()) == [
                Repetition(id="one", row=4, line=5, first_row=1, first_line=2),
                Repetition(id=None, row=5, line=6, first_row=2, first_line=3),
                Repetition(id=None, row=7, line=8, first_row=2, first_line=3),
            ]

    def test_equal_rows_with_ids_of_their_own_repeat_nothing(self) -> None:
        with RowFile() as file:
            file.load(specs_of([row(A, "one"), row(A, "two"), row(A)]))
            assert list(file.repeated()) == []


class TestFile:
    def test_only_its_owner_can_read_it(self, temporary: Path) -> None:
        with RowFile() as file:
            assert file.path.parent == temporary
            assert file.path.stat().st_mode & 0o777 == 0o600

    def test_it_is_gone_once_it_is_closed(self, temporary: Path) -> None:
        with RowFile() as file:
            file.load(specs_of([row(A)]))
        assert list(temporary.iterdir()) == []

    def test_it_has_no_name_while_it_is_staged(self, temporary: Path, journal: SqliteJournal) -> None:
        with RowFile() as file:
            file.load(specs_of([row(A), row(B)]))
            journal.reader.staged.attach(file)
            assert list(temporary.iterdir()) == []
            assert journal.reader.staged.compare(None).wanted == 2

    def test_rows_are_staged_in_place_of_earlier_ones(self, journal: SqliteJournal) -> None:
        staged = journal.reader.staged
        staged.load(specs_of([row(A), row(B)]), 1)
        staged.load(specs_of([row(A)]), 1)
        assert staged.compare(None).wanted == 1
        staged.detach()
        with pytest.raises(StorageFailed, match="no such table"):
            staged.compare(None)

    def test_a_full_temporary_folder_is_reported(self, monkeypatch: pytest.MonkeyPatch) -> None:
        setup = f"{row_file._SETUP}PRAGMA max_page_count = 8;"  # noqa: SLF001 - a full disk cannot be asked for
        monkeypatch.setattr(row_file, "_SETUP", setup)
        with RowFile() as file, pytest.raises(StorageFailed, match="database or disk is full") as told:
            file.load(specs_of([row(f"{A}/{number}") for number in range(10_000)]))
        assert "TMPDIR" in str(told.value.remedy)

    def test_a_folder_that_cannot_be_written_to_is_passed_over(
        self, temporary: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SQLITE_TMPDIR", str(temporary / "missing"))
        with RowFile() as file:
            assert file.path.parent == temporary


class TestLeftovers:
    def test_files_of_living_processes_and_of_others_stay(self, temporary: Path) -> None:
        other = temporary / "batchfish-rows-of-somebody.db"
        other.touch()
        with RowFile() as first, RowFile() as second:
            assert first.path.exists()
            assert second.path.exists()
        assert list(temporary.iterdir()) == [other]

    @pytest.mark.process
    def test_the_file_of_a_killed_process_is_removed_by_the_next(self, temporary: Path) -> None:
        kill("rows.load(die() for _ in range(1))", temporary)
        assert len(list(temporary.iterdir())) == 1
        with RowFile() as file:
            assert list(temporary.iterdir()) == [file.path]


BEGINS = """
import os, signal
from batchfish.journal import ingest
from batchfish.journal.row_file import RowFile
from batchfish.journal.sqlite import SqliteJournal
from tests.journal.building import connection_of, row, specs_of
from tests.journal.test_group import NEW
def die():
    os.kill(os.getpid(), signal.SIGKILL)
rows = RowFile()
"""
IN_BEGIN = """
ingest.CACHE_KIB = 64  # little, so that much of the transaction is in the file when the process dies
rows.load(specs_of([row("https://books.example/%d" % n) for n in range(5000)]))
journal = SqliteJournal(journal_path)
journal.reader.staged.attach(rows)
journal.reader.staged.compare(None)
connection_of(journal).set_progress_handler(die, {steps})
journal.begin(NEW, now=1_000.0, chance=b"abcd")
"""


IN_SEVERAL_TRANSACTIONS = """
from batchfish.journal.group import GroupCommit
write = GroupCommit.write
def write_and_commit(group, *what):
    rows = write(group, *what)
    group.commit_now()
    return rows
GroupCommit.write = write_and_commit
"""


def kill(code: str, folder: Path, path: Path | None = None) -> None:
    """Run code that is to be killed."""
    text = f"{BEGINS}\njournal_path = __import__('pathlib').Path({str(path)!r})\n{code}"
    env = {**os.environ, "TMPDIR": str(folder), "PYTHONPATH": str(forking.ROOT)}
    process = forking.start([sys.executable, "-c", text], env=env)
    assert process.wait(60) == -signal.SIGKILL


@pytest.mark.process
@pytest.mark.parametrize("steps", [10, 20_000, 200_000, 400_000])
def test_a_batch_whose_begin_is_killed_has_not_begun(path: Path, temporary: Path, steps: int) -> None:
    SqliteJournal(path).close()
    kill(IN_BEGIN.format(steps=steps), temporary, path)
    assert list(temporary.iterdir()) == []
    if steps > 20_000:
        assert path.with_name(f"{path.name}-wal").stat().st_size > 100_000
    with open_reader(path) as reader:
        assert reader.batches() == []
    with closing(SqliteJournal(path)) as journal:
        (count,) = connection_of(journal).execute("SELECT count(*) FROM items").fetchone()
        assert count == 0
        assert begin(journal, row(A)) == 1


@pytest.mark.process
def test_a_begin_in_several_transactions_would_be_noticed(path: Path, temporary: Path) -> None:
    kill(IN_SEVERAL_TRANSACTIONS + IN_BEGIN.format(steps=400_000), temporary, path)
    with open_reader(path) as reader:
        assert len(reader.batches()) == 1
    with closing(SqliteJournal(path)) as journal:
        (count,) = connection_of(journal).execute("SELECT count(*) FROM items").fetchone()
        assert count < 5000


def test_rows_can_be_staged_beside_a_journal_that_is_only_read(journal: SqliteJournal, path: Path) -> None:
    batch = begin(journal, row(A))
    with open_reader(path) as reader:
        reader.staged.load(specs_of([row(A), row(B)]), 1)
        assert reader.staged.compare(batch).new == 1
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader._connection.execute("DELETE FROM items")  # noqa: SLF001 - no method of a reader writes
