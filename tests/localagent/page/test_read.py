"""What is read from a page into a schema, and what is honestly left out."""

from __future__ import annotations

from typing import Any

import pytest

from batchfish.localagent.page.read import read_page
from tests.localagent.page.pages import NULL, look, schema

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

    @pytest.mark.parametrize(
        ("said", "price"), [("Three years of waiting", None), ("£8.50 a day", "£8.50 a day")]
    )
    def test_a_label_with_more_words_than_the_name_needs_a_value_that_may_be_meant(
        self, said: str, price: str | None
    ) -> None:
        body = f"<dl><dt>Price of patience</dt><dd>{said}</dd><dt>Weight</dt><dd>1.2 kg</dd></dl>"
        reading = look(body, price={"type": "string", **NULL}, weight="string")
        assert reading.result == {"price": price, "weight": "1.2 kg"}

    def test_a_label_that_is_the_name_may_have_any_text(self) -> None:
        assert look("<dl><dt>Price</dt><dd>on request</dd></dl>", price="string").result == {
            "price": "on request"
        }

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

    def test_of_two_places_with_its_name_a_list_is_the_one_with_several_entries(self) -> None:
        names = {"type": "array", "items": {"type": "string"}}
        body = (
            "<ul><li>Preparo: 15 min</li></ul><h2>Modo de preparo</h2><ol><li>Coza.</li><li>Junte.</li></ol>"
        )
        assert look(body, lang="pt", steps=names).result == {"steps": ["Coza.", "Junte."]}

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


class TestColumns:
    def items(self, body: str, **properties: str | dict[str, Any]) -> Any:  # noqa: ANN401 - a result or None
        reading = look(body, things={"type": "array", "items": schema(**properties)})
        return reading.result and reading.result["things"]

    def test_texts_that_stand_side_by_side_are_no_value_together(self) -> None:
        row = "<li><span>{0}</span><span>{1}</span><span>{2}</span></li>"
        body = "<ul>" + "".join(row.format(*one) for one in ("A1x", "B2y", "C3z")) + "</ul>"
        assert self.items(body, name="string", maker="string", price="number") is None

    def test_what_repeats_the_title_does_not_describe(self) -> None:
        row = "<li><h3>{0}</h3><div><strong>{0}</strong><br>{1}</div><i>£{2}</i></li>"
        rows = [("Roadster", "A town bike with mudguards.", 1), ("Courier", "One gear and no nonsense.", 2)]
        body = "<ul>" + "".join(row.format(*one) for one in rows) + "</ul>"
        found = self.items(body, name="string", description="string", price="number")
        assert [one["description"] for one in found] == [text for _, text, _ in rows]

    def test_a_record_that_lacks_a_part_does_not_take_the_next_ones(self) -> None:
        rows = "<li><h3>A</h3><p>3 May 2021</p><p>£4</p></li><li><h3>B</h3><p>£5</p></li>"
        day = {"type": "string", "format": "date", "nullable": True}
        assert self.items(f"<ul>{rows}</ul>", name="string", released=day, price="number") == [
            {"name": "A", "released": "2021-05-03", "price": 4},
            {"name": "B", "released": None, "price": 5},
        ]

    def test_an_image_that_waits_to_be_scrolled_to_is_loaded_from_where_it_says(self) -> None:
        row = (
            '<li><img data-src="/{0}.jpg" src="data:image/gif;base64,R0"><h3><a href="/{0}">{0}</a></h3></li>'
        )
        body = "<ul>" + "".join(row.format(name) for name in "AB") + "</ul>"
        assert self.items(body, name="string", image_url="string", url="string") == [
            {"name": name, "image_url": f"http://a.example/{name}.jpg", "url": f"http://a.example/{name}"}
            for name in "AB"
        ]

    def test_a_bare_number_up_to_five_in_every_record_is_a_rating(self) -> None:
        row = "<li><h3>{0}</h3><b class=badge>{1}</b> (<i>{2} reviews</i>)</li>"
        rows = (("Anchor", "4.6", 312), ("Basil", "4.1", 88))
        body = "<ul>" + "".join(row.format(*one) for one in rows) + "</ul>"
        assert self.items(body, name="string", rating="number", review_count="integer") == [
            {"name": "Anchor", "rating": 4.6, "review_count": 312},
            {"name": "Basil", "rating": 4.1, "review_count": 88},
        ]

    def test_two_prices_of_a_record_are_none(self) -> None:
        row = "<li><h3>{0}</h3><b>£4</b><b>£9</b></li>"
        body = "<ul>" + "".join(row.format(name) for name in "ABC") + "</ul>"
        assert self.items(body, name="string", price="number") is None
        price = {"type": "number", "nullable": True}
        assert self.items(body, name="string", price=price, colour={"type": "string", **NULL}) is None

    def test_the_words_of_a_header_row_name_what_is_below_them(self) -> None:
        rows = (("Ship", "Pier", "Berths"), ("Gannet", 2, 40), ("Fulmar", 1, 12))
        cells = "".join(f"<div class=r><i>{a}</i><i>{b}</i><i>{c}</i></div>" for a, b, c in rows)
        assert self.items(f"<div>{cells}</div>", ship="string", pier="integer", berths="integer") == [
            {"ship": "Gannet", "pier": 2, "berths": 40},
            {"ship": "Fulmar", "pier": 1, "berths": 12},
        ]

    def test_an_amount_in_another_currency_than_the_name_asks_for_is_none(self) -> None:
        assert look("<p>Price: £8.50</p>", price_gbp="number").result == {"price_gbp": 8.5}
        assert look("<p>Price: £8.50</p>", price_usd="number").code == "LOCAL_NOT_FOUND"


class TestMachines:
    def test_a_block_in_comments_and_of_a_type_with_parameters_is_read(self) -> None:
        body = (
            '<script type="application/ld+json; charset=utf-8"><!--\n{"@type": "Recipe", "name": "Pot",'
            ' "totalTime": "PT1H30M", "recipeIngredient": ["a leek", "salt"]}\n--></script>'
        )
        names = {"type": "array", "items": {"type": "string"}}
        assert look(body, name="string", total_minutes="integer", ingredients=names).result == {
            "name": "Pot",
            "total_minutes": 90,
            "ingredients": ["a leek", "salt"],
        }

    def test_several_things_of_a_kind_are_a_list(self) -> None:
        things = ",".join(
            f'{{"@type": "Event", "name": "{name}", "location": {{"@type": "Place", "name": "Loft"}}}}'
            for name in "AB"
        )
        body = f'<script type="application/ld+json">[{things}]</script>'
        wanted = {"type": "array", "items": schema(name="string", venue="string")}
        assert look(body, events=wanted).result == {
            "events": [{"name": "A", "venue": "Loft"}, {"name": "B", "venue": "Loft"}]
        }


def test_the_row_that_the_goal_names_is_the_one() -> None:
    rows = "<tr><td>Brick Lane</td><td>£36</td></tr><tr><td>Canal Bank</td><td>£41</td></tr>"
    html = f"<html><body><table><tr><th>Site</th><th>Fee</th></tr>{rows}</table></body></html>"
    asked = schema(site="string", fee="number")
    named = read_page(html, url="u", goal="What does Canal Bank cost?", schema=asked)
    assert named.result == {"site": "Canal Bank", "fee": 41}
    assert read_page(html, url="u", goal="What does it cost?", schema=asked).result is None


REFUSED = {
    "LOCAL_EMPTY_PAGE": "<html><head><title>x</title></head><body></body></html>",
    "LOCAL_NEEDS_JAVASCRIPT": (
        "<html><body><div id=app></div><noscript>Please enable JavaScript</noscript>"
        "<script src=a.js></script></body></html>"
    ),
    "LOCAL_HUMAN_CHECK": "<html><title>Just a moment…</title><body><p>Verify you are human</p></body></html>",
    "LOCAL_HUMAN_CHECK ": (
        "<html><body><h1>One more step</h1><p>Please complete the security check.</p>"
        "<p>Price: £0</p></body></html>"
    ),
    "LOCAL_LOGIN_WALL": (
        "<html><body><h1>Sign in</h1><form>Name <input> Password <input type=password></form></body></html>"
    ),
    "LOCAL_PAGE_NOT_FOUND": "<html><body><h1>Page not found</h1><p>Price: £1</p></body></html>",
}


@pytest.mark.parametrize(("code", "page"), REFUSED.items(), ids=REFUSED.keys())
def test_a_page_that_shows_something_else_is_refused_in_words(code: str, page: str) -> None:
    reading = read_page(page, url="u", schema=schema(price="number"))
    assert (reading.result, reading.code) == (None, code.strip())
    assert reading.message


def test_nothing_at_all_is_an_empty_page() -> None:
    assert read_page(b"", url="u", schema=schema(price="number")).code == "LOCAL_EMPTY_PAGE"
    assert read_page(b"\x00\xff", url="u", schema=schema(price="number")).result is None


def test_evidence_names_the_place_of_every_value() -> None:
    reading = look("<dl><dt>Price</dt><dd>£8.50</dd></dl>", price="number")
    assert tuple(map(str, reading.evidence)) == ("price ← label and value “Price”: £8.50",)
