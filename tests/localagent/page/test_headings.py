"""What stands over some records of a list, and not over others."""

from __future__ import annotations

from tests.localagent.page.pages import NULL, records

CARD = "<div class='dish'><h3>{0}</h3><span>£{1}</span></div>"
SERVED = (
    f"<h2>Starters</h2>{CARD.format('Soup', 6)}{CARD.format('Eel', 8)}"
    f"<h2>Mains</h2>{CARD.format('Carp', 19)}{CARD.format('Pie', 15)}"
)


def test_the_heading_over_some_records_is_a_column_of_theirs() -> None:
    found = records(f"<div>{SERVED}</div>", name="string", price="number", section="string")
    assert [(one["name"], one["section"]) for one in found] == [
        ("Soup", "Starters"),
        ("Eel", "Starters"),
        ("Carp", "Mains"),
        ("Pie", "Mains"),
    ]


def test_it_says_nothing_where_a_record_stands_under_none() -> None:
    body = f"<div>{CARD.format('Bread', 2)}{SERVED}</div>"
    section = {"type": "string", **NULL}
    found = records(body, name="string", price="number", section=section)
    assert [one["section"] for one in found] == [None] * 5
