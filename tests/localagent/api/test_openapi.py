"""The served OpenAPI document agrees with what is known of the API: paths, statuses, members, keywords.

What the members may hold is for test_run_routes.py to try, and for schemathesis.
"""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from batchfish.localagent.runs.queue import RunQueue
from batchfish.localagent.runs.store import RunStore
from batchfish.webagent import wire
from tests.localagent.doubles import ManualEngine, client_of

Json = dict[str, Any]

FACTS: Json = yaml.safe_load(Path(__file__).with_name("contract.yaml").read_text("utf-8"))
# Answers that any HTTP server may give, and those of a simulation; clients read them by their status alone.
ALSO_ANSWERED = {400, 403, 413, 415, 429, 500, 502, 503}


@pytest.fixture(scope="module")
def document() -> Json:
    """Fetch the document of an agent that works on nothing."""
    store = RunStore(":memory:")

    async def ask() -> Json:
        async with client_of(RunQueue(store, ManualEngine(), cap=1), time.time) as client:
            served: Json = (await client.get("/openapi.json")).json()
            return served

    served = asyncio.run(ask())
    store.close()
    return served


def operations(document: Json) -> dict[str, tuple[str, Json]]:
    """Return each operation with its method and path, by its id."""
    return {
        operation["operationId"]: (f"{method.upper()} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def resolve(document: Json, schema: Json) -> Json:
    """Follow references, also of what may be null."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    schema = kinds[0] if len(kinds) == 1 else schema
    if "$ref" in schema:
        return resolve(document, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    return schema


def members(document: Json, schema: Json) -> set[str]:
    """Return the names of an object's members; a * marks those that must be there."""
    schema = resolve(document, schema)
    required = schema.get("required", ())
    return {("*" if name in required else "") + name for name in schema["properties"]}


def test_its_operations_answer_the_statuses_that_clients_know(document: Json) -> None:
    served = operations(document)
    assert {name: ask for name, (ask, _) in served.items()} == {
        name: facts["ask"] for name, facts in FACTS["operations"].items()
    }
    for name, facts in FACTS["operations"].items():
        statuses = served[name][1]["responses"].keys() - {"200"}
        assert {str(status) for status in facts["statuses"]} - {"200"} <= statuses
        assert {int(status) for status in statuses} <= {*facts["statuses"], *ALSO_ANSWERED}
        for status in statuses:
            envelope = served[name][1]["responses"][status]["content"]["application/json"]["schema"]
            assert envelope == {"$ref": "#/components/schemas/ErrorEnvelope"}


@pytest.mark.parametrize("name", FACTS["operations"])
def test_an_operation_takes_and_answers_these_members_and_no_others(document: Json, name: str) -> None:
    """The answer to run has one more, the address to watch it at: its clients have no other way to it."""
    facts, (_, operation) = FACTS["operations"][name], operations(document)[name]
    parameters: dict[str, set[str]] = {"path": set(), "query": set()}
    for parameter in operation.get("parameters", ()):
        parameters[parameter["in"]].add(parameter["name"])
    assert parameters["path"] == set(re.findall(r"{(\w+)}", facts["ask"]))
    assert parameters["query"] == set(FACTS["bodies"].get(facts.get("query"), ()))
    if "body" in facts:
        content = operation["requestBody"]["content"]
        assert list(content) == ["application/json"]
        assert members(document, content["application/json"]["schema"]) == set(FACTS["bodies"][facts["body"]])
    content = operation["responses"]["200"]["content"]
    assert list(content) == [facts.get("media", "application/json")]
    if "answer" in facts:
        more = {"*streaming_url"} if name == "run" else set()
        expected = {f"*{member}" for member in FACTS["answers"][facts["answer"]]} | more
        assert members(document, content["application/json"]["schema"]) == expected


def test_what_lies_within_bodies_and_answers_has_these_members(document: Json) -> None:
    schemas = document["components"]["schemas"]
    for name, inner in FACTS["within"].items():
        assert set(schemas[name]["properties"]) == set(inner)
    assert resolve(document, schemas["RunEvent"]["properties"]["type"])["enum"] == FACTS["types_of_events"]
    assert schemas["RunError"]["properties"]["category"]["enum"] == FACTS["categories_of_errors"]
    data = operations(document)["runSse"][1]["responses"]["200"]["content"]["text/event-stream"]
    event = data["itemSchema"]["properties"]["data"]["contentSchema"]
    assert event == {"$ref": "#/components/schemas/RunEvent"}


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
