"""The text of elements, and which of two ways to say a thing is kept."""

from __future__ import annotations

import pytest

from batchfish.localagent.page.tree import drop_unseen, parse, text_of

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
