"""What is asked of a model, and what is made of its answer."""

from __future__ import annotations

from typing import Any

import pytest

from batchfish.localagent.engines.model.answer import coerce, envelope, json_schema, open_envelope, parse

BOOK = {
    "type": "object",
    "properties": {
        "title": {"type": "string"},
        "price": {"type": "number", "nullable": True},
        "pages": {"type": "integer", "minimum": 1},
        "tags": {"type": "array", "items": {"type": "string", "enum": ["new", "used"]}, "maxItems": 2},
    },
    "propertyOrdering": ["title", "price", "pages", "tags"],
    "required": ["title", "price"],
}


def test_a_schema_of_the_api_is_spelled_as_json_schema() -> None:
    assert json_schema(BOOK) == {
        "type": "object",
        "properties": {
            "title": {"type": "string"},
            "price": {"anyOf": [{"type": "number"}, {"type": "null"}]},
            "pages": {"type": "integer", "minimum": 1},
            "tags": {"type": "array", "items": {"type": "string", "enum": ["new", "used"]}, "maxItems": 2},
        },
        "required": ["title", "price"],
        "additionalProperties": False,
    }
    assert envelope(None)["properties"]["answer"] == {"anyOf": [{"type": "object"}, {"type": "null"}]}


@pytest.mark.parametrize(
    ("value", "schema", "expected"),
    [
        ("8.49", {"type": "number"}, 8.49),
        (" 12 ", {"type": "number"}, 12),
        ("£8.49", {"type": "number"}, "£8.49"),
        ("1,299", {"type": "number"}, "1,299"),  # a comma means different things in different countries
        ("12", {"type": "integer"}, 12),
        (12.0, {"type": "integer"}, 12),
        (12.5, {"type": "integer"}, 12.5),
        (1984, {"type": "string"}, "1984"),
        (True, {"type": "string"}, True),
        ("true", {"type": "boolean"}, True),
        ("False", {"type": "boolean"}, False),
        ("yes", {"type": "boolean"}, "yes"),
        ("N/A", {"type": "string", "nullable": True}, None),
        ("N/A", {"type": "string"}, "N/A"),
        (["1", 2.0], {"type": "array", "items": {"type": "integer"}}, [1, 2]),
        ("5", {"anyOf": [{"type": "integer"}, {"type": "boolean"}]}, 5),
        ("five", {"anyOf": [{"type": "integer"}, {"type": "boolean"}]}, "five"),
        (
            {"title": "Walden", "price": "null", "pages": None, "more": 1},
            BOOK,
            {"title": "Walden", "price": None},
        ),
        ({"title": None, "price": 1}, BOOK, {"title": None, "price": 1}),
        ("text", BOOK, "text"),
    ],
)
def test_values_are_brought_nearer_to_their_schema(value: Any, schema: dict[str, Any], expected: Any) -> None:  # noqa: ANN401 - JSON
    found = coerce(value, schema)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1}', {"a": 1}),
        ('Here you are:\n```json\n{"a": {"b": 1}}\n```\nAnything else?', {"a": {"b": 1}}),
        ('The answer is {"a": 1}.', {"a": 1}),
        ("[1]", None),
        ("no", None),
        ('{"a": ', None),
        ("{" * 100_000 + "}", None),
    ],
)
def test_the_object_in_a_text_is_found(text: str, expected: object) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("said", "answer", "problem"),
    [
        (
            {"answer": {"title": "Walden", "price": "1"}, "problem": None},
            {"title": "Walden", "price": 1},
            None,
        ),
        ({"title": "Walden", "price": 1}, {"title": "Walden", "price": 1}, None),
        ({"answer": None, "problem": "a login form"}, None, "a login form"),
        ({"problem": "a login form"}, None, "a login form"),
        (
            {"answer": {"title": "Walden", "price": 1}, "problem": "doubts"},
            {"title": "Walden", "price": 1},
            None,
        ),
    ],
)
def test_an_envelope_is_opened(said: dict[str, Any], answer: object, problem: str | None) -> None:
    assert open_envelope(said, BOOK) == (answer, problem)
