"""The served OpenAPI document agrees with what is known of the API: paths, statuses, members, bounds."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from batchfish.localagent.app import create_app
from batchfish.localagent.runs.queue import RunQueue
from batchfish.localagent.runs.store import RunStore
from batchfish.localagent.settings import ServeSettings
from batchfish.webagent import wire
from tests.localagent.conftest import LINKS
from tests.localagent.doubles import ManualEngine

Json = dict[str, Any]

FACTS: Json = yaml.safe_load(Path(__file__).with_name("contract.yaml").read_text("utf-8"))
# Answers that any HTTP server may give, and those of a simulation; clients read them by their status alone.
ALSO_ANSWERED = {400, 403, 411, 413, 415, 429, 500, 502, 503}


@pytest.fixture(scope="module")
def document() -> Json:
    """Have an agent that works on nothing serve its document, as it went over the wire."""
    book = RunStore(":memory:")
    app = create_app(RunQueue(book, ManualEngine(), cap=1), LINKS, ServeSettings(), token="ours")

    async def ask() -> Json:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            served: Json = (await client.get("/openapi.json")).json()
            return served

    served = asyncio.run(ask())
    book.close()
    return served


def operations(document: Json) -> dict[str, tuple[str, Json]]:
    """Give each operation with its method and path, by its id."""
    return {
        operation["operationId"]: (f"{method.upper()} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def unless_null(schema: Json) -> Json:
    """Take null for leave to leave out."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    return kinds[0] if len(kinds) == 1 else schema


def resolve(document: Json, schema: Json) -> Json:
    """Follow references."""
    schema = unless_null(schema)
    if "$ref" in schema:
        return resolve(document, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    return schema


def spell(document: Json, schema: Json) -> str:
    """Spell a schema as the facts do."""
    if unless_null(schema).get("$ref", "").endswith("/OutputSchema"):
        return "schema"
    schema = resolve(document, schema)
    if "enum" in schema:
        return "one of " + " ".join(schema["enum"])
    match schema["type"]:
        case "array":
            bounds = limits(schema, "minItems", "maxItems")
            return f"list{bounds} of {spell(document, schema['items'])}"
        case "integer":
            return f"integer{limits(schema, 'minimum', 'maximum')}"
        case "string":
            extra = [schema[name] for name in ("format", "pattern") if name in schema]
            return " ".join(["string" + limits(schema, "minLength", "maxLength"), *extra])
        case "object":
            fields = described(document, schema)
            return next((name for name, known in FACTS["bodies"].items() if fields == known), str(fields))
        case kind:
            return str(kind)


def limits(schema: Json, low: str, high: str) -> str:
    """Spell bounds; one that JavaScript cannot count to is none."""
    least, most = (schema.get(name) for name in (low, high))
    if least is None and most is None:
        return ""
    return f" {'' if least is None else int(least)}..{'' if most in {None, 2**53} else int(most)}"


def described(document: Json, schema: Json) -> dict[str, str]:
    """Describe the members of an object as the facts do."""
    required = schema.get("required", ())
    return {
        ("*" if name in required else "") + name: spell(document, member)
        for name, member in schema["properties"].items()
    }


def answer_of(document: Json, operation: Json) -> Json:
    return resolve(document, operation["responses"]["200"]["content"]["application/json"]["schema"])


def test_it_has_these_operations_at_these_paths(document: Json) -> None:
    served = {name: ask for name, (ask, _) in operations(document).items()}
    assert served == {name: facts["ask"] for name, facts in FACTS["operations"].items()}


@pytest.mark.parametrize("name", FACTS["operations"])
def test_an_operation_answers_the_statuses_that_clients_know(document: Json, name: str) -> None:
    statuses = set(map(int, operations(document)[name][1]["responses"]))
    known = set(FACTS["operations"][name]["statuses"])
    assert known <= statuses
    assert statuses - known <= ALSO_ANSWERED


@pytest.mark.parametrize("name", [name for name, facts in FACTS["operations"].items() if "body" in facts])
def test_a_body_has_these_members_and_no_others(document: Json, name: str) -> None:
    content = operations(document)[name][1]["requestBody"]["content"]
    assert list(content) == ["application/json"]
    schema = resolve(document, content["application/json"]["schema"])
    assert described(document, schema) == FACTS["bodies"][FACTS["operations"][name]["body"]]


@pytest.mark.parametrize("name", [name for name, facts in FACTS["operations"].items() if "query" in facts])
def test_a_query_has_these_filters_and_no_others(document: Json, name: str) -> None:
    parameters = operations(document)[name][1]["parameters"]
    query = {
        parameter["name"]: spell(document, parameter["schema"])
        for parameter in parameters
        if parameter["in"] == "query" and not parameter["required"]
    }
    facts = FACTS["bodies"][FACTS["operations"][name]["query"]]
    if "cursor" in query:  # opaque to clients: what it looks like is ours
        query["cursor"] = query["cursor"].partition(" ")[0]
    assert query == facts
    assert {parameter["name"] for parameter in parameters if parameter["in"] == "path"} == set(
        re.findall(r"{(\w+)}", FACTS["operations"][name]["ask"])
    )


@pytest.mark.parametrize("name", [name for name, facts in FACTS["operations"].items() if "answer" in facts])
def test_an_answer_always_has_the_members_that_clients_read(document: Json, name: str) -> None:
    """The answer to run has one more, the address to watch it at: its clients have no other way to it."""
    answer = answer_of(document, operations(document)[name][1])
    expected = set(FACTS["answers"][FACTS["operations"][name]["answer"]])
    assert set(answer["properties"]) == expected | ({"streaming_url"} if name == "run" else set())
    assert set(answer["required"]) == set(answer["properties"])


@pytest.mark.parametrize("name", FACTS["inner_answers"])
def test_what_lies_within_answers_has_these_members(document: Json, name: str) -> None:
    served = document["components"]["schemas"][name]["properties"]
    assert set(served) == set(FACTS["inner_answers"][name])


def test_a_listed_run_has_all_but_the_large_members(document: Json) -> None:
    page = answer_of(document, operations(document)["listRuns"][1])
    row = resolve(document, page["properties"]["data"]["items"])
    assert set(row["properties"]) == set(FACTS["answers"]["run_seen"]) - set(FACTS["not_listed"])


def test_the_events_of_a_stream_are_described_by_their_data(document: Json) -> None:
    content = operations(document)["runSse"][1]["responses"]["200"]["content"]
    assert list(content) == ["text/event-stream"]
    data = content["text/event-stream"]["itemSchema"]["properties"]["data"]
    event = resolve(document, data["contentSchema"])
    assert set(event["properties"]) == set(FACTS["answers"]["event"])
    assert resolve(document, event["properties"]["type"])["enum"] == FACTS["types_of_events"]


def test_captures_have_their_own_media_types(document: Json) -> None:
    for name, facts in FACTS["operations"].items():
        if "media" in facts:
            assert list(operations(document)[name][1]["responses"]["200"]["content"]) == [facts["media"]]


def test_refusals_are_all_in_the_envelope(document: Json) -> None:
    for _, operation in operations(document).values():
        for status, answer in operation["responses"].items():
            if status != "200":
                envelope = answer["content"]["application/json"]["schema"]
                assert envelope == {"$ref": "#/components/schemas/ErrorEnvelope"}


def test_errors_of_runs_are_of_these_categories(document: Json) -> None:
    category = document["components"]["schemas"]["RunError"]["properties"]["category"]
    assert category["enum"] == FACTS["categories_of_errors"]


def test_an_output_schema_has_the_keywords_of_the_subset_by_type(document: Json) -> None:
    nodes = document["components"]["schemas"]["OutputSchemaNode"]["anyOf"]
    keywords = {
        node["properties"]["type"]["const"]: set(node["properties"]) - {"type", "nullable", "anyOf"}
        for node in nodes
        if "type" in node["properties"]
    }
    assert keywords == {kind: set(names) for kind, names in FACTS["output_schema"].items()}
    assert all(node["additionalProperties"] is False for node in nodes)
    (text,) = (node for node in nodes if "format" in node["properties"])
    assert sorted(text["properties"]["format"]["enum"]) == FACTS["formats"]
    top = document["components"]["schemas"]["OutputSchema"]
    assert set(top["properties"]) == {"type", "nullable", *FACTS["output_schema"]["object"]}


def test_the_client_knows_the_same_paths_and_fields() -> None:
    asked = {facts["ask"].partition(" ")[2] for facts in FACTS["operations"].values()}
    assert asked == {
        *(wire.RUN, wire.RUN_ASYNC, wire.RUN_SSE, wire.RUN_BATCH, wire.RUNS, wire.RUN_BY_ID),
        *(wire.RUNS_BATCH, wire.CANCEL_RUN, wire.CANCEL_RUNS, wire.STEP_SCREENSHOT, wire.STEP_HTML),
    }
    assert {name.lstrip("*") for name in FACTS["bodies"]["run"]} == set(wire.REQUEST_FIELDS)
