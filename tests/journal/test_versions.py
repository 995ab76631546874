"""Journals of earlier versions: brought up in one transaction, and read as they are by what only reads."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from batchfish.core.items import AttemptState
from batchfish.errors import StorageFailed
from batchfish.journal import batches, files, queries
from batchfish.journal.base import Comparison
from batchfish.journal.files import connect
from batchfish.journal.records import read_outcomes
from batchfish.journal.sqlite import SqliteJournal

if TYPE_CHECKING:
    import sqlite3

FIXTURES = Path(__file__).with_name("fixtures")
OLD = sorted(FIXTURES.glob("version-*.db"))
"""One of each earlier version, with an unanswered item, a held one and a result kept as a whole answer."""


@pytest.fixture(params=OLD, ids=lambda path: path.stem)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return Path(shutil.copy(request.param, tmp_path / "books.db"))


def content(connection: sqlite3.Connection, tables: list[str]) -> list[list[tuple[object, ...]]]:
    queries = [f"SELECT * FROM {table} ORDER BY 1, 2" for table in tables]  # noqa: S608 - our own tables
    return [connection.execute(query).fetchall() for query in queries]


def tables_of(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'meta'")
    return [name for (name,) in rows]


def test_there_is_a_journal_of_each_earlier_version() -> None:
    assert [path.stem for path in OLD] == [f"version-{n}" for n in range(1, len(files.MIGRATIONS))]


def test_it_is_read_as_it_is(old: Path) -> None:
    before = old.read_bytes()
    with closing(connect(old, read_only=True)) as reader:
        batch = batches.newest(reader)
        assert batch is not None
        counts = queries.counts(reader, batch.pk)
        (outcomes,) = read_outcomes(reader, batch.pk)
        held = queries.held_attempts(reader, batch.pk)
    assert counts == {
        "succeeded": 1, "failed": 2, "unanswered": 1, "held": 1, "running": 1, "queued": 1
    }  # fmt: skip
    assert [one.item.id for one in outcomes] == [
        "done", "whole", "unanswered", "held", "running", "failed", "queued"
    ]  # fmt: skip
    assert [one.is_whole_answer for one in outcomes] == [False, True, *[False] * 5]
    assert [one.id for one in held] == ["held"]
    assert old.read_bytes() == before


async def test_it_is_brought_up_with_all_it_holds_and_goes_on(old: Path) -> None:
    with closing(connect(old, read_only=True)) as reader:
        tables = tables_of(reader)
        before = content(reader, tables)
    with closing(SqliteJournal(old)) as journal:
        assert content(journal.connection, tables) == before
        assert journal.connection.execute("PRAGMA user_version").fetchone() == (len(files.MIGRATIONS),)
        (doubted,) = journal.open_attempts(AttemptState.UNANSWERED)
        assert journal.control_of(doubted.attempt) is not None
        assert journal.comparison(1) is None
        journal.write_comparison(1, Comparison(until=5.0, unlisted=2))
        await journal.commit()
        assert journal.comparison(1) == Comparison(until=5.0, unlisted=2)


def test_a_migration_that_breaks_off_leaves_the_old_version(
    old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "broken.sql"
    script.write_text("CREATE TABLE half (a INTEGER); SELECT * FROM nowhere;")
    with closing(connect(old, read_only=True)) as reader:
        (version,) = reader.execute("PRAGMA user_version").fetchone()
        before = tables_of(reader)
    monkeypatch.setattr(files, "MIGRATIONS", (*files.MIGRATIONS[:version], str(script)))
    with pytest.raises(StorageFailed):
        SqliteJournal(old)
    with closing(connect(old, read_only=True)) as reader:
        assert reader.execute("PRAGMA user_version").fetchone() == (version,)
        assert tables_of(reader) == before
