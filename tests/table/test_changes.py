"""The rows of a table of changes, read from pairs of results."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from batchfish.core.outcomes import GoodResult, ResultPair
from batchfish.core.results import decode_result
from batchfish.core.rules import ColumnComparison, OutputRules
from batchfish.table.changes import ChangeReader, ChangeRow
from batchfish.table.columns import plan_columns
from batchfish.table.frames import FRAME_ROWS, frames_of_changes, schema_of_changes
from batchfish.table.write import write_frames

if TYPE_CHECKING:
    from pathlib import Path

BOOK = {
    "type": "object",
    "properties": {
        "title": {"type": "string"},
        "price": {"type": "number"},
        "pages": {"type": "integer"},
        "seen": {"type": "string", "format": "date-time"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "url": {"type": "string"},
    },
}
SHELF = {"type": "object", "properties": {"books": {"type": "array", "items": BOOK}}}
NAMES = {"type": "object", "properties": {"names": {"type": "array", "items": {"type": "string"}}}}


def good(result: object, batch: str) -> GoodResult | None:
    if result is None:
        return None
    return GoodResult(
        item_id="b1",
        batch=batch,
        url="https://books.example/1",
        result=decode_result(result if isinstance(result, bytes) else json.dumps(result).encode()),
    )


def rows(
    before: object,
    after: object,
    schema: dict[str, Any] | None = BOOK,
    explode: str | None = None,
    **comparisons: ColumnComparison,
) -> list[ChangeRow]:
    plan = plan_columns([] if schema is None else [schema], [], OutputRules(explode=explode))
    pair = ResultPair(good(before, "books"), good(after, "books.2"))
    return list(ChangeReader(plan, comparisons).read(pair))


def brief(changes: list[ChangeRow]) -> list[tuple[object, ...]]:
    return [
        (row.record_index, row.change, row.column, row.before, row.after, row.difference) for row in changes
    ]


def test_a_cell_that_changed() -> None:
    assert rows({"title": "Kim", "price": 2}, {"title": "Kim", "price": 1.5}) == [
        ChangeRow(
            item_id="b1",
            record_index=None,
            url="https://books.example/1",
            change="changed",  # type: ignore[arg-type]
            column="price",
            before=2.0,
            after=1.5,
            difference=-0.5,
            before_batch="books",
            after_batch="books.2",
        )
    ]


def test_values_are_compared_as_their_columns_have_them() -> None:
    before = {"price": 2, "pages": 12, "seen": "2026-01-01T12:00:00Z", "tags": ["a", "b"], "more": 1}
    after = {"tags": ["a", "b"], "seen": "2026-01-01T13:00:00+01:00", "pages": 12.0, "price": 2.0, "more": 2}
    assert rows(before, after) == []


def test_items_that_came_and_went_hold_their_result() -> None:
    (added,) = rows(None, {"title": "Kim"})
    assert (added.change, added.column, added.before, added.after) == (
        "added",
        None,
        None,
        '{"title": "Kim"}',
    )
    assert (added.before_batch, added.after_batch) == (None, "books.2")
    (removed,) = rows({"title": "Kim"}, None)
    assert (removed.change, removed.before, removed.after) == ("removed", '{"title": "Kim"}', None)
    assert rows(None, None) == []


def test_tolerances_and_ignored_columns() -> None:
    before, after = {"price": 2, "pages": 5, "seen": "x"}, {"price": 2.01, "pages": 6, "seen": "y"}
    price, seen = ColumnComparison(tolerance=0.01), ColumnComparison(use="ignore")
    assert [row.column for row in rows(before, after, price=price, seen=seen)] == ["pages"]


def test_a_property_named_as_a_fixed_column_is_compared_by_its_own_name() -> None:
    assert [row.column for row in rows({"url": "a"}, {"url": "b"})] == ["result_url"]
    assert rows({"url": "a"}, {"url": "b"}, url=ColumnComparison(use="ignore")) == []


def test_a_value_that_does_not_fit_its_column_is_compared_as_text() -> None:
    assert brief(rows({"pages": 2**70}, {"pages": 2**70 + 1})) == [
        (None, "changed", "pages", str(2**70), str(2**70 + 1), None)
    ]
    assert rows({"pages": 2**70}, {"pages": 2**70}) == []


def test_without_a_schema_the_members_are_the_columns() -> None:
    before = {"title": "Kim", "price": 2, "shop": {"a": 1, "b": 2}, "old": 1}
    after = {"title": "Kim", "price": 3, "shop": {"b": 2, "a": 1}, "new": None}
    assert brief(rows(before, after, None)) == [
        (None, "changed", "price", "2", "3", 1.0),
        (None, "changed", "old", "1", None, None),
    ]
    assert (
        rows(before, after, None, old=ColumnComparison(use="ignore"), price=ColumnComparison(tolerance=1))
        == []
    )


def test_without_a_schema_a_value_without_members_is_one_cell() -> None:
    assert brief(rows("Kim", "Emma", None)) == [(None, "changed", "result", "Kim", "Emma", None)]
    assert brief(rows([1], {"a": 1}, None)) == [
        (None, "changed", "result", "[1]", None, None),
        (None, "changed", "a", None, "1", None),
    ]


def shelf(*books: tuple[str, float]) -> dict[str, object]:
    return {"books": [{"title": title, "price": price} for title, price in books], "read": "today"}


def test_records_of_an_exploded_list() -> None:
    before = shelf(("Kim", 1), ("Emma", 2), ("Dracula", 3))
    after = shelf(("Emma", 2), ("Walden", 9), ("Kim", 1.5))
    explode = "result.books"
    assert brief(rows(before, after, SHELF, explode, title=ColumnComparison(use="key"))) == [
        (1, "added", None, None, '{"title": "Walden", "price": 9}', None),
        (2, "changed", "price", 1.0, 1.5, 0.5),
        (2, "removed", None, '{"title": "Dracula", "price": 3}', None, None),
    ]
    assert len(rows(before, after, SHELF, explode)) == 6  # by their order, every cell differs
    assert [row.record_index for row in rows(None, after, SHELF, explode)] == [0, 1, 2]
    assert brief(rows(shelf(), shelf(("Kim", 1)), None, explode)) == [
        (0, "added", None, None, '{"title": "Kim", "price": 1}', None)
    ]
    assert rows(shelf(), {**shelf(), "read": "tomorrow"}, None, explode) == []


def test_records_that_are_no_objects() -> None:
    before, after = {"names": ["Kim", "Emma"]}, {"names": ["Kim", "Nora"]}
    assert brief(rows(before, after, NAMES, "result.names")) == [
        (1, "changed", "names", "Emma", "Nora", None)
    ]
    ignored = ColumnComparison(use="ignore")
    assert rows(before, after, NAMES, "result.names", names=ignored) == []


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_a_file_of_changes(tmp_path: Path, suffix: str) -> None:
    found = rows({"price": 2, "title": "=1+1"}, {"price": 1.5, "title": "Kim"}) * FRAME_ROWS
    target = tmp_path / f"changes{suffix}"
    report = write_frames(
        target,
        schema_of_changes(is_exploded=False),
        lambda: frames_of_changes(iter(found), is_exploded=False),
    )
    assert report.rows == len(found) == 2 * FRAME_ROWS
    match suffix:
        case ".parquet":
            table = pl.read_parquet(target)
            assert dict(table.schema) == schema_of_changes(is_exploded=False)
        case ".csv":
            table = pl.read_csv(target, schema=schema_of_changes(is_exploded=False))
        case _:
            table = pl.read_ndjson(target)
    assert table.row(1, named=True) == {
        "item_id": "b1",
        "url": "https://books.example/1",
        "change": "changed",
        "column": "price",
        "before": "2",
        "after": "1.5",
        "difference": -0.5,
        "before_batch": "books",
        "after_batch": "books.2",
    }
    assert table.row(0, named=True)["before"] == ("'=1+1" if suffix == ".csv" else "=1+1")


def test_an_exploded_table_has_the_index_of_each_record(tmp_path: Path) -> None:
    found = rows(shelf(("Kim", 1)), shelf(("Kim", 2)), SHELF, "result.books")
    (frame,) = frames_of_changes(found, is_exploded=True)
    assert frame.columns[:3] == ["item_id", "record_index", "url"]
    assert frame["record_index"].to_list() == [0]
    assert list(frames_of_changes([], is_exploded=True)) == []
    assert list(schema_of_changes(is_exploded=True)) == frame.columns
