"""What a goal asks to be done on a page."""

from __future__ import annotations

import pytest

from batchfish.localagent.engines.errand import errand_of


@pytest.mark.parametrize(
    ("goal", "term"),
    [
        ("Search for 'wireless headphones', filter under $50, extract top 5 as JSON", "wireless headphones"),
        ('Search the shop for "tea" and list the results', "tea"),
        ("Suche nach „Wanderschuhe“ und lies die Preise", "Wanderschuhe"),
        ("Recherche « théière »", "théière"),
        ("Type “lamp” into the search box", "lamp"),
        ("Look up 'Ostrava' and read its population", "Ostrava"),
        ("Extract the price of the product named 'Tea'", None),
        ("Read the search engine's name. The title is 'Home'", None),
        ("Extract the title", None),
    ],
)
def test_a_search_names_its_term_in_quotes(goal: str, term: str | None) -> None:
    assert errand_of(goal, None).search == term


@pytest.mark.parametrize(
    ("goal", "is_all"),
    [
        ("Extract all product data", True),
        ("Extract the products of every page", True),
        ("List the jobs, going through all pages until there are no more", True),
        ("Alle Bücher mit Preis", True),
        ("Extract all headlines on this page", False),
        ("Extract the page title", False),
        ("Read the overall rating", False),
        ("Extract the first 2 product names and prices. Return as JSON.", False),
    ],
)
def test_a_list_is_followed_where_all_of_it_is_wanted(goal: str, is_all: bool) -> None:  # noqa: FBT001
    assert errand_of(goal, None).is_all is is_all


def list_of(**bounds: int) -> dict[str, object]:
    return {"type": "object", "properties": {"jobs": {"type": "array", **bounds}}}


def test_a_number_bounds_the_list() -> None:
    errand = errand_of("Extract the top 30 jobs", list_of(maxItems=50))
    assert errand.wants_more_than(29, 2)
    assert not errand.wants_more_than(30, 2)


def test_the_schema_bounds_the_list() -> None:
    assert errand_of("Extract jobs", list_of(minItems=20)).wants_more_than(19, 1)
    assert not errand_of("Extract jobs", list_of(minItems=20)).wants_more_than(20, 1)
    assert not errand_of("Extract all jobs", list_of(maxItems=20)).wants_more_than(20, 1)
    assert not errand_of("Extract jobs", list_of(maxItems=20)).wants_more_than(10, 1)


def test_a_number_of_pages_bounds_the_list() -> None:
    errand = errand_of("Extract the jobs of the first 3 pages", None)
    assert errand.wants_more_than(1000, 2)
    assert not errand.wants_more_than(1, 3)
