"""The first rows of a table as text for a terminal."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchfish.core.results import decode_result
from batchfish.core.rules import OutputRules
from batchfish.errors import StorageFailed, WrongInput
from batchfish.table.columns import plan_columns
from batchfish.table.preview import preview
from batchfish.table.write import write_table
from tests.outcomes import Outcome, in_columns

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = {"type": "object", "properties": {"title": {"type": "string"}, "price": {"type": "number"}}}
PLAN = plan_columns([SCHEMA], [], OutputRules())


def row(number: int, result: bytes | None, reason: str | None = None) -> Outcome:
    status = "failed" if result is None else "succeeded"
    return Outcome(
        item_id=f"b{number}",
        batch="b",
        row=number,
        url="https://books.example/",
        status=status,
        result=None if result is None else decode_result(result),
        reason=reason,
    )


BOOKS = (
    row(1, b'{"title":"Walden","price":7.5}'),
    row(2, '{"title":"草枕","price":12}'.encode()),
    row(3, None, reason="site_blocked"),
)


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
def test_columns_are_chosen_and_aligned(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"out{suffix}"
    write_table(target, PLAN, lambda: iter([in_columns(BOOKS)]))
    assert preview(target, width=50).splitlines() == [
        "item_id  status     title   price  reason",
        "b1       succeeded  Walden    7.5",
        "b2       succeeded  草枕       12",
        "b3       failed              null  site_blocked",
    ]


def test_a_csv_is_shown(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    write_table(target, PLAN, lambda: iter([in_columns(BOOKS)]))
    heading, *rows = preview(target, rows=1, width=200).splitlines()
    assert heading.split() == ["item_id", "status", "title", "price", "url"]
    assert [line.split() for line in rows] == [["b1", "succeeded", "Walden", "7.5", "https://books.example/"]]


def test_without_typed_columns_the_result_itself_is_shown(tmp_path: Path) -> None:
    target = tmp_path / "out.parquet"
    write_table(target, plan_columns([], [], OutputRules()), lambda: iter([in_columns(BOOKS)]))
    assert '{"title":"Walden","price":7.5}' in preview(target)


def test_the_result_comes_before_the_address(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    write_table(target, plan_columns([], [], OutputRules()), lambda: iter([in_columns(BOOKS[:1])]))
    first = preview(target, width=60).splitlines()[1]
    assert first.startswith('b1       succeeded  {"title":"Walden"')
    assert "https" not in first


@pytest.mark.parametrize(
    ("suffix", "heading"), [(".parquet", "item_id"), (".csv", "item_id"), (".jsonl", "")]
)
def test_a_table_without_rows_shows_its_columns(tmp_path: Path, suffix: str, heading: str) -> None:
    target = tmp_path / f"out{suffix}"
    write_table(target, PLAN, lambda: iter([]))
    shown = preview(target)
    assert heading in shown
    assert bool(shown) is bool(heading)


def test_a_column_too_wide_for_the_terminal_is_left_out(tmp_path: Path) -> None:
    target = tmp_path / "out.parquet"
    write_table(target, PLAN, lambda: iter([in_columns(BOOKS)]))
    assert preview(target, width=16).splitlines()[0] == "item_id  title"
    assert preview(target, width=4) == ""


def test_names_that_look_the_same_are_told_apart(tmp_path: Path) -> None:
    target = tmp_path / "out.parquet"
    schema = {"properties": {"a\x00": {"type": "integer"}, "a\x01": {"type": "integer"}}}
    plan = plan_columns([schema], [], OutputRules())
    write_table(target, plan, lambda: iter([in_columns([row(1, b'{"a\\u0000":1,"a\\u0001":2}')])]))
    assert preview(target).splitlines()[0].split()[:4] == ["item_id", "status", "a�", "a��"]


@given(st.text(), st.integers(20, 120))
def test_lines_are_printable_and_fit_the_terminal(
    tmp_path_factory: pytest.TempPathFactory, text: str, width: int
) -> None:
    target = tmp_path_factory.mktemp("table") / "out.jsonl"
    hostile = Outcome(
        item_id="b", batch="b", row=1, url=text, status="\x1b]8;;http://evil\x07" + text, reason="\u202e\x9b"
    )
    write_table(target, plan_columns([], [], OutputRules()), lambda: iter([in_columns([hostile])]))
    for line in preview(target, width=width).split("\n"):
        assert line.isprintable()
        assert (
            sum(
                2 if unicodedata.east_asian_width(char) in "WF" else 1
                for char in line
                if not unicodedata.combining(char)
            )
            <= width
        )


def test_a_long_value_is_cut(tmp_path: Path) -> None:
    target = tmp_path / "out.parquet"
    write_table(target, PLAN, lambda: iter([in_columns([row(1, b'{"title":"' + b"x" * 500 + b'"}')])]))
    assert "x…" in preview(target)
    assert max(map(len, preview(target).splitlines())) <= 100


@pytest.mark.parametrize("name", ["none.parquet", "none.csv", "none.jsonl", "bad.parquet", "bad.jsonl"])
def test_a_file_that_cannot_be_read_is_reported(tmp_path: Path, name: str) -> None:
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 not really")
    (tmp_path / "bad.jsonl").write_bytes(b"{")
    with pytest.raises(StorageFailed, match="could not be read"):
        preview(tmp_path / name)


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongInput, match=r"\.parquet"):
        preview(tmp_path / "out.xlsx")
