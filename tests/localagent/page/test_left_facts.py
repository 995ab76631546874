"""Labelled values that are left: a field that must be there takes the one that can be it."""

from __future__ import annotations

from tests.localagent.page.pages import look

LEFT = "<dl><dt>Price</dt><dd>£9</dd><dt>Maker</dt><dd>Ann</dd>{0}</dl>"


def test_of_the_labelled_values_left_an_object_takes_the_one_whose_label_shares_a_word() -> None:
    body = LEFT.format("<dt>Sort of wurble in the lid</dt><dd>brass</dd><dt>Blimp</dt><dd>round</dd>")
    asked = {"price": "number", "maker": "string"}
    assert look(body, **asked, wurble_sort="string").result == {
        "price": 9,
        "maker": "Ann",
        "wurble_sort": "brass",
    }
    assert look(body, **asked, rim_sort="string").code == "LOCAL_NOT_FOUND"


def test_of_the_labelled_values_left_a_measure_is_told_by_its_unit() -> None:
    body = LEFT.format("<dt>Wurble</dt><dd>12 kg</dd><dt>Blimp</dt><dd>3</dd>")
    asked = {"price": "number", "maker": "string"}
    assert look(body, **asked, thrust_kg="number").result == {"price": 9, "maker": "Ann", "thrust_kg": 12}
    several = LEFT.format("<dt>Wurble</dt><dd>12 kg</dd><dt>Blimp</dt><dd>3 kg</dd>")
    assert look(several, **asked, thrust_kg="number").code == "LOCAL_NOT_FOUND"
