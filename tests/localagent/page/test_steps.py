"""Places in records: told apart by how they are set where no class says what they hold."""

from __future__ import annotations

from typing import Any

from tests.localagent.page.pages import NULL, records

TEXT: dict[str, Any] = {"type": "string", **NULL}
LABEL, VALUE = '<span class="text-gray-500">{0}</span>', '<span class="font-bold">{0}</span>'


def test_places_that_are_set_otherwise_are_other_columns() -> None:
    """A record that lacks the first of two texts has the second in the same place."""
    row = '<li><h3>{0}</h3>{1}<span class="text-lg">£{2}</span></li>'
    said = '<span class="text-sm">{0}</span>'
    rows = (("Arc", "oak", 9), ("Reed", "", 5), ("Nord", "ash", 7), ("Bay", "elm", 4))
    body = "".join(row.format(name, said.format(wood) if wood else "", price) for name, wood, price in rows)
    assert records(f"<ul>{body}</ul>", name="string", price="number", timber=TEXT) == [
        {"name": name, "price": price, "timber": wood or None} for name, wood, price in rows
    ]


def test_a_highlighted_record_is_one_among_plain_ones() -> None:
    card = '<li class="p-4 {2}"><h3 class="{3}">{0}</h3><span class="{4}">{1}</span></li>'
    plain, bright = ("bg-white", "text-lg", "text-sm"), ("bg-blue-600", "text-xl", "text-lg")
    rows = (("Arc", "oak", plain), ("Reed", "elm", bright), ("Nord", "ash", plain), ("Bay", "fir", plain))
    body = "".join(card.format(name, wood, *how) for name, wood, how in rows)
    assert records(f"<ul>{body}</ul>", name="string", timber="string") == [
        {"name": name, "timber": wood} for name, wood, _ in rows
    ]
