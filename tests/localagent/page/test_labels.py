"""What a title says, and what amounts count."""

from __future__ import annotations

import pytest

from batchfish.localagent.page.labels import plain_mark, site_of
from batchfish.localagent.page.lines import amounts_in, led_by_label
from tests.localagent.page.pages import look, records


@pytest.mark.parametrize(
    ("title", "site"),
    [
        ("Kettle | Marlow", "Marlow"),
        ("Acme | Contact", "Acme"),
        ("Contact – Dock Yard", "Dock Yard"),
        ("Kettle", ""),
        ("", ""),
    ],
)
def test_the_last_part_of_a_title_names_the_site_where_there_are_several(title: str, site: str) -> None:
    assert site_of(title) == site


def test_the_five_that_stars_are_out_of_counts_nothing() -> None:
    assert amounts_in("4.3 out of 5 stars, 1,871 ratings") == [("1,871", "ratings")]
    body = "<p>4.3 out of 5 stars</p><p>1,871 ratings</p>"
    assert look(body, rating="number", rating_count="integer").result == {"rating": 4.3, "rating_count": 1871}


@pytest.mark.parametrize(
    ("line", "led"),
    [
        ("RRP £349.00", ("RRP", "£349.00")),
        ("Posted 28 May 2024", ("Posted", "28 May 2024")),
        ("Apollo 12", None),
        ("It has served 8 people so far, and will serve as many again before the year is over.", None),
    ],
)
def test_a_line_may_begin_with_a_label_that_is_known(line: str, led: tuple[str, str] | None) -> None:
    assert led_by_label(line) == led


def test_a_number_alone_is_called_what_stands_alone_beside_it() -> None:
    stat = "<div><b>{0}</b><i>{1}</i></div>"
    row = "<li><h3>{0}</h3>" + stat.format("{1}", "votes") + stat.format("{2}", "views") + "</li>"
    body = "<ul>" + row.format("Rope", 12, 840) + row.format("Oil", 0, 15) + "</ul>"
    assert records(body, title="string", votes="integer", views="integer") == [
        {"title": "Rope", "votes": 12, "views": 840},
        {"title": "Oil", "votes": 0, "views": 15},
    ]


def test_the_second_line_of_a_label_says_only_more_exactly_what_the_first_does() -> None:
    body = "<table><tr><th>Capital<br>and largest city</th><td>Grenmo</td></tr></table>"
    assert look(body, capital="string").result == {"capital": "Grenmo"}


def test_links_side_by_side_are_a_list() -> None:
    names = {"type": "array", "items": {"type": "string"}}
    credit = "<li><span>{0}</span><div>{1}</div></li>"
    rows = credit.format("Writers", "<a>Ana Sol</a><a>Tim Roe</a>") + credit.format(
        "Stars", "<a>Noé Kern</a>"
    )
    assert look(f"<ul>{rows}</ul>", writers=names).result == {"writers": ["Ana Sol", "Tim Roe"]}


def test_minutes_in_a_text_are_not_the_minutes_of_anything() -> None:
    assert look("<p>Cook the leeks for 20 minutes.</p>", total_minutes="integer").code == "LOCAL_NOT_FOUND"
    assert look("<p>Reading time: 4 minutes</p>", reading_minutes="integer").result == {"reading_minutes": 4}


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("hotel__name", "name"),
        ("dish__item-price", "price"),
        ("seller__name", "seller name"),
        ("product-price", "price"),
    ],
)
def test_a_class_for_a_part_of_a_block_says_what_that_part_is_and_whose_where_others_have_one(
    name: str, says: str
) -> None:
    assert plain_mark(name) == says


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        ("Call 555 123\nreviews of ropes", []),
        ("12\nreviews", [("12", "reviews")]),
        ("It began in 2019. Since then", []),
        ("4 reviews, 1.5 hours", [("4", "reviews"), ("1.5", "hours")]),
    ],
)
def test_a_number_that_ends_a_line_or_a_sentence_counts_nothing(
    text: str, counted: list[tuple[str, str]]
) -> None:
    assert amounts_in(text) == counted
