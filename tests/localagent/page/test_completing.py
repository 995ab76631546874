"""What is left open in a list: flags on some of the records, gaps, texts without a name."""

from __future__ import annotations

from tests.localagent.page.pages import NULL, records

ROW = '<li class="item"><h3>{0}</h3><b>£{1}</b>{2}</li>'
SALE, GONE = '<span class="badge">Sale</span>', '<span class="badge">Sold out</span>'
SHELF = ROW.format("Arc", 9, "") + ROW.format("Pebble", 5, SALE) + ROW.format("Nord", 7, GONE)


def test_a_flag_that_some_records_bear_is_no_for_the_others() -> None:
    found = records(f"<ul>{SHELF}</ul>", title="string", on_sale="boolean", available="boolean")
    assert [(one["on_sale"], one["available"]) for one in found] == [
        (False, True),
        (True, True),
        (False, False),
    ]


def test_it_is_not_known_where_it_may_be_null() -> None:
    found = records(f"<ul>{SHELF}</ul>", title="string", available={"type": "boolean", **NULL})
    assert [one["available"] for one in found] == [None, None, False]


def test_a_flag_that_nothing_bears_is_not_there() -> None:
    rows = "".join(ROW.format(name, 5, "") for name in "ABC")
    assert records(f"<ul>{rows}</ul>", title="string", on_sale="boolean") is None


def test_an_amount_is_found_by_its_unit_wherever_in_the_record_it_stands() -> None:
    row = "<li><h3>{0}</h3><ul>{1}</ul></li>"
    parts = (("A", ("55 m²", "2 rooms")), ("B", ("3 rooms", "88 m²")), ("C", ("31 m²",)))
    body = "".join(row.format(name, "".join(f"<li>{one}</li>" for one in said)) for name, said in parts)
    found = records(f"<ol>{body}</ol>", title="string", area_m2="integer", rooms={"type": "integer", **NULL})
    assert [(one["area_m2"], one["rooms"]) for one in found] == [(55, 2), (88, 3), (31, None)]


def test_what_stands_in_brackets_is_the_one_text_left() -> None:
    lines = ("Garlic – £1.80 (bunch)", "Leeks – £2.60 (kg)", "Eggs – £3.25 (half dozen)")
    found = records(
        "<ul>" + "".join(f"<li>{line}</li>" for line in lines) + "</ul>",
        name="string",
        price="number",
        unit="string",
    )
    assert found[2] == {"name": "Eggs", "price": 3.25, "unit": "half dozen"}


def test_a_line_in_two_halves_is_a_name_and_the_one_text_left() -> None:
    lines = ("Monday: 9am – 5pm", "Tuesday: 9am – 7pm", "Sunday: closed")
    body = "<ul>" + "".join(f"<li>{line}</li>" for line in lines) + "</ul>"
    assert records(body, day="string", hours="string") == [
        {"day": "Monday", "hours": "9am – 5pm"},
        {"day": "Tuesday", "hours": "9am – 7pm"},
        {"day": "Sunday", "hours": "closed"},
    ]


def test_times_of_day_and_numbers_after_their_sign_need_no_label() -> None:
    row = "<li><time>{0}</time> <strong>{1}</strong> <em>{2}</em> <i>#{3}</i></li>"
    rows = (("18:00", "Opening", "Main tent", 81), ("20:00", "Low Tide", "Barn", 79))
    body = "<ul>" + "".join(row.format(*one) for one in rows) + "</ul>"
    assert records(body, time="string", title="string", number="integer") == [
        {"time": time, "title": title, "number": number} for time, title, _, number in rows
    ]


def test_the_parts_of_a_line_have_their_own_day_and_noun() -> None:
    row = (
        '<li><p><a href="/{0}">{0}</a><br>by <a>{1}</a> » <time datetime="2024-03-01">1 March</time></p>'
        "<b>{2} customer reviews</b></li>"
    )
    body = "<ul>" + row.format("Rope", "ida", 4) + row.format("Oil", "per", 12) + "</ul>"
    day = {"type": "string", "format": "date"}
    assert records(body, title="string", author="string", date=day, review_count="integer") == [
        {"title": "Rope", "author": "ida", "date": "2024-03-01", "review_count": 4},
        {"title": "Oil", "author": "per", "date": "2024-03-01", "review_count": 12},
    ]


def test_terms_of_several_lists_are_one_list() -> None:
    entry = "<dt>{0} <span>£{1}</span></dt><dd>{2}</dd>"
    first = entry.format("Soup", 6, "With bread") + entry.format("Eel", 8, "Smoked")
    second = entry.format("Carp", 19, "In beer") + entry.format("Pie", 15, "Pigeon")
    found = records(f"<dl>{first}</dl><h2>Mains</h2><dl>{second}</dl>", name="string", price="number")
    assert [one["name"] for one in found] == ["Soup", "Eel", "Carp", "Pie"]


def test_what_is_sold_out_says_so() -> None:
    rows = "".join(ROW.format(name, 5, "") for name in "ABC")
    assert records(f"<ul>{rows}</ul>", title="string", price="number", sold_out="boolean") == [
        {"title": name, "price": 5, "sold_out": False} for name in "ABC"
    ]
    sold_out = {"type": "boolean", **NULL}
    found = records(f"<ul>{rows}</ul>", title="string", price="number", sold_out=sold_out)
    assert [one["sold_out"] for one in found] == [None] * 3


def test_an_older_price_that_is_the_price_is_none() -> None:
    row = '<li><h3>{0}</h3><b class="price">£{1}</b> <s>£{2}</s></li>'
    body = row.format("Arc", 9, 12) + row.format("Pebble", 5, 5) + row.format("Nord", 7, 8)
    old = {"type": "number", **NULL}
    found = records(f"<ul>{body}</ul>", title="string", price="number", regular_price=old)
    assert [(one["price"], one["regular_price"]) for one in found] == [(9, 12), (5, None), (7, 8)]
    found = records(f"<ul>{body}</ul>", title="string", price="number", regular_price="number")
    assert [one["regular_price"] for one in found] == [12, 5, 8]
