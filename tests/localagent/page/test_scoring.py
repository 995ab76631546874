"""How well columns fit fields."""

from __future__ import annotations

from tests.localagent.page.pages import records


def test_a_text_that_ends_on_a_colon_in_every_record_is_a_label() -> None:
    row = '<li><h3>{0}</h3><p class="colour">Colour:</p><p>{1}</p></li>'
    body = row.format("Arc", "red") + row.format("Nord", "blue") + row.format("Reed", "grey")
    found = records(f"<ul>{body}</ul>", name="string", colour="string")
    assert [one["colour"] for one in found] == ["red", "blue", "grey"]


def test_an_amount_of_time_is_a_duration() -> None:
    row = "<li><h3>{0}</h3><b>{1}</b><i>{2}</i></li>"
    body = (
        row.format("Arc", "Lind", "4 min")
        + row.format("Nord", "Roe", "1 h 20 min")
        + row.format("Bay", "Kern", "35 min")
    )
    found = records(f"<ul>{body}</ul>", name="string", duration="string")
    assert [one["duration"] for one in found] == ["4 min", "1 h 20 min", "35 min"]
