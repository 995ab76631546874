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
