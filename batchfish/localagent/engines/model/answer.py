"""The answer of a model: the JSON Schema that asks for it, and how it is parsed and converted."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from batchfish.core.schema import find_violations

if TYPE_CHECKING:
    from collections.abc import Mapping

ANSWER = "answer"
PROBLEM = "problem"
NULL = {"type": "null"}
COPIED = ("type", "enum", "format", "minimum", "maximum", "minItems", "maxItems", "required")
FENCE = re.compile(r"```(?:json)?\s*(.*?)```", re.DOTALL)
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
SAID_AS_NULL = frozenset(["", "null", "none", "n/a"])


def envelope(schema: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the JSON Schema of an answer: what was asked for, or the problem in words."""
    wanted = {"type": "object"} if schema is None else json_schema(schema)
    return {
        "type": "object",
        "properties": {
            ANSWER: {"anyOf": [wanted, NULL]},
            PROBLEM: {"anyOf": [{"type": "string"}, NULL]},
        },
        "required": [ANSWER, PROBLEM],
        "additionalProperties": False,
    }


def json_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a schema of the API's subset to standard JSON Schema: `nullable` becomes an alternative."""
    spelled = {name: schema[name] for name in COPIED if name in schema}
    if "properties" in schema:
        spelled["properties"] = {name: json_schema(one) for name, one in schema["properties"].items()}
        spelled["additionalProperties"] = False
    if "items" in schema:
        spelled["items"] = json_schema(schema["items"])
    if "anyOf" in schema:
        spelled["anyOf"] = [json_schema(one) for one in schema["anyOf"]]
    return {"anyOf": [spelled, NULL]} if schema.get("nullable") is True else spelled


def parse(text: str) -> dict[str, Any] | None:
    """Return the JSON object in a text, be it bare, fenced or between words; None if there is none."""
    fenced = FENCE.search(text)
    inside = fenced[1] if fenced else text[text.find("{") : text.rfind("}") + 1]
    try:
        value = json.loads(inside)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def open_envelope(said: Mapping[str, Any], schema: Mapping[str, Any] | None) -> tuple[Any, str | None]:
    """Return the answer and the problem that a model reported; without an envelope, all is the answer."""
    is_bare = ANSWER not in said and (PROBLEM not in said or PROBLEM in (schema or {}).get("properties", {}))
    answer = said if is_bare else said.get(ANSWER)
    problem = None if is_bare else said.get(PROBLEM)
    if schema is not None and answer is not None:
        answer = coerce(answer, schema)
    return answer, str(problem) if problem and answer is None else None


def coerce(value: Any, schema: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
    """Convert a value to the types of its schema, where that changes no meaning.

    "8.49" for a number is 8.49, 5.0 for an integer 5, "null" where null is allowed is null, and properties
    that the schema does not name are left out. What is still wrong is for the check to find.
    """
    if isinstance(value, str) and schema.get("nullable") is True and value.strip().lower() in SAID_AS_NULL:
        return None
    if isinstance(branches := schema.get("anyOf"), list):
        coerced = [(coerce(value, branch), branch) for branch in branches]
        fitting = (one for one, branch in coerced if not find_violations(one, branch, limit=1))
        return next(fitting, value)
    match schema.get("type"), value:
        case "object", dict():
            known = schema.get("properties")
            return value if known is None else _properties(value, known, schema.get("required", ()))
        case "array", list():
            items = schema.get("items", {})
            return [coerce(one, items) for one in value]
        case "number", str() if NUMBER.fullmatch(value.strip()):
            return coerce(float(value), schema) if "." in value or "e" in value.lower() else int(value)
        case "integer", str() if NUMBER.fullmatch(value.strip()):
            return coerce(float(value), schema)
        case "integer", float() if value.is_integer():
            return int(value)
        case "string", int() | float() if not isinstance(value, bool):
            return json.dumps(value)
        case "boolean", "true" | "True" | "false" | "False":
            return value.lower() == "true"
        case _:
            return value


def _properties(value: dict[str, Any], known: Mapping[str, Any], required: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Coerce what the schema names; a null that it neither allows nor requires is left out."""
    found = {name: coerce(value[name], schema) for name, schema in known.items() if name in value}
    return {
        name: one
        for name, one in found.items()
        if one is not None or name in required or known[name].get("nullable") is True
    }
