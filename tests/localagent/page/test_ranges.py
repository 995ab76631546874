"""Ranges: which end of one a field gets."""

from __future__ import annotations

import pytest

from batchfish.localagent.page.plan import plan
from batchfish.localagent.page.ranges import end_of, read_end
from tests.localagent.page.pages import look


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
        ("closes", "string", "17:30", None),
    ],
)
def test_a_field_wants_one_end_of_a_range(name: str, kind: str, text: str, found: str | None) -> None:
    (wanted,) = plan({"type": "object", "properties": {name: {"type": kind}}}, "")
    assert read_end(text, wanted) == found
    assert bool(end_of(text, wanted)) == (found is not None)


def test_two_fields_may_have_the_two_ends_of_one_range() -> None:
    body = "<h1>Clerk</h1><dl><dt>Salary</dt><dd>{}</dd></dl>"
    asked = {"title": "string", "salary_min": "number", "salary_max": "number"}
    assert look(body.format("£40,000 – £50,000"), **asked).result == {
        "title": "Clerk",
        "salary_min": 40000,
        "salary_max": 50000,
    }
    assert look(body.format("£40,000"), **asked).code == "LOCAL_NOT_FOUND", "one amount is no range"
