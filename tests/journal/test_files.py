"""The journal's file: permissions, recognition, checks, migrations, and readers beside the owner."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from batchfish.errors import StorageFailed
from batchfish.journal import files
from batchfish.journal.files import APPLICATION_ID, connect, own
from batchfish.journal.sqlite import SqliteJournal
from tests.journal.building import Driver, begin, commit, connection_of, row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

A, B = "https://books.example/a", "https://books.example/b"
VERSION = len(files.MIGRATIONS)
PAGE = 4096


def filled(path: Path, items: int = 40) -> Path:
    """Create a journal with attempts and results, and close it."""
    with closing(SqliteJournal(path)) as journal:
        batch = begin(journal, *(row(f"{A}/{n}", inputs={"text": "x" * 300}) for n in range(items)))
        driver = Driver(journal=journal)
        for item in journal.due(batch, 1e9, items // 2):
            driver.accept(item.pk)
            driver.finish(item.pk, b'{"long": "' + b"y" * 6_000 + b'"}')
        commit(journal)
    return path


def pragma(connection: sqlite3.Connection, name: str) -> object:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


class TestNew:
    @pytest.mark.usefixtures("open_umask")
    def test_only_the_user_may_read_file_and_log(self, path: Path) -> None:
        with closing(SqliteJournal(path)) as journal:
            begin(journal, row(A))
            modes = {name.name: stat.S_IMODE(name.stat().st_mode) for name in path.parent.iterdir()}
        assert modes == {"books.db": 0o600, "books.db-wal": 0o600, "books.db-shm": 0o600}

    def test_commits_are_synced_to_disk(self, journal: SqliteJournal) -> None:
        assert pragma(connection_of(journal), "journal_mode") == "wal"
        assert pragma(connection_of(journal), "synchronous") == 2  # FULL: each commit waits for the disk
        assert pragma(connection_of(journal), "mmap_size") == 0

    def test_schema_of_the_file_is_not_trusted(self, journal: SqliteJournal) -> None:
        assert pragma(connection_of(journal), "trusted_schema") == 0
        assert pragma(connection_of(journal), "foreign_keys") == 1

    def test_the_header_holds_application_id_and_version(self, journal: SqliteJournal) -> None:
        assert pragma(connection_of(journal), "application_id") == APPLICATION_ID
        assert pragma(connection_of(journal), "user_version") == VERSION

    def test_an_empty_file_becomes_a_journal(self, path: Path) -> None:
        path.touch(mode=0o600)
        SqliteJournal(path).close()
        with closing(connect(path, read_only=True)) as reader:
            assert pragma(reader, "user_version") == VERSION

    def test_a_file_name_may_contain_url_syntax(self, tmp_path: Path) -> None:
        path = tmp_path / "a?mode=ro&b#c%20d é.db"
        SqliteJournal(path).close()
        assert [name.name for name in tmp_path.iterdir()] == [path.name]

    def test_a_missing_folder_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(StorageFailed, match="cannot make the journal: No such file"):
            SqliteJournal(tmp_path / "nowhere" / "books.db")

    def test_a_dangling_link_is_not_followed(self, tmp_path: Path, path: Path) -> None:
        path.symlink_to(tmp_path / "elsewhere.db")
        with pytest.raises(StorageFailed, match="cannot make the journal"):
            SqliteJournal(path)
        assert not (tmp_path / "elsewhere.db").exists()


class TestForeign:
    def test_a_database_of_another_program_is_left_as_it_is(self, path: Path) -> None:
        with closing(sqlite3.connect(path)) as other:
            other.executescript("CREATE TABLE moz_places (url); PRAGMA user_version = 1;")
        before = path.read_bytes()
        for opening in (own, connect):
            with pytest.raises(StorageFailed, match="a database of another program"):
                opening(path)
        assert path.read_bytes() == before

    @pytest.mark.parametrize(
        "content", [b"url,goal\n" * 200, b"\0" * 4096, b"SQLite format 3\0" + b"x" * 600]
    )
    def test_a_file_that_is_no_database_is_left_as_it_is(self, path: Path, content: bytes) -> None:
        path.write_bytes(content)
        for opening in (own, connect):
            with pytest.raises(StorageFailed, match="not a journal that can be used"):
                opening(path)
        assert path.read_bytes() == content

    def test_a_folder_is_refused(self, path: Path) -> None:
        path.mkdir()
        with pytest.raises(StorageFailed, match="cannot open the journal"):
            SqliteJournal(path)


class TestDamaged:
    def test_a_wiped_page_is_noticed_unless_it_held_only_a_result(self, path: Path) -> None:
        whole = filled(path).read_bytes()
        tables = ("batches", "requests", "items", "attempts", "counts", "meta")
        queries = [f"SELECT * FROM {table}" for table in tables]  # noqa: S608 - our own words

        def content() -> list[object]:
            with closing(connect(path, read_only=True)) as reader:
                return [reader.execute(query).fetchall() for query in queries]

        before, noticed = content(), 0
        for start in range(0, len(whole), PAGE):
            path.write_bytes(whole[:start] + bytes(PAGE) + whole[start + PAGE :])
            try:
                own(path).close()
            except StorageFailed:
                noticed += 1
            else:
                assert content() == before
        assert noticed > len(tables)

    def test_a_truncated_file_is_noticed(self, path: Path) -> None:
        whole = filled(path).read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(StorageFailed, match=r"damaged|not a journal that can be used"):
            SqliteJournal(path)

    def test_the_error_names_the_damage(self, path: Path) -> None:
        whole = bytearray(filled(path).read_bytes())
        with closing(connect(path, read_only=True)) as reader:
            query = "SELECT rootpage FROM sqlite_schema WHERE name = 'attempts'"
            (page,) = reader.execute(query).fetchone()
        whole[(page - 1) * PAGE : page * PAGE] = bytes(PAGE)
        path.write_bytes(whole)
        with pytest.raises(
            StorageFailed, match=r"books\.db: the journal is damaged \(Tree .*\); nothing was sent"
        ):
            SqliteJournal(path)

    def test_a_torn_write_ahead_log_keeps_its_whole_transactions(self, path: Path) -> None:
        """A transaction that the disk holds in part was never committed; those before it were."""
        with closing(SqliteJournal(path)) as journal:
            begin(journal, row(A, "one"))
            log = path.with_name("books.db-wal").read_bytes()
            connection_of(journal).execute("UPDATE items SET message = 'half'")
            torn = path.with_name("books.db-wal").read_bytes()[: len(log) + 2_000]
            copy = path.with_name("copy.db")
            copy.write_bytes(path.read_bytes())
            copy.with_name("copy.db-wal").write_bytes(torn)
        with closing(SqliteJournal(copy)) as journal:
            assert connection_of(journal).execute("SELECT id, message FROM items").fetchall() == [
                ("one", None)
            ]


class TestVersions:
    def test_a_newer_schema_is_refused(self, path: Path) -> None:
        with closing(SqliteJournal(path)) as journal:
            connection_of(journal).execute(f"PRAGMA user_version = {VERSION + 1}")
        for opening in (own, connect):
            with pytest.raises(
                StorageFailed, match=rf"newer batchfish \(schema {VERSION + 1}\)\. Use that version"
            ):
                opening(path)

    def test_an_older_schema_is_brought_up_to_date_with_its_rows(
        self, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        filled(path)
        with closing(connect(path, read_only=True)) as reader:
            before = reader.execute("SELECT * FROM attempts").fetchall()
        script = tmp_path / "more.sql"
        script.write_text("ALTER TABLE attempts ADD COLUMN price INTEGER;")
        monkeypatch.setattr(files, "MIGRATIONS", (*files.MIGRATIONS, str(script)))
        monkeypatch.setattr(files, "OLDEST_READABLE", VERSION + 1)
        with pytest.raises(StorageFailed, match=rf"its schema, version {VERSION}, is too old"):
            connect(path, read_only=True)
        with closing(own(path)) as owner:
            assert pragma(owner, "user_version") == VERSION + 1
            after = owner.execute("SELECT * FROM attempts").fetchall()
        assert after == [(*values, None) for values in before]

    def test_a_failed_migration_changes_nothing(
        self, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        filled(path)
        script = tmp_path / "more.sql"
        script.write_text("ALTER TABLE attempts ADD COLUMN price INTEGER; SELECT * FROM nowhere;")
        monkeypatch.setattr(files, "MIGRATIONS", (*files.MIGRATIONS, str(script)))
        with pytest.raises(StorageFailed, match="no such table: nowhere"):
            own(path)
        monkeypatch.undo()
        with closing(own(path)) as owner:
            assert pragma(owner, "user_version") == VERSION
            assert "price" not in [name for _, name, *_ in owner.execute("PRAGMA table_info(attempts)")]

    def test_reading_an_empty_file_is_refused_with_advice(self, path: Path) -> None:
        path.touch()
        with pytest.raises(StorageFailed, match="`batchfish run` or `resume` brings it up to date"):
            connect(path, read_only=True)


class TestReaders:
    def test_a_reader_sees_only_what_is_committed(
        self, journal: SqliteJournal, driver: Driver, path: Path
    ) -> None:
        batch = begin(journal, row(A))
        (item,) = journal.due(batch, 1e9, 1)
        driver.accept(item.pk)
        with closing(connect(path, read_only=True)) as reader:
            query = "SELECT count(*) FROM attempts"
            assert reader.execute(query).fetchone() == (0,)
            commit(journal)
            assert reader.execute(query).fetchone() == (1,)

    def test_a_reader_does_not_block_the_owner(
        self, journal: SqliteJournal, driver: Driver, path: Path
    ) -> None:
        batch = begin(journal, *(row(f"{A}/{n}") for n in range(100)))
        with closing(connect(path, read_only=True)) as reader:
            cursor = reader.execute("SELECT status FROM items ORDER BY row")
            cursor.fetchone()
            for item in journal.due(batch, 1e9, 100):
                driver.accept(item.pk)
            commit(journal)
            assert {status for (status,) in cursor} == {"queued"}  # all of one moment
            assert set(reader.execute("SELECT status FROM items")) == {("running",)}

    def test_a_reader_cannot_write(self, journal: SqliteJournal, path: Path) -> None:
        with closing(connect(path, read_only=True)) as reader, pytest.raises(sqlite3.OperationalError):
            reader.execute("DELETE FROM items")

    def test_a_reader_needs_no_owner(self, path: Path) -> None:
        filled(path)
        with closing(connect(path, read_only=True)) as reader:
            assert reader.execute("SELECT count(*) FROM items").fetchone() == (40,)
