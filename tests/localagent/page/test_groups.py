"""Groups of like things: which of several lists are one, and cells that lie across several columns."""

from __future__ import annotations

from typing import Any

from tests.localagent.page.pages import NULL, look, records, schema
from tests.localagent.page.test_tables import table

COUNT: dict[str, Any] = {"type": "integer", **NULL}
HEAD = "<tr><th>Dish</th><th>Price</th></tr>"


def test_tables_of_like_headers_are_one_where_the_heading_over_each_is_asked_for() -> None:
    first = table(("Soup", "£6"), ("Eel", "£8"), head=HEAD)
    body = f"<h2>Starters</h2>{first}<h2>Mains</h2>{table(('Carp', '£19'), head=HEAD)}"
    found = records(body, dish="string", price="number", course="string")
    assert [(one["dish"], one["course"]) for one in found] == [
        ("Soup", "Starters"),
        ("Eel", "Starters"),
        ("Carp", "Mains"),
    ]


def test_else_each_of_them_is_a_list_of_its_own() -> None:
    first = table(("Soup", "£6"), ("Eel", "£8"), ("Roe", "£9"), head=HEAD)
    second = table(("Carp", "£19"), ("Pie", "£15"), head=HEAD)
    assert records(f"<h2>Starters</h2>{first}<h2>Mains</h2>{second}", dish="string", price="number") is None
    things = {"type": "array", "items": schema(dish="string", price="number")}
    reading = look(f"<h2>Starters</h2>{first}<h2>Mains</h2>{second}", mains=things)
    assert reading.result == {"mains": [{"dish": "Carp", "price": 19}, {"dish": "Pie", "price": 15}]}


def test_words_that_lie_across_several_columns_are_those_of_the_first() -> None:
    head = "<tr><th>Stop</th><th>Lift</th><th>Notes</th></tr>"
    rows = (
        "<tr><td>Quern</td><td>works</td><td>step-free</td></tr>"
        "<tr><td>Weir</td><td colspan=2>closed</td></tr><tr><td>Ford</td><td>none</td><td>stairs</td></tr>"
    )
    note = {"type": "string", **NULL}
    assert records(f"<table>{head}{rows}</table>", stop="string", lift="string", notes=note)[1] == {
        "stop": "Weir",
        "lift": "closed",
        "notes": None,
    }


def test_but_a_number_across_several_columns_is_that_of_each() -> None:
    head = "<tr><th>Player</th><th>Home goals</th><th>Away goals</th></tr>"
    rows = (
        "<tr><td>Venn</td><td>4</td><td>2</td></tr><tr><td>Ammer</td><td colspan=2>3</td></tr>"
        "<tr><td>Roe</td><td>1</td><td>0</td></tr>"
    )
    found = records(f"<table>{head}{rows}</table>", player="string", home_goals=COUNT, away_goals=COUNT)
    assert found[1] == {
        "player": "Ammer",
        "home_goals": 3,
        "away_goals": 3,
    }
