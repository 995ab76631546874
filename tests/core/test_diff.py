"""Comparison of two results of an item: which records and cells count as changed."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchfish.core.diff import (
    Cell,
    CellChange,
    ComparedColumn,
    Kind,
    Record,
    RecordChange,
    compare_cells,
    compare_results,
    spell_cell,
)
from batchfish.core.rules import ColumnComparison

NOON = datetime(2026, 2, 28, 12, tzinfo=UTC)


def column(name: str = "price", *, is_json: bool = False, **comparison: object) -> ComparedColumn:
    return ComparedColumn(
        name=name,
        comparison=ColumnComparison(**comparison),  # type: ignore[arg-type]
        is_json=is_json,
    )


def record(index: int | None, *cells: Cell) -> Record:
    return Record(index, f"record {index}", cells)


@pytest.mark.parametrize(
    ("before", "after", "difference"),
    [
        (12.99, 9.99, -3.0),
        (1, 3, 2.0),
        (2**62, 2**62 + 1, 1.0),
        (1e308, -1e308, None),  # no Float64 holds it
        (None, 1.5, None),
        (1.5, None, None),
        ("Kim", "Emma", None),
        ("12", "13", None),  # texts, whatever they look like
        (True, False, None),
        (NOON, NOON.replace(hour=13), None),
        (date(2026, 1, 1), date(2026, 1, 2), None),
        ("", None, None),
    ],
)
def test_values_that_differ(before: Cell, after: Cell, difference: float | None) -> None:
    assert compare_cells(column(), before, after) == CellChange("price", before, after, difference)


@pytest.mark.parametrize("value", [None, "Kim", 1, 1.5, True, NOON, date(2026, 1, 1)])
def test_a_value_equals_itself(value: Cell) -> None:
    assert compare_cells(column(), value, value) is None


@pytest.mark.parametrize(
    ("tolerance", "is_percent", "before", "after", "is_changed"),
    [
        (0.01, False, 1.09, 1.10, False),  # as decimals; as floats they are further apart
        (0.01, False, 1.09, 1.11, True),
        (0.01, False, 5, 5.01, False),
        (1, True, 200.0, 202.0, False),
        (1, True, 200.0, 202.01, True),
        (1, True, -200.0, -202.0, False),
        (50, True, 0.0, 0.001, True),  # a share of nothing
        (1000, False, None, 1.0, True),
        (1000, False, "a", "b", True),
    ],
)
def test_numbers_within_the_tolerance_are_equal(
    tolerance: float, before: Cell, after: Cell, *, is_percent: bool, is_changed: bool
) -> None:
    rule = column(tolerance=tolerance, is_percent=is_percent)
    assert (compare_cells(rule, before, after) is not None) == is_changed


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(0, 1e6))
def test_a_tolerance_never_hides_more_than_it_says(before: float, tolerance: float) -> None:
    rule = column(tolerance=tolerance)
    assert compare_cells(rule, before, before) is None
    change = compare_cells(rule, before, before + 4 * tolerance + 1)
    assert change is not None or abs(before) > 1e12


@pytest.mark.parametrize(
    ("before", "after", "is_changed"),
    [
        ('{"a": 1, "b": [1, 2]}', '{"b":[1,2.0],"a":1}', False),
        ("[1, 2]", "[2, 1]", True),
        ("[true]", "[1]", True),
        ("[1]", "[1, 1]", True),
        ('{"a": null}', "{}", True),
        ("12.5", "12.50", False),
        ("12.5", "13", True),
        ("1e400", "1e401", True),
        ("-", "--", True),
        ("[" * 5000, "[" * 5001, True),
    ],
)
def test_json_is_compared_by_its_value(before: str, after: str, *, is_changed: bool) -> None:
    assert (compare_cells(column(is_json=True), before, after) is not None) == is_changed


def test_json_numbers_have_a_difference() -> None:
    assert compare_cells(column(is_json=True), "12.5", "13") == CellChange("price", "12.5", "13", 0.5)


def test_an_ignored_column_never_changes() -> None:
    assert compare_cells(column(use="ignore"), 1.0, 2.0) is None


def changes(
    before: list[Record] | None, after: list[Record] | None, *columns: ComparedColumn
) -> list[RecordChange]:
    return list(compare_results(before, after, columns or (column("sku"), column("price"))))


def test_a_result_that_was_not_there_is_added_and_one_that_is_gone_is_removed() -> None:
    whole = [record(None, "a", 1.0)]
    assert changes(None, whole) == [RecordChange(Kind.ADDED, None, "record None")]
    assert changes(whole, None) == [RecordChange(Kind.REMOVED, None, "record None")]
    assert changes(None, None) == []


def test_the_cells_of_two_whole_results() -> None:
    assert changes([record(None, "a", 1.0)], [record(None, "b", 1.5)]) == [
        RecordChange(
            Kind.CHANGED,
            None,
            cells=[CellChange("sku", "a", "b"), CellChange("price", 1.0, 1.5, 0.5)],
        )
    ]
    assert changes([record(None, "a", 1.0)], [record(None, "a", 1.0)]) == []


def test_records_without_a_key_are_paired_by_their_order() -> None:
    before = [record(0, "a", 1.0), record(1, "b", 2.0)]
    after = [record(0, "a", 1.5), record(1, "b", 2.0), record(2, "c", 3.0)]
    assert changes(before, after) == [
        RecordChange(Kind.CHANGED, 0, cells=[CellChange("price", 1.0, 1.5, 0.5)]),
        RecordChange(Kind.ADDED, 2, "record 2"),
    ]
    assert changes(after, before)[-1] == RecordChange(Kind.REMOVED, 2, "record 2")


def test_records_are_paired_by_their_key() -> None:
    before = [record(0, "a", 1.0), record(1, "b", 2.0), record(2, "c", 3.0)]
    after = [record(0, "new", 9.0), record(1, "c", 3.0), record(2, "a", 1.5)]
    assert changes(before, after, column("sku", use="key"), column("price")) == [
        RecordChange(Kind.ADDED, 0, "record 0"),
        RecordChange(Kind.CHANGED, 2, cells=[CellChange("price", 1.0, 1.5, 0.5)]),
        RecordChange(Kind.REMOVED, 1, "record 1"),
    ]


def test_records_of_the_same_key_are_paired_by_their_order() -> None:
    before = [record(0, "a", 1.0), record(1, "a", 2.0)]
    after = [record(0, "a", 1.0), record(1, "a", 5.0)]
    assert changes(before, after, column("sku", use="key"), column("price")) == [
        RecordChange(Kind.CHANGED, 1, cells=[CellChange("price", 2.0, 5.0, 3.0)])
    ]


def test_an_empty_list_has_no_record() -> None:
    """Its item has one row in the table, without an index: it is not a record that is added or removed."""
    empty = [record(None, None, None)]
    listed = [record(0, "a", 1.0)]
    assert changes(empty, listed) == [RecordChange(Kind.ADDED, 0, "record 0")]
    assert changes(listed, empty) == [RecordChange(Kind.REMOVED, 0, "record 0")]
    assert changes(empty, empty) == []


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, None),
        ("Kim", "Kim"),
        (True, "true"),
        (12, "12"),
        (12.0, "12"),
        (12.5, "12.5"),
        (1e300, "1e+300"),
        (NOON, "2026-02-28T12:00:00Z"),
        (date(2026, 2, 28), "2026-02-28"),
    ],
)
def test_cells_as_text(cell: Cell, text: str | None) -> None:
    assert spell_cell(cell) == text
