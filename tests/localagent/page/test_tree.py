"""The text of elements, and which of two ways to say a thing is kept."""

from __future__ import annotations

import pytest

from batchfish.localagent.page.tree import drop_unseen, parse, text_of
from tests.localagent.page.pages import look

PRICES = {
    "<p>$229<sup>95</sup></p>": "$229.95",
    '<p><b>$</b><i>34</i><small class="price-fraction">99</small></p>': "$34.99",
    "<p>117.4 km<sup>2</sup></p>": "117.4 km2",
    "<p>Founded 1931<sup>12</sup></p>": "Founded 1931",
    '<p><i class="a-offscreen">$34.99</i><span aria-hidden="true">$<b>34</b><b>99</b></span></p>': "$34.99",
    '<p>Size <span class="sr-only">in metres</span> <span aria-hidden="true">4 m</span></p>': "Size 4 m",
    "<p>Save <button>Buy</button></p>": "Save",
    "<h2><button>May I?</button></h2>": "May I?",
}


@pytest.mark.parametrize(("body", "text"), PRICES.items())
def test_what_a_person_reads(body: str, text: str) -> None:
    tree = parse(f"<html><body>{body}</body></html>")
    assert tree is not None
    drop_unseen(tree)
    assert text_of(tree.find("body")) == text


def text(body: str) -> str:
    tree = parse(f"<html><body>{body}</body></html>")
    assert tree is not None
    drop_unseen(tree)
    return text_of(tree.find("body"))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("<p>£</p><p>12.50</p>", "£ 12.50"),
        ("<p>12,50</p><p>kr</p>", "12,50 kr"),
        ("<p>£</p><p>Sold by Ann</p>", "£\nSold by Ann"),
    ],
)
def test_a_currency_in_a_block_of_its_own_belongs_to_the_amount_beside_it(body: str, said: str) -> None:
    assert text(body) == said


def test_it_makes_a_price_of_that() -> None:
    body = "<div><div>Price</div><div><div>€</div><div>34</div></div></div>"
    assert look(body, price_eur="number").result == {"price_eur": 34}


LABEL = '<span class="sr-only{1}">{0}</span>'


@pytest.mark.parametrize(
    "body",
    [
        "<p>{0}oak</p><p>{1}round</p>",
        "<div>{0}<b>oak</b></div><div>{1}<b>round</b></div>",
    ],
)
@pytest.mark.parametrize(("end", "of_class"), [(":", ""), ("", " label")])
def test_labels_that_are_only_read_out_name_what_is_beside_them(body: str, end: str, of_class: str) -> None:
    said = [LABEL.format(f"{name}{end}", of_class) for name in ("Wurble", "Blimp")]
    assert look(body.format(*said), wurble="string", blimp="string").result == {
        "wurble": "oak",
        "blimp": "round",
    }


def test_terms_that_are_only_read_out_are_labels() -> None:
    entry = '<dt class="sr-only">{0}</dt><dd>{1}</dd>'
    body = f"<dl>{entry.format('Wurble', 'oak')}{entry.format('Blimp', 'round')}</dl>"
    assert look(body, wurble="string", blimp="string").result == {"wurble": "oak", "blimp": "round"}


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
