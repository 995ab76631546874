"""Where a list goes on, as links say it in words, signs and numbers; never off the site, never in circles."""

from __future__ import annotations

import pytest

from batchfish.localagent.page.read import Reading, read_page

FIELDS = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
HATS = {
    "type": "object",
    "properties": {"hats": {"type": "array", "items": FIELDS}},
    "required": ["hats"],
}
URL = "http://hats.example/list?page=1"


def look(links: str, goal: str = "List the hats of all pages", *, head: str = "") -> Reading:
    rows = "".join(f"<li class=hat><h3>{name}</h3></li>" for name in ("Boater", "Derby"))
    page = f"<html lang=en><head>{head}</head><body><ul>{rows}</ul>{links}</body></html>"
    return read_page(page, url=URL, goal=goal, schema=HATS)


@pytest.mark.parametrize(
    "links",
    [
        '<a href="?page=2">Next</a>',
        '<a href="?page=2">Next page »</a>',
        '<a href="/list?page=2" rel="next">2</a>',
        '<a href="?page=2" aria-label="Next page"><svg></svg></a>',
        '<div class="pagination"><a href="?page=2">&rsaquo;</a></div>',
        '<p class="pager"><b>1</b> <a href="?page=2">2</a> <a href="?page=3">3</a></p>',
        '<a href="?page=2">Nächste Seite</a>',
        '<a href="?page=2">Suivant</a>',
    ],
)
def test_the_next_page_is_found(links: str) -> None:
    reading = look(links)
    assert reading.next_url == "http://hats.example/list?page=2"
    assert reading.going_on is not None
    assert (reading.going_on.name, reading.going_on.found, reading.going_on.pages) == ("hats", 2, 1)


@pytest.mark.parametrize(
    "links",
    [
        "",
        '<a href="http://elsewhere.example/2">Next</a>',
        '<a href="#next">Next</a>',
        '<a href="javascript:next()">Next</a>',
        '<a href="?page=1">Next</a>',
        '<a class="disabled" href="?page=2">Next</a>',
        '<a href="/story">Next story: the boater</a>',
        '<a href="/about">&rsaquo;</a>',
        '<p><b>1</b> <a href="/1">2</a></p>',
    ],
)
def test_what_does_not_lead_on_is_not_followed(links: str) -> None:
    assert look(links).next_url is None


def test_a_link_of_the_head_says_so_too_and_a_control_is_named() -> None:
    assert look("", head='<link rel="next" href="?page=2">').next_url == "http://hats.example/list?page=2"
    assert look("<button>Load more</button>").load_more == "Load more"


def test_a_goal_that_wants_this_page_only_is_not_led_on() -> None:
    assert look('<a href="?page=2">Next</a>', "List the hats").next_url is None
    assert look('<a href="?page=2">Next</a>', "List the top 2 hats").next_url is None
    assert look('<a href="?page=2">Next</a>', "List the top 3 hats").next_url is not None


def test_the_list_goes_on_with_a_single_record_like_those_before() -> None:
    first = look('<a href="?page=2">Next</a>')
    rows = "<ul><li class=hat><h3>Fez</h3></li></ul><ol><li><h3>Not this</h3></li></ol>"
    page = f"<html lang=en><body>{rows}</body></html>"
    second = read_page(page, url=URL, goal="List the hats of all pages", schema=HATS, after=first.going_on)
    assert second.result == {"hats": [{"name": "Fez"}]}
