"""The served OpenAPI document agrees with what is known of the API: paths, statuses, members.

What the members may hold is for test_routes.py to try, and for schemathesis.
"""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from batchfish.webagent import wire

Json = dict[str, Any]

FACTS: Json = yaml.safe_load(Path(__file__).with_name("contract.yaml").read_text("utf-8"))
# Answers that any HTTP server may give, and those of a simulation; clients read them by their status alone.
ALSO_ANSWERED = {"200", "400", "403", "413", "415", "500", "502", "503"}


@pytest.fixture
async def document(api: httpx.AsyncClient) -> Json:
    served: Json = (await api.get("/openapi.json")).json()
    return served


def ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def test_its_operations_take_and_answer_what_clients_know(document: Json) -> None:
    served = {
        operation["operationId"]: (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert served.keys() == FACTS["operations"].keys()
    for name, facts in FACTS["operations"].items():
        ask, at, body, answer, *statuses = facts.split()
        method, path, operation = served[name]
        assert (method, path) == (ask, at)
        parameters = {(one["in"], one["name"]) for one in operation.get("parameters", ())}
        asked = {("query", one) for one in FACTS["query"].get(name, "").split()}
        assert parameters == asked | {("path", one) for one in re.findall(r"{(\w+)}", at)}
        taken = operation.get("requestBody", {"content": {}})["content"]
        assert taken == ({} if body == "-" else {"application/json": {"schema": ref(body)}})
        responses = operation["responses"]
        if "/" in answer:
            assert list(responses["200"]["content"]) == [answer]
        else:
            assert responses["200"]["content"] == {"application/json": {"schema": ref(answer)}}
        assert set(statuses) <= responses.keys() <= {*statuses, *ALSO_ANSWERED}
        for status in responses.keys() - {"200"}:
            envelope = responses[status]["content"]["application/json"]["schema"]
            assert envelope == ref("ErrorEnvelope")


def test_bodies_answers_and_events_have_these_members_and_no_others(document: Json) -> None:
    schemas = document["components"]["schemas"]
    for name, members in FACTS["schemas"].items():
        required = schemas[name].get("required", ())
        there = {f"{one}*" if one in required else one for one in schemas[name]["properties"]}
        assert there == set(members.split()), name
    assert schemas["EventType"]["enum"] == FACTS["types_of_events"].split()
    assert schemas["RunError"]["properties"]["category"]["enum"] == FACTS["categories_of_errors"].split()
    stream = document["paths"]["/v1/automation/run-sse"]["post"]["responses"]["200"]["content"]
    event = stream["text/event-stream"]["itemSchema"]["properties"]["data"]["contentSchema"]
    assert event == ref("RunEvent")


def test_the_client_knows_the_same_paths_and_fields() -> None:
    assert {facts.split()[1] for facts in FACTS["operations"].values()} == {
        *(wire.RUN, wire.RUN_ASYNC, wire.RUN_SSE, wire.RUN_BATCH, wire.RUNS, wire.RUN_BY_ID),
        *(wire.RUNS_BATCH, wire.CANCEL_RUN, wire.CANCEL_RUNS, wire.STEP_SCREENSHOT, wire.STEP_HTML),
    }
    body = FACTS["schemas"]["RunBody"].replace("*", "").split()
    assert set(body) == set(wire.REQUEST_FIELDS)
