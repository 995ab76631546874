"""Elements that make one list, though no list of the page holds them."""

from __future__ import annotations

from tests.localagent.page.pages import look


def test_a_list_after_a_label_goes_on_while_there_are_only_marks_between() -> None:
    body = "<p>Tags: <a>copper</a>, <a>sweet, dark tea</a></p>"
    tags = {"type": "array", "items": {"type": "string"}}
    assert look(body, tags=tags).result == {"tags": ["copper", "sweet, dark tea"]}


def test_like_elements_under_a_heading_are_one_list() -> None:
    body = (
        '<h1>Tidemark</h1><h6>Maintainers</h6><span class="person"><a href="/1">neap</a></span>'
        '<span class="person"><a href="/2">salty, dog</a></span><h6>Licence</h6><span>MIT</span>'
    )
    people = {"type": "array", "items": {"type": "string"}}
    assert look(body, maintainers=people).result == {"maintainers": ["neap", "salty, dog"]}
