"""Labels with values, as pages set them beside, below and before each other."""

from __future__ import annotations

import pytest

from tests.localagent.page.pages import look

LAYOUTS = {
    "value above its label": (
        '<div><div class="fact"><b class="fact__value">10 weeks</b><i class="fact__label">Runs for</i></div>'
        '<div class="fact"><b class="fact__value">£245</b><i class="fact__label">Fee</i></div></div>'
    ),
    "in turn, told apart by class": (
        '<p><span class="k">Duration</span><span class="v">10 weeks</span>'
        '<span class="k">Fee</span><span class="v">£245</span></p>'
    ),
    "lines that begin with a label": (
        "<div><div><strong>Duration</strong> 10 weeks</div><div><strong>Fee</strong> £245</div></div>"
    ),
    "words before a number": "<div><span>Duration 10 weeks</span><span>Fee £245</span></div>",
    "text before an element": "<p>Duration <b>10 weeks</b>, fee: <b>£245</b></p>",
    "an element with a colon": "<div><i>Duration:</i><p>10 weeks</p></div><div><i>Fee:</i><p>£245</p></div>",
}


@pytest.mark.parametrize("body", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_a_label_and_its_value_in_every_layout(body: str) -> None:
    reading = look(body, duration_weeks="integer", fee="number")
    assert reading.result == {"duration_weeks": 10, "fee": 245}, reading.message


def test_a_line_with_several_labels_is_not_the_value_of_the_first() -> None:
    body = "<div><span>SKU: <b>CK-08</b></span> <span>Category: <a>Kitchen</a></span></div>"
    assert look(body, sku="string", category="string").result == {"sku": "CK-08", "category": "Kitchen"}


def test_what_is_struck_through_is_the_price_before() -> None:
    body = '<p class="price"><del><b class="amount">£89</b></del> <ins><b class="amount">£71</b></ins></p>'
    assert look(body, price="number", regular_price="number").result == {"price": 71, "regular_price": 89}


def test_of_two_days_in_a_line_each_has_its_own_label() -> None:
    days = ('<time datetime="2023-11-17">17 Nov</time>', '<time datetime="2023-11-18">18 Nov</time>')
    body = f"<p>{days[0]} · Last updated {days[1]}</p>"
    day = {"type": "string", "format": "date"}
    reading = look(body, published_at=day, updated_at=day)
    assert reading.result == {"published_at": "2023-11-17", "updated_at": "2023-11-18"}


def test_an_amount_that_a_line_calls_otherwise_is_not_the_price() -> None:
    assert look("<p>Deposit: £50</p>", price="number").code == "LOCAL_NOT_FOUND"
    assert look("<p>Our price £50</p>", price="number").result == {"price": 50}


def test_labels_of_auctions_and_appliances_in_other_languages() -> None:
    rows = (
        ("Cena wywołania", "234 375,00 zł"),
        ("Liczba pokoi", "2"),
        ("Termin licytacji", "17 kwietnia 2024 r."),
    )
    items = "".join(f"<li><span>{name}</span> <span>{value}</span></li>" for name, value in rows)
    reading = look(
        f"<h1>Licytacja</h1><ul>{items}</ul>",
        lang="pl",
        starting_price_pln="number",
        rooms="integer",
        auction_date={"type": "string", "format": "date"},
    )
    assert reading.result == {"starting_price_pln": 234375, "rooms": 2, "auction_date": "2024-04-17"}


def test_what_a_job_asks_for_stands_under_many_headings() -> None:
    body = "<h1>Biologist</h1><h2>What you need</h2><ul><li>MSc in biology</li><li>Diving licence</li></ul>"
    wanted = {"type": "array", "items": {"type": "string"}}
    assert look(body, requirements=wanted).result == {"requirements": ["MSc in biology", "Diving licence"]}


def grouped(*rows: tuple[str, str]) -> str:
    return "<table>" + "".join(f"<tr><th>{name}</th><td>{text}</td></tr>" for name, text in rows) + "</table>"


def test_rows_with_a_bullet_are_called_by_the_row_above_them_too() -> None:
    fish = (("Trawlers", ""), ("• Total", "8,400"), ("• Wooden", "31"))
    body = grouped(*fish, ("Sloops", ""), ("• Total", "99"), ("• Wooden", "7"), ("Mayor", "Ann Lind"))
    reading = look(body, trawlers_wooden="integer", sloops_wooden="integer", mayor="string")
    assert reading.result == {"trawlers_wooden": 31, "sloops_wooden": 7, "mayor": "Ann Lind"}


def test_none_of_several_is_what_the_row_above_them_is() -> None:
    body = grouped(("Area", ""), ("• Land", "84 km²"), ("• Water", "3 km²"))
    assert look(body, area_km2="number").code == "LOCAL_NOT_FOUND"


def test_amounts_that_stand_first_in_every_row_have_their_labels_after_them() -> None:
    rows = "".join(
        f"<div><b>{amount}</b><b>{name}</b></div>" for amount, name in (("12", "Wurbles"), ("£9", "Fee"))
    )
    assert look(f"<div>{rows}</div>", wurbles="integer", fee="number").result == {"wurbles": 12, "fee": 9}


def test_lines_with_labels_under_a_heading_are_called_by_both() -> None:
    body = (
        "<h2>Delivery</h2><div>Wurble: 3 days<br>Blimp: £4</div>"
        "<h2>Collection</h2><div>Wurble: 1 day<br>Blimp: £0</div>"
    )
    assert look(body, delivery_wurble="string", collection_blimp="number").result == {
        "delivery_wurble": "3 days",
        "collection_blimp": 0,
    }


def test_what_says_nothing_is_no_value() -> None:
    body = "<dl><dt>Wurble</dt><dd>:</dd><dt>Blimp</dt><dd>round</dd></dl>"
    assert look(body, wurble="string").code == "LOCAL_NOT_FOUND"
    assert look(body, blimp="string").result == {"blimp": "round"}


def test_stressed_words_before_a_marked_value_are_its_label() -> None:
    body = '<p><b>Wurble</b><i class="value">oak</i><b>Blimp</b><i class="value">round</i></p>'
    assert look(body, wurble="string", blimp="string").result == {"wurble": "oak", "blimp": "round"}
