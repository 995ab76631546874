"""Columns that are left: a field that must be there takes the one that can be it."""

from __future__ import annotations

from typing import Any

from tests.localagent.page.pages import NULL, records
from tests.localagent.page.test_tables import table

TEXT: dict[str, Any] = {"type": "string", **NULL}
COUNT: dict[str, Any] = {"type": "integer", **NULL}
ROW = "<li><h3>{0}</h3><b>£{1}</b><i>{2}</i></li>"
SHELF = "<ul>" + ROW.format("Arc", 9, "oak") + ROW.format("Nord", 7, "ash") + "</ul>"


def head(*names: str) -> str:
    return "<tr>" + "".join(f"<th>{name}</th>" for name in names) + "</tr>"


def test_a_field_that_may_not_be_null_takes_the_one_column_that_is_left() -> None:
    assert records(SHELF, name="string", price="number", timber="string") == [
        {"name": "Arc", "price": 9, "timber": "oak"},
        {"name": "Nord", "price": 7, "timber": "ash"},
    ]


def test_a_bare_number_is_what_is_left_of_a_number_that_must_be_there() -> None:
    rows = (("Arc", "31", "£9"), ("Nord", "12", "£7"), ("Reed", "4", "£5"))
    body = table(*rows, head=head("Name", "Wurble", "Price"))
    assert records(body, name="string", price="number", zorps="integer") == [
        {"name": "Arc", "price": 9, "zorps": 31},
        {"name": "Nord", "price": 7, "zorps": 12},
        {"name": "Reed", "price": 5, "zorps": 4},
    ]
    zorps = [one["zorps"] for one in records(body, name="string", price="number", zorps=COUNT)]
    assert zorps == [None, None, None], "a number that may be null is not guessed"


def test_of_several_columns_left_it_is_the_one_whose_label_shares_a_word() -> None:
    rows = (("Arc", "£9", "brown", "round"), ("Nord", "£7", "grey", "flat"))
    body = table(*rows, head=head("Name", "Price", "Grip", "Lid"))
    found = records(body, name="string", price="number", handle_grip="string")
    assert [one["handle_grip"] for one in found] == ["brown", "grey"]
    assert records(body, name="string", price="number", handle_knob="string") is None


def test_of_two_fields_that_may_be_null_none_is_filled_by_guess() -> None:
    assert records(SHELF, name="string", price="number", timber=TEXT, zorps=COUNT) == [
        {"name": "Arc", "price": 9, "timber": None, "zorps": None},
        {"name": "Nord", "price": 7, "timber": None, "zorps": None},
    ]


def test_a_table_of_as_many_columns_as_fields_gives_them_in_order() -> None:
    rows = (("Arc", "£9", "brown", "round"), ("Nord", "£7", "grey", "flat"))
    body = table(*rows, head=head("Name", "Price", "Wurble", "Blimp"))
    asked = dict.fromkeys(("name", "price", "tint", "form_factor"), "string")
    assert records(body, **asked) == [
        {"name": "Arc", "price": "£9", "tint": "brown", "form_factor": "round"},
        {"name": "Nord", "price": "£7", "tint": "grey", "form_factor": "flat"},
    ]
    assert records(body, name="string", tint="string", price="number", form_factor="string") is None


def test_the_one_text_left_may_be_lacking_in_some_records() -> None:
    body = (
        "<ul>"
        + ROW.format("Arc", 9, "oak")
        + "<li><h3>Reed</h3><b>£5</b></li>"
        + ROW.format("Nord", 7, "ash")
    )
    assert [one["timber"] for one in records(f"{body}</ul>", name="string", price="number", timber=TEXT)] == [
        "oak",
        None,
        "ash",
    ]


def test_hours_are_left_only_where_a_time_of_day_is() -> None:
    assert records(SHELF, name="string", price="number", hours="string") is None


def test_a_column_known_to_be_something_else_is_not_taken_for_its_place() -> None:
    rows = (("Arc", "£9", "Norway", "round"), ("Nord", "£7", "Finland", "flat"))
    body = table(*rows, head=head("Name", "Price", "Country", "Blimp"))
    assert records(body, name="string", price="string", colour="string", material="string") is None
    assert [
        one["tint"] for one in records(body, name="string", price="string", tint="string", form="string")
    ] == [
        "Norway",
        "Finland",
    ]
