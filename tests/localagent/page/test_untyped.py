"""Values that nobody gave a type."""

from __future__ import annotations

import pytest

from batchfish.localagent.page.read import read_page
from batchfish.localagent.page.untyped import with_numbers
from tests.localagent.page.pages import schema

PAGE = "<html><body><h1>Lift</h1><dl><dt>Wurble</dt><dd>{0}</dd></dl></body></html>"


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("12", 12),
        ("-4", -4),
        ("−4", -4),
        ("2.5", 2.5),
        ("007", "007"),
        ("12 kg", "12 kg"),
        ("1,204", "1,204"),
    ],
)
def test_a_bare_number_is_one_and_nothing_else(said: str, read: object) -> None:
    found = with_numbers({"wurble": said})
    assert found == {"wurble": read}
    assert type(found["wurble"]) is type(read)


def test_what_is_written_in_digits_and_yet_no_number_stays_a_text() -> None:
    told = {"phone": "5551234", "postcode": "10115", "isbn": "9780141", "version": "2.5", "wurble": "7"}
    assert with_numbers(told) == {**told, "wurble": 7}


def test_in_a_list_all_values_of_a_name_are_numbers_or_none_is() -> None:
    rows = [{"seats": "4", "class": "1"}, {"seats": "many", "class": "2"}, {"seats": "6", "class": None}]
    assert with_numbers({"rooms": rows}) == {
        "rooms": [
            {"seats": "4", "class": 1},
            {"seats": "many", "class": 2},
            {"seats": "6", "class": None},
        ]
    }


def test_only_a_goal_in_words_leaves_the_type_open() -> None:
    page, goal = PAGE.format(12), "Extract the name and the wurble."
    assert read_page(page, url="u", goal=goal).result == {"name": "Lift", "wurble": 12}
    assert read_page(page, url="u", goal=goal, schema=schema(wurble="string")).result == {"wurble": "12"}
