"""Goals that filter or order the records of a list are told from those that only describe fields."""

from __future__ import annotations

from typing import Any

import pytest

from batchfish.localagent.page.choices import choice_in
from batchfish.localagent.page.read import read_page

RECORD = {"type": "object", "properties": {"name": {"type": "string"}, "price": {"type": "string"}}}
NOTES = {"type": "array", "items": {"type": "string"}}
ONE: dict[str, Any] = {"type": "object", "properties": {"fee": {"type": "number"}, "notes": NOTES}}
LIST: dict[str, Any] = {"type": "object", "properties": {"hats": {"type": "array", "items": RECORD}}}


@pytest.mark.parametrize(
    ("goal", "said"),
    [
        ("Extract all hats under $50 with name and price", "under $50"),
        ("Extract all hats under 50 with name and price", "under 50"),
        ("Extract hats with name and price below 20 euros", "below 20 euros"),
        ("List hats that cost less than £9.99: name, price", "less than £9.99"),
        ("List hats with a price above 2k", "above 2k"),
        ("List hats between $10 and $50", "between $10 and $50"),
        ("List hats with name and price, where the price is up to €30", "up to €30"),
        ("List hats with more than 4 stars", "more than 4 stars"),
        ("List hats rated 4.5 stars or higher", "4.5 stars or higher"),
        ("List hats with 4+ stars", "4+ stars"),
        ("List hats with at least 100 reviews", "with at least 100 reviews"),
        ("List the hats with price < 50", "< 50"),
        ("List hats with name and price, only in stock", "only in stock"),
        ("List only the hats that are in stock", "that are in stock"),
        ("Extract all hats in stock with name and price", "in stock"),
        ("Extract all in-stock hats with name and price", "in-stock"),
        ("List the hats. Only include available products.", "Only include available products"),
        ("List the hats (in stock only)", "in stock only"),
        ("List the hats, excluding sold out ones", "excluding sold out"),
        ("Extract the cheapest hats with name and price", "cheapest"),
        ("Extract the 5 cheapest hats", "5 cheapest"),
        ("Find the three cheapest hats", "three cheapest"),
        ("Extract the top 5 cheapest hats", "cheapest"),
        ("Extract the newest 3 hats", "newest"),
        ("List hats with name and price sorted by price", "sorted by price"),
        ("List hats with name and price, cheapest first", "cheapest first"),
        ("List hats with name and price, lowest price first", "lowest price first"),
        ("List hats, price from low to high", "low to high"),
        ("List hats in descending order of price", "in descending order"),
        ("List hats published in 2024", "published in 2024"),
        ("List all hats from the last 7 days with name and price", "from the last 7 days"),
        ("List hats posted in the past month: name, price", "in the past month"),
        ("List hats posted today with name", "posted today"),
        ("List all 5-star hotels with name and price", "5-star hotels"),
        ("List the four star hotels: name, price", "four star hotels"),
        ("Alle Hüte der letzten 7 Tage mit Name", "der letzten 7 Tage"),
        ("Lister les chapeaux des 7 derniers jours avec prix", "7 derniers jours"),
        ("Search for 'sun hats', filter under $50, extract top 5 as JSON", "under $50"),
        ("Alle Hüte unter 50 Euro mit Name und Preis", "unter 50 Euro"),
        ("Alle Hüte mit Name und Preis, sortiert nach Preis", "sortiert nach Preis"),
        ("Liste nur lieferbare Hüte mit Preis", "nur lieferbare"),
        ("Liste die billigsten Hüte mit Preis", "billigsten"),
        ("Extraire les chapeaux à moins de 50 €", "moins de 50 €"),
        ("Lister les chapeaux les moins chers avec prix", "les moins chers"),
        ("Lister les chapeaux, triés par prix", "triés par prix"),
        ("Listar los sombreros más baratos con precio", "más baratos"),
        ("Listar los sombreros de menos de 50 euros", "menos de 50 euros"),
        ("Elenca i cappelli ordinati per prezzo", "ordinati per prezzo"),
        ("Geef hoeden onder de 50 euro met prijs", "onder de 50 euro"),
        ("Listar chapéus abaixo de R$ 50", "abaixo de R$ 50"),
        ("Geef de goedkoopste hoeden met prijs", "goedkoopste"),
    ],
)
def test_words_that_filter_or_order_the_records_are_found(goal: str, said: str) -> None:
    found = choice_in(goal, LIST)
    assert found is not None
    assert said in found


@pytest.mark.parametrize(
    "goal",
    [
        "",
        "Extract all hats with name and price",
        "Extract the top 5 hats with name and price",
        "Extract the first 3 hats",
        "Extract the latest 10 posts with title and date",
        "Extract hats with name, the lowest price and the highest bid",
        "Extract the cheapest price of each hat",
        "Extract the newest version number of each package",
        "Extract packages with name, newest version number and publication year",
        "Extract hats with name and the price under the title",
        "Extract hats with name, price and whether it is in stock",
        "Extract hats with name and in_stock (true if in stock, false if sold out)",
        "Extract hats: name, number in stock, sale price",
        "Extract the number in stock of every hat",
        "Extract each hat's price as a number only, without the currency symbol",
        "Extract only the names and prices of the hats. Return only JSON.",
        "Return only these fields: name, price",
        "Extract hats with name and a summary of less than 20 words",
        "Extract hats with name and rating (a number between 1 and 5)",
        "Extract hats with name, price, and old price only if there is one",
        "Extract hats with name and price; null if over $100",
        "Get all hats with price as a number greater than 0 and a name of 2 or more words",
        "Extract up to 20 reviews with author and rating",
        "Extract at least 10 hats",
        "Extract more than 10 hats",
        "Extract orders: number, date, ordered by, total",
        "Extract the hats of the table, which is sorted by price",
        "Extract hats in order of appearance",
        "Extract posts with title and date published",
        "Extract hats with name, price and the lowest price of the last 30 days",
        "Extract hotels with name and 5-star rating",
        "Extract the produce on sale this week with name and price",
        "Extract hats with name, date added and price over time",
        "Extract all hats available on this page",
        "Extract tickets with number of stars, points and reviews",
        "Find all hats for “only in stock under $50”",
        'Return {"hats": [{"name": "string", "price": "number > 0, only in stock"}]}',
        "Alle Hüte mit Preis unter dem Titel, nur der Name als Text",
        "Liste der Hüte mit niedrigstem Preis und Verfügbarkeit",
        "Lister les chapeaux avec prix et disponibilité, en stock ou non",
    ],
)
def test_words_that_describe_fields_or_count_records_choose_nothing(goal: str) -> None:
    assert choice_in(goal, LIST) is None


@pytest.mark.parametrize(
    "goal", ["Read the fee for trips over 5 km, at least $3", "Read the cheapest room's price"]
)
def test_where_no_list_is_wanted_there_is_nothing_to_choose_from(goal: str) -> None:
    assert choice_in(goal, ONE) is None


@pytest.mark.parametrize(
    ("goal", "said"),
    [
        ("Extract the cheapest hotel: name and price", "cheapest hotel"),
        ("Find the highest-rated blender with its price", "highest-rated blender"),
    ],
)
def test_the_best_of_several_is_a_choice_also_where_one_thing_is_wanted(goal: str, said: str) -> None:
    assert choice_in(goal, ONE) == said


@pytest.mark.parametrize("schema", [None, LIST])
def test_a_run_that_would_have_to_choose_fails_and_says_for_which_words(
    schema: dict[str, Any] | None,
) -> None:
    rows = "".join(f"<tr><td>Hat {number}</td><td>£{number}0</td></tr>" for number in range(1, 9))
    page = f"<html><body><table><tr><th>Name</th><th>Price</th></tr>{rows}</table></body></html>"
    plain = read_page(page, url="u", goal="List all hats with name and price", schema=schema)
    assert len(plain.result["hats"]) == 8
    chosen = read_page(page, url="u", goal="List all hats under £50 with name and price", schema=schema)
    assert (chosen.result, chosen.code) == (None, "LOCAL_GOAL_CHOOSES")
    assert "“under £50”" in (chosen.message or "")
