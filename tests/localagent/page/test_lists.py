"""Which list of a page is meant."""

from __future__ import annotations

from typing import Any

from batchfish.localagent.page.read import read_page
from tests.localagent.page.pages import NULL, records, schema

DISH = '<div class="dish"><span class="dish-name">{0}</span><span class="dish-price">{1}</span>{2}</div>'
NOTHING: dict[str, Any] = {"type": "string", **NULL}
NOTE = '<p class="dish-note">{0}</p>'
ROW = "<li><h4>{0}</h4><b>£{1}</b></li>"


def test_a_list_in_sections_is_read_as_a_whole() -> None:
    first = DISH.format("Soup", "6.00", "") + DISH.format("Eel", "8.50", NOTE.format("with apple"))
    second = DISH.format("Carp", "19.00", NOTE.format("for two")) + DISH.format(
        "Pie", "21.00", NOTE.format("hot")
    )
    body = f"<section><h2>Starters</h2>{first}</section><section><h2>Mains</h2>{second}</section>"
    found = records(body, name="string", price="number", note={"type": "string", **NULL})
    assert [one["name"] for one in found] == ["Soup", "Eel", "Carp", "Pie"]


def test_a_list_of_names_alone_is_not_a_list_of_all_that_is_wanted() -> None:
    nullable = dict.fromkeys(("wine", "chef", "origin"), NOTHING)
    assert records("<ul><li>Soup</li><li>Eel</li><li>Pie</li></ul>", name="string", **nullable) is None


def shelf(heading: str, *rows: tuple[str, int], tag: str = "h2") -> str:
    return f"<section><{tag}>{heading}</{tag}><ul>{''.join(ROW.format(*row) for row in rows)}</ul></section>"


def named(html: str, goal: str, name: str = "things") -> Any:  # noqa: ANN401 - a result or None
    wanted = {"type": "array", "items": schema(title="string", price="number")}
    page = f"<html><body>{html}</body></html>"
    reading = read_page(page, url="http://a.example/p", goal=goal, schema=schema(**{name: wanted}))
    return reading.result and [one["title"] for one in reading.result[name]]


PLAYED = shelf("Already played", ("Arc", 9), ("Bay", 7), ("Cay", 8))
COMING = shelf("Coming up soon", ("Dot", 6), ("Elm", 5), ("Fay", 3))


def test_of_like_lists_it_is_the_one_whose_heading_the_goal_says() -> None:
    body, goal = f"{PLAYED}<hr><p>Words</p>{COMING}", "Extract title and price of {0}."
    assert named(body, goal.format("what is coming up soon")) == ["Dot", "Elm", "Fay"]
    assert named(body, goal.format("all that was already played")) == ["Arc", "Bay", "Cay"]
    assert named(body, goal.format("all")) == ["Arc", "Bay", "Cay", "Dot", "Elm", "Fay"]


def test_the_whole_of_a_list_goes_before_one_section_of_it_that_says_more() -> None:
    more = '<i class="wine">red</i></li>'
    rare = shelf("Rare", ("Arc", 9), ("Bay", 7), ("Cay", 8)).replace("</li>", more)
    body = rare + shelf("Common", ("Dot", 6), ("Elm", 5))
    found = records(f"<h1>Ropes</h1>{body}", title="string", price="number", wine=NOTHING)
    assert [(one["title"], one["wine"]) for one in found] == [
        ("Arc", "red"),
        ("Bay", "red"),
        ("Cay", "red"),
        ("Dot", None),
        ("Elm", None),
    ]


def test_but_not_where_the_heading_of_the_section_says_what_is_wanted() -> None:
    body = shelf("Ropes", ("Arc", 9), ("Bay", 7), ("Cay", 8)) + shelf("Oars", ("Dot", 6), ("Elm", 5))
    assert named(f"<h1>Sale</h1>{body}", "", "ropes") == ["Arc", "Bay", "Cay"]
