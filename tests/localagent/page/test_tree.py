"""The text of elements, as a person reads it."""

from __future__ import annotations

import pytest

from batchfish.localagent.page.tree import parse, text_of
from tests.localagent.page.pages import look

TEXTS = {
    "<p>$229<sup>95</sup></p>": "$229.95",
    '<p><b>$</b><i>34</i><small class="price-fraction">99</small></p>': "$34.99",
    "<p>117.4 km<sup>2</sup></p>": "117.4 km2",
    "<p>Founded 1931<sup>12</sup></p>": "Founded 1931",
    "<p>Save <button>Buy</button></p>": "Save",
    "<h2><button>May I?</button></h2>": "May I?",
}


def text(body: str) -> str:
    tree = parse(f"<html><body>{body}</body></html>")
    assert tree is not None
    return text_of(tree.find("body"))


@pytest.mark.parametrize(("body", "said"), TEXTS.items())
def test_what_a_person_reads(body: str, said: str) -> None:
    assert text(body) == said


@pytest.mark.parametrize(
    "struck", ['class="text-gray line-through"', 'style="text-decoration: line-through"']
)
def test_a_price_is_old_however_it_is_struck_through(struck: str) -> None:
    body = f'<p class="price"><span {struck}>£10</span> <b>£8</b></p>'
    assert look(body, price="number", old_price="number").result == {"price": 8, "old_price": 10}


def test_a_badge_that_is_all_that_stands_there_is_the_text() -> None:
    assert text('<p><b class="badge">New</b></p>') == "New"
    assert text('<p><b class="badge">New</b> Kettle</p>') == "Kettle"


def test_what_is_struck_out_is_none_even_where_nothing_else_is() -> None:
    assert text("<p><del>£10</del></p>") == ""
