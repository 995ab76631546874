"""Lists of plain values: what they are called decides, not what the goal is about."""

from __future__ import annotations

from batchfish.localagent.page.read import read_page
from tests.localagent.page.pages import look, schema

ADS = (("Skrivebord", 2400), ("Barnevogn", 850), ("Racercykel", 4750))


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


def test_a_list_is_all_that_carry_its_class_and_headings_of_every_rank_are_titles() -> None:
    story = '<article class="story"><{0} class="story__title">{1}</{0}><p>Words</p></article>'
    stories = (("h2", "Crane toppled"), ("h3", "Meals row"), ("h3", "Longest bench"), ("h3", "Otters return"))
    body = "".join(story.format(*one) for one in stories)
    page = f"<!doctype html><html><body><main><section>{body}</section></main></body></html>"
    reading = read_page(page, url="http://a.example/", goal="Extract the headlines")
    assert reading.result == {"headlines": [title for _, title in stories]}


def test_both_pages_of_a_list_are_wanted_and_the_link_may_be_danish() -> None:
    ads = "".join(f'<li class="ad"><h3>{name}</h3><p class="price">{cost} kr.</p></li>' for name, cost in ADS)
    nav = '<nav><b>1</b> <a href="/p?side=2">2</a> <a href="/p?side=2">Næste side</a></nav>'
    page = f'<!doctype html><html lang="da"><body><main><ul>{ads}</ul></main>{nav}</body></html>'
    wanted = {"type": "array", "items": schema(title="string", price_dkk="number")}
    goal = "Extract all ads from both pages"
    reading = read_page(page, url="http://a.example/p", goal=goal, schema=schema(ads=wanted))
    assert reading.next_url == "http://a.example/p?side=2"


def test_an_object_gets_what_is_said_of_it_under_another_word() -> None:
    place = '{"@type": "Place", "name": "The Loft", "address": {"addressLocality": "Wick"}}'
    said = f'{{"@type": "Event", "name": "Gig", "location": {place}}}'
    body = f'<script type="application/ld+json">{said}</script>'
    assert look(body, name="string", venue=schema(name="string", city="string")).result == {
        "name": "Gig",
        "venue": {"name": "The Loft", "city": "Wick"},
    }
