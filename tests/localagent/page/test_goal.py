"""What a goal without a schema asks for, and how far any goal wants a list to be followed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from batchfish.localagent.page.asked.choices import choice_in
from batchfish.localagent.page.goal import understand
from tests.localagent.page.pages import read

SIGNS = {"string": "", "number": "#", "integer": "%", "boolean": "?", "date": "^"}


def written(schema: Any) -> str:  # noqa: ANN401 - a schema
    """Write a schema: text, `#` number, `%` whole number, `?` yes or no, `^` a day, `[]` a list, `(…)` its records."""  # noqa: E501
    if schema["type"] == "object":
        return f"({' '.join(name + written(one) for name, one in schema['properties'].items())})"
    if schema["type"] == "array":
        member = schema["items"]
        return f"[]{written(member)}" if member["type"] == "object" else f"{written(member)}[]"
    return SIGNS[schema.get("format", schema["type"])]


@pytest.mark.parametrize(
    ("goal", "meant"),
    [
        ("Extract pizzas as JSON: [{name, price}]", "pizzas[](name price#)"),
        ('Return {"products":[{"name":"string","price":0}]}', "products[](name price#)"),
        ('Extract all shoes. Output: {"shoes": [{"name": "", "sizes": [41], "sale": true}]}', "shoes[](name sizes#[] sale?)"),  # noqa: E501
        ("Extract the company as {name, address: {street, city}, phone}", "name address(street city) phone"),
        ("Extract the mugs as `{ name: string; price: number; tags: string[] }[]`", "mugs[](name price# tags[])"),  # noqa: E501
        ("Extract the plans:\n- name\n- price (number only)\n- features (list of strings)", "plans[](name price# features[])"),  # noqa: E501
        ("Extract from this page:\n* title\n* author\n* published (ISO date)\n* is_free (true/false)", "title author published^ is_free?"),  # noqa: E501
        ("Return JSON with keys: name, price, sku", "name price# sku"),
        ("Extract hotels with name, stars and price per night", "hotels[](name stars price_per_night#)"),
        ("List all museums: name, entry fee, opening hours", "museums[](name entry_fee# opening_hours)"),
        ("For each plan, extract the name, the price and the list of features", "plans[](name price# features[])"),  # noqa: E501
        ("Extract title, url and points of every story", "stories[](title url points#)"),
        ("Extract product names and prices", "products[](name price#)"),
        ("Get the title, author and publication date of this article", "title author publication_date"),
        ("Extract the page title", "page_title"),
        ("Extract the headlines", "headlines[]"),
    ],
)  # fmt: skip
def test_fields_are_read_out_of_a_goal(goal: str, meant: str) -> None:
    schema = understand(goal, None).schema
    assert schema is not None
    assert written(schema)[1:-1] == meant


@pytest.mark.parametrize(
    "goal",
    ["Please help", "Click on Login", "Translate this page", "Download the PDF", "Scrape this website"],
)
def test_a_goal_that_names_nothing_to_read_is_unclear(goal: str) -> None:
    reading = read("<h1>Hats</h1><p>Price: £8</p>", None, goal)
    assert reading.code == "LOCAL_GOAL_UNCLEAR"
    assert "output_schema" in (reading.message or "")


@pytest.mark.parametrize(
    ("goal", "most", "pages"),
    [
        ("Search for tours in Lisbon and extract the top 3", 3, None),
        ("Extract up to 12 lamps", 12, None),
        ("Extract all lamps from pages 1 to 4", None, 4),
        ("Extract the lamps, but do not go to the next page", None, 1),
        ("List the hats of all pages", None, 0),
        ("List the lamps with a summary of up to 20 words", None, None),
    ],
)
def test_a_goal_says_how_much_of_a_list_is_wanted(goal: str, most: int | None, pages: int | None) -> None:
    asked = understand(goal, {"type": "object"})
    assert (asked.most, asked.pages) == (most, pages)


PRODUCT = {
    "@type": "Product",
    "name": "Fez",
    "brand": {"@type": "Brand", "name": "Toque"},
    "offers": {"@type": "Offer", "price": "9.00", "availability": "https://schema.org/InStock"},
}
CLEANED = {
    "type": "Product",
    "name": "Fez",
    "brand": {"type": "Brand", "name": "Toque"},
    "offers": {"type": "Offer", "price": "9.00", "availability": "InStock"},
}


def linked(data: object) -> str:
    return f"<title>Fez | Hats</title><script type='application/ld+json'>{json.dumps(data)}</script>"


def test_all_product_data_is_the_page_s_structured_data_as_it_stands() -> None:
    assert read("<h1>Fez</h1>", None, "Extract all product data", head=linked(PRODUCT)).result == CLEANED
    several = [PRODUCT, {**PRODUCT, "name": "Derby"}]
    both = read("<h1>Hats</h1>", None, "Extract all products", head=linked(several)).result
    assert both == {"products": [CLEANED, {**CLEANED, "name": "Derby"}]}


def test_all_product_data_without_structured_data_is_what_the_page_surely_says() -> None:
    body = "<h1>Fez</h1><p class=price>£9.00</p><dl><dt>SKU</dt><dd>HT-2</dd></dl>"
    found = read(body, None, "Extract all product data").result
    assert {name: found[name] for name in ("name", "price", "currency", "sku")} == {
        "name": "Fez", "price": 9.0, "currency": "GBP", "sku": "HT-2",
    }  # fmt: skip
    cards = "".join(
        f"<li><h3>{name}</h3><p>£{price}</p></li>" for name, price in (("A", 1), ("B", 2), ("C", 3))
    )
    listed = read(f"<h1>Hats</h1><ul>{cards}</ul>", None, "Extract all product data").result
    assert [(one["name"], one["price"]) for one in listed["products"]] == [("A", 1.0), ("B", 2.0), ("C", 3.0)]


def test_the_page_title_is_that_of_the_head_or_else_the_first_heading() -> None:
    assert read("<h1>Fez</h1>", None, "Extract the page title", head=linked(PRODUCT)).result == {
        "page_title": "Fez | Hats"
    }
    assert read("<h1>Fez</h1>", None, "Extract the page title").result == {"page_title": "Fez"}


LIST = {
    "type": "object",
    "properties": {"hats": {"type": "array", "items": {"type": "object", "properties": {}}}},
}


@pytest.mark.parametrize(
    "goal",
    [
        "Extract all hats under $50 with name and price",
        "List hats with name and price below 20 euros",
        "List hats with 4+ stars",
        "List hats with name and price, only in stock",
        "Extract the cheapest hats with name and price",
        "List hats with name and price sorted by price",
        "List hats, price from low to high",
        "List hats posted in the past month: name, price",
        "Search for 'sun hats', filter under $50, extract top 5 as JSON",
    ],
)
def test_filters_and_orders_are_refused(goal: str) -> None:
    assert choice_in(goal, LIST) is not None
    assert read("<h1>Hats</h1><p>Price: £8</p>", LIST, goal).code == "LOCAL_GOAL_CHOOSES"


@pytest.mark.parametrize(
    "goal",
    [
        "Extract all hats with name and price",
        "Extract the top 5 hats with name and price",
        "Extract hats with name, the lowest price and the highest bid",
        "Extract the newest version number of each package",
        "Extract hats with name, price and whether it is in stock",
        "Extract hats with name and rating (a number between 1 and 5)",
        "Extract at least 10 hats",
        "Extract hats in order of appearance",
        'Return {"hats": [{"name": "string", "price": "number > 0, only in stock"}]}',
    ],
)
def test_words_that_describe_fields_choose_nothing(goal: str) -> None:
    assert choice_in(goal, LIST) is None
