"""The columns of a table, from schemas and output rules."""

from __future__ import annotations

from typing import Any

import pytest

from batchfish.core.rules import OUTPUT_TYPES, OutputRules
from batchfish.errors import WrongInput
from batchfish.table.columns import DECLARABLE, Kind, plan_columns

FIXED_BEFORE = ["item_id", "batch", "row", "url", "status", "reason"]
FIXED_AFTER = [
    "run_id",
    "run_status",
    "attempts",
    "steps",
    "submitted_at",
    "started_at",
    "finished_at",
    "queue_s",
    "run_s",
    "error_code",
    "error_message",
    "streaming_url",
    "suspicious",
    "reused_from",
]


def schema(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


STRING = {"type": "string"}
NUMBER = {"type": "number"}
INTEGER = {"type": "integer"}
PRODUCTS = schema(
    total=INTEGER,
    products={"type": "array", "items": schema(name=STRING, price=NUMBER)},
    tags={"type": "array", "items": STRING},
    page=schema(links={"type": "array", "items": schema(href=STRING)}),
)


def kinds(
    *schemas: dict[str, Any], explode: str | None = None, columns: dict[str, str] | None = None
) -> dict[str, Kind]:
    """The result's own columns."""
    plan = plan_columns(schemas, [], OutputRules(explode=explode, columns=columns or {}))
    return {column.name: column.kind for column in plan.results}


def test_columns_have_the_documented_order() -> None:
    plan = plan_columns([schema(title=STRING, price=NUMBER)], ["isbn", "note"], OutputRules())
    assert list(plan.columns) == [
        *FIXED_BEFORE,
        "title",
        "price",
        "result",
        "result_error",
        "input_isbn",
        "input_note",
        *FIXED_AFTER,
    ]


def test_an_exploded_table_is_keyed_by_item_and_record() -> None:
    plan = plan_columns([PRODUCTS], [], OutputRules(explode="result.products"))
    assert list(plan.columns) == [
        "item_id",
        "record_index",
        *FIXED_BEFORE[1:],
        "name",
        "price",
        "result",
        "result_error",
        *FIXED_AFTER,
    ]


def test_every_output_type_of_a_manifest_has_a_kind() -> None:
    assert sorted(DECLARABLE) == sorted(OUTPUT_TYPES)


@pytest.mark.parametrize(
    ("node", "kind"),
    [
        ({"type": "string"}, Kind.STRING),
        ({"type": "string", "enum": ["a"]}, Kind.STRING),
        ({"type": "string", "format": "time"}, Kind.STRING),
        ({"type": "string", "format": "date"}, Kind.DATE),
        ({"type": "string", "format": "date-time"}, Kind.DATETIME),
        ({"type": "number", "nullable": True}, Kind.FLOAT64),
        ({"type": "integer"}, Kind.INT64),
        ({"type": "boolean"}, Kind.BOOL),
        ({"type": "array", "items": {"type": "string"}}, Kind.LIST),
        ({"type": "object"}, Kind.OBJECT),
        ({"anyOf": [{"type": "integer"}, {"type": "number"}]}, Kind.FLOAT64),
        ({"anyOf": [{"type": "string"}, {"type": "number"}]}, Kind.TEXT),
        ({"anyOf": [{"type": "array"}, {"type": "object"}]}, Kind.TEXT),
        ({}, Kind.TEXT),
    ],
)
def test_a_property_has_the_type_its_schema_declares(node: dict[str, Any], kind: Kind) -> None:
    assert kinds(schema(x=node)) == {"x": kind}


def test_properties_follow_the_schemas_ordering() -> None:
    ordered = schema(a=STRING, b=STRING, c=STRING) | {"propertyOrdering": ["c", "a"]}
    assert list(kinds(ordered)) == ["c", "a", "b"]


def test_several_schemas_are_unified_without_losing_values() -> None:
    one = schema(same=STRING, size=INTEGER, mixed=STRING, only=NUMBER)
    other = schema(same=STRING, size=NUMBER, mixed=INTEGER, late={"type": "boolean"})
    assert kinds(one, other) == {
        "same": Kind.STRING,
        "size": Kind.FLOAT64,
        "mixed": Kind.TEXT,
        "only": Kind.FLOAT64,
        "late": Kind.BOOL,
    }


def test_a_property_named_like_another_column_gets_a_prefix() -> None:
    nodes = schema(status=STRING, result_status=STRING, result=STRING, input_isbn=STRING, run_s=NUMBER)
    plan = plan_columns([nodes], ["isbn"], OutputRules())
    assert {column.source: column.name for column in plan.results} == {
        "status": "result_result_status",
        "result_status": "result_status",
        "result": "result_result",
        "input_isbn": "result_input_isbn",
        "run_s": "result_run_s",
    }
    assert len(plan.columns) == len(FIXED_BEFORE) + 5 + 2 + 1 + len(FIXED_AFTER)


def test_record_index_is_an_ordinary_name_without_explode() -> None:
    assert list(kinds(schema(record_index=INTEGER))) == ["record_index"]


def test_a_name_with_a_lone_surrogate_is_escaped() -> None:
    plan = plan_columns([schema(**{"a\ud800": STRING})], ["b\udfff"], OutputRules())
    assert [column.name for column in plan.results] == ["a\\ud800"]
    assert "input_b\\udfff" in plan.columns


def test_columns_override_the_schema_by_name() -> None:
    declared = {"price": "string", "seen": "datetime", "count": "int64"}
    assert kinds(schema(price=NUMBER, seen=STRING, count=NUMBER, title=STRING), columns=declared) == {
        "price": Kind.TEXT,
        "seen": Kind.DATETIME,
        "count": Kind.INT64,
        "title": Kind.STRING,
    }


def test_without_a_schema_only_output_columns_are_typed() -> None:
    assert kinds() == {}
    assert kinds(columns={"price": "float64", "day": "date"}) == {"price": Kind.FLOAT64, "day": Kind.DATE}
    assert kinds(explode="result.products", columns={"name": "string"}) == {"name": Kind.TEXT}


def test_an_exploded_table_has_columns_for_its_records() -> None:
    assert kinds(PRODUCTS, explode="result.products") == {"name": Kind.STRING, "price": Kind.FLOAT64}
    assert kinds(PRODUCTS, explode="result.page.links") == {"href": Kind.STRING}


def test_a_list_of_scalars_gives_one_column_of_its_name() -> None:
    assert kinds(PRODUCTS, explode="result.tags") == {"tags": Kind.STRING}
    assert kinds(PRODUCTS, explode="result.tags", columns={"tags": "int64"}) == {"tags": Kind.INT64}


def test_lists_of_objects_and_lists_of_scalars_both_have_columns() -> None:
    other = schema(products={"type": "array", "items": STRING})
    assert kinds(PRODUCTS, other, explode="result.products") == {
        "name": Kind.STRING,
        "price": Kind.FLOAT64,
        "products": Kind.TEXT,
    }


def test_a_schema_without_the_list_adds_no_columns() -> None:
    assert list(kinds(PRODUCTS, schema(title=STRING), explode="result.products")) == ["name", "price"]


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (OutputRules(explode="result.product"), "Did you mean 'result.products'?"),
        (OutputRules(explode="result.total"), "no schema has a list at result.total"),
        (OutputRules(explode="products"), "Write it like result.products"),
        (OutputRules(explode="result."), "Write it like result.products"),
        (OutputRules(columns={"totl": "int64"}), "Did you mean 'total'?"),
        (OutputRules(columns={"total": "float"}), "float64"),
    ],
)
def test_an_output_rule_that_matches_nothing_gives_a_hint(rules: OutputRules, said: str) -> None:
    with pytest.raises(WrongInput) as refused:
        plan_columns([PRODUCTS], [], rules)
    assert said in str(refused.value)
