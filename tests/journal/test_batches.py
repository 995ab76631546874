"""Names of batches and periods, and the beginning, editing and end of a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from batchfish.core import identity
from batchfish.core.names import full_name
from batchfish.core.rules import rules_from
from batchfish.core.window import AUTO
from batchfish.errors import StorageFailed
from batchfish.journal.queries import open_reader
from tests.journal.building import begin, connection_of, edit, row

if TYPE_CHECKING:
    from batchfish.journal.sqlite import SqliteJournal

A, B = "https://books.example/a", "https://books.example/b"


class TestNames:
    @pytest.mark.parametrize(
        ("name", "period", "number", "full"),
        [
            ("books", None, 1, "books"),
            ("books", None, 2, "books.2"),
            ("books", "2026-11-24", 1, "books@2026-11-24"),
            ("books", "2026-W48", 12, "books@2026-W48.12"),
        ],
    )
    def test_full_name_holds_period_and_number(
        self, name: str, period: str | None, number: int, full: str
    ) -> None:
        assert full_name(name, period, number) == full

    def test_latest_number_is_per_name_and_period(self, journal: SqliteJournal) -> None:
        begin(journal, row(A), chance=b"aaaa")
        begin(journal, row(A), number=2, chance=b"bbbb")
        begin(journal, row(A), period="2026-11-24", chance=b"cccc")
        begin(journal, row(A), name="films", number=7, chance=b"dddd")
        assert journal.reader.latest_number("books", None) == 2
        assert journal.reader.latest_number("books", "2026-11-24") == 1
        assert journal.reader.latest_number("books", "2026-11-25") == 0
        assert journal.reader.latest_number("films", None) == 7
        assert journal.reader.latest_number("music", None) == 0

    def test_a_batch_is_found_by_its_full_name(self, journal: SqliteJournal) -> None:
        first = begin(journal, row(A), chance=b"aaaa")
        second = begin(journal, row(B), number=2, chance=b"bbbb")
        found = journal.reader.batch_named("books.2")
        assert found is not None
        assert (found.pk, found.number) == (second, 2)
        assert journal.reader.batch_named("books.3") is None
        newest = journal.reader.newest_batch()
        assert newest is not None
        assert newest.pk == second != first

    def test_an_empty_journal_has_no_newest_batch(self, journal: SqliteJournal) -> None:
        assert journal.reader.newest_batch() is None


class TestBegin:
    def test_a_batch_is_read_back_as_it_was_begun(self, journal: SqliteJournal) -> None:
        batch = journal.batch(begin(journal, row(A), period="2026-11-24"))
        assert (batch.name, batch.period, batch.number) == ("books@2026-11-24", "2026-11-24", 1)
        assert (batch.manifest["name"], rules_from(batch.manifest).limits.concurrency) == ("books", AUTO)
        assert (batch.base_url, batch.manifest_path) == ("https://agent.example", "/jobs/books.yaml")
        assert (batch.begun_at, batch.ended_at, batch.exit_code) == (1_000.0, None, None)
        assert batch.markers == "untested"

    def test_batch8_begins_with_the_prefix_of_its_name(self, journal: SqliteJournal) -> None:
        batch = journal.batch(begin(journal, row(A), number=2))
        assert batch.batch8.startswith(identity.batch_prefix("books"))

    def test_without_markers_they_are_off(self, journal: SqliteJournal) -> None:
        assert journal.batch(begin(journal, row(A), markers=False)).markers == "off"

    def test_a_second_batch_of_a_name_has_all_items_again(self, journal: SqliteJournal) -> None:
        first = begin(journal, row(A), chance=b"aaaa")
        second = begin(journal, row(A), number=2, chance=b"bbbb")
        keys = {item.key for batch in (first, second) for item in journal.due(batch, 2_000.0, 9)}
        assert len(keys) == 1
        assert journal.batch(first).batch8 != journal.batch(second).batch8

    def test_a_batch_of_a_taken_name_is_not_begun(self, journal: SqliteJournal) -> None:
        begin(journal, row(A), chance=b"aaaa")
        with pytest.raises(StorageFailed, match=r"batches\.name"):
            begin(journal, row(B), chance=b"bbbb")
        assert not connection_of(journal).in_transaction
        assert connection_of(journal).execute("SELECT url FROM items").fetchall() == [(A,)]


class TestEnd:
    def test_an_edit_reopens_a_finished_batch(self, journal: SqliteJournal) -> None:
        batch = begin(journal, row(A))
        journal.finish(batch, 1, 5_000.0)
        assert (journal.batch(batch).exit_code, journal.batch(batch).ended_at) == (1, 5_000.0)
        edit(journal, batch, row(A), row(B))
        assert (journal.batch(batch).exit_code, journal.batch(batch).ended_at) == (None, None)

    async def test_reopen_is_durable_with_the_commit(self, journal: SqliteJournal) -> None:
        batch = begin(journal, row(A))
        journal.finish(batch, 0, 5_000.0)
        with open_reader(journal.path) as reader:
            journal.reopen(batch)
            assert reader.newest_batch() == replace(journal.batch(batch), exit_code=0, ended_at=5_000.0)
            await journal.commit()
            assert reader.newest_batch() == journal.batch(batch)
        assert (journal.batch(batch).exit_code, journal.batch(batch).ended_at) == (None, None)
