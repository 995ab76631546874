"""The OpenAPI document of the agent: the framework's, with what the framework cannot express added."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from batchfish.core.schema import FORMATS
from batchfish.localagent.api.answers import ErrorEnvelope, RunEvent
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


def add_openapi(app: FastAPI) -> None:
    """Serve the document at /openapi.json."""
    served: list[Document] = []

    def openapi() -> Document:
        if not served:
            served.append(_describe(app))
        return served[0]

    app.openapi = openapi  # type: ignore[method-assign]  # the framework's own way to change it


def _describe(app: FastAPI) -> Document:
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["responses"].pop("422", None)  # we answer 400
            operation["security"] = [{KEY: []}]
    # The guard checks the key before the framework sees the request.
    document["components"]["securitySchemes"] = {
        KEY: {"type": "apiKey", "in": "header", "name": API_KEY_HEADER}
    }
    schemas: Document = document["components"]["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas |= _output_schema() | _models()
    for operation_id in ("run", "runAsync"):
        _operation(document, operation_id)["responses"]["200"]["links"] = LINKS
    needs = {"RunBody": {"profile_id": "use_profile", "credential_item_ids": "use_vault"}}
    needs["BatchItem"] = {"credential_item_ids": "use_vault"}
    for name, pairs in needs.items():
        schemas[name]["dependentSchemas"] = {
            asked: _if_given(asked, {"required": [needed], "properties": {needed: {"const": True}}})
            for asked, needed in pairs.items()
        }
    schemas["ProxyConfig"] |= {
        "if": {"properties": {"type": {"const": "custom"}}, "required": ["type"]},
        "then": {"required": ["url"], "properties": {"url": {"type": "string"}}},
    }
    return document


def _operation(document: Document, operation_id: str) -> Document:
    (found,) = (
        operation
        for operations in document["paths"].values()
        for operation in operations.values()
        if operation["operationId"] == operation_id
    )
    described: Document = found
    return described


def _models() -> Document:
    """Return the schemas of refusals and of the events of a stream, to which routes only refer."""
    _, document = models_json_schema(
        [(RunEvent, "serialization"), (ErrorEnvelope, "serialization")], ref_template=SCHEMAS + "{model}"
    )
    described: Document = document["$defs"]
    return described


def _if_given(asked: str, then: Document) -> Document:
    """Return a schema that requires something if a member is given: null is as good as absent."""
    return {"anyOf": [{"properties": {asked: {"type": "null"}}}, then]}


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
