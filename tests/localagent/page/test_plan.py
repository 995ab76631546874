"""What the names of properties ask for."""

from __future__ import annotations

import pytest

from batchfish.localagent.page.plan import Wanted, plan
from tests.localagent.page.pages import look


def wanted(name: str, thing: str = "", kind: str = "string", **schema: object) -> Wanted:
    (one,) = plan({"type": "object", "properties": {name: {"type": kind, **schema}}}, thing)
    return one


@pytest.mark.parametrize(
    ("name", "thing", "alias"),
    [
        ("lake_type", "lake", "type"),
        ("boat_name", "boats", "name"),
        ("ticket_price", "", "price"),
        ("price_per_night", "", "price"),
        ("reserve_team", "matches", "reserve"),
    ],
)
def test_a_name_may_say_what_the_field_belongs_to(name: str, thing: str, alias: str) -> None:
    field = wanted(name, thing)
    assert alias in [one.phrase for one in (*field.aliases, *field.fallbacks)]


def test_the_name_of_another_thing_is_kept() -> None:
    assert wanted("company_name").aliases == ()


def test_the_first_text_names_the_things_of_a_list_where_none_is_called_a_name() -> None:
    assert "name" in wanted("model", "bikes").senses
    assert "name" not in wanted("colour", "bikes").senses


def test_a_format_that_is_not_known_leaves_a_text() -> None:
    assert wanted("site", format="uri").kind == "text"


def test_the_largest_of_a_measure_will_do_where_nothing_is_called_so() -> None:
    deep = "<p>Max. length: 38 km</p>"
    assert look(deep, length_km="number").result == {"length_km": 38}
    assert look(f"{deep}<p>Length: 30 km</p>", length_km="number").result == {"length_km": 30}
    assert look("<p>Max. price: £9</p>", price="number").code == "LOCAL_NOT_FOUND"


@pytest.mark.parametrize(
    ("name", "unit", "bound"),
    [
        ("cook_min", "minutes", "lower"),
        ("total_time_min", "minutes", "lower"),
        ("salary_min", None, "lower"),
        ("price_max", None, "upper"),
        ("price_from", None, "lower"),
        ("price_to", None, "upper"),
        ("age_high", None, "upper"),
        ("weight", None, ""),
    ],
)
def test_min_is_minutes_of_what_takes_time_and_else_the_least(
    name: str, unit: str | None, bound: str
) -> None:
    one = wanted(name, kind="number")
    assert one.unit == unit
    assert unit or one.bound == bound
    assert wanted(name).bound == "", "a text has no ends"


def test_an_end_of_a_range_stands_under_the_name_of_the_whole() -> None:
    body = "<dl><dt>Salary</dt><dd>£24,000 – £29,000 a year</dd><dt>Cooking time</dt><dd>20 min</dd></dl>"
    assert look(body, salary_min="number", cook_min="number").result == {"salary_min": 24000, "cook_min": 20}
    assert look(body, salary_max="number").result == {"salary_max": 29000}


def test_a_title_will_do_for_the_first_text_of_a_page_that_says_no_name() -> None:
    body = "<h1>Wurblefish</h1><dl><dt>Habitat</dt><dd>Reefs</dd></dl>"
    assert look(body, species="string", habitat="string").result == {
        "species": "Wurblefish",
        "habitat": "Reefs",
    }
    assert look(body, habitat="string", species="string").code == "LOCAL_NOT_FOUND"


def test_the_fare_of_some_stands_under_what_they_are_called() -> None:
    body = "<dl><dt>Adults</dt><dd>£12</dd><dt>Children</dt><dd>£5</dd></dl>"
    assert look(body, adult_fare="number", fee_children="number").result == {
        "adult_fare": 12,
        "fee_children": 5,
    }


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        (("category", "price"), "category"),
        (("category", "title"), "title"),
        (("category", "wurble"), "wurble"),
        (("price", "wurble"), ""),
    ],
)
def test_what_sorts_things_names_them_where_nothing_else_does(fields: tuple[str, ...], named: str) -> None:
    asked = plan({"type": "object", "properties": {name: {"type": "string"} for name in fields}}, "tickets")
    assert "".join(one.name for one in asked if "name" in one.senses) == named


def test_but_not_for_what_nobody_takes_for_a_name() -> None:
    body = "<h1>Wurblefish</h1><dl><dt>Habitat</dt><dd>Reefs</dd></dl>"
    assert look(body, zorpness="string", habitat="string").code == "LOCAL_NOT_FOUND"
