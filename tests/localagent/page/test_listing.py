"""Lists: which one is meant, what its records are, what is dropped, where it goes on."""

from __future__ import annotations

import resource
import time

import pytest

from batchfish.localagent.page.read import read_page
from tests.localagent.page.pages import NUMBER, TEXT, read, record, several

HATS = several("hats", name=TEXT, price=NUMBER)
BOTH = [{"name": "Boater", "price": 9.0}, {"name": "Derby", "price": 8.5}, {"name": "Fez", "price": 7.0}]
ROWS = (("Boater", "£9"), ("Derby", "£8.50"), ("Fez", "£7"))


def made(form: str) -> str:
    return "".join(form.format(name=name, price=price) for name, price in ROWS)


@pytest.mark.parametrize(
    "body",
    [
        f"<ul>{made('<li><h3>{name}</h3><p>{price}</p></li>')}</ul>",
        f"<ul>{made('<li><a href=/x>{name}</a> <span class=price>{price}</span></li>')}</ul>",
        f"<div>{made('<div class=row><div class=card><b>{name}</b><span>{price}</span></div></div>')}</div>",
        f"<table><tr><th>Hat</th><th>Price</th></tr>{made('<tr><td>{name}</td><td>{price}</td></tr>')}</table>",
        f"<table><tr><td>Hat</td><td>Price</td></tr>{made('<tr><td>{name}</td><td>{price}</td></tr>')}</table>",
        (
            "<table><tr><th>Hat</th><th>Boater</th><th>Derby</th><th>Fez</th></tr>"
            "<tr><th>Price</th><td>£9</td><td>£8.50</td><td>£7</td></tr></table>"
        ),
        f"<h1>Hats</h1>{made('<h2>{name}</h2><p>{price}</p>')}",
        f"<dl>{made('<dt>{name}</dt><dd>Price: {price}</dd>')}</dl>",
    ],
)
def test_records_are_found_however_the_list_is_made(body: str) -> None:
    reading = read(body, HATS)
    assert reading.result == {"hats": BOTH}
    assert {"hats", "hats.name", "hats.price"} <= {one.name for one in reading.evidence}


def test_the_list_under_the_heading_that_is_asked_for_is_meant() -> None:
    body = f"<h2>Gloves</h2><ul>{made('<li><b>{name} glove</b> {price}</li>')}</ul><h2>Hats</h2><ul>{made('<li><b>{name}</b> {price}</li>')}</ul>"  # noqa: E501
    assert read(body, HATS).result == {"hats": BOTH}


def test_menus_related_things_and_adverts_are_no_records() -> None:
    body = (
        "<nav><ul><li><a href=/a>Hats £1</a></li><li><a href=/b>Gloves £2</a></li></ul></nav>"
        f"<main><ul class=hats>{made('<li><h3>{name}</h3><p>{price}</p></li>')}"
        "<li><p>Sponsored</p><h3>Elsewhere</h3><p>£1</p></li></ul></main>"
        f"<section class=related><h2>You may also like</h2><ul>{made('<li><h3>{name} bag</h3><p>{price}</p></li>') * 3}</ul></section>"  # noqa: E501
    )
    assert read(body, HATS).result == {"hats": BOTH}


def test_a_search_that_found_nothing_fails_whatever_is_listed_after_it() -> None:
    body = f"<p>No hats match your search</p><h2>Popular</h2><ul>{made('<li><h3>{name}</h3><p>{price}</p></li>') * 3}</ul>"  # noqa: E501
    assert read(body, HATS).code == "LOCAL_NOT_FOUND"


def test_a_missing_value_is_null_and_not_that_of_a_neighbour() -> None:
    body = "<ul><li><h3>Boater</h3><p>£9</p></li><li><h3>Derby</h3></li><li><h3>Fez</h3><p>£7</p></li></ul>"
    prices = [hat["price"] for hat in read(body, HATS).result["hats"]]
    assert prices in (
        [9.0, None, 7.0],
        [9.0, 7.0],
    )  # a record with half of what the others have may be an advert


def test_cells_that_span_rows_stand_in_each_and_group_rows_label_what_follows() -> None:
    body = (
        "<table><tr><th>Days</th><th>Departs</th></tr><tr><td rowspan=2>Monday</td><td>6:45</td></tr><tr><td>9:30</td></tr>"  # noqa: E501
        "<tr><td>Tuesday</td><td>8:00</td></tr><tr><td>Total</td><td>3</td></tr></table>"
    )
    sailings = read(body, several("sailings", days=TEXT, departs=TEXT)).result["sailings"]
    assert sailings == [
        {"days": "Monday", "departs": "6:45"}, {"days": "Monday", "departs": "9:30"}, {"days": "Tuesday", "departs": "8:00"},  # noqa: E501
    ]  # fmt: skip


def test_the_records_of_an_old_price_have_one_only_where_something_was_reduced() -> None:
    body = "<ul><li><h3>A</h3><s>£9</s> <b>£7</b></li><li><h3>B</h3><b>£8</b></li><li><h3>C</h3><b>£5</b></li></ul>"  # noqa: E501
    schema = several("hats", name=TEXT, price=NUMBER, old_price={**NUMBER, "nullable": True})
    assert [hat["old_price"] for hat in read(body, schema).result["hats"]] == [9.0, None, None]


def test_top_n_and_max_items_cut_a_list() -> None:
    body = f"<ul>{made('<li><h3>{name}</h3><p>{price}</p></li>')}</ul>"
    assert len(read(body, HATS, "Extract the top 2 hats").result["hats"]) == 2
    schema = record(hats={"type": "array", "maxItems": 1, "items": record(name=TEXT, price=NUMBER)})
    assert len(read(body, schema).result["hats"]) == 1


def test_a_list_says_where_it_goes_on_only_where_more_is_wanted() -> None:
    body = f"<ul class=hats>{made('<li><h3>{name}</h3><p>{price}</p></li>')}</ul><a href='/a?page=2'>Next page</a>"  # noqa: E501
    first = read(body, HATS, "Extract the hats of all pages")
    assert first.next_url == "https://shop.example/a?page=2"
    assert first.going_on is not None
    assert read(body, HATS, "Extract the hats").next_url is None
    last = "<html lang=en><body><ul class=hats><li><h3>Toque</h3><p>£3</p></li></ul></body></html>"
    after = read_page(
        last, url="https://shop.example/a?page=2", goal="all pages", schema=HATS, after=first.going_on
    )
    assert after.result == {"hats": [{"name": "Toque", "price": 3.0}]}


LIMIT, MEMORY = 10, 500 * 1024  # seconds of CPU, KiB
HEAD = "<tr><th>Name</th><th>Price</th></tr>"
ROW_PAIR = "<tr><td>Fez</td><td>£7</td></tr><tr><td>Derby</td><td>£8</td></tr>"
ITEM_PAIR = "<li><h3>Fez</h3><p>£7</p></li><li><h3>Derby</h3><p>£8</p></li>"


@pytest.mark.parametrize(
    ("body", "schema"),
    [
        ("<div>" * 20_000 + "<p>Price: £8</p>", record(price=NUMBER)),
        ("<b>" * 20_000 + "Price: £8", record(price=NUMBER)),
        pytest.param(f"<table>{HEAD}{ROW_PAIR * 6000}</table>", HATS, marks=pytest.mark.slow),
        pytest.param(f"<ul>{ITEM_PAIR * 6000}</ul>", HATS, marks=pytest.mark.slow),
    ],
    ids=["nested blocks", "nested tags", "rows", "items"],
)
def test_hostile_and_long_pages_are_read_within_bounds(body: str, schema: dict[str, object]) -> None:
    begun = time.process_time()
    reading = read(body, schema)
    assert time.process_time() - begun < LIMIT
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < MEMORY
    assert reading.result in (None, {"price": 8.0}) or len(reading.result["hats"]) == 12_000
