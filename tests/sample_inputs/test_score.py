"""The score of a demo table: each value is right, missed or wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tests.sample_inputs import score
from tests.sample_inputs.score import Mark

if TYPE_CHECKING:
    from pathlib import Path

ANSWERS: dict[str, Any] = {
    "city-cork": {"result": {"name": "Cork", "population": 224004, "founded_year": None}},
    "book-kim": {"result": {"title": "Kim; a novel", "in_stock": True, "price": 8.0}},
    "contact-mill": {"result": {"phone": "01632 960117"}, "also": {"phone": ["+441632960117"]}},
    "peaks-alps": {"result": {"mountains": [{"name": "Dom", "height_m": 4545}]}},
    "missing-page": {"failure": "not_found", "mentions": ["404"]},
}
GOOD: dict[str, Any] = {
    "city-cork": {"name": "Cork", "population": 224004, "founded_year": None},
    "book-kim": {"title": "Kim: A Novel", "in_stock": True, "price": 8},
    "contact-mill": {"phone": "+441632960117"},
    "peaks-alps": {"mountains": [{"name": "Dom", "height_m": 4545}]},
}


def make_rows(**changes: object) -> dict[str, Any]:
    """Make the rows of a table that is right but for the results that are given (None: the item failed)."""
    results = GOOD | {name.replace("_", "-"): result for name, result in changes.items()}
    rows: dict[str, Any] = {
        item: {
            "item_id": item,
            "status": "failed" if result is None else "succeeded",
            "reason": "agent_failure" if result is None else None,
            "result": None if result is None else json.dumps(result),
            "error_message": None,
        }
        for item, result in results.items()
    }
    failed: dict[str, Any] = {"item_id": "missing-page", "status": "failed", "reason": "agent_failure"}
    return {"missing-page": failed | {"result": None, "error_message": "the server answered 404"}} | rows


def mark(rows: dict[str, Any]) -> dict[str, Mark]:
    """Mark a table, and keep what is not right."""
    findings = score.compare(ANSWERS, rows)
    return {f"{each.item} {each.path}".strip(): each.mark for each in findings if each.mark is not Mark.RIGHT}


def test_punctuation_and_spelling_of_numbers_do_not_matter() -> None:
    assert mark(make_rows()) == {}
    assert score.is_good(list(score.compare(ANSWERS, make_rows())))


@pytest.mark.parametrize(
    ("changes", "marks"),
    [
        (
            {"city_cork": {"name": "Cork", "population": 224005, "founded_year": None}},
            {"city-cork population": Mark.WRONG},
        ),
        (
            {"city_cork": {"name": "Cork", "population": None, "founded_year": None}},
            {"city-cork population": Mark.MISSED},
        ),
        (
            {"city_cork": {"name": "Cork", "population": 224004, "founded_year": 915}},
            {"city-cork founded_year": Mark.WRONG},
        ),
        (
            {"book_kim": {"title": "Kim; a novel", "in_stock": 1, "price": 8}},
            {"book-kim in_stock": Mark.WRONG},
        ),
        ({"book_kim": {"title": "Kim", "in_stock": True, "price": 8}}, {"book-kim title": Mark.WRONG}),
        ({"contact_mill": {"phone": "01632 960118"}}, {"contact-mill phone": Mark.WRONG}),
        (
            {
                "peaks_alps": {
                    "mountains": [{"name": "Dom", "height_m": 4545}, {"name": "Eiger", "height_m": 3967}]
                }
            },
            {"peaks-alps mountains.1.name": Mark.WRONG, "peaks-alps mountains.1.height_m": Mark.WRONG},
        ),
        (
            {"peaks_alps": {"mountains": []}},
            {
                "peaks-alps mountains.0.name": Mark.MISSED,
                "peaks-alps mountains.0.height_m": Mark.MISSED,
            },
        ),
    ],
)
def test_an_absent_value_is_missed_and_another_is_wrong(
    changes: dict[str, object], marks: dict[str, Mark]
) -> None:
    assert mark(make_rows(**changes)) == marks


def test_all_values_of_a_failed_readable_page_are_missed() -> None:
    assert set(mark(make_rows(city_cork=None)).values()) == {Mark.MISSED}
    assert len(mark(make_rows(city_cork=None))) == 3


def test_a_page_that_must_fail_has_to_say_why() -> None:
    assert mark(make_rows(missing_page={"title": "The Lost Folio"})) == {"missing-page": Mark.WRONG}
    assert mark(make_rows(missing_page=None)) == {"missing-page": Mark.MISSED}


def test_one_wrong_value_makes_a_table_bad() -> None:
    many = {f"city-{n}": {"result": {"name": "Cork"}} for n in range(1000)}
    rows: dict[str, dict[str, Any]]
    rows = {item: {"status": "succeeded", "result": '{"name": "Cork"}'} for item in many}
    assert score.is_good(list(score.compare(many, rows)))
    rows["city-7"] = {"status": "failed", "result": None}
    assert score.is_good(list(score.compare(many, rows)))
    rows["city-7"] = {"status": "succeeded", "result": '{"name": "Cobh"}'}
    assert not score.is_good(list(score.compare(many, rows)))
    assert not score.is_good(list(score.compare(ANSWERS, make_rows(missing_page={"title": "?"}))))


def test_pages_in_other_languages_may_fail_but_not_be_wrong() -> None:
    answers: dict[str, Any] = {"city-cork": ANSWERS["city-cork"], "stadt-bonn": {"result": {"name": "Bonn"}}}
    assert score.is_good(list(score.compare(answers, make_rows(stadt_bonn=None))))
    assert not score.is_good(list(score.compare(answers, make_rows(stadt_bonn={"name": "Köln"}))))


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_tables_of_every_format_are_read(tmp_path: Path, suffix: str) -> None:
    table = pl.DataFrame(list(make_rows().values()))
    path = tmp_path / f"table{suffix}"
    match suffix:
        case ".parquet":
            table.write_parquet(path)
        case ".csv":
            table.write_csv(path)
        case _:
            table.write_ndjson(path)
    assert mark(score.read_table(path)) == {}
