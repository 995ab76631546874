"""Lists of plain values: what they are called decides, not what the goal is about."""

from __future__ import annotations

from batchfish.localagent.page.read import read_page
from tests.localagent.page.pages import schema


def test_what_the_goal_is_about_does_not_name_a_list_of_values() -> None:
    sections = "".join(
        f'<section class="theme-ship"><h2>{name}</h2><p>Words on {name}.</p></section>'
        for name in ("Production", "Usage", "History")
    )
    page = f"<!doctype html><html><body><h1>Ember Wake</h1><div>{sections}</div></body></html>"
    weapons = {"type": "array", "items": {"type": "string"}}
    reading = read_page(
        page,
        url="http://a.example/p",
        goal="Extract the ship with its weapons",
        schema=schema(weapons=weapons),
    )
    assert reading.code == "LOCAL_NOT_FOUND"
