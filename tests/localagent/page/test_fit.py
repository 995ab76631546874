"""Fields and columns: the list around an entry."""

from __future__ import annotations

from typing import Any

from tests.localagent.page.pages import records

NAMES: dict[str, Any] = {"type": "array", "items": {"type": "string"}}


def test_a_list_is_wanted_and_not_its_first_entry() -> None:
    row = '<li><h3>{0}</h3><ul><li class="tag">{1}</li><li>{2}</li></ul></li>'
    body = row.format("Arc", "red", "old") + row.format("Nord", "blue", "new")
    assert records(f"<ol>{body}</ol>", name="string", tags=NAMES) == [
        {"name": "Arc", "tags": ["red", "old"]},
        {"name": "Nord", "tags": ["blue", "new"]},
    ]
