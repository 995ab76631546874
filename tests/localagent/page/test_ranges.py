"""Ranges: which end of one a field gets."""

from __future__ import annotations

import pytest

from batchfish.localagent.page.plan import plan
from batchfish.localagent.page.ranges import are_ends_of_one, read_end
from tests.localagent.page.pages import look, records


@pytest.mark.parametrize(
    ("name", "kind", "text", "found"),
    [
        ("salary_min", "number", "£40,000 – £50,000", "40,000"),
        ("salary_max", "number", "£40,000 – £50,000", "50,000"),
        ("salary_max", "number", "40 000 bis 50 000 €", "50 000"),
        ("salary_max", "number", "£40,000", None),
        ("salary", "number", "£40,000 – £50,000", None),
        ("opens", "string", "9:00 – 17:30", "9:00"),
        ("closes", "string", "9:00 – 17:30", "17:30"),
        ("closes", "string", "9 am to 5 pm", "5 pm"),
        ("opens", "string", "9 a.m. to 5 p.m.", "9 a.m."),
        ("closes", "string", "17:30", None),
    ],
)
def test_a_field_wants_one_end_of_a_range(name: str, kind: str, text: str, found: str | None) -> None:
    (wanted,) = plan({"type": "object", "properties": {name: {"type": kind}}}, "")
    assert read_end(text, wanted) == found


@pytest.mark.parametrize(
    ("one", "other", "are"),
    [
        ("salary_min", "salary_max", True),
        ("price_from", "price_to", True),
        ("start_time", "end_time", True),
        ("salary_min", "age_max", False),
        ("salary_min", "salary", False),
        ("salary_max", "salary_max", False),
    ],
)
def test_two_fields_are_the_ends_of_one_range(one: str, other: str, are: bool) -> None:  # noqa: FBT001
    kind = {"type": "string" if "time" in one else "number"}
    first, *rest = plan({"type": "object", "properties": {one: kind, other: kind}}, "")
    assert are_ends_of_one(first, rest[0] if rest else first) is are


def test_two_fields_may_have_the_two_ends_of_one_range() -> None:
    body = "<h1>Clerk</h1><dl><dt>Salary</dt><dd>{}</dd></dl>"
    asked = {"title": "string", "salary_min": "number", "salary_max": "number"}
    assert look(body.format("£40,000 – £50,000"), **asked).result == {
        "title": "Clerk",
        "salary_min": 40000,
        "salary_max": 50000,
    }
    assert look(body.format("£40,000"), **asked).code == "LOCAL_NOT_FOUND", "one amount is no range"


@pytest.mark.parametrize("names", [("start_time", "end_time"), ("opens", "closes")])
def test_times_of_the_day_are_the_ends_of_a_range(names: tuple[str, str]) -> None:
    labels = {"start_time": "Time", "opens": "Opening hours"}
    body = f"<h1>The Loft</h1><dl><dt>{labels[names[0]]}</dt><dd>19:00 – 21:30</dd></dl>"
    assert look(body, name="string", **dict.fromkeys(names, "string")).result == {
        "name": "The Loft",
        names[0]: "19:00",
        names[1]: "21:30",
    }


def test_the_records_of_a_list_have_the_ends_of_their_ranges() -> None:
    row = "<tr><td>{}</td><td>{}</td></tr>"
    rows = row.format("Clerk", "£40,000 – £50,000") + row.format("Cook", "£30,000 – £35,000") + "{}"
    body = f"<table><tr><th>Role</th><th>Salary</th></tr>{rows}</table>"
    maximum = {"type": "number", "nullable": True}
    body = body.format(row.format("Porter", "£28,000"))
    found = records(body, role="string", salary_min="number", salary_max=maximum)
    assert [(one["salary_min"], one["salary_max"]) for one in found] == [
        (40000, 50000),
        (30000, 35000),
        (28000, None),
    ]
