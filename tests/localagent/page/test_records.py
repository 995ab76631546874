"""The records of a group: what is one of them, and what they may lack."""

from __future__ import annotations

from typing import Any

from tests.localagent.page.pages import NULL, look, records, schema

DISH = '<div class="dish"><span class="dish-name">{0}</span><span class="dish-price">{1}</span>{2}</div>'
NOTHING: dict[str, Any] = {"type": "string", **NULL}


def test_a_field_that_may_be_null_and_is_found_nowhere_is_null_in_every_record() -> None:
    body = DISH.format("Soup", "6.00", "") + DISH.format("Eel", "8.50", "")
    nullable = dict.fromkeys(("wine", "chef", "origin"), NOTHING)
    assert records(body, name="string", price="number", **nullable) == [
        {"name": "Soup", "price": 6, "wine": None, "chef": None, "origin": None},
        {"name": "Eel", "price": 8.5, "wine": None, "chef": None, "origin": None},
    ]


def test_an_object_that_is_all_that_is_wanted_is_what_the_page_is_about() -> None:
    body = '<h1>Carp</h1><p class="price">£8</p><p class="dish-size">small</p>'
    reading = look(body, dish=schema(name="string", price="number", dish_size="string"))
    assert reading.result == {"dish": {"name": "Carp", "price": 8, "dish_size": "small"}}


TILE = (
    '<div class="tile">{0}<a href="/{1}"><img src="/{1}.jpg"></a><div><p><a href="/{1}">{1}</a></p>'
    "<p>{2}</p><p>{3}</p></div><div><span>${4}</span></div></div>"
)
TILES = "".join(
    TILE.format(*tile)
    for tile in (
        ("", "Salt", "Oona Delacroix", "Paperback", "14.99"),
        ("<span>Sponsored</span>", "Millionaire", "Chad Brixton", "Hardcover", "19.99"),
        ("", "Fog", "M. R. Tennant", "Hardcover", "22.00"),
        ("", "Tidal", "Mina Castellan", "Paperback", "12.99"),
    )
)


def test_what_somebody_paid_for_is_no_record_and_bindings_are_told_by_their_words() -> None:
    assert records(
        f"<div>{TILES}</div>", title="string", author="string", format="string", price="number"
    ) == [
        {"title": "Salt", "author": "Oona Delacroix", "format": "Paperback", "price": 14.99},
        {"title": "Fog", "author": "M. R. Tennant", "format": "Hardcover", "price": 22},
        {"title": "Tidal", "author": "Mina Castellan", "format": "Paperback", "price": 12.99},
    ]


def test_what_somebody_paid_for_is_a_record_where_that_is_asked() -> None:
    found = records(f"<div>{TILES}</div>", title="string", price="number", is_sponsored="boolean")
    assert [one["is_sponsored"] for one in found] == [False, True, False, False]


def test_a_flag_in_another_language_is_one_too() -> None:
    card = '<article><h2><a href="/{0}">{0}</a></h2><span class="price">{1} €</span><ul>{2}</ul></article>'
    flag = '<li class="product-flag">Nouveau</li>'
    body = "".join(
        card.format(*one) for one in (("Savon", "9,90", ""), ("Huile", "12,72", flag), ("Bol", "8", ""))
    )
    assert records(f"<div>{body}</div>", name="string", price="number", is_new="boolean") == [
        {"name": "Savon", "price": 9.9, "is_new": False},
        {"name": "Huile", "price": 12.72, "is_new": True},
        {"name": "Bol", "price": 8, "is_new": False},
    ]


def test_what_a_thing_is_numbered_by_may_stand_at_the_end_of_a_sentence() -> None:
    card = (
        '<div class="card"><a class="product-name" href="/{0}">{0}</a><p>Für viele Jahre. Artikel-Nr. {1}</p>'
    )
    after = '<p class="price">{2} €</p><div class="delivery-status">Lieferzeit {3} Tage</div></div>'
    pots = (
        ("Bräter", "SW10211", "89,95", 2),
        ("Messer", "SW10305", "64", 5),
        ("Löffel", "SW10087", "12,50", 3),
    )
    body = "".join((card + after).format(*pot) for pot in pots)
    found = records(body, name="string", article_number="string", price_eur="number", delivery="string")
    assert [(one["article_number"], one["delivery"]) for one in found] == [
        ("SW10211", "2 Tage"),
        ("SW10305", "5 Tage"),
        ("SW10087", "3 Tage"),
    ]


def test_a_record_of_a_table_may_lack_all_that_may_be_null() -> None:
    head = "<tr><th>Name</th><th>Wurble</th><th>Blimp</th><th>Notes</th></tr>"
    rows = (("Arc", "oak", "round", "old"), ("Bay", "", "", ""), ("Cay", "elm", "flat", "new"))
    cells = "".join("<tr>" + "".join(f"<td>{one}</td>" for one in row) + "</tr>" for row in rows)
    asked = dict.fromkeys(("wurble", "blimp", "notes"), NOTHING)
    found = records(f"<table>{head}{cells}</table>", name="string", **asked)
    assert found[1] == {"name": "Bay", "wurble": None, "blimp": None, "notes": None}
