"""The cells of a record: badges, labels in lists of definitions, what an attribute says."""

from __future__ import annotations

from tests.localagent.page.pages import records


def test_a_badge_is_what_its_class_says_beside_that() -> None:
    row = '<li><h3>{0}</h3><b>£{1}</b><span class="condition badge">{2}</span></li>'
    body = row.format("Arc", 9, "used") + row.format("Nord", 7, "as new")
    assert records(f"<ul>{body}</ul>", name="string", price="number", condition="string") == [
        {"name": "Arc", "price": 9, "condition": "used"},
        {"name": "Nord", "price": 7, "condition": "as new"},
    ]


def test_the_terms_of_a_list_of_definitions_are_no_values() -> None:
    row = "<li><h3>{0}</h3><dl><dt>{1}</dt><dd>{2}</dd><dt>{3}</dt><dd>{4}</dd></dl></li>"
    things = (("Arc", "Wurble", "oak", "Blimp", "round"), ("Nord", "Blimp", "flat", "Zorp", "low"))
    body = "".join(row.format(*thing) for thing in things)
    assert records(f"<ul>{body}</ul>", name="string", timber="string") is None


def test_what_an_attribute_counts_names_it() -> None:
    row = '<li><h3>{0}</h3><i>{2}</i><span class="rating" aria-label="{1} anchors"></span></li>'
    body = row.format("Arc", 4, "9.1") + row.format("Nord", 3, "8.7") + row.format("Reed", 5, "9.5")
    found = records(f"<ul>{body}</ul>", name="string", anchors="integer")
    assert [one["anchors"] for one in found] == [4, 3, 5]
