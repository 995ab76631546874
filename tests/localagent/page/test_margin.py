"""The margin of a page: a menu of links is in it, a menu of dishes is not."""

from __future__ import annotations

from batchfish.localagent.page.margin import find_margin
from batchfish.localagent.page.tree import parse
from tests.localagent.page.pages import look, records

DISH = '<div class="dish"><b>{0}</b> <i>£{1}</i></div>'


def test_a_menu_of_dishes_is_no_menu_of_the_page() -> None:
    body = f'<div class="menu">{DISH.format("Soup", 6)}{DISH.format("Pie", 21)}{DISH.format("Tart", 7)}</div>'
    assert records(body, name="string", price="number") == [
        {"name": "Soup", "price": 6},
        {"name": "Pie", "price": 21},
        {"name": "Tart", "price": 7},
    ]


def test_a_menu_of_links_is() -> None:
    links = "".join(f'<li><a href="/{name}">{name}</a></li>' for name in ("Tea", "Coffee", "Mugs"))
    tree = parse(f'<html><body><ul class="menu">{links}</ul><p>Text</p></body></html>')
    assert tree is not None
    margin = find_margin(list(tree.iter("*")))
    assert {element.tag for element in margin} == {"ul", "li", "a"}


def test_a_box_at_the_side_that_labels_what_it_says_is_about_the_thing() -> None:
    rows = "".join(
        f'<div><h3 class="box-label">{name}</h3><div class="box-value">{value}</div></div>'
        for name, value in (("Manufacturer", "Okonjo Yards"), ("Drive", "Twin ion"), ("Crew", "4"))
    )
    body = f'<main><h1>Ember Wake</h1></main><aside class="sidebar">{rows}</aside>'
    assert look(body, built_by="string", drive="string", crew_size="integer").result == {
        "built_by": "Okonjo Yards",
        "drive": "Twin ion",
        "crew_size": 4,
    }


def test_a_banner_that_holds_the_title_is_no_margin() -> None:
    tree = parse('<html><body><div class="banner"><h1>Tidemark</h1></div><p>Text</p></body></html>')
    assert tree is not None
    assert find_margin(list(tree.iter("*"))) == set()


def test_the_end_of_an_article_is_of_the_article() -> None:
    body = "<article><h1>Moss</h1><p>Words.</p><footer><p>Author: Ann Lind</p></footer></article>"
    outside = "<footer><p>Author: Site Team</p></footer>"
    assert look(body + outside, author="string").result == {"author": "Ann Lind"}


def test_a_side_may_label_what_it_says_by_headings_over_it() -> None:
    part = "<div><h3>{0}</h3><p>{1}</p></div>"
    facts = (("Wurble", "oak"), ("Blimp", "round"), ("Crew", "4"))
    body = f"<h1>Ember Wake</h1><aside>{''.join(part.format(*fact) for fact in facts)}</aside>"
    assert look(body, wurble="string", blimp="string").result == {"wurble": "oak", "blimp": "round"}
    links = "".join(f"<div><h3>{name}</h3><ul><li>{text}</li></ul></div>" for name, text in facts)
    reading = look(f"<h1>Ember Wake</h1><aside>{links}</aside>", wurble="string", blimp="string")
    assert reading.code == "LOCAL_NOT_FOUND"


def test_it_may_be_cut_into_like_sections() -> None:
    facts = (("Wurble", "oak"), ("Blimp", "round"), ("Crew", "4"))
    sides = "".join(f'<div class="sidebar"><h3>{name}</h3><p>{text}</p></div>' for name, text in facts)
    assert look(f"<h1>Ember Wake</h1><div>{sides}</div>", wurble="string", blimp="string").result == {
        "wurble": "oak",
        "blimp": "round",
    }
    alone = f"<h1>Ember Wake</h1><div>{sides[: sides.index('</div>')]}</div></div>"
    assert look(alone, crew="integer", wurble="string").code == "LOCAL_NOT_FOUND"
