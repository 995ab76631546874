"""The elements of a tree as facts: where they lead."""

from __future__ import annotations

import pytest

from batchfish.localagent.page.facts import FactFinder
from batchfish.localagent.page.tree import parse


@pytest.mark.parametrize(
    ("href", "address"),
    [
        ("/a/b.html?x=1", "https://shop.example/a/b.html?x=1"),
        ("b", "https://shop.example/list/b"),
        ("#top", None),
        ("mailto:a@b.example", None),
        # A form that is tried in all ways to cut it would take longer than anyone waits.
        ("/" + "a" * 60 + "?q=au:x", "https://shop.example/" + "a" * 60 + "?q=au:x"),
        ("/a" * 60 + ":", "https://shop.example" + "/a" * 60 + ":"),
    ],
)
def test_where_a_link_leads_is_told_whole(href: str, address: str | None) -> None:
    tree = parse("<p>x</p>")
    assert tree is not None
    assert FactFinder(tree, "https://shop.example/list/").absolute(href) == address
