"""What a goal without a schema asks for, and how far any goal wants a list to be followed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from batchfish.localagent.page.goal import MOST_PAGES, understand

GOALS = yaml.safe_load(Path(__file__).with_name("goals.yaml").read_text("utf-8"))
SIGNS = {"string": "", "number": "#", "integer": "%", "boolean": "?", "date": "^"}


def told(goal: str) -> str:
    """Write what a goal without a schema asks for, as `goals.yaml` does."""
    asked = understand(goal, None)
    if asked.schema is None:
        return "unclear"
    top = "" if asked.most is None else f" top {asked.most}"
    pages = "" if asked.pages is None else f" pages {asked.pages}"
    return f"{written(asked.schema)[1:-1]}{top}{pages}"


def written(schema: Any) -> str:  # noqa: ANN401 - a schema
    if schema["type"] == "object":
        return f"({' '.join(name + written(one) for name, one in schema['properties'].items())})"
    if schema["type"] == "array":
        member = schema["items"]
        return f"[]{written(member)}" if member["type"] == "object" else f"{written(member)}[]"
    return SIGNS[schema.get("format", schema["type"])]


@pytest.mark.parametrize(("goal", "meant"), GOALS)
def test_a_goal_in_words_is_understood_as_a_person_means_it_or_not_at_all(goal: str, meant: str) -> None:
    assert told(goal) == meant


@pytest.mark.parametrize(
    ("goal", "noun", "most", "pages"),
    [
        ("Search for tours in Lisbon and extract the top 3", "tours", 3, None),
        ("Extract pizza prices", "pizza prices", None, None),
        ("Extract up to 12 lamps", "lamps", 12, None),
        ("Extract 5 lamps with a summary of up to 20 words", "lamps", 5, None),
        ("List the lamps with a summary of up to 20 words", "lamps", None, None),
        ("Extract all lamps from pages 1 to 4", "lamps", None, 4),
        ("Extract the lamps, but do not go to the next page", "lamps", None, 1),
        ("Extract no more than 6 lamps", "lamps", 6, None),
        ("Get the price of each lamp of the winter collection", "lamps", None, None),
        ("Extract the train departures from Bern to Thun", "train departures", None, None),
    ],
)
def test_with_a_schema_a_goal_still_says_what_is_meant_and_how_much_of_it(
    goal: str, noun: str, most: int | None, pages: int | None
) -> None:
    asked = understand(goal, {"type": "object"})
    assert (asked.nouns, asked.most, asked.pages) == ((noun,), most, pages)


def test_every_field_of_a_goal_in_words_may_be_null() -> None:
    schema = understand("Extract all hats with name, price, tags and in_stock (true/false)", None).schema
    assert schema is not None
    assert all(one["nullable"] for one in schema["properties"]["hats"]["items"]["properties"].values())


def fields_of(schema: Any) -> dict[str, str]:  # noqa: ANN401 - a schema
    return {name: one.get("format", one["type"]) for name, one in schema["properties"].items()}


@pytest.mark.parametrize(
    ("goal", "noun", "fields"),
    [
        ("Extract pizza prices as JSON: [{name, price}]", "pizzas", "name price"),
        ("Extract all products with name, price and rating", "products", "name price rating"),
        ("Extract the first 2 product names and prices. Return as JSON.", "products", "name price"),
        ("Extract all stamps (country, year, face value). Click next.", "stamps", "country year face_value"),
        ("Extract repositories: name, description", "repositories", "name description"),
        ("Find all clubs. Return JSON with keys: name, phone", "clubs", "name phone"),
        ("Get all teams:\n- team_name\n- points (number)\nand nothing else", "teams", "team_name points"),
        ("Alle Anzeigen mit Titel, Preis und Link", "anzeigen", "titel preis link"),
        ("Extraire les offres avec titre et prix", "offres", "titre prix"),
    ],
)
def test_a_list_is_named_after_what_is_wanted_and_has_the_fields_that_are_named(
    goal: str, noun: str, fields: str
) -> None:
    schema = understand(goal, None).schema
    assert schema is not None
    assert list(schema["properties"]) == [noun]
    assert " ".join(schema["properties"][noun]["items"]["properties"]) == fields


@pytest.mark.parametrize(
    ("goal", "fields"),
    [
        ("Extract the page title", "page_title"),
        ("What is the price?", "price"),
        ("Read the book's title, author and number of pages", "title author number_of_pages"),
        ("Find the contact details. Return JSON with keys: name, email", "name email"),
        ('Return {"name": "string", "price": 9.99}', "name price"),
    ],
)
def test_one_thing_is_an_object(goal: str, fields: str) -> None:
    schema = understand(goal, None).schema
    assert schema is not None
    assert " ".join(schema["properties"]) == fields


def test_hints_say_of_what_kind_a_field_is() -> None:
    goal = "Return {name: string, price: number, sold: true/false, posted: YYYY-MM-DD, count: integer}"
    assert fields_of(understand(goal, None).schema) == {
        "name": "string",
        "price": "number",
        "sold": "boolean",
        "posted": "date",
        "count": "integer",
    }
    bullets = understand("Read the page:\n- posted (date, YYYY-MM-DD)\n- is_new (boolean)", None)
    assert fields_of(bullets.schema) == {"posted": "date", "is_new": "boolean"}


def test_a_thing_alone_is_asked_for_its_usual_fields_and_must_have_the_first() -> None:
    schema = understand("Extract all product data", None).schema
    assert schema is not None
    (products,) = schema["properties"].values()
    assert products["items"]["required"] == ["name"]
    assert {"name", "price", "url"} <= products["items"]["properties"].keys()


@pytest.mark.parametrize("goal", ["", "Do something", "Hello!", "[ref bf-1.]", "Click the button"])
def test_a_goal_that_names_nothing_is_not_understood(goal: str) -> None:
    assert understand(goal, None).schema is None


def test_a_schema_says_what_is_wanted_and_the_goal_only_how_much_of_it() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    asked = understand("Extract the top 5 results with name and price from all pages [ref bf-x-1.]", schema)
    assert asked.schema is schema
    assert (asked.most, asked.pages, asked.nouns) == (5, 0, ("results",))


@pytest.mark.parametrize(
    ("goal", "found", "pages", "more"),
    [
        ("List the hats", 10, 1, False),
        ("List the top 20 hats", 10, 1, True),
        ("List the top 20 hats", 20, 2, False),
        ("List the hats of all pages", 10, 1, True),
        ("List the hats of all pages", 10, MOST_PAGES, False),
        ("List the hats of the first 3 pages", 10, 2, True),
        ("List the hats of the first three pages", 10, 3, False),
        ("List the hats until there are no more", 10, 1, True),
        ("Alle Hüte, alle Seiten", 10, 1, True),
    ],
)
def test_a_list_is_followed_as_far_as_the_goal_says_and_no_further_than_the_limit(
    goal: str, found: int, pages: int, *, more: bool
) -> None:
    assert understand(goal, {"type": "object"}).wants_more(found, pages) is more


@pytest.mark.parametrize(
    ("goal", "listed", "fields"),
    [
        ("Extract author, rating and date of each review", "reviews", ["author", "rating", "date"]),
        ("List the title and time for every talk on this page", "talks", ["title", "time"]),
        ("For each crew member, give the name and the role", "crew_members", ["name", "role"]),
        ("Get every kettle with name and price", "kettles", ["name", "price"]),
        ("Extract the tide table with date and height", "tide_table", ["date", "height"]),
    ],
)
def test_each_of_several_things_is_a_record_of_a_list(goal: str, listed: str, fields: list[str]) -> None:
    schema = understand(goal, None).schema
    assert schema is not None
    assert list(schema["properties"]) == [listed]
    assert list(schema["properties"][listed]["items"]["properties"]) == fields
