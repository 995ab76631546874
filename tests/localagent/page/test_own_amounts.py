"""The price that an element says itself, and the older one within it."""

from __future__ import annotations

from typing import Any

from tests.localagent.page.pages import NULL, records

PAST: dict[str, Any] = {"type": "number", **NULL}


def test_a_price_is_what_an_element_says_itself_not_the_older_one_in_it() -> None:
    card = '<div class="ad"><h3>{0}</h3><p class="price">{1} <span class="past">{2}</span></p></div>'
    body = "".join(
        card.format(*one) for one in (("Desk", "€240", "€320"), ("Pram", "€85", ""), ("Bike", "€475", "€550"))
    )
    assert records(f"<div>{body}</div>", name="string", price="number", former_price=PAST) == [
        {"name": "Desk", "price": 240, "former_price": 320},
        {"name": "Pram", "price": 85, "former_price": None},
        {"name": "Bike", "price": 475, "former_price": 550},
    ]
