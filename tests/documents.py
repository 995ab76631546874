"""The documents that commands print with `--json`, checked against the JSON Schemas in docs/schemas/."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jsonschema_rs import Draft202012Validator

SCHEMAS = Path(__file__).parents[1] / "docs" / "schemas"


def documents_in(printed: str) -> list[dict[str, Any]]:
    """Return the documents on the lines of a standard output; each must be as its schema says."""
    found = [json.loads(line) for line in printed.splitlines()]
    for document in found:
        check_document(document)
    return found


def check_document(document: Mapping[str, Any]) -> None:
    """Fail unless a document is as the schema of its type says and has no key that the schema lacks."""
    assert "type" in document, document
    errors = [str(error) for error in _validator(document["type"]).iter_errors(document)]
    assert errors == [], document


def schema_of(kind: str) -> dict[str, Any]:
    path = SCHEMAS / f"{kind}.json"
    assert path.exists(), f"documents of the type {kind!r} have no schema: write docs/schemas/{path.name}"
    schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return schema


@cache
def _validator(kind: str) -> Draft202012Validator:
    from jsonschema_rs import Draft202012Validator  # slow to import, and most tests print no document

    return Draft202012Validator(_closed(schema_of(kind)), validate_formats=True)


def _closed(schema: Any) -> Any:  # noqa: ANN401 - a part of a JSON Schema
    """Return a schema that allows no keys but those that it describes."""
    match schema:
        case dict():
            closed = {name: _closed(part) for name, part in schema.items()}
            return {**closed, "additionalProperties": False} if "required" in schema else closed
        case list():
            return [_closed(part) for part in schema]
        case _:
            return schema


def keys_of(kind: str) -> list[str]:
    """Return the path of every key that documents of a type always have, as in `held.items[].id`."""
    return [kind, *_keys(schema_of(kind), kind)]


def _keys(schema: Mapping[str, Any], path: str) -> Iterator[str]:
    for name in schema.get("required", ()):
        yield f"{path}.{name}"
        yield from _keys(schema["properties"][name], f"{path}.{name}")
    if "items" in schema:
        yield from _keys(schema["items"], f"{path}[]")
