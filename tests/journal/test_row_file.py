"""The temporary file of a manifest's rows: what it holds, who can read it, and that nothing of it is left."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from batchfish.core import identity
from batchfish.core.items import Repetition
from batchfish.errors import StorageFailed
from batchfish.journal import row_file, row_writer, second_process
from batchfish.journal.queries import open_reader
from batchfish.journal.row_file import RowFile
from batchfish.journal.sqlite import SqliteJournal
from tests import forking
from tests.journal.building import begin, connection_of, row, specs_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchfish.core.items import ItemSpec

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
        setup = f"{row_writer._SETUP}PRAGMA max_page_count = 8;"  # noqa: SLF001 - a full disk cannot be asked for
        monkeypatch.setattr(row_writer, "_SETUP", setup)
        with RowFile() as file, pytest.raises(StorageFailed, match="database or disk is full") as told:
            file.load(specs_of([row(f"{A}/{number}") for number in range(10_000)]))
        assert "TMPDIR" in str(told.value.remedy)

    def test_a_folder_that_cannot_be_written_to_is_passed_over(
        self, temporary: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SQLITE_TMPDIR", str(temporary / "missing"))
        with RowFile() as file:
            assert file.path.parent == temporary


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write all rows in a process of its own."""
    monkeypatch.setattr(row_file, "_ALONE", 0)
    monkeypatch.setattr(second_process, "has_core", lambda: True)


def content(file: RowFile) -> list[list[tuple[object, ...]]]:
    with closing(sqlite3.connect(file.path)) as connection:
        incoming = (
            "SELECT i.row, i.line, i.given_id, i.id, i.fingerprint, i.key, i.url, i.goal, s.digest, s.body,"
            " i.inputs FROM incoming i JOIN shapes s ON s.pk = i.shape ORDER BY i.row"
        )
        repeated = "SELECT fingerprint FROM repeated ORDER BY 1"
        return [connection.execute(query).fetchall() for query in (incoming, repeated)]


ROWS = [
    row(
        f"{A}/{number // 4}",
        f"ä{number}" if number % 2 else None,
        line=None if number % 5 == 0 else number,
        inputs={"title": "Emma — „neu“", "n": str(number)},
        request={"output_schema": {"z": number // 2, "a": 10**20}, "use_vault": True} if number % 7 else {},
    )
    for number in range(3_000)
]
"""More different request fields than are remembered, and rows that ask for the same."""


class TestChunks:
    def test_each_row_has_its_own_request_fields(self) -> None:
        specs = specs_of(ROWS)
        with RowFile() as file:
            assert file.load(specs) == len(ROWS)
            rows, repeated = content(file)
        encode = msgspec.json.Encoder().encode
        for spec, (number, line, given_id, item_id, fingerprint, key, url, goal, digest, body, inputs) in zip(
            specs, rows, strict=True
        ):
            assert (number, line, given_id, url, goal) == (spec.row, spec.line, spec.id, spec.url, spec.goal)
            assert fingerprint == identity.fingerprint(spec)
            assert key == identity.item_key(identity.fingerprint(spec), 1)
            assert item_id == (spec.id or identity.default_id(identity.fingerprint(spec)))
            assert body == encode(spec.request).decode()
            assert digest == hashlib.sha256(encode(spec.request)).digest()
            assert json.loads(str(inputs)) == spec.inputs
        assert 0 < len(repeated) < len(ROWS)

    def test_long_rows_are_sent_a_few_at_a_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        sizes = []
        write = row_writer.RowWriter.write

        def note(writer: row_writer.RowWriter, chunk: row_writer.Chunk) -> None:
            sizes.append(len(chunk.rows))
            write(writer, chunk)

        monkeypatch.setattr(row_writer.RowWriter, "write", note)
        with RowFile() as file:
            file.load(specs_of([row(f"{A}/{n}", goal="Read. " * 100_000) for n in range(6)]))
        requests = [{"output_schema": {"description": f"{n}" * 600_000}} for n in range(6)]
        with RowFile() as file:
            file.load(specs_of([row(A, request=request) for request in requests]))
        assert sizes == [2, 2, 2] * 2


@pytest.mark.process
@pytest.mark.usefixtures("beside")
class TestWriterProcess:
    def test_it_writes_what_this_process_would(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with RowFile() as file:
            assert file.load(specs_of(ROWS)) == len(ROWS)
            written = content(file)
        monkeypatch.setattr(row_file, "_ALONE", 1_000)
        with RowFile() as file:
            file.load(specs_of(ROWS))
            assert content(file) == written

    def test_its_error_is_reported(self, temporary: Path) -> None:
        with RowFile() as file:
            file.path.unlink()
            temporary.rmdir()
            with pytest.raises(StorageFailed, match="unable to open database file") as told:
                file.load(specs_of(ROWS))
        assert "TMPDIR" in str(told.value.remedy)

    def test_its_death_is_reported(self) -> None:
        def specs() -> Iterator[ItemSpec]:
            for spec in specs_of(ROWS):
                if spec.row == 2_500:
                    (process,) = Path("/proc/thread-self/children").read_text().split()[-1:]
                    os.kill(int(process), signal.SIGKILL)
                yield spec

        with RowFile() as file, pytest.raises(StorageFailed, match="the process that writes them was ended"):
            file.load(specs())

    def test_it_ends_with_an_error_of_the_rows(self) -> None:
        def specs() -> Iterator[ItemSpec]:
            yield from specs_of(ROWS[:2_500])
            raise RuntimeError("the file changed")

        before = Path("/proc/thread-self/children").read_text()
        with RowFile() as file, pytest.raises(RuntimeError, match="the file changed"):
            file.load(specs())
        assert Path("/proc/thread-self/children").read_text() == before

    def test_it_ends_with_a_process_that_is_killed(self, temporary: Path) -> None:
        code = (
            "from batchfish.journal import row_file; row_file._ALONE = 0\n"
            "from batchfish.journal import second_process; second_process.has_core = lambda: True\n"
            "def specs():\n"
            "    yield from specs_of([row(f'https://books.example/{n}') for n in range(2500)])\n"
            "    die()\n"
            "rows.load(specs())"
        )
        kill(code, temporary)  # which waits until both have closed their standard error
        with RowFile() as file:
            assert list(temporary.iterdir()) == [file.path]


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
    process = forking.start([sys.executable, "-c", text], env=env, stderr=subprocess.PIPE)
    _, told = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, told


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
            reader._read.connection.execute("DELETE FROM items")  # noqa: SLF001 - no method of a reader writes
