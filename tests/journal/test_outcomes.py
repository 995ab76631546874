"""What is read of a batch for its table: every text, number and time exactly as it is stored."""

from __future__ import annotations

import random
import sqlite3
from typing import TYPE_CHECKING

import msgspec
import pytest

from batchfish.core.events import RunEnded
from batchfish.core.runs import RunError, RunSnapshot
from batchfish.errors import StorageFailed
from batchfish.journal import outcomes
from tests.journal.building import Driver, begin, commit, connection_of, edit, row
from tests.outcomes import one_by_one, outcomes_of

if TYPE_CHECKING:
    from batchfish.journal.sqlite import SqliteJournal

TEXTS = ["", "a,b", '"', "\\", "[1,2]", "null", "\n\r\t\x00\x1f\x7f", "„ä“ \U0001f41f", "a'b", "</script>"]


def texts_of(journal: SqliteJournal, texts: list[str]) -> list[tuple[str, str | None, str]]:
    """Write these texts into a batch and return what is read: URLs, messages and a variable of its rows."""
    batch = begin(
        journal, *(row(f"https://a.example/{n}", inputs={"text": text}) for n, text in enumerate(texts))
    )
    rows = [(text, f"m{text}", number) for number, text in enumerate(texts, 1)]
    connection_of(journal).executemany("UPDATE items SET url = ?, message = ? WHERE row = ?", rows)
    return [(one.url, one.error_message, one.inputs["text"]) for one in outcomes_of(journal.reader, batch)]


def test_texts_are_read_as_they_are(journal: SqliteJournal) -> None:
    assert texts_of(journal, TEXTS) == [(text, f"m{text}", text) for text in TEXTS]


@pytest.mark.parametrize("text", TEXTS)
def test_texts_that_all_items_have_are_read_as_they_are(journal: SqliteJournal, text: str) -> None:
    assert texts_of(journal, [text] * 3) == [(text, f"m{text}", text)] * 3


def test_no_digit_of_a_time_is_lost(journal: SqliteJournal, driver: Driver) -> None:
    """From 1974 on: before, a Float64 of seconds is finer than what is read."""
    chance = random.Random(11)
    times = [2.0**27, 1_760_000_000.123456789, 1e11 / 3, 253_402_300_799.99997]
    times += [chance.uniform(1.5e9, 2e9) for _ in range(50)]
    batch = begin(journal, *(row(f"https://a.example/{n}") for n in range(len(times) + 1)))
    for item in journal.due(batch, 1e9, len(times)):
        driver.accept(item.pk)
    commit(journal)
    connection_of(journal).executemany(
        "UPDATE attempts SET created_at = ?1, started_at = ?1 + 0.001, finished_at = -?1"
        " WHERE item = (SELECT pk FROM items WHERE row = ?2)",
        [(time, number) for number, time in enumerate(times, 1)],
    )
    *found, without_run = outcomes_of(journal.reader, batch)
    assert [one.submitted_at for one in found] == times
    assert [one.started_at for one in found] == [time + 0.001 for time in times]
    assert [one.finished_at for one in found] == [-time for time in times]
    assert without_run.submitted_at is without_run.started_at is without_run.finished_at is None


@pytest.mark.parametrize("place", ["inputs", "message", "error"])
def test_chunks_are_bounded_by_the_bytes_of_all_long_texts(
    journal: SqliteJournal, driver: Driver, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """SQLite returns the texts of a column as one, which is bounded: here to 40,000 bytes."""
    monkeypatch.setattr(outcomes, "CHUNK_BYTES", 10_000)
    text = "ä\0" * 1_000
    inputs = {"text": text} if place == "inputs" else {}
    batch = begin(journal, *(row(f"https://a.example/{n}", inputs=inputs) for n in range(20)))
    if place == "error":
        for item in journal.due(batch, 1e9, 20):
            run_id = driver.accept(item.pk)
            run = RunSnapshot(run_id=run_id, status="FAILED", error=RunError(message=text))
            driver.record(item.pk, 1, RunEnded(run=run))
        commit(journal)
    connection = connection_of(journal)
    connection.execute("UPDATE items SET message = ?", (text if place == "message" else None,))
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 40_000)
    sizes = journal.reader.results.row_sizes(batch)
    found = [one_by_one(chunk) for chunk in journal.reader.results.outcomes(batch, sizes)]
    assert {one.inputs["text"] if inputs else one.error_message for chunk in found for one in chunk} == {text}
    assert [one.row for chunk in found for one in chunk] == list(range(1, 21))
    assert {len(chunk) for chunk in found} == ({2} if inputs else {4})
    assert journal.reader.results.input_names(batch) == list(inputs)


def test_variables_are_named_in_the_order_in_which_they_first_occur(journal: SqliteJournal) -> None:
    inputs: list[dict[str, str]] = [{}, {"b": "1", 'a"': ""}, {'a"': "", "b": ""}, {}, {"0": "", "b": ""}]
    rows = [row(f"https://a.example/{n}", f"i{n}", inputs=one) for n, one in enumerate(inputs)]
    batch = begin(journal, *rows, row("https://a.example/x", "gone", inputs={"gone": ""}))
    edit(journal, batch, *rows)
    assert journal.reader.results.input_names(batch) == ["b", 'a"', "0"]
    assert journal.reader.results.input_names(batch + 1) == []


def test_items_out_of_order_are_refused(journal: SqliteJournal) -> None:
    """The results would be those of others."""
    batch = begin(journal, *(row(f"https://a.example/{n}") for n in range(3)))
    sizes = journal.reader.results.row_sizes(batch)
    (chunk,) = outcomes.read_chunks(connection_of(journal), batch, sizes)
    swapped = msgspec.structs.replace(chunk, arrays={**chunk.arrays, "row": "[2,1,3]"})
    with pytest.raises(StorageFailed, match="out of order"):
        outcomes.outcomes_from(swapped)
