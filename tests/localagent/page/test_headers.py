"""Rows of words over a list that name what is below them."""

from __future__ import annotations

from tests.localagent.page.pages import NULL, records

ROW = "<div class=r><i>{0}</i><i>{1}</i></div>"
ROWS = f"<div>{ROW.format('Gannet', 12)}{ROW.format('Fulmar', 9)}{ROW.format('Tern', 7)}</div>"
OVER = "<div class=top><i>{0}</i><i>{1}</i></div>"


def test_what_holds_an_amount_of_money_is_no_row_of_names() -> None:
    count = {"type": "integer", **NULL}
    assert records(f"{OVER.format('Ship', 'Deal from')}{ROWS}", name="string", deal_from=count) == [
        {"name": "Gannet", "deal_from": 12},
        {"name": "Fulmar", "deal_from": 9},
        {"name": "Tern", "deal_from": 7},
    ]
    assert records(f"{OVER.format('Ship', 'Deal from £4')}{ROWS}", name="string", deal_from=count) is None
