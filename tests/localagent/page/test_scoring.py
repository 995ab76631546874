"""How well columns fit fields."""

from __future__ import annotations

from tests.localagent.page.pages import NULL, records


def test_a_text_that_ends_on_a_colon_in_every_record_is_a_label() -> None:
    row = '<li><h3>{0}</h3><p class="colour">Colour:</p><div><p>{1}</p></div></li>'
    body = row.format("Arc", "red") + row.format("Nord", "blue") + row.format("Reed", "grey")
    found = records(f"<ul>{body}</ul>", name="string", colour="string")
    assert [one["colour"] for one in found] == ["red", "blue", "grey"]


def test_an_amount_of_time_is_a_duration() -> None:
    row = "<li><h3>{0}</h3><i>{1}</i><b>{2}</b></li>"
    rows = (("Arc", "4 min", "Lind"), ("Nord", "54 min", "Roe"), ("Bay", "35 min", "Kern"))
    body = "".join(row.format(*one) for one in rows)
    found = records(f"<ul>{body}</ul>", name="string", duration={"type": "string", **NULL})
    assert [one["duration"] for one in found] == ["4 min", "54 min", "35 min"]
