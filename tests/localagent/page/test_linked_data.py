"""What JSON-LD says of a thing by pointing at another."""

from __future__ import annotations

import json
from typing import Any

from batchfish.localagent.page.linked_data import linked_data
from tests.localagent.page.pages import look


def blocks(*things: Any) -> str:  # noqa: ANN401 - any JSON
    return "".join(f'<script type="application/ld+json">{json.dumps(thing)}</script>' for thing in things)


PUBLISHER = {"@type": "Organization", "@id": "#org", "name": "Faro Press", "url": "http://faro.example/"}
BOOK = {"@type": "Book", "name": "Salt", "publisher": {"@id": "#org"}}


def test_what_a_thing_points_at_by_its_id_is_read_in_its_place() -> None:
    graph = {"@graph": [PUBLISHER, BOOK]}
    assert look(blocks(graph), name="string", publisher="string").result == {
        "name": "Salt",
        "publisher": "Faro Press",
    }


def test_it_may_stand_in_another_block() -> None:
    assert look(blocks(BOOK, PUBLISHER), publisher="string").result == {"publisher": "Faro Press"}


def test_two_that_point_at_each_other_are_read_to_an_end() -> None:
    one = {"@type": "Person", "@id": "#a", "name": "Ann", "knows": {"@id": "#b"}}
    other = {"@type": "Person", "@id": "#b", "name": "Ben", "knows": {"@id": "#a"}}
    found = list(linked_data([json.dumps({"@graph": [one, other]})]))
    assert [dict(thing.values)["name"].text for thing in found] == ["Ann", "Ben"]


def test_a_property_value_is_the_number_and_not_whose_number_it_is() -> None:
    number = {"@type": "PropertyValue", "name": "Register of Wick", "value": "HRB 1204"}
    body = blocks({"@type": "Product", "name": "Can", "identifier": number})
    (thing,) = linked_data([json.dumps({"@type": "Product", "name": "Can", "identifier": number})])
    assert ("identifier", "HRB 1204") in [(path, value.text) for path, value in thing.values]
    assert look(body, name="string", identifier="string").result == {"name": "Can", "identifier": "HRB 1204"}
