"""The OpenAPI document of the agent, from its operations and pydantic's schemas."""

import inspect
import re
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from batchfish.core.schema import FORMATS
from batchfish.localagent.api.answers import ErrorEnvelope, RunEvent, reply
from batchfish.localagent.api.operations import Operation
from batchfish.webagent.wire import API_KEY_HEADER

Document = dict[str, Any]

KEY = "APIKeyHeader"
SCHEMAS = "#/components/schemas/"
NODE = {"$ref": SCHEMAS + "OutputSchemaNode"}
NAMES = {"type": "array", "uniqueItems": True, "items": {"type": "string"}}
COUNT = {"type": "integer", "minimum": 0, "maximum": 2**53}
BOUND = {"type": "number", "minimum": -(2**53), "maximum": 2**53}
BRANCHES = {"type": "array", "minItems": 1, "items": NODE}
MEMBERS: Document = {
    "properties": {"type": "object", "additionalProperties": NODE},
    "required": NAMES,
    "propertyOrdering": NAMES,
}
# What a client can do with the run that it created.
LINKS: Document = {
    operation_id: {"operationId": operation_id, "parameters": {"path.id": "$response.body#/run_id"}}
    for operation_id in ("getRunById", "cancelRunById")
}
REFUSALS = {
    400: "INVALID_INPUT: `details` names each place that is wrong. Nothing was created.",
    401: "MISSING_API_KEY or INVALID_API_KEY.",
    402: "INSUFFICIENT_CREDITS. Never sent here: this agent has no credits.",
    403: "FORBIDDEN: the Host is not this machine, or the Origin is another page's.",
    404: "NOT_FOUND: there is no such run, step or screenshot, or the run cannot be cancelled.",
    413: "The body is too large.",
    415: "The body is not application/json.",
    429: "RATE_LIMIT_EXCEEDED, in a simulation.",
    500: "INTERNAL_ERROR: a bug, or a simulation.",
    502: "INTERNAL_ERROR after the run was created, in a simulation.",
    503: "SERVICE_BUSY, in a simulation.",
}
PATH: Document = {
    "id": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"},
    "stepId": {"type": "string", "minLength": 1},
}


def openapi_route(operations: Sequence[Operation]) -> Route:
    """Return the route of the document, which is written when it is asked for."""

    async def openapi(_: Request) -> Response:
        return reply(_describe(operations))

    return Route("/openapi.json", openapi)


def _describe(operations: Sequence[Operation]) -> Document:
    paths: Document = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    schemas = _models(operations) | _output_schema()
    vault = _needs("credential_item_ids", "use_vault")
    schemas["BatchItem"]["dependentSchemas"] = vault
    schemas["RunBody"]["dependentSchemas"] = vault | _needs("profile_id", "use_profile")
    schemas["ProxyConfig"] |= {
        "if": {"properties": {"type": {"const": "custom"}}, "required": ["type"]},
        "then": {"required": ["url"], "properties": {"url": {"type": "string"}}},
    }
    # The guard checks the key before any operation sees the request.
    key = {KEY: {"type": "apiKey", "in": "header", "name": API_KEY_HEADER}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Local web agent", "version": "1"},
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": key},
    }


def _operation(operation: Operation) -> Document:
    is_create = operation.path.startswith("/v1/automation/")
    statuses = [401, 403, 429, 500, *([402, 502] if is_create else [503])]
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": PATH[name]}
        for name in re.findall(r"{(\w+)}", operation.path)
    ]
    described: Document = {
        "tags": ["Automation" if is_create else "Runs"],
        "operationId": operation.operation_id,
        "description": inspect.getdoc(operation.handler),
        "security": [{KEY: []}],
    }
    if parameters:
        statuses.append(404)
    if operation.takes is not None and operation.method == "GET":
        statuses.append(400)
        query = operation.takes.model_json_schema(ref_template=SCHEMAS + "{model}")["properties"]
        parameters += [{"name": name, "in": "query", "schema": query[name]} for name in query]
    elif operation.takes is not None:
        statuses += [400, 413, 415]
        described["requestBody"] = {"required": True, "content": _json(operation.takes)}
    success = operation.answers
    if not isinstance(success, dict):
        success = {"description": "Success.", "content": _json(success)}
    if operation.operation_id in {"run", "runAsync"}:
        success["links"] = LINKS
    refusals = {
        str(status): {"description": REFUSALS[status], "content": _json(ErrorEnvelope)}
        for status in sorted(statuses)
    }
    return {**described, "parameters": parameters, "responses": {"200": success, **refusals}}


def _json(model: type[BaseModel]) -> Document:
    return {"application/json": {"schema": {"$ref": SCHEMAS + model.__name__}}}


def _models(operations: Sequence[Operation]) -> Document:
    """Return the schemas of what operations take and answer, and of the events of a stream."""
    answers: list[type[BaseModel]] = [RunEvent, ErrorEnvelope]
    answers += [one.answers for one in operations if not isinstance(one.answers, dict)]
    models: list[tuple[type[BaseModel], Literal["validation", "serialization"]]] = [
        *((one.takes, "validation") for one in operations if one.takes is not None and one.method != "GET"),
        *((model, "serialization") for model in answers),
    ]
    _, document = models_json_schema(models, ref_template=SCHEMAS + "{model}")
    described: Document = document["$defs"]
    return described


def _needs(asked: str, needed: str) -> Document:
    """Require that a member is true where another one is given; null is as good as absent."""
    is_true = {"required": [needed], "properties": {needed: {"const": True}}}
    return {asked: {"anyOf": [{"properties": {asked: {"type": "null"}}}, is_true]}}


def _output_schema() -> Document:
    """Describe the subset of JSON Schema that the API takes.

    What no schema can say is left to the answer: names that must be among the properties, bounds in order,
    at most 10 levels and 64 KB.
    """
    kinds: list[Document] = [
        _node("object", MEMBERS),
        _node("array", {"items": NODE, "minItems": COUNT, "maxItems": COUNT}),
        _node(
            "string", {"enum": {**NAMES, "minItems": 1}, "format": {"type": "string", "enum": list(FORMATS)}}
        ),
        _node("number", {"minimum": BOUND, "maximum": BOUND}),
        _node("integer", {"minimum": BOUND, "maximum": BOUND}),
        _node("boolean", {}),
    ]
    untyped = _node("object", {})
    del untyped["required"], untyped["properties"]["type"]
    top = _node("object", MEMBERS)
    del top["properties"]["anyOf"]
    top["properties"]["nullable"] = {"const": False}
    return {
        "OutputSchema": {**top, "description": "What the result must look like; at most 64 KB, 10 levels."},
        "OutputSchemaNode": {"anyOf": [*kinds, untyped]},
    }


def _node(kind: str, members: Document) -> Document:
    shared: Document = {"type": {"const": kind}, "nullable": {"type": "boolean"}, "anyOf": BRANCHES}
    return {
        "type": "object",
        "required": ["type"],
        "properties": {**shared, **members},
        "additionalProperties": False,
    }
