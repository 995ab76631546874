"""What is read of a batch for its table: every text, number and time exactly as it is stored."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import msgspec
import pytest

from batchfish.errors import StorageFailed
from batchfish.journal import outcomes
from tests.journal.building import Driver, begin, commit, connection_of, edit, row
from tests.outcomes import outcomes_of

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


def test_variables_are_named_in_the_order_in_which_they_first_occur(
    journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcomes, "CHUNK_ROWS", 2)
    inputs: list[dict[str, str]] = [{}, {"b": "1", 'a"': ""}, {'a"': "", "b": ""}, {}, {"0": "", "b": ""}]
    rows = [row(f"https://a.example/{n}", f"i{n}", inputs=one) for n, one in enumerate(inputs)]
    batch = begin(journal, *rows, row("https://a.example/x", "gone", inputs={"gone": ""}))
    edit(journal, batch, *rows)
    assert journal.reader.input_names(batch) == ["b", 'a"', "0"]
    assert journal.reader.input_names(batch + 1) == []


def test_items_out_of_order_are_refused(journal: SqliteJournal) -> None:
    """The results would be those of others."""
    batch = begin(journal, *(row(f"https://a.example/{n}") for n in range(3)))
    sizes = journal.reader.result_sizes(batch)
    (chunk,) = outcomes.read_chunks(connection_of(journal), batch, sizes)
    swapped = msgspec.structs.replace(chunk, arrays={**chunk.arrays, "row": "[2,1,3]"})
    with pytest.raises(StorageFailed, match="out of order"):
        outcomes.outcomes_from(swapped)
