"""Lists whose records hold lists of records."""

from __future__ import annotations

from tests.localagent.page.pages import NULL, look, schema

NOTE = {"type": "string", **NULL}
DISHES = {"type": "array", "items": schema(name="string", price="number", description=NOTE)}
MENU = {"type": "array", "items": schema(section="string", dishes=DISHES)}
DISH = '<div class="dish"><h4>{0}</h4><span class="price">£{1}</span></div>'


def test_each_record_gets_what_stands_in_it() -> None:
    starters = DISH.format("Soup", 6) + DISH.format("Eel", 8)
    mains = DISH.format("Carp", 19)
    body = f"<section><h2>Starters</h2>{starters}</section><section><h2>Mains</h2>{mains}</section>"
    assert look(body, menu=MENU).result == {
        "menu": [
            {
                "section": "Starters",
                "dishes": [
                    {"name": "Soup", "price": 6, "description": None},
                    {"name": "Eel", "price": 8, "description": None},
                ],
            },
            {"section": "Mains", "dishes": [{"name": "Carp", "price": 19, "description": None}]},
        ]
    }


def test_without_anything_that_holds_them_the_page_fails() -> None:
    reading = look("".join(DISH.format(name, 5) for name in ("Soup", "Eel", "Carp")), menu=MENU)
    assert reading.code == "LOCAL_NOT_FOUND"
