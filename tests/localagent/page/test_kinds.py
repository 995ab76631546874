"""What the values of a record are by their form: prices by their period."""

from __future__ import annotations

import pytest

from tests.localagent.page.pages import NULL, records


def listed(*rows: tuple[str, ...]) -> str:
    cells = ("".join(f"<span>{cell}</span>" for cell in cells) for _, *cells in rows)
    return (
        "<ul>"
        + "".join(f"<li><h3>{row[0]}</h3>{cell}</li>" for row, cell in zip(rows, cells, strict=True))
        + "</ul>"
    )


def test_prices_by_their_period_are_several() -> None:
    body = listed(
        ("Basic", "£9/mo", "£90 per year"),
        ("Team", "£19/mo", "£190 per year"),
        ("Firm", "£49/mo", "£490 per year"),
    )
    assert records(body, name="string", monthly_price="number", yearly_price="number") == [
        {"name": "Basic", "monthly_price": 9, "yearly_price": 90},
        {"name": "Team", "monthly_price": 19, "yearly_price": 190},
        {"name": "Firm", "monthly_price": 49, "yearly_price": 490},
    ]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nightly_price", "{} € pro Nacht"),
        ("weekly_price", "{} € / Woche"),
        ("daily_price", "{} € par jour"),
        ("hourly_price", "{} € an hour / hour"),
    ],
)
def test_a_price_by_a_period_is_the_one_of_that_name(name: str, says: str) -> None:
    body = listed(
        ("Arc", says.format(9), "700 €"), ("Bay", says.format(12), "800 €"), ("Elm", says.format(8), "750 €")
    )
    found = records(body, name="string", **{name: "number"})
    assert [one[name] for one in found] == [9, 12, 8]


def test_of_two_prices_the_one_by_the_kilogram_is_not_that_of_the_thing() -> None:
    body = listed(
        ("Figs", "£4.50", "£9.00/kg"), ("Nuts", "£3.20", "£12.80/kg"), ("Rice", "£2.10", "£2.10/kg")
    )
    found = records(body, name="string", price="number")
    assert [one["price"] for one in found] == [4.5, 3.2, 2.1]


def test_but_where_there_is_no_other_it_is() -> None:
    body = listed(("Figs", "£9.00/kg"), ("Nuts", "£12.80/kg"), ("Rice", "£2.10/kg"))
    found = records(body, name="string", price="number")
    assert [one["price"] for one in found] == [9, 12.8, 2.1]


def test_an_amount_in_its_currency_is_what_a_name_that_ends_on_that_asks_for() -> None:
    body = listed(("Mill", "£4,500"), ("Dam", "£3,200"), ("Weir", "£900"))
    found = records(body, name="string", grant_gbp={"type": "number", **NULL})
    assert [one["grant_gbp"] for one in found] == [4500, 3200, 900]
