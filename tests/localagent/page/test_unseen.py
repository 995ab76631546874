"""What is not seen of a page, and which of two ways to say a thing is kept."""

from __future__ import annotations

import pytest

from batchfish.localagent.page.tree import parse, text_of
from batchfish.localagent.page.unseen import drop_unseen
from tests.localagent.page.pages import look

SAID = {
    '<p><i class="a-offscreen">$34.99</i><span aria-hidden="true">$<b>34</b><b>99</b></span></p>': "$34.99",
    '<p>Size <span class="sr-only">in metres</span> <span aria-hidden="true">4 m</span></p>': "Size 4 m",
}


def text(body: str) -> str:
    tree = parse(f"<html><body>{body}</body></html>")
    assert tree is not None
    drop_unseen(tree)
    return text_of(tree.find("body"))


@pytest.mark.parametrize(("body", "said"), SAID.items())
def test_what_is_read_out_is_kept_where_it_says_the_whole_value(body: str, said: str) -> None:
    assert text(body) == said


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
