"""What the reader makes of a goal, of a record and of a list."""

from typing import Any

import pytest

from batchfish.localagent.page.asked.choices import choice_in
from batchfish.localagent.page.dom import document
from batchfish.localagent.page.goal import understand
from tests.localagent.page.pages import DAY, NUMBER, TEXT, linked, read, record, several

SIGNS = {"string": "", "number": "#", "integer": "%", "boolean": "?", "date": "^"}


def written(schema: Any) -> str:  # noqa: ANN401 - a schema
    """Write a schema: `#` number, `%` whole, `?` yes or no, `^` a day, `[]` list, `(…)` record, else text."""
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
        ('Output: {"shoes": [{"name": "", "sizes": [41], "sale": true}]}', "shoes[](name sizes#[] sale?)"),
        ("Extract the company as {name, address: {street, city}}", "name address(street city)"),
        ("Extract the plans:\n- name\n- price (number only)", "plans[](name price#)"),
        ("Extract:\n* title\n* published (ISO date)\n* is_free (true/false)", "title published^ is_free?"),
        ("Return JSON with keys: name, price, sku", "name price# sku"),
        ("Extract hotels with name and price per night", "hotels[](name price_per_night#)"),
        ("For each plan, extract the name and the list of features", "plans[](name features[])"),
        ("Extract title, url and points of every story", "stories[](title url points#)"),
        ("Extract product names and prices", "products[](name price#)"),
        ("Extract the page title", "page_title"),
        ("Extract the headlines", "headlines[]"),
    ],
)
def test_fields_are_read_out_of_a_goal(goal: str, meant: str) -> None:
    schema = understand(goal, None).schema
    assert schema is not None
    assert written(schema)[1:-1] == meant


@pytest.mark.parametrize("goal", ["Please help", "Click on Login", "Translate this page", "Download the PDF"])
def test_a_goal_that_names_nothing_to_read_is_unclear(goal: str) -> None:
    reading = read("<h1>Hats</h1><p>Price: £8</p>", None, goal)
    assert reading.code == "LOCAL_GOAL_UNCLEAR"
    assert "output_schema" in (reading.message or "")


PRICED = [("A", 1.0), ("B", 2.0), ("C", 3.0)]


def test_all_product_data_is_that_of_every_product_and_the_page_title_may_be_a_heading() -> None:
    """One product's, and a title of the head, are in the acceptance set."""
    products = [{"@type": "Product", "name": name, "sku": "A"} for name in ("Fez", "Derby")]
    cleaned = {"products": [{"type": "Product", "name": name, "sku": "A"} for name in ("Fez", "Derby")]}
    assert read("<h1>Hats</h1>", None, "Extract all products", head=linked(products)).result == cleaned
    cards = "".join(f"<li><h3>{name}</h3><p>£{price}</p></li>" for name, price in PRICED)
    listed = read(f"<h1>Hats</h1><ul>{cards}</ul>", None, "Extract all product data").result
    assert [(one["name"], one["price"]) for one in listed["products"]] == PRICED
    assert read("<h1>Fez</h1>", None, "Extract the page title").result == {"page_title": "Fez"}


LIST = {
    "type": "object",
    "properties": {"hats": {"type": "array", "items": {"type": "object", "properties": {}}}},
}


CHOOSES = (
    "Extract all hats under $50 with name and price",
    "List hats with 4+ stars",
    "List hats with name and price, only in stock",
    "Extract the cheapest hats with name and price",
    "List hats, price from low to high",
    "List hats posted in the past month: name, price",
)
CHOOSES_NOTHING = (
    "Extract the top 5 hats with name and price",
    "Extract hats with name, the lowest price and the highest bid",
    "Extract the newest version number of each package",
    "Extract hats with name, price and whether it is in stock",
    "Extract hats with name and rating (a number between 1 and 5)",
    "Extract hats in order of appearance",
    'Return {"hats": [{"name": "string", "price": "number > 0, only in stock"}]}',
)


def test_filters_and_orders_are_refused_and_words_that_describe_fields_are_none() -> None:
    for goal in CHOOSES:
        assert read("<h1>Hats</h1><p>Price: £8</p>", LIST, goal).code == "LOCAL_GOAL_CHOOSES", goal
    assert [goal for goal in CHOOSES_NOTHING if choice_in(goal, LIST) is not None] == []


PRICE = record(price=NUMBER)


@pytest.mark.parametrize(
    "body",
    [
        "<dl><dt>Price</dt><dd>£8.50</dd></dl>",
        "<table><tr><th>Price</th><td>£8.50</td></tr></table>",
        "<table><tr><td>Price</td><td>£8.50</td></tr></table>",
        "<p><b>Price:</b> £8.50</p>",
        "<ul><li>Price: £8.50 each</li></ul>",
        "<div><span class=label>Price</span><span>£8.50</span></div>",
        "<h2>Price</h2><p>£8.50</p>",
        "<details><summary>Price</summary><p>£8.50</p></details>",
        "<p class=price><s>£12.00</s> £8.50</p>",
        "<div itemscope itemtype='https://schema.org/Product'><meta itemprop=price content=8.5></div>",
    ],
)
def test_a_value_is_found_by_its_label_however_the_page_is_made(body: str) -> None:
    reading = read(f"<h1>Boater</h1>{body}", PRICE)
    assert reading.result == {"price": 8.5}
    assert [one.name for one in reading.evidence] == ["price"]


def test_values_are_converted_as_the_language_and_the_names_say() -> None:
    for text, price in (("1.299,00 €", 1299.0), ("12 490 €", 12490.0), ("4,90 €", 4.9)):
        assert read(f"<p>Price: {text}</p>", PRICE, lang="de").result == {"price": price}
    body = "<p>Length: 1.5 km<p>Cooking time: 1 hr 20 min<p>Weight: 640 g"
    schema = record(length_m=NUMBER, cook_time_minutes={"type": "integer"}, weight_kg=NUMBER)
    assert read(body, schema).result == {"length_m": 1500.0, "cook_time_minutes": 80, "weight_kg": 0.64}


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("12 March 2025", "2025-03-12"),
        ("Mar 12th, 2025", "2025-03-12"),
        ("2025-03-12T08:00:00Z", "2025-03-12"),
        ("31/12/2025", "2025-12-31"),
        ("3/4/2025", None),  # the third of April, or the fourth of March
        ("yesterday", None),
    ],
)
def test_a_day_is_given_only_where_it_is_sure_which(text: str, day: str | None) -> None:
    schema = record(sku=TEXT, colour=TEXT, published={**DAY, "nullable": True})
    body = f"<h1>A</h1><p>SKU: AB-1</p><p>Colour: red</p><p>Published: {text}</p>"
    assert read(body, schema).result == {"sku": "AB-1", "colour": "red", "published": day}


@pytest.mark.parametrize("block", ["{broken", "[[[[", "null", '{"@type": 7}', '{"@graph": 1}', ""])
def test_a_broken_block_of_json_ld_is_passed_over(block: str) -> None:
    head = f"<script type='application/ld+json'>{block}</script>"
    assert read("<p>Price: £8.50</p>", PRICE, head=head).result == {"price": 8.5}


HIDDEN = [
    "<p hidden>Price: £1</p>",
    "<p style='display: none'>Price: £1</p>",
    "<p style='position:absolute;left:-9999px'>Price: £1</p>",
    "<div style='visibility:hidden'><p>Price: £1</p></div>",
    "<p class=secret>Price: £1</p>",
    "<div id=box><p>Price: £1</p></div>",
    "<p class='sr-only'>Price: £1</p>",
    "<template><p>Price: £1</p></template>",
    "<noscript><p>Price: £1</p></noscript>",
    "<!-- <p>Price: £1</p> -->",
    "<p data-batchfish-unseen>Price: £1</p>",
    "<select><option>Price: £1</option></select>",
]
STYLE = "<style>.secret, #box > p { display: none } @media print { h1 { display: none } }</style>"
HAT = "<h1>Boater</h1><p>A fine straw hat.</p>"


@pytest.mark.parametrize("hidden", HIDDEN)
def test_what_a_person_does_not_see_is_never_read(hidden: str) -> None:
    assert read(f"{HAT}{hidden}", PRICE, head=STYLE).code == "LOCAL_NOT_FOUND"
    assert read(f"{hidden}<p>Price: £8</p>", PRICE, head=STYLE).result == {"price": 8.0}


def test_a_reader_that_drops_nothing_would_read_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bug that the test above must catch, planted; comments and templates are no elements to a parser."""
    monkeypatch.setattr(document, "drop_unseen", lambda _: None)
    believed = [one for one in HIDDEN if read(f"{HAT}{one}", PRICE, head=STYLE).result == {"price": 1.0}]
    assert len(believed) >= 9


def test_what_one_rule_hides_and_a_later_one_shows_is_seen() -> None:
    style = "<style>.tab { display: none } .tab.open { display: block }</style>"
    body = "<div class='tab'><p>Price: £1</p></div><div class='tab open'><p>Price: £8</p></div>"
    assert read(body, PRICE, head=style).result == {"price": 8.0}


def test_what_is_said_to_screen_readers_labels_the_price_that_follows() -> None:
    body = (
        "<h1>Fez</h1><span class=visually-hidden>Regular price</span><s>£12</s>"
        "<span class=visually-hidden>Sale price</span><span>£9</span>"
    )
    assert read(body, record(price=NUMBER, old_price=NUMBER)).result == {"price": 9.0, "old_price": 12.0}


def test_what_is_not_there_is_null_and_never_borrowed_from_another_label() -> None:
    schema = record(brand=TEXT, sku={**TEXT, "nullable": True}, weight_kg={**NUMBER, "nullable": True})
    body = "<h1>Fez</h1><dl><dt>Brand</dt><dd>Toque &amp; Co</dd><dt>Parcel width</dt><dd>30 cm</dd></dl>"
    assert read(body, schema).result == {"brand": "Toque & Co", "sku": None, "weight_kg": None}


@pytest.mark.parametrize("body", ["<h1>Walnut bureau</h1>", "<h1>Jobs</h1><p>Name: apply in person.</p>"])
def test_a_heading_alone_makes_no_page_what_was_asked_for(body: str) -> None:
    reading = read(body, record(name=TEXT, price=NUMBER, sku=TEXT))
    assert (reading.result, reading.code) == (None, "LOCAL_NOT_FOUND")
    assert "price" in (reading.message or "")


@pytest.mark.parametrize(
    ("body", "head", "code"),
    [
        ("", "", "LOCAL_EMPTY_PAGE"),
        ("<div id=root></div><script src=a.js></script>", "", "LOCAL_NEEDS_JAVASCRIPT"),
        ("<p>Verify you are human</p>", "<title>Just a moment…</title>", "LOCAL_HUMAN_CHECK"),
        ("<h1>Sign in</h1><form><input type=password></form>", "", "LOCAL_LOGIN_WALL"),
        ("<h1>Page not found</h1><p>Hat: £5</p>", "", "LOCAL_PAGE_NOT_FOUND"),
        ("<h1>Sorry, that hat has wandered off</h1><p>Hat: £5</p>", "", "LOCAL_PAGE_NOT_FOUND"),
        ("<h1>Service unavailable</h1>", "<title>503 - error</title>", "LOCAL_ERROR_PAGE"),
    ],
)
def test_a_page_that_shows_something_else_fails_with_its_reason(body: str, head: str, code: str) -> None:
    assert read(body, PRICE, head=head).code == code


def test_objects_and_choices_have_the_schema_s_form() -> None:
    stock = {"type": "string", "enum": ["in_stock", "sold_out"]}
    schema: dict[str, Any] = record(
        seller=record(name=TEXT, city=TEXT), stock=stock, used={"type": "boolean"}
    )
    body = "<p>Seller: Ann Rook<p>Seller city: Hexley<p>Stock: In stock<p>Used: No"
    seller = {"name": "Ann Rook", "city": "Hexley"}
    assert read(body, schema).result == {"seller": seller, "stock": "in_stock", "used": False}


HATS = several("hats", name=TEXT, price=NUMBER)
BOTH = [{"name": "Boater", "price": 9.0}, {"name": "Derby", "price": 8.5}, {"name": "Fez", "price": 7.0}]
ROWS = (("Boater", "£9"), ("Derby", "£8.50"), ("Fez", "£7"))


def made(form: str) -> str:
    return "".join(form.format(name=name, price=price) for name, price in ROWS)


CARDS = made("<li><h3>{name}</h3><p>{price}</p></li>")
NAMES, PRICES = made("<th>{name}</th>"), made("<td>{price}</td>")
CELLS = made("<tr><td>{name}</td><td>{price}</td></tr>")


@pytest.mark.parametrize(
    "body",
    [
        f"<ul>{CARDS}</ul>",
        f"<ul>{made('<li><a href=/x>{name}</a> <span class=price>{price}</span></li>')}</ul>",
        f"<div>{made('<div class=row><div class=card><b>{name}</b><span>{price}</span></div></div>')}</div>",
        f"<table><tr><th>Hat</th><th>Price</th></tr>{CELLS}</table>",
        f"<table><tr><td>Hat</td><td>Price</td></tr>{CELLS}</table>",
        f"<table><tr><th>Hat</th>{NAMES}</tr><tr><th>Price</th>{PRICES}</tr></table>",
        f"<h1>Hats</h1>{made('<h2>{name}</h2><p>{price}</p>')}",
        f"<dl>{made('<dt>{name}</dt><dd>Price: {price}</dd>')}</dl>",
    ],
)
def test_records_are_found_however_the_list_is_made(body: str) -> None:
    reading = read(body, HATS)
    assert reading.result == {"hats": BOTH}
    assert {"hats", "hats.name", "hats.price"} <= {one.name for one in reading.evidence}


def test_a_missing_value_is_null_and_not_that_of_a_neighbour() -> None:
    """Or there is no such record: one with half of what the others have may be an advert."""
    body = "<ul><li><h3>Boater</h3><p>£9</p></li><li><h3>Derby</h3></li><li><h3>Fez</h3><p>£7</p></li></ul>"
    prices = [hat["price"] for hat in read(body, HATS).result["hats"]]
    assert prices in ([9.0, None, 7.0], [9.0, 7.0])
    body = "<ul><li><h3>A</h3><s>£9</s> <b>£7</b></li><li><h3>B</h3><b>£8</b></li></ul>"
    reduced = several("hats", name=TEXT, price=NUMBER, old_price={**NUMBER, "nullable": True})
    assert [hat["old_price"] for hat in read(body, reduced).result["hats"]] == [9.0, None]
