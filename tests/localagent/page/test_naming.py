"""What the markup says an element is called, and which part of an entry is its name."""

from __future__ import annotations

import pytest
from lxml.html import fromstring

from batchfish.localagent.page.naming import items_of, label_in_title
from tests.localagent.page.pages import look, records


@pytest.mark.parametrize(
    ("element", "said"),
    [
        ('<span title="Wurble">oak</span>', "Wurble"),
        ('<span title="Wurble: ">oak</span>', "Wurble"),
        ('<abbr title="Wurble">oak</abbr>', ""),
        ('<a title="Read more">oak</a>', ""),
        ('<span title="Anna Lind">Anna Li</span>', ""),  # a text cut short
        ('<span title="oak">An oak of 12 m</span>', ""),
        ('<span title="12 May 2024">last spring</span>', ""),
        ('<span title="">oak</span>', ""),
        ('<span title="Wurble"></span>', ""),
    ],
)
def test_a_label_may_be_shown_when_the_mouse_rests_on_a_value(element: str, said: str) -> None:
    assert label_in_title(fromstring(element)) == said


def test_values_whose_label_is_shown_so_are_read() -> None:
    body = '<p><span title="Wurble">oak</span> <span title="Blimp">round</span></p>'
    assert look(body, wurble="string", blimp="string").result == {"wurble": "oak", "blimp": "round"}


def test_in_a_list_too() -> None:
    row = '<li><h3>{0}</h3><i title="Wurble">{1}</i><i title="Blimp">{2}</i></li>'
    body = row.format("Arc", "oak", "round") + row.format("Nord", "ash", "flat")
    assert records(f"<ul>{body}</ul>", name="string", blimp="string", wurble="string") == [
        {"name": "Arc", "wurble": "oak", "blimp": "round"},
        {"name": "Nord", "wurble": "ash", "blimp": "flat"},
    ]


def test_an_entry_is_the_part_of_it_that_its_class_calls_the_name() -> None:
    entry = '<li><b class="tag-name">{0}</b> <i>{1} posts</i></li>'
    assert items_of(fromstring(f"<ul>{entry.format('copper', 4)}{entry.format('tin', 7)}</ul>")) == (
        "copper",
        "tin",
    )
    plain = fromstring("<ul><li><b>copper</b> <i>ore</i></li><li>tin</li></ul>")
    assert items_of(plain) == ("copper ore", "tin")


def test_that_of_entries_under_a_label_too() -> None:
    entry = '<li><b class="name">{0}</b> <i>{1} posts</i></li>'
    body = f"<dl><dt>Tags</dt><dd><ul>{entry.format('copper', 4)}{entry.format('tin', 7)}</ul></dd></dl>"
    tags = {"type": "array", "items": {"type": "string"}}
    assert look(body, tags=tags).result == {"tags": ["copper", "tin"]}


@pytest.mark.parametrize("attribute", ["data-label", "data-th"])
def test_labels_that_small_screens_show_are_labels(attribute: str) -> None:
    row = f"<div><h3>{{0}}</h3><p {attribute}='Wurble:'>{{1}}</p><p {attribute}='Blimp'>{{2}}</p></div>"
    body = row.format("Arc", "oak", "round") + row.format("Nord", "ash", "flat")
    assert records(body, name="string", blimp="string", wurble="string") == [
        {"name": "Arc", "wurble": "oak", "blimp": "round"},
        {"name": "Nord", "wurble": "ash", "blimp": "flat"},
    ]
