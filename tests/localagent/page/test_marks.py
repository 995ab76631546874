"""Names in the markup: what a class says beside the name of the block that it belongs to."""

from __future__ import annotations

import pytest
from lxml.html import fromstring

from batchfish.localagent.page.marks import blocks_in, is_useful, name_as_written, without_block
from tests.localagent.page.pages import look, records


def test_a_word_that_many_names_begin_with_is_that_of_their_block() -> None:
    assert "dish" in blocks_in(["dish name", "dish price", "dish note"], ())
    assert blocks_in(["dish name", "dish price"], ()) == set()
    assert "dish" in blocks_in(["dish name"], ["dish"])


def test_a_word_that_says_what_a_value_is_belongs_to_its_name() -> None:
    assert blocks_in(["author name", "author link", "author age"], ()) == set()
    assert without_block("author name", {"dish"}) == "author name"
    assert without_block("dish name", {"dish"}) == "name"


@pytest.mark.parametrize(
    ("name", "says"), [("p-name", True), ("dt-start", True), ("p-4", False), ("p-auto", False)]
)
def test_classes_of_microformats_are_told_from_those_that_set_an_element(name: str, says: bool) -> None:  # noqa: FBT001
    assert is_useful(name) is says


def test_records_whose_classes_repeat_their_kind() -> None:
    row = '<li class="livre"><a class="livre__titre" href="/x">{0}</a><i class="livre__auteur">{1}</i></li>'
    advert = '<li class="livre encart"><a href="/club">Rejoignez le club !</a></li>'
    body = f"<ul>{row.format('Sel', 'N. Benali')}{advert}{row.format('Atlas', 'Collectif')}</ul>"
    assert records(body, titre="string", auteur="string") == [
        {"titre": "Sel", "auteur": "N. Benali"},
        {"titre": "Atlas", "auteur": "Collectif"},
    ]


def test_one_thing_whose_classes_repeat_its_kind() -> None:
    body = '<div class="pot"><h1>Can</h1><p class="pot__price">£8</p><p class="pot__maker">Ann</p></div>'
    assert look(body, price="number", maker="string").result == {"price": 8, "maker": "Ann"}


def test_the_name_of_who_sells_is_not_the_name_of_the_thing() -> None:
    body = (
        '<div class="item"><p class="seller-name">Bob</p><p class="seller-link">x</p>'
        '<p class="seller-rating">4.9 out of 5</p></div>'
    )
    assert look(body, rating="number").code == "LOCAL_NOT_FOUND"


@pytest.mark.parametrize(
    ("built", "written"),
    [
        ("Card_price__Z0p4v", "Card_price"),
        ("_price_1x2y3_7", "price"),
        ("card-module--price--a1B2c", "price"),
        ("css-1q2w3e-Price", "Price"),
        ("field--name-field-price", "price"),
        ("views-field-field-price", "price"),
        ("card__price", "card__price"),
        ("btn-primary", "btn-primary"),
    ],
)
def test_a_class_that_a_tool_made_unique_is_as_somebody_wrote_it(built: str, written: str) -> None:
    tree = fromstring(f'<div><p class="x {built}">1</p></div>')
    name_as_written(tree)
    assert tree[0].get("class") == f"x {written}"


@pytest.mark.parametrize("named", ["Card_{0}__Z0p4v", "_{0}_1x2y3_7", "field--name-field-{0}"])
def test_values_are_found_by_classes_that_tools_made_unique(named: str) -> None:
    says = '<p class="{0}">{1}</p>'
    body = says.format(named.format("colour"), "brown") + says.format(named.format("maker"), "Ann")
    assert look(body, colour="string", maker="string").result == {"colour": "brown", "maker": "Ann"}


def test_a_word_for_a_thing_that_many_names_begin_with_is_that_of_the_block() -> None:
    names = ["ship name", "ship price", "ship owner"]
    assert blocks_in(names, ()) == {"ship"}, "though a timetable may have a ship as a value"


@pytest.mark.parametrize("attribute", ["data-test-id", "data-cy", "data-hook", "data-name", "itemprop"])
def test_names_for_scripts_and_tests_say_what_a_value_is(attribute: str) -> None:
    body = f'<p {attribute}="colour">brown</p><p {attribute}="maker">Ann</p>'
    assert look(body, colour="string", maker="string").result == {"colour": "brown", "maker": "Ann"}
