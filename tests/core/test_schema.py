"""The API's subset of JSON Schema: what is within it, and what meets a schema of it."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchfish.core.schema import check_schema, find_violations

GOOD: dict[str, Any] = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "nullable": True},
        "kind": {"type": "string", "enum": ["book", "map"]},
        "price": {"type": "number", "minimum": 0, "maximum": 1e6},
        "pages": {"type": "integer", "minimum": 1},
        "in_stock": {"type": "boolean"},
        "published": {"type": "string", "format": "date"},
        "seen": {"type": "string", "format": "date-time"},
        "opens": {"type": "string", "format": "time"},
        "length": {"type": "string", "format": "duration"},
        "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 3},
        "size": {"anyOf": [{"type": "number"}, {"type": "string", "enum": ["S", "M"]}]},
        "offers": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"shop": {"type": "string"}, "price": {"type": "number"}},
                "required": ["shop"],
                "propertyOrdering": ["price", "shop"],
            },
        },
    },
    "required": ["title"],
    "propertyOrdering": ["title", "price"],
}


def with_property(schema: object) -> dict[str, Any]:
    return {"type": "object", "properties": {"x": schema}}


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels - 1):
        schema = {"type": "object", "properties": {"x": schema}}
    return schema


class TestCheckSchema:
    def test_what_the_api_accepts_is_fine(self) -> None:
        assert check_schema(GOOD) == []
        assert check_schema({"type": "object"}) == []
        assert check_schema({"type": "object", "properties": {}}) == []
        assert check_schema(nested(10)) == []

    def test_required_in_a_branch_may_name_properties_around_it(self) -> None:
        schema = with_property({"anyOf": [{"type": "object", "required": ["a"]}, {"required": ["b"]}]})
        assert check_schema(schema) == []

    @pytest.mark.parametrize(
        ("schema", "path", "message"),
        [
            (True, "#", "a schema is a map"),
            ([], "#", "a schema is a map, not a list"),
            ({}, "#", "the top level has no type"),
            ({"type": "array", "items": {"type": "string"}}, "#/type", "must be an object"),
            ({"type": ["object"]}, "#/type", "must be an object"),
            ({"type": "object", "anyOf": [{"type": "object"}]}, "#/anyOf", "not allowed at the top level"),
            ({"type": "object", "nullable": True}, "#/nullable", "cannot be nullable"),
            (
                {"type": "object", "additionalProperties": False},
                "#/additionalProperties",
                "not part of the API",
            ),
            ({"type": "object", "properties": []}, "#/properties", "expected a map"),
            ({"type": "object", "required": "title"}, "#/required", "expected a list of names"),
            ({"type": "object", "required": ["a", "a"]}, "#/required", "each name stands in it once"),
            ({"type": "object", "required": ["a"]}, "#/required/0", "'a' is not among the properties"),
            ({"type": "object", "propertyOrdering": ["a"]}, "#/propertyOrdering/0", "'a' is not among"),
            (with_property(schema=True), "#/properties/x", "expected a schema (a map), got true or false"),
            (with_property("string"), "#/properties/x", "expected a schema"),
            (with_property({"type": "text"}), "#/properties/x/type", "a type is one of"),
            (with_property({"type": ["string", "null"]}), "#/properties/x/type", "not a list"),
            (with_property({"type": "string", "const": "a"}), "#/properties/x/const", "not part of"),
            (with_property({"oneOf": []}), "#/properties/x/oneOf", "not part of"),
            (with_property({"type": "string", "title": "T"}), "#/properties/x/title", "not part of"),
            (with_property({"$ref": "#/a"}), "#/properties/x/$ref", "not part of"),
            (
                with_property({"type": "number", "enum": ["1"]}),
                "#/properties/x/enum",
                "belongs to type string",
            ),
            (
                with_property({"enum": ["1"]}),
                "#/properties/x/enum",
                "belongs to type string; here is no type",
            ),
            (with_property({"type": "string", "enum": []}), "#/properties/x/enum", "at least one"),
            (with_property({"type": "string", "enum": [1]}), "#/properties/x/enum", "a list of texts"),
            (with_property({"type": "string", "enum": ["a", "a"]}), "#/properties/x/enum", "once"),
            (
                with_property({"type": "string", "format": "email"}),
                "#/properties/x/format",
                "a format is one of",
            ),
            (with_property({"type": "number", "format": "date"}), "#/properties/x/format", "belongs to"),
            (with_property({"type": "string", "items": {}}), "#/properties/x/items", "belongs to type array"),
            (with_property({"type": "array", "items": [{}]}), "#/properties/x/items", "expected a schema"),
            (with_property({"type": "array", "minItems": -1}), "#/properties/x/minItems", "whole number"),
            (with_property({"type": "array", "maxItems": 1.5}), "#/properties/x/maxItems", "whole number"),
            (with_property({"type": "array", "maxItems": True}), "#/properties/x/maxItems", "whole number"),
            (
                with_property({"type": "array", "minItems": 3, "maxItems": 2}),
                "#/properties/x/minItems",
                "more than",
            ),
            (
                with_property({"type": "string", "minimum": 1}),
                "#/properties/x/minimum",
                "belongs to type number",
            ),
            (
                with_property({"type": "number", "minimum": "1"}),
                "#/properties/x/minimum",
                "expected a number",
            ),
            (
                with_property({"type": "number", "minimum": float("nan")}),
                "#/properties/x/minimum",
                "a number",
            ),
            (
                with_property({"type": "number", "minimum": 2, "maximum": 1}),
                "#/properties/x/minimum",
                "more than",
            ),
            (
                with_property({"type": "string", "nullable": "yes"}),
                "#/properties/x/nullable",
                "true or false",
            ),
            (with_property({"anyOf": {}}), "#/properties/x/anyOf", "expected a list of schemas"),
            (with_property({"anyOf": []}), "#/properties/x/anyOf", "expected a list of schemas"),
            (with_property({"anyOf": [True]}), "#/properties/x/anyOf/0", "expected a schema"),
            (
                {"type": "object", "properties": {"a/b~": {"type": "x"}}},
                "#/properties/a~1b~0/type",
                "a type is",
            ),
            (nested(11), "#" + "/properties/x" * 10, "nested deeper than 10 levels"),
            ({"type": "object", "properties": {"x" * 70_000: {}}}, "#", "the API accepts 65,536"),
        ],
    )
    def test_what_the_api_refuses_is_named_with_its_path(
        self, schema: object, path: str, message: str
    ) -> None:
        problems = check_schema(schema)
        assert [problem for problem in problems if problem.path == path and message in problem.message], (
            problems
        )

    @pytest.mark.parametrize(
        ("schema", "remedy"),
        [
            (with_property({"oneOf": []}), 'Use "anyOf" instead.'),
            (with_property({"type": "string", "enumm": ["a"]}), 'Did you mean "enum"?'),
            (with_property({"type": ["number", "null"]}), '"nullable: true"'),
            ({"type": "array"}, "`type: object` with one property"),
            ({"properties": {}}, "Write `type: object`."),
            ({"type": "object", "properties": {"price": {}}, "required": ["prize"]}, "Did you mean 'price'?"),
        ],
    )
    def test_the_remedy_says_what_to_write(self, schema: object, remedy: str) -> None:
        assert [problem for problem in check_schema(schema) if remedy in (problem.remedy or "")]

    def test_all_problems_are_named_up_to_a_limit(self) -> None:
        schema = {"type": "object", "properties": {f"p{number}": {"type": "x"} for number in range(1000)}}
        assert len(check_schema(schema)) == 100
        assert len(check_schema(schema, limit=7)) == 7

    def test_a_schema_of_a_hundred_thousand_levels_is_refused_at_once(self) -> None:
        began = time.process_time()
        assert "nested deeper" in check_schema(nested(100_000))[0].message
        assert time.process_time() - began < 1

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("object"),
            lambda below: (
                st.lists(below, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["type", "properties", "items", "anyOf", "required", "enum", "minimum"])
                    | st.sampled_from(["maximum", "minItems", "format", "nullable", "propertyOrdering", "x"]),
                    below,
                    max_size=4,
                )
            ),
        ),
    )
    def test_any_value_is_answered_with_printable_problems(self, schema: object) -> None:
        for problem in check_schema(schema):
            assert f"{problem.path} {problem.message} {problem.remedy}".isprintable()

    def test_a_schema_that_is_too_large_is_not_checked_further(self) -> None:
        """Two megabytes of names took minutes, in which a server of this machine answered nobody."""
        names = [f"p{n}" for n in range(60_000)]
        schema = {"type": "object", "properties": {name: {} for name in names}, "required": [*names, "x"]}
        began = time.process_time()
        (problem,) = check_schema(schema)
        assert time.process_time() - began < 1
        assert "the API accepts 65,536" in problem.message


class TestFindViolations:
    @pytest.mark.parametrize(
        "value",
        [
            {"title": "Emma"},
            {"title": None},
            {"title": "Emma", "price": 5, "pages": 3.0, "in_stock": False, "extra": {"a": 1}},
            {"title": "Emma", "price": None, "offers": None},
            {"title": "Emma", "published": "2024-02-29", "seen": "2024-01-01T10:00:00Z", "opens": "09:30"},
            {"title": "Emma", "seen": "2024-01-01T10:00:00.5+02:00", "length": "PT1H30M"},
            {"title": "Emma", "tags": ["a"], "size": 5},
            {"title": "Emma", "size": "M", "offers": [{"shop": "x"}, {"shop": "y", "price": 1.5}]},
        ],
    )
    def test_what_meets_the_schema_has_none(self, value: object) -> None:
        assert find_violations(value, GOOD) == []

    @pytest.mark.parametrize(
        ("value", "violation"),
        [
            ({}, "#/title: is missing"),
            (None, "#: is null, which the schema does not allow"),
            ([], "#: expected object, got a list"),
            ("x", "#: expected object, got text 'x'"),
            ({"title": 5}, "#/title: expected string, got a number"),
            ({"title": "", "price": "5"}, "#/price: expected number, got text '5'"),
            ({"title": "", "price": True}, "#/price: expected number, got true or false"),
            ({"title": "", "price": float("nan")}, "#/price: expected number, got a number"),
            ({"title": "", "price": -1}, "#/price: is less than 0"),
            ({"title": "", "price": 10**400}, "#/price: is more than 1000000.0"),
            ({"title": "", "pages": 1.5}, "#/pages: expected integer"),
            ({"title": "", "pages": float("inf")}, "#/pages: expected integer"),
            ({"title": "", "in_stock": "yes"}, "#/in_stock: expected boolean"),
            ({"title": "", "kind": "disc"}, "#/kind: 'disc' is none of"),
            ({"title": "", "published": "2024-02-30"}, "#/published: '2024-02-30' is no date"),
            ({"title": "", "seen": "yesterday"}, "#/seen: 'yesterday' is no date-time"),
            ({"title": "", "opens": "25:00"}, "#/opens: '25:00' is no time"),
            ({"title": "", "length": "P"}, "#/length: 'P' is no duration"),
            ({"title": "", "tags": []}, "#/tags: has 0 items, fewer than 1"),
            ({"title": "", "tags": list("abcd")}, "#/tags: has 4 items, more than 3"),
            ({"title": "", "tags": ["a", 2]}, "#/tags/1: expected string"),
            ({"title": "", "tags": ["a", None]}, "#/tags/1: is null"),
            ({"title": "", "size": "XL"}, "#/size: meets none of the alternatives"),
            ({"title": "", "offers": [{"shop": "x"}, {"price": 1}]}, "#/offers/1/shop: is missing"),
        ],
    )
    def test_what_does_not_is_named_with_its_path(self, value: object, violation: str) -> None:
        assert [found for found in find_violations(value, GOOD) if str(found).startswith(violation)]

    def test_a_million_wrong_entries_are_not_all_named(self) -> None:
        assert len(find_violations({"title": "", "tags": [1] * 1_000_000}, GOOD)) == 20

    def test_a_value_nested_past_all_bounds_is_walked_as_deep_as_the_schema_goes(self) -> None:
        deep: list[Any] = []
        for _ in range(100_000):
            deep = [deep]
        assert [str(found) for found in find_violations({"title": deep}, GOOD)] == [
            "#/title: expected string, got a list"
        ]

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
            lambda below: (
                st.lists(below, max_size=3)
                | st.dictionaries(
                    st.sampled_from(list(GOOD["properties"])) | st.text(max_size=3), below, max_size=4
                )
            ),
        )
    )
    def test_any_value_is_judged(self, value: object) -> None:
        for violation in find_violations(value, GOOD):
            assert str(violation).isprintable()
