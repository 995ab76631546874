"""Which list of a page is meant."""

from __future__ import annotations

from typing import Any

from tests.localagent.page.pages import NULL, look, records, schema

DISH = '<div class="dish"><span class="dish-name">{0}</span><span class="dish-price">{1}</span>{2}</div>'
NOTHING: dict[str, Any] = {"type": "string", **NULL}
NOTE = '<p class="dish-note">{0}</p>'


def test_a_list_in_sections_is_read_as_a_whole() -> None:
    first = DISH.format("Soup", "6.00", "") + DISH.format("Eel", "8.50", NOTE.format("with apple"))
    second = DISH.format("Carp", "19.00", NOTE.format("for two")) + DISH.format(
        "Pie", "21.00", NOTE.format("hot")
    )
    body = f"<section><h2>Starters</h2>{first}</section><section><h2>Mains</h2>{second}</section>"
    found = records(body, name="string", price="number", note={"type": "string", **NULL})
    assert [one["name"] for one in found] == ["Soup", "Eel", "Carp", "Pie"]


def test_a_field_that_may_be_null_and_is_found_nowhere_is_null_in_every_record() -> None:
    body = DISH.format("Soup", "6.00", "") + DISH.format("Eel", "8.50", "")
    nullable = dict.fromkeys(("wine", "chef", "origin"), NOTHING)
    assert records(body, name="string", price="number", **nullable) == [
        {"name": "Soup", "price": 6, "wine": None, "chef": None, "origin": None},
        {"name": "Eel", "price": 8.5, "wine": None, "chef": None, "origin": None},
    ]


def test_but_a_list_of_names_alone_is_not_a_list_of_all_that_is_wanted() -> None:
    nullable = dict.fromkeys(("wine", "chef", "origin"), NOTHING)
    assert records("<ul><li>Soup</li><li>Eel</li><li>Pie</li></ul>", name="string", **nullable) is None


def test_an_object_that_is_all_that_is_wanted_is_what_the_page_is_about() -> None:
    body = '<h1>Carp</h1><p class="price">£8</p><p class="dish-size">small</p>'
    reading = look(body, dish=schema(name="string", price="number", dish_size="string"))
    assert reading.result == {"dish": {"name": "Carp", "price": 8, "dish_size": "small"}}
