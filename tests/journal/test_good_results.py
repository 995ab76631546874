"""The last good results of two batches, paired by item: a failure never replaces an earlier result."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batchfish.errors import StorageFailed
from batchfish.journal.good_results import PairCounts
from batchfish.journal.queries import open_reader
from batchfish.journal.sqlite import SqliteJournal
from tests.journal.building import Driver, begin, commit, edit, row

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from batchfish.core.outcomes import GoodResult

A = "https://books.example"


def live(driver: Driver, number: int, results: Mapping[str, bytes | None], *, ids: bool = True) -> int:
    """Begin a batch of these items; each succeeds with its result, or fails (None). Return the batch."""
    journal = driver.journal
    batch = begin(
        journal,
        *(row(f"{A}/{name}", name if ids else None) for name in results),
        number=number,
        chance=bytes([number] * 4),
    )
    urls = {item.url: item.key for item in journal.reader.wanted_rows(batch)}
    for name, result in results.items():
        item = urls[f"{A}/{name}"]
        driver.accept(item)
        driver.finish(item, result, "FAILED" if result is None else "COMPLETED")
    commit(journal)
    return batch


def side(good: GoodResult | None) -> tuple[str, str] | None:
    """Return the batch and the text of a result."""
    if good is None:
        return None
    assert good.result is not None
    return good.batch, good.result.text


def differing(
    path: Path, batch: int, before: int | None, other: Path | None = None
) -> tuple[dict[str, tuple[object, object]], PairCounts]:
    with open_reader(path) as reader, reader.results.good(batch, before, other) as good:
        pairs = [pair for chunk in good.differing() for pair in chunk]
        counts = good.count()
    return {
        (pair.after or pair.before).item_id: (side(pair.before), side(pair.after))  # type: ignore[union-attr]
        for pair in pairs
    }, counts


@pytest.mark.parametrize("ids", [True, False])
def test_items_are_paired_by_id_or_else_by_their_request(path: Path, driver: Driver, *, ids: bool) -> None:
    first = live(driver, 1, {"a": b"1", "b": b"2", "gone": b"3"}, ids=ids)
    second = live(driver, 2, {"new": b"4", "b": b"5", "a": b"1"}, ids=ids)
    found, counts = differing(path, second, first)
    assert counts == PairCounts(added=1, removed=1, compared=2, carried=0, without=0)
    assert list(found.values()) == [  # in the order of the later manifest, the removed one last
        (None, ("books.2", "4")),
        (("books", "2"), ("books.2", "5")),
        (("books", "3"), None),
    ]
    if ids:
        assert list(found) == ["new", "b", "gone"]


def test_a_failed_item_keeps_its_last_good_result(path: Path, driver: Driver) -> None:
    first = live(driver, 1, {"a": b"1", "never": None})
    second = live(driver, 2, {"a": None, "never": None})
    third = live(driver, 3, {"a": None, "never": b"7"})
    fourth = live(driver, 4, {"a": b"2", "never": b"7"})
    assert differing(path, second, first) == ({}, PairCounts(0, 0, 1, 1, 1))
    assert differing(path, third, second) == (
        {"never": (None, ("books.3", "7"))},
        PairCounts(1, 0, 1, 1, 0),
    )
    assert differing(path, fourth, third) == (
        {"a": (("books", "1"), ("books.4", "2"))},
        PairCounts(0, 0, 2, 0, 0),
    )
    # Between batches that are no neighbours each change is found once, too.
    assert differing(path, third, first)[0] == {"never": (None, ("books.3", "7"))}
    assert differing(path, fourth, first)[0].keys() == {"a", "never"}


def test_an_item_that_has_not_ended_keeps_its_last_good_result(path: Path, driver: Driver) -> None:
    first = live(driver, 1, {"a": b"1"})
    second = begin(driver.journal, row(f"{A}/a", "a"), number=2, chance=b"2222")
    assert differing(path, second, first) == ({}, PairCounts(0, 0, 1, 1, 0))


def test_everything_is_added_to_nothing(path: Path, driver: Driver) -> None:
    first = live(driver, 1, {"a": b"1", "b": None})
    assert differing(path, first, None) == ({"a": (None, ("books", "1"))}, PairCounts(1, 0, 0, 0, 1))


def test_an_item_that_was_left_out_for_a_while_is_removed_and_added(path: Path, driver: Driver) -> None:
    first = live(driver, 1, {"a": b"1", "b": b"1"})
    second = live(driver, 2, {"b": b"1"})
    third = live(driver, 3, {"a": None, "b": b"1"})
    assert differing(path, second, first)[0] == {"a": (("books", "1"), None)}
    assert differing(path, third, second)[0] == {"a": (None, ("books", "1"))}


def test_a_new_id_does_not_make_a_new_item(path: Path, driver: Driver) -> None:
    first = begin(driver.journal, row(f"{A}/a"), row(f"{A}/b", "x"))
    second = begin(driver.journal, row(f"{A}/a", "a"), row(f"{A}/other", "x"), number=2, chance=b"2222")
    for batch in (first, second):
        for item in driver.journal.due(batch, 1e9, 9):
            driver.accept(item.pk)
            driver.finish(item.pk, b"1" if batch == first or item.id == "a" else b"2")
    commit(driver.journal)
    # `a` has the request of an item without an id; `x` is the same item with another request.
    assert differing(path, second, first) == (
        {"x": (("books", "1"), ("books.2", "2"))},
        PairCounts(0, 0, 2, 0, 0),
    )


def test_an_item_that_was_edited_out_of_a_batch_does_not_count(path: Path, driver: Driver) -> None:
    first = live(driver, 1, {"a": b"1", "b": b"1"})
    second = live(driver, 2, {"a": b"1", "b": b"1"})
    edit(driver.journal, second, row(f"{A}/a", "a"))
    assert differing(path, second, first)[0] == {"b": (("books", "1"), None)}
    assert differing(path, first, second)[0] == {"b": (None, ("books", "1"))}


@pytest.fixture
def other(tmp_path: Path) -> Iterator[SqliteJournal]:
    journal = SqliteJournal(tmp_path / "other.db")
    yield journal
    journal.close()


def test_the_batch_of_another_journal(path: Path, driver: Driver, other: SqliteJournal) -> None:
    live(driver, 1, {"a": b"0"})
    here = live(driver, 2, {"a": b"1", "b": b"1", "c": b"1", "fails": None})
    elsewhere = Driver(journal=other)
    live(elsewhere, 1, {"a": b"2"})
    there = live(elsewhere, 2, {"a": None, "b": b"1", "d": b"1", "fails": b"1"})
    found, counts = differing(path, here, there, other.path)
    assert found == {
        "a": (("books", "2"), ("books.2", "1")),
        "c": (None, ("books.2", "1")),
        "d": (("books.2", "1"), None),
    }
    assert counts == PairCounts(added=1, removed=1, compared=2, carried=0, without=1)


def test_another_file_that_is_no_journal(path: Path, driver: Driver, tmp_path: Path) -> None:
    batch = live(driver, 1, {"a": b"1"})
    (tmp_path / "notes.db").write_text("notes")
    with (
        open_reader(path) as reader,
        pytest.raises(StorageFailed, match=r"notes\.db"),
        reader.results.good(batch, 1, tmp_path / "notes.db"),
    ):
        pass


def test_pairs_come_in_chunks(path: Path, driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchfish.journal.records.CHUNK_ROWS", 2)
    first = live(driver, 1, dict.fromkeys("abcde", b"1"))
    second = live(driver, 2, dict.fromkeys("abcde", b"2"))
    with open_reader(path) as reader, reader.results.good(second, first) as good:
        assert [len(chunk) for chunk in good.differing()] == [2, 2, 1]
        assert [len(chunk) for chunk in good.differing()] == [2, 2, 1]


def test_the_batch_before(path: Path, driver: Driver) -> None:
    first, second = live(driver, 1, {"a": b"1"}), live(driver, 2, {"a": b"1"})
    with open_reader(path) as reader:
        before = reader.batch_before(second)
        assert before is not None
        assert before.pk == first
        assert reader.batch_before(first) is None
