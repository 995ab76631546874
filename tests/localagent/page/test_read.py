"""What is read from a page into a schema, and what is honestly left out."""

from __future__ import annotations

from typing import Any

import pytest

from batchfish.localagent.page.read import Reading, read_page

NULL = {"nullable": True}


def schema(**properties: str | dict[str, Any]) -> dict[str, Any]:
    """Ask for properties: a type name, or a schema of their own; all are required."""
    spelled = {name: {"type": kind} if isinstance(kind, str) else kind for name, kind in properties.items()}
    return {"type": "object", "properties": spelled, "required": list(spelled)}


def look(
    body: str, *, head: str = "<title>Page</title>", lang: str = "en", **properties: str | dict[str, Any]
) -> Reading:
    filler = "<p>" + "Words that fill the page so that it looks like any other. " * 5 + "</p>"
    start = f'<!doctype html><html lang="{lang}"><head><meta charset="utf-8">{head}</head>'
    page = f"{start}<body>{body}{filler}</body></html>"
    return read_page(page, url="http://a.example/p", schema=schema(**properties))


LABELLED = {
    "definition list": "<dl><dt>Price</dt><dd>£8.50</dd><dt>Weight</dt><dd>1.2 kg</dd></dl>",
    "table of two columns": (
        "<table><tr><td>Price</td><td>£8.50</td></tr><tr><td>Weight</td><td>1.2 kg</td></tr></table>"
    ),
    "table of label pairs": (
        "<table><tr><th>Price</th><td>£8.50</td><th>Weight</th><td>1.2 kg</td></tr></table>"
    ),
    "label: value": "<p><b>Price:</b> £8.50</p><p>Weight: 1.2 kg</p>",
    "lines with br": "<div>Price: £8.50<br>Weight: 1.2 kg</div>",
    "one line with bars": "<p>Price: £8.50 | Weight: 1.2 kg</p>",
    "rows of two": (
        "<div><div><span>Price</span><span>£8.50</span></div>"
        "<div><span>Weight</span><span>1.2 kg</span></div></div>"
    ),
    "headings": "<h2>Price</h2><p>£8.50</p><h2>Weight</h2><p>1.2 kg</p>",
    "class names": '<p class="product-price">£8.50</p><p class="weight">1.2 kg</p>',
    "microdata": (
        '<div itemscope itemtype="https://schema.org/Product"><div itemprop="offers" itemscope>'
        '<b itemprop="price" content="8.50">only £8.50!</b></div><i itemprop="weight">1.2 kg</i></div>'
    ),
    "json-ld": (
        '<script type="application/ld+json">{"@type": "Product", "weight": "1.2 kg",'
        ' "offers": {"@type": "Offer", "price": "8.50"}}</script>'
    ),
    "graph of json-ld": (
        '<script type="application/ld+json">{"@graph": [{"@type": "WebSite", "name": "Shop"},'
        ' {"@type": "Product", "weight": "1.2 kg", "offers": [{"price": 8.5}]}]}</script>'
        '<script type="application/ld+json">{broken</script>'
    ),
}


@pytest.mark.parametrize("body", LABELLED.values(), ids=LABELLED.keys())
def test_a_label_beside_a_value_is_read_in_every_layout(body: str) -> None:
    reading = look(body, price="number", weight_kg="number")
    assert reading.result == {"price": 8.5, "weight_kg": 1.2}, reading.message


class TestHonesty:
    def test_a_value_that_is_not_there_is_null_where_it_may_be(self) -> None:
        reading = look("<p>Price: £8.50</p>", price="number", pages={"type": "integer", **NULL})
        assert reading.result == {"price": 8.5, "pages": None}

    def test_and_else_the_page_fails_naming_it_and_what_was_seen(self) -> None:
        reading = look("<p>Price: £8.50</p>", price="number", pages="integer")
        assert (reading.result, reading.code) == (None, "LOCAL_NOT_FOUND")
        assert "pages" in (reading.message or "")
        assert "“Price”" in (reading.message or "")

    def test_an_optional_property_that_is_not_there_is_left_out(self) -> None:
        asked = {"type": "object", "properties": {"price": {"type": "number"}, "sku": {"type": "string"}}}
        page = b"<html><body><p>Price: $3</p></body></html>"
        assert read_page(page, url="u", schema=asked).result == {"price": 3.0}

    def test_a_page_with_nothing_of_it_fails_even_when_all_may_be_null(self) -> None:
        assert look("<p>Nothing here</p>", price={"type": "number", **NULL}).code == "LOCAL_NOT_FOUND"

    def test_two_equally_good_values_are_no_value(self) -> None:
        reading = look("<p>Price: £8.50</p><p>Price: £9.50</p>", price="number")
        assert reading.code == "LOCAL_NOT_FOUND"
        assert "£9.50" in (reading.message or "")

    def test_prices_of_other_things_are_not_borrowed(self) -> None:
        body = (
            '<h1>A book</h1><p class="price">Price on application</p><section><h2>Readers also bought</h2>'
            "<ul>"
            '<li>Another <span class="price">£5</span></li></ul></section><aside><p>Price: £7</p></aside>'
        )
        assert look(body, price="number").code == "LOCAL_NOT_FOUND"

    def test_the_old_price_and_delivery_are_not_the_price(self) -> None:
        body = (
            '<p class="price"><del>£10</del> £8</p><p>Old price: £10</p><p>Delivery price: £3</p>'
            "<p>Price: £8</p>"
        )
        assert look(body, price="number").result == {"price": 8.0}

    def test_a_text_that_nobody_sees_is_not_read(self) -> None:
        body = (
            "<style>.away{position:absolute;left:-9999px}@media print{.shown{display:none}}</style>"
            '<p hidden>Price: £1</p><p style="display:none">Price: £2</p><p class="away">Price: £3</p>'
            '<!-- Price: £4 --><template><p>Price: £5</p></template><p class="shown">Price: £6</p>'
        )
        assert look(body, price="number").result == {"price": 6.0}

    def test_a_number_in_another_unit_is_converted_and_one_of_another_kind_refused(self) -> None:
        assert look("<p>Weight: 450 g</p>", weight_kg="number").result == {"weight_kg": 0.45}
        assert look("<p>Weight: 30 cm</p>", weight_kg="number").code == "LOCAL_NOT_FOUND"

    def test_bounds_and_choices_of_the_schema_hold(self) -> None:
        grade = {"type": "string", "enum": ["New", "Used"]}
        assert look("<p>Condition: new</p>", condition=grade).result == {"condition": "New"}
        assert look("<p>Condition: worn</p>", condition=grade).code == "LOCAL_NOT_FOUND"
        assert (
            look("<p>Population: 12</p>", population={"type": "integer", "minimum": 100}).code
            == "LOCAL_NOT_FOUND"
        )


class TestKinds:
    def test_booleans(self) -> None:
        assert look("<p>Radioactive: No</p>", is_radioactive="boolean").result == {"is_radioactive": False}
        assert look('<p class="stock">Sold out</p>', in_stock="boolean").result == {"in_stock": False}
        assert look("<p>Availability: In stock (22)</p>", in_stock="boolean").result == {"in_stock": True}

    def test_dates_in_words_of_the_pages_language(self) -> None:
        day = {"type": "string", "format": "date"}
        assert look("<p>Published: 3 March 2021</p>", published=day).result == {"published": "2021-03-03"}
        german = look("<p>Erschienen: 3. März 2021</p>", lang="de", erschienen=day)
        assert german.result == {"erschienen": "2021-03-03"}
        exact = look('<p>Published: <time datetime="2020-05-06">last spring</time></p>', published=day)
        assert exact.result == {"published": "2020-05-06"}

    def test_lists_of_values(self) -> None:
        names = {"type": "array", "items": {"type": "string"}}
        body = "<dl><dt>Authors</dt><dd>Ann</dd><dd>Ben</dd><dt>Tags</dt><dd>red, blue</dd></dl>"
        assert look(body, authors=names, tags=names).result == {
            "authors": ["Ann", "Ben"],
            "tags": ["red", "blue"],
        }

    def test_an_object_inside(self) -> None:
        body = (
            '<script type="application/ld+json">{"@type": "Museum", "name": "M", "address": {"@type":'
            ' "PostalAddress", "streetAddress": "1 Mill Lane", "postalCode": "QX1"}}</script>'
        )
        place = look(body, name="string", address=schema(street="string", postal_code="string"))
        assert place.result == {"name": "M", "address": {"street": "1 Mill Lane", "postal_code": "QX1"}}


class TestRecords:
    FIELDS = schema(name="string", price="number", height_m={"type": "integer", **NULL})

    def test_rows_of_a_table_under_their_headers_spans_included(self) -> None:
        body = (
            "<table><thead><tr><th rowspan=2>Name</th><th colspan=2>Facts</th></tr>"
            "<tr><th>Height</th><th>Price</th></tr></thead>"
            "<tbody><tr><td>A</td><td>1,200 m</td><td>£1</td></tr>"
            "<tr><td>B</td><td></td><td>£2</td></tr></tbody></table>"
        )
        fields = schema(name="string", facts_price="number", facts_height_m={"type": "integer", **NULL})
        reading = look(body, things={"type": "array", "items": fields})
        assert reading.result == {
            "things": [
                {"name": "A", "facts_price": 1.0, "facts_height_m": 1200},
                {"name": "B", "facts_price": 2.0, "facts_height_m": None},
            ]
        }

    def test_cards_with_an_advertisement_among_them(self) -> None:
        card = (
            '<div class="card"><h3><span class="badge">New</span> <a href="/{0}">{0}</a></h3>'
            '<p class="price">{1}</p></div>'
        )
        grid = [
            card.format("A", "<s>£3</s> £1"),
            '<div class="card ad"><p>From £9</p></div>',
            card.format("B", "£2"),
        ]
        others = "".join(f"<li><a>{name}</a> <b class=price>£5</b></li>" for name in "CDE")
        body = f'<div class="grid">{"".join(grid)}</div><aside><ul>{others}</ul></aside>'
        reading = look(body, things={"type": "array", "items": schema(name="string", price="number")})
        assert reading.result == {"things": [{"name": "A", "price": 1.0}, {"name": "B", "price": 2.0}]}

    def test_a_limit_of_the_schema_holds(self) -> None:
        body = (
            "<table><tr><th>Name</th><th>Price</th></tr>" + "<tr><td>A</td><td>£1</td></tr>" * 5 + "</table>"
        )
        wanted = {"type": "array", "maxItems": 2, "items": schema(name="string", price="number")}
        assert len(look(body, things=wanted).result["things"]) == 2


REFUSED = {
    "LOCAL_EMPTY_PAGE": "<html><head><title>x</title></head><body></body></html>",
    "LOCAL_NEEDS_JAVASCRIPT": (
        "<html><body><div id=app></div><noscript>Please enable JavaScript</noscript>"
        "<script src=a.js></script></body></html>"
    ),
    "LOCAL_HUMAN_CHECK": "<html><title>Just a moment…</title><body><p>Verify you are human</p></body></html>",
    "LOCAL_LOGIN_WALL": (
        "<html><body><h1>Sign in</h1><form>Name <input> Password <input type=password></form></body></html>"
    ),
    "LOCAL_PAGE_NOT_FOUND": "<html><body><h1>Page not found</h1><p>Price: £1</p></body></html>",
}


@pytest.mark.parametrize(("code", "page"), REFUSED.items(), ids=REFUSED.keys())
def test_a_page_that_shows_something_else_is_refused_in_words(code: str, page: str) -> None:
    reading = read_page(page, url="u", schema=schema(price="number"))
    assert (reading.result, reading.code) == (None, code)
    assert reading.message


def test_nothing_at_all_is_an_empty_page() -> None:
    assert read_page(b"", url="u", schema=schema(price="number")).code == "LOCAL_EMPTY_PAGE"
    assert read_page(b"\x00\xff", url="u", schema=schema(price="number")).result is None


def test_evidence_names_the_place_of_every_value() -> None:
    reading = look("<dl><dt>Price</dt><dd>£8.50</dd></dl>", price="number")
    assert tuple(map(str, reading.evidence)) == ("price ← label and value “Price”: £8.50",)
