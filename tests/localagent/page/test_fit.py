"""Fields and columns: the list around an entry, the words that begin a title."""

from __future__ import annotations

from typing import Any

from tests.localagent.page.pages import NULL, records

NAMES: dict[str, Any] = {"type": "array", "items": {"type": "string"}}


def test_a_list_is_wanted_and_not_its_first_entry() -> None:
    row = '<li><h3>{0}</h3><ul><li class="tag">{1}</li><li>{2}</li></ul></li>'
    body = row.format("Arc", "red", "old") + row.format("Nord", "blue", "new")
    assert records(f"<ol>{body}</ol>", name="string", tags=NAMES) == [
        {"name": "Arc", "tags": ["red", "old"]},
        {"name": "Nord", "tags": ["blue", "new"]},
    ]


def test_words_that_begin_but_some_of_the_titles_are_not_the_titles() -> None:
    row = "<li><h3>{0}</h3><i>£{1}</i></li>"
    titles = ("<a href='/a'>Arc</a> of oak", "<a href='/n'>Nord</a> of ash", "Reed")
    body = "".join(row.format(title, price) for title, price in zip(titles, (9, 7, 5), strict=True))
    found = records(f"<ul>{body}</ul>", name="string", price="number", note={"type": "string", **NULL})
    assert [one["name"] for one in found] == ["Arc of oak", "Nord of ash", "Reed"]
