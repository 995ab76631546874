"""One thing read from a page: where values may stand, what is believed, what is left null."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.localagent.page.pages import DAY, NUMBER, TEXT, read, record

PRICE = record(price=NUMBER)


@pytest.mark.parametrize(
    "body",
    [
        "<dl><dt>Price</dt><dd>£8.50</dd></dl>",
        "<table><tr><th>Price</th><td>£8.50</td></tr></table>",
        "<table><tr><td>Price</td><td>£8.50</td></tr></table>",
        "<p><b>Price:</b> £8.50</p>",
        "<p>Price: £8.50</p>",
        "<ul><li>Price: £8.50 each</li></ul>",
        "<div><span class=label>Price</span><span>£8.50</span></div>",
        "<div><span>Price</span><b>£8.50</b></div>",
        "<h2>Price</h2><p>£8.50</p>",
        "<details><summary>Price</summary><p>£8.50</p></details>",
        "<p class=price>£8.50</p>",
        "<p class=price><s>£12.00</s> £8.50</p>",
        "<p class=price><del>£12.00</del> <ins>£8.50</ins></p>",
        "<div itemscope itemtype='https://schema.org/Product'><meta itemprop=price content=8.5><b itemprop=name>A</b></div>",  # noqa: E501
    ],
)
def test_a_value_is_found_by_its_label_however_the_page_is_made(body: str) -> None:
    reading = read(f"<h1>Boater</h1>{body}", PRICE)
    assert reading.result == {"price": 8.5}
    assert [one.name for one in reading.evidence] == ["price"]


@pytest.mark.parametrize(
    ("text", "price"),
    [("1.299,00 €", 1299.0), ("12 490 €", 12490.0), ("4,90 €", 4.9)],
)
def test_numbers_are_read_as_the_page_s_language_writes_them(text: str, price: float) -> None:
    assert read(f"<p>Price: {text}</p>", PRICE, lang="de").result == {"price": price}


def test_names_say_units_and_values_are_converted() -> None:
    body = "<dl><dt>Length</dt><dd>1.5 km</dd><dt>Cooking time</dt><dd>1 hr 20 min</dd><dt>Weight</dt><dd>640 g</dd></dl>"  # noqa: E501
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


def test_json_ld_is_read_before_headings_and_follows_references() -> None:
    data = {
        "@graph": [
            {"@type": "Person", "@id": "#p", "name": "Ann Rook"},
            {"@type": "NewsArticle", "headline": "The bridge &amp; the bell", "author": {"@id": "#p"}},
        ]
    }
    head = f"<script type='application/ld+json'>{json.dumps(data)}</script>"
    reading = read("<h1>News</h1><p>By Somebody Else</p>", record(headline=TEXT, author=TEXT), head=head)
    assert reading.result == {"headline": "The bridge & the bell", "author": "Ann Rook"}


@pytest.mark.parametrize("block", ["{broken", "[[[[", "null", '{"@type": 7}', '{"@graph": 1}', ""])
def test_a_broken_block_of_json_ld_is_passed_over(block: str) -> None:
    head = f"<script type='application/ld+json'>{block}</script>"
    assert read("<p>Price: £8.50</p>", PRICE, head=head).result == {"price": 8.5}


def test_of_several_things_of_one_kind_only_the_one_that_the_heading_names_is_the_page_s() -> None:
    data = [{"@type": "Product", "name": name, "sku": name[:2]} for name in ("Derby hat", "Fez hat")]
    head = f"<script type='application/ld+json'>{json.dumps(data)}</script>"
    schema = record(name=TEXT, sku=TEXT)
    assert read("<h1>Fez hat</h1>", schema, head=head).result == {"name": "Fez hat", "sku": "Fe"}
    assert read("<h1>All hats</h1>", schema, head=head).code == "LOCAL_NOT_FOUND"


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


@pytest.mark.parametrize("hidden", HIDDEN)
def test_what_a_person_does_not_see_is_never_read(hidden: str) -> None:
    assert (
        read(f"<h1>Boater</h1>{hidden}<p>A fine straw hat.</p>", PRICE, head=STYLE).code == "LOCAL_NOT_FOUND"
    )
    assert read(f"{hidden}<p>Price: £8</p>", PRICE, head=STYLE).result == {"price": 8.0}


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


NULLABLE = {**TEXT, "nullable": True}


def test_what_is_not_there_is_null_and_never_borrowed_from_another_label() -> None:
    schema = record(brand=TEXT, sku=NULLABLE, weight_kg={**NUMBER, "nullable": True})
    body = "<h1>Fez</h1><dl><dt>Brand</dt><dd>Toque &amp; Co</dd><dt>Parcel width</dt><dd>30 cm</dd></dl>"
    assert read(body, schema).result == {"brand": "Toque & Co", "sku": None, "weight_kg": None}


def test_a_page_that_surely_is_what_was_asked_for_is_read_in_part() -> None:
    body = "<h1>Walnut bureau</h1><p>Price on request</p><dl><dt>Maker</dt><dd>Rook</dd><dt>Year</dt><dd>1887</dd></dl>"  # noqa: E501
    reading = read(body, record(name=TEXT, maker=TEXT, year={"type": "integer"}, price=NUMBER))
    assert reading.result == {"name": "Walnut bureau", "maker": "Rook", "year": 1887, "price": None}


@pytest.mark.parametrize(
    "body",
    [
        "<h1>Our story</h1><p>We opened in 1998 with one oven and a borrowed van.</p>",
        "<h1>Walnut bureau</h1>",
        "<h1>Jobs</h1><p>Name: apply in person.</p>",
    ],
)
def test_a_heading_alone_makes_no_page_what_was_asked_for(body: str) -> None:
    schema: dict[str, Any] = record(name=TEXT, price=NUMBER, sku=TEXT)
    reading = read(body, schema)
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
        ("<h1>Something went wrong</h1><p>Hat: £5</p>", "", "LOCAL_ERROR_PAGE"),
        ("<h1>Service unavailable</h1>", "<title>503 - error</title>", "LOCAL_ERROR_PAGE"),
    ],
)
def test_a_page_that_shows_something_else_fails_with_its_reason(body: str, head: str, code: str) -> None:
    assert read(body, PRICE, head=head).code == code


def test_objects_and_choices_have_the_schema_s_form() -> None:
    schema = record(
        seller=record(name=TEXT, city=TEXT),
        stock={"type": "string", "enum": ["in_stock", "sold_out"]},
        used={"type": "boolean"},
    )
    body = "<dl><dt>Seller</dt><dd>Ann Rook</dd><dt>Seller city</dt><dd>Hexley</dd><dt>Stock</dt><dd>In stock</dd><dt>Used</dt><dd>No</dd></dl>"  # noqa: E501
    assert read(body, schema).result == {
        "seller": {"name": "Ann Rook", "city": "Hexley"}, "stock": "in_stock", "used": False,
    }  # fmt: skip
