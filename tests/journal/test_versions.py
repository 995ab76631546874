"""Journals of earlier versions: brought up in one transaction, and read as they are by commands."""

from __future__ import annotations

import inspect
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from batchfish.core.budget import Account
from batchfish.core.items import AttemptState, Status
from batchfish.core.results import ResultText
from batchfish.errors import StorageFailed
from batchfish.journal import files
from batchfish.journal.files import connect
from batchfish.journal.queries import JournalReader, open_reader
from batchfish.journal.records import Comparison
from batchfish.journal.result_reader import ResultReader
from batchfish.journal.sqlite import SqliteJournal
from tests.journal.building import connection_of, specs_of
from tests.outcomes import outcomes_of

if TYPE_CHECKING:
    from collections.abc import Callable

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


def test_a_fixture_exists_for_each_earlier_version() -> None:
    assert [path.stem for path in OLD] == [f"version-{n}" for n in range(1, len(files.MIGRATIONS))]


def test_an_earlier_version_is_read_without_a_change(old: Path) -> None:
    before = old.read_bytes()
    with open_reader(old) as reader:
        batch = reader.newest_batch()
        assert batch is not None
        counts = reader.counts(batch.pk)
        outcomes = outcomes_of(reader, batch.pk)
        held = reader.held_attempts(batch.pk)
    assert counts == {
        "succeeded": 1, "failed": 2, "unanswered": 1, "held": 1, "running": 1, "queued": 1
    }  # fmt: skip
    assert [one.item_id for one in outcomes] == [
        "done", "whole", "unanswered", "held", "running", "failed", "queued"
    ]  # fmt: skip
    assert [one.result for one in outcomes] == [ResultText('{"price": 1}'), ResultText("NaN"), *[None] * 5]
    assert [one.id for one in held] == ["held"]
    assert old.read_bytes() == before


READS: dict[str, Callable[[JournalReader], object]] = {
    "all_rows": lambda reader: list(reader.all_rows(1)),
    "alive_since": lambda reader: reader.alive_since(1),
    "results.answers": lambda reader: list(reader.results.answers(1)),
    "attempts_of": lambda reader: reader.attempts_of(1),
    "attempts_of_batch": lambda reader: reader.attempts_of_batch(1),
    "base_urls": JournalReader.base_urls,
    "batch_before": lambda reader: reader.batch_before(1),
    "batch_named": lambda reader: reader.batch_named("old"),
    "batches": JournalReader.batches,
    "count_alive": JournalReader.count_alive,
    "count_open": JournalReader.count_open,
    "counts": lambda reader: reader.counts(1),
    "disowned_runs": JournalReader.disowned_runs,
    "ended_runs": lambda reader: reader.ended_runs(1),
    "ended_since": lambda reader: reader.ended_since(1, 0.0),
    "damage": JournalReader.damage,
    "data_version": JournalReader.data_version,
    "file_identity": JournalReader.file_identity,
    "results.findings_of": lambda reader: reader.results.findings_of(1),
    "find_item": lambda reader: reader.find_item(1, "done"),
    "fingerprint_version": lambda reader: reader.fingerprint_version(1),
    "results.fresh": lambda reader: list(reader.results.fresh(1, 0.0)),
    "results.good": lambda reader: reader.results.good(1, None).__enter__(),
    "held_attempts": JournalReader.held_attempts,
    "histories": lambda reader: list(reader.histories(1)),
    "results.input_names": lambda reader: reader.results.input_names(1),
    "items_in": lambda reader: reader.items_in(1, [Status.FAILED]),
    "latest_failures": lambda reader: reader.latest_failures(1, 5),
    "latest_number": lambda reader: reader.latest_number("old", None),
    "latest_period": lambda reader: reader.latest_period("2026-11"),
    "money_events_in": lambda reader: reader.money_events_in(1),
    "money_events_of": lambda reader: reader.money_events_of(1),
    "newest_batch": JournalReader.newest_batch,
    "not_ended": lambda reader: reader.not_ended(1),
    "results.outcomes": lambda reader: outcomes_of(reader, 1),
    "output_marks": JournalReader.output_marks,
    "request_of": lambda reader: reader.request_of(1),
    "request_bodies": lambda reader: reader.request_bodies(1),
    "past_runs": JournalReader.past_runs,
    "reservations_of": lambda reader: reader.reservations_of(1),
    "results.of_item": lambda reader: reader.results.of_item(
        reader.find_item(1, "done") or pytest.fail("no item")
    ),
    "results.row_sizes": lambda reader: reader.results.row_sizes(1),
    "results.reused_from": lambda reader: reader.results.reused_from(1),
    "salt": JournalReader.salt,
    "secret_names": JournalReader.secret_names,
    "settings": lambda reader: reader.settings(1),
    "spending": lambda reader: reader.spending(Account(batch=1), 15_000),
    "steps_taken": lambda reader: reader.steps_taken(1),
    "setting_changes": lambda reader: reader.setting_changes(1),
    "snapshot": lambda reader: reader.snapshot().__enter__(),
    "wanted_rows": lambda reader: list(reader.wanted_rows(1)),
    "was_cancelled": lambda reader: reader.was_cancelled(1),
}


def test_every_public_read_is_called_here() -> None:
    methods = [
        prefix + name
        for prefix, reader in (("", JournalReader), ("results.", ResultReader))
        for name, _ in inspect.getmembers(reader, callable)
        if name[0] != "_"
    ]
    assert sorted(READS) == sorted(methods)


@pytest.mark.parametrize("name", sorted(READS))
def test_every_read_works_on_an_earlier_version(old: Path, name: str) -> None:
    before = old.read_bytes()
    with open_reader(old) as reader:
        READS[name](reader)
    assert old.read_bytes() == before


NEVER_FAIL = {
    "damage",
    "data_version",
    "disowned_runs",
    "results.reused_from",
    "reservations_of",
    "results.findings_of",
    "setting_changes",
    "settings",
    "snapshot",
}
"""Reads that do without a table that is missing, or read none."""


@pytest.mark.parametrize("name", sorted(READS.keys() - NEVER_FAIL))
def test_a_read_that_fails_raises_storage_failed(tmp_path: Path, name: str) -> None:
    with open_reader(without_tables(tmp_path)) as reader, pytest.raises(StorageFailed, match="no such table"):
        READS[name](reader)


def test_a_comparison_that_fails_raises_storage_failed(tmp_path: Path) -> None:
    with open_reader(without_tables(tmp_path)) as reader:
        reader.staged.load(specs_of([]), 1)
        with pytest.raises(StorageFailed, match="no such table"):
            reader.staged.compare(1)


def without_tables(folder: Path) -> Path:
    """Create a file that is a journal by its header, but has no tables."""
    path = folder / "books.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA application_id = {files.APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(files.MIGRATIONS)}")
    return path


def test_rows_are_compared_with_an_earlier_version(old: Path) -> None:
    with open_reader(old) as reader:
        reader.staged.load(specs_of([]), 1)
        assert reader.staged.compare(1).removed == 7
        assert reader.staged.find_overlaps(old, name="other", base_url="local:") == []


async def test_an_earlier_version_is_brought_up_to_date_with_its_rows(old: Path) -> None:
    with closing(connect(old, read_only=True)) as reader:
        tables = tables_of(reader)
        before = content(reader, tables)
    with closing(SqliteJournal(old)) as journal:
        assert content(connection_of(journal), tables) == before
        assert connection_of(journal).execute("PRAGMA user_version").fetchone() == (len(files.MIGRATIONS),)
        taken = connection_of(journal).execute("SELECT count(steps), total(steps) FROM attempts").fetchone()
        assert (journal.reader.steps_taken(1).runs, journal.reader.steps_taken(1).steps) == taken
        (unanswered,) = journal.open_attempts(AttemptState.UNANSWERED)
        assert journal.control_of(unanswered.attempt) is not None
        assert journal.comparison(1) is None
        journal.write_comparison(1, Comparison(until=5.0, unlisted=2))
        await journal.commit()
        assert journal.comparison(1) == Comparison(until=5.0, unlisted=2)


def test_a_failed_migration_leaves_the_earlier_version(
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
