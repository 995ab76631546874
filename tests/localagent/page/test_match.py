"""Which of several values a field gets, and what is no value of it at all."""

from __future__ import annotations

import pytest

from tests.localagent.page.pages import NULL, look

LIST = {"type": "array", "items": {"type": "string"}}


def test_what_is_seen_is_believed_before_what_the_head_says() -> None:
    head = '<title>Page</title><meta name="author" content="Site Team">'
    assert look('<p class="author">Ann Lind</p>', head=head, author="string").result == {"author": "Ann Lind"}
    assert look("<p>Words.</p>", head=head, author="string").result == {"author": "Site Team"}


def test_a_label_that_is_the_name_goes_before_a_related_one() -> None:
    body = "<dl><dt>Cost</dt><dd>£9</dd><dt>Price</dt><dd>£12</dd></dl>"
    assert look(body, price="number").result == {"price": 12}
    assert look(body, cost="number").result == {"cost": 9}


@pytest.mark.parametrize("said", ["£19 a month / month", "£19 per month", "£19/mo", "19 € mtl."])
def test_what_is_paid_by_the_month_is_not_the_price_of_a_thing_that_has_one(said: str) -> None:
    body = f'<p class="price">£450</p><p class="price">{said}</p>'
    assert look(body, price="number").result == {"price": 450}


def test_but_it_is_no_less_a_price_by_the_month() -> None:
    body = '<p class="monthly-price">£19 per month</p><p class="monthly-price">£450</p>'
    assert look(body, monthly_price="number").code == "LOCAL_NOT_FOUND"


@pytest.mark.parametrize("text", ["#copper #deep-sea #tin", " #copper  #deep-sea #tin "])
def test_hashtags_are_a_list(text: str) -> None:
    assert look(f"<p>Tags: <span>{text}</span></p>", tags=LIST).result == {
        "tags": ["copper", "deep-sea", "tin"]
    }


def test_how_many_there_are_is_not_which() -> None:
    text = {"type": "string", **NULL}
    assert look("<h1>Rope</h1><p>57 versions so far</p>", name="string", version=text).result == {
        "name": "Rope",
        "version": None,
    }
    assert look("<h1>Rope</h1><p>57 versions so far</p>", versions="integer").result == {"versions": 57}


def test_the_count_of_ratings_is_no_rating() -> None:
    body = "<h1>Rope</h1><dl><dt>Rating count</dt><dd>4</dd></dl>"
    assert look(body, rating="number").code == "LOCAL_NOT_FOUND"
    assert look(body, rating_count="integer").result == {"rating_count": 4}


def test_of_money_only_what_says_its_currency_is_a_price_under_a_like_label() -> None:
    body = "<dl><dt>Wurble price</dt><dd>4</dd></dl>"
    assert look(body, price="number").code == "LOCAL_NOT_FOUND"
    assert look(body.replace("4", "£4"), price="number").result == {"price": 4}


def test_what_structured_data_says_several_of_is_seldom_the_one() -> None:
    body = (
        '<script type="application/ld+json">{"@type": "Book", "genre": ["Sea", "War"]}</script>'
        "<h1>Salt</h1><p>Genre: Sagas</p>"
    )
    assert look(body, genre="string").result == {"genre": "Sagas"}
